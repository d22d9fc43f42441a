//! What these tests are written with.

use std::path::Path;

use tempfile::TempDir;

use crate::error::Result;
use crate::id::{Owner, SessionId, TurnId};
use crate::memory::sqlite::Sqlite;
use crate::memory::sqlite::writer::Care;
use crate::memory::{Begin, Begun, Finish, Limit, Memory, Opened, Parent, Pin};
use crate::message::Status;

pub(super) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(super) fn ann() -> Owner {
    Owner::new("ann").unwrap()
}

pub(super) fn id(session: &str) -> SessionId {
    SessionId::new(session).unwrap()
}

pub(super) async fn open(path: &Path) -> Sqlite {
    Sqlite::open(path).await.unwrap()
}

/// A new turn after the head of the session.
pub(super) fn say(session: &str, body: impl Into<Vec<u8>>) -> Begin {
    Begin {
        session: id(session),
        turn: TurnId::fresh(),
        key: None,
        parent: Parent::Head,
        if_version: None,
        message: Some(body.into()),
        title: None,
        model: "tabby".into(),
        pin: Pin { body: b"persona".to_vec(), replace: false },
        lease: std::time::Duration::from_secs(600),
        window: Limit { messages: 50, bytes: 1 << 20 },
        ttl: None,
        reserve: Vec::new(),
        max_running: None,
    }
}

pub(super) fn end(turn: TurnId, body: impl Into<Vec<u8>>) -> Finish {
    Finish {
        turn,
        status: Status::Complete,
        body: body.into(),
        usage: None,
        cost: 0,
        settle: Vec::new(),
        if_expired: false,
    }
}

pub(super) fn started(begun: Result<Begun>) -> Opened {
    match begun {
        Ok(Begun::Started(opened)) => *opened,
        other => panic!("expected Started, got {other:?}"),
    }
}

/// A whole turn.
pub(super) async fn talk(store: &dyn Memory, session: &str, body: impl Into<Vec<u8>>) -> TurnId {
    let begin = say(session, body);
    let turn = begin.turn;
    started(store.begin_turn(&ann(), begin).await);
    store.finish_turn(&ann(), end(turn, "reply")).await.unwrap();
    turn
}

impl Sqlite {
    /// Runs pragmas on the connection that writes.
    pub(super) async fn pragma(&self, sql: &'static str) {
        self.write(Care::Bare, move |conn| Ok(conn.execute_batch(sql)?)).await.unwrap();
    }
}
