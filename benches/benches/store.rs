//! What a turn costs in SQLite, as a ratio to the same two commits made by hand with rusqlite in the same run; and
//! whether it stays what it is in long sessions and in large stores.
//!
//! Both sides commit twice a turn, each time to the disk (`synchronous = FULL`): the last 50 messages are read and the
//! user's message is written, then the reply is. `CATGPT_BENCH_MESSAGES=1000000` adds a store of so many messages.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use catgpt_core::memory::{Begin, Begun, Finish, Limit, Read};
use catgpt_core::{Memory, Owner, SessionId, Sqlite};
use criterion::Criterion;
use futures_util::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const BODY: &str = "The quick brown fox jumps over the lazy dog, and then does it again, and once more, and again. ";
const WINDOW: Limit = Limit { messages: 50, bytes: 1 << 30 };
/// Sessions of 10 messages, used in turn, so that none grows long.
const SHORT: i64 = 1_000;

fn main() {
    let criterion = Criterion::default().configure_from_args().sample_size(30).without_plots();
    let criterion = criterion.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(4));
    let mut bench = Bench { criterion, runtime: Runtime::new().unwrap(), pairs: Vec::new() };
    bench.turns(1);
    bench.turns(64);
    bench.lengths();
    if let Ok(messages) = std::env::var("CATGPT_BENCH_MESSAGES") {
        bench.large(messages.parse().unwrap());
    }
    bench.criterion.final_summary();
    bench.pairs.iter_mut().filter(|pair| !pair.times.is_empty()).for_each(Pair::report);
}

struct Bench {
    criterion: Criterion,
    runtime: Runtime,
    pairs: Vec<Pair>,
}

/// A thing and what it is compared with, measured in turn: a disk that changes its speed changes it for both.
struct Pair {
    names: [String; 2],
    /// Microseconds of one of each, a sample.
    times: Vec<[f64; 2]>,
}

impl Pair {
    fn report(&mut self) {
        let [name, other] = &self.names;
        println!("{name} / {other}:");
        self.show("   first, us", |[first, _]| first);
        self.show("  second, us", |[_, second]| second);
        self.show("       ratio", |[first, second]| first / second);
    }

    fn show(&self, what: &str, figure: impl Fn([f64; 2]) -> f64) {
        let mut figures: Vec<_> = self.times.iter().copied().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let at = |tenths: usize| figures[(figures.len() - 1) * tenths / 10];
        println!("{what} {:>8.2} (10 %: {:.2}, 90 %: {:.2})", at(5), at(1), at(9));
    }
}

impl Bench {
    /// Measures two things that are each done `times` times a call; criterion shows the first.
    fn pair(
        &mut self,
        names: [String; 2],
        times: usize,
        mut first: impl FnMut(&Runtime),
        mut second: impl FnMut(&Runtime),
    ) {
        let (runtime, mut samples) = (&self.runtime, Vec::new());
        self.criterion.bench_function(&names[0], |bencher| {
            bencher.iter_custom(|iterations| {
                let mut spent = [Duration::ZERO; 2];
                for _ in 0..iterations {
                    spent[0] += timed(|| first(runtime));
                    spent[1] += timed(|| second(runtime));
                }
                samples.push(spent.map(|all| all.as_secs_f64() * 1e6 / iterations as f64 / times as f64));
                spent[0]
            });
        });
        self.pairs.push(Pair { names, times: samples });
    }

    /// `sessions` turns at once, against as many by hand.
    fn turns(&mut self, sessions: usize) {
        let (hand, store) = (ByHand::open(), Store::seeded(|_| {}));
        let memory = store.open(&self.runtime);
        self.pair(
            [format!("turn, {sessions} at once"), "by hand".into()],
            sessions,
            |runtime| {
                let turns = (0..sessions).map(|session| turn(&memory, format!("s{session}")));
                runtime.block_on(join_all(turns));
            },
            |_| (0..sessions).for_each(|session| hand.turn(&format!("s{session}"))),
        );
        self.close(&memory);
    }

    /// What is read and written does not depend on how long a session is.
    fn lengths(&mut self) {
        let store = Store::seeded(|conn| {
            fill(conn, "short", SHORT, 10);
            [60, 1_000, 10_000, 20_000].into_iter().for_each(|long| fill(conn, &format!("of{long}-"), 1, long));
        });
        let memory = store.open(&self.runtime);
        for long in [1_000, 20_000] {
            let names = [format!("window of a session of {long}"), "of 60".into()];
            self.pair(names, 1, |runtime| window(runtime, &memory, long), |runtime| window(runtime, &memory, 60));
        }
        let names = ["turn in a session of 10000".into(), "of 10".into()];
        self.pair(names, 1, rotate(&memory, "of10000-", 1), rotate(&memory, "short", SHORT));
        self.close(&memory);
    }

    /// What is read and written does not depend on how much else is in the store.
    fn large(&mut self, messages: i64) {
        let sessions = [messages, 10_000].map(|messages| messages / 100);
        let stores = sessions.map(|sessions| Store::seeded(|conn| fill(conn, "s", sessions, 100)));
        let [large, small] = [stores[0].open(&self.runtime), stores[1].open(&self.runtime)];
        let names = [format!("turn in a store of {messages}"), "of 10000".into()];
        self.pair(names, 1, rotate(&large, "s", sessions[0]), rotate(&small, "s", sessions[1]));
        self.close(&large);
        self.close(&small);
    }

    fn close(&self, memory: &Sqlite) {
        self.runtime.block_on(memory.close()).unwrap();
    }
}

fn timed(call: impl FnOnce()) -> Duration {
    let began = Instant::now();
    call();
    began.elapsed()
}

fn window(runtime: &Runtime, memory: &Sqlite, long: i64) {
    let read = Read::Branch { session: SessionId::new(format!("of{long}-1")).unwrap(), head: None, limit: WINDOW };
    assert_eq!(runtime.block_on(memory.read(&Owner::local(), read)).unwrap().rows.len(), 50);
}

/// Turns in one session after the other, by a prime stride, so that neighbours do not share their pages.
fn rotate(memory: &Sqlite, prefix: &str, sessions: i64) -> impl FnMut(&Runtime) {
    let mut n = 0;
    move |runtime| {
        n = (n + 7919) % sessions;
        runtime.block_on(turn(memory, format!("{prefix}{}", n + 1)));
    }
}

/// One whole turn of ours.
async fn turn(memory: &Sqlite, session: String) {
    let owner = Owner::local();
    let begin = Begin::new(SessionId::new(session).unwrap(), BODY.repeat(2).into());
    let id = begin.turn;
    assert!(matches!(memory.begin_turn(&owner, begin).await.unwrap(), Begun::Started(_)));
    memory.finish_turn(&owner, Finish::complete(id, BODY.repeat(8).into())).await.unwrap();
}

/// A file of ours with messages in it.
struct Store {
    path: PathBuf,
    _folder: TempDir,
}

impl Store {
    fn seeded(seed: impl FnOnce(&Connection)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Self { path: folder.path().join("chat.db"), _folder: folder };
        let runtime = Runtime::new().unwrap();
        runtime.block_on(store.open(&runtime).close()).unwrap();
        let conn = Connection::open(&store.path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN").unwrap();
        seed(&conn);
        conn.execute_batch("COMMIT").unwrap();
        store
    }

    fn open(&self, runtime: &Runtime) -> Sqlite {
        runtime.block_on(Sqlite::open(&self.path)).unwrap()
    }
}

/// Sessions `{prefix}1`, `{prefix}2`… of so many messages each. Turn ids ascend, as ours do.
fn fill(conn: &Connection, prefix: &str, sessions: i64, messages: i64) {
    let sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
        INSERT INTO session(owner, id, head, last_seq, created_at, updated_at, pin)
        SELECT ?4, ?1 || n, ?3, ?3, 1, n, x'' FROM n";
    conn.execute(sql, (prefix, sessions, messages, Owner::local().as_str())).unwrap();
    let sql = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?2)
        INSERT INTO message(sid, seq, parent, turn, role, status, created_at, body)
        SELECT sid, n, nullif(n - 1, 0), unhex(printf('%016x%016x', n, sid)), 1 + (n % 2 = 0), 1, 1, ?3
        FROM n, session WHERE id GLOB ?1 || '*' AND last_seq = ?2";
    conn.execute(sql, (prefix, messages, BODY.repeat(2).as_bytes())).unwrap();
}

/// The least that a program can do and still have the messages.
struct ByHand {
    conn: Connection,
    _folder: TempDir,
}

impl ByHand {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let conn = Connection::open(folder.path().join("hand.db")).unwrap();
        let schema = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE message(session TEXT,
            seq INTEGER, role TEXT, body TEXT, PRIMARY KEY(session, seq)) WITHOUT ROWID";
        conn.execute_batch(schema).unwrap();
        Self { conn, _folder: folder }
    }

    fn turn(&self, session: &str) {
        self.conn.execute_batch("BEGIN IMMEDIATE").unwrap();
        let last = "SELECT seq, role, body FROM message WHERE session = ?1 ORDER BY seq DESC LIMIT 50";
        let mut last = self.conn.prepare_cached(last).unwrap();
        let rows = last.query_map([session], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let rows: Vec<(i64, String, String)> = rows.map(Result::unwrap).collect();
        let next = rows.first().map_or(1, |(seq, ..)| seq + 1);
        self.say(session, next, "user", &BODY.repeat(2));
        self.conn.execute_batch("COMMIT").unwrap();
        self.say(session, next + 1, "assistant", &BODY.repeat(8));
    }

    fn say(&self, session: &str, seq: i64, role: &str, body: &str) {
        let sql = "INSERT INTO message VALUES(?1, ?2, ?3, ?4)";
        self.conn.prepare_cached(sql).unwrap().execute((session, seq, role, body)).unwrap();
    }
}
