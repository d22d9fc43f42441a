//! One replica: an engine, and four paths to it. It holds nothing that another replica would need.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::message::Message;
use catgpt_core::wire::{Format, sse};
use catgpt_core::{Engine, Error, ErrorKind, Offline, Persona, Reply, Result, User, live, memory};
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Outcome;
use crate::http::{self, Request};

/// Serves until it is told to end, or until whoever started it is gone.
pub async fn run(name: &str) -> Outcome {
    let engine = open().await?;
    // Who asks is your front's business: a cookie, a token. Here it is always Alice.
    let alice = engine.user("alice")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let name: Arc<str> = name.into();
    let mut clients = JoinSet::new();
    let mut end = pin!(told_to_end());
    loop {
        tokio::select! {
            client = listener.accept() => {
                clients.spawn(answer(client?.0, alice.clone(), Arc::clone(&name)));
            }
            Some(_) = clients.join_next() => {}
            () = &mut end => break,
        }
    }
    // Turns that run have two seconds to end. The others are stored as far as they came, and their sessions are free.
    engine.close(Duration::from_secs(2)).await?;
    // So every reply has ended, and whoever watches one is told how, if he reads on.
    let _ = timeout(Duration::from_secs(1), clients.join_all()).await;
    Ok(())
}

async fn open() -> Outcome<Engine> {
    let url = std::env::var("DATABASE_URL").map_err(
        |_| "DATABASE_URL is not set: name a PostgreSQL database, or begin the command with `cargo xtask servers`",
    )?;
    // It talks slowly, so that there is something to see; and the dead are found after 3 s instead of 15.
    let model = Offline::new().paced(Duration::from_millis(250));
    let engine = Engine::builder().model(model).persona(Persona::cat()).lease(Duration::from_secs(3));
    let engine = engine.memory(memory::open(&url).await?);
    Ok(match std::env::var("REDIS_URL") {
        Ok(url) => engine.live(live::open(&url).await?).build(),
        // Then replicas watch each other's replies through the database.
        Err(_) => engine.build(),
    })
}

async fn told_to_end() {
    let starter = async {
        // Ends when the pipe does. Also without one, as under a process manager, a signal comes.
        let mut pipe = tokio::io::stdin();
        while pipe.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        () = starter => {}
        () = signal() => {}
    }
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut end), Ok(mut key)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else { return };
    tokio::select! {
        _ = end.recv() => {}
        _ = key.recv() => {}
    }
}

#[cfg(not(unix))]
async fn signal() {
    let _ = tokio::signal::ctrl_c().await;
}

/// An error here is a client that went away, which is no business of a turn.
async fn answer(mut stream: TcpStream, alice: User, name: Arc<str>) -> std::io::Result<()> {
    let request = http::read(&mut stream).await?;
    match route(request, &alice).await {
        Ok(Answer::Reply(reply)) => {
            http::respond(&mut stream, 200, &name, sse::CONTENT_TYPE).await?;
            let mut writes = reply.into_bytes(Format::Sse);
            while let Some(bytes) = writes.next().await {
                stream.write_all(&bytes).await?;
            }
            Ok(())
        }
        Ok(Answer::Text(text)) => {
            http::respond(&mut stream, 200, &name, "text/plain; charset=utf-8").await?;
            stream.write_all(text.as_bytes()).await
        }
        Err(error) => {
            http::respond(&mut stream, error.kind().http_status(), &name, "text/plain; charset=utf-8").await?;
            stream.write_all(format!("{error}\n").as_bytes()).await
        }
    }
}

enum Answer {
    Reply(Box<Reply>),
    Text(String),
}

async fn route(request: Request, alice: &User) -> Result<Answer> {
    let reply = |reply| Answer::Reply(Box::new(reply));
    let path: Vec<&str> = request.path.split('/').collect();
    match (request.method.as_str(), &path[..]) {
        ("POST", ["", "chats", chat]) => Ok(reply(alice.session(chat)?.send(request.body).await?)),
        ("GET", ["", "chats", chat]) => {
            let history = alice.session(chat)?.history(100).await?;
            Ok(Answer::Text(history.iter().map(line).collect()))
        }
        ("GET", ["", "turns", turn]) => {
            // What an EventSource sends when it comes back leads to the next byte.
            let seen = request.last_event_id.as_deref().and_then(sse::parse_id);
            let (turn, offset) = seen.map_or_else(|| Ok::<_, Error>((turn.parse()?, 0)), Ok)?;
            Ok(reply(alice.attach(turn, offset).await?))
        }
        ("DELETE", ["", "turns", turn]) => {
            alice.cancel(turn.parse()?).await?;
            Ok(Answer::Text("stopped\n".into()))
        }
        _ => Err(Error::new(ErrorKind::NotFound, "there is no such path: README.md lists them")),
    }
}

fn line(message: &Message) -> String {
    format!("{} ({}): {}\n", message.role.as_str(), message.status, message.text())
}
