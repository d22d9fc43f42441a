//! A Rust file as text: with comments and strings blanked out, and with its tests told apart.

/// A Rust file.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// Its path in the repository, with `/`.
    pub(super) path: &'a str,
    /// All of it.
    pub(super) text: &'a str,
    /// The same lines with blanks for comments and for what stands in strings.
    pub(super) code: String,
    /// For each line, whether it belongs to a `#[cfg(test)]` item.
    pub(super) in_tests: Vec<bool>,
}

impl<'a> Source<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Self {
        let code = strip(text);
        let in_tests = tests(&code.lines().collect::<Vec<_>>());
        Self { path, text, code, in_tests }
    }

    /// Whether the whole file is a test.
    pub(super) fn is_test(&self) -> bool {
        self.path.split('/').any(|part| part == "tests" || part == "tests.rs")
    }

    /// The code without its tests: blank lines stand for them.
    pub(super) fn product(&self) -> String {
        let lines = self.code.lines().zip(&self.in_tests);
        lines.map(|(line, test)| if *test { "\n".to_owned() } else { format!("{line}\n") }).collect()
    }
}

/// How far a line is indented.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Marks the lines of `#[cfg(test)]` items, relying on rustfmt for the indentation.
fn tests(lines: &[&str]) -> Vec<bool> {
    let mut marks = vec![false; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if !line.trim_start().starts_with("#[cfg(test)]") {
            at += 1;
            continue;
        }
        let end = item_end(lines, at, indent(line));
        marks[at..=end].fill(true);
        at = end + 1;
    }
    marks
}

fn item_end(lines: &[&str], attribute: usize, depth: usize) -> usize {
    let same = (attribute..lines.len()).filter(|&n| indent(lines[n]) == depth);
    let mut ends = same.filter(|&n| {
        let line = lines[n].trim();
        line.starts_with('}') || line.ends_with(';') || (line.ends_with('}') && line.contains('{'))
    });
    ends.next().unwrap_or(lines.len() - 1)
}

/// Blanks comments, strings and character literals, keeping every line where it is.
fn strip(text: &str) -> String {
    let mut out = text.as_bytes().to_vec();
    let mut at = 0;
    while at < out.len() {
        let Some(len) = opaque(text.as_bytes(), at) else {
            at += 1;
            continue;
        };
        let end = (at + len).min(out.len());
        out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    // Whole comments and strings were blanked, so no character was cut.
    String::from_utf8_lossy(&out).into_owned()
}

/// The length of the comment, string or character literal that begins at `at`.
fn opaque(text: &[u8], at: usize) -> Option<usize> {
    let rest = &text[at..];
    let after = |from: usize, end: &[u8]| find(&rest[from..], end).map_or(rest.len(), |n| from + n + end.len());
    let word_before = at > 0 && (text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => Some(find(rest, b"\n").unwrap_or(rest.len())),
        [b'/', b'*', ..] => Some(block_comment(rest)),
        [b'"', ..] => Some(quoted(rest, b'"')),
        [b'r', b'"' | b'#', ..] if !word_before || text[at - 1] == b'b' => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let end = [b"\"".as_slice(), &rest[1..=hashes]].concat();
            (rest.get(1 + hashes) == Some(&b'"')).then(|| after(2 + hashes, &end))
        }
        [b'\'', b'\\', ..] => Some(quoted(rest, b'\'')),
        [b'\'', first, ..] => {
            let width = match first {
                0xF0.. => 4,
                0xE0.. => 3,
                0xC0.. => 2,
                _ => 1,
            };
            (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
        }
        _ => None,
    }
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(strip(text).split_whitespace().collect::<Vec<_>>().join(" "), expect, "{text}");
        assert_eq!(strip(text).lines().count(), text.lines().count());
    }

    #[test]
    fn comments_and_strings_are_blanked() {
        check("a // crate::x\nb", "a b");
        check("a /* x /* y */ z */ b", "a b");
        check(r#"a "x \" // y" b"#, "a b");
        check("a r#\"x \" y\"# b", "a b");
        check("a br\"x\\\" b", "a b b");
        check("let q = '\"'; let r = '\\''; b // c", "let q = ; let r = ; b");
        check("fn f<'a>(x: &'a str) { 'é' }", "fn f<'a>(x: &'a str) { }");
        check("r#type for_r\"x\" \"two\nlines\" end", "r#type for_r end");
        check("\"never closed", "");
        check("a \"ends in \\", "a");
    }

    #[test]
    fn tests_are_told_apart() {
        let text = "use a;\n#[cfg(test)]\nuse b;\nfn c() {}\n#[cfg(test)]\nmod tests {\n    fn d() {\n    }\n}\nfn e() {}\n#[cfg(test)]\nmod f;\n#[cfg(test)]\nfn g() {}\nfn h() {}\n";
        let source = Source::new("x.rs", text);
        let product: Vec<_> = source.product().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
        assert_eq!(product, ["use a;", "fn c() {}", "fn e() {}", "fn h() {}"]);
        assert_eq!(source.in_tests.len(), text.lines().count());
    }
}
