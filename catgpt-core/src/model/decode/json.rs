//! JSON as compatible servers really write it: broken characters, wrong types, numbers as strings.

use std::borrow::Cow;

use serde_json::Value;

/// The bytes as JSON. What is not UTF-8, and half a surrogate pair, becomes U+FFFD.
pub(crate) fn parse(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&mend(text)?).ok())
}

/// The error that the frame brings, if it does.
pub(crate) fn error(value: &Value) -> Option<&Value> {
    let error = if value["object"] == "error" { value } else { value.get("error")? };
    match error {
        Value::Object(fields) if !fields.is_empty() => Some(error),
        Value::String(text) if !text.is_empty() => Some(error),
        Value::Array(_) | Value::Number(_) | Value::Bool(true) => Some(error),
        _ => None,
    }
}

/// The members of a list; of anything else none.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A string as it is, a number or a truth value in letters, anything else as nothing.
pub(crate) fn scalar(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Bool(truth) => Cow::Owned(truth.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// A count, also as a fraction or in letters.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such a cast saturates: a count is a guess")]
pub(crate) fn number(value: &Value) -> Option<u64> {
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
