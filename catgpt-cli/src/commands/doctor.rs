//! `catgpt doctor`: what would be used, where it is, and whether it works. Shows no secret.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use catgpt_core::id::{Owner, TurnId};
use catgpt_core::{Engine, Error, Offline, Persona, memory};

use super::block_on;
use crate::args::Common;
use crate::config::{Folders, Model, Shown, Store, personas, var};
use crate::exit::{Exit, Failure};

/// How long an endpoint may take to accept a connection.
const REACH: Duration = Duration::from_secs(3);
const DEFAULT_ENDPOINT: &str = "https://api.openai.com/v1";

/// What was found so far.
struct Report {
    out: io::Stdout,
    healthy: bool,
}

impl Report {
    fn good(&mut self, what: &str, state: impl Display) -> io::Result<()> {
        writeln!(self.out, "{what:<9} {state}")
    }

    fn bad(&mut self, what: &str, state: impl Display) -> io::Result<()> {
        self.healthy = false;
        writeln!(self.out, "{what:<9} PROBLEM: {state}")
    }
}

pub(crate) fn doctor(common: &Common) -> Result<Exit, Failure> {
    let mut report = Report { out: io::stdout(), healthy: true };
    report.good("version", env!("CARGO_PKG_VERSION"))?;
    model(&mut report)?;
    folders(&mut report)?;
    block_on(async {
        store(common, &mut report).await?;
        Ok(if report.healthy { Exit::Ok } else { Exit::Failed })
    })
}

fn model(report: &mut Report) -> io::Result<()> {
    match Model::choose(None) {
        Err(error) => return report.bad("model", error),
        Ok(Model::Offline) => {
            let state = "the offline cat, since neither OPENAI_API_KEY nor OPENAI_BASE_URL is set";
            return report.good("model", state);
        }
        Ok(Model::OpenAi(model)) => report.good("model", catgpt_core::ChatModel::name(&*model))?,
    }
    let key = if var("OPENAI_API_KEY").is_some() { "from OPENAI_API_KEY" } else { "none" };
    report.good("key", key)?;
    let (url, source) = match var("OPENAI_BASE_URL") {
        Some(url) => (url, "OPENAI_BASE_URL"),
        None => (DEFAULT_ENDPOINT.to_owned(), "the default"),
    };
    endpoint(&url, source, report)
}

fn endpoint(url: &str, source: &str, report: &mut Report) -> io::Result<()> {
    let Some((host, port)) = address(url) else {
        return report.bad("endpoint", format_args!("the URL of {source} has no host"));
    };
    let place = format!("{host}:{port} ({source})");
    match reach(host.to_owned(), port) {
        Ok(()) => report.good("endpoint", format_args!("{place} accepts connections")),
        Err(_) if var("HTTPS_PROXY").or(var("https_proxy")).or(var("ALL_PROXY")).is_some() => {
            report.good("endpoint", format_args!("{place} cannot be reached directly; a proxy is set"))
        }
        Err(error) => report.bad("endpoint", format_args!("{place} does not answer: {error}")),
    }
}

/// Host and port of an HTTP URL; never what may be a password before them.
fn address(url: &str) -> Option<(&str, u16)> {
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

/// Connects and hangs up. Looking up a name cannot be hurried, so it has a thread of its own.
fn reach(host: String, port: u16) -> io::Result<()> {
    let (done, answer) = mpsc::channel();
    thread::spawn(move || {
        let connect = || {
            let found = (host.as_str(), port).to_socket_addrs()?;
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in found {
                match TcpStream::connect_timeout(&address, REACH) {
                    Ok(_) => return Ok(()),
                    Err(error) => last = error,
                }
            }
            Err(last)
        };
        let _ = done.send(connect());
    });
    answer.recv_timeout(REACH).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

fn folders(report: &mut Report) -> io::Result<()> {
    match Folders::find() {
        Ok(folders) => {
            let own = personas(&folders.personas);
            let names = Persona::BUILTIN.iter().map(|&name| name.to_owned()).chain(own).collect::<Vec<_>>().join(", ");
            report.good("personas", format_args!("{names} (your own: {})", folders.personas.display()))
        }
        Err(error) => report.bad("personas", error),
    }
}

async fn store(common: &Common, report: &mut Report) -> io::Result<()> {
    let store = match Store::choose(common) {
        Ok(store) => store,
        Err(error) => return report.bad("store", error),
    };
    let (place, file) = match &store {
        Store::File(path) => (path.display().to_string(), Some(path.as_path())),
        // The URL itself may hold a password.
        Store::Url(url, source) => (format!("from {source}"), memory::file(url)),
    };
    // Opening it would make it, and looking makes nothing.
    if let Some(file) = file.filter(|file| !file.exists()) {
        let own = matches!(store, Store::File(_));
        return match own || folder(file).is_dir() {
            true => report.good("store", format_args!("{place} (not there yet; the first chat makes it)")),
            false => report.bad("store", format_args!("{place} (its folder is not there: make it, or name another)")),
        };
    }
    match look(&store).await {
        Ok(state) => report.good("store", format_args!("{place} ({state}{})", mode(file)))?,
        Err(error) => report.bad("store", error)?,
    }
    live(Shown::choose(common, &store), report).await
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Says nothing if answers are shown nowhere else, as is usual.
async fn live(shown: Option<Shown>, report: &mut Report) -> io::Result<()> {
    let Some(shown) = shown else { return Ok(()) };
    let asked = async {
        let live = shown.open().await?;
        live.tail(&Owner::local(), TurnId::fresh(), 0).await?;
        live.close().await
    };
    match asked.await {
        Ok(()) => report.good("live", format_args!("from {} (works)", shown.1)),
        Err(error) => report.bad("live", error),
    }
}

async fn look(store: &Store) -> catgpt_core::Result<String> {
    let engine = Engine::builder().model(Offline::new()).memory(store.open().await?).build();
    let (health, page) = (engine.health().await, engine.local().sessions(None, 1).await);
    engine.close(Duration::ZERO).await?;
    health.store.error.map_or(Ok(()), |error| Err(Error::from(error)))?;
    let chats = if page?.sessions.is_empty() { ", no chats yet" } else { "" };
    let schema = health.schema.map(|version| format!(", schema {version}")).unwrap_or_default();
    let sealed = if health.encrypted { ", encrypted" } else { "" };
    Ok(format!("works{chats}{schema}{sealed}, looked in {} ms", health.store.latency_ms))
}

/// A warning about a file that others can read.
fn mode(file: Option<&Path>) -> String {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.and_then(|file| file.metadata().ok()).map_or(0o600, |data| data.permissions().mode() & 0o777);
    if mode & 0o077 == 0 { String::new() } else { format!("; others may read it: mode {mode:o}, better 600") }
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
            assert_eq!(address(url), found, "{url}");
        }
    }
}
