//! The place of one replica: its process, as long as there is one, and its wires to the servers.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::NAME;
use super::history::Record;
use super::replica::{LIVE, STORE};
use super::wire::Wire;
use super::world::World;

/// How long a replica may take to close.
const CLOSE: Duration = Duration::from_secs(40);

pub struct Slot {
    number: usize,
    pub store: Wire,
    pub live: Wire,
    /// Where its process listens, if it does.
    port: Arc<Mutex<Option<u16>>>,
    child: tokio::sync::Mutex<Option<Child>>,
}

impl Slot {
    /// An empty one, before the servers that listen on these ports.
    pub async fn before(number: usize, store: u16, live: u16) -> Self {
        let (store, live) = (Wire::to(store).await, Wire::to(live).await);
        Self { number, store, live, port: Arc::default(), child: Default::default() }
    }

    pub fn port(&self) -> Option<u16> {
        *self.port.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a process in it.
    pub async fn start(&self, world: &Arc<World>) {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([NAME, "--exact", "--nocapture", "--test-threads=1"]).kill_on_drop(true);
        command.env(STORE, format!("postgres://cat@127.0.0.1:{}/postgres?sslmode=disable", self.store.port));
        command.env(LIVE, format!("redis://127.0.0.1:{}", self.live.port));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        tokio::spawn(listen(out, self.number, Arc::clone(&self.port), Arc::clone(world)));
        *self.child.lock().await = Some(child);
    }

    /// `kill -9`.
    pub async fn kill(&self) {
        if let Some(mut child) = self.child.lock().await.take() {
            child.kill().await.unwrap();
        }
    }

    /// Asks it to close and waits until it has.
    pub async fn close(&self) {
        let Some(mut child) = self.child.lock().await.take() else { return };
        drop(child.stdin.take());
        let status = timeout(CLOSE, child.wait()).await.expect("a replica that is asked to close does so").unwrap();
        assert!(status.success(), "a replica ended with {status}");
    }

    /// Lets it stand still.
    pub async fn pause(&self) {
        self.signal(Signal::STOP).await;
    }

    /// Lets it go on.
    pub async fn go_on(&self) {
        self.signal(Signal::CONT).await;
    }

    async fn signal(&self, signal: Signal) {
        if let Some(pid) = self.child.lock().await.as_ref().and_then(|child| child.id()) {
            kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
        }
    }
}

/// Hears what a process says until it is gone.
async fn listen(out: ChildStdout, replica: usize, port: Arc<Mutex<Option<u16>>>, world: Arc<World>) {
    let mut lines = BufReader::new(out).lines();
    let mut own = None;
    while let Ok(Some(line)) = lines.next_line().await {
        match line.split_once(' ') {
            Some(("ready", number)) => {
                own = number.parse().ok();
                *port.lock().unwrap() = own;
            }
            Some(("asked", turn)) => {
                let turn = turn.parse().unwrap();
                world.record(Record::Asked { turn, replica, at: world.now() });
            }
            _ => {}
        }
    }
    // Its successor may be there already.
    let mut port = port.lock().unwrap();
    if *port == own {
        *port = None;
    }
}
