//! What it costs to show replies to other replicas through Redis: the processor's time of a token, in this process and in
//! the server, and how long after a frame was written another replica has it.
//!
//! The server is a scratch one on this machine. Every figure of time is the processor's, of all threads, unless it is a lag.

#![allow(clippy::print_stdout, clippy::unwrap_used, missing_docs, reason = "a bench is a program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use catgpt_core::live::Frame;
use catgpt_core::model::Step;
use catgpt_core::{Engine, Live, Owner, Redis, Scripted, TurnId};
use futures_util::StreamExt;
use futures_util::future::join_all;
use nix::sys::resource::{UsageWho, getrusage};
use redis::aio::MultiplexedConnection;

const TURNS: usize = 64;
const ROUNDS: usize = 5;
const TOKEN: &str = "tok ";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // Cargo's own runs of benches as tests want one pass.
    let rounds = if std::env::args().any(|arg| arg == "--test") { 1 } else { ROUNDS };
    let server = catgpt_scratch::Redis::start().unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let raw = client.get_multiplexed_async_connection().await.unwrap();
    for tokens in [1, 10, 50] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(frames(&server.url(), raw.clone(), tokens).await);
            theirs.push(by_hand(raw.clone(), tokens).await);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!(
            "{tokens:>2} tokens a frame: {:.2} us a token here, {:.2} in the server; by hand {:.2} and {:.2}",
            ours[0], ours[1], theirs[0], theirs[1]
        );
    }
    let mut shown = Vec::new();
    for _ in 0..rounds {
        let live = Redis::open(&server.url()).await.unwrap();
        let [without, with] = [replies(None).await, replies(Some(live)).await];
        shown.push([with - without, without]);
    }
    let [added, without] = median(shown);
    println!("{TURNS} replies of a token each 5 ms: {added:.2} us a token for showing them, {without:.2} for the rest");
    for turns in [1, TURNS] {
        lag(&server.url(), turns).await;
    }
}

/// The middle one of each figure.
fn median(mut samples: Vec<[f64; 2]>) -> [f64; 2] {
    [0, 1].map(|n| {
        samples.sort_by(|a, b| a[n].total_cmp(&b[n]));
        samples[samples.len() / 2][n]
    })
}

/// Microseconds of the processor's time that this process has had.
fn spent() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let [user, system] = [usage.user_time(), usage.system_time()].map(|time| (time.tv_sec(), time.tv_usec()));
    (user.0 + system.0) as f64 * 1e6 + (user.1 + system.1) as f64
}

/// The same of the server.
async fn spent_there(raw: &mut MultiplexedConnection) -> f64 {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(raw).await.unwrap();
    let times = info.lines().filter_map(|line| {
        line.strip_prefix("used_cpu_sys:").or_else(|| line.strip_prefix("used_cpu_user:"))?.trim().parse::<f64>().ok()
    });
    times.sum::<f64>() * 1e6
}

const FRAMES: usize = 400;

/// Every turn writes its frames one after the other, all turns at once.
async fn frames(url: &str, mut raw: MultiplexedConnection, tokens: usize) -> [f64; 2] {
    let live = Redis::open(url).await.unwrap();
    let body = format!(r#"{{"v":1,"parts":[{{"type":"text","text":"{}"}}]}}"#, TOKEN.repeat(tokens));
    let (here, there) = (spent(), spent_there(&mut raw).await);
    let turns = (0..TURNS).map(|_| {
        let (live, body, turn) = (live.clone(), body.clone(), TurnId::fresh());
        tokio::spawn(async move {
            for n in 1..=FRAMES as u64 {
                let frame = Frame { end: n * 4, body: body.clone().into_bytes(), last: false };
                live.append(&Owner::local(), turn, frame).await.unwrap();
            }
        })
    });
    join_all(turns.collect::<Vec<_>>()).await;
    let all = (TURNS * FRAMES * tokens) as f64;
    [(spent() - here) / all, (spent_there(&mut raw).await - there) / all]
}

/// The same two commands, with the same crate.
async fn by_hand(mut raw: MultiplexedConnection, tokens: usize) -> [f64; 2] {
    let (here, there) = (spent(), spent_there(&mut raw).await);
    let turns = (0..TURNS).map(|_| {
        let (mut raw, body, key) = (raw.clone(), TOKEN.repeat(tokens), format!("raw:{}", TurnId::fresh()));
        tokio::spawn(async move {
            for n in 1..=FRAMES {
                let mut pipe = redis::pipe();
                let id = format!("{}-0", n * 4);
                pipe.cmd("XADD").arg(&key).arg("MAXLEN").arg("~").arg(4096).arg(id).arg("b").arg(&body).ignore();
                pipe.cmd("EXPIRE").arg(&key).arg(600).ignore();
                pipe.exec_async(&mut raw).await.unwrap();
            }
        })
    });
    join_all(turns.collect::<Vec<_>>()).await;
    let all = (TURNS * FRAMES * tokens) as f64;
    [(spent() - here) / all, (spent_there(&mut raw).await - there) / all]
}

/// What a token costs in an engine, whose replies nobody watches.
async fn replies(live: Option<Redis>) -> f64 {
    const TOKENS: usize = 400;
    let steps = (0..TOKENS).flat_map(|_| [Step::Delay(Duration::from_millis(5)), Step::text(TOKEN)]);
    let mut engine = Engine::builder().model(Scripted::script(steps.chain([Step::stop()])));
    if let Some(live) = live {
        engine = engine.live(live);
    }
    let engine = Arc::new(engine.build());
    let here = spent();
    let sends = (0..TURNS).map(|n| {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { drop(engine.local().session(n.to_string()).unwrap().send("Hi").await.unwrap()) })
    });
    join_all(sends.collect::<Vec<_>>()).await;
    engine.close(Duration::from_secs(60)).await.unwrap();
    (spent() - here) / (TURNS * TOKENS) as f64
}

/// Frames of every turn each 50 ms, followed by another replica: from before the write to the arrival.
async fn lag(url: &str, turns: usize) {
    const FRAMES: u64 = 100;
    let (writer, other) = (Redis::open(url).await.unwrap(), Redis::open(url).await.unwrap());
    let begun = Instant::now();
    let followed = (0..turns).map(|_| {
        let (writer, turn) = (writer.clone(), TurnId::fresh());
        let frames = other.follow(&Owner::local(), turn, 0);
        let write = async move {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(100..150))).await;
            for end in 1..=FRAMES {
                let body = begun.elapsed().as_nanos().to_string().into_bytes();
                writer.append(&Owner::local(), turn, Frame { end, body, last: end == FRAMES }).await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let read = frames.map(move |frame| {
            let sent: u128 = String::from_utf8(frame.unwrap().body).unwrap().parse().unwrap();
            begun.elapsed().as_nanos() - sent
        });
        tokio::spawn(write);
        tokio::spawn(read.collect::<Vec<_>>())
    });
    let mut lags: Vec<u128> =
        join_all(followed.collect::<Vec<_>>()).await.into_iter().flat_map(Result::unwrap).collect();
    lags.sort_unstable();
    let at = |percent: usize| lags[(lags.len() - 1) * percent / 100] as f64 / 1e6;
    println!(
        "{turns:>2} turns followed: a frame arrives after {:.2} ms (99 %: {:.2}, last {:.2})",
        at(50),
        at(99),
        at(100)
    );
}
