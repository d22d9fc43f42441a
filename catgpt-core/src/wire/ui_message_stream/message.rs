//! A stored message as the AI SDK's `UIMessage`, to begin a chat with.

use serde_json::{Map, Value, json};

use super::chunk::{Chunk, name_of, of_part, plain};
use super::message_id;
use crate::message::{Message, Part, Role, Status};

/// The message as `useChat({ messages })` takes it. A reply has the id that its stream gave it, so that one that still
/// runs goes on in its place.
pub fn message(message: &Message) -> Value {
    let id = message.turn.map_or_else(|| message.seq.to_string(), |turn| message_id(turn, message.seq));
    let role = match message.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System | Role::Summary => "system",
    };
    let mut metadata = json!({ "seq": message.seq, "status": message.status, "created_ms": message.created_ms });
    for (name, value) in [
        ("turn", json!(message.turn)),
        ("model", json!(message.model)),
        ("finish_reason", json!(message.finish_reason)),
        ("usage", json!(message.usage)),
        ("error", json!(message.error)),
    ] {
        if !value.is_null() {
            metadata[name] = value;
        }
    }
    json!({ "id": id, "role": role, "metadata": metadata, "parts": parts(message) })
}

fn parts(message: &Message) -> Vec<Value> {
    let state = if message.status == Status::Running { "streaming" } else { "done" };
    let mut parts: Vec<Value> = Vec::new();
    let mut calls = Map::new();
    // As the stream counts them, which gives parts their ids.
    let mut number = 0;
    for part in message.content.parts() {
        number += u32::from(!matches!(part, Part::ToolCall(_) | Part::ToolResult(_)));
        match part {
            Part::Text { text } => parts.push(json!({ "type": "text", "text": text, "state": state })),
            Part::Reasoning { text } => parts.push(json!({ "type": "reasoning", "text": text, "state": state })),
            Part::ToolCall(call) => {
                calls.insert(call.id.clone(), parts.len().into());
                parts.push(json!({
                    "type": format!("tool-{}", call.name), "toolCallId": call.id,
                    "state": "input-available", "input": call.arguments,
                }));
            }
            // A result stands with its call.
            Part::ToolResult(result) => {
                let Some(at) = calls.get(&result.id).and_then(Value::as_u64) else { continue };
                let Some(call) = usize::try_from(at).ok().and_then(|at| parts.get_mut(at)) else { continue };
                if result.is_error {
                    call["state"] = "output-error".into();
                    call["errorText"] = plain(&result.output).into();
                } else {
                    call["state"] = "output-available".into();
                    call["output"] = result.output.clone();
                }
            }
            other => parts.push(whole(other, number)),
        }
    }
    parts
}

fn whole(part: &Part, number: u32) -> Value {
    match of_part(part, number) {
        Some(chunk @ (Chunk::File { .. } | Chunk::SourceUrl { .. })) => json!(chunk),
        _ => json!({ "type": format!("data-{}", name_of(part)), "data": part }),
    }
}
