//! Answers that are not streams: refusals, and whole documents.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Fault, Script, http};

/// The whole response of a script that does not stream.
pub(super) fn response(script: &Script) -> Option<Vec<u8>> {
    let fault = script.fault?;
    let (status, headers) = match fault {
        Fault::RateLimit => (429, format!("retry-after: {}\r\n", script.retry_after)),
        Fault::RateLimitMs => (429, format!("retry-after-ms: {}\r\n", u64::from(script.retry_after) * 1000)),
        Fault::RateLimitDate => (429, dates(script.retry_after)),
        Fault::Quota => (429, String::new()),
        Fault::BadKey => (401, String::new()),
        Fault::NoModel => (404, String::new()),
        Fault::ServerError => (500, String::new()),
        Fault::Overloaded => (503, String::new()),
        Fault::Context | Fault::ContextPhrase | Fault::Filter | Fault::NoImages | Fault::BadRequest => {
            (400, String::new())
        }
        Fault::ErrorBody => (200, String::new()),
        Fault::WholeBody => return Some(whole_body(script)),
        Fault::Page => {
            return Some(http::response(200, "text/html", "", "<html><body>Welcome to nginx!</body></html>"));
        }
        _ => return None,
    };
    let headers = format!("x-request-id: req_fake\r\n{headers}");
    Some(http::response(status, "application/json", &headers, &json!({ "error": complaint(fault) }).to_string()))
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

/// The answer as one document.
pub(super) fn whole_body(script: &Script) -> Vec<u8> {
    let text: String = (0..script.chunks()).map(|n| script.chunk(n)).collect();
    let body = json!({
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1_757_600_000,
        "model": "fake",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": "stop" }],
        "usage": super::frames::usage(script.chunks()),
    });
    http::response(200, "application/json", "", &body.to_string())
}
