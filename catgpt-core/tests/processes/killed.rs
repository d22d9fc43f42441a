//! Processes that die: what they leave behind, and who puts it in order.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use catgpt_core::{ErrorKind, Event, Scripted, Status, TurnId};

use super::child::poured;
use super::common::{all, eventually, text_of};
use super::other::{Line, SHORT, Shared, engine, session, shared, soon, undamaged, whole};
use super::{ME, rounds};

/// How much of what was shown may be unwritten while no write is under way: 4 KiB, and what a model that is always
/// ready can say before the write begins.
const UNWRITTEN: u64 = 4096 + 65 * FAST;
/// Bytes a millisecond of a model whose checkpoints are made by its bytes, and a model whose are made by the clock.
const FAST: u64 = 128;
const SCRIPTS: [&str; 3] = ["pour-128-1", "pour-16-5", "pour-16-40"];

/// What was lost of a reply: what had been shown and is not stored.
#[derive(Clone, Copy, Debug, Default)]
struct Gap {
    bytes: u64,
    time: Duration,
    buried: Duration,
}

/// What the other process had said about one of its sends.
struct Trace {
    turn: TurnId,
    shown: Vec<(Duration, u64)>,
    writing: u64,
    written: u64,
}

impl Trace {
    fn of(heard: &[Line], who: &str) -> Option<Self> {
        let turn = heard.iter().find(|line| line.is(who, "sent"))?.turn();
        let name = turn.to_string();
        let last = |what| heard.iter().rfind(|line| line.is(&name, what)).map_or(0, Line::offset);
        let shown = heard.iter().filter(|line| line.is(who, "text")).map(|line| (line.at, line.offset()));
        Some(Self { turn, shown: shown.collect(), writing: last("writing"), written: last("written") })
    }

    fn gap(&self, stored: u64, buried: Duration) -> Gap {
        let lost: Vec<_> = self.shown.iter().filter(|(_, offset)| *offset > stored).collect();
        match (lost.first(), lost.last()) {
            (Some(first), Some(last)) => Gap { bytes: last.1 - stored, time: last.0 - first.0, buried },
            _ => Gap { buried, ..Gap::default() },
        }
    }

    /// Nothing that was written is lost; and what was not written was not more than a checkpoint.
    fn check(&self, stored: u64) {
        assert!(stored >= self.written, "{} were written, {stored} are stored", self.written);
        assert!(stored <= self.writing, "more is stored than was ever written");
        let shown = self.shown.last().map_or(0, |(_, offset)| *offset);
        if self.writing == self.written {
            assert!(shown.saturating_sub(self.written) <= UNWRITTEN, "{shown} were shown, {stored} are stored");
        }
    }
}

/// Three sessions in the midst of their answers, killed at some moment.
async fn kill_midway(store: &Shared, lane: usize, round: usize) -> Vec<Gap> {
    let mut other = store.other(SHORT).await;
    let names = [0, 1, 2].map(|n| format!("{lane}-{n}"));
    for (name, script) in names.iter().zip(SCRIPTS) {
        other.tell(format!("send {name} {name} reject {script} Question {round}")).await;
    }
    let mut heard = Vec::new();
    for _ in 0..fastrand::usize(1..1500) {
        heard.extend(other.next().await);
    }
    heard.extend(other.kill().await);
    let died = Instant::now();
    let model = Scripted::reply("Fine");
    let engine = engine(&store.path, &model).await;
    let mut gaps = Vec::new();
    for name in &names {
        let Some(trace) = Trace::of(&heard, name) else { continue };
        let room = session(&engine, name);
        let events = soon("the end of a dead turn", all(room.attach(trace.turn, 0).await.unwrap())).await;
        let Some(Event::Finished(end)) = events.last() else { panic!("{events:?}") };
        assert_eq!(end.status, Status::Interrupted);
        assert_eq!(end.error.as_ref().map(|error| error.kind), Some(ErrorKind::Truncated));
        let text = text_of(&events);
        assert!(text == poured(text.len()) && text.len() as u64 == end.stored, "the text is torn");
        trace.check(end.stored);
        gaps.push(trace.gap(end.stored, died.elapsed()));

        assert_eq!(
            soon("the next send", async { room.send("Go on").await }).await.unwrap().text().await.unwrap(),
            "Fine"
        );
        let prompt: Vec<_> = model.requests().last().unwrap().messages.iter().map(|m| m.content.text()).collect();
        assert!(text.is_empty() || prompt.contains(&text), "the model is told what was said");
        assert!(prompt.contains(&format!("Question {round}")), "a message is lost");
    }
    gaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_midway_loses_no_message_and_at_most_a_checkpoint() {
    const LANES: usize = 4;
    let store = std::sync::Arc::new(shared());
    let rounds = rounds("CATGPT_KILL_ROUNDS", 8);
    let lanes = (0..LANES).map(|lane| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut gaps = Vec::new();
            for round in (lane..rounds).step_by(LANES) {
                gaps.extend(kill_midway(&store, lane, round).await);
            }
            gaps
        })
    });
    let mut gaps = Vec::new();
    for lane in lanes.collect::<Vec<_>>() {
        gaps.extend(lane.await.unwrap());
    }
    assert!(gaps.len() >= rounds, "most sends are answered before the kill");
    let engine = store.engine(&Scripted::reply("never asked")).await;
    let alice = engine.user(ME).unwrap();
    soon(
        "the sweep",
        eventually("all turns are ended", async || {
            engine.sweep().await.unwrap();
            alice.turns().await.unwrap().is_empty()
        }),
    )
    .await;
    for row in alice.sessions(None, 1000).await.unwrap().sessions {
        whole(&session(&engine, row.id.as_str())).await;
    }
    undamaged(&store);
    let bytes = gaps.iter().map(|gap| gap.bytes).max().unwrap();
    let time = gaps.iter().map(|gap| gap.time).max().unwrap();
    let buried = gaps.iter().map(|gap| gap.buried).max().unwrap();
    println!("{rounds} kills, {} turns: worst gap {bytes} bytes, {time:?}; last end after {buried:?}", gaps.len());
}

#[tokio::test]
async fn a_process_killed_while_it_sends_leaves_nothing_or_a_turn() {
    let store = shared();
    let rounds = rounds("CATGPT_KILL_ROUNDS", 12);
    // The wait before the kill is drawn closer and closer to the moment of the commit.
    let (mut wait, mut nothing, mut turns) = (Duration::from_millis(2), 0, 0);
    let mut sent = HashMap::new();
    let engine = store.engine(&Scripted::reply("never asked")).await;
    for round in 0..rounds {
        let mut other = store.other(SHORT).await;
        let names: Vec<_> = (0..4).map(|n| format!("{round}-{n}")).collect();
        let lines: Vec<_> = names.iter().map(|who| format!("send {who} {who} reject cued Hi")).collect();
        other.tell(lines.join("\n")).await;
        let begun = Instant::now();
        while begun.elapsed() < wait {
            std::hint::spin_loop();
        }
        let heard = other.kill().await;
        sent.extend(heard.into_iter().filter(|line| line.what == "sent").map(|line| (line.who.clone(), line.turn())));
        let mut found = 0;
        for name in &names {
            match session(&engine, name).info().await {
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
                Ok(info) => {
                    let tree = whole(&session(&engine, name)).await;
                    assert_eq!((tree.len(), tree[0].text().as_str()), (2, "Hi"));
                    assert!(info.running.is_none() || info.running == tree[1].turn);
                    found += 1;
                }
            }
        }
        turns += found;
        nothing += names.len() - found;
        let factor = if found == 0 { 1.5 } else { 0.7 };
        wait = wait.mul_f64(factor * (0.8 + 0.4 * fastrand::f64())).min(Duration::from_millis(50));
    }
    for (name, turn) in &sent {
        assert_eq!(whole(&session(&engine, name)).await[1].turn, Some(*turn), "what was answered is there");
    }
    undamaged(&store);
    println!("{rounds} kills: {nothing} sends left nothing, {turns} a turn, {} were answered", sent.len());
}

#[tokio::test]
async fn a_sweep_elsewhere_buries_the_dead_and_leaves_the_living() {
    let store = shared();
    let (mut living, mut dying) = (store.other(SHORT).await, store.other(SHORT).await);
    let lived = living.send("a", "living", "cued").await;
    let died = dying.send("b", "dead", "cued").await;
    dying.tell("speak b Half").await;
    let name = died.to_string();
    while dying.hear(&name, &["written"]).await.offset() < 4 {}
    dying.kill().await;
    let lease = "SELECT run_until FROM session WHERE id = 'living'";
    let first: i64 = store.sql(lease);
    let sweeper = store.engine(&Scripted::reply("never asked")).await;
    // Until the living one has outlived its first lease, which it only does by renewing it.
    eventually("the dead one is buried", async || {
        sweeper.sweep().await.unwrap();
        let buried = store.sql::<i64>("SELECT count(*) FROM message WHERE status = 3") == 1;
        buried && store.sql::<i64>(lease) > first + 2_000
    })
    .await;
    let alice = sweeper.user(ME).unwrap();
    let turns: Vec<_> = alice.turns().await.unwrap().into_iter().map(|(_, turn)| turn).collect();
    assert_eq!(turns, [lived]);
    let tree = whole(&session(&sweeper, "dead")).await;
    assert_eq!((tree[1].status, tree[1].text().as_str()), (Status::Interrupted, "Half"));
    living.tell("speak a Well\nstop a").await;
    assert_eq!(living.end("a").await, ("complete".to_owned(), 4));
    undamaged(&store);
}

#[tokio::test]
async fn every_reader_sees_at_once_that_a_lease_has_run_out() {
    let store = shared();
    let mut other = store.other(SHORT).await;
    let turn = other.send("a", "trip", "cued").await;
    other.tell("speak a Half").await;
    let name = turn.to_string();
    while other.hear(&name, &["written"]).await.offset() < 4 {}
    other.kill().await;
    let engine = store.engine(&Scripted::reply("never asked")).await;
    let trip = session(&engine, "trip");
    eventually("the reader sees the end", async || {
        let history = trip.history(10).await.unwrap();
        (history[1].status, history[1].text().as_str()) == (Status::Interrupted, "Half")
    })
    .await;
    assert_eq!(store.sql::<i64>("SELECT count(*) FROM message WHERE status = 3"), 0, "reading buries nobody");
    assert_eq!(whole(&trip).await[1].status, Status::Interrupted);
}
