//! The shape of files: what they begin with, how long they and their functions are.

use super::Finding;
use super::text::{Source, indent};

/// What a file begins with: what it owns, or the document that says so.
const HEADERS: [&str; 2] = ["//!", "#![doc = include_str!("];
const FILE_CEILING: usize = 400;
const FILE_AIM: usize = 250;
const FUNCTION_CEILING: usize = 60;
/// Documents that stay short enough to be read.
const DOCUMENTS: [(&str, usize); 2] = [("ARCHITECTURE.md", 150), ("CONTRIBUTING.md", 120)];

/// The rules for Rust files.
pub(super) fn rust(source: &Source<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if !HEADERS.iter().any(|header| source.text.starts_with(header)) {
        found.push(Finding::at(1, "begin the file with a line `//!` that says what it owns"));
    }
    found.extend(file_length(source));
    let lines: Vec<&str> = source.code.lines().collect();
    for (line, length) in functions(&lines).into_iter().filter(|(_, length)| *length > FUNCTION_CEILING) {
        found.push(Finding::at(line, format!("a function of {length} lines; the ceiling is {FUNCTION_CEILING}")));
    }
    found
}

/// The rules for documents.
pub(super) fn document(path: &str, text: &str) -> Option<Finding> {
    let (_, ceiling) = DOCUMENTS.iter().find(|(name, _)| *name == path)?;
    let lines = text.lines().count();
    (lines > *ceiling).then(|| Finding::at(0, format!("{lines} lines; the ceiling is {ceiling}")))
}

fn file_length(source: &Source<'_>) -> Option<Finding> {
    let lines = source.in_tests.iter().filter(|test| !**test).count();
    if source.is_test() || lines <= FILE_AIM {
        return None;
    }
    if lines <= FILE_CEILING {
        let message = format!("{lines} lines without its tests; the aim is {FILE_AIM}");
        return Some(Finding { line: 0, message, hint: true });
    }
    let message = format!("{lines} lines without its tests; the ceiling is {FILE_CEILING}: does it own two concepts?");
    Some(Finding::at(0, message))
}

/// Where each function begins (from 1) and how many lines it has, by the indentation that rustfmt gives.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let starts = (0..lines.len()).filter(|&n| is_function(lines[n]));
    starts.filter_map(|start| Some((start + 1, function_end(lines, start)? - start + 1))).collect()
}

fn function_end(lines: &[&str], start: usize) -> Option<usize> {
    let body = (start..lines.len()).find(|&n| lines[n].trim_end().ends_with(['{', ';', '}']))?;
    let line = lines[body].trim_end();
    match line.ends_with('{') {
        true => (body + 1..lines.len())
            .find(|&n| lines[n].trim().starts_with('}') && indent(lines[n]) == indent(lines[start])),
        false => line.ends_with('}').then_some(body),
    }
}

fn is_function(line: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    let before = ["pub", "default", "const", "async", "unsafe", "extern"];
    while words.next_if(|word| before.contains(word) || word.starts_with("pub(") || word.ends_with(')')).is_some() {}
    words.next() == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let found = rust(&Source::new(path, text));
        found.into_iter().map(|f| format!("{} {}{}", f.line, if f.hint { "hint: " } else { "" }, f.message)).collect()
    }

    #[track_caller]
    fn check(path: &str, text: &str, expect: &str) {
        let found = messages(path, text);
        assert!(found.len() == 1 && found[0].contains(expect), "{expect}: {found:?}");
    }

    #[test]
    fn a_file_says_what_it_owns() {
        check("a.rs", "use std::fmt;\n", "begin the file");
        check("a.rs", "\n//! Late.\n", "begin the file");
        assert!(messages("a.rs", "//! Fine.\n").is_empty());
        assert!(messages("lib.rs", "#![doc = include_str!(\"../README.md\")]\n").is_empty());
    }

    #[test]
    fn a_long_file_is_found_but_its_tests_are_free() {
        let header = "//! Header.\n";
        check("a.rs", &(header.to_owned() + &"use x;\n".repeat(400)), "401 lines");
        check("a.rs", &(header.to_owned() + &"use x;\n".repeat(399)), "hint: 400 lines");
        let tests = format!("{header}#[cfg(test)]\nmod tests {{\n{}}}\n", "    use x;\n".repeat(500));
        assert!(messages("a.rs", &tests).is_empty());
        assert!(messages("tests/a.rs", &(header.to_owned() + &"use x;\n".repeat(500))).is_empty());
        assert_eq!(messages("tests.rs", &(header.to_owned() + &"use x;\n".repeat(500))).len(), 0);
    }

    #[test]
    fn a_long_function_is_found_however_it_begins() {
        let starts = [
            "fn f() {",
            "pub(in crate::a) async fn f(x: u8) -> u8 {",
            "pub const unsafe fn f() {",
            "pub unsafe extern \"C\" fn f() {",
            "fn f(\n    x: u8,\n) -> u8 {",
            "fn f<T>(x: T)\nwhere\n    T: Copy,\n{",
        ];
        for start in starts {
            let text = |lines| format!("//! H.\n{start}\n{}}}\n", "    x();\n".repeat(lines));
            check("a.rs", &text(60), "the ceiling is 60");
            let head = start.lines().count() + 1;
            assert!(messages("a.rs", &text(60 - head)).is_empty(), "{start}");
            check("a.rs", &text(61 - head), "a function of 61 lines");
        }
    }

    #[test]
    fn a_method_is_measured_by_itself() {
        let body = "        x();\n".repeat(40);
        let method = format!("    fn f() {{\n{body}    }}\n");
        let declared = "    fn g(\n        x: u8,\n    ) -> u8;\n    fn h();\n    fn i() {}\n";
        assert!(messages("a.rs", &format!("//! H.\ntrait T {{\n{method}{declared}{method}}}\n")).is_empty());
        let long = format!("    fn f() {{\n{body}{body}    }}\n");
        check("a.rs", &format!("//! H.\ntrait T {{\n{declared}{long}}}\n"), "8 a function of 82 lines");
    }

    #[test]
    fn documents_stay_short() {
        assert!(document("ARCHITECTURE.md", &"x\n".repeat(150)).is_none());
        assert!(document("ARCHITECTURE.md", &"x\n".repeat(151)).is_some());
        assert!(document("CONTRIBUTING.md", &"x\n".repeat(121)).is_some());
        assert!(document("CHANGELOG.md", &"x\n".repeat(1000)).is_none());
    }
}
