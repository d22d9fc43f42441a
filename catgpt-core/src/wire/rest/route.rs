//! Every route in one table: its method, its path, what it does, and how it is read.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::given::{Given, stated};
use super::{Ask, Request};
use crate::error::Result;
use crate::id::{Seq, SessionId};

/// A route of the API.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: &'static str,
    /// Its path, with at most one part that is an id: `/sessions/{session}/title`.
    pub path: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// The arguments that it takes in its query.
    pub query: &'static [&'static str],
    /// Whether it takes a body.
    pub body: bool,
    read: fn(&Given<'_>) -> Result<Ask>,
}

/// All of them. Where two paths fit, the one that stands first is meant.
pub static ROUTES: [Route; 24] = [
    get("/sessions", "The sessions: the pinned first, then the latest", &["limit", "after", "archived"], |given| {
        Ok(Ask::Sessions { limit: given.count("limit")?, after: given.cursor()?, archived: given.flag("archived")? })
    }),
    post("/sessions", "Make a session", |given| {
        let New { id, title, metadata } = given.body()?;
        Ok(Ask::Create { id, title, metadata })
    }),
    post("/sessions/delete", "Delete sessions", |given| {
        let Chosen { sessions } = given.body()?;
        Ok(Ask::DeleteMany { sessions })
    }),
    delete("/sessions/empty", "Delete the sessions in which nothing was ever said", |_| Ok(Ask::DeleteEmpty)),
    get("/sessions/{session}", "A session's facts", &[], |given| Ok(Ask::Info { session: given.session()? })),
    bodied("PATCH", "/sessions/{session}", "Rename, pin, put away or describe a session", |given| {
        let Changed { title, pinned, archived, metadata } = given.body()?;
        Ok(Ask::Change { session: given.session()?, title, pinned, archived, metadata })
    }),
    delete("/sessions/{session}", "Delete a session", |given| Ok(Ask::Delete { session: given.session()? })),
    get("/sessions/{session}/messages", "The newest messages of a branch", &["last", "head"], |given| {
        Ok(Ask::Messages { session: given.session()?, last: given.count("last")?, head: given.number("head")? })
    }),
    post("/sessions/{session}/select", "Show the newest branch through a message", |given| {
        let Through { seq } = given.body()?;
        Ok(Ask::Select { session: given.session()?, seq })
    }),
    post("/sessions/{session}/fork", "Copy a branch into a new session", |given| {
        let Copied { id, upto } = given.body()?;
        Ok(Ask::Fork { session: given.session()?, id, upto })
    }),
    post("/sessions/{session}/turns", "Say something, say it differently, or ask for another answer", |given| {
        Ok(Ask::Turn { command: given.command()?, format: given.format() })
    }),
    bodied("POST", "/sessions/{session}/title", "Have a model make a title", |given| {
        let Nothing {} = given.body()?;
        Ok(Ask::MakeTitle { session: given.session()? })
    }),
    post("/sessions/{session}/summary", "Have the conversation summed up", |given| {
        let Upto { upto } = given.body()?;
        Ok(Ask::Summarize { session: given.session()?, upto })
    }),
    get("/sessions/{session}/summaries", "All summaries", &[], |given| {
        Ok(Ask::Summaries { session: given.session()? })
    }),
    bodied("PUT", "/sessions/{session}/summary", "Use a former summary, or none", |given| {
        let Used { summary } = given.body()?;
        Ok(Ask::SetSummary { session: given.session()?, summary })
    }),
    get("/sessions/{session}/export", "A session as text", &["format"], |given| {
        Ok(Ask::Export { session: Some(given.session()?), format: given.argument("format")? })
    }),
    get("/export", "All sessions as text", &["format"], |given| {
        Ok(Ask::Export { session: None, format: given.argument("format")? })
    }),
    get("/turns", "The turns that run", &[], |_| Ok(Ask::Turns)),
    get("/turns/{turn}", "Watch a turn, from an offset on", &["offset"], |given| {
        Ok(Ask::Turn { command: given.attach()?, format: given.format() })
    }),
    bodied("POST", "/turns/{turn}/cancel", "Stop a turn", |given| {
        let Nothing {} = given.body()?;
        Ok(Ask::Cancel { turn: given.turn()? })
    }),
    get("/search", "Find messages and titles", &["q", "after", "limit"], |given| {
        let question = given.argument("q")?.unwrap_or_default();
        Ok(Ask::Search { question, after: given.argument("after")?, limit: given.count("limit")? })
    }),
    get("/usage", "What was used, and how far limits are", &["by", "from_ms", "to_ms", "session"], |given| {
        let session = given.argument("session")?.map(SessionId::new).transpose()?;
        let (from_ms, to_ms) = (given.number("from_ms")?, given.number("to_ms")?);
        Ok(Ask::Usage { by: given.groups()?, from_ms, to_ms, session })
    }),
    get("/models", "The models to choose from", &[], |_| Ok(Ask::Models)),
    get("/feed", "What happens to the sessions, as it happens", &["after"], |given| {
        Ok(Ask::Feed { after: given.news()?, format: given.format() })
    }),
];

type Read = fn(&Given<'_>) -> Result<Ask>;

const fn get(path: &'static str, summary: &'static str, query: &'static [&'static str], read: Read) -> Route {
    Route { method: "GET", path, summary, query, body: false, read }
}

const fn post(path: &'static str, summary: &'static str, read: Read) -> Route {
    bodied("POST", path, summary, read)
}

const fn delete(path: &'static str, summary: &'static str, read: Read) -> Route {
    Route { method: "DELETE", path, summary, query: &[], body: false, read }
}

const fn bodied(method: &'static str, path: &'static str, summary: &'static str, read: Read) -> Route {
    Route { method, path, summary, query: &[], body: true, read }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    id: Option<SessionId>,
    title: Option<String>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Chosen {
    sessions: Vec<SessionId>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    title: Option<String>,
    pinned: Option<bool>,
    archived: Option<bool>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Through {
    seq: Seq,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Copied {
    id: Option<SessionId>,
    upto: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Upto {
    upto: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Used {
    #[serde(deserialize_with = "stated")]
    summary: Option<Seq>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// What a request asks for, or which methods its path has.
pub(super) fn find(request: &Request) -> Result<Result<Ask>, Vec<&'static str>> {
    let fitting = || ROUTES.iter().filter_map(|route| Some((route, fits(route.path, &request.path)?)));
    match fitting().find(|(route, _)| route.method == request.method) {
        Some((route, at)) => Ok((route.read)(&Given { at, request })),
        None => Err(fitting().map(|(route, _)| route.method).collect::<BTreeSet<_>>().into_iter().collect()),
    }
}

/// What stands in the place of the id, if the path is one of this route.
fn fits<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    let (mut parts, mut at) = (path.split('/'), "");
    for wanted in route.split('/') {
        let part = parts.next()?;
        if wanted.starts_with('{') && !part.is_empty() {
            at = part;
        } else if wanted != part {
            return None;
        }
    }
    parts.next().is_none().then_some(at)
}
