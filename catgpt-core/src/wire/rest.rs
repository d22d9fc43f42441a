//! The HTTP API, without a server: a request as plain data is read as an [`Ask`] from a closed set, and a [`Response`] is
//! plain data too, or a stream of bytes. [`User::serve`](crate::User::serve) stands between the two; `docs/http.md` has
//! the contract.

mod ask;
mod given;
#[cfg(feature = "http")]
mod http;
mod route;

use std::borrow::Cow;
use std::fmt;

use futures_util::stream::{BoxStream, StreamExt};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use super::Format;
use crate::error::{Error, ErrorInfo, ErrorKind, Result};
use crate::observe::Health;

pub use ask::Ask;
pub(crate) use given::spelled;
pub use route::{ROUTES, Route};

/// The most bytes that the body of a request may have: the longest message, each byte escaped, would be longer.
pub const MAX_BODY: usize = super::ws::MAX_FRAME;

/// A request, as a server got it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path below where the API is mounted, as it stands in the request line: `/sessions/a%20b`.
    pub path: String,
    /// What stands behind the `?`, as it stands there.
    pub query: String,
    /// The header of this name.
    pub last_event_id: Option<String>,
    /// The header of this name.
    pub accept: Option<String>,
    /// The body.
    #[serde(deserialize_with = "text")]
    pub body: Vec<u8>,
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<u8>, D::Error> {
    String::deserialize(deserializer).map(String::into_bytes)
}

/// Shows neither what is said nor what is looked for.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers; a name stands there once, in lower case.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body.
    pub body: Body,
}

/// The body of a response.
pub enum Body {
    /// All of it. Empty for a response that has none.
    Whole(Vec<u8>),
    /// Piece by piece, none of them empty, each to be written when it comes. An error says that the rest is missing: break
    /// the connection off, so that nobody takes what came for all. Dropping it ends a subscription, and never a turn.
    Stream(BoxStream<'static, Result<Vec<u8>>>),
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole(_) => "Whole",
            Self::Stream(_) => "Stream",
        })
    }
}

impl Response {
    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("plain data has a JSON form");
        let mut response = Self { status, headers: Vec::new(), body: Body::Whole(body) };
        response.put("content-type", "application/json");
        response.put("cache-control", "no-store");
        response.put("x-content-type-options", "nosniff");
        response
    }

    pub(crate) fn empty() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::Whole(Vec::new()) }
    }

    pub(crate) fn stream(format: Format, body: BoxStream<'static, Result<Vec<u8>>>) -> Self {
        let body = body.filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())));
        let headers = format.headers().iter().map(|(name, value)| (*name, Cow::Borrowed(*value))).collect();
        Self { status: 200, headers, body: Body::Stream(body.boxed()) }
    }

    /// The answer to a request that failed: the status of the error's kind, the error as JSON, and when to come again.
    pub fn error(error: &Error) -> Self {
        Self::refusal(error.kind().http_status(), &error.info())
    }

    fn refusal(status: u16, info: &ErrorInfo) -> Self {
        let mut response = Self::json(status, &json!({ "error": info }));
        if let Some(ms) = info.retry_after_ms {
            response.put("retry-after", ms.div_ceil(1000).max(1).to_string());
        }
        response
    }

    /// Sets a header, in the place of one of its name.
    pub(crate) fn put(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
    }
}

impl From<Health> for Response {
    /// For a `/health`: 200, or 503 where no requests should be sent.
    fn from(health: Health) -> Self {
        Self::json(if health.healthy { 200 } else { 503 }, &health)
    }
}

/// Reads a request: what is asked, or how it is refused.
///
/// # Errors
/// 404 for a path that is none, 405 for one that has no such method, 413 for a body that is too large, and what is wrong
/// with an argument. No refusal quotes what was sent.
pub fn read(request: &Request) -> Result<Ask, Response> {
    if request.body.len() > MAX_BODY {
        let error =
            Error::invalid(format!("a body may have at most {MAX_BODY} bytes")).with("bytes", request.body.len());
        return Err(Response::refusal(413, &error.info()));
    }
    match route::find(request) {
        Ok(found) => found.map_err(|error| Response::error(&error)),
        Err(allowed) if allowed.is_empty() => Err(Response::error(&Error::not_found("path in this API"))),
        Err(allowed) => {
            let error = Error::new(ErrorKind::Unsupported, "this path has no such method");
            let mut response = Response::refusal(405, &error.info());
            response.put("allow", allowed.join(", "));
            Err(response)
        }
    }
}

#[cfg(test)]
mod tests;
