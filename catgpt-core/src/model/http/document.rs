//! Answers that are one document: read whole, never more than fits, and told apart from complaints.

use reqwest::Response;
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::model::failure::{self, Reveal};

/// The most bytes of a document. A message of the largest picture fits; so does OpenRouter's list of models, which has about
/// one million with all that it tells of each.
const MAX: usize = 16 << 20;

/// Reads it. An error that comes with HTTP 200 is an error.
pub(in crate::model) async fn read(mut response: Response, reveal: Reveal) -> Result<Value> {
    let id = super::request_id(response.headers());
    let document = whole(&mut response).await.and_then(|bytes| checked(&bytes, reveal));
    document.map_err(|error| super::with_request_id(error, id.as_deref()))
}

async fn whole(response: &mut Response) -> Result<Vec<u8>> {
    let broken = |error: reqwest::Error| {
        let error = error.without_url();
        let base = Error::new(ErrorKind::Unavailable, "the connection to the model broke in the middle of its answer");
        base.with("cause", super::root(&error)).caused_by(error)
    };
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await.map_err(broken)? {
        if bytes.len() + more.len() > MAX {
            let large = Error::new(ErrorKind::Unavailable, "the endpoint's answer is too large");
            return Err(large.with_retryable(false).with("max_bytes", MAX));
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

fn checked(bytes: &[u8], reveal: Reveal) -> Result<Value> {
    let document: Value = serde_json::from_slice(bytes).map_err(|_| unreadable())?;
    match document.get("error") {
        Some(Value::Null) | None => Ok(document),
        Some(complaint) => Err(failure::in_stream(complaint, reveal)),
    }
}

/// The endpoint speaks of something else.
pub(in crate::model) fn unreadable() -> Error {
    let text = "the endpoint does not answer as a model's does: check the base URL";
    Error::new(ErrorKind::Unavailable, text).with_retryable(false)
}
