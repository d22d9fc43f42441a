//! The routes: `POST /chat`, what the page asks first, and the engine's own HTTP API for all the rest.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use catgpt_core::wire::{Format, rest};
use catgpt_core::{Engine, Error, ErrorKind, Result, Send};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_http::cors::{AllowHeaders, AllowMethods, CorsLayer};
use tower_http::services::ServeDir;

use crate::guests::{Guest, identify};
use crate::settings::Settings;

const GREETING: &str = "Meow! I am CatGPT. Ask me anything; I have nine lives and nothing planned.";

/// What every route knows.
#[derive(Clone)]
pub struct App {
    pub engine: Engine,
    pub settings: Arc<Settings>,
}

/// The whole application.
pub fn router(engine: Engine, settings: Settings) -> Router {
    let page = ServeDir::new(&settings.web_dist);
    let cors = CorsLayer::new().allow_origin(settings.allowed_origins.clone()).allow_credentials(true);
    let cors = cors.allow_methods(AllowMethods::mirror_request()).allow_headers(AllowHeaders::mirror_request());
    let app = App { engine, settings: Arc::new(settings) };
    let owned = Router::new()
        .route("/chat", post(chat))
        .route("/capabilities", get(capabilities))
        .nest("/api", Router::new().fallback(api))
        .layer(DefaultBodyLimit::max(rest::MAX_BODY))
        .layer(from_fn_with_state(app.clone(), identify));
    owned.route("/health", get(health)).with_state(app).fallback_service(page).layer(cors)
}

/// What the browser sends: its session, and the newest message.
#[derive(Deserialize)]
struct Said {
    #[serde(rename = "sessionId")]
    session: String,
    message: String,
    key: Option<String>,
    model: Option<String>,
    #[serde(default)]
    image: bool,
}

/// Says something, and streams the answer as server-sent events.
async fn chat(State(app): State<App>, Extension(guest): Extension<Guest>, body: Bytes) -> impl IntoResponse {
    said(&app, &guest, &body).await.unwrap_or_else(|error| rest::Response::error(&error)).into_http()
}

async fn said(app: &App, guest: &Guest, body: &[u8]) -> Result<rest::Response> {
    let unread = |_| Error::new(ErrorKind::InvalidInput, r#"send {"sessionId": "…", "message": "…"}"#);
    let Said { session, message, key, model, image } = serde_json::from_slice(body).map_err(unread)?;
    let send = app.settings.chosen(guest.user.session(session)?.send(message), model, image)?;
    let send = key.into_iter().fold(guest.counted(send), Send::key);
    Ok(send.await?.into_response(Format::Sse))
}

/// Everything else is the engine's: lists, history, edits, attaching, search, usage, the feed.
async fn api(Extension(guest): Extension<Guest>, head: Parts, body: Bytes) -> impl IntoResponse {
    guest.user.serve(rest::Request::from_http(&head, body), |send| guest.counted(send)).await.into_http()
}

/// What the page shows, and how it talks.
async fn capabilities(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "app": "axum", "name": "CatGPT", "skin": "cat", "transport": "sse", "api": "/api", "auth": "none",
        "greeting": GREETING, "features": app.settings.features(), "models": app.settings.models,
    }))
}

/// Whether to send requests here.
async fn health(State(app): State<App>) -> impl IntoResponse {
    rest::Response::from(app.engine.health().await).into_http()
}
