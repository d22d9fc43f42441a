//! Replies that are followed from another replica through a live log, and what becomes of them when it is slow, wiped,
//! gone, hangs or panics: liveness is lost and comes back, text never.
//!
//! Two engines on one memory are two replicas. The clock is tokio's and stands still until all wait, so "before the next
//! checkpoint" is exact and no test sleeps.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catgpt_core::live::{Frame, InMemoryLive, Live};
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    ChatModel, Engine, Error, ErrorKind, Event, Finished, InMemory, Offset, Owner, Reply, Result, Scripted, Session,
    Status, ToolCall, TurnId,
};
use common::{all, text_of, until_text};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::{BoxStream, pending};
use tokio::time::{Instant, timeout};

/// Checkpoints are so far apart.
const CHECKPOINT: Duration = Duration::from_millis(500);
/// Within this much of tokio's time everything ends that is said to end.
const BOUND: Duration = Duration::from_secs(60);

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(BOUND, work).await.unwrap_or_else(|_| panic!("this hangs: {what}"))
}

/// Two replicas on one memory. The first one writes.
struct Pair {
    writer: Engine,
    other: Engine,
}

impl Pair {
    fn new(model: &impl common::CloneModel, live: [Arc<dyn Live>; 2]) -> Self {
        let memory = Arc::new(InMemory::default());
        let engine = |model: Arc<dyn ChatModel>, live| {
            Engine::builder().model(model).memory(Arc::clone(&memory)).live(live).lease(Duration::from_secs(4)).build()
        };
        let [first, second] = live;
        Self { writer: engine(model.again(), first), other: engine(Arc::new(Scripted::reply("Next")), second) }
    }

    fn on(model: &impl common::CloneModel, live: &InMemoryLive) -> Self {
        Self::new(model, [Arc::new(live.again()), Arc::new(live.again())])
    }

    async fn send(&self) -> Reply {
        session(&self.writer).send("Hi").await.unwrap()
    }

    async fn attach(&self, turn: TurnId, from: Offset) -> Reply {
        session(&self.other).attach(turn, from).await.unwrap()
    }

    /// What is stored of the reply.
    async fn stored(&self) -> (Status, String) {
        let reply = session(&self.other).history(9).await.unwrap().remove(1);
        (reply.status, reply.text())
    }
}

fn session(engine: &Engine) -> Session {
    engine.local().session("s").unwrap()
}

fn end_of(events: &[Event]) -> &Finished {
    let ends = events.iter().filter(|event| matches!(event, Event::Finished(_))).count();
    assert_eq!(ends, 1, "{events:?}");
    let Some(Event::Finished(end)) = events.last() else { panic!("the end is not the last: {events:?}") };
    end
}

/// The events are whole: each goes on where the one before ended.
fn whole(from: usize, events: &[Event]) -> String {
    let mut offset = from as Offset;
    for event in events {
        if let Event::Text { text, offset: end } = event {
            offset += text.len() as u64;
            assert_eq!(*end, offset, "something is missing, or there twice: {events:?}");
        }
    }
    text_of(events)
}

fn numbers(range: std::ops::Range<u32>) -> String {
    range.map(|n| format!("{n} ")).collect()
}

/// A word each 7 ms.
fn counting(range: std::ops::Range<u32>) -> impl Iterator<Item = Step> {
    range.flat_map(|n| [Step::Delay(Duration::from_millis(7)), Step::text(format!("{n} "))])
}

#[tokio::test(start_paused = true)]
async fn another_replica_sees_text_long_before_it_is_stored() {
    let (gate, live) = (Gate::new(), InMemoryLive::new());
    let model = Scripted::script([Step::gate(&gate), Step::text("Hello "), Step::Hang]);
    let pair = Pair::on(&model, &live);
    let turn = pair.send().await.turn();
    let mut reply = pair.attach(turn, 0).await;
    assert!(matches!(reply.next().await, Some(Event::Started(_))));
    // Into the middle between two checkpoints.
    tokio::time::sleep(CHECKPOINT.mul_f64(1.2)).await;
    let begun = Instant::now();
    gate.open();
    soon("the word", until_text(&mut reply, "Hello ")).await;
    assert!(begun.elapsed() < CHECKPOINT / 2, "after {:?}: it came through the store", begun.elapsed());
    assert_eq!(pair.stored().await.1, "", "it is shown before it is written");
    reply.cancel().await.unwrap();
    assert_eq!(end_of(&soon("the end", all(reply)).await).status, Status::Cancelled);
    assert_eq!(pair.stored().await, (Status::Cancelled, "Hello ".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_end_is_told_at_once_and_comes_from_the_store() {
    let (gate, live) = (Gate::new(), InMemoryLive::new());
    let model = Scripted::script([Step::text("All"), Step::gate(&gate), Step::usage(7, 1), Step::stop()]);
    let pair = Pair::on(&model, &live);
    let sent = pair.send().await;
    let mut reply = pair.attach(sent.turn(), 0).await;
    until_text(&mut reply, "All").await;
    let begun = Instant::now();
    gate.open();
    let events = soon("the end", all(reply)).await;
    assert!(begun.elapsed() < CHECKPOINT / 2, "after {:?}: nobody told it", begun.elapsed());
    assert_eq!(end_of(&events), end_of(&all(sent).await));
}

#[tokio::test(start_paused = true)]
async fn every_offset_shows_the_same_rest() {
    let live = InMemoryLive::new();
    let pause = Step::Delay(Duration::from_millis(120));
    let call = ToolCall { id: "c".into(), name: "look".into(), arguments: serde_json::json!({}) };
    let parts = [Step::reasoning("hm🙂"), Step::text("Grü"), Step::text("ße "), Step::call(call), Step::text("漢字")];
    let steps = parts.into_iter().flat_map(|part| [pause.clone(), part]).chain([pause.clone(), Step::stop()]);
    let pair = Pair::on(&Scripted::script(steps), &live);
    let sent = pair.send().await;
    let turn = sent.turn();
    // They come at different moments, at every offset, also at some that are not there yet.
    let followers = (0..=28u64).map(|from| {
        let pair = &pair;
        async move {
            tokio::time::sleep(Duration::from_millis(from * 37 % 600)).await;
            all(pair.attach(turn, from).await).await
        }
    });
    let followed = soon("all ends", join_all(followers)).await;
    for (from, events) in (0u64..).zip(followed) {
        let stored = all(pair.attach(turn, from).await).await;
        assert_eq!(flat(&events), flat(&stored), "from {from}");
        assert_eq!(end_of(&events), end_of(&stored));
    }
}

/// The content of events, however it was cut.
fn flat(events: &[Event]) -> Vec<(&'static str, String)> {
    let mut flat: Vec<(&'static str, String)> = Vec::new();
    for event in events {
        let text = match event {
            Event::Text { text, .. } | Event::Reasoning { text, .. } => text,
            Event::ToolCall { call, .. } => &call.name,
            _ => continue,
        };
        match flat.last_mut() {
            Some((name, whole)) if *name == event.name() => whole.push_str(text),
            _ => flat.push((event.name(), text.clone())),
        }
    }
    flat
}

/// What happens to the live log in the midst of a reply.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Gone,
    Wiped,
    GoneAndWiped,
}

#[tokio::test(start_paused = true)]
async fn losing_the_live_log_loses_no_text_and_it_comes_back() {
    for fate in [Fate::Gone, Fate::Wiped, Fate::GoneAndWiped] {
        let (gate, live) = (Gate::new(), InMemoryLive::new());
        let steps = counting(0..400).chain([Step::gate(&gate), Step::text("again "), Step::Hang]);
        let pair = Pair::on(&Scripted::script(steps), &live);
        let turn = pair.send().await.turn();
        let (mut first, middle) = (pair.attach(turn, 0).await, pair.attach(turn, 100).await);
        let middle = tokio::spawn(all(middle));
        until_text(&mut first, &numbers(90..100)).await;
        if matches!(fate, Fate::Gone | Fate::GoneAndWiped) {
            live.set_gone(true);
        }
        if matches!(fate, Fate::Wiped | Fate::GoneAndWiped) {
            live.wipe();
        }
        let late = tokio::spawn(all(pair.attach(turn, 0).await));
        soon("the text from the store", until_text(&mut first, &numbers(200..300))).await;
        live.set_gone(false);
        soon("all that was said so far", until_text(&mut first, "399 ")).await;

        // It is back: words come before they are stored again.
        tokio::time::sleep(CHECKPOINT * 7).await;
        tokio::time::sleep(CHECKPOINT.mul_f64(0.3)).await;
        let begun = Instant::now();
        gate.open();
        soon("the word", until_text(&mut first, "again ")).await;
        assert!(begun.elapsed() < CHECKPOINT / 2, "{fate:?}: it did not come back, {:?}", begun.elapsed());
        first.cancel().await.unwrap();

        let expect = numbers(0..400) + "again ";
        assert_eq!(end_of(&soon("the end", all(first)).await).stored, expect.len() as u64);
        assert_eq!(pair.stored().await, (Status::Cancelled, expect.clone()));
        for (from, events) in [(0, late), (100, middle)] {
            let events = soon("the end", events).await.unwrap();
            assert_eq!(whole(from, &events), expect[from..], "{fate:?}");
            assert_eq!(end_of(&events).status, Status::Cancelled);
        }
    }
}

/// A live log that does everything wrong.
#[derive(Clone, Copy, Debug)]
enum Broken {
    Hangs,
    Fails,
    Panics,
    /// Gives what is none of this turn's frames: this one of them.
    Lies(usize),
}

impl Broken {
    async fn act<T>(self, lie: T) -> Result<T> {
        match self {
            Self::Hangs => std::future::pending().await,
            Self::Fails => Err(Error::new(ErrorKind::Unavailable, "broken")),
            Self::Panics => panic!("broken"),
            Self::Lies(_) => Ok(lie),
        }
    }

    /// Bytes that mean nothing, a frame from the future, one that begins before the reply, an early end.
    fn lies(n: usize) -> Vec<Frame> {
        let lie = r#"{"v":1,"parts":[{"type":"text","text":"a lie"}]}"#;
        let (end, body, last) = [(3, "?", false), (9000, lie, false), (2, lie, false), (0, "", true)][n];
        vec![Frame { end, body: body.into(), last }]
    }
}

#[async_trait]
impl Live for Broken {
    async fn append(&self, _: &Owner, _: TurnId, _: Frame) -> Result<()> {
        self.act(()).await
    }
    fn follow(&self, _: &Owner, _: TurnId, _: Offset) -> BoxStream<'static, Result<Frame>> {
        match self {
            Self::Hangs => pending().boxed(),
            Self::Fails => futures_util::stream::iter([Err(Error::new(ErrorKind::Unavailable, "broken"))]).boxed(),
            Self::Panics => futures_util::stream::poll_fn(|_| panic!("broken")).boxed(),
            Self::Lies(n) => futures_util::stream::iter(Self::lies(*n)).map(Ok).boxed(),
        }
    }
    async fn tail(&self, _: &Owner, _: TurnId, _: Offset) -> Result<Vec<Frame>> {
        self.act(Vec::new()).await
    }
    async fn close(&self) -> Result<()> {
        self.act(()).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_log_that_is_broken_holds_up_nobody() {
    let lies = (0..4).map(Broken::Lies);
    for broken in [Broken::Hangs, Broken::Fails, Broken::Panics].into_iter().chain(lies) {
        let model = Scripted::script(counting(0..300).chain([Step::stop()]));
        let pair = Pair::new(&model, [Arc::new(broken), Arc::new(broken)]);
        let begun = Instant::now();
        let sent = pair.send().await;
        let turn = sent.turn();
        let followed = tokio::spawn(all(pair.attach(turn, 0).await));
        let events = soon("the writer's end", all(sent)).await;
        assert!(begun.elapsed() < Duration::from_millis(300 * 8), "{broken:?} held the turn up: {:?}", begun.elapsed());
        let followed = soon("the follower's end", followed).await.unwrap();
        for events in [&events, &followed] {
            assert_eq!(whole(0, events), numbers(0..300), "{broken:?}");
            assert_eq!(end_of(events).status, Status::Complete);
        }
        soon("closing", pair.writer.close(Duration::from_secs(1))).await.unwrap();
    }
}

/// A process that dies: its runtime goes away with a turn in it, a moment after its last frame.
fn die(memory: Arc<InMemory>, live: InMemoryLive, model: Scripted, said: &'static str) -> TurnId {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let engine = Engine::builder().model(model).memory(memory).live(live.again()).lease(Duration::ZERO).build();
    let turn = runtime.block_on(async {
        let turn = session(&engine).send("Hi").await.unwrap().turn();
        let mut frames = live.follow(&Owner::local(), turn, 0);
        let mut seen = String::new();
        while !seen.contains(said) {
            seen += &String::from_utf8(frames.next().await.unwrap().unwrap().body).unwrap();
        }
        turn
    });
    runtime.shutdown_background();
    turn
}

#[tokio::test]
async fn a_burial_keeps_what_only_the_live_log_has() {
    let (memory, live) = (Arc::new(InMemory::default()), InMemoryLive::new());
    let turn = {
        let (memory, live) = (Arc::clone(&memory), live.again());
        let model = Scripted::script([Step::text("Said "), Step::text("and shown"), Step::Hang]);
        tokio::task::spawn_blocking(move || die(memory, live, model, "shown")).await.unwrap()
    };
    let engine = |live| Engine::builder().model(Scripted::reply("Next")).memory(Arc::clone(&memory)).live(live).build();
    let other = engine(live.again());
    let events = soon("the burial", all(session(&other).attach(turn, 0).await.unwrap())).await;
    assert_eq!(whole(0, &events), "Said and shown");
    let end = end_of(&events);
    assert_eq!((end.status, end.stored), (Status::Interrupted, 14));
    let history = session(&other).history(9).await.unwrap();
    assert_eq!((history[1].status, history[1].text().as_str()), (Status::Interrupted, "Said and shown"));
    assert_eq!(session(&other).send("More").await.unwrap().text().await.unwrap(), "Next");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn closing_tells_those_who_follow_elsewhere() {
    use catgpt_core::Sqlite;
    let (folder, live) = (tempfile::tempdir().unwrap(), InMemoryLive::new());
    let engine = async |model: Scripted| {
        let memory = Sqlite::open(folder.path().join("chat.db")).await.unwrap();
        Engine::builder().model(model).memory(memory).live(live.again()).build()
    };
    let writer = engine(Scripted::script([Step::text("Half"), Step::Hang])).await;
    let other = engine(Scripted::reply("Next")).await;
    let turn = session(&writer).send("Hi").await.unwrap().turn();
    let mut reply = session(&other).attach(turn, 0).await.unwrap();
    until_text(&mut reply, "Half").await;
    writer.close(Duration::ZERO).await.unwrap();
    assert!(
        live.tail(&Owner::local(), turn, 0).await.unwrap().last().unwrap().last,
        "the last frame is there when close comes back"
    );
    let events = soon("the end", all(reply)).await;
    assert_eq!((end_of(&events).status, end_of(&events).stored), (Status::Interrupted, 4));
}

#[tokio::test(start_paused = true)]
async fn frames_are_few_and_hold_all_that_was_said() {
    let live = InMemoryLive::new();
    let pair = Pair::on(&Scripted::script(counting(0..300).chain([Step::stop()])), &live);
    let sent = pair.send().await;
    let turn = sent.turn();
    let begun = Instant::now();
    assert_eq!(whole(0, &all(sent).await), numbers(0..300));
    pair.writer.close(BOUND).await.unwrap();
    let most = begun.elapsed().as_millis() / 50 + 3;
    let frames = live.tail(&Owner::local(), turn, 0).await.unwrap();
    assert!(frames.len() as u128 <= most, "{} frames in {:?}", frames.len(), begun.elapsed());
    let last = frames.last().unwrap();
    assert_eq!((last.end, last.last), (numbers(0..300).len() as u64, true));
}
