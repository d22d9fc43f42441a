//! What belongs to no object: the process, names, personas and pictures.

use std::time::Duration;

use catgpt_core::bridge;
use catgpt_core::error::ErrorInfo;
use catgpt_core::wire::guest as guests;
use catgpt_core::wire::{Format, feed, rest, sse};
use catgpt_core::{Error, ErrorKind, Event, Image, Limit, Owner, Persona, SessionId};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::{Raised, Result, json};

/// This process is about to fork.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    py.detach(bridge::before_fork);
}

/// This process has forked, and is the parent.
#[pyfunction]
pub(crate) fn after_fork(py: Python<'_>) {
    py.detach(bridge::after_fork);
}

/// This process is a forked child.
#[pyfunction]
pub(crate) fn forked() {
    bridge::forked();
}

/// Ends the runtime, waiting so many milliseconds at most for what runs.
#[pyfunction]
pub(crate) fn shutdown(py: Python<'_>, most_ms: u64) {
    py.detach(|| bridge::shutdown(Duration::from_millis(most_ms)));
}

/// The library's version.
#[pyfunction]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Every kind of error: its code, whether trying again may help, and its HTTP status.
#[pyfunction]
pub(crate) fn kinds() -> Vec<(&'static str, bool, u16)> {
    ErrorKind::ALL.map(|kind| (kind.as_str(), kind.is_retryable(), kind.http_status())).to_vec()
}

/// The error of an ended turn, as JSON, from its last event.
#[pyfunction]
pub(crate) fn failure(finished: &str) -> Result<Option<String>> {
    match serde_json::from_str(finished) {
        Ok(Event::Finished(finished)) => Ok(finished.failure().as_ref().map(json)),
        _ => Err(Error::new(ErrorKind::InvalidInput, "this is not the last event of a turn").into()),
    }
}

/// An owner's name, if it can be one.
#[pyfunction]
pub(crate) fn owner(name: &Bound<'_, PyString>) -> Result<String> {
    Ok(Owner::new(unicode(name)?)?.as_str().to_owned())
}

/// A session's id, if it can be one; without one a fresh id.
#[pyfunction]
#[pyo3(signature = (id=None))]
pub(crate) fn session(id: Option<&Bound<'_, PyString>>) -> Result<String> {
    let id = id.map_or_else(|| Ok(SessionId::fresh()), |id| Ok::<_, Raised>(SessionId::new(unicode(id)?)?))?;
    Ok(id.as_str().to_owned())
}

/// A client's JSON can bring a string that is not Unicode.
fn unicode<'a>(given: &'a Bound<'_, PyString>) -> Result<&'a str> {
    let half = "half of a character is no text: give whole Unicode characters";
    given.to_str().map_err(|_| Error::new(ErrorKind::InvalidInput, half).into())
}

/// The turn and the offset in the id of a server-sent event.
#[pyfunction]
pub(crate) fn position(event_id: &str) -> Option<(String, u64)> {
    sse::parse_id(event_id).map(|(turn, offset)| (turn.to_string(), offset))
}

/// The number in the id of a server-sent event of a feed.
#[pyfunction]
pub(crate) fn news_position(event_id: &str) -> Option<u64> {
    feed::parse_id(event_id)
}

/// Every format a reply can be sent in, with the headers of its response.
#[pyfunction]
pub(crate) fn formats() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    Format::ALL.map(|format| (json(&format).trim_matches('"').to_owned(), format.headers().to_vec())).to_vec()
}

/// The name and the value of a header.
type Header = (&'static str, String);

/// A route of the HTTP API: its method, its path, what it does, the arguments of its query, whether it takes a body.
type Route = (&'static str, &'static str, &'static str, Vec<&'static str>, bool);

/// Every route of the HTTP API: its method, its path, what it does, the arguments of its query, whether it takes a body.
#[pyfunction]
pub(crate) fn routes() -> Vec<Route> {
    rest::ROUTES
        .iter()
        .map(|route| (route.method, route.path, route.summary, route.query.to_vec(), route.body))
        .collect()
}

/// A refusal as a response, from an error as JSON: its status, its headers, its body.
#[pyfunction]
pub(crate) fn refusal<'py>(py: Python<'py>, error: &str) -> Result<(u16, Vec<Header>, Bound<'py, PyBytes>)> {
    let unread = |error| Error::new(ErrorKind::InvalidInput, "this is no error").caused_by(error);
    let info: ErrorInfo = serde_json::from_str(error).map_err(unread)?;
    let response = rest::Response::error(&info.into());
    let headers = response.headers.into_iter().map(|(name, value)| (name, value.into_owned())).collect();
    let rest::Body::Whole(body) = response.body else { return Ok((response.status, headers, PyBytes::new(py, b""))) };
    Ok((response.status, headers, PyBytes::new(py, &body)))
}

/// Who sends these cookies: the owner, whether they are new, and the header that sets the cookie.
#[pyfunction]
pub(crate) fn guest(name: &str, cookies: &str, secure: bool) -> Result<(String, bool, String)> {
    let guests::Guest { owner, fresh, set_cookie, .. } = guests::Guest::known(name, cookies, secure)?;
    Ok((owner.as_str().to_owned(), fresh, set_cookie))
}

/// By what a limit of an address counts.
#[pyfunction]
pub(crate) fn address_key(told: &str) -> String {
    guests::address_key(told)
}

/// A limit as people write it, as JSON.
#[pyfunction]
pub(crate) fn rate(thing: &str, text: &str) -> Result<String> {
    Ok(json(&Limit::rate(thing, text)?))
}

/// The built-in persona of this name, as JSON.
#[pyfunction]
pub(crate) fn persona(name: &str) -> Result<String> {
    Ok(json(&bridge::Who::Builtin(name.to_owned()).read()?))
}

/// A persona from the text of its file, as JSON.
#[pyfunction]
pub(crate) fn persona_from_markdown(text: &str) -> Result<String> {
    Ok(json(&Persona::from_markdown(text)?))
}

/// A persona from its file, as JSON.
#[pyfunction]
pub(crate) fn persona_from_file(path: std::path::PathBuf) -> Result<String> {
    Ok(json(&Persona::load(path)?))
}

/// A picture of these bytes, as JSON.
#[pyfunction]
pub(crate) fn image(py: Python<'_>, data: &[u8]) -> Result<String> {
    Ok(py.detach(|| Image::from_bytes(data)).map(|image| json(&image))?)
}

/// A picture from its file, as JSON.
#[pyfunction]
pub(crate) fn image_from_file(py: Python<'_>, path: std::path::PathBuf) -> Result<String> {
    Ok(py.detach(|| Image::load(path)).map(|image| json(&image))?)
}
