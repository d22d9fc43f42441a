//! What a chunk costs on its way through the engine: decoded, logged, shown and checkpointed to SQLite, as a ratio to
//! the least that a client can do (reqwest, a minimal split into lines, serde_json) in the same run.
//!
//! CPU time of the client's process, user and system, with the server in another process. Each figure is a process of
//! its own; the two are measured in turn, so that a machine that changes its speed changes it for both.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]

use std::borrow::Cow;
use std::process::Stdio;
use std::time::Duration;

use catgpt_core::testkit::FakeServer;
use catgpt_core::{Engine, Event, OpenAi, Sqlite};
use futures_util::StreamExt;
use futures_util::future::join_all;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Concurrent streams, chunks of each, and pairs of runs.
const LOADS: [(usize, usize, usize); 4] = [(1, 40_000, 9), (200, 1_000, 9), (1, 1_000, 1), (200, 1_000, 3)];

#[derive(Serialize, Deserialize)]
struct Cost {
    us_per_chunk: f64,
    rss_kib: i64,
    bytes: usize,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let arg = |i: usize| args.get(i).map(String::as_str).unwrap_or_default();
    runtime.block_on(async {
        match arg(1) {
            "server" => serve().await,
            who @ ("raw" | "engine") => {
                let job = Job { url: arg(2).into(), streams: arg(3).parse().unwrap(), model: arg(4).into() };
                let cost = if who == "raw" { job.raw().await } else { job.engine().await };
                println!("{}", serde_json::to_string(&cost).unwrap());
            }
            _ => compare().await,
        }
    });
}

async fn serve() {
    let server = FakeServer::start().await;
    println!("{}", server.url());
    server.run().await;
}

fn child(args: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(args).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

async fn line(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next_line().await.unwrap().unwrap()
}

async fn compare() {
    let mut server = child(&["server"]);
    let url = line(&mut server).await;
    let mut one = 0.0;
    for (load, (streams, chunks, pairs)) in LOADS.into_iter().enumerate() {
        // The last two loads come at the pace of a model: 20 ms between chunks.
        let paced = load >= 2;
        let model = format!("mock,n={chunks}{}", if paced { ",d=20" } else { "" });
        let mut ratios = vec![];
        let (mut raws, mut engines, mut memory) = (vec![], vec![], vec![]);
        for _ in 0..pairs {
            let raw = run("raw", &url, streams, &model).await;
            let engine = run("engine", &url, streams, &model).await;
            assert_eq!(raw.bytes, engine.bytes, "both saw the whole text");
            ratios.push(engine.us_per_chunk / raw.us_per_chunk);
            memory.push((engine.rss_kib - raw.rss_kib) as f64);
            raws.push(raw.us_per_chunk);
            engines.push(engine.us_per_chunk);
        }
        println!(
            "pipeline {streams:>3} streams x {chunks} chunks{}: raw {:.2} us, engine {:.2} us a chunk; ratio {:.2} \
             (min {:.2}, max {:.2})",
            if paced { " paced" } else { "" },
            median(&mut raws),
            median(&mut engines),
            median(&mut ratios),
            ratios[0],
            ratios[ratios.len() - 1],
        );
        // What the engine needs once, the store and its threads, is not counted to a stream.
        let above = median(&mut memory);
        if paced && streams == 1 {
            one = above;
        } else if paced {
            println!("memory of a running reply above raw: {:.1} KiB", (above - one) / (streams - 1) as f64);
        }
    }
}

async fn run(who: &str, url: &str, streams: usize, model: &str) -> Cost {
    let mut child = child(&[who, url, &streams.to_string(), model]);
    let cost = serde_json::from_str(&line(&mut child).await).unwrap();
    child.wait().await.unwrap();
    cost
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let time = |t: nix::sys::time::TimeVal| {
        let micros = u64::try_from(t.num_microseconds()).unwrap();
        Duration::from_micros(micros)
    };
    time(usage.user_time()) + time(usage.system_time())
}

struct Job {
    url: String,
    streams: usize,
    model: String,
}

impl Job {
    fn cost(&self, began: Duration, bytes: usize) -> Cost {
        let chunks = self.model.split(',').find_map(|knob| knob.strip_prefix("n=")).unwrap().parse::<usize>().unwrap();
        let spent = (cpu() - began).as_secs_f64() * 1e6;
        let rss_kib = getrusage(UsageWho::RUSAGE_SELF).unwrap().max_rss();
        Cost { us_per_chunk: spent / (chunks * self.streams) as f64, rss_kib, bytes }
    }

    async fn raw(&self) -> Cost {
        rustls::crypto::ring::default_provider().install_default().unwrap();
        let client = reqwest::Client::new();
        raw_stream(client.clone(), &self.url, "mock,n=500").await;
        let began = cpu();
        let streams = (0..self.streams).map(|_| {
            let (client, url, model) = (client.clone(), self.url.clone(), self.model.clone());
            tokio::spawn(async move { raw_stream(client, &url, &model).await })
        });
        let bytes = join_all(streams).await.into_iter().map(Result::unwrap).sum();
        self.cost(began, bytes)
    }

    async fn engine(&self) -> Cost {
        let folder = tempfile::tempdir().unwrap();
        let memory = Sqlite::open(folder.path().join("bench.db")).await.unwrap();
        let model = OpenAi::keyless(&self.url).unwrap();
        let engine = Engine::builder().model(model).memory(memory).build();
        engine_stream(engine.clone(), "warm".into(), "mock,n=500".into()).await;
        let began = cpu();
        let streams =
            (0..self.streams).map(|i| tokio::spawn(engine_stream(engine.clone(), format!("s{i}"), self.model.clone())));
        let bytes = join_all(streams).await.into_iter().map(Result::unwrap).sum();
        let cost = self.cost(began, bytes);
        engine.close(Duration::from_secs(5)).await.unwrap();
        cost
    }
}

async fn engine_stream(engine: Engine, session: String, model: String) -> usize {
    let session = engine.local().session(session).unwrap();
    let mut reply = session.send("hi").model(model).await.unwrap();
    let mut bytes = 0;
    while let Some(event) = reply.next().await {
        match event {
            Event::Text { text, .. } => bytes += text.len(),
            Event::Finished(finished) => assert!(finished.error.is_none(), "{finished:?}"),
            _ => {}
        }
    }
    bytes
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    choices: Vec<Choice<'a>>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(borrow)]
    delta: Delta<'a>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Cow<'a, str>,
}

/// The least that a client can do and still have the text.
async fn raw_stream(client: reqwest::Client, url: &str, model: &str) -> usize {
    let messages = serde_json::json!([{"role": "user", "content": "hi"}]);
    let body = serde_json::json!({"model": model, "stream": true, "messages": messages}).to_string();
    let url = format!("{url}/chat/completions");
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
    let mut chunks = answer.error_for_status().unwrap().bytes_stream();
    let (mut bytes, mut carry) = (0, Vec::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        let mut rest = &chunk[..];
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if carry.is_empty() {
                bytes += text_bytes(&rest[..end]);
            } else {
                carry.extend_from_slice(&rest[..end]);
                bytes += text_bytes(&carry);
                carry.clear();
            }
            rest = &rest[end + 1..];
        }
        carry.extend_from_slice(rest);
    }
    bytes
}

fn text_bytes(line: &[u8]) -> usize {
    let Some(data) = line.strip_prefix(b"data: ").filter(|data| *data != b"[DONE]") else { return 0 };
    let chunk: Chunk = serde_json::from_slice(data).unwrap();
    chunk.choices.first().map_or(0, |choice| choice.delta.content.len())
}
