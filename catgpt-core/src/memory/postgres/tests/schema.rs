//! Which versions of the schema are taken, and what the sweep takes away.

use catgpt_scratch::Database;

use super::kit::{ann, end, id, open, opened, say};
use crate::error::ErrorKind;
use crate::id::OpId;
use crate::memory::{Answer, Begin, Begun, Done, Memory, Op, Postgres, Query};

#[tokio::test]
async fn a_newer_store_is_refused_with_both_numbers_unless_it_allows_us() {
    let database = Database::new();
    open(&database).await;
    database.sql("UPDATE catgpt.meta SET version = 9");
    open(&database).await;
    assert_eq!(database.sql("SELECT version FROM catgpt.meta"), "9");
    database.sql("UPDATE catgpt.meta SET min_reader = 4");
    let error = Postgres::open(&database.url()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Store && !error.is_retryable(), "{error:?}");
    assert_eq!((error.context("store_version"), error.context("known_version")), (Some("9"), Some("3")));
}

#[tokio::test]
async fn a_user_who_may_not_make_the_schema_is_told_so_and_may_use_one() {
    let database = Database::new();
    database.sql("DROP ROLE IF EXISTS mouse; CREATE ROLE mouse LOGIN");
    let url = database.url().replace("//cat@", "//mouse@");
    let error = Postgres::open(&url).await.unwrap_err();
    assert!(error.context("sqlstate") == Some("42501") && !error.is_retryable(), "{error:?}");
    open(&database).await;
    database.sql(
        "GRANT USAGE ON SCHEMA catgpt TO mouse; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA catgpt TO mouse",
    );
    let store = Postgres::open(&url).await.unwrap();
    opened(store.begin_turn(&ann(), say("s", "hi")).await);
    drop(store);
    database.disconnect();
    database.sql("DROP OWNED BY mouse; DROP ROLE mouse");
}

#[tokio::test]
async fn an_encoding_that_loses_text_is_refused() {
    let database = Database::with("ENCODING 'LATIN1' TEMPLATE template0");
    let error = Postgres::open(&database.url()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("encoding")), (ErrorKind::Unsupported, Some("LATIN1")));
}

/// Makes everything that the store remembers a day older.
fn a_day_passes(database: &Database) {
    let older = ["idem", "op", "change"].map(|table| format!("UPDATE catgpt.{table} SET at = at - 86400000 - 1000;"));
    database.sql(&older.concat());
}

async fn numbers(store: &Postgres) -> Vec<u64> {
    match store.query(&ann(), Query::Changes { after: 0, limit: 1000 }).await.unwrap() {
        Answer::Changes(changes) => changes.iter().map(|change| change.n).collect(),
        other => panic!("{other:?}"),
    }
}

async fn talk(store: &Postgres) {
    let begin = say("s", "hi");
    let turn = begin.turn;
    opened(store.begin_turn(&ann(), begin).await);
    store.finish_turn(&ann(), end(turn, "hello")).await.unwrap();
}

#[tokio::test]
async fn the_journal_counts_on_when_all_of_it_is_swept() {
    let database = Database::new();
    let store = open(&database).await;
    talk(&store).await;
    talk(&store).await;
    assert_eq!(store.sweep(100).await.unwrap().deleted, 0, "nothing is due");
    a_day_passes(&database);
    let swept = store.sweep(3).await.unwrap();
    assert_eq!((swept.deleted, swept.more, numbers(&store).await), (3, true, vec![4, 5]));
    let swept = store.sweep(3).await.unwrap();
    assert_eq!((swept.deleted, swept.more, numbers(&store).await), (2, false, vec![]));
    talk(&store).await;
    assert_eq!(numbers(&store).await, [6, 7]);
}

#[tokio::test]
async fn keys_and_answers_are_forgotten_after_a_day_swept_or_not() {
    let database = Database::new();
    let store = open(&database).await;
    talk(&store).await;
    let keyed = || Begin { key: Some(("k".into(), [1; 32])), ..say("t", "hi") };
    let title = |text: &str| vec![Op::SetTitle { session: id("s"), title: Some(text.into()), over: None }];
    let op = OpId::fresh();
    opened(store.begin_turn(&ann(), keyed()).await);
    let done = store.apply(&ann(), op, title("one")).await.unwrap();
    assert_eq!(store.apply(&ann(), op, title("one")).await.unwrap(), done);
    assert!(matches!(store.begin_turn(&ann(), keyed()).await.unwrap(), Begun::Replay { .. }));
    for swept in [false, true] {
        a_day_passes(&database);
        if swept {
            assert!(store.sweep(100).await.unwrap().deleted > 2);
        }
        assert!(matches!(store.begin_turn(&ann(), keyed()).await.unwrap(), Begun::Busy { .. }));
        let again = store.apply(&ann(), op, title("two")).await.unwrap();
        assert!(matches!((&done[..], &again[..]), ([Done::Version(first)], [Done::Version(then)]) if then > first));
    }
}
