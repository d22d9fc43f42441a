//! The events of an answer in Anthropic's Messages.

use serde_json::{Value, json};

use super::super::{Fault, Script, refusal};

/// Everything before the text.
pub(super) fn first(script: &Script) -> Vec<Value> {
    let usage = json!({ "input_tokens": 4, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4, "output_tokens": 1 });
    match script.fault {
        Some(Fault::Bare) => return Vec::new(),
        Some(Fault::WrongTypes) => {
            return vec![json!({ "type": "message_start", "message": null, "usage": [] }), begin(0, json!(null))];
        }
        _ => {}
    }
    let message = json!({
        "id": "msg_fake", "type": "message", "role": "assistant", "model": "fake", "content": [],
        "stop_reason": if script.fault == Some(Fault::EmptyFinish) { json!("") } else { Value::Null },
        "stop_sequence": null, "usage": usage,
    });
    let mut events = vec![json!({ "type": "message_start", "message": message })];
    if let Some(thought) = &script.thought {
        events.push(begin(0, json!({ "type": "thinking", "thinking": "", "signature": "" })));
        events.push(delta(0, json!({ "type": "thinking_delta", "thinking": thought })));
        events.push(delta(0, json!({ "type": "signature_delta", "signature": "fake-signature" })));
        events.push(end(0));
    }
    events.push(begin(place(script), json!({ "type": "text", "text": "" })));
    events.push(json!({ "type": "ping" }));
    events
}

/// Text.
pub(super) fn text(script: &Script, text: &str) -> Value {
    match script.fault {
        Some(Fault::Bare) => json!({ "type": "content_block_delta", "delta": { "text": text } }),
        Some(Fault::WrongTypes) => {
            json!({ "type": "content_block_delta", "index": "0", "delta": { "type": null, "text": text, "thinking": null } })
        }
        _ => delta(place(script), json!({ "type": "text_delta", "text": text })),
    }
}

/// Everything after the text, but for what says that this was all.
pub(super) fn last(script: &Script) -> Vec<Value> {
    let at = place(script);
    let bare = script.fault == Some(Fault::Bare);
    let mut events = Vec::new();
    events.extend((!bare).then(|| end(at)));
    for (n, (name, arguments)) in (1u64..).zip(&script.calls) {
        let json = arguments.to_string();
        let (one, two) = json.split_at(json.len() / 2);
        events.push(begin(
            at + n,
            json!({ "type": "tool_use", "id": format!("toolu_fake_{n}"), "name": name, "input": {} }),
        ));
        for piece in ["", one, two] {
            events.push(delta(at + n, json!({ "type": "input_json_delta", "partial_json": piece })));
        }
        events.push(end(at + n));
    }
    let stopped = json!({ "stop_reason": reason(script), "stop_sequence": null });
    events.push(json!({ "type": "message_delta", "delta": stopped, "usage": usage(script) }));
    events
}

/// What says that this was all.
pub(super) fn stop() -> Value {
    json!({ "type": "message_stop" })
}

/// An error in the middle.
pub(super) fn error(fault: Fault) -> Value {
    json!({ "type": "error", "error": refusal::anthropic(fault), "request_id": "req_fake" })
}

/// The whole answer as one document.
pub(super) fn document(script: &Script) -> Value {
    let text: String = (0..script.chunks()).map(|n| script.chunk(n)).collect();
    let calls = (1..).zip(&script.calls).map(
        |(n, (name, arguments))| json!({ "type": "tool_use", "id": format!("toolu_fake_{n}"), "name": name, "input": arguments }),
    );
    let content: Vec<_> = [json!({ "type": "text", "text": text })].into_iter().chain(calls).collect();
    json!({
        "id": "msg_fake", "type": "message", "role": "assistant", "model": "fake", "content": content,
        "stop_reason": reason(script), "stop_sequence": null, "usage": usage(script),
    })
}

fn place(script: &Script) -> u64 {
    u64::from(script.thought.is_some())
}

fn reason(script: &Script) -> &'static str {
    match script.fault {
        Some(Fault::UnknownFinish) => "eos",
        _ if !script.calls.is_empty() => "tool_use",
        _ => "end_turn",
    }
}

/// Counted from the beginning, as all of its numbers are.
fn usage(script: &Script) -> Value {
    let count = script.chunks();
    if script.fault == Some(Fault::WrongTypes) {
        return json!({ "input_tokens": "10", "output_tokens": count as f64, "cache_read_input_tokens": null });
    }
    json!({
        "input_tokens": 4, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4,
        "output_tokens": count, "output_tokens_details": { "thinking_tokens": 1 },
    })
}

fn begin(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn delta(index: u64, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn end(index: u64) -> Value {
    json!({ "type": "content_block_stop", "index": index })
}
