//! The native half of `catgpt-node`: [`catgpt_core::bridge`] for one event loop of Node, private to the package.
//!
//! JSON goes in and out as one string a crossing, because reading one with `JSON.parse` is cheaper than building objects
//! property by property. Errors cross as the JSON of an `ErrorInfo`; the package makes the classes.

mod desk;
mod engine;
mod hub;
pub mod image;
mod models;
pub mod persona;
mod play;
mod stream;

use std::collections::{BTreeMap, HashMap};

use catgpt_core::wire::guest as guests;
use catgpt_core::wire::{Format, feed, rest};
use catgpt_core::{Error, ErrorKind, Finished, Limit, SessionId};
use napi_derive::napi;

/// Every kind of error, for the check of the package's tables: `[[kind, retryable, HTTP status], …]`.
#[napi]
pub fn kinds() -> String {
    write(&ErrorKind::ALL.map(|kind| (kind, kind.is_retryable(), kind.http_status())))
}

/// The error of a turn that did not come to a whole answer; both are JSON.
#[napi]
pub fn failure(finished: String) -> napi::Result<Option<String>> {
    Ok(read::<Finished>(&finished)?.failure().map(|error| write(&error)))
}

/// The headers of a response in each format: `{format: {name: value, …}, …}`.
#[napi]
pub fn headers() -> String {
    let headers = |format: Format| format.headers().iter().copied().collect::<BTreeMap<_, _>>();
    write(&Format::ALL.map(|format| (format, headers(format))).into_iter().collect::<HashMap<_, _>>())
}

/// The number in the id of a server-sent event of a feed.
#[napi]
pub fn news_position(event_id: String) -> Option<Id> {
    feed::parse_id(&event_id).map(u64::cast_signed)
}

/// The most bytes that the body of a request of the HTTP API may have.
#[napi]
pub fn max_body() -> Id {
    rest::MAX_BODY.try_into().unwrap_or(Id::MAX)
}

/// A limit as people write it, as JSON.
#[napi]
pub fn rate(thing: String, text: String) -> napi::Result<String> {
    Limit::rate(&thing, &text).map(|limit| write(&limit)).map_err(thrown)
}

/// Who sends these cookies, as JSON: `[owner, fresh, Set-Cookie]`.
#[napi]
pub fn guest(name: String, cookies: String, secure: bool) -> napi::Result<String> {
    let guests::Guest { owner, fresh, set_cookie, .. } =
        guests::Guest::known(&name, &cookies, secure).map_err(thrown)?;
    Ok(write(&(owner, fresh, set_cookie)))
}

/// By what a limit of an address counts.
#[napi]
pub fn address_key(told: String) -> String {
    guests::address_key(&told)
}

/// An id for a new session.
#[napi]
pub fn fresh_session() -> String {
    SessionId::fresh().as_str().to_owned()
}

/// The number that a subscription, call or question bears; in JavaScript a `number`.
type Id = i64;

/// An error as Node can throw it: its message is the JSON of an `ErrorInfo`.
fn thrown(error: impl Into<Error>) -> napi::Error {
    napi::Error::from_reason(write(&error.into().info()))
}

/// Reads JSON that the package wrote.
fn read<T: serde::de::DeserializeOwned>(json: &str) -> napi::Result<T> {
    let bad = |error| Error::new(ErrorKind::InvalidInput, "these options cannot be read").caused_by(error);
    serde_json::from_str(json).map_err(bad).map_err(thrown)
}

/// Writes JSON for the package.
fn write(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data has a JSON form")
}
