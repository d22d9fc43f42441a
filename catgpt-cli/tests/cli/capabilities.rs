//! The table of capabilities names nothing that is not there; Python and Node look their own columns up.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Home;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The cells of each row: capability, Rust, Python, Node, shell.
fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("docs/capabilities.md")).unwrap();
    let shown: String =
        text.split("<!--").map(|part| part.split_once("-->").map_or(part, |(_, after)| after)).collect();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows = shown.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).map(cells);
    rows.filter(|row| row[0] != "capability").collect()
}

/// What stands between backticks.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn source(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, text);
        } else {
            text.push_str(&fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn no_cell_is_empty_without_a_reason() {
    let rows = rows();
    assert!(rows.len() > 40);
    for row in rows {
        assert_eq!(row.len(), 5, "{row:?}");
        let says =
            |cell: &String| names(cell).next().is_some() || cell.strip_prefix("— ").is_some_and(|why| why.len() > 3);
        assert!(row[1..].iter().all(says), "{row:?}");
    }
}

#[test]
fn every_function_of_the_rust_column_is_there() {
    let mut text = String::new();
    ["catgpt-core/src", "catgpt-mcp/src"].iter().for_each(|folder| source(&root().join(folder), &mut text));
    for row in rows() {
        for name in names(&row[1]).filter(|name| name.contains("::")) {
            let (_, function) = name.split_once("::").unwrap();
            let is_there = ["pub fn ", "pub async fn "]
                .iter()
                .any(|begin| ["(", "<"].iter().any(|end| text.contains(&format!("{begin}{function}{end}"))));
            assert!(is_there, "{name}");
        }
    }
}

#[test]
fn every_command_of_the_shell_column_is_there() {
    let home = Home::new();
    for row in rows() {
        for name in names(&row[4]).filter(|name| name.starts_with("catgpt ")) {
            let (options, words): (Vec<_>, Vec<_>) = name.split(' ').skip(1).partition(|word| word.starts_with('-'));
            let command: Vec<_> = words.into_iter().filter(|word| word.chars().all(char::is_lowercase)).collect();
            let ran = home.run(&[&command[..], &["--help"]].concat()).expect(0);
            for option in options {
                assert!(ran.text().contains(option), "{name}");
            }
        }
    }
}
