//! A reply as server-sent events: what is in a write, and when it comes. On a paused clock, so that times are exact.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use catgpt_core::model::{Gate, Step};
use catgpt_core::wire::{Encoding, sse};
use catgpt_core::{Engine, Scripted};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::time::Instant;

const KEEP_ALIVE: Duration = Duration::from_secs(15);

async fn stream(steps: Vec<Step>, min_interval_ms: u64) -> BoxStream<'static, Vec<u8>> {
    let engine = Engine::builder().model(Scripted::script(steps)).build();
    let reply = engine.local().session("chat").unwrap().send("Hi").await.unwrap();
    reply.into_bytes(Encoding { min_interval_ms, ..Encoding::default() })
}

/// The writes, each with the milliseconds at which it came.
async fn writes(mut stream: BoxStream<'static, Vec<u8>>) -> Vec<(u128, String)> {
    let began = Instant::now();
    let mut writes = Vec::new();
    while let Some(bytes) = stream.next().await {
        writes.push((began.elapsed().as_millis(), String::from_utf8(bytes).unwrap()));
    }
    writes
}

fn texts(write: &str) -> String {
    let data = write.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = data.map(|data| serde_json::from_str::<serde_json::Value>(data).unwrap());
    events.filter_map(|event| Some(event.get("text")?.as_str()?.to_owned())).collect()
}

fn pause(ms: u64) -> Step {
    Step::Delay(Duration::from_millis(ms))
}

#[tokio::test(start_paused = true)]
async fn a_write_is_whole_frames_with_ids_that_lead_back() {
    let stream = stream(vec![Step::text("a\nb"), pause(5), Step::text("🐱"), Step::stop()], 0).await;
    let all: String = writes(stream).await.into_iter().map(|(_, write)| write).collect();
    assert_eq!(texts(&all), "a\nb🐱");
    let offsets: Vec<_> = all.lines().filter_map(|line| sse::parse_id(line.strip_prefix("id: ")?)).collect();
    assert_eq!(offsets.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), [0, 3, 7, 7]);
    assert!(all.split("\n\n").all(|frame| frame.is_empty() || frame.starts_with("id: ")), "{all}");
}

#[tokio::test(start_paused = true)]
async fn writes_keep_their_distance_and_the_first_is_not_delayed() {
    let steps = (0..10).flat_map(|i| [Step::text(i.to_string()), pause(10)]).chain([Step::stop()]).collect();
    let writes = writes(stream(steps, 40).await).await;
    assert_eq!(writes.iter().map(|(_, write)| texts(write)).collect::<String>(), "0123456789");
    assert_eq!(writes[0].0, 0);
    let gaps: Vec<_> = writes.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap >= 40) && writes.len() <= 5, "{writes:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_comments_and_the_answer_still_comes() {
    let gate = Gate::new();
    let mut stream = stream(vec![Step::gate(&gate), Step::text("late"), Step::stop()], 0).await;
    let began = Instant::now();
    assert!(String::from_utf8(stream.next().await.unwrap()).unwrap().contains("\"started\""));
    for comment in 1..=3 {
        assert_eq!(stream.next().await.unwrap(), sse::KEEP_ALIVE);
        assert_eq!(began.elapsed(), KEEP_ALIVE * comment);
    }
    gate.open();
    let rest: String = writes(stream).await.into_iter().map(|(_, write)| write).collect();
    assert_eq!(texts(&rest), "late");
}
