//! Who somebody is without an account: a cookie for what is theirs, an address for how much they may ask.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use catgpt_core::wire::rest;
use catgpt_core::{Error, ErrorKind, Send, User};
use sha2::{Digest, Sha256};

use crate::app::{App, answer};

const COOKIE: &str = "catgpt";
const YEAR: u32 = 365 * 86_400;

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

/// Knows browsers by a cookie of 128 random bits that no script can read, and gives one to those who have none.
pub async fn identify(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let shown = request.headers().get_all(header::COOKIE).iter().find_map(ours);
    // A page that is opened again keeps its owner for another year.
    let renew = shown.is_none() || request.uri().path() == "/capabilities";
    let secure = request.headers().get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let address = address(request.headers(), app.settings.client_ip_header.as_ref(), peer);
    let known = shown.map_or_else(fresh, Ok).and_then(|cookie| Ok((app.engine.user(owner(&cookie))?, cookie)));
    let (user, cookie) = match known {
        Ok(known) => known,
        Err(error) => return answer(rest::Response::error(&error)),
    };
    request.extensions_mut().insert(Guest { user, address });
    let mut response = next.run(request).await;
    let secure = if secure { "; Secure" } else { "" };
    let line = format!("{COOKIE}={cookie}; Path=/; Max-Age={YEAR}; HttpOnly; SameSite=Lax{secure}");
    response.headers_mut().extend(line.parse().ok().filter(|_| renew).map(|line| (header::SET_COOKIE, line)));
    response
}

/// The store holds a hash: who reads a backup cannot act as its owners.
pub fn owner(cookie: &str) -> String {
    let digest = Sha256::digest(cookie);
    format!("guest:{}", digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn ours(header: &HeaderValue) -> Option<String> {
    let ours = |value: &&str| value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut pairs = header.to_str().ok()?.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| Some(value).filter(ours).filter(|_| name == COOKIE)).map(str::to_owned)
}

fn fresh() -> Result<String, Error> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|error| Error::new(ErrorKind::Unexpected, "no randomness").caused_by(error))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bits)))
}

/// Whose limit it is: what the platform's header says if one is named, else where the connection comes from. An IPv6
/// customer has a whole /64, so that counts as one.
fn address(headers: &HeaderMap, named: Option<&HeaderName>, peer: Option<IpAddr>) -> String {
    let told = named.and_then(|name| headers.get(name)?.to_str().ok()?.trim().parse().ok());
    match told.or(peer) {
        Some(IpAddr::V6(address)) => IpAddr::from(((u128::from(address) >> 64) << 64).to_be_bytes()).to_string(),
        Some(address) => address.to_string(),
        None => "unknown".into(),
    }
}
