//! The steps of `cargo xtask test`, in order: the cheap ones first, and the first failure ends it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use catgpt_scratch::Durability;

use crate::run::{self, Count};
use crate::servers::Servers;
use crate::{apps, metadata, node, policy, python, tidy, tree, web};

/// How long one example may run.
const EXAMPLE_DEADLINE: Duration = Duration::from_secs(120);
/// Examples that run beside scratch servers, and would run until they are stopped if they were not told this.
const SERVED: [(&str, &str); 1] = [("replicas", "--demo")];

type Step = fn(&Path) -> (Count, Result<(), String>);

const STEPS: [(&str, Step); 14] = [
    ("tools", |root| one(tools(root))),
    ("fmt", |root| one(run::show(run::cargo(root).args(["fmt", "--all", "--check"])))),
    ("tidy", |root| one(tidy::run(root, false))),
    ("clippy", |root| one(clippy(root))),
    ("tree", |root| one(dependency_tree(root))),
    ("deny", |root| one(deny(root))),
    ("tests", tests),
    ("doctests", doctests),
    ("doc", |root| one(doc(root))),
    ("examples", examples),
    ("python", python::run),
    ("node", node::tests),
    ("apps", apps::tests),
    ("web", web::tests),
];

/// Runs all steps, or those that are named, and says how many checks and tests passed.
pub(crate) fn run(root: &Path, only: &[&str]) -> Result<(), String> {
    let names = STEPS.map(|(name, _)| name);
    if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
        return Err(format!("there is no step `{unknown}`; there are: {}", names.join(", ")));
    }
    let chosen = STEPS.into_iter().filter(|(name, _)| only.is_empty() || only.contains(name));
    let (total, result) = all(root, chosen);
    if let Err(message) = &result {
        eprintln!("\n{message}");
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    result.map_err(|_| "cargo xtask test: failed".to_owned())
}

fn all(root: &Path, steps: impl Iterator<Item = (&'static str, Step)>) -> (Count, Result<(), String>) {
    let mut total = Count::default();
    for (name, step) in steps {
        println!("\n== {name}");
        let begun = Instant::now();
        let (count, result) = settle(step(root));
        total += count;
        let seconds = begun.elapsed().as_secs_f64();
        if let Err(message) = result {
            let hint = format!("step `{name}` failed after {seconds:.1} s (alone: cargo xtask test {name})");
            return (total, Err(format!("{message}\n{hint}")));
        }
        println!("== {name}: ok in {seconds:.1} s");
    }
    (total, Ok(()))
}

/// A step that failed counts at least one failure, and a test that was skipped is one.
fn settle((mut count, result): (Count, Result<(), String>)) -> (Count, Result<(), String>) {
    let result = match result {
        Ok(()) if count.skipped > 0 => Err(format!("{} tests were skipped; here every test runs", count.skipped)),
        Ok(()) if count.failed > 0 => Err(format!("{} tests failed", count.failed)),
        other => other,
    };
    if result.is_err() {
        count.failed = count.failed.max(1);
    }
    (count, result)
}

fn one(result: Result<(), String>) -> (Count, Result<(), String>) {
    (if result.is_ok() { Count::ONE } else { Count::default() }, result)
}

/// SQLite is built from its C source, so there must be a C compiler; tests run PostgreSQL, PgBouncer, Redis
/// and a browser.
fn tools(_: &Path) -> Result<(), String> {
    let mut missing: Vec<&str> = Vec::new();
    if !run::exists(Command::new("cc").arg("--version")) {
        missing.extend(["gcc", "libc6-dev"]);
    }
    missing.extend(catgpt_scratch::missing_packages());
    missing.extend(web::missing_packages());
    if missing.is_empty() {
        return Ok(());
    }
    println!("not installed: {}; trying Debian's", missing.join(" "));
    let install = [&["install", "-y", "--no-install-recommends"], &missing[..]].concat();
    let installed = run::show(Command::new("apt-get").arg("update"))
        .and_then(|()| run::show(Command::new("apt-get").args(&install).env("DEBIAN_FRONTEND", "noninteractive")));
    installed.map_err(|e| format!("{e}\nthe tests need these packages: sudo apt-get {}", install.join(" ")))
}

/// Two variants prove most: all that there is, and the core alone with nothing.
fn clippy(root: &Path) -> Result<(), String> {
    let variants: [&[&str]; 2] =
        [&["--workspace", "--all-targets", "--all-features"], &["-p", "catgpt-core", "--no-default-features"]];
    variants.into_iter().try_for_each(|variant| {
        println!("clippy {}", variant.join(" "));
        run::show(run::cargo(root).args(["clippy", "--locked", "--quiet"]).args(variant).args(["--", "-D", "warnings"]))
    })
}

fn dependency_tree(root: &Path) -> Result<(), String> {
    let has_cli = metadata::members(root)?.iter().any(|member| member.name == "catgpt-cli");
    println!("{}", tree::check(root, has_cli)?);
    Ok(())
}

/// cargo-deny knows more than we do, so it is asked if it is there.
fn deny(root: &Path) -> Result<(), String> {
    if run::exists(run::cargo(root).args(["deny", "--version"])) {
        return run::show(run::cargo(root).args(["deny", "--all-features", "check"]));
    }
    println!("licences, bans and sources: {}", policy::check(root)?);
    println!("advisories: NOT checked; that needs cargo-deny and its database from the network (see CONTRIBUTING.md)");
    Ok(())
}

fn tests(root: &Path) -> (Count, Result<(), String>) {
    let servers = match Servers::start(Durability::None) {
        Ok(servers) => servers,
        Err(message) => return (Count::default(), Err(message)),
    };
    let mut cargo = run::cargo(root);
    servers.tell(&mut cargo);
    if run::exists(run::cargo(root).args(["nextest", "--version"])) {
        let args = ["nextest", "run", "--locked", "--workspace", "--all-features"];
        return run::tests(cargo.args(args), run::NEXTEST);
    }
    let every = ["test", "--locked", "--workspace", "--all-features", "--lib", "--bins", "--tests", "--no-fail-fast"];
    run::tests(cargo.args(every), run::CARGO_TEST)
}

fn doctests(root: &Path) -> (Count, Result<(), String>) {
    let args = ["test", "--locked", "--workspace", "--all-features", "--doc"];
    run::tests(run::cargo(root).args(args), run::CARGO_TEST)
}

fn doc(root: &Path) -> Result<(), String> {
    let args = ["doc", "--locked", "--quiet", "--no-deps", "--workspace", "--all-features"];
    run::show(run::cargo(root).args(args).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Runs every example of every member in an empty folder, so that what it writes stays out of the tree.
fn examples(root: &Path) -> (Count, Result<(), String>) {
    let mut count = Count::default();
    let folder = std::env::temp_dir().join(format!("catgpt-examples-{}", std::process::id()));
    let result = every_example(root, &folder, &mut count);
    _ = std::fs::remove_dir_all(&folder);
    println!("{} examples ran", count.passed);
    (count, result)
}

fn every_example(root: &Path, folder: &Path, count: &mut Count) -> Result<(), String> {
    let members = metadata::members(root)?;
    let examples = members.iter().flat_map(|member| member.examples.iter().map(move |name| (&member.name, name)));
    let examples: Vec<_> = examples.collect();
    if examples.is_empty() {
        return Ok(());
    }
    run::show(run::cargo(root).args(["build", "--locked", "--quiet", "--workspace", "--examples", "--all-features"]))?;
    for (package, name) in examples {
        println!("example {name}");
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        let mut cargo = run::cargo(root);
        cargo.args(["run", "--locked", "--quiet", "--all-features", "-p", package, "--example", name]);
        cargo.arg("--manifest-path").arg(root.join("Cargo.toml")).current_dir(&folder);
        match SERVED.iter().find(|(served, _)| served == name) {
            Some((_, word)) => {
                let servers = Servers::start(Durability::None)?;
                run::within(servers.tell(cargo.args(["--", word])), EXAMPLE_DEADLINE)?;
            }
            None => run::within(&mut cargo, EXAMPLE_DEADLINE)?,
        }
        *count += Count::ONE;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(passed: u64, failed: u64, skipped: u64) -> Count {
        Count { passed, failed, skipped }
    }

    #[test]
    fn the_first_failure_ends_it_and_is_counted() {
        let steps: [(&str, Step); 4] = [
            ("a", |_| one(Ok(()))),
            ("b", |_| (count(5, 0, 0), Ok(()))),
            ("c", |_| one(Err("broken".into()))),
            ("d", |_| (count(100, 0, 0), Ok(()))),
        ];
        let (total, result) = all(Path::new("."), steps.into_iter());
        assert_eq!(total, count(6, 1, 0));
        let message = result.unwrap_err();
        assert!(message.contains("broken") && message.contains("cargo xtask test c"), "{message}");
    }

    #[test]
    fn skipped_and_failed_tests_are_failures_whatever_the_exit_code_says() {
        assert!(settle((count(1, 0, 1), Ok(()))).1.unwrap_err().contains("skipped"));
        assert!(settle((count(1, 2, 0), Ok(()))).1.is_err());
        assert_eq!(settle((count(1, 0, 0), Err("exit 101".into()))).0.failed, 1);
        assert_eq!(settle((count(3, 0, 0), Ok(()))), (count(3, 0, 0), Ok(())));
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(run(Path::new("."), &["clipy"]).unwrap_err().contains("clippy"));
    }
}
