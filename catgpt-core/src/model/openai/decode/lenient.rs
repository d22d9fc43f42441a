//! The second reading of a frame, for what the first could not take: wrong types, nulls, numbers as strings, content
//! in parts.

use std::borrow::Cow;

use serde_json::Value;

use super::frame::{Choice, CompletionTokens, Delta, Frame, Function, Piece, PromptTokens, Tokens};
use crate::model::decode::json::{error, list, number, scalar};

/// What can be read of a chunk, whose choices keep their content under `body`.
pub(super) fn frame<'a>(value: &'a Value, body: &str) -> Frame<'a> {
    let choices = list(&value["choices"]).filter(|choice| choice.is_object());
    Frame {
        choices: choices.map(|choice| self::choice(choice, body)).collect(),
        usage: value.get("usage").filter(|usage| usage.is_object()).map(tokens),
        error: error(value).cloned(),
        object: Cow::Borrowed(""),
    }
}

fn choice<'a>(value: &'a Value, body: &str) -> Choice<'a> {
    Choice {
        index: number(&value["index"]),
        delta: delta(&value[body]),
        finish_reason: scalar(&value["finish_reason"]),
    }
}

fn delta(value: &Value) -> Delta<'_> {
    let mut delta = Delta {
        reasoning_content: scalar(&value["reasoning_content"]),
        reasoning: scalar(&value["reasoning"]),
        refusal: value["refusal"].as_str().unwrap_or_default().into(),
        tool_calls: Some(list(&value["tool_calls"]).filter(|call| call.is_object()).map(piece).collect()),
        content: Cow::Borrowed(""),
    };
    match &value["content"] {
        Value::Array(parts) => parts.iter().for_each(|part| content_part(part, &mut delta)),
        content => delta.content = scalar(content),
    }
    delta
}

/// A part of content: `{"type":"text","text":…}`, a bare string, or `{"type":"thinking","thinking":[parts]}`.
fn content_part(part: &Value, delta: &mut Delta<'_>) {
    if let Some(thoughts) = part["thinking"].as_array() {
        let thoughts = thoughts.iter().map(|thought| scalar(&thought["text"]));
        thoughts.for_each(|thought| delta.reasoning_content.to_mut().push_str(&thought));
    } else {
        let text = if part.is_string() { scalar(part) } else { scalar(&part["text"]) };
        delta.content.to_mut().push_str(&text);
    }
}

fn piece(value: &Value) -> Piece<'_> {
    let function = &value["function"];
    let arguments = match &function["arguments"] {
        arguments @ (Value::Object(_) | Value::Array(_)) => Cow::Owned(arguments.to_string()),
        arguments => scalar(arguments),
    };
    Piece {
        index: number(&value["index"]),
        id: scalar(&value["id"]),
        function: Function { name: scalar(&function["name"]), arguments },
    }
}

fn tokens(value: &Value) -> Tokens {
    let nested = |outer: &str, inner: &str| number(&value[outer][inner]);
    Tokens {
        prompt_tokens: number(&value["prompt_tokens"]).unwrap_or(0),
        completion_tokens: number(&value["completion_tokens"]).unwrap_or(0),
        prompt_tokens_details: Some(PromptTokens { cached_tokens: nested("prompt_tokens_details", "cached_tokens") }),
        completion_tokens_details: Some(CompletionTokens {
            reasoning_tokens: nested("completion_tokens_details", "reasoning_tokens"),
        }),
    }
}
