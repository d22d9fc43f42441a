//! The events of an answer in OpenAI's Responses.

use serde_json::{Value, json};

use super::super::{Fault, Script, refusal};

/// Everything before the text.
pub(super) fn first(script: &Script) -> Vec<Value> {
    if script.fault == Some(Fault::Bare) {
        return Vec::new();
    }
    let begun =
        json!({ "id": "resp_fake", "object": "response", "status": "in_progress", "output": [], "usage": null });
    let mut events = vec![
        json!({ "type": "response.created", "response": begun, "sequence_number": 0 }),
        json!({ "type": "response.in_progress", "response": begun, "sequence_number": 1 }),
    ];
    if let Some(thought) = &script.thought {
        let (open, id) = (json!({ "id": "rs_fake", "type": "reasoning", "summary": [] }), "rs_fake");
        events.push(json!({ "type": "response.output_item.added", "output_index": 0, "item": open }));
        events.push(json!({ "type": "response.reasoning_summary_part.added", "item_id": id, "output_index": 0, "summary_index": 0, "part": {} }));
        events.push(json!({ "type": "response.reasoning_summary_text.delta", "item_id": id, "output_index": 0, "summary_index": 0, "delta": thought }));
        events.push(json!({ "type": "response.output_item.done", "output_index": 0, "item": reasoning(thought) }));
    }
    let (index, item) = (place(script), message(script, "in_progress", Vec::new()));
    events.push(json!({ "type": "response.output_item.added", "output_index": index, "item": item }));
    let part = json!({ "type": "output_text", "text": "", "annotations": [] });
    events.push(json!({ "type": "response.content_part.added", "item_id": "msg_fake", "output_index": index, "content_index": 0, "part": part }));
    events
}

/// Text.
pub(super) fn text(script: &Script, text: &str) -> Value {
    match script.fault {
        Some(Fault::Bare) => json!({ "type": "response.output_text.delta", "delta": text }),
        Some(Fault::WrongTypes) => json!({
            "type": "response.output_text.delta", "item_id": null, "output_index": "0", "content_index": "first",
            "delta": text, "sequence_number": null,
        }),
        _ => json!({
            "type": "response.output_text.delta", "item_id": "msg_fake", "output_index": place(script), "content_index": 0,
            "delta": text, "logprobs": [], "sequence_number": 7, "obfuscation": "xxxxxxx",
        }),
    }
}

/// Everything after the text, but for the last event.
pub(super) fn last(script: &Script) -> Vec<Value> {
    if script.fault == Some(Fault::Bare) {
        return Vec::new();
    }
    let index = place(script);
    let mut events = vec![
        json!({ "type": "response.output_text.done", "item_id": "msg_fake", "output_index": index, "content_index": 0, "text": said(script) }),
        json!({ "type": "response.output_item.done", "output_index": index, "item": whole_message(script) }),
    ];
    for (n, call) in (1..).zip(calls(script)) {
        let (at, id) = (index + n, &call["id"]);
        let mut open = call.clone();
        open["arguments"] = "".into();
        events.push(json!({ "type": "response.output_item.added", "output_index": at, "item": open }));
        events.push(json!({ "type": "response.function_call_arguments.delta", "item_id": id, "output_index": at, "delta": call["arguments"] }));
        events.push(json!({ "type": "response.function_call_arguments.done", "item_id": id, "output_index": at, "arguments": call["arguments"] }));
        events.push(json!({ "type": "response.output_item.done", "output_index": at, "item": call }));
    }
    events
}

/// The last event, which repeats everything.
pub(super) fn stop(script: &Script) -> Value {
    let response = document(script);
    let kind = format!("response.{}", status(script));
    json!({ "type": kind, "response": response, "sequence_number": 99 })
}

/// An error in the middle.
pub(super) fn error(fault: Fault) -> Value {
    let complaint = refusal::complaint(fault);
    match fault {
        // In both of its forms.
        Fault::ErrorNumber => {
            json!({ "type": "error", "code": complaint["code"], "message": complaint["message"], "param": null })
        }
        _ => {
            let error = json!({ "code": complaint["type"], "message": complaint["message"] });
            json!({ "type": "response.failed", "response": { "id": "resp_fake", "status": "failed", "error": error, "output": [] } })
        }
    }
}

/// The whole answer as one document.
pub(super) fn document(script: &Script) -> Value {
    let thought = script.thought.iter().map(|thought| reasoning(thought));
    let output: Vec<_> = thought.chain([whole_message(script)]).chain(calls(script)).collect();
    let bare = script.fault == Some(Fault::Bare);
    let details = if status(script) == "incomplete" { json!({ "reason": "eos" }) } else { Value::Null };
    json!({
        "id": "resp_fake", "object": "response", "status": status(script), "model": "fake", "error": null,
        "incomplete_details": details, "output": if bare { json!([]) } else { output.into() }, "usage": usage(script),
    })
}

fn place(script: &Script) -> u64 {
    u64::from(script.thought.is_some())
}

fn status(script: &Script) -> &'static str {
    if script.fault == Some(Fault::UnknownFinish) { "incomplete" } else { "completed" }
}

fn said(script: &Script) -> String {
    (0..script.chunks()).map(|n| script.chunk(n)).collect()
}

fn message(script: &Script, status: &str, content: Vec<Value>) -> Value {
    let id = if script.fault == Some(Fault::WrongTypes) { Value::Null } else { "msg_fake".into() };
    json!({ "id": id, "type": "message", "role": "assistant", "status": status, "content": content })
}

fn whole_message(script: &Script) -> Value {
    let text = json!({ "type": "output_text", "text": said(script), "annotations": [], "logprobs": [] });
    message(script, "completed", vec![text])
}

fn reasoning(thought: &str) -> Value {
    let summary = json!([{ "type": "summary_text", "text": thought }]);
    json!({ "id": "rs_fake", "type": "reasoning", "summary": summary, "encrypted_content": "gAAAA-fake" })
}

fn calls(script: &Script) -> Vec<Value> {
    let call = |(n, (name, arguments)): (u64, &(String, Value))| {
        json!({
            "id": format!("fc_fake_{n}"), "type": "function_call", "status": "completed",
            "call_id": format!("call_fake_{n}"), "name": name, "arguments": arguments.to_string(),
        })
    };
    (1..).zip(&script.calls).map(call).collect()
}

fn usage(script: &Script) -> Value {
    let count = script.chunks();
    if script.fault == Some(Fault::WrongTypes) {
        return json!({ "input_tokens": "10", "output_tokens": count as f64, "input_tokens_details": null });
    }
    json!({
        "input_tokens": 10, "input_tokens_details": { "cached_tokens": 4 },
        "output_tokens": count, "output_tokens_details": { "reasoning_tokens": 1 }, "total_tokens": count + 10,
    })
}
