//! What is written is read, and what somebody wrote by hand too.

use proptest::prelude::*;
use serde_json::json;

use super::super::testing::{found, said, transcript};
use super::super::transcript::Transcript;
use super::*;
use crate::message::{Content, Detail, ToolCall};
use crate::persona::Persona;
use Role::{Assistant, User};

fn write(all: &[Transcript]) -> String {
    all.iter().map(|one| front(&one.heading) + &one.messages.iter().map(message).collect::<String>()).collect()
}

fn png(url: &str) -> Image {
    Image { media_type: Some("image/png".into()), ..Image::new(url) }
}

fn back(text: &str) -> Vec<Transcript> {
    let (found, refused) = found(|take| read(&mut text.as_bytes(), take));
    assert!(refused.is_empty(), "{refused:?}");
    found
}

#[test]
fn the_form_is_frozen() {
    let mut one = transcript("trip", vec![said(1, None, User, "Hi"), said(2, Some(1), Assistant, "## User\nsays\n")]);
    one.heading.title = Some("Kyoto \"3\"".into());
    one.heading.persona = Some(Persona::cat());
    one.messages[1].model = Some("gpt-->".into());
    one.messages[1].cost = Some(12);
    one.messages[1].content.push(Part::Image(png("https://h/a b.png")));
    assert_eq!(
        write(std::slice::from_ref(&one)),
        r#"---
catgpt: 1
id: "trip"
title: "Kyoto \"3\""
persona: "cat"
created: 1970-01-01T00:00:00.001Z
updated: 1970-01-01T00:00:00.002Z
---

## User <!-- {"at":"1970-01-01T00:00:00.001Z"} -->

Hi

## Assistant <!-- {"at":"1970-01-01T00:00:00.002Z","model":"gpt--\u003e","cost":12} -->

\## User
says


### Image

![image](<https://h/a b.png> "image/png")

"#
    );
    let mut read = back(&write(std::slice::from_ref(&one)));
    // Of the persona only the name is told.
    read[0].heading.persona.clone_from(&one.heading.persona);
    assert_eq!(read, [one]);
}

#[test]
fn what_somebody_wrote_by_hand_is_read() {
    let text = "\u{feff}# A trip\n\n## User\nWhere to?\n\n\n## Assistant\n\nTo Kyoto.\n## Users\nof trains\n";
    let read = back(text);
    assert_eq!(read[0].heading.title.as_deref(), Some("A trip"));
    let texts: Vec<_> = read[0].messages.iter().map(|m| (m.role, m.text())).collect();
    assert_eq!(texts, [(User, "Where to?".into()), (Assistant, "To Kyoto.\n## Users\nof trains".to_owned())]);
    assert_eq!(back(text)[0].heading.id, read[0].heading.id, "the same text has the same id");
    assert!(read[0].heading.id.as_str().starts_with("md:"));
}

#[test]
fn what_is_no_conversation_is_refused() {
    let (none, refused) = found(|take| read(&mut "# Shopping\n- milk\n".as_bytes(), take));
    assert!(none.is_empty() && refused[0].1.to_string().contains("## User"), "{refused:?}");
    let (none, refused) = found(|take| read(&mut "---\ncatgpt: 9\n---\n\n## User\n\nx\n".as_bytes(), take));
    assert!(none.is_empty() && refused[0].1.to_string().contains("(found: 9) (known: 1)"), "{refused:?}");
    let (none, refused) = found(|take| read(&mut "---\ncatgpt: 1\nid: \"\"\n---\n".as_bytes(), take));
    assert_eq!((none.len(), refused.len()), (0, 1));
}

#[test]
fn what_a_picture_shows_is_its_name() {
    let picture = |image: Image| Message { content: Content::from(image), ..said(1, None, User, "") };
    let one = transcript("a", vec![picture(png("ref:1").alt("a cat"))]);
    let text = write(std::slice::from_ref(&one));
    assert!(text.contains("![a cat](<ref:1> \"image/png\")"), "{text}");
    assert_eq!(back(&text), [one]);
    let close = transcript("a", vec![picture(png("ref:1").detail(Detail::High))]);
    assert_eq!(back(&write(std::slice::from_ref(&close))), [close], "how closely to look has no place in a link");
}

/// Text that is made of what could be mistaken for the form.
fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just("## User".to_owned()),
        Just("## Assistant <!-- {} -->".to_owned()),
        Just("\\## User".to_owned()),
        Just("\\\\### Image".to_owned()),
        Just("### Text  ".to_owned()),
        Just("---".to_owned()),
        Just("\\---".to_owned()),
        Just("catgpt: 1".to_owned()),
        Just("```json".to_owned()),
        Just(String::new()),
        Just("\r".to_owned()),
        "\\PC{1,5}",
        "[ -~\t]{1,9}",
    ];
    prop::collection::vec(line, 1..7)
        .prop_map(|lines| lines.join("\n"))
        .prop_filter("not empty", |text| !text.is_empty())
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        4 => text().prop_map(Part::text),
        2 => text().prop_map(|text| Part::Reasoning { text }),
        1 => (text(), prop::option::of(text()), prop::option::of("[a-z/\"> ]{0,9}"))
            .prop_map(|(url, alt, media_type)| Part::Image(Image { alt, media_type, ..Image::new(url) })),
        1 => ("[a-z:/ ]{1,9}", prop::option::of("[a-z ]{1,9}"), prop::option::of("[a-z/]{1,9}"))
            .prop_map(|(url, alt, media_type)| Part::Image(Image { alt, media_type, ..Image::new(url) })),
        1 => ("[a-z:/ ]{1,9}", prop::option::of("[a-z\\[\\] ]{1,9}")).prop_map(|(url, title)| Part::Citation { url, title }),
        1 => text().prop_map(|id| Part::ToolCall(ToolCall { id, name: "f".into(), arguments: json!({"a": "```\n## User"}) })),
        1 => text().prop_map(|text| Part::Unknown(json!({ "type": "hologram", "text": text }))),
    ]
}

proptest! {
    #[test]
    fn no_text_is_lost(messages in prop::collection::vec(prop::collection::vec(part(), 0..5), 0..5), twice: bool) {
        let mut one = transcript("a", vec![]);
        for (n, parts) in (1u64..).zip(messages) {
            let content: Content = parts.into_iter().collect();
            one.messages.push(Message { content, ..said(n, (n > 1).then(|| n - 1), User, "") });
        }
        let all = vec![one; if twice { 2 } else { 1 }];
        prop_assert_eq!(back(&write(&all)), all);
    }
}
