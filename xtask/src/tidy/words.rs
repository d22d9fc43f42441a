//! What must not stand in the tree: paths of a machine, addresses of a registry, work that is not done.

use super::Finding;
use super::text::Source;

/// The first folders of somebody's machine. Spelt in two halves, so that this file does not find itself.
const MACHINE: [&str; 5] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
    concat!("C:", "\\Users"),
];
/// What lock files of npm write when they were made behind somebody's registry.
const REGISTRY: &str = concat!("resol", "ved\": \"http");
/// Marks of unfinished work, in any comment.
const MARKS: [&str; 2] = [concat!("FIX", "ME"), concat!("XX", "X")];
/// Code that stands for code.
const UNFINISHED: [&str; 3] = ["todo!", "unimplemented!", "#[ignore"];
const LANGUAGES: [&str; 5] = [".rs", ".py", ".ts", ".tsx", ".js"];

/// The rules for every text file.
pub(super) fn everywhere(path: &str, text: &str) -> Vec<Finding> {
    let is_code = LANGUAGES.iter().any(|end| path.ends_with(end));
    let mut found = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        if let Some(folder) = MACHINE.iter().find(|folder| names_machine(line, folder)) {
            found.push(Finding::at(n, format!("a path of a machine ({folder}…); say `~` or a relative path")));
        }
        if line.contains(REGISTRY) {
            found.push(Finding::at(n, "a registry's address; install with --omit-lockfile-registry-resolved"));
        }
        if is_code && let Some(mark) = MARKS.iter().find(|mark| has_word(line, mark)) {
            found.push(Finding::at(n, format!("{mark}: finish it, or open an issue")));
        }
    }
    found
}

/// The rules for Rust code; comments and strings may say what they like.
pub(super) fn rust(source: &Source<'_>) -> Vec<Finding> {
    let lines = (1..).zip(source.code.lines());
    let found =
        lines.flat_map(|(n, line)| UNFINISHED.iter().filter(|word| line.contains(**word)).map(move |word| (n, word)));
    found.map(|(n, word)| Finding::at(n, format!("`{word}`: nothing unfinished or skipped is kept"))).collect()
}

/// Whether the folder begins a path here; `https://example.com/…` does not.
fn names_machine(line: &str, folder: &str) -> bool {
    let mut places = line.match_indices(folder).map(|(at, _)| &line[..at]);
    places.any(|before| !before.ends_with(|c: char| c.is_ascii_alphanumeric() || "._-~)}".contains(c)))
}

fn has_word(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut places = line.match_indices(word).map(|(at, _)| (&line[..at], &line[at + word.len()..]));
    places.any(|(before, after)| !before.ends_with(letter) && !after.starts_with(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_found() {
        for folder in MACHINE {
            for line in
                [format!("{folder}x"), format!("see {folder}x"), format!("\"{folder}\""), format!("file://{folder}")]
            {
                assert_eq!(everywhere("README.md", &line).len(), 1, "{line}");
            }
        }
        for fine in ["https://example.com/\u{77}ork/it", "~/work/it", "./home/x", "homework/", "{root}/work/"] {
            assert_eq!(everywhere("README.md", fine), [], "{fine}");
        }
    }

    #[test]
    fn registries_and_marks_are_found() {
        let lock = format!("{{\n  \"{REGISTRY}s://registry.example/x.tgz\"");
        assert_eq!(everywhere("package-lock.json", &lock)[0].line, 2);
        for mark in MARKS {
            assert_eq!(everywhere("a.py", &format!("# {mark}: later")).len(), 1);
            assert_eq!(everywhere("a.rs", &format!("// {mark}")).len(), 1);
            assert_eq!(everywhere("README.md", mark), []);
            assert_eq!(everywhere("a.rs", &format!("let {mark}_1 = 0; // A{mark}")), []);
        }
    }

    #[test]
    fn unfinished_code_is_found_but_not_in_comments_and_strings() {
        let code = "fn f() {\n    todo!()\n}\n#[ignore = \"slow\"]\nfn g() { unimplemented!(\"x\") }\n";
        let lines: Vec<_> = rust(&Source::new("a.rs", code)).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2, 4, 5]);
        assert_eq!(rust(&Source::new("a.rs", "// no todo! here\nlet x = \"#[ignore\";\n")), []);
    }
}
