//! What servers of this protocol really send.

use super::*;

fn read(keep: bool, events: &[Value]) -> Vec<ModelEvent> {
    let mut decoder = Decoder::new(Reveal::Codes, keep);
    let mut out = Queue::new();
    for event in events {
        if decoder.frame(event.to_string().as_bytes(), &mut out).unwrap() == Step::Done {
            break;
        }
    }
    decoder.end(&mut out);
    out.into()
}

fn start(index: u64, block: Value) -> Value {
    value!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, delta: Value) -> Value {
    value!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn stop(index: u64) -> Value {
    value!({ "type": "content_block_stop", "index": index })
}

fn stopped(reason: &str) -> Value {
    value!({ "type": "message_delta", "delta": { "stop_reason": reason } })
}

fn calls(events: &[ModelEvent]) -> Vec<(&str, &Value)> {
    let calls = events.iter().filter_map(|event| match event {
        ModelEvent::ToolCall(call) => Some((call.name.as_str(), &call.arguments)),
        _ => None,
    });
    calls.collect()
}

#[test]
fn every_reason_has_its_word() {
    let other = |word: &str| FinishReason::Other(word.into());
    for (word, reason) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("tool_use", FinishReason::ToolCalls),
        ("refusal", FinishReason::ContentFilter),
        ("pause_turn", other("pause_turn")),
        ("new_word", other("new_word")),
    ] {
        assert_eq!(read(false, &[stopped(word)]), [ModelEvent::Finish(reason)]);
    }
    assert_eq!(read(false, &[stopped(""), value!({ "type": "message_delta", "delta": null })]), []);
}

#[test]
fn thoughts_are_told_and_kept_as_they_came_before_the_calls_that_follow_them() {
    let events = [
        start(0, value!({ "type": "thinking", "thinking": "", "signature": "" })),
        delta(0, value!({ "type": "thinking_delta", "thinking": "h" })),
        delta(0, value!({ "type": "thinking_delta", "thinking": "m" })),
        delta(0, value!({ "type": "signature_delta", "signature": "si" })),
        delta(0, value!({ "type": "signature_delta", "signature": "g" })),
        stop(0),
        start(1, value!({ "type": "redacted_thinking", "data": "secret" })),
        stop(1),
        start(2, value!({ "type": "tool_use", "id": "t1", "name": "f", "input": {} })),
        stop(2),
        stopped("tool_use"),
    ];
    let kept = |value| ModelEvent::Part(Part::Provider { provider: "anthropic".into(), value });
    let read = |keep| read(keep, &events);
    let all = read(true);
    assert_eq!(all[0], ModelEvent::Reasoning("hm".into()));
    assert_eq!(all[1], kept(value!({ "type": "thinking", "thinking": "hm", "signature": "sig" })));
    assert_eq!(all[2], kept(value!({ "type": "redacted_thinking", "data": "secret" })));
    assert!(
        matches!(&all[3..], [ModelEvent::ToolCall(call), ModelEvent::Finish(FinishReason::ToolCalls)] if call.id == "t1")
    );
    assert!(!read(false).iter().any(|event| matches!(event, ModelEvent::Part(_))));
}

#[test]
fn calls_come_whole_whether_in_pieces_or_at_once() {
    let events = [
        start(0, value!({ "type": "tool_use", "id": "a", "name": "pieces", "input": {} })),
        delta(0, value!({ "partial_json": "" })),
        delta(0, value!({ "partial_json": "{\"x\":" })),
        delta(0, value!({ "partial_json": "1}" })),
        stop(0),
        start(1, value!({ "type": "tool_use", "id": "b", "name": "at_once", "input": { "y": 2 } })),
        stop(1),
        start(2, value!({ "type": "tool_use", "id": "c", "name": "without_end", "input": {} })),
        stopped("tool_use"),
    ];
    let all = read(false, &events);
    let expected = [("pieces", value!({ "x": 1 })), ("at_once", value!({ "y": 2 })), ("without_end", value!({}))];
    assert_eq!(calls(&all), expected.iter().map(|(name, arguments)| (*name, arguments)).collect::<Vec<_>>());
}

#[test]
fn a_call_that_the_limit_cut_off_is_none_and_one_that_is_no_json_is_its_text() {
    let half = [
        start(0, value!({ "type": "tool_use", "id": "a", "name": "f" })),
        delta(0, value!({ "partial_json": "{\"x" })),
        stop(0),
    ];
    let ends = |reason: &str| read(false, &[&half[..], &[stopped(reason)]].concat());
    assert_eq!(calls(&ends("max_tokens")), []);
    assert_eq!(calls(&ends("tool_use")), [("f", &value!("{\"x"))]);
    assert_eq!(calls(&read(false, &half)), []);
    // Cut off before its arguments it looks as if it took none.
    let bare = [start(0, value!({ "type": "tool_use", "id": "a", "name": "f", "input": {} })), stop(0)];
    let ends = |more: &[Value]| read(false, &[&bare[..], more].concat());
    assert_eq!(calls(&ends(&[stopped("max_tokens")])), []);
    assert_eq!(calls(&ends(&[stopped("tool_use")])), [("f", &value!({}))]);
    let next = start(1, value!({ "type": "tool_use", "id": "b", "name": "g" }));
    assert_eq!(
        calls(&ends(&[next, delta(1, value!({ "partial_json": "{" })), stopped("max_tokens")])),
        [("f", &value!({}))]
    );
}

#[test]
fn calls_keep_their_order_where_all_end_at_the_end() {
    let call = |n: u64, name: &str| start(n, value!({ "type": "tool_use", "id": name, "name": name }));
    let given = delta(1, value!({ "partial_json": "{\"x\":1}" }));
    let all = [call(0, "f"), call(1, "g"), given, stop(0), stop(1), stopped("tool_use")];
    assert_eq!(calls(&read(false, &all)), [("f", &value!({})), ("g", &value!({ "x": 1 }))]);
}

#[test]
fn usage_is_cumulative_and_the_cache_is_part_of_the_prompt() {
    let begun = value!({ "type": "message_start", "message": { "usage": {
        "input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1,
    } } });
    let so_far = |usage: Value| value!({ "type": "message_delta", "delta": {}, "usage": usage });
    let all = read(
        false,
        &[
            begun,
            so_far(value!({ "output_tokens": 5 })),
            so_far(value!({ "output_tokens": 5, "input_tokens": null })),
            so_far(
                value!({ "output_tokens": 9, "input_tokens": 4, "output_tokens_details": { "thinking_tokens": 6 } }),
            ),
        ],
    );
    let usage = |input_tokens, output_tokens, reasoning_tokens| {
        ModelEvent::Usage(Usage { input_tokens, output_tokens, cached_tokens: 100, reasoning_tokens, estimated: false })
    };
    assert_eq!(all, [usage(113, 1, 0), usage(113, 5, 0), usage(114, 9, 6)]);
}

#[test]
fn sources_on_the_web_are_citations_and_others_are_not() {
    let cited = |citation: Value| delta(0, value!({ "type": "citations_delta", "citation": citation }));
    let all = read(
        false,
        &[
            cited(
                value!({ "type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "x" }),
            ),
            cited(value!({ "type": "char_location", "document_title": "mine" })),
            cited(value!({ "url": "https://b.example", "title": null })),
        ],
    );
    let citation = |url: &str, title: Option<&str>| {
        ModelEvent::Part(Part::Citation { url: url.into(), title: title.map(str::to_owned) })
    };
    assert_eq!(all, [citation("https://a.example", Some("A")), citation("https://b.example", None)]);
}

#[test]
fn what_has_no_block_or_an_unknown_one_is_read_as_far_as_it_goes() {
    assert_eq!(
        read(false, &[value!({ "type": "content_block_delta", "delta": { "text": "Hi" } })]),
        [ModelEvent::Text("Hi".into())]
    );
    for event in [
        value!({ "type": "ping" }),
        value!({ "type": "new_event", "delta": { "text": "no" } }),
        start(0, value!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} })),
        delta(7, value!({ "partial_json": "{}" })),
        stop(9),
        value!(null),
        value!([]),
        value!("text"),
        value!({ "type": 7 }),
    ] {
        assert_eq!(read(true, std::slice::from_ref(&event)), [], "{event}");
    }
}

#[test]
fn errors_end_it_unless_it_was_whole() {
    let mut decoder = Decoder::new(Reveal::Codes, false);
    let late = value!({ "type": "error", "error": { "type": "overloaded_error", "message": "m" } }).to_string();
    let error = decoder.frame(late.as_bytes(), &mut Queue::new()).unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable(), error.context("type")),
        (ErrorKind::Unavailable, true, Some("overloaded_error"))
    );
    assert_eq!(decoder.frame(br#"{"type":"error"}"#, &mut Queue::new()).unwrap_err().kind(), ErrorKind::Unavailable);
    decoder.frame(stopped("end_turn").to_string().as_bytes(), &mut Queue::new()).unwrap();
    assert_eq!(decoder.frame(late.as_bytes(), &mut Queue::new()).unwrap(), Step::Done);
}

#[test]
fn endless_calls_and_thoughts_are_refused() {
    let refused = |first: Value, more: Value| {
        let mut decoder = Decoder::new(Reveal::Codes, true);
        decoder.frame(first.to_string().as_bytes(), &mut Queue::new()).unwrap();
        let more = more.to_string();
        (0..200).find_map(|_| decoder.frame(more.as_bytes(), &mut Queue::new()).err()).map(|error| error.kind())
    };
    let long = "x".repeat(64 << 10);
    let call = start(0, value!({ "type": "tool_use", "id": "a", "name": "f" }));
    assert_eq!(refused(call.clone(), delta(0, value!({ "partial_json": long }))), Some(ErrorKind::Unavailable));
    assert_eq!(refused(call.clone(), call), Some(ErrorKind::Unavailable));
    let thought = start(0, value!({ "type": "thinking" }));
    assert_eq!(refused(thought, delta(0, value!({ "thinking": long }))), Some(ErrorKind::Unavailable));
}
