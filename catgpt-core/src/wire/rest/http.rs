//! For servers that speak the types of the `http` crate, as axum, hyper and their like do.

use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::StreamExt;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body::{Frame, SizeHint};

use super::{Body, Request, Response};
use crate::error::Error;

impl Request {
    /// What of an HTTP request the API reads. Its path is to be below where the API is mounted, as a nested router has it.
    pub fn from_http(head: &Parts, body: impl Into<Vec<u8>>) -> Self {
        let header = |name| Some(head.headers.get(name)?.to_str().ok()?.to_owned());
        Self {
            method: head.method.to_string(),
            path: head.uri.path().into(),
            query: head.uri.query().unwrap_or_default().into(),
            last_event_id: header("last-event-id"),
            accept: header("accept"),
            body: body.into(),
        }
    }
}

impl Response {
    /// The same as an HTTP response.
    pub fn into_http(self) -> http::Response<Body> {
        let mut response = http::Response::new(self.body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in self.headers {
            response
                .headers_mut()
                .extend(HeaderValue::from_str(&value).map(|value| (HeaderName::from_static(name), value)));
        }
        response
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(take(bytes).into())))),
            Self::Stream(pieces) => {
                pieces.poll_next_unpin(context).map(|piece| Some(piece?.map(|bytes| Frame::data(bytes.into()))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body::Body as _;

    use super::*;

    #[test]
    fn a_request_is_read_from_its_head() {
        let builder = http::Request::builder().method("PATCH").uri("http://host/sessions/a%20b?limit=2&after=x");
        let (head, ()) = builder.header("accept", "a/b").header("last-event-id", "t:3").body(()).unwrap().into_parts();
        let expected = Request {
            method: "PATCH".into(),
            path: "/sessions/a%20b".into(),
            query: "limit=2&after=x".into(),
            last_event_id: Some("t:3".into()),
            accept: Some("a/b".into()),
            body: b"{}".to_vec(),
        };
        assert_eq!(Request::from_http(&head, "{}"), expected);
    }

    #[test]
    fn a_response_keeps_its_status_and_headers() {
        let response = Response::error(&crate::Error::not_found("session")).into_http();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut body = response.into_body();
        let length = http_body::Body::size_hint(&body).exact().unwrap();
        let mut frame =
            || futures_util::FutureExt::now_or_never(poll_fn(|context| Pin::new(&mut body).poll_frame(context)));
        assert_eq!(frame().unwrap().unwrap().unwrap().into_data().unwrap().len() as u64, length);
        assert!(frame().unwrap().is_none());
    }
}
