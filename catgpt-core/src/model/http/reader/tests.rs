//! Every fault in every protocol, cut at every byte, and anything else that bytes can be.

use proptest::prelude::*;

use super::*;
use crate::message::Part;
use crate::message::{FinishReason, ToolCall, Usage};
use crate::model::failure::Reveal;
use crate::model::{anthropic, openai, responses};
use crate::testkit::{Dialect, End, Fault, Script};

/// What an answer comes to, however it was cut.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    parts: Vec<Part>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    error: Option<ErrorKind>,
}

fn reader(dialect: Dialect) -> Reader {
    Reader::new(match dialect {
        Dialect::ChatCompletions => openai::decoder(Reveal::Codes),
        Dialect::Messages => anthropic::decoder(Reveal::Codes, true),
        Dialect::Responses => responses::decoder(Reveal::Codes, true),
    })
}

fn read<'a>(dialect: Dialect, content_type: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Sum {
    let mut reader = reader(dialect);
    reader.content_type(content_type);
    let mut error = None;
    for piece in pieces {
        match reader.feed(piece) {
            Ok(Step::More) => {}
            Ok(Step::Done) => break,
            Err(broke) => {
                error = Some(broke);
                break;
            }
        }
    }
    reader.end(&mut error);
    let mut sum = Sum { error: error.map(|error| error.kind()), ..Sum::default() };
    while let Some(event) = reader.pop() {
        match event {
            ModelEvent::Text(text) => sum.text += &text,
            ModelEvent::Reasoning(text) => sum.reasoning += &text,
            ModelEvent::ToolCall(call) => sum.calls.push(call),
            ModelEvent::Usage(usage) => sum.usage = Some(usage),
            ModelEvent::Part(part) => sum.parts.push(part),
            ModelEvent::Finish(reason) => assert_eq!(sum.finish.replace(reason), None, "it finishes once"),
        }
    }
    sum
}

fn events(body: &[u8]) -> Sum {
    read(Dialect::ChatCompletions, "text/event-stream", [body])
}

fn content_type(fault: Fault) -> &'static str {
    match fault {
        Fault::Page => "text/html; charset=utf-8",
        Fault::ErrorBody | Fault::WholeBody => "application/json",
        _ => "text/event-stream; charset=utf-8",
    }
}

/// All faults of all protocols that have a body, but for the one whose body is too large to be cut everywhere.
fn faults() -> impl Iterator<Item = (Dialect, Fault, Vec<u8>)> {
    let all = Dialect::ALL.into_iter().flat_map(|dialect| Fault::ALL.iter().map(move |fault| (dialect, *fault)));
    all.filter(|(_, fault)| *fault != Fault::Huge)
        .filter_map(|(dialect, fault)| Some((dialect, fault, Script::from(fault).body(dialect)?)))
}

#[test]
fn every_fault_ends_right_wherever_it_is_cut() {
    let mut bodies = 0;
    for (dialect, fault, body) in faults() {
        bodies += 1;
        let outcome = Script::from(fault).outcome();
        for at in 0..=body.len() {
            let sum = read(dialect, content_type(fault), [&body[..at], &body[at..]]);
            let place = format!("{dialect:?}, {fault:?}, cut at {at}");
            assert_eq!(sum.text, outcome.text, "{place}");
            match outcome.end {
                End::Finished(reason) => {
                    assert_eq!(sum.finish, Some(FinishReason::from(reason.to_owned())), "{place}");
                    assert_eq!(sum.error, None, "{place}");
                    assert_eq!(sum.usage.map(|usage| usage.input_tokens), Some(10), "{place}");
                }
                // Without a connection there is nothing that could break or time out.
                End::Cut | End::Error(ErrorKind::Timeout) => {
                    assert_eq!((sum.finish, sum.error), (None, None), "{place}");
                }
                End::Error(kind) => assert_eq!((sum.finish, sum.error), (None, Some(kind)), "{place}"),
            }
        }
    }
    assert!(bodies > 3 * 28, "only {bodies} faults have a body");
}

#[test]
fn every_fault_comes_to_the_same_byte_by_byte() {
    for (dialect, fault, body) in faults() {
        let whole = read(dialect, content_type(fault), [&body[..]]);
        assert_eq!(read(dialect, content_type(fault), body.chunks(1)), whole, "{dialect:?}, {fault:?}");
    }
}

#[test]
fn thoughts_and_calls_come_whole_wherever_they_are_cut() {
    let script =
        Script::text(["Let me ", "löok."]).thinks("Hm 漢.").calls("weather", serde_json::json!({ "city": "Kyoto" }));
    let script = script.calls("time", serde_json::json!({}));
    for dialect in Dialect::ALL {
        let body = script.body(dialect).unwrap();
        let whole = read(dialect, "text/event-stream", [&body[..]]);
        assert_eq!((whole.text.as_str(), whole.reasoning.as_str()), ("Let me löok.", "Hm 漢."), "{dialect:?}");
        assert_eq!(whole.finish, Some(FinishReason::ToolCalls));
        let named: Vec<_> = whole.calls.iter().map(|call| (call.name.as_str(), call.arguments.to_string())).collect();
        assert_eq!(named, [("weather", r#"{"city":"Kyoto"}"#.to_owned()), ("time", "{}".to_owned())]);
        assert!(whole.calls[0].id != whole.calls[1].id && whole.calls[0].id.contains("_fake_"));
        let kept = usize::from(dialect != Dialect::ChatCompletions);
        assert_eq!(whole.parts.iter().filter(|part| matches!(part, Part::Provider { .. })).count(), kept);
        let usage = whole.usage.unwrap();
        assert_eq!(
            (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens),
            (10, 2, 4, 1)
        );
        for at in 0..=body.len() {
            assert_eq!(
                read(dialect, "text/event-stream", [&body[..at], &body[at..]]),
                whole,
                "{dialect:?}, cut at {at}"
            );
        }
        let document = script.clone().fault(Fault::WholeBody).body(dialect).unwrap();
        let document = read(dialect, "application/json", [&document[..]]);
        assert_eq!((&document.text, &document.calls, &document.finish), (&whole.text, &whole.calls, &whole.finish));
    }
}

#[test]
fn a_good_answer_that_is_cut_anywhere_is_never_an_error_and_never_whole_too_early() {
    let ends = [&b"\"stop\""[..], b"\"end_turn\"", b"\"response.completed\""];
    for (dialect, end) in Dialect::ALL.into_iter().zip(ends) {
        let body = Script::text(["Hello ", "wörld"]).body(dialect).unwrap();
        let finished = body.windows(end.len()).position(|window| window == end).unwrap();
        for at in 0..body.len() {
            let sum = read(dialect, "text/event-stream", [&body[..at]]);
            assert_eq!(sum.error, None, "{dialect:?}, cut at {at}");
            assert!("Hello wörld".starts_with(&sum.text), "{dialect:?}, cut at {at}");
            assert!(sum.finish.is_none() || at > finished, "{dialect:?}, cut at {at}");
        }
    }
}

#[test]
fn a_document_that_is_cut_is_an_error_and_one_without_a_reason_is_cut() {
    let unfinished = [
        r#"{"choices":[{"message":{"content":"Hi"}}]}"#,
        r#"{"type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":null}"#,
        r#"{"status":"in_progress","output":[{"type":"message","content":[{"text":"Hi"}]}]}"#,
    ];
    for (dialect, unfinished) in Dialect::ALL.into_iter().zip(unfinished) {
        let body = Script::from(Fault::WholeBody).body(dialect).unwrap();
        let sum = read(dialect, "application/json", [&body[..body.len() / 2]]);
        assert_eq!((sum.text.as_str(), sum.error), ("", Some(ErrorKind::Unavailable)));
        let sum = read(dialect, "application/json", [unfinished.as_bytes()]);
        assert_eq!((sum.text.as_str(), sum.finish, sum.error), ("Hi", None, None));
        let sum = read(dialect, "application/json", [br#"{"hello":"world"}"#.as_slice()]);
        assert_eq!(sum.error, Some(ErrorKind::Unavailable));
    }
}

#[test]
fn what_is_declared_as_events_and_holds_none_just_ends() {
    assert_eq!(events(b""), Sum::default());
    assert_eq!(events(b": still there\n\n"), Sum::default());
    assert_eq!(
        read(Dialect::Messages, "text/plain", [b"upstream connect error".as_slice()]).error,
        Some(ErrorKind::Unavailable)
    );
}

#[test]
fn after_the_finish_nothing_can_break_it() {
    let body = b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":\"stop\"}]}\n\n";
    for after in ["data: {\"error\":{\"message\":\"late\"}}\n\n", "data: {oops\n\n"] {
        let sum = events(&[body, after.as_bytes()].concat());
        assert_eq!((sum.text.as_str(), sum.finish, sum.error), ("Hi", Some(FinishReason::Stop), None));
    }
}

#[test]
fn a_frame_without_end_is_refused_before_it_fills_the_memory() {
    for (dialect, most) in Dialect::ALL.into_iter().zip(["1048576", "1048576", "16777216"]) {
        let mut reader = reader(dialect);
        let piece = [b'x'; 1 << 16];
        let error = (0..1000).find_map(|_| reader.feed(&piece).err()).unwrap();
        assert_eq!((error.kind(), error.context("max_bytes")), (ErrorKind::Unavailable, Some(most)));
    }
}

/// Lines as a server might send them, well and badly.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        "[ -~é🙂]{0,8}"
            .prop_map(|text| serde_json::json!({ "choices": [{ "delta": { "content": text } }] }).to_string()),
        Just(r#"{"choices":[{"index":1,"delta":{"content":"no"}}]}"#.to_owned()),
        Just(r#"{"choices":[{"delta":{"reasoning":"hm"},"finish_reason":"stop"}]}"#.to_owned()),
        Just(
            r#"{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"},"id":"1"}]}}]}"#
                .to_owned()
        ),
        Just(r#"{"usage":{"prompt_tokens":3}}"#.to_owned()),
        Just(r#"{"type":"content_block_delta","delta":{"text":"é","thinking":"hm","signature":"s"}}"#.to_owned()),
        Just(r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f"}}"#.to_owned()),
        Just(r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking"}}"#.to_owned()),
        Just(r#"{"type":"content_block_delta","index":1,"delta":{"partial_json":"{}"}}"#.to_owned()),
        Just(r#"{"type":"content_block_stop","index":1}"#.to_owned()),
        Just(r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":3}}"#.to_owned()),
        Just(r#"{"type":"message_stop"}"#.to_owned()),
        Just(r#"{"type":"response.output_text.delta","delta":"é🙂"}"#.to_owned()),
        Just(r#"{"type":"response.output_item.added","item":{"type":"message"}}"#.to_owned()),
        Just(r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c","arguments":"{"}}"#.to_owned()),
        Just(r#"{"type":"response.output_item.done","output_index":3,"item":{"type":"reasoning","encrypted_content":"x"}}"#.to_owned()),
        Just(r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#.to_owned()),
        Just(r#"{"error":"no"}"#.to_owned()),
        Just("null".to_owned()),
        Just("[DONE]".to_owned()),
        "[\\[\\]{}\":,a-z0-9 ]{0,12}",
    ];
    let start = prop_oneof![Just("data: "), Just("data:"), Just(": "), Just("id: "), Just(""), Just("\u{feff}data: ")];
    let end = prop_oneof![Just("\n\n"), Just("\n"), Just("\r\n\r\n"), Just("\r"), Just("\r\r"), Just("")];
    let line = (start, json, end).prop_map(|(start, json, end)| format!("{start}{json}{end}").into_bytes());
    let line = prop_oneof![8 => line, 1 => proptest::collection::vec(any::<u8>(), 0..20)];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// Without the ids that are made up here.
fn known(mut sum: Sum) -> Sum {
    sum.calls.iter_mut().filter(|call| call.id.starts_with("call_")).for_each(|call| call.id.clear());
    sum
}

fn dialects() -> impl Strategy<Value = Dialect> {
    prop::sample::select(&Dialect::ALL[..])
}

proptest! {
    #[test]
    fn any_split_comes_to_the_same(
        dialect in dialects(),
        body in lines(),
        mut cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut at: Vec<_> = cuts.drain(..).map(|cut| cut.index(body.len() + 1)).collect();
        at.extend([0, body.len()]);
        at.sort_unstable();
        let pieces: Vec<_> = at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        let whole = read(dialect, "text/event-stream", [&body[..]]);
        prop_assert_eq!(known(read(dialect, "text/event-stream", pieces)), known(whole));
    }

    #[test]
    fn no_bytes_make_it_panic(
        dialect in dialects(),
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..16),
    ) {
        let sum = read(dialect, "text/event-stream", pieces.iter().map(Vec::as_slice));
        prop_assert!(sum.text.len() <= 16 * 64 * 3);
    }
}
