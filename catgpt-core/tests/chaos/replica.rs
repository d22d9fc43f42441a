//! A replica: this test program again, which finds a store and a live log in its environment and serves them on a
//! loopback port. The end of its input closes it.
//!
//! A connection is one call: a line of JSON comes in, a line of JSON goes out, and then, for who sent or attached, the
//! events of the reply. It writes `ready PORT` and `asked TURN`.

use std::io::Write;
use std::time::Duration;

use catgpt_core::{Busy, Engine, ErrorKind, Memory, Reply, Result, TurnId, live, memory};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::model::Speaker;

/// Where it finds its store and its live log.
pub const STORE: &str = "CATGPT_CHAOS_STORE";
pub const LIVE: &str = "CATGPT_CHAOS_LIVE";
/// How long a turn is believed alive.
pub const LEASE: Duration = Duration::from_secs(4);

/// What a client asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    Send { session: String, key: String, text: String, busy: Manners },
    Attach { session: String, turn: TurnId, from: u64 },
    Stop { session: String, turn: TurnId },
    Read { session: String },
}

/// What a send does in a busy session.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manners {
    Reject,
    Queue,
    Interrupt,
}

/// What it is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    Turn(TurnId),
    Stopped,
    Turns(Vec<TurnId>),
    Error(ErrorKind),
}

/// Whose a session is: few owners, so that their journals are fought for.
pub fn owner(session: &str) -> String {
    format!("owner-{}", session.bytes().map(u32::from).sum::<u32>() % 8)
}

fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    // The test harness leaves its own line open, so ours begins with a new one. Nobody reads after the driver's end.
    let _ = write!(out, "\n{words}\n").and_then(|()| out.flush());
}

/// Runs until its input ends.
pub async fn run(store: &str) {
    // Whoever is stopped does not see that its input has ended. The parent is a thread: one of the driver's workers, which
    // live as long as its runtime.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let (ended, mut end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        std::io::stdin().lines().for_each(drop);
        ended.send(())
    });
    let memory = tokio::select! {
        memory = opened(store) => memory,
        _ = &mut end => return,
    };
    let live = live::open(&std::env::var(LIVE).unwrap()).await.unwrap();
    let model = Speaker { tell: |turn| say(&format!("asked {turn}")) };
    let engine = Engine::builder().model(model).memory(memory).live(live).lease(LEASE).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    say(&format!("ready {}", listener.local_addr().unwrap().port()));
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => drop(tokio::spawn(serve(engine.clone(), stream))),
            _ = &mut end => break,
        }
    }
    // The store may be gone at this moment; then the turns that run are left to others.
    let _ = engine.close(Duration::from_millis(500)).await;
}

/// The store, as soon as there is one.
async fn opened(url: &str) -> impl Memory + use<> {
    loop {
        match memory::open(url).await {
            Ok(memory) => return memory,
            Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn serve(engine: Engine, stream: TcpStream) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let Some(line) = lines.next_line().await? else { return Ok(()) };
    let (response, reply) = match answer(&engine, serde_json::from_str(&line)?).await {
        Ok(answer) => answer,
        Err(error) => (Response::Error(error.kind()), None),
    };
    write.write_all(&line_of(&response)).await?;
    let Some(mut reply) = reply else { return Ok(()) };
    loop {
        let event = tokio::select! {
            event = reply.next() => event,
            // Clients say nothing more: they have gone.
            _ = lines.next_line() => return Ok(()),
        };
        match event {
            Some(event) => write.write_all(&line_of(&event)).await?,
            None => return Ok(()),
        }
    }
}

fn line_of(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap();
    line.push(b'\n');
    line
}

async fn answer(engine: &Engine, request: Request) -> Result<(Response, Option<Reply>)> {
    match request {
        Request::Send { session, key, text, busy } => {
            let busy = match busy {
                Manners::Reject => Busy::Reject,
                Manners::Queue => Busy::Queue { deadline: Duration::from_secs(4) },
                Manners::Interrupt => Busy::Interrupt,
            };
            let session = engine.user(owner(&session))?.session(session)?;
            let reply = session.send(text).key(key).busy(busy).await?;
            Ok((Response::Turn(reply.turn()), Some(reply)))
        }
        Request::Attach { session, turn, from } => {
            let reply = engine.user(owner(&session))?.attach(turn, from).await?;
            Ok((Response::Turn(turn), Some(reply)))
        }
        Request::Stop { session, turn } => {
            engine.user(owner(&session))?.cancel(turn).await?;
            Ok((Response::Stopped, None))
        }
        Request::Read { session } => {
            let history = engine.user(owner(&session))?.session(session)?.history(100_000).await?;
            let replies = history.into_iter().filter(|message| message.parent.is_some_and(|seq| seq % 2 == 1));
            Ok((Response::Turns(replies.filter_map(|reply| reply.turn).collect()), None))
        }
    }
}
