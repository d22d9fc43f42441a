//! The routes: who asks, what of it is the engine's, and how errors look.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use catgpt_core::wire::Format;
use catgpt_core::{Engine, Error, ErrorKind, User};
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tower_http::cors::CorsLayer;
use tower_http::services::ServeDir;

use crate::settings::Settings;

const COOKIE: &str = "catgpt_owner";
const YEAR_SECONDS: u32 = 365 * 86_400;
/// A little more than the largest message.
const MOST: usize = 17 << 20;
const GREETING: &str = "Meow! What shall we chase today?";
const FEATURES: [&str; 1] = ["sounds"];

#[derive(Clone)]
struct App {
    engine: Engine,
    proxies: usize,
}

/// Who asks, and from where.
#[derive(Clone)]
struct Client {
    user: User,
    address: IpAddr,
}

/// The whole application.
pub fn router(engine: Engine, settings: &Settings) -> Router {
    let app = App { engine, proxies: settings.proxies };
    let api = Router::new()
        .route("/capabilities", get(capabilities))
        .route("/chat", post(chat))
        .layer(DefaultBodyLimit::max(MOST))
        .route_layer(from_fn_with_state(app.clone(), identify));
    let page = ServeDir::new(&settings.dist);
    let all = api.route("/health", get(health)).with_state(app).fallback_service(page);
    if settings.origins.is_empty() { all } else { all.layer(cors(&settings.origins)) }
}

/// Pages of other origins are let in by name, with their cookie.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.to_vec())
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([header::CONTENT_TYPE, header::ACCEPT])
        .expose_headers([header::RETRY_AFTER])
}

/// A browser's random name is who owns its sessions: nobody can guess it, and no script reads it.
async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, Refusal> {
    let known = request.headers().get_all(header::COOKIE).iter().filter_map(owner).next();
    let fresh = known.is_none().then(fresh_owner).transpose()?;
    let owner = known.as_ref().or(fresh.as_ref()).map_or("", |owner| owner);
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let peer =
        peer.ok_or_else(|| Error::new(ErrorKind::Unexpected, "serve this router with its clients' addresses"))?;
    let client = Client { user: app.engine.user(owner)?, address: address(request.headers(), peer, app.proxies) };
    request.extensions_mut().insert(client);
    let secure = app.proxies > 0 && request.headers().get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let mut response = next.run(request).await;
    if let Some(owner) = fresh {
        let secure = if secure { "; Secure" } else { "" };
        let cookie = format!("{COOKIE}={owner}; Max-Age={YEAR_SECONDS}; Path=/; HttpOnly; SameSite=Lax{secure}");
        response.headers_mut().insert(header::SET_COOKIE, cookie.parse().map_err(unexpected)?);
    }
    Ok(response)
}

fn owner(cookies: &HeaderValue) -> Option<String> {
    let pairs = cookies.to_str().ok()?.split(';').filter_map(|pair| pair.trim().split_once('='));
    let ours =
        |name: &str, value: &str| name == COOKIE && value.len() == 32 && value.bytes().all(|b| b.is_ascii_hexdigit());
    pairs.into_iter().find(|(name, value)| ours(name, value)).map(|(_, value)| value.to_owned())
}

fn fresh_owner() -> Result<String, Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(unexpected)?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// The client's address: behind `proxies` of them, what the first of those saw.
fn address(headers: &HeaderMap, peer: IpAddr, proxies: usize) -> IpAddr {
    let told = headers.get_all("x-forwarded-for").iter().filter_map(|told| told.to_str().ok());
    let told: Vec<&str> = told.flat_map(|told| told.split(',')).map(str::trim).collect();
    told.iter().rev().take(proxies).map_while(|told| told.parse().ok()).last().unwrap_or(peer)
}

async fn capabilities() -> impl IntoResponse {
    Json(json!({
        "app": "axum", "name": "CatGPT on Rust", "skin": "cat", "transport": "sse", "api": "/api", "auth": "none",
        "greeting": GREETING, "features": FEATURES,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ask {
    session_id: String,
    message: String,
    key: Option<String>,
}

/// The newest message of a session; its answer as server-sent events.
async fn chat(
    Extension(client): Extension<Client>,
    ask: Result<Json<Ask>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(Ask { session_id, message, key }) = ask?;
    let mut send = client.user.session(session_id)?.send(message).limit_key("ip", client.address.to_string());
    if let Some(key) = key {
        send = send.key(key);
    }
    let bytes = send.await?.into_bytes(Format::Sse);
    let mut response = Response::builder();
    for (name, value) in Format::Sse.headers() {
        response = response.header(*name, *value);
    }
    Ok(response.body(Body::from_stream(bytes.map(Ok::<_, Infallible>))).map_err(unexpected)?)
}

async fn health(State(app): State<App>) -> impl IntoResponse {
    let health = app.engine.health().await;
    (if health.healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, Json(health))
}

/// An error as the engine's own API tells it.
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(_: JsonRejection) -> Self {
        Self(Error::new(ErrorKind::InvalidInput, r#"send {"sessionId": "…", "message": "…"} as application/json"#))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.kind().http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(json!({ "error": self.0.info() }))).into_response();
        if let Some(wait) = self.0.retry_after() {
            let seconds = wait.as_millis().div_ceil(1000).to_string();
            response.headers_mut().extend(seconds.parse().ok().map(|seconds| (header::RETRY_AFTER, seconds)));
        }
        response
    }
}

fn unexpected(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Unexpected, "the server failed").caused_by(cause)
}
