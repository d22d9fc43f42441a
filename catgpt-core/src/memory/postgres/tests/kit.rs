//! What these tests are written with.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use catgpt_scratch::Database;
use tokio_postgres::{Client, NoTls};

use crate::id::Owner;
use crate::memory::{Answer, Memory, Postgres, Query, Read};

pub(super) use crate::memory::conformance::kit::{WHOLE, end, fails, id, opened, piece, say};

/// Whether somebody asked (`CATGPT_TEST_THOROUGH=1`) for all that takes minutes.
pub(super) fn thorough() -> bool {
    std::env::var_os("CATGPT_TEST_THOROUGH").is_some()
}

pub(super) fn ann() -> Owner {
    Owner::new("ann").unwrap()
}

pub(super) async fn open(database: &Database) -> Postgres {
    Postgres::open(&database.url()).await.unwrap()
}

/// A connection of one's own.
pub(super) async fn raw(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// How many messages the session has, and how many changes its owner.
pub(super) async fn counts(store: &Postgres, session: &str) -> (usize, usize) {
    let read = Read::Tree { session: id(session), after: 0, limit: WHOLE, bodies: true };
    let rows = store.read(&ann(), read).await.unwrap().rows.len();
    match store.query(&ann(), Query::Changes { after: 0, limit: 100_000 }).await.unwrap() {
        Answer::Changes(changes) => (rows, changes.iter().filter(|change| change.session == id(session)).count()),
        other => panic!("expected changes, got {other:?}"),
    }
}

/// Asks until the answer is the one that is expected.
pub(super) fn until<T: PartialEq + Debug>(expected: &T, ask: impl Fn() -> T) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = ask();
        if answer == *expected {
            return;
        }
        assert!(Instant::now() < deadline, "it stays {answer:?}, not {expected:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
