//! Which model answers.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ChatModel, Error, ErrorKind, Offline, OpenAi, Result};

use super::keys::{self, Provider};
use super::{Config, Said};

/// How long the offline cat pauses between words on a terminal, so that it is seen to stream.
const PACE: Duration = Duration::from_millis(25);

pub(crate) const DEFAULT_ENDPOINT: &str = "https://api.openai.com/v1";

/// Which model answers, and whether it is one.
#[derive(Debug)]
pub(crate) enum Model {
    OpenAi(Box<OpenAi>),
    /// Nothing is configured: the built-in cat.
    Offline,
}

impl Model {
    /// Touches no network.
    pub(crate) fn choose(config: &Config, named: Option<&str>) -> Result<Self> {
        let named = config.model(named);
        let key = keys::find(config, Provider::Openai)?;
        let model = match (key, config.base_url()) {
            (Some(key), None) => OpenAi::new(key),
            (Some(key), Some(url)) => at(OpenAi::new(key), &url)?,
            (None, Some(url)) => OpenAi::keyless(&url.value).map_err(|error| error.with("from", url.by))?,
            (None, None) => return named.map_or(Ok(Self::Offline), |named| Err(keyless(&named))),
        };
        Ok(Self::OpenAi(Box::new(match named {
            Some(named) => model.model(named.value),
            None => model,
        })))
    }

    /// As the engine takes it.
    pub(crate) fn build(self, paced: bool) -> Arc<dyn ChatModel> {
        match self {
            Self::OpenAi(model) => Arc::new(*model),
            Self::Offline if paced => Arc::new(Offline::new().paced(PACE)),
            Self::Offline => Arc::new(Offline::new()),
        }
    }
}

fn at(model: OpenAi, url: &Said<String>) -> Result<OpenAi> {
    model.base_url(&url.value).map_err(|error| error.with("from", url.by))
}

/// What to do about it: the variable, the command that stores a key, an endpoint that wants none.
fn keyless(named: &Said<String>) -> Error {
    let sentence = "this model needs a key: set OPENAI_API_KEY, or store it with catgpt keys set openai, or set \
                    OPENAI_BASE_URL for an endpoint without one, such as http://127.0.0.1:11434/v1";
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
