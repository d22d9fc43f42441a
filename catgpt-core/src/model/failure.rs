//! What a provider's complaint means: from statuses, codes and phrasings to an [`Error`].
//!
//! Providers' sentences may repeat the prompt or the key. So an error carries the provider's `type` and `code`, and its
//! sentence only if the application asked for it ([`Reveal::Messages`]), cut to [`MAX_DETAIL`] characters.

use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// How much of a provider's complaint goes into errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reveal {
    /// Its `type` and `code`.
    #[default]
    Codes,
    /// Its sentence too.
    Messages,
}

/// The most characters of a provider's sentence.
const MAX_DETAIL: usize = 300;

/// How llama.cpp, vLLM, Ollama, LM Studio and others say that the conversation is too long.
const TOO_LONG: [&str; 9] = [
    "maximum context length",
    "exceeds the available context size",
    "context length exceeded",
    "exceeds the context length",
    "exceeds the model's context",
    "exceed context",
    "context window",
    "prompt is too long",
    "input is too long",
];

/// How OpenAI, llama.cpp, vLLM, Ollama, OpenRouter and others say that the model takes no pictures.
const NO_IMAGES: [&str; 8] = [
    "image input is not supported",
    "not support image",
    "support image input",
    "image_url is only supported by certain models",
    "not a multimodal model",
    "missing data required for image input",
    "does not support vision",
    "content part type for text-only",
];

/// How OpenAI in codes, and Anthropic in words, say that they cannot use a picture, which they never will.
const BAD_IMAGE_CODES: [&str; 13] = [
    "invalid_image",
    "invalid_image_format",
    "invalid_base64_image",
    "invalid_image_url",
    "invalid_image_mode",
    "image_too_large",
    "image_too_small",
    "image_parse_error",
    "image_file_too_large",
    "image_file_not_found",
    "unsupported_image_media_type",
    "empty_image_file",
    "failed_to_download_image",
];
const BAD_IMAGE: [&str; 4] =
    ["could not process image", "image exceeds", "image dimensions exceed", "image was specified using"];

/// The codes of filters.
const REFUSALS: [&str; 6] = [
    "content_filter",
    "bio_policy",
    "content_policy_violation",
    "moderation_blocked",
    "invalid_prompt",
    "image_content_policy_violation",
];

/// How OpenAI and Anthropic say that a model does not take a parameter that others take.
const NOT_TAKEN: [&str; 5] =
    ["deprecated for this model", "not supported with this model", "unsupported", "may only be set", "cannot both"];

/// How Anthropic says that its filter refuses, and that nothing is paid for any more: it has no codes for either.
const FILTERED: &str = "content filtering policy";
const UNPAID: &str = "credit balance is too low";

/// The error for an error object that came inside an answer that had begun well.
pub(crate) fn in_stream(complaint: &Value, reveal: Reveal) -> Error {
    let status = complaint["code"].as_u64().or_else(|| complaint["code"].as_str()?.parse().ok());
    let status = status.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
    describe(status, complaint, reveal)
}

/// The error for an HTTP status and what came with it.
pub(crate) fn at_status(status: u16, body: &[u8], reveal: Reveal) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    // Google wraps the document in a list.
    let body = body.get(0).unwrap_or(&body);
    let complaint = body.get("error").filter(|error| !error.is_null()).unwrap_or(body);
    describe(Some(status), complaint, reveal).with("status", status)
}

fn describe(status: Option<u16>, complaint: &Value, reveal: Reveal) -> Error {
    let sentence = complaint.as_str().or(complaint["message"].as_str()).unwrap_or_default();
    let code = word(&complaint["code"]);
    let kind = word(&complaint["type"]);
    let param = word(&complaint["param"]);
    let Verdict { kind: error, retryable, message } = judge(status, &code, &kind, sentence);
    let mut error = Error::new(error, message).with_retryable(retryable);
    for (name, word) in [("type", kind), ("code", code), ("param", param)] {
        if !word.is_empty() {
            error = error.with(name, word);
        }
    }
    if reveal == Reveal::Messages && !sentence.is_empty() {
        error = error.with("detail", sentence.chars().take(MAX_DETAIL).collect::<String>());
    }
    error
}

/// A word of a provider's own vocabulary; anything that might be more than that is left out.
fn word(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_key = text.starts_with("sk-");
    if text.len() <= 64 && text.chars().all(plain) && !is_key { text } else { String::new() }
}

struct Verdict {
    kind: ErrorKind,
    retryable: bool,
    message: &'static str,
}

fn judge(status: Option<u16>, code: &str, kind: &str, sentence: &str) -> Verdict {
    let is = |words: &[&str]| words.contains(&code) || words.contains(&kind);
    let says = |phrases: &[&str]| {
        let sentence = sentence.to_ascii_lowercase();
        phrases.iter().any(|phrase| sentence.contains(phrase))
    };
    let blames_request = !matches!(status, Some(401 | 403 | 404 | 429));
    if is(&["context_length_exceeded", "exceed_context_size_error", "request_too_large"])
        || blames_request && says(&TOO_LONG)
    {
        return verdict(ErrorKind::ContextTooLong, "the conversation does not fit into the model's context");
    }
    if !matches!(status, Some(401 | 403 | 429)) && says(&NO_IMAGES) {
        return verdict(ErrorKind::Refused, "this model takes no pictures: choose one that does, or send text");
    }
    if is(&BAD_IMAGE_CODES) || blames_request && says(&BAD_IMAGE) {
        let message = "the model cannot use a picture that it was sent: look at its size, its format and its address";
        return verdict(ErrorKind::Refused, message);
    }
    if is(&REFUSALS) || says(&[FILTERED]) {
        return verdict(ErrorKind::Refused, "the provider's filter refused this conversation");
    }
    if is(&["insufficient_quota", "billing_hard_limit_reached", "billing_error"])
        || status == Some(402)
        || says(&[UNPAID])
    {
        let message = "the account's quota is used up: look at its plan and billing";
        return Verdict { kind: ErrorKind::RateLimited, retryable: false, message };
    }
    if matches!(status, None | Some(400 | 422)) && says(&["temperature", "top_p"]) && says(&NOT_TAKEN) {
        let message =
            "this model does not take the sampling parameters that it was given: leave out temperature and top_p";
        return verdict(ErrorKind::InvalidInput, message);
    }
    match status {
        Some(status) => by_status(status),
        None if is(&["invalid_api_key", "authentication_error", "permission_error"]) => by_status(401),
        None if is(&["rate_limit_exceeded", "rate_limit_error", "requests", "tokens"]) => by_status(429),
        None if is(&["model_not_found", "not_found_error"]) => by_status(404),
        None if is(&["invalid_request_error", "BadRequestError", "data_residency_mismatch"]) => by_status(400),
        None => by_status(500),
    }
}

fn by_status(status: u16) -> Verdict {
    match status {
        401 | 403 => {
            verdict(ErrorKind::Unauthorized, "the model refused the key: check that it is valid for this model")
        }
        404 => verdict(ErrorKind::NotFound, "no such model, or no such path: check the model's name and the base URL"),
        408 => verdict(ErrorKind::Timeout, "the model did not answer in time: ask again"),
        429 => verdict(ErrorKind::RateLimited, "the model's rate limit is reached: wait, then ask again"),
        409 | 425 | 500.. => verdict(ErrorKind::Unavailable, "the model failed on its side: ask again"),
        ..=399 => verdict(ErrorKind::InvalidInput, "the endpoint has moved: put its new address into the base URL"),
        _ => verdict(ErrorKind::InvalidInput, "the model did not accept the request"),
    }
}

fn verdict(kind: ErrorKind, message: &'static str) -> Verdict {
    Verdict { kind, retryable: kind.is_retryable(), message }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(status: u16, complaint: Value) -> Error {
        at_status(status, json!({ "error": complaint }).to_string().as_bytes(), Reveal::Codes)
    }

    #[test]
    fn every_server_says_that_it_is_too_long_in_its_own_words() {
        let sentences = [
            "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.",
            "the request exceeds the available context size, try increasing it",
            "request (9001 tokens) exceeds the available context size (8192 tokens), try increasing it",
            "the input length exceeds the context length",
            "prompt is too long: 210000 tokens > 200000 maximum",
            "Please reduce the length: the prompt does not fit into the context window",
        ];
        for sentence in sentences {
            for complaint in [json!({ "message": sentence }), json!(sentence)] {
                let error = refused(400, complaint);
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::ContextTooLong, false), "{sentence}");
                assert!(!format!("{error:?}").contains(sentence));
            }
        }
        let error = refused(429, json!({ "message": "too many tokens a minute for this context window" }));
        assert_eq!(error.kind(), ErrorKind::RateLimited);
    }

    #[test]
    fn every_server_says_that_it_sees_nothing_in_its_own_words() {
        for (status, sentence) in [
            (400, "Invalid content type. image_url is only supported by certain models."),
            (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"),
            (400, "At most 0 image(s) may be provided: the model is not a multimodal model"),
            (404, "No endpoints found that support image input"),
            (400, "this model does not support image input"),
            (500, "this model is missing data required for image input"),
            (400, "Unsupported content part type for text-only server: image_url"),
        ] {
            let error = refused(status, json!({ "message": sentence }));
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Refused, false), "{sentence}");
            assert!(!format!("{error:?}").contains(sentence));
        }
        let error = refused(429, json!({ "message": "too many requests that support image input" }));
        assert_eq!(error.kind(), ErrorKind::RateLimited);
    }

    #[test]
    fn a_picture_that_cannot_be_used_is_not_tried_again() {
        let says = |sentence: &str| json!({ "type": "invalid_request_error", "message": sentence });
        for complaint in [
            says("Could not process image"),
            says("messages.2.content.0.image.source.base64: image exceeds 5 MB maximum: 8259148 bytes > 5242880 bytes"),
            says("messages.7.content.2: At least one of the image dimensions exceed max allowed size: 8000 pixels"),
            says(
                "The image was specified using the image/jpeg media type, but the image appears to be a image/png image",
            ),
            json!({ "type": "invalid_request_error", "code": "invalid_image_url", "param": "url" }),
        ] {
            for error in [refused(400, complaint.clone()), in_stream(&complaint, Reveal::Codes)] {
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Refused, false), "{complaint}");
                assert!(error.message().contains("picture"), "{error}");
            }
        }
        for code in BAD_IMAGE_CODES {
            let error = in_stream(&json!({ "code": code, "message": "m" }), Reveal::Codes);
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Refused, false), "{code}");
        }
    }

    #[test]
    fn codes_go_before_statuses() {
        assert_eq!(refused(500, json!({ "type": "exceed_context_size_error" })).kind(), ErrorKind::ContextTooLong);
        assert_eq!(refused(403, json!({ "code": "content_policy_violation" })).kind(), ErrorKind::Refused);
        let quota = refused(429, json!({ "code": "insufficient_quota" }));
        assert_eq!((quota.kind(), quota.is_retryable()), (ErrorKind::RateLimited, false));
    }

    #[test]
    fn what_has_no_code_of_its_own_is_told_by_its_words() {
        for (status, sentence, kind, retryable, says) in [
            (400, "Output blocked by content filtering policy", ErrorKind::Refused, false, "filter"),
            (400, "Your credit balance is too low to access the API", ErrorKind::RateLimited, false, "billing"),
            (
                400,
                "`temperature` is deprecated for this model.",
                ErrorKind::InvalidInput,
                false,
                "leave out temperature",
            ),
            (400, "`temperature` may only be set to 1 when thinking", ErrorKind::InvalidInput, false, "leave out"),
            (
                400,
                "Unsupported parameter: 'temperature' is not supported with this model.",
                ErrorKind::InvalidInput,
                false,
                "leave out",
            ),
            (400, "the word temperature alone says nothing", ErrorKind::InvalidInput, false, "did not accept"),
            (529, "Overloaded", ErrorKind::Unavailable, true, "ask again"),
        ] {
            let error = refused(status, json!({ "type": "invalid_request_error", "message": sentence }));
            assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{sentence}");
            assert!(error.message().contains(says), "{error}");
        }
        let named = refused(400, json!({ "code": "unsupported_value", "param": "temperature", "message": "no" }));
        assert_eq!(named.context("param"), Some("temperature"));
    }

    #[test]
    fn what_anthropic_says_in_a_stream_is_told_by_its_type() {
        for (kind, expected, retryable) in [
            ("overloaded_error", ErrorKind::Unavailable, true),
            ("api_error", ErrorKind::Unavailable, true),
            ("timeout_error", ErrorKind::Unavailable, true),
            ("rate_limit_error", ErrorKind::RateLimited, true),
            ("billing_error", ErrorKind::RateLimited, false),
            ("authentication_error", ErrorKind::Unauthorized, false),
            ("permission_error", ErrorKind::Unauthorized, false),
            ("not_found_error", ErrorKind::NotFound, false),
            ("invalid_request_error", ErrorKind::InvalidInput, false),
            ("request_too_large", ErrorKind::ContextTooLong, false),
        ] {
            let error = in_stream(&json!({ "type": kind, "message": "m" }), Reveal::Codes);
            assert_eq!((error.kind(), error.is_retryable()), (expected, retryable), "{kind}");
        }
    }

    #[test]
    fn documents_of_any_shape_are_read() {
        for body in ["", "<html>", "[]", "null", "{\"error\":null}", "[{\"error\":{\"status\":\"X\"}}]", "\u{feff}{}"] {
            assert_eq!(at_status(503, body.as_bytes(), Reveal::Messages).kind(), ErrorKind::Unavailable, "{body}");
        }
        let error = at_status(400, br#"[{"error":{"code":"odd_one"}}]"#, Reveal::Codes);
        assert_eq!(error.context("code"), Some("odd_one"));
    }

    #[test]
    fn only_words_pass_as_codes_and_sentences_are_cut() {
        for code in ["two words", "sk-abcdef", "käse", &"x".repeat(65)] {
            assert_eq!(refused(400, json!({ "code": code, "type": code })).context("code"), None, "{code}");
        }
        let body = json!({ "error": { "message": "é".repeat(1000) } }).to_string();
        let error = at_status(400, body.as_bytes(), Reveal::Messages);
        assert_eq!(error.context("detail").map(|detail| detail.chars().count()), Some(MAX_DETAIL));
    }
}
