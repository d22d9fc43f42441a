//! The second reading of a frame, for what the first could not take: wrong types, nulls, numbers as strings, content
//! in parts, broken characters.

use std::borrow::Cow;

use serde_json::Value;

use super::frame::{Choice, CompletionTokens, Delta, Frame, Function, Piece, PromptTokens, Tokens};

/// The bytes as JSON. What is not UTF-8, and half a surrogate pair, becomes U+FFFD.
pub(super) fn parse(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&mend(text)?).ok())
}

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

/// The error that the frame brings, if it does.
pub(super) fn error(value: &Value) -> Option<&Value> {
    let error = if value["object"] == "error" { value } else { value.get("error")? };
    match error {
        Value::Object(fields) if !fields.is_empty() => Some(error),
        Value::String(text) if !text.is_empty() => Some(error),
        Value::Array(_) | Value::Number(_) | Value::Bool(true) => Some(error),
        _ => None,
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

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A string as it is, a number or a truth value in letters, anything else as nothing.
fn scalar(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(truth) => Cow::Owned(truth.to_string()),
        _ => Cow::Borrowed(""),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast saturates: a count is a guess")]
fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|n| n as u64)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Replaces halves of surrogate pairs, which servers that cut UTF-16 send as `\ud83d`. `None`: there are none.
fn mend(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut mended = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (taken, good) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, true),
            (Some(0xD800..=0xDFFF), _) => (6, false),
            _ => (1 + escape[1..].chars().next().map_or(0, char::len_utf8), true),
        };
        out.push_str(if good { &escape[..taken] } else { "\u{fffd}" });
        mended |= !good;
        rest = &escape[taken..];
    }
    out.push_str(rest);
    mended.then_some(out)
}

/// The number of an escape such as `\u00e9` at the beginning of `text`.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}
