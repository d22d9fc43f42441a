//! What 64 turns at once cost in PostgreSQL, as a ratio to the same rows written and read by hand: two prepared
//! statements a turn over the same driver, pool and tables, in turn with ours in the same run.
//!
//! `cargo xtask servers --disk cargo bench -p catgpt-benches --bench postgres`. Ours does more: it knows a turn and a
//! key again, sees the newest window also when it had to wait, and works behind a pooler.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use catgpt_core::memory::{Begin, Begun, Checkpoint, Finish, Limit};
use catgpt_core::{Memory, Owner, Postgres, SessionId, TurnId};
use catgpt_scratch::Database;
use criterion::Criterion;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use futures_util::future::join_all;
use tokio::runtime::Runtime;
use tokio_postgres::NoTls;
use uuid::Uuid;

const BODY: &str = "The quick brown fox jumps over the lazy dog, and then does it again, and once more, and again. ";
const SESSIONS: usize = 64;
const CONNECTIONS: usize = 16;

const BEGIN: &str = "WITH RECURSIVE
    now(ms) AS MATERIALIZED (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
    o AS MATERIALIZED (SELECT s.* FROM catgpt.session s, now WHERE owner = $1 AND id = $2
        AND (run IS NULL OR run_until < now.ms) FOR UPDATE OF s),
    u AS (UPDATE catgpt.session s SET head = o.last_seq + 2, last_seq = o.last_seq + 2, version = s.version + 1,
        run = $3, run_seq = o.last_seq + 2, run_until = now.ms + 15000, run_cancel = false, updated_at = now.ms
        FROM o, now WHERE s.sid = o.sid RETURNING s.*),
    m AS (INSERT INTO catgpt.message(sid, seq, parent, turn, role, status, created_at, model, body)
        SELECT sid, last_seq + 1, head, $3, 1, 1, now.ms, NULL, $4 FROM o, now
        UNION ALL SELECT sid, last_seq + 2, last_seq + 1, $3, 2, 0, now.ms, 'tabby', ''::bytea FROM o, now),
    j AS (INSERT INTO catgpt.journal AS j(owner, n) SELECT $1, 1 FROM o
        ON CONFLICT (owner) DO UPDATE SET n = j.n + 1 RETURNING n),
    c AS (INSERT INTO catgpt.change(owner, n, session, turn, kind, at) SELECT $1, n, $2, $3, 4, now.ms FROM j, now),
    w AS (SELECT m.*, 1 AS nth FROM o JOIN catgpt.message m ON m.sid = o.sid AND m.seq = o.head
        UNION ALL SELECT m.*, w.nth + 1 FROM w JOIN catgpt.message m ON m.sid = w.sid AND m.seq = w.parent
        WHERE w.nth < 49)
    SELECT w.*, (SELECT pin FROM o), (SELECT title FROM o), (SELECT version FROM o) FROM w ORDER BY nth DESC";

const FINISH: &str = "WITH
    now(ms) AS MATERIALIZED (SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint),
    o AS MATERIALIZED (SELECT sid, run_seq, id FROM catgpt.session WHERE run = $2 AND owner = $1 FOR UPDATE),
    m AS (UPDATE catgpt.message m SET status = 1, body = $3 FROM o WHERE m.sid = o.sid AND m.seq = o.run_seq),
    d AS (DELETE FROM catgpt.chunk c USING o WHERE c.sid = o.sid AND c.seq = o.run_seq),
    u AS (UPDATE catgpt.session s SET run = NULL, run_seq = NULL, run_until = NULL, version = s.version + 1,
        updated_at = now.ms FROM o, now WHERE s.sid = o.sid),
    j AS (INSERT INTO catgpt.journal AS j(owner, n) SELECT $1, 1 FROM o
        ON CONFLICT (owner) DO UPDATE SET n = j.n + 1 RETURNING n),
    c AS (INSERT INTO catgpt.change(owner, n, session, turn, kind, at)
        SELECT $1, n, o.id, $2, 5, now.ms FROM j, o, now)
    SELECT sid FROM o";

/// Sessions `s0`… of 60 messages, of 64 owners (`o0`…) or of one (`o`).
const SEED: &str = "
    INSERT INTO catgpt.session(owner, id, head, last_seq, created_at, updated_at, pin)
        SELECT CASE WHEN many THEN 'o' || n ELSE 'o' END, 's' || n, 60, 60, 1, 1, ''
        FROM generate_series(0, 63) n, (VALUES (true), (false)) v(many);
    INSERT INTO catgpt.message(sid, seq, parent, turn, role, status, created_at, body)
        SELECT sid, n, nullif(n - 1, 0), gen_random_uuid(), 1 + (n % 2 = 0)::int, 1, 1,
            convert_to(repeat('The quick brown fox jumps over the lazy dog, and so on. ', 12), 'UTF8')
        FROM catgpt.session, generate_series(1, 60) n;
    VACUUM ANALYZE";

fn main() {
    let criterion = Criterion::default().configure_from_args().sample_size(20).without_plots();
    let mut criterion = criterion.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(8));
    let runtime = Runtime::new().unwrap();
    for (name, of_one) in [("64 owners", false), ("one owner", true)] {
        let hand = runtime.block_on(ByHand::open());
        let ours = runtime.block_on(Ours::open());
        let (mut hands, mut times) = (Vec::new(), Vec::new());
        criterion.bench_function(&format!("64 turns, {name}"), |bencher| {
            bencher.iter_custom(|iterations| {
                let mut all = Duration::ZERO;
                for _ in 0..iterations {
                    let began = Instant::now();
                    runtime.block_on(join_all((0..SESSIONS).map(|n| hand.turn(owner(n, of_one), n))));
                    hands.push(began.elapsed());
                    let began = Instant::now();
                    runtime.block_on(join_all((0..SESSIONS).map(|n| ours.turn(owner(n, of_one), n))));
                    times.push(began.elapsed());
                    all += began.elapsed();
                }
                all
            });
        });
        report(name, hands, times);
        runtime.block_on(ours.checkpoints());
    }
    criterion.final_summary();
}

fn owner(n: usize, of_one: bool) -> String {
    if of_one { "o".to_owned() } else { format!("o{n}") }
}

fn report(name: &str, mut hands: Vec<Duration>, mut times: Vec<Duration>) {
    if hands.is_empty() {
        return;
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let a_second = |time: Duration| SESSIONS as f64 / time.as_secs_f64();
    let (hand, ours) = (a_second(median(&mut hands)), a_second(median(&mut times)));
    println!(
        "{name}: by hand {hand:.0} turns/s, ours {ours:.0} turns/s, ratio {:.2} ({} rounds)",
        ours / hand,
        times.len()
    );
}

async fn seeded() -> Database {
    let database = Database::new();
    Postgres::open(&database.url()).await.unwrap();
    SEED.split(';').for_each(|statement| drop(database.sql(statement)));
    database
}

struct Ours {
    store: Arc<Postgres>,
    _database: Database,
}

impl Ours {
    async fn open() -> Self {
        let database = seeded().await;
        let url = format!("{}&connection_limit={CONNECTIONS}", database.url());
        Self { store: Arc::new(Postgres::open(&url).await.unwrap()), _database: database }
    }

    async fn turn(&self, owner: String, n: usize) {
        let owner = Owner::new(owner).unwrap();
        let mut begin = Begin::new(SessionId::new(format!("s{n}")).unwrap(), BODY.repeat(2).into());
        begin.window = Limit { messages: 50, bytes: 1 << 20 };
        let id = begin.turn;
        assert!(matches!(self.store.begin_turn(&owner, begin).await.unwrap(), Begun::Started(_)));
        self.store.finish_turn(&owner, Finish::complete(id, BODY.repeat(12).into())).await.unwrap();
    }

    /// What a checkpoint costs when 64 turns make theirs.
    async fn checkpoints(&self) {
        let begun = join_all((0..SESSIONS).map(|n| async move {
            let owner = Owner::new(format!("o{n}")).unwrap();
            let begin = Begin::new(SessionId::new("checkpoints").unwrap(), b"hi".to_vec());
            let turn = begin.turn;
            self.store.begin_turn(&owner, begin).await.unwrap();
            (owner, turn)
        }));
        let begun = begun.await;
        let began = Instant::now();
        for k in 0..20 {
            join_all(begun.iter().map(|(owner, turn)| self.checkpoint(owner, *turn, k))).await;
        }
        let each = began.elapsed().as_secs_f64() / (20 * SESSIONS) as f64;
        println!("checkpoints of 200 bytes: {:.0}/s", 1.0 / each);
    }

    async fn checkpoint(&self, owner: &Owner, turn: TurnId, k: u64) {
        let body = BODY.repeat(2).into_bytes();
        let piece = Checkpoint::new(turn, k, k + 1, body);
        self.store.checkpoint(owner, piece).await.unwrap();
    }
}

/// The least that a program can do and still have the same rows.
struct ByHand {
    pool: Pool,
    _database: Database,
}

impl ByHand {
    async fn open() -> Self {
        let database = seeded().await;
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(database.url().parse().unwrap(), NoTls, recycle);
        Self { pool: Pool::builder(manager).max_size(CONNECTIONS).build().unwrap(), _database: database }
    }

    async fn turn(&self, owner: String, n: usize) {
        let (turn, session) = (Uuid::now_v7(), format!("s{n}"));
        {
            let client = self.pool.get().await.unwrap();
            let statement = client.prepare_cached(BEGIN).await.unwrap();
            let message = BODY.repeat(2).into_bytes();
            let window = client.query(&statement, &[&owner, &session, &turn, &message]).await.unwrap();
            let bytes: usize = window.iter().map(|row| row.get::<_, &[u8]>("body").len()).sum();
            assert!(window.len() == 49 && bytes > 1000);
        }
        let client = self.pool.get().await.unwrap();
        let statement = client.prepare_cached(FINISH).await.unwrap();
        let ended = client.query(&statement, &[&owner, &turn, &BODY.repeat(12).into_bytes()]).await.unwrap();
        assert_eq!(ended.len(), 1);
    }
}
