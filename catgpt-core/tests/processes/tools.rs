//! Processes that die while a tool runs, or between an approval and its result: what was called is not called again, and
//! no call without a result reaches a model.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use catgpt_core::tools::function;
use catgpt_core::{Decision, Engine, ErrorKind, Event, Part, Scripted, Sqlite, Status, ToolSpec};
use serde_json::json;

use super::common::{all, eventually};
use super::other::{Line, Other, SHORT, Shared, session, shared, soon, undamaged};
use super::rounds;

/// An engine of this process that has the other one's tools, and writes down the id and the key of the calls it runs.
async fn engine(store: &Shared, model: &Scripted) -> (Engine, Arc<Mutex<Vec<String>>>) {
    let ran: Arc<Mutex<Vec<String>>> = Arc::default();
    let tool = |name: &str| {
        let parameters = json!({ "type": "object" });
        let (ran, spec) = (Arc::clone(&ran), ToolSpec { name: name.into(), description: String::new(), parameters });
        function(spec, move |at, _| {
            ran.lock().unwrap().push(format!("{} {}", at.id, at.key));
            async { Ok(json!("done here")) }
        })
    };
    let tools = [tool("work"), tool("pay").approval(), tool("paid").approval()];
    let memory = Sqlite::open(&store.path).await.unwrap();
    let engine = Engine::builder().model(model.clone()).memory(memory).lease(SHORT).tools(tools).unwrap().build();
    (engine, ran)
}

/// How many calls and results the model was sent the last time; each result must have its call before it.
fn pairs(model: &Scripted) -> (usize, usize) {
    let request = model.requests().pop().unwrap();
    let (mut open, mut calls, mut results) = (Vec::new(), 0, 0);
    for part in request.messages.iter().flat_map(|message| message.content.parts()) {
        match part {
            Part::ToolCall(call) => {
                calls += 1;
                open.push(call.id.clone());
            }
            Part::ToolResult(result) => {
                results += 1;
                open.retain(|id| *id != result.id);
            }
            _ => {}
        }
    }
    assert!(open.is_empty(), "a call without a result reached the model: {open:?}");
    (calls, results)
}

fn ran(heard: &[Line]) -> usize {
    heard.iter().filter(|line| line.is("tool", "ran")).count()
}

/// Pauses a turn in the other process.
async fn pause(other: &mut Other, who: &str, session: &str, script: &str) {
    other.send(who, session, script).await;
    assert_eq!(other.end(who).await.0, "paused");
}

#[tokio::test]
async fn a_process_killed_between_call_and_result_leaves_a_call_that_nobody_runs_again() {
    let store = shared();
    let mut other = store.other(SHORT).await;
    let turn = other.send("a", "trip", "call-work").await;
    other.hear("tool", &["ran"]).await;
    assert_eq!(ran(&other.kill().await), 0);
    let model = Scripted::reply("Fine");
    let (engine, here) = engine(&store, &model).await;
    let trip = session(&engine, "trip");
    let events = soon("the end of a dead turn", all(trip.attach(turn, 0).await.unwrap())).await;
    // What was called was on disk before it ran.
    assert!(
        events.iter().any(|event| matches!(event, Event::ToolCall { call, .. } if call.name == "work")),
        "{events:?}"
    );
    let Some(Event::Finished(end)) = events.last() else { panic!("{events:?}") };
    assert_eq!((end.status, end.pending.len()), (Status::Interrupted, 0));
    let next = soon("the next send", async { trip.send("Go on").await }).await.unwrap();
    assert_eq!((next.text().await.unwrap().as_str(), pairs(&model)), ("Fine", (0, 0)));
    assert_eq!(here.lock().unwrap().len(), 0);
    undamaged(&store);
}

#[tokio::test]
async fn a_process_killed_between_approval_and_result_runs_nothing_twice_unasked() {
    let store = shared();
    let mut other = store.other(SHORT).await;
    pause(&mut other, "a", "trip", "call-pay").await;
    other.tell("decide b trip call-pay a").await;
    let turn = other.hear("b", &["sent"]).await.turn();
    let there = other.hear("tool", &["ran"]).await.rest;
    assert_eq!(ran(&other.kill().await), 0);
    let model = Scripted::reply("Fine");
    let (engine, here) = engine(&store, &model).await;
    let trip = session(&engine, "trip");
    let events = soon("the end of a dead turn", all(trip.attach(turn, 0).await.unwrap())).await;
    assert!(matches!(events.last(), Some(Event::Finished(end)) if end.status == Status::Interrupted), "{events:?}");
    // The approval was used up: saying it again does nothing by itself.
    let again = trip.decide([Decision::approve("a")]).await.unwrap_err();
    assert_eq!((again.kind(), again.context("status")), (ErrorKind::Conflict, Some("interrupted")));
    let next = soon("the next send", async { trip.send("Go on").await }).await.unwrap();
    assert_eq!((next.text().await.unwrap().as_str(), pairs(&model)), ("Fine", (0, 0)));
    assert_eq!(here.lock().unwrap().len(), 0);
    // Asked to, it goes back and does it, once more: under the same key, so that whoever was told of it there knows it.
    trip.select(2, None).await.unwrap();
    assert_eq!(trip.decide([Decision::approve("a")]).await.unwrap().text().await.unwrap(), "Fine");
    assert_eq!((here.lock().unwrap().len(), pairs(&model)), (1, (1, 1)));
    assert_eq!((*here.lock().unwrap()).as_slice(), [there]);
    undamaged(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_at_any_moment_after_an_approval_leaves_a_usable_session() {
    let store = shared();
    let model = Scripted::reply("Fine");
    let (engine, here) = engine(&store, &model).await;
    let mut ended = [0, 0, 0];
    for round in 0..rounds("CATGPT_KILL_ROUNDS", 10) {
        let name = format!("trip-{round}");
        let mut other = store.other(SHORT).await;
        pause(&mut other, "a", &name, "call-paid").await;
        other.tell(format!("decide b {name} call-paid a")).await;
        let (begun, wait) = (std::time::Instant::now(), Duration::from_micros(fastrand::u64(..20_000)));
        while begun.elapsed() < wait {
            std::hint::spin_loop();
        }
        let ran = ran(&other.kill().await);
        let trip = session(&engine, &name);
        eventually("the session is free", async || {
            engine.sweep().await.unwrap();
            trip.info().await.unwrap().running.is_none()
        })
        .await;
        let resumed = trip.history(9).await.unwrap().into_iter().nth(2);
        let next = soon("the next send", async { trip.send("Go on").await }).await.unwrap();
        assert_eq!(next.text().await.unwrap(), "Fine");
        let (calls, results) = pairs(&model);
        assert!(calls == results && ran <= 1 && results <= 1, "{ran} {calls} {results}");
        // A result that is stored was a call that ran; one that ran was in the store before.
        assert!(ran >= results && (ran == 0 || resumed.is_some()), "{ran} {resumed:?}");
        let how = resumed.map_or(0, |resumed| if resumed.status == Status::Complete { 2 } else { 1 });
        ended[how] += 1;
    }
    assert_eq!(here.lock().unwrap().len(), 0);
    undamaged(&store);
    println!(
        "{} kills: {} before the turn, {} in it, {} after it",
        ended.iter().sum::<usize>(),
        ended[0],
        ended[1],
        ended[2]
    );
}
