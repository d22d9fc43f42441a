//! What clients and nemesis share: the replicas, the history, the turns that are known, and the end.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use catgpt_core::{ErrorKind, TurnId};
use fastrand::Rng;
use serde_json::{from_str, to_vec};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::history::{Answer, At, Record};
use super::replica::{Request, Response};
use super::slot::Slot;

/// How many replicas there are.
pub const REPLICAS: usize = 3;
/// No answer and no end of a reply may take so long: longer than a lease, an outage and every retry together.
pub const HANG: Duration = Duration::from_secs(60);
/// How many turns are remembered, to be attached to and stopped.
const KNOWN: usize = 300;

pub struct World {
    pub slots: [Slot; REPLICAS],
    pub sessions: usize,
    begun: Instant,
    history: Mutex<Vec<Record>>,
    turns: Mutex<Vec<Known>>,
    over: AtomicBool,
}

/// A turn that somebody was told of.
#[derive(Clone)]
pub struct Known {
    pub turn: TurnId,
    pub session: String,
    pub question: String,
}

/// The rest of an answer: events.
pub type Events = Lines<BufReader<TcpStream>>;

impl World {
    pub fn new(slots: [Slot; REPLICAS], sessions: usize, begun: Instant) -> Self {
        let (history, turns, over) = Default::default();
        Self { slots, sessions, begun, history, turns, over }
    }

    pub fn now(&self) -> At {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap()
    }

    pub fn record(&self, record: Record) {
        self.history.lock().unwrap().push(record);
    }

    pub fn history(&self) -> Vec<Record> {
        std::mem::take(&mut self.history.lock().unwrap())
    }

    /// Whether nothing new is to be begun.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn learn(&self, known: Known) {
        let mut turns = self.turns.lock().unwrap();
        if turns.len() == KNOWN {
            turns.remove(0);
        }
        turns.push(known);
    }

    /// One that began not long ago, rather than one of long ago.
    pub fn some_turn(&self, rng: &mut Rng) -> Option<Known> {
        let turns = self.turns.lock().unwrap();
        let back = rng.usize(..KNOWN) * usize::from(rng.u8(..4) == 0) + rng.usize(..20);
        turns.len().checked_sub(back + 1).map(|at| turns[at].clone())
    }

    /// Half of all that happens, happens in a tenth of the sessions.
    pub fn some_session(&self, rng: &mut Rng) -> String {
        let busy = if rng.bool() { self.sessions.div_ceil(10) } else { self.sessions };
        format!("session-{:03}", rng.usize(..busy))
    }

    /// Asks a replica; with its answer come the events that follow it.
    pub async fn call(&self, replica: usize, request: &Request) -> (Answer<Response>, Option<Events>) {
        match timeout(HANG, ask(self.slots[replica].port(), request)).await {
            Ok(Some((Response::Error(kind), _))) => (refusal(kind), None),
            Ok(Some((response, events))) => (Answer::Ok(response), Some(events)),
            Ok(None) => (Answer::Unknown, None),
            Err(_) => (Answer::Hung, None),
        }
    }
}

async fn ask(port: Option<u16>, request: &Request) -> Option<(Response, Events)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port?)).await.ok()?;
    let mut line = to_vec(request).unwrap();
    line.push(b'\n');
    stream.write_all(&line).await.ok()?;
    let mut lines = BufReader::new(stream).lines();
    // A line that was cut short is none.
    let response = from_str(&lines.next_line().await.ok()??).ok()?;
    Some((response, lines))
}

/// What an error says of the call.
fn refusal<T>(kind: ErrorKind) -> Answer<T> {
    match kind {
        ErrorKind::Busy => Answer::Refused(kind),
        ErrorKind::Store | ErrorKind::Closed => Answer::Unknown,
        kind => Answer::Wrong(kind),
    }
}
