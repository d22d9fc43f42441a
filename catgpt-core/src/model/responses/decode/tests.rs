//! What servers of this protocol really send.

use super::*;
use crate::error::ErrorKind;

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

fn text(index: u64, delta: &str) -> Value {
    value!({ "type": "response.output_text.delta", "output_index": index, "delta": delta })
}

fn done(index: u64, item: Value) -> Value {
    value!({ "type": "response.output_item.done", "output_index": index, "item": item })
}

fn completed(output: Value) -> Value {
    value!({ "type": "response.completed", "response": { "status": "completed", "output": output } })
}

fn incomplete(reason: Value) -> Value {
    value!({ "type": "response.incomplete", "response": { "status": "incomplete", "incomplete_details": reason } })
}

fn call(id: &str, arguments: &str) -> Value {
    value!({ "type": "function_call", "id": "fc", "call_id": id, "name": "f", "arguments": arguments })
}

fn said(text: &str) -> ModelEvent {
    ModelEvent::Text(text.into())
}

fn finish(reason: FinishReason) -> ModelEvent {
    ModelEvent::Finish(reason)
}

#[test]
fn every_end_has_its_word() {
    let other = |word: &str| FinishReason::Other(word.into());
    assert_eq!(read(false, &[completed(value!([]))]), [finish(FinishReason::Stop)]);
    for (reason, expected) in [
        (value!({ "reason": "max_output_tokens" }), FinishReason::Length),
        (value!({ "reason": "content_filter" }), FinishReason::ContentFilter),
        (value!({ "reason": "new_word" }), other("new_word")),
        (value!(null), other("incomplete")),
    ] {
        assert_eq!(read(false, &[incomplete(reason)]), [finish(expected)]);
    }
    let refusal = value!({ "type": "response.refusal.delta", "delta": "No." });
    assert_eq!(read(false, &[refusal, completed(value!([]))]), [said("No."), finish(FinishReason::ContentFilter)]);
    // Without the last event there is no end, whatever came before it.
    assert_eq!(read(false, &[text(0, "Hi"), done(0, value!({ "type": "message" }))]), [said("Hi")]);
}

#[test]
fn what_was_told_is_not_told_again_and_what_was_not_is() {
    let message = |text: &str| value!({ "type": "message", "content": [{ "type": "output_text", "text": text }] });
    let all = [text(0, "H"), text(0, "i"), done(0, message("Hi")), completed(value!([message("Hi")]))];
    assert_eq!(read(false, &all), [said("Hi"), finish(FinishReason::Stop)]);
    assert_eq!(read(false, &[completed(value!([message("Hi")]))]), [said("Hi"), finish(FinishReason::Stop)]);
    assert_eq!(
        read(false, &[text(0, "Hi"), completed(value!([message("Hi")]))]),
        [said("Hi"), finish(FinishReason::Stop)]
    );
    let calls =
        read(false, &[done(0, call("c1", "{}")), completed(value!([call("c1", "{}"), call("c2", "{\"x\":1}")]))]);
    let ids: Vec<_> = calls
        .iter()
        .filter_map(|event| if let ModelEvent::ToolCall(call) = event { Some(call.id.as_str()) } else { None })
        .collect();
    assert_eq!((ids, calls.last()), (vec!["c1", "c2"], Some(&finish(FinishReason::ToolCalls))));
}

#[test]
fn items_without_their_numbers_are_told_once_and_none_is_lost() {
    let plain = |mut event: Value| {
        event.as_object_mut().unwrap().remove("output_index");
        event
    };
    let thought = value!({ "type": "reasoning", "id": "rs", "summary": [], "content": [{ "text": "hm" }] });
    let message = |id: &str, text: &str| value!({ "type": "message", "id": id, "content": [{ "text": text }] });
    let called =
        |id: &str| ModelEvent::ToolCall(crate::ToolCall { id: id.into(), name: "f".into(), arguments: value!({}) });
    let rest = [called("c1"), called("c2"), finish(FinishReason::ToolCalls)];
    // As llama.cpp has it.
    let all = value!([thought, message("m", "Hi"), call("c1", "{}"), call("c2", "{}")]);
    let pieces = [
        value!({ "type": "response.reasoning_text.delta", "item_id": "rs", "delta": "hm" }),
        plain(text(0, "H")),
        plain(text(0, "i")),
    ];
    let ends = list(&all).map(|item| plain(done(0, item.clone())));
    let events: Vec<_> = pieces.into_iter().chain(ends).chain([completed(all.clone())]).collect();
    let told = [&[ModelEvent::Reasoning("hm".into()), said("Hi")][..], &rest].concat();
    assert_eq!(read(false, &events), told);
    // Not in pieces, and some of it without an id.
    let all = value!([message("", "A"), message("", "B"), call("c1", "{}"), call("c2", "{}")]);
    let ends = list(&all).map(|item| plain(done(0, item.clone())));
    let events: Vec<_> = ends.chain([completed(all.clone())]).collect();
    assert_eq!(read(false, &events), [&[said("A\n\nB")][..], &rest].concat());
}

#[test]
fn messages_of_one_answer_stand_apart() {
    let added = |index: u64, kind: &str| value!({ "type": "response.output_item.added", "output_index": index, "item": { "type": kind } });
    let all = [
        added(0, "message"),
        text(0, "Let me "),
        text(0, "look."),
        added(1, "message"),
        text(1, ""),
        text(1, "It is."),
        text(1, " So."),
    ];
    assert_eq!(read(false, &all), [said("Let me look.\n\nIt is. So.")]);
}

#[test]
fn thoughts_are_told_by_paragraph_and_kept_where_they_can_be_sent_back() {
    let part = |index: u64| value!({ "type": "response.reasoning_summary_part.added", "summary_index": index });
    let more = |text: &str| value!({ "type": "response.reasoning_summary_text.delta", "delta": text });
    let summary = value!([{ "type": "summary_text", "text": "a" }, { "type": "summary_text", "text": "b" }]);
    let item =
        value!({ "type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "x", "status": null });
    let events = [part(0), more("a"), part(1), more("b"), done(0, item.clone())];
    let value = value!({ "type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "x" });
    let kept = ModelEvent::Part(Part::Provider { provider: "openai".into(), value });
    let told = ModelEvent::Reasoning("a\n\nb".into());
    assert_eq!(read(true, &events), [told.clone(), kept.clone()]);
    assert_eq!(read(false, &events), std::slice::from_ref(&told));
    assert_eq!(read(true, &[done(0, item)]), [told, kept]);
    let open = value!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": null });
    assert_eq!(read(true, &[done(0, open)]), []);
    assert_eq!(
        read(false, &[value!({ "type": "response.reasoning_text.delta", "delta": "hm" })]),
        [ModelEvent::Reasoning("hm".into())]
    );
}

#[test]
fn a_call_that_the_limit_cut_off_is_none_and_one_that_is_no_json_is_its_text() {
    let half = done(0, call("c1", "{\"x"));
    let cut = read(false, &[half.clone(), incomplete(value!({ "reason": "max_output_tokens" }))]);
    assert_eq!(cut, [finish(FinishReason::Length)]);
    let mut bare = call("c1", "");
    bare["status"] = "incomplete".into();
    let cut = read(false, &[done(0, bare), incomplete(value!({ "reason": "max_output_tokens" }))]);
    assert_eq!(cut, [finish(FinishReason::Length)]);
    let whole = read(false, &[half, completed(value!([]))]);
    assert!(matches!(&whole[0], ModelEvent::ToolCall(call) if call.arguments == value!("{\"x")), "{whole:?}");
}

#[test]
fn sources_on_the_web_are_citations_and_files_are_not() {
    let note =
        |annotation: Value| value!({ "type": "response.output_text.annotation.added", "annotation": annotation });
    let all = read(
        false,
        &[
            note(value!({ "type": "url_citation", "url": "https://a.example", "title": "A" })),
            note(value!({ "type": "file_citation", "file_id": "f" })),
            note(value!(null)),
        ],
    );
    assert_eq!(all, [ModelEvent::Part(Part::Citation { url: "https://a.example".into(), title: Some("A".into()) })]);
}

#[test]
fn failures_have_their_kinds_and_their_usage() {
    let failed = |code: &str| {
        value!({ "type": "response.failed", "response": {
        "status": "failed", "error": { "code": code, "message": "m" }, "usage": { "input_tokens": 3, "output_tokens": 1 },
    } })
    };
    for (event, kind, retryable) in [
        (failed("server_error"), ErrorKind::Unavailable, true),
        (failed("rate_limit_exceeded"), ErrorKind::RateLimited, true),
        (failed("context_length_exceeded"), ErrorKind::ContextTooLong, false),
        (failed("invalid_prompt"), ErrorKind::Refused, false),
        (failed("bio_policy"), ErrorKind::Refused, false),
        (failed("failed_to_download_image"), ErrorKind::Refused, false),
        (failed("data_residency_mismatch"), ErrorKind::InvalidInput, false),
        (
            value!({ "type": "error", "code": "rate_limit_exceeded", "message": "m", "param": null }),
            ErrorKind::RateLimited,
            true,
        ),
        (
            value!({ "type": "error", "error": { "type": "invalid_request_error", "code": "model_not_found" } }),
            ErrorKind::NotFound,
            false,
        ),
        (value!({ "type": "error" }), ErrorKind::Unavailable, true),
        (value!({ "error": { "message": "m" } }), ErrorKind::Unavailable, true),
    ] {
        let (mut decoder, mut out) = (Decoder::new(Reveal::Codes, false), Queue::new());
        let error = decoder.frame(event.to_string().as_bytes(), &mut out).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{event}");
        assert_eq!(out.len(), usize::from(event["response"].is_object()), "{event}");
        assert_eq!(error.context("type").filter(|kind| *kind == "error"), None);
    }
}

#[test]
fn what_is_unknown_or_of_another_type_is_nothing() {
    for event in [
        value!({ "type": "response.web_search_call.searching", "output_index": 0 }),
        done(0, value!({ "type": "image_generation_call", "result": "…" })),
        done(1, value!(null)),
        value!({ "type": "response.output_text.delta", "delta": null }),
        value!({ "type": "keepalive" }),
        value!(null),
        value!([]),
        value!(7),
    ] {
        assert_eq!(read(true, std::slice::from_ref(&event)), [], "{event}");
    }
}

#[test]
fn usage_is_what_is_told_of_it() {
    let told = |value: Value| {
        usage(&value).map(|it| (it.input_tokens, it.output_tokens, it.cached_tokens, it.reasoning_tokens))
    };
    let whole = value!({
        "input_tokens": 9, "input_tokens_details": { "cached_tokens": 4 },
        "output_tokens": 5, "output_tokens_details": { "reasoning_tokens": 2 }, "total_tokens": 14,
    });
    assert_eq!(told(whole), Some((9, 5, 4, 2)));
    assert_eq!(told(value!({ "output_tokens": "5", "input_tokens_details": null })), Some((0, 5, 0, 0)));
    assert!([value!(null), value!({})].map(told).iter().all(Option::is_none));
}
