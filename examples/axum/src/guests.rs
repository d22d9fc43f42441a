//! Who somebody is without an account: a cookie for what is theirs, an address for how much they may ask.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use catgpt_core::wire::guest::{self, address_key};
use catgpt_core::wire::rest;
use catgpt_core::{Send, User};

use crate::app::App;

/// Who asks, and what the limits count him by.
#[derive(Clone)]
pub struct Guest {
    pub user: User,
    address: String,
}

impl Guest {
    /// A send that is counted for this guest's address.
    pub fn counted(&self, send: Send) -> Send {
        send.limit_key("ip", self.address.as_str())
    }
}

/// Knows browsers by their cookie, and gives one to those who have none.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let headers = request.headers();
    let secure = said(headers, "x-forwarded-proto") == Some("https");
    let known = guest::Guest::known("catgpt", said(headers, "cookie").unwrap_or_default(), secure);
    let (user, known) = match known.and_then(|known| Ok((app.engine.user(known.owner.as_str())?, known))) {
        Ok(known) => known,
        Err(error) => return rest::Response::error(&error).into_http().into_response(),
    };
    // A page that is opened again keeps its owner for another year.
    let renew = known.fresh || request.uri().path() == "/capabilities";
    // Whose limit it is: what the platform's header says if one is named, else where the connection comes from.
    let told = app.settings.client_ip_header.as_ref().and_then(|name| said(headers, name.as_str()));
    let peer = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_string());
    let address = address_key(&told.map(str::to_owned).or_else(peer).unwrap_or_default());
    request.extensions_mut().insert(Guest { user, address });
    let mut response = next.run(request).await;
    let cookie = known.set_cookie.parse().ok().filter(|_| renew);
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
