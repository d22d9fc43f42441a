//! What a person waits for in a large SQLite store: lists, reads, search, titles; how long its migration and its index
//! take, and the erasure of an owner. A program that prints milliseconds.
//!
//! `CATGPT_BENCH_MESSAGES=1000000` is the store that the promises are about; without it, it has a tenth.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank of a word is small")]

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catgpt_core::id::OpId;
use catgpt_core::memory::{
    Answer, Begin, Begun, Cursor, Done, Finish, Limit, Op, Query, Read, Terms, TitleTerms, View,
};
use catgpt_core::{Memory, Owner, SessionId, Sqlite};
use fastrand::Rng;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use rusqlite::Connection;

const OWNERS: u64 = 4;
/// Messages of a session.
const LENGTH: u64 = 100;
/// Words that there are, and words of a message.
const WORDS: u64 = 50_000;
const SAID: usize = 40;

#[tokio::main]
async fn main() {
    let messages = std::env::var("CATGPT_BENCH_MESSAGES").map_or(100_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chat.db");
    fill(&path, messages / LENGTH);
    println!("{messages} messages in {} sessions of {OWNERS} owners: {}", messages / LENGTH, size(&path));

    let begin = Instant::now();
    let store = Sqlite::open(&path).await.unwrap();
    println!("migration: {:?}", begin.elapsed());
    index(&store, &path).await;
    let mut bench = Bench { store: Arc::new(store), random: Rng::with_seed(1), sessions: messages / LENGTH };
    bench.reads().await;
    bench.searches().await;
    bench.writes().await;
    bench.erase().await;
    bench.store.close().await.unwrap();
    println!("after the erasure of one owner: {}", size(&path));
}

/// What the process has used of the processors: what is left of a time when others use the machine, too.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = |time: TimeVal| Duration::from_micros(time.num_microseconds().unsigned_abs());
    micros(usage.user_time()) + micros(usage.system_time())
}

fn size(path: &Path) -> String {
    format!("{} MiB", std::fs::metadata(path).unwrap().len() >> 20)
}

fn owner(n: u64) -> Owner {
    Owner::new(format!("owner {}", n % OWNERS)).unwrap()
}

fn session(n: u64) -> SessionId {
    SessionId::new(format!("session {n}")).unwrap()
}

/// A word by its rank; the letters do not tell it.
fn word(rank: u64) -> String {
    let mut left = rank.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40 | 1;
    let mut word = format!("{}", rank % 7);
    while left > 0 {
        word.insert(0, char::from(b'a' + u8::try_from(left % 26).unwrap()));
        left /= 26;
    }
    word
}

/// Words as people use them: the second half as often as the first, the third a third.
fn said(random: &mut Rng, words: &[String], many: usize) -> String {
    let rank = |random: &mut Rng| ((WORDS as f64).powf(random.f64()) as usize - 1).min(words.len() - 1);
    (0..many).map(|_| words[rank(random)].as_str()).collect::<Vec<_>>().join(" ")
}

fn terms(text: &[u8]) -> Vec<String> {
    let words = std::str::from_utf8(text).unwrap().split(' ').map(str::to_owned);
    words.collect::<BTreeSet<_>>().into_iter().collect()
}

/// A store as the first version left it.
fn fill(path: &Path, sessions: u64) {
    let mut random = Rng::with_seed(7);
    let words: Vec<_> = (1..=WORDS).map(word).collect();
    let conn = Connection::open(path).unwrap();
    conn.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; BEGIN").unwrap();
    conn.execute_batch(include_str!("../../catgpt-core/src/memory/sqlite/v1.sql")).unwrap();
    conn.execute_batch("PRAGMA application_id = 0x43415447; PRAGMA user_version = 1").unwrap();
    let sql = "INSERT INTO session(sid, owner, id, head, last_seq, created_at, updated_at, title, pin)
        VALUES(?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, zeroblob(400))";
    let mut one = conn.prepare(sql).unwrap();
    let sql = "INSERT INTO message(sid, seq, parent, turn, role, status, created_at, body)
        VALUES(?1, ?2, nullif(?2 - 1, 0), unhex(printf('%016x%016x', (?2 + 1) / 2, ?1)), 1 + (?2 % 2 = 0), 1, ?3, ?4)";
    let mut message = conn.prepare(sql).unwrap();
    for n in 1..=sessions {
        let (sid, length) = (n.cast_signed(), LENGTH.cast_signed());
        let made = 1_700_000_000_000 + random.i64(0..31_536_000_000);
        let title = said(&mut random, &words, 4);
        let (whose, id, changed) = (owner(n), session(n), made + 20_000 * length);
        one.execute((sid, whose.as_str(), id.as_str(), length, made, changed, title.as_bytes())).unwrap();
        for seq in 1..=length {
            let body = said(&mut random, &words, SAID);
            message.execute((sid, seq, made + 20_000 * seq, body.as_bytes())).unwrap();
        }
    }
    conn.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
}

/// Makes everything findable, a session at a time.
async fn index(store: &Sqlite, path: &Path) {
    let (begin, before, mut longest) = (Instant::now(), cpu(), Duration::ZERO);
    for n in 0..OWNERS {
        let owner = owner(n);
        loop {
            let Answer::Unindexed(open) = store.query(&owner, Query::Unindexed { limit: 64 }).await.unwrap() else {
                panic!("unindexed")
            };
            if open.is_empty() {
                break;
            }
            for open in open {
                let limit = Limit { messages: 500, bytes: 1 << 24 };
                let tree = Read::Tree { session: open.session.clone(), after: open.indexed, limit, bodies: true };
                let View { session, rows, .. } = store.read(&owner, tree).await.unwrap();
                let messages = rows.iter().map(|row| Terms { seq: row.seq, terms: terms(&row.body) }).collect();
                let of = session.title;
                let title = Some(TitleTerms { terms: terms(of.as_deref().unwrap_or_default()), of });
                let upto = rows.last().map_or(open.indexed, |row| row.seq);
                let op = Op::Index { session: open.session, from: open.indexed, upto, messages, title };
                let one = Instant::now();
                store.apply(&owner, OpId::fresh(), vec![op]).await.unwrap();
                longest = longest.max(one.elapsed());
            }
        }
    }
    println!("index: {:?} ({:?} of the processor), the longest batch {longest:?}", begin.elapsed(), cpu() - before);
    let conn = Connection::open(path).unwrap();
    let number = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    println!("       words {} MiB; all {}", number("SELECT sum(length(block)) >> 20 FROM search_data"), size(path));
}

struct Bench {
    store: Arc<Sqlite>,
    random: Rng,
    sessions: u64,
}

impl Bench {
    async fn time<F: Future>(&mut self, name: &str, mut one: impl FnMut(Arc<Sqlite>, &mut Rng) -> F) {
        let (mut times, before) = (Vec::new(), cpu());
        for _ in 0..200 {
            let work = one(self.store.clone(), &mut self.random);
            let begin = Instant::now();
            work.await;
            times.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let cpu = (cpu() - before).as_secs_f64() * 1e3 / 200.0;
        let [p50, p90, worst] = [100, 180, 199].map(|at| times[at]);
        println!("{name:>28}: p50 {p50:>8.3} ms, p90 {p90:>8.3}, worst {worst:>8.3}; processor {cpu:>8.3}");
    }

    async fn ask(&mut self, name: &str, query: impl Fn(&mut Rng) -> Query) {
        self.time(name, |store, random| {
            let (owner, query) = (owner(random.u64(..)), query(random));
            async move { store.query(&owner, query).await.unwrap() }
        })
        .await;
    }

    async fn reads(&mut self) {
        let list = |after| Query::Sessions { after, limit: 50, archived: false };
        self.ask("list, first page", |_| list(None)).await;
        self.ask("list, any page", |random| {
            let updated_ms = 1_700_000_000_000 + random.i64(0..31_536_000_000);
            list(Some(Cursor { pinned: false, updated_ms, session: session(1) }))
        })
        .await;
        let sessions = self.sessions;
        self.time("open, 50 messages", |store, random| {
            let n = random.u64(1..=sessions);
            let limit = Limit { messages: 50, bytes: 1 << 24 };
            async move {
                let read = Read::Branch { session: session(n), head: None, limit };
                assert_eq!(store.read(&owner(n), read).await.unwrap().rows.len(), 50);
            }
        })
        .await;
        self.ask("nothing to index", |_| Query::Unindexed { limit: 64 }).await;
        self.ask("running turns", |_| Query::Turns).await;
    }

    async fn searches(&mut self) {
        let search = |terms: Vec<String>, prefix| Query::Search { terms, prefix, after: None, limit: 20 };
        self.ask("search, frequent", |random| search(vec![word(random.u64(1..=5))], false)).await;
        self.ask("search, rare", |random| search(vec![word(random.u64(20_000..40_000))], false)).await;
        self.ask("search, two frequent", |random| search(vec![word(random.u64(1..=3)), word(random.u64(4..9))], false))
            .await;
        self.ask("search, frequent and rare", |random| {
            search(vec![word(random.u64(1..=3)), word(random.u64(5000..9000))], false)
        })
        .await;
        self.ask("search, two rare", |random| {
            search(vec![word(random.u64(5000..9000)), word(random.u64(5000..9000))], false)
        })
        .await;
        for letters in 1..=4 {
            let beginning = move |random: &mut Rng| word(random.u64(1..50_000))[..letters].to_owned();
            self.ask(&format!("search, {letters} letters*"), |random| search(vec![beginning(random)], true)).await;
            self.ask(&format!("search, word + {letters} letters*"), |random| {
                search(vec![word(random.u64(1..=200)), beginning(random)], true)
            })
            .await;
        }
    }

    async fn writes(&mut self) {
        let sessions = self.sessions;
        self.time("title", |store, random| {
            let n = random.u64(1..=sessions);
            let title = Op::SetTitle { session: session(n), title: Some(b"another".to_vec()), over: None };
            async move { store.apply(&owner(n), OpId::fresh(), vec![title]).await.unwrap() }
        })
        .await;
        self.time("a whole turn", |store, random| {
            let n = random.u64(1..=sessions);
            async move {
                let begin = Begin::new(session(n), b"one more question".to_vec());
                let turn = begin.turn;
                assert!(matches!(store.begin_turn(&owner(n), begin).await.unwrap(), Begun::Started(_)));
                store.finish_turn(&owner(n), Finish::complete(turn, b"and its answer".to_vec())).await.unwrap();
            }
        })
        .await;
        self.ask("some to index", |_| Query::Unindexed { limit: 64 }).await;
    }

    /// Erases one owner while another writes.
    async fn erase(&mut self) {
        let (store, begin) = (self.store.clone(), Instant::now());
        let erasure = tokio::spawn(async move {
            let op = || vec![Op::Erase { limit: 50 }];
            let mut words = Instant::now();
            while store.apply(&owner(1), OpId::fresh(), op()).await.unwrap() != [Done::Count(0)] {
                words = Instant::now();
            }
            words.elapsed()
        });
        let mut longest = Duration::ZERO;
        while !erasure.is_finished() {
            let one = Instant::now();
            let title = Op::SetTitle { session: session(4), title: Some(b"x".to_vec()), over: None };
            self.store.apply(&owner(4), OpId::fresh(), vec![title]).await.unwrap();
            longest = longest.max(one.elapsed());
        }
        let words = erasure.await.unwrap();
        println!(
            "erasing one owner: {:?}, {words:?} of it its words; a write beside it took {longest:?} at most",
            begin.elapsed()
        );
    }
}
