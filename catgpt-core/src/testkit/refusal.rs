//! Answers that are not streams: refusals, and whole documents.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Dialect, Fault, Script, frames, http};

/// The whole response of a script that does not stream.
pub(super) fn response(script: &Script, dialect: Dialect) -> Option<Vec<u8>> {
    let fault = script.fault?;
    let anthropic = dialect == Dialect::Messages;
    let (status, headers) = match fault {
        Fault::RateLimit => (429, format!("retry-after: {}\r\n", script.retry_after)),
        Fault::RateLimitMs => (429, format!("retry-after-ms: {}\r\n", u64::from(script.retry_after) * 1000)),
        Fault::RateLimitDate => (429, dates(script.retry_after)),
        Fault::Quota if anthropic => (400, String::new()),
        Fault::Quota => (429, String::new()),
        Fault::BadKey => (401, String::new()),
        Fault::NoModel => (404, String::new()),
        Fault::ServerError => (500, String::new()),
        Fault::Overloaded => (if anthropic { 529 } else { 503 }, String::new()),
        Fault::Context | Fault::ContextPhrase | Fault::Filter | Fault::NoImages | Fault::BadRequest => {
            (400, String::new())
        }
        Fault::ErrorBody => (200, String::new()),
        Fault::WholeBody => return Some(whole_body(script, dialect)),
        Fault::Page => {
            return Some(http::response(200, "text/html", "", "<html><body>Welcome to nginx!</body></html>"));
        }
        _ => return None,
    };
    let (id, body) = if anthropic {
        ("request-id", json!({ "type": "error", "error": self::anthropic(fault), "request_id": "req_fake" }))
    } else {
        ("x-request-id", json!({ "error": complaint(fault) }))
    };
    Some(http::response(status, "application/json", &format!("{id}: req_fake\r\n{headers}"), &body.to_string()))
}

fn dates(after: u32) -> String {
    let now = SystemTime::now();
    let then = now + Duration::from_secs(after.into());
    format!("date: {}\r\nretry-after: {}\r\n", httpdate::fmt_http_date(now), httpdate::fmt_http_date(then))
}

/// An error object, as providers write it.
pub(super) fn complaint(fault: Fault) -> Value {
    let (message, kind, code): (&str, &str, Value) = match fault {
        Fault::RateLimit | Fault::RateLimitMs | Fault::RateLimitDate => {
            ("Rate limit reached for requests", "requests", "rate_limit_exceeded".into())
        }
        Fault::Quota => ("You exceeded your current quota", "insufficient_quota", "insufficient_quota".into()),
        Fault::BadKey => ("Incorrect API key provided", "invalid_request_error", "invalid_api_key".into()),
        Fault::NoModel => ("The model does not exist", "invalid_request_error", "model_not_found".into()),
        Fault::Context => (
            "This model's maximum context length is 8192 tokens",
            "invalid_request_error",
            "context_length_exceeded".into(),
        ),
        Fault::ContextPhrase => (
            "request (9001 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "invalid_request_error",
            400.into(),
        ),
        Fault::NoImages => (
            "Invalid content type. image_url is only supported by certain models.",
            "invalid_request_error",
            Value::Null,
        ),
        Fault::Filter => ("The response was filtered", "invalid_request_error", "content_filter".into()),
        Fault::BadRequest => ("Invalid message: 'a secret of the user'", "invalid_request_error", Value::Null),
        Fault::ErrorNumber => ("Provider is rate limited", "", 429.into()),
        _ => ("The server had an error while processing your request", "server_error", Value::Null),
    };
    json!({ "message": message, "type": kind, "param": null, "code": code })
}

/// An error object, as Anthropic writes it.
pub(super) fn anthropic(fault: Fault) -> Value {
    let (kind, message) = match fault {
        Fault::RateLimit | Fault::RateLimitMs | Fault::RateLimitDate | Fault::ErrorNumber => {
            ("rate_limit_error", "This request would exceed your organization's rate limit")
        }
        Fault::Quota => ("invalid_request_error", "Your credit balance is too low to access the Anthropic API"),
        Fault::BadKey => ("authentication_error", "invalid x-api-key"),
        Fault::NoModel => ("not_found_error", "model: fake"),
        Fault::Context => ("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        Fault::ContextPhrase => {
            ("invalid_request_error", "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000")
        }
        Fault::NoImages => ("invalid_request_error", "this model does not support image input"),
        Fault::Filter => ("invalid_request_error", "Output blocked by content filtering policy"),
        Fault::BadRequest => ("invalid_request_error", "messages.1: 'a secret of the user'"),
        Fault::Overloaded | Fault::ErrorFrame => ("overloaded_error", "Overloaded"),
        _ => ("api_error", "Internal server error"),
    };
    json!({ "type": kind, "message": message })
}

/// The answer as one document.
pub(super) fn whole_body(script: &Script, dialect: Dialect) -> Vec<u8> {
    if let Some(document) = frames::document(script, dialect) {
        return http::response(200, "application/json", "", &document.to_string());
    }
    let text: String = (0..script.chunks()).map(|n| script.chunk(n)).collect();
    let mut message = json!({ "role": "assistant", "content": text });
    let finish = if script.calls.is_empty() { "stop" } else { "tool_calls" };
    if !script.calls.is_empty() {
        message["tool_calls"] = (0..).zip(&script.calls).map(|(n, call)| frames::called(n, call)).collect();
    }
    let body = json!({
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_757_600_000,
        "model": "fake",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish }],
        "usage": super::frames::usage(script.chunks()),
    });
    http::response(200, "application/json", "", &body.to_string())
}
