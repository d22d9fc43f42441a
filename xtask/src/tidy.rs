//! The house rules that can be read off the text of the tree, without compiling it.

mod arrows;
mod proofs;
mod shape;
mod text;
mod words;

use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

use crate::run;
use text::Source;

/// A rule that does not hold: the line (0: the whole file) and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    line: usize,
    message: String,
    /// Shown only on request, and never a failure.
    hint: bool,
}

impl Finding {
    fn at(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), hint: false }
    }
}

/// Checks every file that git knows or would know.
pub(crate) fn run(root: &Path, verbose: bool) -> Result<(), String> {
    let mut wrong = Vec::new();
    let (mut tests, mut proofs) = (HashSet::new(), String::new());
    let files = files(root)?;
    for path in &files {
        let Ok(text) = std::fs::read_to_string(root.join(path)) else {
            continue; // not text, or deleted but not yet committed
        };
        tests.extend(proofs::names(path, &text));
        if path == proofs::DOCUMENT {
            proofs.clone_from(&text);
        }
        for Finding { line, message, hint } in findings(path, &text) {
            let place = if line == 0 { path.clone() } else { format!("{path}:{line}") };
            match hint {
                false => wrong.push(format!("{place}: {message}")),
                true if verbose => println!("{place}: {message}"),
                true => {}
            }
        }
    }
    let missing = proofs::missing(&proofs, &tests).into_iter();
    wrong.extend(missing.map(|Finding { line, message, .. }| format!("{}:{line}: {message}", proofs::DOCUMENT)));
    if wrong.is_empty() {
        println!("tidy: {} files", files.len());
        return Ok(());
    }
    Err(format!("{}\ntidy: {} to mend", wrong.join("\n"), wrong.len()))
}

fn files(root: &Path) -> Result<Vec<String>, String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"];
    let names = run::output(Command::new("git").current_dir(root).args(list))?;
    let files: Vec<String> = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if files.iter().any(|file| file == "Cargo.toml") { Ok(files) } else { Err("tidy: git lists no workspace".into()) }
}

fn findings(path: &str, text: &str) -> Vec<Finding> {
    let mut found = words::everywhere(path, text);
    found.extend(shape::document(path, text));
    if path.ends_with(".rs") {
        let source = Source::new(path, text);
        found.extend(shape::rust(&source));
        found.extend(words::rust(&source));
        found.extend(arrows::check(&source));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_family_of_rules_is_wired_up() {
        let planted = "use crate::engine::Engine;\nfn f() { todo!() } // FIXM\u{45}\n";
        let found = findings("catgpt-core/src/turn.rs", planted);
        let about = |what: &str| found.iter().any(|finding| finding.message.contains(what));
        assert!(about("//!") && about("todo!") && about("engine") && about("finish it"), "{found:?}");
        assert!(!findings("ARCHITECTURE.md", &"x\n".repeat(151)).is_empty());
        assert_eq!(findings("catgpt-core/src/turn.rs", "//! Fine.\n"), []);
    }

    #[test]
    fn this_tree_is_listed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(files(root).unwrap().contains(&"xtask/src/tidy.rs".to_owned()));
        assert!(files(&std::env::temp_dir()).is_err());
    }
}
