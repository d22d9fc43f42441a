//! One run: servers, replicas, clients, the nemesis, the end, and what is stored then.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use catgpt_core::{Engine, Message, Scripted, memory};
use catgpt_scratch::{Durability, Postgres, Redis};
use fastrand::Rng;
use tokio::time::{sleep, timeout};

use super::client::Client;
use super::history::{Record, Said, Store};
use super::nemesis;
use super::replica::{LEASE, owner};
use super::slot::Slot;
use super::world::{HANG, REPLICAS, World};

const SESSIONS: usize = 200;
const CLIENTS: usize = 60;
/// How many rows one look takes.
const PAGE: u32 = 1000;

/// Lets everybody loose for a time.
pub async fn run(seed: u64, time: Duration) -> (Vec<Record>, Store) {
    let (postgres, redis) = (Postgres::start(Durability::None).unwrap(), Redis::start().unwrap());
    let url = format!("{}/postgres?sslmode=disable", postgres.url());
    let slot = |number| Slot::before(number, postgres.port(), redis.port());
    let slots: [Slot; REPLICAS] = [slot(0).await, slot(1).await, slot(2).await];
    let world = Arc::new(World::new(slots, SESSIONS, Instant::now()));
    let began_ms = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    for slot in &world.slots {
        slot.start(&world).await;
    }
    let mut rng = Rng::with_seed(seed);
    let clients = (0..CLIENTS).map(|number| Client::new(Arc::clone(&world), rng.fork(), number).run());
    let clients: Vec<_> = clients.map(tokio::spawn).collect();
    let troubles = (0..REPLICAS).map(|number| nemesis::replica(Arc::clone(&world), rng.fork(), number));
    let troubles: Vec<_> = troubles.map(tokio::spawn).collect();
    let wires = tokio::spawn(nemesis::wires(Arc::clone(&world), rng.fork()));
    let (shared, chance) = (Arc::clone(&world), rng.fork());
    let servers = tokio::task::spawn_blocking(move || nemesis::servers(&shared, chance, postgres, redis));
    sleep(time).await;
    world.end();
    for trouble in troubles {
        trouble.await.unwrap();
    }
    wires.await.unwrap();
    // They stay until all is read.
    let _servers = servers.await.unwrap();
    for client in clients {
        timeout(HANG * 3, client).await.expect("every call is bounded").unwrap();
    }
    for slot in &world.slots {
        slot.close().await;
    }
    (world.history(), Store { began_ms, ..stored(&url).await })
}

/// What is stored once every lease has run out.
async fn stored(url: &str) -> Store {
    let engine =
        Engine::builder().model(Scripted::reply("")).memory(memory::open(url).await.unwrap()).lease(LEASE).build();
    sleep(LEASE).await;
    engine.sweep().await.unwrap();
    let mut store = Store::default();
    let sessions: Vec<_> = (0..SESSIONS).map(|n| format!("session-{n:03}")).collect();
    let mut owners: Vec<_> = sessions.iter().map(|session| owner(session)).collect();
    owners.sort();
    owners.dedup();
    for owner in owners {
        let user = engine.user(owner).unwrap();
        let mut after = 0;
        loop {
            let changes = user.changes(after, PAGE).await.unwrap();
            let Some(last) = changes.last() else { break };
            after = last.n;
            store.changes.extend(changes);
        }
    }
    for id in sessions {
        let session = engine.user(owner(&id)).unwrap().session(&id).unwrap();
        if session.info().await.is_ok() {
            let tree = session.tree(0, u32::MAX).await.unwrap();
            store.sessions.insert(id, tree.iter().map(said).collect());
        }
    }
    engine.close(Duration::ZERO).await.unwrap();
    store
}

fn said(message: &Message) -> Said {
    let Message { seq, parent, turn, role, status, .. } = *message;
    let error = message.error.as_ref().map(|error| error.kind);
    Said { seq, parent, turn, role, status, text: message.text(), error }
}

/// Writes all of it into a file, a record a line and the store as the last one.
pub fn keep(seed: u64, history: &[Record], store: &Store) -> PathBuf {
    let path = std::env::temp_dir().join(format!("catgpt-chaos-{seed}.jsonl"));
    let mut lines = String::new();
    for record in history {
        writeln!(lines, "{}", serde_json::to_string(record).unwrap()).unwrap();
    }
    writeln!(lines, "{}", serde_json::to_string(store).unwrap()).unwrap();
    std::fs::write(&path, lines).unwrap();
    path
}
