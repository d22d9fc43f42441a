//! What is written for each event, whatever the events are and however they are cut.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::error::{Error, ErrorKind};
use crate::event::EVENT_VERSION;
use crate::message::Image;
use crate::message::Usage;

fn turn() -> TurnId {
    TurnId::from_bytes([7; 16])
}

fn started() -> Event {
    Event::Started(Box::new(Started {
        v: EVENT_VERSION,
        turn: turn(),
        session: SessionId::new("chat").unwrap(),
        user_seq: Some(1),
        reply_seq: 2,
        persona: "cat".into(),
        model: "m".into(),
        offset: 0,
    }))
}

fn text(text: &str) -> Event {
    Event::Text { text: text.into(), offset: 0 }
}

fn reasoning(text: &str) -> Event {
    Event::Reasoning { text: text.into(), offset: 0 }
}

fn finished(status: Status, error: Option<Error>) -> Event {
    Event::Finished(Box::new(Finished {
        status,
        finish_reason: (status == Status::Complete).then_some(FinishReason::Stop),
        usage: Some(Usage { input_tokens: 3, output_tokens: 5, ..Usage::default() }),
        cost: None,
        stored: 9,
        pending: Vec::new(),
        error: error.map(|error| error.info()),
        offset: 9,
    }))
}

fn encode(events: &[Event]) -> String {
    let mut encoder = Encoder::new(turn(), &SessionId::new("chat").unwrap());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// The data of each frame, one a line.
fn lines(events: &[Event]) -> String {
    let all = encode(events);
    let frames: Vec<_> = all.split_terminator("\n\n").map(|frame| frame.strip_prefix("data: ").unwrap()).collect();
    frames.join("\n")
}

#[test]
fn an_answer_that_was_thought_about() {
    let events = [started(), reasoning("Hm"), text("He"), text("llo\n"), finished(Status::Complete, None)];
    insta::assert_snapshot!(encode(&events), @r#"
    data: {"type":"start","messageId":"07070707-0707-0707-0707-070707070707-2","messageMetadata":{"turn":"07070707-0707-0707-0707-070707070707","session":"chat","user_seq":1,"reply_seq":2,"persona":"cat","model":"m"}}

    data: {"type":"start-step"}

    data: {"type":"reasoning-start","id":"1"}

    data: {"type":"reasoning-delta","id":"1","delta":"Hm"}

    data: {"type":"reasoning-end","id":"1"}

    data: {"type":"text-start","id":"2"}

    data: {"type":"text-delta","id":"2","delta":"He"}

    data: {"type":"text-delta","id":"2","delta":"llo\n"}

    data: {"type":"text-end","id":"2"}

    data: {"type":"finish-step"}

    data: {"type":"finish","finishReason":"stop","messageMetadata":{"status":"complete","finish_reason":"stop","usage":{"input_tokens":3,"output_tokens":5}}}

    data: [DONE]
    "#);
}

/// The AI SDK's client reads this file too: see `catgpt-node/test/ai-sdk.test.js`.
#[test]
fn parts_of_every_kind_are_as_the_spec_has_them() {
    let part = |part| Event::Part { part, offset: 1 };
    let image = |url: &str| part(Part::Image(Image { media_type: None, ..Image::new(url) }));
    let source = |url: &str, title| part(Part::Citation { url: url.into(), title });
    let call = |id: &str| Event::ToolCall {
        call: ToolCall { id: id.into(), name: "weather".into(), arguments: json!({ "city": "Kyoto" }) },
        offset: 1,
    };
    let result = |id: &str, output, is_error| Event::ToolResult {
        result: ToolResult { id: id.into(), output, is_error },
        offset: 2,
    };
    let events = [
        started(),
        Event::Retrying { attempt: 2, after_ms: 500, error: Error::new(ErrorKind::Timeout, "late").info(), offset: 0 },
        Event::Title { title: "Cats".into(), offset: 0 },
        reasoning("Hm."),
        text("Let me see."),
        call("a"),
        call("b"),
        result("a", json!(null), false),
        result("b", json!({ "code": 7 }), true),
        result("nobody asked", json!(1), false),
        text("See"),
        source("https://a.b", Some("A".into())),
        source("notes.md", None),
        image("data:image/png;base64,AA=="),
        image("https://a.b/c"),
        part(Part::Unknown(json!({ "size": 3, "type": "hologram" }))),
        part(Part::Unknown(json!({ "type": "not a name" }))),
        text("."),
        finished(Status::Complete, None),
    ];
    let spec = include_str!("../../../../spec/wire/parts.ui_message_stream.txt");
    let all = encode(&events);
    assert!(all == spec, "{all}");
}

#[test]
fn every_end_says_what_it_is() {
    let failed = Error::new(ErrorKind::RateLimited, "slow down").with("status", 429);
    let ends = [
        finished(Status::Cancelled, None),
        finished(Status::Failed, Some(failed)),
        finished(Status::Interrupted, None),
        finished(Status::Paused, None),
    ];
    let all: Vec<_> = ends.into_iter().map(|end| lines(&[started(), text("Hel"), end])).collect();
    let tails: Vec<_> =
        all.iter().map(|all| all.split_once("text-end").unwrap().1.split_once('\n').unwrap().1).collect();
    insta::assert_snapshot!(tails.join("\n\n"), @r#"
    {"type":"finish-step"}
    {"type":"message-metadata","messageMetadata":{"status":"cancelled","usage":{"input_tokens":3,"output_tokens":5}}}
    {"type":"abort"}
    [DONE]

    {"type":"finish-step"}
    {"type":"message-metadata","messageMetadata":{"status":"failed","usage":{"input_tokens":3,"output_tokens":5}}}
    {"type":"data-error","data":{"kind":"rate_limited","message":"slow down (status: 429)","retryable":true},"transient":true}
    {"type":"error","errorText":"slow down (status: 429)"}
    [DONE]

    {"type":"finish-step"}
    {"type":"message-metadata","messageMetadata":{"status":"interrupted","usage":{"input_tokens":3,"output_tokens":5}}}
    {"type":"data-error","data":{"kind":"truncated","message":"the turn ended before the answer was whole","retryable":true},"transient":true}
    {"type":"error","errorText":"the turn ended before the answer was whole"}
    [DONE]

    {"type":"finish-step"}
    {"type":"finish","messageMetadata":{"status":"paused","usage":{"input_tokens":3,"output_tokens":5}}}
    [DONE]
    "#);
}

#[test]
fn who_comes_late_gets_a_message_of_his_own() {
    insta::assert_snapshot!(lines(&[text("llo"), finished(Status::Complete, None)]), @r#"
    {"type":"start","messageMetadata":{"turn":"07070707-0707-0707-0707-070707070707","session":"chat"}}
    {"type":"start-step"}
    {"type":"text-start","id":"1"}
    {"type":"text-delta","id":"1","delta":"llo"}
    {"type":"text-end","id":"1"}
    {"type":"finish-step"}
    {"type":"finish","finishReason":"stop","messageMetadata":{"status":"complete","finish_reason":"stop","usage":{"input_tokens":3,"output_tokens":5}}}
    [DONE]
    "#);
}

#[test]
fn ids_lead_back_to_the_message() {
    assert_eq!(parse_message_id(&message_id(turn(), 12)), Some(12));
    for id in ["", "12", "a-12", "07070707-0707-0707-0707-070707070707", "07070707-0707-0707-0707-070707070707-x"] {
        assert_eq!(parse_message_id(id), None, "{id}");
    }
}

#[test]
fn a_stored_message_is_what_its_stream_made() {
    let content = [
        Part::Reasoning { text: "Hm".into() },
        Part::text("See"),
        Part::ToolCall(ToolCall { id: "a".into(), name: "t".into(), arguments: json!({}) }),
        Part::ToolCall(ToolCall { id: "b".into(), name: "t".into(), arguments: json!({}) }),
        Part::ToolResult(ToolResult { id: "a".into(), output: json!(1), is_error: false }),
        Part::ToolResult(ToolResult { id: "b".into(), output: json!("no"), is_error: true }),
        Part::Citation { url: "a:b".into(), title: None },
        Part::Unknown(json!({ "type": "hologram" })),
    ];
    let stored = crate::message::Message {
        seq: 2,
        parent: Some(1),
        turn: Some(turn()),
        role: crate::message::Role::Assistant,
        status: Status::Cancelled,
        content: content.into_iter().collect(),
        model: Some("m".into()),
        finish_reason: None,
        usage: None,
        cost: None,
        error: None,
        created_ms: 5,
    };
    let Value::Object(mut fields) = message(&stored) else { panic!("a message is an object") };
    let parts: Vec<Value> = serde_json::from_value(fields.remove("parts").unwrap()).unwrap();
    let lines: Vec<_> = parts.iter().chain([&Value::Object(fields)]).map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"state":"done","text":"Hm","type":"reasoning"}
    {"state":"done","text":"See","type":"text"}
    {"input":{},"output":1,"state":"output-available","toolCallId":"a","type":"tool-t"}
    {"errorText":"no","input":{},"state":"output-error","toolCallId":"b","type":"tool-t"}
    {"sourceId":"3","type":"source-url","url":"a:b"}
    {"data":{"type":"hologram"},"type":"data-hologram"}
    {"id":"07070707-0707-0707-0707-070707070707-2","metadata":{"created_ms":5,"model":"m","seq":2,"status":"cancelled","turn":"07070707-0707-0707-0707-070707070707"},"role":"assistant"}
    "#);
}

/// The chunks with neighbouring deltas of one part put together.
fn joined(events: &[Event]) -> Vec<Value> {
    let mut chunks: Vec<Value> = Vec::new();
    for line in lines(events).lines().filter(|line| *line != "[DONE]") {
        let chunk: Value = serde_json::from_str(line).unwrap();
        match chunks.last_mut() {
            Some(last)
                if chunk["delta"].is_string() && (&last["type"], &last["id"]) == (&chunk["type"], &chunk["id"]) =>
            {
                last["delta"] = [&last["delta"], &chunk["delta"]].map(|one| one.as_str().unwrap()).concat().into();
            }
            _ => chunks.push(chunk),
        }
    }
    chunks
}

proptest! {
    #[test]
    fn it_does_not_matter_how_text_is_cut(
        pieces in prop::collection::vec((any::<bool>(), "\\PC{1,8}", 0usize..9), 1..6),
        status in prop::sample::select(vec![Status::Complete, Status::Cancelled, Status::Failed, Status::Interrupted]),
    ) {
        let event = |thought: bool, piece: &str| if thought { reasoning(piece) } else { text(piece) };
        let (mut whole, mut cut) = (vec![started()], vec![started()]);
        for (thought, piece, at) in &pieces {
            whole.push(event(*thought, piece));
            let at = piece.char_indices().map(|(i, _)| i).nth(*at).unwrap_or(0);
            cut.extend([&piece[..at], &piece[at..]].iter().filter(|piece| !piece.is_empty()).map(|one| event(*thought, one)));
        }
        for events in [&mut whole, &mut cut] {
            events.push(finished(status, None));
        }
        prop_assert_eq!(joined(&whole), joined(&cut));
        let ends = ["\"type\":\"finish\"", "\"type\":\"abort\"", "\"type\":\"error\""];
        let all = lines(&cut);
        prop_assert_eq!(ends.iter().map(|end| all.matches(end).count()).sum::<usize>(), 1);
        prop_assert!(all.ends_with("\n[DONE]"));
    }
}
