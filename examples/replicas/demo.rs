//! The demo: a client on the proxy does what clients do, and checks what it sees.

use std::net::SocketAddr;
use std::time::Duration;

use catgpt_core::{Event, SessionId, Status, TurnId};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;

use crate::{Outcome, Replica, http, proxy};

/// How long all of it may take; it takes some ten seconds.
const MOST: Duration = Duration::from_secs(60);

/// Starts two replicas and a proxy, and ends them after it.
pub async fn run() -> Outcome {
    let (mut a, mut b) = (Replica::start("A").await?, Replica::start("B").await?);
    let proxy = proxy::start("127.0.0.1:0", vec![a.address, b.address]).await?;
    let client = Client { proxy, chat: SessionId::fresh() };
    tokio::time::timeout(MOST, async {
        stop_from_elsewhere(&client).await?;
        kill(&client, &mut a).await
    })
    .await
    .map_err(|_| "the demo hangs")??;
    Ok(b.stop().await?)
}

async fn stop_from_elsewhere(client: &Client) -> Outcome {
    let mut begun = client.say("Why do cats purr?").await?;
    let turn = begun.turn().await?;
    println!("{} runs the turn {turn}", begun.replica);
    let mut watched = client.ask("GET", &format!("/turns/{turn}"), "").await?;
    let seen = watched.text(60).await?;
    println!("{} shows it: {seen:?} …", watched.replica);
    let history = client.history().await?;
    println!("{} has it in the chat: {:?}", history.replica, history.last()?);
    check(history.last()?.starts_with("assistant (running)"), "it runs")?;
    let stopped = client.ask("DELETE", &format!("/turns/{turn}"), "").await?;
    println!("{} is told to stop it", stopped.replica);
    let both = [begun.end().await?, watched.end().await?];
    println!("both watchers see it end: {} and {}\n", both[0], both[1]);
    check(both == [Status::Cancelled; 2], "both are told that it was cancelled")
}

async fn kill(client: &Client, a: &mut Replica) -> Outcome {
    let mut begun = client.say("How do they do it?").await?;
    let turn = begun.turn().await?;
    check(begun.replica == "A", "the proxy gave it to A, as each other connection")?;
    println!("A runs the turn {turn}");
    let mut watched = client.ask("GET", &format!("/turns/{turn}"), "").await?;
    let seen = watched.text(60).await?;
    println!("{} shows it: {seen:?} …", watched.replica);
    a.kill().await?;
    check(begun.end().await.is_err(), "the connection to A is gone")?;
    println!("A is killed. Its lease runs out in three seconds …");
    let end = watched.end().await?;
    println!("{} tells that the turn is {end}", watched.replica);
    check(end == Status::Interrupted, "it was cut off")?;
    let history = client.history().await?;
    println!("{} has it in the chat: {:?}", history.replica, history.last()?);
    let kept = history.last()?.strip_prefix("assistant (interrupted): ").ok_or("it is stored as it ended")?;
    // A crash may cost the text of one checkpoint, and the last event says so: this client cuts back what it holds.
    check(kept.len() > 20 && (kept.starts_with(&seen) || seen.starts_with(kept)), "what was shown is kept")?;
    let mut next = client.say("And now in one line?").await?;
    let more = next.text(30).await?;
    println!("and goes on with it: {more:?} …");
    Ok(())
}

fn check(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("not as promised: {what}").into()) }
}

/// Knows the proxy and one chat.
struct Client {
    proxy: SocketAddr,
    chat: SessionId,
}

impl Client {
    async fn say(&self, text: &str) -> Outcome<Answer> {
        self.ask("POST", &format!("/chats/{}", self.chat), text).await
    }

    async fn history(&self) -> Outcome<History> {
        let mut answer = self.ask("GET", &format!("/chats/{}", self.chat), "").await?;
        let mut text = String::new();
        answer.lines.get_mut().read_to_string(&mut text).await?;
        Ok(History { replica: answer.replica, text })
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Outcome<Answer> {
        let mut stream = TcpStream::connect(self.proxy).await?;
        let length = body.len();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: here\r\ncontent-length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await?;
        let mut stream = BufReader::new(stream);
        let (first, headers) = http::head(&mut stream).await?;
        check(first.starts_with("HTTP/1.1 200"), &first)?;
        let replica = headers.into_iter().find(|(name, _)| name == "x-replica").ok_or("no replica answered")?.1;
        Ok(Answer { replica, lines: stream.lines() })
    }
}

/// A chat as it is stored.
struct History {
    replica: String,
    text: String,
}

impl History {
    fn last(&self) -> Outcome<&str> {
        Ok(self.text.lines().last().ok_or("nothing was said")?)
    }
}

/// A response that comes.
struct Answer {
    replica: String,
    lines: Lines<BufReader<TcpStream>>,
}

impl Answer {
    async fn event(&mut self) -> Outcome<Event> {
        while let Some(line) = self.lines.next_line().await? {
            if let Some(json) = line.strip_prefix("data: ") {
                return Ok(serde_json::from_str(json)?);
            }
        }
        Err("the connection broke".into())
    }

    async fn turn(&mut self) -> Outcome<TurnId> {
        match self.event().await? {
            Event::Started(started) => Ok(started.turn),
            other => Err(format!("a reply begins with `started`, not {other:?}").into()),
        }
    }

    /// So many bytes of it at least.
    async fn text(&mut self, bytes: usize) -> Outcome<String> {
        let mut all = String::new();
        while all.len() < bytes {
            match self.event().await? {
                Event::Text { text, .. } => all += &text,
                Event::Finished(end) => return Err(format!("it ended early: {}", end.status).into()),
                _ => {}
            }
        }
        Ok(all)
    }

    async fn end(&mut self) -> Outcome<Status> {
        loop {
            if let Event::Finished(end) = self.event().await? {
                return Ok(end.status);
            }
        }
    }
}
