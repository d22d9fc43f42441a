//! Asking: addresses, connections, headers, and what a refusal means. What every model behind HTTP shares.

pub(super) mod answer;
pub(super) mod document;
pub(super) mod list;
mod reader;
mod retry_after;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::{self, Reveal};
use super::named::Vars;
use super::{Provider, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::Protocol;

/// The most bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 << 10;
const JSON: &str = "application/json";

/// How long each phase of an answer may take. The whole has no limit: it would cut long answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// From the request to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two pieces of the answer. Any byte counts, also a keep-alive comment.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// 10 s to connect; 120 s to the first byte, since a local model may have to be loaded and a long prompt has to be
    /// read; 60 s between two pieces.
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), first_byte: Duration::from_secs(120), idle: Duration::from_secs(60) }
    }
}

/// In which header a key travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "a build may have one provider only")]
pub(super) enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    ApiKey,
}

/// Where a protocol is spoken, with what key and what patience. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) key: Option<Secret>,
    pub(super) base_url: Url,
    pub(super) timeouts: Timeouts,
    pub(super) headers: HeaderMap,
    pub(super) reveal: Reveal,
    auth: Auth,
    /// Made when it is first needed, since only then all settings are known.
    client: Arc<OnceLock<reqwest::Client>>,
}

impl Endpoint {
    pub(super) fn new(key: Option<Secret>, base_url: Url, auth: Auth) -> Self {
        let (timeouts, headers, reveal) = (Timeouts::default(), HeaderMap::new(), Reveal::Codes);
        Self { key, base_url, timeouts, headers, reveal, auth, client: Arc::default() }
    }

    /// As the variables have it: with the protocol's own address where they name none. A base URL without a key is an
    /// endpoint that wants none.
    pub(super) fn from_vars(protocol: Protocol, vars: &Vars, auth: Auth) -> Result<Self> {
        if vars.key.is_none() && vars.base_url.is_none() {
            return Err(protocol.unconfigured());
        }
        let url = vars.base_url.as_deref().unwrap_or(protocol.base_url());
        Ok(Self::new(vars.key.clone(), base_url(url)?, auth))
    }

    /// At another address.
    pub(super) fn at(mut self, url: Url) -> Self {
        self.base_url = url;
        self.reconnected()
    }

    pub(super) fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self.reconnected()
    }

    /// With another header, whose value is treated as a secret.
    pub(super) fn header(mut self, name: &str, value: &str) -> Result<Self> {
        let bad = |_| Error::invalid("this cannot be a header's name").with("header", name.escape_debug());
        let name = HeaderName::try_from(name).map_err(bad)?;
        let bad = |_| Error::invalid("a header's value holds characters that cannot be sent").with("header", &name);
        let mut value = HeaderValue::try_from(value).map_err(bad)?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }

    fn reconnected(mut self) -> Self {
        self.client = Arc::default();
        self
    }

    /// Where answers come from, for spans and metrics.
    pub(super) fn provider(&self, name: &'static str) -> Provider {
        let url = &self.base_url;
        Provider { name: name.into(), address: url.host_str().map(str::to_owned), port: url.port_or_known_default() }
    }

    /// What would be sent there, for people: the address without what may be a secret, and no key.
    pub(super) fn preview(&self, path: &str, body: &[u8]) -> Value {
        let body: Value = serde_json::from_slice(body).expect("it was JSON a moment ago");
        json!({ "method": "POST", "url": shown(&self.url(path)), "body": body })
    }

    fn client(&self) -> Result<reqwest::Client> {
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = client(self)?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}/{path}", self.base_url.path().trim_end_matches('/')));
        url
    }

    /// Asks for a document; `query` goes behind the address.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Response> {
        let ask = |client: reqwest::Client, mut url: Url| {
            if !query.is_empty() {
                url.query_pairs_mut().extend_pairs(query);
            }
            client.get(url)
        };
        self.send(self.key.as_ref(), path, JSON, ask).await
    }

    /// Says something, with a key of the request's own if it has one, and is answered with a document.
    #[allow(dead_code, reason = "a build may have no model that draws")]
    pub(super) async fn post(&self, key: Option<&Secret>, path: &str, body: &impl Serialize) -> Result<Response> {
        self.say(key, path, JSON, json(body)).await
    }

    /// The same, and is answered with what `accept` says.
    async fn say(&self, key: Option<&Secret>, path: &str, accept: &'static str, body: Vec<u8>) -> Result<Response> {
        let post = |client: reqwest::Client, url| client.post(url).header(CONTENT_TYPE, JSON).body(body);
        self.send(key.or(self.key.as_ref()), path, accept, post).await
    }

    async fn send(
        &self,
        key: Option<&Secret>,
        path: &str,
        accept: &'static str,
        question: impl FnOnce(reqwest::Client, Url) -> reqwest::RequestBuilder,
    ) -> Result<Response> {
        let url = self.url(path);
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        if let Some(key) = key {
            let (name, value) = self.auth.header(key.expose())?;
            headers.insert(name, value);
        }
        headers.extend(self.headers.clone());
        let sent = question(self.client()?, url.clone()).headers(headers).send().await;
        let response = sent.map_err(|error| unreachable(error).with("url", shown(&url)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let error = refusal(response, key.map(|key| key.expose()), self.reveal).await;
        Err(match error.kind() {
            ErrorKind::NotFound | ErrorKind::InvalidInput => error.with("url", shown(&url)),
            _ => error,
        })
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("base_url", &shown(&self.base_url))
            .field("key", &self.key)
            .field("timeouts", &self.timeouts)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Auth {
    fn header(self, key: &str) -> Result<(HeaderName, HeaderValue)> {
        let (name, value) = match self {
            Self::Bearer => (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {key}"))),
            Self::ApiKey => (HeaderName::from_static("x-api-key"), HeaderValue::try_from(key)),
        };
        let mut value =
            value.map_err(|_| Error::new(ErrorKind::Unauthorized, "the key holds characters that cannot be sent"))?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

/// The body of a request.
pub(super) fn json(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("texts and numbers are always JSON")
}

/// What each of the clients can be told about its endpoint. They have the fields `endpoint`, `model` and `images`.
macro_rules! settings {
    () => {
        /// How long each phase may take.
        #[must_use]
        pub fn timeouts(mut self, timeouts: crate::model::Timeouts) -> Self {
            self.endpoint = self.endpoint.timeouts(timeouts);
            self
        }

        /// Sends another header with every request. Its value is treated as a secret.
        pub fn header(mut self, name: &str, value: &str) -> crate::error::Result<Self> {
            self.endpoint = self.endpoint.header(name, value)?;
            Ok(self)
        }

        /// Says that these models [take no pictures](crate::ChatModel::takes_images), so that a message with one is refused
        /// before it is stored. Without this the endpoint refuses it, and the turn fails.
        #[must_use]
        pub fn without_images(mut self) -> Self {
            self.images = false;
            self
        }

        /// Puts the provider's own sentence into errors, as the fact `detail`. It may repeat parts of the conversation, so
        /// this is off by default: then errors carry the provider's `type` and `code` alone.
        #[must_use]
        pub fn reveal_provider_messages(mut self) -> Self {
            self.endpoint.reveal = crate::model::failure::Reveal::Messages;
            self
        }
    };
}
pub(super) use settings;

/// The protocols' paths, as people copy them.
const PATHS: [&str; 3] = ["/chat/completions", "/responses", "/messages"];

/// Checks the address under which the protocol's paths stand.
pub(super) fn base_url(text: &str) -> Result<Url> {
    let bad = |message: &'static str| Error::invalid(message);
    let mut url = Url::parse(text.trim())
        .map_err(|error| bad("the base URL is not an address such as https://api.openai.com/v1").caused_by(error))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(bad("the base URL must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("the base URL must not hold a user or password: give the key, or a header, instead"));
    }
    url.set_fragment(None);
    // People copy the whole address.
    let path = url.path().trim_end_matches('/');
    let path = PATHS.iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path).to_owned();
    url.set_path(&path);
    Ok(url)
}

/// An address without what might be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn client(config: &Endpoint) -> Result<reqwest::Client> {
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(&config.base_url)?)
        .connect_timeout(config.timeouts.connect)
        // A redirect would carry the conversation to where nobody sent it.
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("catgpt/", env!("CARGO_PKG_VERSION")));
    if is_loopback(&config.base_url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| no_tls(error.without_url()))
}

/// TLS with this crate's own provider: a library must not choose one for the whole process.
fn tls(base_url: &Url) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(no_tls)?;
    let mut config = if base_url.scheme() == "http" {
        // Never used; so a machine without certificates can talk to its own models.
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    } else {
        let verifier = Arc::new(Verifier::new(provider).map_err(no_tls)?);
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn no_tls(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = "no secure connection can be made: does this machine have root certificates?";
    Error::new(ErrorKind::Unavailable, message).with_retryable(false).with("cause", &error).caused_by(error)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

async fn refusal(mut response: Response, key: Option<&str>, reveal: Reveal) -> Error {
    let status = response.status().as_u16();
    let after = retry_after::read(response.headers());
    let id = request_id(response.headers());
    let mut body = Vec::new();
    // What cannot be read of a refusal says nothing: its status does.
    while let Ok(Some(more)) = response.chunk().await {
        body.extend_from_slice(&more);
        if body.len() > MAX_REFUSAL {
            break;
        }
    }
    if let Some(key) = key.filter(|key| !key.is_empty()) {
        body = String::from_utf8_lossy(&body).replace(key, "…").into_bytes();
    }
    with_request_id(failure::at_status(status, &body, reveal).with_retry_after(after), id.as_deref())
}

/// The id under which the provider finds the request again.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id").or_else(|| headers.get("request-id"))?.to_str().ok()?;
    (!id.is_empty() && id.len() <= 128).then(|| id.to_owned())
}

pub(super) fn with_request_id(error: Error, id: Option<&str>) -> Error {
    match id {
        Some(id) => error.with("request_id", id),
        None => error,
    }
}

fn unreachable(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let base = if error.is_timeout() {
        Error::new(ErrorKind::Timeout, "the model could not be connected to in time")
    } else if error.is_connect() {
        Error::new(ErrorKind::Unavailable, "the model cannot be reached: check the base URL and the network")
    } else {
        Error::new(ErrorKind::Unavailable, "the connection to the model broke before it answered")
    };
    base.with("cause", root(&error)).caused_by(error)
}

/// The innermost cause: "Connection refused", "invalid peer certificate: UnknownIssuer".
pub(super) fn root(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
