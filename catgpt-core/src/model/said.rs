//! What was said, taken apart as all protocols need it.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::message::{Part, ToolResult};

/// The steps of a reply: what the model said and asked for, and the results that it was then given.
pub(super) fn steps(parts: &[Part]) -> Vec<(&[Part], &[Part])> {
    let mut steps = Vec::new();
    let mut rest = parts;
    while !rest.is_empty() {
        let results = |part: &Part| matches!(part, Part::ToolResult(_));
        let (step, after) = rest.split_at(rest.iter().position(results).unwrap_or(rest.len()));
        let (answers, after) = after.split_at(after.iter().position(|part| !results(part)).unwrap_or(after.len()));
        steps.push((step, answers));
        rest = after;
    }
    steps
}

/// All text of some parts.
pub(super) fn texts(parts: &[Part]) -> Cow<'_, str> {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Text { text } => Some(text.as_str()),
        _ => None,
    });
    let first = Cow::Borrowed(texts.next().unwrap_or_default());
    texts.fold(first, |all, text| all + text)
}

/// A text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(value.to_string()),
    }
}

/// What a model is told of a call that was made. Where the protocol has no word for a failure, this has.
pub(super) fn outcome(result: &ToolResult) -> Cow<'_, str> {
    if result.is_error { Cow::Owned(json!({ "error": result.output }).to_string()) } else { as_text(&result.output) }
}
