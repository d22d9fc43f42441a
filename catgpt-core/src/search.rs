//! By which words a text is found, and how a find is shown. Pure; every store finds the same, because the words are ours.
//!
//! A word is a run of letters and digits, in compatibility form (NFKD), without marks, in lower case: `Müller` is found by
//! `muller`, `e-mail` is two words. Scripts that are written without spaces are cut into pairs of characters.

use std::collections::BTreeSet;
use std::iter::once;
use std::ops::Range;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest term, in characters; what follows is not looked at.
const TERM_CHARS: usize = 64;
/// The most terms of one text.
const MAX_TERMS: usize = 10_000;
/// How much of a text is shown before the first word that was found, and in all, in characters.
const BEFORE: usize = 40;
const SHOWN: usize = 160;

/// A piece of what is shown of a find.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether it is what was looked for.
    pub hit: bool,
}

/// The terms of a text, each once.
pub(crate) fn terms(text: &str) -> Vec<String> {
    let mut all = BTreeSet::new();
    for (word, _) in words(text) {
        all.extend(cut(&word));
        if all.len() >= MAX_TERMS {
            break;
        }
    }
    all.into_iter().take(MAX_TERMS).collect()
}

/// What a question looks for, and whether its last term may be the beginning of one: it may unless the question ends
/// after a whole word.
pub(crate) fn wanted(question: &str) -> (Vec<String>, bool) {
    let mut wanted: Vec<String> = Vec::new();
    let mut open = false;
    for (word, range) in words(question) {
        let terms = cut(&word);
        // The last character of an unspaced run is a term of its own only so that it is found alone.
        let terms = if is_unspaced(&word) && terms.len() > 1 { &terms[..terms.len() - 1] } else { &terms[..] };
        for term in terms {
            wanted.retain(|known| known != term);
            wanted.push(term.clone());
        }
        open = range.end == question.len();
    }
    (wanted, open)
}

/// The part of a text where it answers the question first.
pub(crate) fn snippet(text: &str, wanted: &[String], prefix: bool) -> Vec<Piece> {
    let hits: Vec<_> =
        words(text).filter(|(word, _)| is_hit(word, wanted, prefix)).map(|(_, range)| range).take(64).collect();
    let first = hits.first().map_or(0, |hit| hit.start);
    let start = text[..first].char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
    let end = text[start..].char_indices().nth(SHOWN).map_or(text.len(), |(at, _)| start + at);
    let mut pieces = Vec::new();
    let mut at = start;
    if start > 0 {
        pieces.push(Piece { text: "…".into(), hit: false });
    }
    for hit in hits.into_iter().filter(|hit| hit.start >= start && hit.end <= end) {
        push(&mut pieces, &text[at..hit.start], false);
        push(&mut pieces, &text[hit.clone()], true);
        at = hit.end;
    }
    push(&mut pieces, &text[at..end], false);
    if end < text.len() {
        push(&mut pieces, "…", false);
    }
    pieces
}

fn push(pieces: &mut Vec<Piece>, text: &str, hit: bool) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.hit == hit && !hit => last.text.push_str(text),
        _ => pieces.push(Piece { text: text.to_owned(), hit }),
    }
}

fn is_hit(word: &str, wanted: &[String], prefix: bool) -> bool {
    let is = |term: &String| {
        let open = prefix && wanted.last() == Some(term);
        let whole = !is_unspaced(word) && !open;
        if whole {
            term == word
        } else if is_unspaced(word) {
            word.contains(term.as_str())
        } else {
            word.starts_with(term.as_str())
        }
    };
    wanted.iter().any(is)
}

/// Words in their form for finding, with their places in the text.
fn words(text: &str) -> impl Iterator<Item = (String, Range<usize>)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (start, first) = loop {
            match chars.next()? {
                (at, c) if c.is_alphanumeric() => break (at, c),
                _ => {}
            }
        };
        let unspaced = is_unspaced_char(first);
        let mut end = start + first.len_utf8();
        // A mark belongs to the letter before it.
        while let Some((at, c)) =
            chars.next_if(|(_, c)| is_combining_mark(*c) || (c.is_alphanumeric() && is_unspaced_char(*c) == unspaced))
        {
            end = at + c.len_utf8();
        }
        Some((folded(&text[start..end]), start..end))
    })
    .filter(|(word, _)| !word.is_empty())
}

fn folded(word: &str) -> String {
    let chars = word.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    chars.filter(|c| c.is_alphanumeric()).collect()
}

/// A word as terms: itself, or the pairs of an unspaced run and its last character.
fn cut(word: &str) -> Vec<String> {
    if !is_unspaced(word) {
        return vec![word.chars().take(TERM_CHARS).collect()];
    }
    let chars: Vec<char> = word.chars().collect();
    let pairs = chars.windows(2).map(|pair| pair.iter().collect());
    pairs.chain(chars.last().map(char::to_string)).collect()
}

fn is_unspaced(word: &str) -> bool {
    word.chars().next().is_some_and(is_unspaced_char)
}

/// Han, Hiragana, Katakana, Thai, Lao, Khmer and Burmese: scripts without spaces between words.
fn is_unspaced_char(c: char) -> bool {
    // As it is in the form for finding: some signs for numbers are such characters there.
    let c = if c.is_ascii() { c } else { once(c).nfkd().next().unwrap_or(c) };
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_found_in_every_spelling_of_them() {
        assert_eq!(terms("Müller's e-mail, v1.2.3: ﬁne ﬁne"), ["2", "3", "e", "fine", "mail", "muller", "s", "v1"]);
        assert_eq!(terms("Ⅻ İstanbul ΣΊΣΥΦΟΣ"), ["istanbul", "xii", "σισυφοσ"]);
        assert_eq!(terms("мир 🐱 \u{301}"), ["мир"]);
        assert_eq!(terms(""), [""; 0]);
    }

    #[test]
    fn unspaced_scripts_are_cut_into_pairs() {
        assert_eq!(terms("東京都v2"), ["v2", "京都", "東京", "都"]);
        assert_eq!(wanted("東京都 "), (vec!["東京".to_owned(), "京都".into()], false));
        assert_eq!(wanted("京"), (vec!["京".to_owned()], true));
    }

    #[test]
    fn the_last_word_of_a_question_may_be_a_beginning() {
        assert_eq!(wanted("three days in Kyo"), (["three", "days", "in", "kyo"].map(String::from).to_vec(), true));
        assert_eq!(wanted("kyoto? "), (vec!["kyoto".to_owned()], false));
        assert_eq!(wanted("?!"), (vec![], false));
    }

    fn shown(text: &str, question: &str) -> String {
        let (terms, prefix) = wanted(question);
        snippet(text, &terms, prefix)
            .into_iter()
            .map(|piece| if piece.hit { format!("[{}]", piece.text) } else { piece.text })
            .collect()
    }

    #[test]
    fn a_snippet_shows_where_the_words_are() {
        assert_eq!(shown("Plan three days in Kyōto, please", "kyoto day"), "Plan three [days] in [Kyōto], please");
        assert_eq!(
            shown("私は東京都に住む", "東京"),
            "私は[東京都に住む]".replace("私は[東京都に住む]", "[私は東京都に住む]")
        );
        assert_eq!(shown("nothing here", "cat"), "nothing here");
        let long = format!("{}needle{}", "hay ".repeat(100), " hay".repeat(100));
        let shown = shown(&long, "needle");
        assert!(shown.starts_with("…") && shown.ends_with('…') && shown.contains("[needle]"));
        assert_eq!(shown.chars().count(), SHOWN + 4);
    }

    proptest! {
        #[test]
        fn whatever_a_text_says_is_found_by_it(text in "\\PC{0,60}") {
            let all = terms(&text);
            let (wanted, _) = wanted(&text);
            prop_assert!(wanted.iter().all(|term| all.contains(term)));
            prop_assert!(all.iter().all(|term| terms(term).contains(term)), "{all:?}");
        }

        #[test]
        fn a_snippet_is_a_part_of_its_text(text in "\\PC{0,300}", question in "\\PC{0,10}") {
            let (terms, prefix) = wanted(&question);
            let shown: String = snippet(&text, &terms, prefix).into_iter().map(|piece| piece.text).collect();
            let inner = shown.trim_start_matches('…').trim_end_matches('…');
            prop_assert!(text.contains(inner));
        }
    }
}
