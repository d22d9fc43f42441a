//! A store of schema 1 becomes one of schema 3 while replicas of the old release run on.

use std::sync::Arc;
use std::time::Duration;

use catgpt_scratch::Database;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::kit::{WHOLE, ann, end, id, open, opened, piece, raw, say};
use crate::event::ChangeKind::{Created, Renamed, Titled, TurnBegun, TurnEnded};
use crate::id::{OpId, TurnId};
use crate::memory::{
    Answer, Begin, Counter, Done, Finish, GroupBy, Kept, Memory, Op, Postgres, Query, Read, Reserved, Sealed,
    SessionRow, Terms, TitleTerms, Unindexed, Unit,
};
use crate::message::Usage;

/// What the first release made. These files never change.
const FIRST: [&str; 4] = [
    include_str!("../v1/tables.sql"),
    include_str!("../v1/turns.sql"),
    include_str!("../v1/read.sql"),
    include_str!("../v1/ops.sql"),
];

fn first(database: &Database) {
    database.sql(&FIRST.concat());
    database.sql("INSERT INTO catgpt.meta VALUES (1, 1)");
}

/// A replica of the first release, on one connection. Each answer is its outcome, as text.
struct Old(Client);

impl Old {
    async fn ask(&self, sql: &str) -> String {
        // A connection of a program: not a new plan each time.
        let statement = self.0.prepare(sql).await.unwrap();
        let row = self.0.query_one(&statement, &[]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    async fn begin(&self, session: &str, turn: TurnId) -> String {
        self.ask(&format!(
            "SELECT concat_ws(' ', outcome, cardinality(m_seq)) FROM catgpt.begin_turn_v1('ann', '{session}', '{turn}', NULL, NULL,
             0::smallint, NULL, NULL, 'hi', 'title', 'tabby', 'pin', false, 600000, 100, 1000000)"
        ))
        .await
    }

    async fn keep(&self, turn: TurnId, from: u64) -> String {
        let to = from + 1;
        self.ask(&format!("SELECT catgpt.checkpoint_v1('ann', '{turn}', {from}, {to}, 'x', 600000, false)::text")).await
    }

    async fn finish(&self, turn: TurnId) -> String {
        self.ask(&format!(
            "SELECT outcome FROM catgpt.finish_turn_v1('ann', '{turn}', 1::smallint, 'old', NULL, false)"
        ))
        .await
    }

    async fn apply(&self, kind: &str, session: &str, body: &str) -> String {
        self.ask(&format!(
            "SELECT array_to_string(catgpt.apply_v1('ann', gen_random_uuid(), '{{{kind}}}', '{{{session}}}', ARRAY[NULL::uuid],
             ARRAY['{body}'::bytea], ARRAY[NULL::bytea], ARRAY[NULL::bigint], ARRAY[NULL::bigint]), ' ')"
        ))
        .await
    }

    /// All that the old replica looks at, as one text.
    async fn looks(&self, session: &str, turn: TurnId) -> String {
        self.ask(&format!(
            "SELECT (SELECT cardinality(m_seq) || ' ' || s_version FROM catgpt.read_v1('ann', '{session}', NULL, NULL, 100, 1000000))
             || ', ' || (SELECT m_status[1] FROM catgpt.tail_v1('ann', '{turn}', 0))
             || ', ' || (SELECT string_agg(id, ' ' ORDER BY updated_at DESC, id DESC) FROM catgpt.session WHERE owner = 'ann')
             || ', ' || (SELECT string_agg(kind::text, ' ' ORDER BY n) FROM catgpt.change WHERE owner = 'ann')"
        ))
        .await
    }
}

async fn row(store: &Postgres, session: &str) -> SessionRow {
    match store.query(&ann(), Query::Session { session: id(session) }).await.unwrap() {
        Answer::Sessions { mut rows, .. } => rows.remove(0),
        other => panic!("expected a session, got {other:?}"),
    }
}

#[tokio::test]
async fn what_the_first_release_wrote_is_kept_and_its_running_turn_goes_on() {
    let database = Database::new();
    first(&database);
    let old = Old(raw(&database).await);
    let (done, running) = (TurnId::fresh(), TurnId::fresh());
    assert_eq!(old.begin("s", done).await, "started 1");
    assert_eq!(old.finish(done).await, "now");
    assert_eq!(old.begin("s", running).await, "started 3");
    assert_eq!(old.keep(running, 0).await, "false");

    let store = open(&database).await;
    assert_eq!(database.sql("SELECT version, min_reader FROM catgpt.meta"), "3|1");
    let view = store.read(&ann(), Read::Branch { session: id("s"), head: None, limit: WHOLE }).await.unwrap();
    assert_eq!((view.rows.len(), view.chunks.len(), view.session.running), (4, 1, Some(running)));
    assert_eq!((view.session.pinned, view.session.ttl, &view.session.reserved[..]), (false, None, &[][..]));
    // The old replica drives its turn on, and a new one ends it.
    assert_eq!(old.keep(running, 1).await, "false");
    assert!(matches!(store.checkpoint(&ann(), piece(running, 2, "x")).await.unwrap(), Kept::Renewed { .. }));
    assert_eq!(old.begin("s", TurnId::fresh()).await, "busy");
    assert_eq!(store.finish_turn(&ann(), end(running, "new")).await.unwrap(), Sealed::Now);
    assert_eq!(old.finish(running).await, "before");
}

/// An old replica that planned its statements before the schema changed, and a new one beside it. The session `s` has one
/// turn, and its title is `one`.
async fn beside() -> (Database, Old, Postgres, TurnId) {
    let database = Database::new();
    first(&database);
    let old = Old(raw(&database).await);
    let turn = TurnId::fresh();
    old.begin("s", turn).await;
    old.keep(turn, 0).await;
    old.finish(turn).await;
    old.apply("title", "s", "one").await;
    old.looks("s", turn).await;
    let store = open(&database).await;
    (database, old, store, turn)
}

#[tokio::test]
async fn what_either_replica_tells_means_the_same_to_the_other() {
    let (_database, old, store, turn) = beside().await;
    let title = Op::SetTitle { session: id("s"), title: Some(b"two".to_vec()), over: None };
    store.apply(&ann(), OpId::fresh(), vec![title, index("two")]).await.unwrap();
    assert_eq!(store.query(&ann(), Query::Unindexed { limit: 9 }).await.unwrap(), Answer::Unindexed(Vec::new()));
    assert_eq!(old.apply("title", "s", "three").await, "6");
    let open = Unindexed { session: id("s"), indexed: 2, title: true };
    assert_eq!(store.query(&ann(), Query::Unindexed { limit: 9 }).await.unwrap(), Answer::Unindexed(vec![open]));
    let Answer::Changes(changes) = store.query(&ann(), Query::Changes { after: 0, limit: 99 }).await.unwrap() else {
        panic!("expected changes")
    };
    let kinds: Vec<_> = changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Created, TurnBegun, TurnEnded, Titled, Renamed, Titled]);
    // To the old one a renaming is a title.
    assert_eq!(old.looks("s", turn).await, "2 6, 1, s, 0 4 5 1 1 1");
}

/// Makes the session's reply and its title findable.
fn index(title: &str) -> Op {
    let title = Some(TitleTerms { of: Some(title.into()), terms: vec![title.into()] });
    let messages = vec![Terms { seq: 2, terms: vec!["hello".into()] }];
    Op::Index { session: id("s"), from: 0, upto: 2, messages, title }
}

#[tokio::test]
async fn a_turn_that_began_here_and_ended_there_reserves_nothing_any_more() {
    let (_database, old, store, _) = beside().await;
    let window = Duration::from_secs(3600);
    let counter = Counter { name: "n".into(), key: "k".into(), window, add: 2, limit: 9, unit: Unit::Tokens };
    let begin = Begin { reserve: vec![counter], ..say("s", "hi") };
    let new = begin.turn;
    let reserved = opened(store.begin_turn(&ann(), begin).await).session.reserved;
    assert!(matches!(&reserved[..], [Reserved { add: 2, unit: Unit::Tokens, .. }]), "{reserved:?}");
    assert_eq!(row(&store, "s").await.reserved, reserved);
    assert_eq!((old.keep(new, 0).await, old.finish(new).await), ("false".into(), "now".into()));
    assert_eq!(row(&store, "s").await.reserved, []);
    // Nor does the next one from there, which ends here and has a line in the ledger.
    let next = TurnId::fresh();
    assert_eq!(old.begin("s", next).await, "started 5");
    assert_eq!(row(&store, "s").await.reserved, []);
    let usage = Some(Usage { input_tokens: 3, ..Usage::default() });
    assert_eq!(store.finish_turn(&ann(), Finish { usage, cost: 7, ..end(next, "here") }).await.unwrap(), Sealed::Now);
    let query = Query::Usage { from_ms: None, to_ms: None, session: None, by: vec![GroupBy::Model] };
    let Answer::Usage(sums) = store.query(&ann(), query).await.unwrap() else { panic!("expected sums") };
    assert_eq!((sums.len(), sums[0].calls, sums[0].usage.input_tokens, sums[0].cost), (1, 1, 3, 7));
}

#[tokio::test]
async fn what_an_old_replica_deletes_takes_along_what_it_does_not_know() {
    let (database, old, store, _) = beside().await;
    let (body, model) = (b"sum".to_vec(), "tabby".to_owned());
    let summary = Op::AddSummary { session: id("s"), upto: 2, over: None, body, model, usage: None };
    let pinned = Op::Mark { session: id("s"), pinned: Some(true), archived: None };
    let done = store.apply(&ann(), OpId::fresh(), vec![index("one"), summary, pinned]).await.unwrap();
    assert_eq!(done[1], Done::Seq(3));
    assert_eq!(database.sql("SELECT (SELECT count(*) FROM catgpt.term), (SELECT count(*) FROM catgpt.indexed)"), "2|1");
    assert_eq!(old.begin("s", TurnId::fresh()).await, "started 3");
    assert_eq!(old.apply("delete", "s", "").await, "");
    assert_eq!(database.sql("SELECT (SELECT count(*) FROM catgpt.term), (SELECT count(*) FROM catgpt.indexed)"), "0|0");
    assert_eq!(old.ask("SELECT deleted::text FROM catgpt.sweep_v1(10)").await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_may_open_an_old_store_at_once() {
    let database = Arc::new(Database::new());
    for round in 0..10 {
        database.sql("DROP SCHEMA IF EXISTS catgpt CASCADE");
        first(&database);
        let old = Old(raw(&database).await);
        assert_eq!(old.begin("s", TurnId::fresh()).await, "started 1");
        let mut tasks = JoinSet::new();
        for _ in 0..8 {
            let database = database.clone();
            tasks.spawn(async move { Postgres::open(&database.url()).await });
        }
        // And the old one goes on meanwhile.
        for n in 0..20 {
            assert_eq!(old.begin(&format!("t{n}"), TurnId::fresh()).await, "started 1", "round {round}");
        }
        let stores: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(database.sql("SELECT count(*), max(version) FROM catgpt.meta"), "1|3", "round {round}");
        assert_eq!(row(&stores[7], "t19").await.messages, 2);
        for store in stores {
            store.close().await.unwrap();
        }
    }
}
