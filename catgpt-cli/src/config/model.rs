//! Which model answers: the protocol that its name begins with, where that is spoken, and with which key.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::model::{Access, Protocol, named};
use catgpt_core::{ChatModel, Error, ErrorKind, Offline, Result};

use super::keys::{self, Provider};
use super::{Config, FILE, Said, var};

/// How long the offline cat pauses between words on a terminal, so that it is seen to stream.
const PACE: Duration = Duration::from_millis(25);
/// The name under which the cat can be asked for.
const OFFLINE: &str = "offline";

/// Which model answers, and whether it is one.
#[derive(Debug)]
pub(crate) enum Model {
    Asked(Protocol, Arc<dyn ChatModel>),
    /// Nothing is configured, or the built-in cat is wanted.
    Offline,
}

impl Model {
    /// Touches no network.
    pub(crate) fn choose(config: &Config, option: Option<&str>) -> Result<Self> {
        let said = config.model(option);
        let name = said.as_ref().map_or("", |said| said.value.as_str());
        if name == OFFLINE {
            return Ok(Self::Offline);
        }
        let (protocol, _) = Protocol::of(name);
        let (key, url) = (keys::find(config, Provider::of(protocol))?, config.base_url(protocol));
        let nothing = key.is_none() && url.is_none();
        match said {
            None if nothing => return Ok(Self::Offline),
            Some(said) if nothing => return Err(keyless(protocol, &said)),
            _ => {}
        }
        let by = url.as_ref().map(|url| url.by);
        let access = Access { key, base_url: url.map(|url| url.value) };
        let name = if name.is_empty() { "openai:" } else { name };
        let model = named(name, &access);
        model
            .map(|model| Self::Asked(protocol, model))
            .map_err(|error| by.into_iter().fold(error, |error, by| error.with("from", by)))
    }

    /// As the engine takes it.
    pub(crate) fn build(self, paced: bool) -> Arc<dyn ChatModel> {
        match self {
            Self::Asked(_, model) => model,
            Self::Offline if paced => Arc::new(Offline::new().paced(PACE)),
            Self::Offline => Arc::new(Offline::new()),
        }
    }
}

impl Config {
    /// Which endpoint was named for a protocol. That of the user's file is for models whose name begins with none.
    pub(crate) fn base_url(&self, protocol: Protocol) -> Option<Said<String>> {
        let variable = protocol.base_url_variable();
        if let Some(url) = var(variable) {
            return Some(Said::new(url.trim().to_owned(), variable));
        }
        let own = self.settings.base_url.clone().filter(|_| Provider::of(protocol) == Provider::Openai);
        own.map(|url| Said::new(url, FILE))
    }
}

/// A name that a server of this protocol has, as `--model` takes it.
pub(crate) fn prefixed(protocol: Protocol, name: &str) -> String {
    match protocol {
        Protocol::OpenAi => name.to_owned(),
        protocol => format!("{}:{name}", protocol.name()),
    }
}

/// What to do about it: the variable, the command that keeps a key, an endpoint that wants none.
fn keyless(protocol: Protocol, named: &Said<String>) -> Error {
    let (key, url) = (protocol.key_variable(), protocol.base_url_variable());
    let provider = Provider::of(protocol).name();
    let sentence = format!(
        "this model needs a key: set {key}, or keep it with catgpt keys set {provider}, or set {url} for an endpoint \
         without one, such as http://127.0.0.1:11434/v1"
    );
    Error::new(ErrorKind::Unauthorized, sentence).with("model", &named.value).with("from", named.by)
}

/// Host and port of an HTTP URL; never what may be a password before them.
pub(crate) fn host(url: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let place = authority.rsplit('@').next()?;
    let default = if scheme.eq_ignore_ascii_case("http") { 80 } else { 443 };
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (place, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_an_endpoint_has_no_password() {
        for (url, found) in [
            ("https://api.openai.com/v1", Some(("api.openai.com", 443))),
            ("http://127.0.0.1:11434/v1", Some(("127.0.0.1", 11434))),
            ("http://me:secret@host/v1", Some(("host", 80))),
            ("http://[::1]:8080/v1", Some(("::1", 8080))),
            ("http://[::1]/v1", Some(("::1", 80))),
            ("https://", None),
            ("host", None),
            ("http://host:port", None),
        ] {
            assert_eq!(host(url), found, "{url}");
        }
    }
}
