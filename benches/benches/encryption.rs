//! What encryption costs: a turn in SQLite with and without it, and what of that is sealing and opening.
//!
//! Both sides of a pair run in turn in one run, so the ratio does not depend on the machine's mood.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]

use std::time::Instant;

use catgpt_core::memory::{Begin, Begun, Encrypted, Finish, Limit, Read};
use catgpt_core::{InMemory, LocalKeys, Memory, Owner, SessionId, Sqlite, TurnId};
use tokio::runtime::Runtime;

/// A message of 1200 bytes; the window that is read in a turn has 50 of them.
const BODY: [u8; 1200] = [b'x'; 1200];
const WINDOW: Limit = Limit { messages: 50, bytes: 1 << 30 };
const ROUNDS: usize = 60;
const TURNS: usize = 20;

fn keys() -> LocalKeys {
    LocalKeys::parse(&LocalKeys::fresh_line("bench").unwrap()).unwrap()
}

fn main() {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let file = async |name: &str| Sqlite::open(folder.path().join(name)).await.unwrap();
        let (plain, sealed) = (file("plain.db").await, Encrypted::new(file("sealed.db").await, keys()));
        pair("a turn in SQLite", &plain, &sealed, turns).await;
        let (plain, sealed) = (InMemory::new(), Encrypted::new(InMemory::new(), keys()));
        pair("a turn in memory", &plain, &sealed, turns).await;
        pair("reading 50 messages of 1200 bytes from memory", &plain, &sealed, reads).await;
    });
}

async fn pair(what: &str, plain: &dyn Memory, sealed: &dyn Memory, work: impl AsyncFn(&dyn Memory)) {
    let (mut off, mut on, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let mut spent = [0.0; 2];
        // In changing order, and the first round only warms up.
        for side in [round % 2, 1 - round % 2] {
            let begun = Instant::now();
            work([plain, sealed][side]).await;
            spent[side] = begun.elapsed().as_secs_f64() * 1e6 / TURNS as f64;
        }
        if round > 0 {
            off.push(spent[0]);
            on.push(spent[1]);
            ratios.push(spent[1] / spent[0]);
        }
    }
    let [off, on, ratio] = [off, on, ratios].map(median);
    println!("{what}: off {off:.2} us, on {on:.2} us, ratio {ratio:.3} (medians of {ROUNDS} rounds of {TURNS})");
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn session() -> SessionId {
    SessionId::new("bench").unwrap()
}

async fn turns(memory: &dyn Memory) {
    for _ in 0..TURNS {
        let mut begin = Begin::new(session(), BODY.to_vec());
        (begin.turn, begin.window) = (TurnId::fresh(), WINDOW);
        let turn = begin.turn;
        let begun = memory.begin_turn(&Owner::local(), begin).await.unwrap();
        assert!(matches!(begun, Begun::Started(_)));
        memory.finish_turn(&Owner::local(), Finish::complete(turn, BODY.to_vec())).await.unwrap();
    }
}

async fn reads(memory: &dyn Memory) {
    for _ in 0..TURNS {
        let read = Read::Branch { session: session(), head: None, limit: WINDOW };
        assert_eq!(memory.read(&Owner::local(), read).await.unwrap().rows.len(), 50);
    }
}
