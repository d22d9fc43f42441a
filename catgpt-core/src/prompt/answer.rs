//! What of a model's answer is meant, where it was asked for one piece of text. Pure.

/// The tags in which models think aloud when their server does not take it apart.
const THOUGHTS: [&str; 4] = ["think", "thinking", "thought", "reasoning"];

/// The text without what the model thinks aloud. Thoughts that never end leave nothing; where only their end is seen, the
/// prompt had begun them.
pub(super) fn without_thoughts(text: &str) -> String {
    let mut text = text.to_owned();
    for tag in THOUGHTS {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        if let Some(at) = text.rfind(&close) {
            let before = text.find(&open).map_or("", |at| &text[..at]);
            text = format!("{before}{}", &text[at + close.len()..]);
        }
        if let Some(at) = text.find(&open) {
            text.truncate(at);
        }
    }
    text
}

/// The text on one line: white space becomes single spaces, and what moves a terminal's cursor or turns text around goes.
pub(super) fn one_line(text: &str) -> String {
    let shown = |c: &char| c.is_whitespace() || !(c.is_control() || is_direction(*c));
    let text: String = text.chars().filter(shown).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// At most so many characters, cut between words where there are any, with a mark if something is missing.
pub(super) fn shortened(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let cut: String = text.chars().take(chars.saturating_sub(1)).collect();
    // Scripts without spaces are cut anywhere, and so is a word that would leave next to nothing.
    let whole = text[cut.len()..].starts_with(char::is_whitespace);
    let at = if whole { None } else { cut.rfind(char::is_whitespace).filter(|at| *at * 2 >= cut.len()) };
    let kept = at.map_or(cut.as_str(), |at| &cut[..at]);
    format!("{}…", kept.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '-' | '–')))
}

/// Up to the end of its last sentence, for a text that was cut off; nothing if it has none.
pub(super) fn whole_sentences(text: &str) -> Option<&str> {
    let ends =
        |(at, c): (usize, char)| matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '\n').then(|| at + c.len_utf8());
    let end = text.char_indices().filter_map(ends).next_back()?;
    Some(text[..end].trim()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_taken_out_however_they_are_marked() {
        for (said, meant) in [
            ("<think>hm</think>Cats", "Cats"),
            ("hm, so</think>\nCats", "\nCats"),
            ("Cats<think>was that", "Cats"),
            ("<think>a</think>b<think>c</think>Cats", "Cats"),
            ("<reasoning>a</reasoning><think>b</think>Cats", "Cats"),
            ("<think>never ends", ""),
            ("a < b", "a < b"),
        ] {
            assert_eq!(without_thoughts(said), meant, "{said}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_words() {
        assert_eq!(shortened("three days in Kyoto", 19), "three days in Kyoto");
        assert_eq!(shortened("three days in Kyoto", 14), "three days in…");
        assert_eq!(shortened("three days in Kyoto", 16), "three days in…");
        assert_eq!(shortened("three days, in Kyoto", 13), "three days…");
        assert_eq!(shortened("三日間の京都旅行", 5), "三日間の…");
        assert_eq!(shortened("a verylongwordthatisnotbroken", 12), "a verylongw…");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line(" a\n\tb\u{1b}[31m\u{202e}c \0"), "a b[31mc");
    }

    #[test]
    fn a_cut_text_ends_with_its_last_sentence() {
        assert_eq!(whole_sentences("One. Two! Thr"), Some("One. Two!"));
        assert_eq!(whole_sentences("- one\n- tw"), Some("- one"));
        assert_eq!(whole_sentences("猫。犬"), Some("猫。"));
        assert_eq!(whole_sentences("none"), None);
    }
}
