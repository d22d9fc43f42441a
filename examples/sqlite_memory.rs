//! Conversations in a file: a process is killed while it answers, another one reads what was kept and goes on.
//!
//! ```sh
//! cargo run -p examples --example sqlite_memory              # in a temporary folder
//! cargo run -p examples --example sqlite_memory -- chat.db   # in a file that stays; run it twice
//! ```

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use catgpt_core::model::Step;
use catgpt_core::{ChatModel, Engine, Event, Offline, Result, Scripted, Session, Sqlite};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--count", path] => Ok(count(path.as_ref()).await?),
        [path] => tour(path.into()).await,
        [] => {
            let folder = tempfile::tempdir()?;
            tour(folder.path().join("chat.db")).await
        }
        _ => Err("give the path of one file, or nothing".into()),
    }
}

async fn tour(path: PathBuf) -> Result<(), Box<dyn Error>> {
    let seen = watch_it_die(&path)?;
    println!("\nThe process was killed after it had shown {seen} bytes. A new engine opens the file:");
    let engine = open(&path, Offline::new()).await?;
    let session = counting(&engine)?;

    // The turn looks alive until its lease has run out, 2 s after its last checkpoint. Then whoever asks next ends it for
    // everybody, with the text that it had: at most half a second or 4 KiB is missing.
    let turn = session.info().await?.running.ok_or("the process had ended before it was killed")?;
    let mut reply = session.attach(turn, 200).await?;
    while let Some(event) = reply.next().await {
        match event {
            Event::Text { text, offset } => println!("  from byte 200 to {offset}: {text}"),
            Event::Finished(end) => {
                println!("  {}: {} bytes are kept; a client cuts back to that", end.status, end.stored)
            }
            _ => {}
        }
    }
    engine.close(Duration::from_secs(5)).await?;

    println!("\nThe next one goes on where the answer was cut off:");
    let engine = open(&path, Offline::new()).await?;
    let session = counting(&engine)?;
    println!("  {}\n", session.send("What did I ask you?").await?.text().await?);
    for message in session.history(4).await? {
        println!("  {:>9}, {}: {} bytes", message.role.as_str(), message.status, message.text().len());
    }
    Ok(engine.close(Duration::from_secs(5)).await?)
}

async fn open(path: &Path, model: impl ChatModel) -> Result<Engine> {
    let memory = Sqlite::open(path).await?;
    Ok(Engine::builder().model(model).memory(memory).lease(Duration::from_secs(2)).build())
}

fn counting(engine: &Engine) -> Result<Session> {
    engine.user("alice")?.session("counting")
}

/// Runs this program once more, and kills it in the middle of its answer. Returns how many bytes it had shown.
fn watch_it_die(path: &Path) -> Result<u64, Box<dyn Error>> {
    let mut child = Command::new(std::env::current_exe()?).arg("--count").arg(path).stdout(Stdio::piped()).spawn()?;
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().ok_or("it has a pipe")?).lines() {
        let line = line?;
        print!("{line} ");
        seen += line.len() as u64 + 1;
        if line == "100" {
            child.kill()?;
        }
    }
    child.wait()?;
    Ok(seen)
}

/// What the other process does: it counts, and never comes to the end.
async fn count(path: &Path) -> Result<()> {
    let pause = Step::Delay(Duration::from_millis(10));
    let steps = (1..=1000).flat_map(|n| [Step::text(format!("{n} ")), pause.clone()]);
    let engine = open(path, Scripted::script(steps)).await?;
    let mut reply = counting(&engine)?.send("Count to a thousand").await?;
    while let Some(event) = reply.next().await {
        if let Event::Text { text, .. } = event {
            println!("{}", text.trim_end());
        }
    }
    engine.close(Duration::from_secs(5)).await
}
