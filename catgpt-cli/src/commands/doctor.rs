//! `catgpt doctor`: what would be used, where it is, and whether it works. Shows no secret.

use std::fmt::Display;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use catgpt_core::id::{Owner, TurnId};
use catgpt_core::model::Protocol;
use catgpt_core::{Engine, Error, Offline};

use super::block_on;
use crate::args::Common;
use crate::config::keys::{self, Provider};
use crate::config::{Config, ENCRYPTION_KEYS, FILE, Folders, Model, Shown, Store, host, known_personas, private, var};
use crate::exit::{Exit, Failure, told};
use crate::notes::Notes;

/// How long an endpoint may take to accept a connection.
const REACH: Duration = Duration::from_secs(3);

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
    let config = configured(common, &mut report)?;
    model(&config, &mut report)?;
    folders(&mut report)?;
    block_on(async {
        store(&config, Notes::new(common), &mut report).await?;
        Ok(if report.healthy { Exit::Ok } else { Exit::Failed })
    })
}

/// What is wrong in the user's file is told, and the rest looked at without it.
fn configured(common: &Common, report: &mut Report) -> io::Result<Config> {
    let path = Folders::find().map(|folders| folders.config.display().to_string()).unwrap_or_default();
    let there = if Path::new(&path).exists() { "" } else { " (not there, and need not be)" };
    match Config::load(common) {
        Ok(config) => report.good("config", format_args!("{path}{there}")).map(|()| config),
        Err(error) => report.bad("config", told(&error)).map(|()| Config::without_file(common)),
    }
}

fn model(config: &Config, report: &mut Report) -> io::Result<()> {
    let said = config.model(None);
    let (protocol, _) = Protocol::of(said.as_ref().map_or("", |said| &said.value));
    match Model::choose(config, None) {
        Err(error) => return report.bad("model", told(&error)),
        Ok(Model::Offline) if said.is_some() => return report.good("model", "the offline cat, as it is told"),
        Ok(Model::Offline) => {
            let state = "the offline cat, since there is neither a key (OPENAI_API_KEY, catgpt keys set) nor \
                         OPENAI_BASE_URL";
            return report.good("model", state);
        }
        Ok(Model::Asked(_, model)) => {
            let by = said.map_or("the default", |said| said.by);
            report.good("model", format_args!("{} by {} ({by})", model.name(), protocol.name()))?;
        }
    }
    // It was found just now, so this cannot fail.
    match keys::source(config, Provider::of(protocol)).ok().flatten() {
        Some(source) => report.good("key", format_args!("from {source}"))?,
        None => report.good("key", "none")?,
    }
    match config.base_url(protocol) {
        Some(url) => endpoint(&url.value, url.by, report),
        None => endpoint(protocol.base_url(), "the default", report),
    }
}

fn endpoint(url: &str, source: &str, report: &mut Report) -> io::Result<()> {
    let Some((host, port)) = host(url) else {
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
            let names = known_personas().join(", ");
            report.good("personas", format_args!("{names} (your own: {})", folders.personas.display()))?;
            match keys::names(&folders.keys) {
                Ok(names) if names.is_empty() => report.good("keys", "none are kept")?,
                Ok(_) => report.good("keys", folders.keys.display())?,
                Err(error) => report.bad("keys", told(&error))?,
            }
            report.good("cache", folders.cache.display())
        }
        Err(error) => report.bad("folders", told(&error)),
    }
}

async fn store(config: &Config, notes: Notes, report: &mut Report) -> io::Result<()> {
    match config.encryption() {
        Ok(None) => report.good("encrypted", format_args!("no: neither {ENCRYPTION_KEYS} nor {FILE} names keys"))?,
        Ok(Some(_)) => {
            let by = config.encryption_keys().map_or("", |said| said.by);
            report.good("encrypted", format_args!("with the keys that {by} names"))?;
        }
        Err(error) => report.bad("encrypted", told(&error))?,
    }
    let store = match Store::choose(config) {
        Ok(store) => store,
        Err(error) => return report.bad("store", told(&error)),
    };
    let (place, file) = match &store {
        Store::File(path) => (path.display().to_string(), store.file()),
        // The URL itself may hold a password.
        Store::Url(_, source) => (format!("from {source}"), store.file()),
    };
    // Opening it would make it, and looking makes nothing.
    if let Some(file) = file.filter(|file| !file.exists()) {
        let own = matches!(store, Store::File(_));
        return match own || folder(file).is_dir() {
            true => report.good("store", format_args!("{place} (not there yet; the first chat makes it)")),
            false => report.bad("store", format_args!("{place} (its folder is not there: make it, or name another)")),
        };
    }
    match look(config, &store, notes).await {
        Ok(state) => report.good("store", format_args!("{place} ({state}{})", mode(file)))?,
        Err(error) => report.bad("store", told(&error))?,
    }
    live(config, Shown::choose(config, &store), report).await
}

fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Says nothing if answers are shown nowhere else, as is usual.
async fn live(config: &Config, shown: Option<Shown>, report: &mut Report) -> io::Result<()> {
    let Some(shown) = shown else { return Ok(()) };
    let asked = async {
        let live = shown.open(config).await?;
        live.tail(&Owner::local(), TurnId::fresh(), 0).await?;
        live.close().await
    };
    match asked.await {
        Ok(()) => report.good("live", format_args!("from {} (works)", shown.1)),
        Err(error) => report.bad("live", told(&error)),
    }
}

async fn look(config: &Config, store: &Store, notes: Notes) -> catgpt_core::Result<String> {
    let engine = Engine::builder().model(Offline::new()).memory(store.open(config, notes).await?).build();
    let (health, page) = (engine.health().await, config.user(&engine)?.sessions(None, 1).await);
    engine.close(Duration::ZERO).await?;
    health.store.error.map_or(Ok(()), |error| Err(Error::from(error)))?;
    let chats = if page?.sessions.is_empty() { ", no chats yet" } else { "" };
    let schema = health.schema.map(|version| format!(", schema {version}")).unwrap_or_default();
    let sealed = if health.encrypted { ", encrypted" } else { "" };
    Ok(format!("works{sealed}{chats}{schema}, looked in {} ms", health.store.latency_ms))
}

/// A warning about a file that others can read.
fn mode(file: Option<&Path>) -> String {
    match file.and_then(private::open_to_others) {
        Some(mode) => format!("; others may read it: mode {mode:o}, better 600"),
        None => String::new(),
    }
}
