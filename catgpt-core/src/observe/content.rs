//! Messages as OpenTelemetry writes them, for those who asked for content.

use serde_json::{Value, json};

use crate::message::{Content, FinishReason, Part};
use crate::model::PromptMessage;

/// `gen_ai.input.messages`.
pub(crate) fn input(messages: &[PromptMessage]) -> String {
    let message = |message: &PromptMessage| json!({ "role": message.role, "parts": parts(&message.content) });
    Value::from_iter(messages.iter().map(message)).to_string()
}

/// `gen_ai.output.messages`.
pub(crate) fn output(content: &Content, finish: Option<&FinishReason>) -> String {
    json!([{ "role": "assistant", "parts": parts(content), "finish_reason": finish }]).to_string()
}

fn parts(content: &Content) -> Vec<Value> {
    let part = |part: &Part| match part {
        Part::Text { text } => json!({ "type": "text", "content": text }),
        Part::Reasoning { text } => json!({ "type": "reasoning", "content": text }),
        Part::ToolCall(call) => {
            json!({ "type": "tool_call", "id": call.id, "name": call.name, "arguments": call.arguments })
        }
        Part::ToolResult(result) => json!({ "type": "tool_call_response", "id": result.id, "result": result.output }),
        // A picture, a citation: as we write it.
        other => json!(other),
    };
    content.parts().iter().map(part).collect()
}
