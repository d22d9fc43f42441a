//! What compatible servers really send.

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;

fn read(frames: &[Value]) -> Vec<ModelEvent> {
    let mut decoder = Decoder::new(Reveal::Codes);
    let mut out = Queue::new();
    for frame in frames {
        assert_eq!(decoder.frame(frame.to_string().as_bytes(), &mut out).unwrap(), Step::More, "{frame}");
    }
    decoder.end(&mut out);
    out.into()
}

fn raw(frame: &[u8]) -> Result<Vec<ModelEvent>> {
    let mut out = Queue::new();
    Decoder::new(Reveal::Codes).frame(frame, &mut out)?;
    Ok(out.into())
}

fn delta(delta: Value) -> Value {
    json!({ "choices": [{ "delta": delta }] })
}

fn finish(reason: &str) -> Value {
    json!({ "choices": [{ "delta": {}, "finish_reason": reason }] })
}

fn text(text: &str) -> ModelEvent {
    ModelEvent::Text(text.into())
}

fn calls(events: Vec<ModelEvent>) -> Vec<(String, String, Value)> {
    let calls = events.into_iter().filter_map(|event| match event {
        ModelEvent::ToolCall(call) => Some((call.id, call.name, call.arguments)),
        _ => None,
    });
    calls.collect()
}

#[test]
fn content_comes_in_many_shapes() {
    for content in [json!("4"), json!(4), json!(["4"]), json!([{ "type": "text", "text": "4" }])] {
        assert_eq!(read(&[delta(json!({ "content": content }))]), [text("4")], "{content}");
    }
    for content in [json!(null), json!(""), json!({}), json!([null]), json!([])] {
        assert_eq!(read(&[delta(json!({ "content": content }))]), [], "{content}");
    }
    assert_eq!(read(&[delta(json!({ "refusal": "No." }))]), [text("No.")]);
    assert_eq!(read(&[delta(json!({ "refusal": true }))]), []);
}

#[test]
fn reasoning_has_two_names_and_counts_once() {
    let thought = [ModelEvent::Reasoning("hm".into())];
    assert_eq!(read(&[delta(json!({ "reasoning_content": "hm", "content": null }))]), thought);
    assert_eq!(read(&[delta(json!({ "reasoning": "hm" }))]), thought);
    assert_eq!(read(&[delta(json!({ "reasoning": "hm", "reasoning_content": "hm" }))]), thought);
    let parts = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }]);
    assert_eq!(read(&[delta(json!({ "content": parts }))]), thought);
}

#[test]
fn only_the_first_choice_is_read() {
    let frame = json!({ "choices": [{ "index": 1, "delta": { "content": "b" } }, { "delta": { "content": "a" } }] });
    assert_eq!(read(&[frame]), [text("a")]);
    let frame = json!({ "choices": [{ "index": 1, "delta": {}, "finish_reason": "stop" }] });
    assert_eq!(read(&[frame]), []);
}

#[test]
fn frames_that_say_nothing_are_nothing() {
    for frame in
        ["", "  ", "null", "{}", r#"{"choices":null}"#, r#"{"choices":[]}"#, r#"{"choices":[{}]}"#, r#"{"error":null}"#]
    {
        assert_eq!(raw(frame.as_bytes()).unwrap(), [], "{frame}");
    }
}

#[test]
fn broken_characters_do_not_lose_the_rest() {
    let frame = b"{\"choices\":[{\"delta\":{\"content\":\"a\xFFb\"}}]}";
    assert_eq!(raw(frame).unwrap(), [text("a\u{fffd}b")]);
    let half = br#"{"choices":[{"delta":{"content":"\\ \"\ud83d\ude42 \ud83d \ude42 \u00e9"}}]}"#;
    assert_eq!(raw(half).unwrap(), [text("\\ \"🙂 \u{fffd} \u{fffd} é")]);
}

#[test]
fn what_is_not_json_is_an_error() {
    for frame in ["{", "{\"choices\":[{\"delta\":{\"con", "nul", "{}{}", "\\ud83d"] {
        let error = raw(frame.as_bytes()).unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Unavailable, "the model sent a frame that is not JSON")
        );
    }
}

#[test]
fn errors_come_in_many_shapes() {
    let shapes = [
        (json!({ "error": { "message": "m", "code": "rate_limit_exceeded" } }), ErrorKind::RateLimited, true),
        (json!({ "error": { "message": "m", "code": 401 } }), ErrorKind::Unauthorized, false),
        (json!({ "error": { "message": "m", "code": "503" } }), ErrorKind::Unavailable, true),
        (json!({ "error": { "type": "insufficient_quota" } }), ErrorKind::RateLimited, false),
        (json!({ "error": "something" }), ErrorKind::Unavailable, true),
        (json!({ "error": "the prompt exceeds the available context size" }), ErrorKind::ContextTooLong, false),
        (json!({ "object": "error", "message": "m", "code": 400 }), ErrorKind::InvalidInput, false),
        (json!({ "choices": [], "error": { "code": "content_filter" } }), ErrorKind::Refused, false),
        (json!({ "choices": [{ "delta": {}, "finish_reason": "error" }] }), ErrorKind::Unavailable, true),
    ];
    for (frame, kind, retryable) in shapes {
        let error = raw(frame.to_string().as_bytes()).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{frame}");
    }
}

#[test]
fn the_reason_is_kept_as_it_came_and_the_last_one_counts() {
    for (word, reason) in [("stop", FinishReason::Stop), ("end_turn", FinishReason::Other("end_turn".into()))] {
        assert_eq!(read(&[finish(""), finish("null"), finish(word)]), [ModelEvent::Finish(reason)]);
    }
    assert_eq!(
        read(&[finish("stop"), delta(json!({ "content": "more" })), finish("length")]),
        [text("more"), ModelEvent::Finish(FinishReason::Length)]
    );
    assert_eq!(read(&[finish("")]), []);
}

#[test]
fn done_alone_is_no_finish() {
    let mut out = Queue::new();
    let mut decoder = Decoder::new(Reveal::Codes);
    assert_eq!(decoder.frame(b"[DONE]", &mut out).unwrap(), Step::Done);
    decoder.end(&mut out);
    assert_eq!(out, []);
}

#[test]
fn usage_is_told_when_it_changes() {
    let tokens = |n: u64| {
        json!({ "choices": [], "usage": {
            "prompt_tokens": 9, "completion_tokens": n, "total_tokens": n + 9,
            "prompt_tokens_details": { "cached_tokens": 4, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 2 },
        } })
    };
    let usage = |output_tokens| {
        ModelEvent::Usage(Usage {
            input_tokens: 9,
            output_tokens,
            cached_tokens: 4,
            reasoning_tokens: 2,
            estimated: false,
        })
    };
    assert_eq!(read(&[tokens(5), tokens(5), json!({ "choices": [], "usage": null }), tokens(6)]), [usage(5), usage(6)]);
    let odd = json!({ "usage": { "prompt_tokens": "9", "completion_tokens": 5.0, "prompt_tokens_details": null } });
    let plain = Usage { input_tokens: 9, output_tokens: 5, ..Usage::default() };
    assert_eq!(read(&[odd]), [ModelEvent::Usage(plain)]);
}

#[test]
fn tool_calls_come_in_pieces_and_leave_whole() {
    let piece = |index: u64, id: Value, name: Value, arguments: &str| {
        let function = json!({ "name": name, "arguments": arguments });
        delta(json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": function }] }))
    };
    let events = read(&[
        piece(0, json!("a"), json!("add"), ""),
        piece(1, json!("b"), json!(null), "{\"y\":"),
        piece(0, json!(null), json!(null), "{\"x\": 1"),
        piece(1, json!(""), json!("sub"), "2}"),
        piece(0, json!(null), json!(""), "}"),
        finish("tool_calls"),
    ]);
    assert_eq!(events.last(), Some(&ModelEvent::Finish(FinishReason::ToolCalls)));
    let expected = [("a".into(), "add".into(), json!({ "x": 1 })), ("b".into(), "sub".into(), json!({ "y": 2 }))];
    assert_eq!(calls(events), expected);
}

#[test]
fn tool_calls_without_an_index_are_told_apart() {
    let call = |id: &str, name: &str| json!({ "id": id, "function": { "name": name, "arguments": "{}" } });
    let both = delta(json!({ "tool_calls": [call("", "f"), call("", "g")] }));
    let got = calls(read(&[both, finish("stop")]));
    assert_eq!(got.iter().map(|call| &*call.1).collect::<Vec<_>>(), ["f", "g"]);
    assert!(got.iter().all(|call| call.0.starts_with("call_")) && got[0].0 != got[1].0, "made-up ids differ: {got:?}");
    // The same index for two calls, as some servers do.
    let twice = |id: &str| {
        delta(json!({ "tool_calls": [{ "index": 0, "id": id, "function": { "name": "f", "arguments": {} } }] }))
    };
    assert_eq!(calls(read(&[twice("a"), twice("b"), finish("stop")])).len(), 2);
}

#[test]
fn calls_that_are_not_whole_are_not_made_up() {
    let half =
        delta(json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "f", "arguments": "{\"x" } }] }));
    assert_eq!(calls(read(std::slice::from_ref(&half))), []);
    assert_eq!(calls(read(&[half.clone(), finish("length")])), []);
    assert_eq!(calls(read(&[half, finish("tool_calls")])), [("a".into(), "f".into(), json!("{\"x"))]);
    let none =
        delta(json!({ "tool_calls": [{ "index": 0, "id": "a", "function": { "name": "f", "arguments": "" } }] }));
    assert_eq!(calls(read(&[none, finish("tool_calls")])), [("a".into(), "f".into(), json!({}))]);
}

#[test]
fn endless_tool_calls_are_refused() {
    let mut decoder = Decoder::new(Reveal::Codes);
    let refused = |decoder: &mut Decoder, frame: &dyn Fn(usize) -> Value| {
        let refused = (0..2000).find_map(|n| decoder.frame(frame(n).to_string().as_bytes(), &mut Queue::new()).err());
        refused.map(|error| error.kind())
    };
    let call = |n: usize| delta(json!({ "tool_calls": [{ "index": n, "function": { "name": "f" } }] }));
    assert_eq!(refused(&mut decoder, &call), Some(ErrorKind::Unavailable));
    let long = |_| delta(json!({ "tool_calls": [{ "index": 0, "function": { "arguments": "x".repeat(1024) } }] }));
    assert_eq!(refused(&mut Decoder::new(Reveal::Codes), &long), Some(ErrorKind::Unavailable));
}
