//! `catgpt`: chats from the shell. It parses, reads stdin, asks the engine, shows what comes and maps errors to exit
//! codes; what a chat is and what becomes of it is the engine's business.

mod args;
mod chat;
mod color;
mod commands;
mod config;
mod context;
mod copy;
mod editor;
mod exit;
mod extract;
mod markdown;
mod models;
mod notes;
mod out;
mod progress;
mod refs;
mod rehearsal;
mod render;
mod repl;
mod said;
mod screen;
mod signals;
mod spinner;
mod stdin;
mod turn;

use args::{Cli, Command};
use exit::{Exit, Failure};

fn main() {
    let exit = match args::parse(std::env::args_os()) {
        Ok(cli) => match run(cli) {
            Ok(exit) => exit,
            Err(failure) => {
                if !failure.is_silent() {
                    notes::tell(&failure);
                }
                failure.exit()
            }
        },
        Err(error) => usage(&error),
    };
    // Not a return: a thread that waits for a slow reader of stdout is not waited for.
    std::process::exit(exit as i32);
}

fn run(cli: Cli) -> Result<Exit, Failure> {
    let common = cli.common;
    match cli.command {
        None if commands::converses(&cli.ask) => commands::chat(cli.ask, &common),
        None => commands::ask(cli.ask, &common),
        Some(Command::Ask(ask)) => commands::ask(*ask, &common),
        Some(Command::Chat(chat)) => commands::chat((*chat).into(), &common),
        Some(Command::Chats(chats)) => commands::chats(chats.action(), &common),
        Some(Command::Personas(personas)) => commands::personas(personas.action(), &common),
        Some(Command::Models(models)) => commands::models(models.action(), &common),
        Some(Command::Keys(keys)) => commands::keys(keys.action(), &common),
        Some(Command::Config(config)) => commands::config(config.action(), &common),
        Some(Command::Usage(options)) => commands::usage(&options, &common),
        Some(Command::Backup(backup)) => commands::backup(&backup, &common),
        Some(Command::Doctor) => commands::doctor(&common),
        Some(Command::Completions(options)) => commands::completions(&options),
        Some(Command::Complete(given)) => commands::complete(given, &common),
    }
}

/// What clap has to say: help on stdout, or what is wrong with the command line.
fn usage(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Ok;
    }
    let text = error.render().to_string();
    notes::tell(text.strip_prefix("error: ").unwrap_or(&text).trim_end());
    Exit::Usage
}
