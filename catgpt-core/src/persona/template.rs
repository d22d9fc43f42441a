//! Templates: text with `{{ name }}` where a variable goes. No logic.

use crate::error::{Error, Result};

/// One piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// Goes out as it stands.
    Text(&'t str),
    /// Is replaced by the value of this variable.
    Variable(&'t str),
}

/// Cuts a template into pieces. `{{{{` writes `{{`; closing braces outside of a variable need no escape.
/// Errors count lines from `first_line`.
pub(super) fn parse(template: &str, first_line: usize) -> Result<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(at) = rest.find("{{") {
        pieces.push(Piece::Text(&rest[..at]));
        let tag = &rest[at..];
        if let Some(after) = tag.strip_prefix("{{{{") {
            pieces.push(Piece::Text("{{"));
            rest = after;
            continue;
        }
        let line = || first_line + template[..template.len() - tag.len()].matches('\n').count();
        let Some(end) = tag.find("}}") else {
            return Err(Error::invalid("close the variable with }}, or write {{{{ for two plain braces")
                .with("field", "system")
                .with("line", line()));
        };
        let name = tag[2..end].trim();
        if !is_name(name) {
            return Err(Error::invalid(
                "between {{ and }} stands the name of a variable (letters, digits and _); write {{{{ for two plain braces",
            )
            .with("field", "system")
            .with("line", line()));
        }
        pieces.push(Piece::Variable(name));
        rest = &tag[end + 2..];
    }
    pieces.push(Piece::Text(rest));
    Ok(pieces)
}

/// Whether this can name a variable: 1 to 64 of letters, digits and `_`, no digit first.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_braces_are_told_apart() {
        let flat = |template| {
            let pieces = parse(template, 1).unwrap();
            let show = pieces.into_iter().map(|piece| match piece {
                Piece::Text(text) => text.to_owned(),
                Piece::Variable(name) => format!("<{name}>"),
            });
            show.collect::<String>()
        };
        assert_eq!(flat("Hi {{ name }}, {{place}}."), "Hi <name>, <place>.");
        assert_eq!(flat("{{{{ name }}"), "{{ name }}");
        assert_eq!(flat("{{{{{{a}}}}"), "{{<a>}}");
        assert_eq!(flat(r#"{"a":{"b":{"c":{}}}}"#), r#"{"a":{"b":{"c":{}}}}"#);
        assert_eq!(flat("{ x } }}"), "{ x } }}");
        assert_eq!(flat(""), "");
    }

    #[test]
    fn what_is_no_variable_names_its_line() {
        for (template, line) in
            [("a\n\n{{ name", "3"), ("{{ a b }}", "1"), ("\n{{}}", "2"), ("{{ 1a }}", "1"), ("{{{a}}}", "1")]
        {
            let error = parse(template, 1).unwrap_err();
            assert_eq!(error.context("line"), Some(line), "{template}");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        let longest = "x".repeat(64);
        assert!(["a", "_1", "userName", &longest].into_iter().all(is_name));
        assert!(!["", "1a", "a-b", "é", &format!("{longest}x")].into_iter().any(is_name));
    }
}
