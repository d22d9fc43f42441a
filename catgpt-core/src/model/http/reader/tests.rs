//! Every fault, cut at every byte, and anything else that bytes can be.

use proptest::prelude::*;

use super::*;
use crate::message::{FinishReason, ToolCall, Usage};
use crate::model::failure::Reveal;
use crate::testkit::{End, Fault, Script};

/// What an answer comes to, however it was cut.
#[derive(Debug, Default, PartialEq)]
struct Sum {
    text: String,
    reasoning: String,
    calls: Vec<ToolCall>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
    error: Option<ErrorKind>,
}

fn read<'a>(content_type: &str, pieces: impl IntoIterator<Item = &'a [u8]>) -> Sum {
    let mut reader = Reader::new(crate::model::openai::decoder(Reveal::Codes));
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
            ModelEvent::Part(part) => panic!("the protocol has no {part:?}"),
            ModelEvent::Finish(reason) => assert_eq!(sum.finish.replace(reason), None, "it finishes once"),
        }
    }
    sum
}

fn events(body: &[u8]) -> Sum {
    read("text/event-stream", [body])
}

fn content_type(fault: Fault) -> &'static str {
    match fault {
        Fault::Page => "text/html; charset=utf-8",
        Fault::ErrorBody | Fault::WholeBody => "application/json",
        _ => "text/event-stream; charset=utf-8",
    }
}

#[test]
fn every_fault_ends_right_wherever_it_is_cut() {
    let mut bodies = 0;
    for fault in Fault::ALL.iter().copied() {
        let script = Script::from(fault);
        let Some(body) = script.body() else { continue };
        bodies += 1;
        let outcome = script.outcome();
        for at in 0..=body.len() {
            let sum = read(content_type(fault), [&body[..at], &body[at..]]);
            assert_eq!(sum.text, outcome.text, "{fault:?} cut at {at}");
            match outcome.end {
                End::Finished(reason) => {
                    assert_eq!(sum.finish, Some(FinishReason::from(reason.to_owned())), "{fault:?} cut at {at}");
                    assert_eq!(sum.error, None, "{fault:?} cut at {at}");
                    assert_eq!(sum.usage.map(|usage| usage.input_tokens), Some(10), "{fault:?} cut at {at}");
                }
                // Without a connection there is nothing that could break or time out.
                End::Cut | End::Error(ErrorKind::Timeout) => {
                    assert_eq!((sum.finish, sum.error), (None, None), "{fault:?} cut at {at}");
                }
                End::Error(kind) => assert_eq!((sum.finish, sum.error), (None, Some(kind)), "{fault:?} cut at {at}"),
            }
        }
    }
    assert!(bodies > 25, "only {bodies} faults have a body");
}

#[test]
fn every_fault_comes_to_the_same_byte_by_byte() {
    for fault in Fault::ALL.iter().copied() {
        let Some(body) = Script::from(fault).body() else { continue };
        assert_eq!(read(content_type(fault), body.chunks(1)), read(content_type(fault), [&body[..]]), "{fault:?}");
    }
}

#[test]
fn a_good_answer_that_is_cut_anywhere_is_never_an_error_and_never_whole_too_early() {
    let body = Script::text(["Hello ", "wörld"]).body().unwrap();
    let finished = body.windows(6).position(|window| window == b"\"stop\"").unwrap();
    for at in 0..body.len() {
        let sum = events(&body[..at]);
        assert_eq!(sum.error, None, "cut at {at}");
        assert!("Hello wörld".starts_with(&sum.text), "cut at {at}");
        assert!(sum.finish.is_none() || at > finished, "cut at {at}");
    }
}

#[test]
fn a_document_that_is_cut_is_an_error_and_one_without_a_reason_is_cut() {
    let body = Script::from(Fault::WholeBody).body().unwrap();
    let sum = read("application/json", [&body[..body.len() / 2]]);
    assert_eq!((sum.text.as_str(), sum.error), ("", Some(ErrorKind::Unavailable)));
    let sum = read("application/json", [br#"{"choices":[{"message":{"content":"Hi"}}]}"#.as_slice()]);
    assert_eq!((sum.text.as_str(), sum.finish, sum.error), ("Hi", None, None));
    let sum = read("application/json", [br#"{"hello":"world"}"#.as_slice()]);
    assert_eq!(sum.error, Some(ErrorKind::Unavailable));
}

#[test]
fn what_is_declared_as_events_and_holds_none_just_ends() {
    assert_eq!(events(b""), Sum::default());
    assert_eq!(events(b": still there\n\n"), Sum::default());
    assert_eq!(read("text/plain", [b"upstream connect error".as_slice()]).error, Some(ErrorKind::Unavailable));
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
    let mut reader = Reader::new(crate::model::openai::decoder(Reveal::Codes));
    let piece = [b'x'; 4096];
    let error = (0..1000).find_map(|_| reader.feed(&piece).err()).unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.context("max_bytes"), Some("1048576"));
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

proptest! {
    #[test]
    fn any_split_comes_to_the_same(body in lines(), mut cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let mut at: Vec<_> = cuts.drain(..).map(|cut| cut.index(body.len() + 1)).collect();
        at.extend([0, body.len()]);
        at.sort_unstable();
        let pieces: Vec<_> = at.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
        prop_assert_eq!(known(read("text/event-stream", pieces)), known(events(&body)));
    }

    #[test]
    fn no_bytes_make_it_panic(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..16)) {
        let sum = read("text/event-stream", pieces.iter().map(Vec::as_slice));
        prop_assert!(sum.text.len() <= 16 * 64 * 3);
    }
}
