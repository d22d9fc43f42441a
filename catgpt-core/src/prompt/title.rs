//! A title: what a model is asked, and what its answer comes down to. Pure.

use serde_json::Value;

use super::answer::{one_line, shortened, without_thoughts};
use crate::message::{Content, Role};
use crate::model::{ModelRequest, PromptMessage};

/// What a model is told that is to find a title.
pub(crate) const INSTRUCTION: &str = "Write a title for a conversation that begins with the message below: at most six \
    words, in the language of the message, without quotes and without a full stop. Do not answer the message. Say the \
    title and nothing else.";

/// How much of the first message a title is made from, in characters.
const MATERIAL: usize = 2_000;
/// A line of more characters is an answer, not a title.
const LONGEST: usize = 200;

/// Asks for the title of a conversation that begins with `content`; `None` if there is nothing in it to read.
pub(crate) fn request(instruction: &str, content: &Content) -> Option<ModelRequest> {
    let text = content.clone().in_words(|_| false).text();
    let text = shortened(text.trim(), MATERIAL);
    let words = text.chars().any(char::is_alphanumeric).then(|| format!("Message:\n{text}\n\nTitle:"))?;
    let messages = vec![PromptMessage::new(Role::System, instruction), PromptMessage::new(Role::User, words)];
    Some(ModelRequest { messages, ..ModelRequest::default() })
}

/// The title in an answer, of at most `chars` characters: without thoughts, markup, quotes, labels and the full stop.
/// `None` if there is none in it.
pub(crate) fn clean(answer: &str, chars: usize) -> Option<String> {
    let answer = without_thoughts(answer);
    let lines = answer.lines().filter(|line| !line.trim_start().starts_with("```"));
    let body = lines.clone().collect::<Vec<_>>().join("\n");
    let title = match serde_json::from_str(&body) {
        Ok(Value::Object(object)) => plain(object.get("title")?.as_str()?),
        _ => lines.map(plain).find(|line| says_something(line))?,
    };
    (says_something(&title) && title.chars().count() <= LONGEST && !is_refusal(&title))
        .then(|| shortened(&title, chars))
}

/// Whether an answer that still grows has its title: one whole line of it.
pub(crate) fn is_there(answer: &str) -> bool {
    answer.rsplit_once('\n').is_some_and(|(lines, _)| clean(lines, LONGEST).is_some())
}

/// A line without what is put around titles, from the outside in until nothing more comes off.
fn plain(line: &str) -> String {
    let mut text = one_line(&line.replace("**", "").replace("__", "").replace('`', ""));
    loop {
        let inner = one_line(unquoted(without_label(without_stop(without_markup(&text)))));
        if inner == text {
            return text;
        }
        text = inner;
    }
}

/// Without the signs of a heading, a list or a quotation.
fn without_markup(text: &str) -> &str {
    let inner = text.trim_start_matches('#').trim_start();
    ["- ", "* ", "• ", "> "].iter().find_map(|sign| inner.strip_prefix(sign)).unwrap_or(inner)
}

/// Without the full stop of a sentence, but with that of `U.S.`.
fn without_stop(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '。', '．', ',', ';', ':', '…']);
    let last = text.rsplit(' ').next().unwrap_or_default();
    let abbreviation = last.trim_end_matches('.').contains('.');
    if abbreviation { text } else { text.trim_end_matches('.') }
}

/// Without `Title:` and its like.
fn without_label(text: &str) -> &str {
    const LABELS: [&str; 12] = [
        "title",
        "chat title",
        "conversation title",
        "suggested title",
        "the title",
        "subject",
        "titel",
        "titre",
        "título",
        "titolo",
        "标题",
        "タイトル",
    ];
    let Some((label, rest)) = text.split_once([':', '：']) else { return text };
    let label = label.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let says_so = label.contains("title") && ["here", "sure", "a ", "the "].iter().any(|word| label.starts_with(word));
    // What is only a label says nothing: the title is on the next line.
    if LABELS.contains(&label.as_str()) || says_so { rest.trim_start() } else { text }
}

/// Without a pair of quotes, or of stars, around all of it.
fn unquoted(text: &str) -> &str {
    const PAIRS: [(&str, &str); 11] = [
        ("\"", "\""),
        ("'", "'"),
        ("“", "”"),
        ("‘", "’"),
        ("«", "»"),
        ("„", "“"),
        ("「", "」"),
        ("『", "』"),
        ("《", "》"),
        ("*", "*"),
        ("_", "_"),
    ];
    let inside = |(open, close): &(&str, &str)| text.strip_prefix(open)?.strip_suffix(close);
    PAIRS.iter().find_map(inside).unwrap_or(text)
}

/// Whether a line is a title: not empty, not a label, not what a title stands in the place of.
fn says_something(text: &str) -> bool {
    const NOTHING: [&str; 10] =
        ["title", "new chat", "new conversation", "untitled", "conversation", "chat", "none", "n/a", "null", "unknown"];
    text.chars().any(char::is_alphanumeric)
        && !NOTHING.contains(&text.to_lowercase().as_str())
        && !without_label(&format!("{text}:")).is_empty()
}

/// Whether the model talks about itself instead.
fn is_refusal(text: &str) -> bool {
    const TALK: [&str; 8] =
        ["i'm sorry", "i’m sorry", "i am sorry", "sorry, ", "i cannot", "i can't", "i can’t", "as an ai"];
    let text = text.to_lowercase();
    TALK.iter().any(|talk| text.starts_with(talk))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_title_is_what_is_left() {
        for (answer, title) in [
            ("Three Days in Kyoto", "Three Days in Kyoto"),
            ("\"Three Days in Kyoto.\"", "Three Days in Kyoto"),
            ("**Title:** Three Days in Kyoto", "Three Days in Kyoto"),
            ("**Title: Three Days in Kyoto**", "Three Days in Kyoto"),
            ("Title: \"Three Days in Kyoto\".", "Three Days in Kyoto"),
            ("# Three Days in Kyoto\n\nHere is why.", "Three Days in Kyoto"),
            ("<think>\nThey want Kyoto.\n</think>\n\nThree Days in Kyoto", "Three Days in Kyoto"),
            ("Sure! Here is a title for the conversation:\n\n“Three Days in Kyoto”", "Three Days in Kyoto"),
            ("Here's a short title: Three Days in Kyoto", "Three Days in Kyoto"),
            ("Title:\nThree Days in Kyoto", "Three Days in Kyoto"),
            ("```json\n{\"title\": \"Three Days in Kyoto\"}\n```", "Three Days in Kyoto"),
            ("{\"title\": \"Three\\nDays in Kyoto\"}", "Three Days in Kyoto"),
            ("- *Three Days in Kyoto*", "Three Days in Kyoto"),
            ("Three  Days\tin Kyoto…", "Three Days in Kyoto"),
            ("Titel: Drei Tage in Kyoto", "Drei Tage in Kyoto"),
            ("「京都三日間の旅」", "京都三日間の旅"),
            ("标题：京都三日游。", "京都三日游"),
            ("Book titles: how to choose", "Book titles: how to choose"),
            ("Rust: lifetimes explained", "Rust: lifetimes explained"),
            ("Moving to the U.S.", "Moving to the U.S."),
            ("`println!` and **friends** in Rust", "println! and friends in Rust"),
            ("'Twas the Night", "'Twas the Night"),
            ("C# and __init__", "C# and init"),
        ] {
            assert_eq!(clean(answer, 60).as_deref(), Some(title), "{answer}");
        }
    }

    #[test]
    fn junk_is_no_title() {
        let rambling = "word ".repeat(60);
        for answer in [
            "",
            " \n",
            "...",
            "\"\"",
            "Title:",
            "**Title**",
            "New Chat",
            "Untitled.",
            "<think>They want",
            "{\"name\": 1}",
            "I'm sorry, but I can't help with that.",
            "As an AI, I have no title",
            &rambling,
            "🐱",
            "{\"title\": null}",
        ] {
            assert_eq!(clean(answer, 60), None, "{answer}");
        }
    }

    #[test]
    fn a_long_title_is_cut_between_words() {
        assert_eq!(clean("Three Days in Kyoto", 12).as_deref(), Some("Three Days…"));
    }

    #[test]
    fn an_answer_is_read_up_to_its_title() {
        for (answer, there) in [
            ("Three Days", false),
            ("Three Days\n", true),
            ("Title:\n", false),
            ("\n\n", false),
            ("<think>\nhm\n", false),
            ("<think>\nhm\n</think>\nThree Days\nin", true),
        ] {
            assert_eq!(is_there(answer), there, "{answer}");
        }
    }

    #[test]
    fn a_title_is_made_of_words() {
        let request = |content: Content| super::request("short", &content);
        let asked = request(Content::from("x".repeat(10_000))).unwrap();
        assert!(asked.messages[1].content.text().len() < 2_100);
        assert_eq!(asked.messages[0], PromptMessage::new(Role::System, "short"));
        let cat = Content::default().image(crate::Image::new("https://a.example/cat.png").alt("a cat"));
        assert!(request(cat).unwrap().messages[1].content.text().contains("a cat"));
        assert_eq!(request(Content::from(" ?!\n")), None);
    }

    proptest! {
        #[test]
        fn whatever_is_answered_a_title_is_one_short_line(answer in "[a-zA-Z \"*#'.:\n<>{}/`_-]{0,80}", chars in 8usize..60) {
            if let Some(title) = clean(&answer, chars) {
                prop_assert!(title.chars().count() <= chars, "{title}");
                prop_assert!(!title.contains('\n') && title.trim() == title && !title.is_empty());
            }
        }
    }
}
