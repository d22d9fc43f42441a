//! The workspace's habits as one program: `cargo xtask test` is all that CI does, `cargo xtask tidy` checks the house.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks on its terminal")]

mod apps;
mod chaos;
mod example;
mod metadata;
mod node;
mod policy;
mod python;
mod run;
mod servers;
mod steps;
mod tidy;
mod tree;
mod web;

use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask test [STEP]...    everything that CI does, or only these steps
       cargo xtask example [NAME [--port N] [--fake]]
                                     starts an application of examples/, with all that it needs; --fake: on a model
                                     server for tests, which talks slowly. Without a name: lists them
       cargo xtask tidy [--verbose]  the house rules, from the text of the tree
       cargo xtask chaos [--seconds N] [--seed N]
                                     replicas, clients and a nemesis: ten minutes, unless told otherwise
       cargo xtask servers [--disk] COMMAND...
                                     a command beside scratch servers (DATABASE_URL, REDIS_URL, and CATGPT_TEST_POSTGRES,
                                     CATGPT_TEST_PGBOUNCER, CATGPT_TEST_REDIS); with --disk their commits wait for it, as
                                     benches want";

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ok = match args.as_slice() {
        ["test", only @ ..] => steps::run(root, only),
        ["example", args @ ..] => example::run(root, args),
        ["chaos", options @ ..] => chaos::run(root, options),
        ["servers", command @ ..] => servers::beside(command),
        ["tidy"] => tidy::run(root, false),
        ["tidy", "--verbose"] => tidy::run(root, true),
        _ => Err(USAGE.to_owned()),
    };
    match ok {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
