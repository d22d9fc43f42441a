//! Servers that go, come back, hang, or were never there.

use std::sync::Arc;
use std::time::Duration;

use catgpt_scratch::Database;

use super::kit::{ann, counts, end, fails, open, opened, piece, raw, say, until};
use crate::error::ErrorKind;
use crate::memory::postgres::link::Deadlines;
use crate::memory::{Begin, Kept, Memory, Postgres, Sealed};

/// How many calls wait for a lock.
const WAITING: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

#[tokio::test]
async fn connections_that_break_between_calls_are_not_noticed() {
    let database = Database::new();
    let store = open(&database).await;
    let begin = say("s", "hi");
    database.disconnect();
    opened(store.begin_turn(&ann(), begin.clone()).await);
    for n in 0..3 {
        database.disconnect();
        assert_eq!(store.checkpoint(&ann(), piece(begin.turn, n, "x")).await.unwrap(), Kept::Renewed { cancel: false });
    }
    database.disconnect();
    assert_eq!(store.finish_turn(&ann(), end(begin.turn, "hello")).await.unwrap(), Sealed::Now);
    database.disconnect();
    assert_eq!(counts(&store, "s").await, (2, 3));
}

#[tokio::test]
async fn a_call_that_waits_too_long_is_stopped_on_the_server_too() {
    let database = Arc::new(Database::new());
    let short = Deadlines { one_try: Duration::from_millis(200), ..Deadlines::default() };
    let store = Postgres::open_within(&database.url(), short).await.unwrap();
    let begin = say("s", "hi");
    opened(store.begin_turn(&ann(), begin.clone()).await);
    let holder = raw(&database).await;
    holder.batch_execute("BEGIN; SELECT FROM catgpt.session FOR UPDATE").await.unwrap();
    let error = store.finish_turn(&ann(), end(begin.turn, "hello")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Store && error.is_retryable(), "{error:?}");
    // The cancel request travels on its own.
    let asked = database.clone();
    tokio::task::spawn_blocking(move || until(&"0".to_owned(), || asked.sql(WAITING))).await.unwrap();
    holder.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(store.finish_turn(&ann(), end(begin.turn, "hello")).await.unwrap(), Sealed::Now);
}

#[tokio::test]
async fn a_call_that_is_dropped_is_stopped_and_leaves_its_connection_to_nobody() {
    let database = Arc::new(Database::new());
    let store = Postgres::open(&format!("{}&connection_limit=1", database.url())).await.unwrap();
    let begin = say("s", "hi");
    opened(store.begin_turn(&ann(), begin.clone()).await);
    let holder = raw(&database).await;
    holder.batch_execute("BEGIN; SELECT FROM catgpt.session FOR UPDATE").await.unwrap();
    let (owner, asked) = (ann(), database.clone());
    let seen = tokio::task::spawn_blocking(move || until(&"1".to_owned(), || asked.sql(WAITING)));
    tokio::select! {
        answer = store.finish_turn(&owner, end(begin.turn, "hello")) => panic!("somebody holds the session: {answer:?}"),
        seen = seen => seen.unwrap(),
    }
    // The only connection that there may be is a new one.
    assert_eq!(counts(&store, "s").await, (2, 2));
    tokio::task::spawn_blocking(move || until(&"0".to_owned(), || database.sql(WAITING))).await.unwrap();
}

#[tokio::test]
async fn a_call_without_a_server_ends_with_a_reason_and_no_password() {
    let database = Database::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let url = |place: &str, name: &str| format!("postgres://cat:hunter2@{place}/{name}?sslmode=disable");
    let gone = Postgres::open(&url(&nobody.to_string(), "d")).await.unwrap_err();
    assert!(gone.kind() == ErrorKind::Store && gone.is_retryable(), "{gone:?}");
    let no_database = Postgres::open(&url(&database.address(), "not_there")).await.unwrap_err();
    assert!(no_database.kind() == ErrorKind::Store && !no_database.is_retryable(), "{no_database:?}");
    assert_eq!(no_database.context("sqlstate"), Some("3D000"));
    let no_tls = url(&database.pooled_address(), "postgres").replace("disable", "require");
    let no_tls = Postgres::open(&no_tls).await.unwrap_err();
    assert!(no_tls.kind() == ErrorKind::Store && !no_tls.is_retryable(), "{no_tls:?}");
    for error in [gone, no_database, no_tls] {
        assert!(error.context("database").is_some_and(|place| place.starts_with("127.0.0.1:")), "{error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[tokio::test]
async fn no_words_of_a_message_stand_in_an_error() {
    let database = Database::new();
    let store = open(&database).await;
    database.sql("ALTER TABLE catgpt.message ADD CHECK (length(body) < 10)");
    let error = store.begin_turn(&ann(), say("s", "my secret, which is long")).await.unwrap_err();
    assert_eq!((error.kind(), error.context("sqlstate")), (ErrorKind::Unexpected, Some("23514")));
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    fails(store.begin_turn(&ann(), Begin { model: "a\0b".into(), ..say("s", "hi") }).await, ErrorKind::InvalidInput);
}
