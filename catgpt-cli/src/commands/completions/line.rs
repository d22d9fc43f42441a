//! A line of bash as far as it is typed, as words.

/// The words, without their quotes; the last one may be unfinished, or not begun; and the quote in which it stands. What
/// stands before the program, such as `A=b`, is none of them.
pub(super) fn words(line: &str) -> (Vec<String>, Option<char>) {
    let mut words = vec![String::new()];
    let (mut quote, mut escaped, mut begun) = (None, false, false);
    for c in line.chars() {
        match (c, quote) {
            (c, _) if escaped => {
                last(&mut words).push(c);
                escaped = false;
            }
            ('\\', None | Some('"')) => (escaped, begun) = (true, true),
            (c, Some(mark)) if c == mark => quote = None,
            (c, Some(_)) => last(&mut words).push(c),
            ('"' | '\'', None) => (quote, begun) = (Some(c), true),
            (c, None) if c.is_whitespace() => {
                if begun {
                    words.push(String::new());
                }
                begun = false;
            }
            (c, None) => {
                last(&mut words).push(c);
                begun = true;
            }
        }
    }
    let before = words.iter().take(words.len() - 1).take_while(|word| is_assignment(word)).count();
    words.drain(..before);
    (words, quote)
}

fn last(words: &mut [String]) -> &mut String {
    words.last_mut().expect("there is one from the beginning")
}

fn is_assignment(word: &str) -> bool {
    let named = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word.split_once('=').is_some_and(|(name, _)| named(name))
}

/// A value as bash reads it back in this quote, or in none.
pub(super) fn escaped(value: &str, quote: Option<char>) -> String {
    let plain = |c: char| match quote {
        Some('"') => !"\\\"$`".contains(c),
        Some(_) => c != '\'',
        None => c.is_alphanumeric() || "-_./:@=,+%~".contains(c),
    };
    let mut escaped = String::new();
    for c in value.chars().filter(|c| !c.is_control()) {
        match quote {
            _ if plain(c) => escaped.push(c),
            // Nothing escapes it there: the quote ends, and begins again.
            Some('\'') => escaped.push_str("'\\''"),
            _ => escaped.extend(['\\', c]),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_bash_reads_it() {
        for (line, found) in [
            ("catgpt", &["catgpt"][..]),
            ("catgpt  chats ", &["catgpt", "chats", ""]),
            ("catgpt -s 'my ch", &["catgpt", "-s", "my ch"]),
            ("catgpt -s my\\ ch", &["catgpt", "-s", "my ch"]),
            ("catgpt \"a \\\" b\" c'd'", &["catgpt", "a \" b", "cd"]),
            ("A=b C= catgpt @", &["catgpt", "@"]),
            ("catgpt '' ", &["catgpt", "", ""]),
            ("", &[""]),
        ] {
            assert_eq!(words(line).0, found, "{line}");
        }
    }

    #[test]
    fn what_is_offered_is_read_back_as_it_is() {
        for value in ["my chat", "a'b\"c", "$(rm)", "`x`;&|", "chatgpt:c1", "päron 🙂"] {
            for quote in [None, Some('"'), Some('\'')] {
                let mark = quote.map(String::from).unwrap_or_default();
                let line = format!("{mark}{}", escaped(value, quote));
                assert_eq!(words(&line), (vec![value.to_owned()], quote), "{line}");
            }
        }
        assert_eq!(escaped("a\nb", None), "ab");
    }
}
