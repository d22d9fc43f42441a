//! The tests that `examples/README.md` names are in the tree, and each of its rows names one or says why not.

use std::collections::HashSet;

use super::Finding;

/// The document, and the heading of the table in it.
pub(super) const DOCUMENT: &str = "examples/README.md";
const HEADING: &str = "## What the originals name";

/// The names of the tests in a file.
pub(super) fn names(path: &str, text: &str) -> Vec<String> {
    let file = path.rsplit('/').next().unwrap_or_default();
    let script = file.ends_with(".test.ts")
        || file.ends_with(".test.tsx")
        || file.ends_with(".test.js")
        || path.contains("/e2e/");
    let name = |line: &str| -> Option<String> {
        let line = line.trim_start();
        if path.ends_with(".py") && file.starts_with("test_") {
            let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("def test_")?;
            return Some(format!("test_{}", rest.split('(').next()?));
        }
        if path.ends_with(".rs") {
            let rest = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
            return Some(rest.split('(').next()?.to_owned());
        }
        let rest = ["test(\"", "it(\""].iter().find_map(|call| line.strip_prefix(call)).filter(|_| script)?;
        Some(rest.split('"').next()?.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// What the table names and nobody has, and rows that prove nothing.
pub(super) fn missing(document: &str, known: &HashSet<String>) -> Vec<Finding> {
    let mut lines = document.lines().enumerate().skip_while(|(_, line)| !line.starts_with(HEADING)).skip(1);
    let rows =
        lines.by_ref().take_while(|(_, line)| !line.starts_with("## ")).filter(|(_, line)| line.starts_with('|'));
    // The head of the table, and the line under it.
    let rows: Vec<_> = rows.skip(2).collect();
    if rows.is_empty() {
        return vec![Finding::at(0, format!("there is no table under `{HEADING}`"))];
    }
    rows.into_iter().flat_map(|(at, row)| row_findings(at + 1, row, known)).collect()
}

fn row_findings(line: usize, row: &str, known: &HashSet<String>) -> Vec<Finding> {
    let proof = row.trim_end().trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
    if proof.is_empty() {
        return vec![Finding::at(line, "this row names no test: name one, or say why there is none")];
    }
    let spans = |mark: char| proof.split(mark).skip(1).step_by(2);
    let tests = spans('`').filter(|span| !span.contains(' ')).chain(spans('"'));
    let unknown = tests.filter(|test| !known.contains(*test));
    unknown.map(|test| Finding::at(line, format!("there is no test `{test}`"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_in_every_language() {
        assert_eq!(
            names("a/tests/test_a.py", "def test_one(x):\n    async def test_two():\ndef helper():\n"),
            ["test_one", "test_two"]
        );
        assert_eq!(names("a/tests.rs", "#[tokio::test]\nasync fn one() {\n    fn two(x: u8) {}\n"), ["one", "two"]);
        assert_eq!(names("web/e2e/suites/a.ts", "  test(\"says, in words\", async () => {\n"), ["says, in words"]);
        assert_eq!(names("web/src/a.test.tsx", "it(\"is seen\", () => {\n"), ["is seen"]);
        assert!(
            names("web/src/a.ts", "test(\"x\", f)\n").is_empty() && names("a/main.py", "def test_x():\n").is_empty()
        );
    }

    #[test]
    fn a_planted_test_and_an_empty_row_are_found() {
        let known = HashSet::from(["test_one".to_owned(), "says, in words".to_owned()]);
        let table = |proof: &str| {
            format!("# X\n| a | b |\n{HEADING}, and where\n\n| a | b |\n| --- | --- |\n| x | {proof} |\n")
        };
        for fine in ["`test_one`, \"says, in words\"", "run by `cargo xtask test`", "needs a cloud"] {
            assert_eq!(missing(&table(fine), &known), [], "{fine}");
        }
        let found = |proof: &str| missing(&table(proof), &known).pop().map(|finding| (finding.line, finding.message));
        assert_eq!(found("`test_two`"), Some((7, "there is no test `test_two`".into())));
        assert!(found("`test_one`, \"never said\"").unwrap().1.contains("never said"));
        assert!(found("").unwrap().1.contains("names no test"));
        assert_eq!(missing("# X\n", &known).len(), 1);
    }
}
