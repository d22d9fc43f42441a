//! Two replicas on one PostgreSQL, behind a proxy that knows nothing of them: a reply that one began is watched and
//! stopped on the other, and survives the death of any. See README.md beside this file.

mod demo;
mod http;
mod proxy;
mod replica;

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["replica", name] => replica::run(name).await,
        ["--demo"] => demo::run().await,
        [] => serve("127.0.0.1:8080").await,
        [place] if place.contains(':') => serve(place).await,
        _ => Err("say --demo, or where to listen (127.0.0.1:8080)".into()),
    }
}

/// Until Ctrl-C.
async fn serve(place: &str) -> Outcome {
    let (mut a, mut b) = (Replica::start("A").await?, Replica::start("B").await?);
    let at = proxy::start(place, vec![a.address, b.address]).await?;
    println!(
        "\
Replicas A (process {}) and B (process {}) behind http://{at}. Try, and kill -9 one of them midway:

  curl -iN http://{at}/chats/trip -d 'Plan three days in Kyoto'    begin a turn
  curl -iN http://{at}/turns/TURN                                  watch it: the other replica answers
  curl -X DELETE http://{at}/turns/TURN                            stop it
  curl http://{at}/chats/trip                                      all that was said
",
        a.pid(),
        b.pid()
    );
    tokio::signal::ctrl_c().await?;
    for replica in [&mut a, &mut b] {
        replica.stop().await?;
    }
    Ok(())
}

/// A process that runs a replica.
struct Replica {
    process: Child,
    address: SocketAddr,
}

impl Replica {
    /// Starts this program once more. It says where it listens.
    async fn start(name: &str) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let pipes = command.args(["replica", name]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = pipes.kill_on_drop(true).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("no pipe")?).lines();
        let line = lines.next_line().await?.ok_or("the replica did not start; what it said stands above")?;
        Ok(Self { process, address: line.parse()? })
    }

    fn pid(&self) -> u32 {
        self.process.id().unwrap_or_default()
    }

    /// `kill -9`.
    async fn kill(&mut self) -> io::Result<()> {
        self.process.kill().await
    }

    /// Lets it store what it runs and end: the end of its standard input tells it to.
    async fn stop(&mut self) -> io::Result<()> {
        drop(self.process.stdin.take());
        self.process.wait().await.map(drop)
    }
}
