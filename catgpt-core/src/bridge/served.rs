//! The HTTP API for hosts: a response whose body is read by their event loop.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::Poll;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde::Serialize;

use super::hub::Hub;
use super::json;
use super::options::SendOptions;
use super::subscription::Polled;
use super::tap::Tap;
use crate::error::Result;
use crate::user::User;
use crate::wire::rest::{Body, Request, Response};

/// A response: its head as JSON, and its body piece by piece. Dropping or closing it ends a subscription, and no turn.
pub struct Served {
    head: String,
    tap: Tap<BoxStream<'static, Result<Vec<u8>>>>,
}

#[derive(Serialize)]
struct Head {
    status: u16,
    headers: Vec<(&'static str, Cow<'static, str>)>,
    /// Whether there is no more of the body than the first piece, if there is one.
    whole: bool,
}

pub(super) async fn serve(user: User, request: Request, options: SendOptions, hub: &Arc<Hub>) -> Served {
    match options.ready() {
        Ok(with) => Served::new(user.serve(request, with).await, hub),
        Err(error) => Served::new(Response::error(&error), hub),
    }
}

impl Served {
    fn new(response: Response, hub: &Arc<Hub>) -> Self {
        let Response { status, headers, body } = response;
        let (whole, body) = match body {
            Body::Whole(bytes) => (true, stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed()),
            Body::Stream(stream) => (false, stream),
        };
        Self { head: json(&Head { status, headers, whole }), tap: Tap::new(body, hub) }
    }

    /// The number that [`Notice::Ready`](super::Notice::Ready) bears.
    pub fn id(&self) -> u64 {
        self.tap.id
    }

    /// `{"status": 200, "headers": [["content-type", "…"], …], "whole": true}`: whether the body is one piece at most.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The next piece of the body.
    ///
    /// # Errors
    /// What keeps the rest from coming: break the connection off. `Closed` in a forked child of the process that made it.
    pub fn poll_bytes(&self) -> Result<Polled<Vec<u8>>> {
        self.tap.poll(|body, cx| match body.poll_next_unpin(cx) {
            Poll::Ready(next) => next.transpose().map(Poll::Ready),
            Poll::Pending => Ok(Poll::Pending),
        })
    }

    /// Ends it, as dropping does.
    pub fn close(&self) {
        self.tap.close();
    }
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served").field("head", &self.head).finish_non_exhaustive()
    }
}
