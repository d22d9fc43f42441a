//! Asking: addresses, connections, headers, and what a refusal means.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use serde::Serialize;

use super::{Config, OpenAi, request, retry_after};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ModelRequest, Secret, failure};

/// The most bytes of a refusal that are read.
const MAX_REFUSAL: usize = 64 << 10;

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
    let path = path.strip_suffix("/chat/completions").unwrap_or(path).to_owned();
    url.set_path(&path);
    Ok(url)
}

/// An address without what might be secret in it.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn endpoint(config: &Config, path: &str) -> Url {
    let mut url = config.base_url.clone();
    url.set_path(&format!("{}/{path}", config.base_url.path().trim_end_matches('/')));
    url
}

/// The connections of one [`OpenAi`].
pub(super) fn client(config: &Config) -> Result<reqwest::Client> {
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

/// One question.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) model: OpenAi,
    pub(super) request: ModelRequest,
}

impl Call {
    /// Asks. Ends well once the other side has begun to answer.
    pub(super) async fn open(self) -> Result<Response> {
        let config = &self.model.config;
        let key = self.request.credentials.as_ref().or(config.key.as_ref());
        let body = request::body(config, &self.request);
        let post = |client: reqwest::Client, url| client.post(url).header(CONTENT_TYPE, JSON).body(body);
        send(&self.model, key, "chat/completions", "text/event-stream", post).await
    }
}

const JSON: &str = "application/json";

/// Asks for a document.
pub(super) async fn get(model: &OpenAi, path: &str) -> Result<Response> {
    send(model, model.config.key.as_ref(), path, JSON, |client, url| client.get(url)).await
}

/// Says something, with a key of the request's own if it has one, and is answered with a document.
pub(super) async fn post(model: &OpenAi, key: Option<&Secret>, path: &str, body: &impl Serialize) -> Result<Response> {
    let body = serde_json::to_vec(body).expect("texts and numbers are always JSON");
    let post = |client: reqwest::Client, url| client.post(url).header(CONTENT_TYPE, JSON).body(body);
    send(model, key.or(model.config.key.as_ref()), path, JSON, post).await
}

async fn send(
    model: &OpenAi,
    key: Option<&Secret>,
    path: &str,
    accept: &'static str,
    question: impl FnOnce(reqwest::Client, Url) -> reqwest::RequestBuilder,
) -> Result<Response> {
    let config = &model.config;
    let url = endpoint(config, path);
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    if let Some(key) = key {
        headers.insert(AUTHORIZATION, bearer(key.expose())?);
    }
    headers.extend(config.headers.clone());
    let sent = question(model.client()?, url.clone()).headers(headers).send().await;
    let response = sent.map_err(|error| unreachable(error).with("url", shown(&url)))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let error = refusal(response, key.map(|key| key.expose()), config).await;
    Err(match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidInput => error.with("url", shown(&url)),
        _ => error,
    })
}

fn bearer(key: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {key}"))
        .map_err(|_| Error::new(ErrorKind::Unauthorized, "the key holds characters that cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn refusal(mut response: Response, key: Option<&str>, config: &Config) -> Error {
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
    with_request_id(failure::at_status(status, &body, config.reveal).with_retry_after(after), id.as_deref())
}

/// The id under which the provider finds the request again.
pub(super) fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
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
