//! What an operator sees of an engine, and what he does not: spans, logs, metrics, health.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "observe/capture.rs"]
mod capture;
mod common;
#[path = "hostile/store.rs"]
#[allow(dead_code, unreachable_pub, reason = "the other test that uses it needs more of it")]
mod store;

use std::sync::Arc;
use std::time::Duration;

use capture::Capture;
use catgpt_core::live::InMemoryLive;
use catgpt_core::model::{Gate, Step};
use catgpt_core::observe::{Metric, Value, prometheus};
use catgpt_core::tools::function;
use catgpt_core::{Engine, Error, ErrorKind, Memory, Persona, RetryPolicy, Scripted, Status, ToolCall, ToolSpec};
use common::{all, eager, eventually, until_text};
use metrics::LocalRecorderGuard;
use serde_json::json;
use store::{Call, Fault, Hostile};
use tracing::Instrument;
use tracing::subscriber::DefaultGuard;

/// Stands in every text that nobody may be told.
const MARK: &str = "xyzzy";

/// Hears what this thread tells while the guards are held.
fn listen(capture: &Capture) -> (DefaultGuard, LocalRecorderGuard<'_>) {
    (tracing::subscriber::set_default(capture.clone()), metrics::set_default_local_recorder(capture))
}

fn build(model: Scripted, memory: &Arc<Hostile>) -> Engine {
    Engine::builder().model(model).memory(Arc::clone(memory)).retry(eager()).build()
}

fn session(engine: &Engine) -> catgpt_core::Session {
    engine.user("alice").unwrap().session("trip").unwrap()
}

async fn say(engine: &Engine, text: &str) -> Status {
    let events = all(session(engine).send(text).await.unwrap()).await;
    match events.last() {
        Some(catgpt_core::Event::Finished(finished)) => finished.status,
        other => panic!("the last event is {other:?}"),
    }
}

/// The number of a counter or gauge; of a histogram how many it saw.
fn number(metrics: &[Metric], name: &str, labels: &[(&str, &str)]) -> i64 {
    let metric = metrics.iter().find(|metric| metric.name == name).unwrap();
    let fits = |point: &&catgpt_core::observe::Point| {
        labels.iter().all(|(name, value)| point.labels.get(name).is_some_and(|own| own == value))
    };
    let points = metric.points.iter().filter(fits);
    let each = points.map(|point| match &point.value {
        Value::Number { value } => *value,
        Value::Histogram { count, .. } => i64::try_from(*count).unwrap(),
    });
    each.sum()
}

fn answer() -> [Step; 4] {
    [Step::text("It "), Step::text("rains."), Step::usage(12, 3), Step::stop()]
}

#[tokio::test]
async fn the_spans_of_a_turn() {
    let capture = Capture::default();
    let _heard = listen(&capture);
    let model = Scripted::script([Step::fails(ErrorKind::RateLimited)]).then(Scripted::script(answer()));
    let engine = build(model, &Hostile::new());
    let request = tracing::info_span!("request");
    let reply = session(&engine).send("Weather?").into_future().instrument(request).await.unwrap();
    reply.text().await.unwrap();
    eventually("it is told", || async { capture.heard("DEBUG a turn ended") }).await;
    insta::assert_snapshot!(capture.tree());
}

#[tokio::test]
async fn a_turn_that_fails_says_why_and_warns() {
    let capture = Capture::default();
    let _heard = listen(&capture);
    let engine = build(Scripted::script([Step::text("It "), Step::fails(ErrorKind::Unavailable)]), &Hostile::new());
    assert_eq!(say(&engine, "Weather?").await, Status::Failed);
    insta::assert_snapshot!(capture.tree());
}

/// A model that says nothing but what nobody may be told, in every way there is; and the gate of its fifth answer.
fn talkative() -> (Scripted, Gate) {
    let (said, gate) = (Step::text(MARK), Gate::new());
    let secret = || Step::error(Error::new(ErrorKind::Unavailable, format!("no: {MARK}")).with("detail", MARK));
    let answers = [
        vec![said.clone(), Step::stop()],
        vec![said.clone(), secret()],
        vec![Step::reasoning(MARK)],
        vec![said.clone(), Step::Panic],
        vec![said.clone(), Step::gate(&gate), Step::stop()],
        vec![said.clone(), Step::Hang],
        vec![said, Step::Hang],
    ];
    let first = Scripted::script([secret()]);
    (answers.into_iter().fold(first, |model, answer| model.then(Scripted::script(answer))), gate)
}

/// Success after a retry, a failure, a cut, a panic, a store that refuses and panics and hangs, a cancel, a burial.
async fn live_through(engine: &Engine, memory: &Hostile, gate: &Gate) {
    let session = engine.user(MARK).unwrap().session("trip").unwrap();
    let send = || session.send(format!("Say {MARK}")).credentials(format!("sk-{MARK}")).into_future();
    for _ in 0..4 {
        all(send().await.unwrap()).await;
    }
    session.rename(MARK).await.unwrap();
    memory.next(Call::Checkpoint, [Fault::Fails(ErrorKind::Store), Fault::Panics, Fault::Hangs]);
    memory.next(Call::Finish, [Fault::Fails(ErrorKind::Store), Fault::Lost]);
    let mut reply = send().await.unwrap();
    until_text(&mut reply, MARK).await;
    eventually("all went wrong", || async { memory.left(Call::Checkpoint) == 0 }).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    gate.open();
    all(reply).await;
    let mut reply = send().await.unwrap();
    until_text(&mut reply, MARK).await;
    reply.cancel().await.unwrap();
    all(reply).await;
    // One that another process takes for dead, and ends.
    let mut reply = send().await.unwrap();
    until_text(&mut reply, MARK).await;
    memory.outlive().await;
    engine.sweep().await.unwrap();
    all(reply).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_that_was_said_is_told() {
    let capture = Capture::default();
    let _heard = listen(&capture);
    let ((model, gate), memory) = (talkative(), Hostile::new());
    let persona = Persona::new("guide", format!("You are {MARK}.")).unwrap();
    let builder = Engine::builder().model(model).memory(Arc::clone(&memory)).live(InMemoryLive::default());
    let engine = builder.persona(persona).retry(eager()).build();
    live_through(&engine, &memory, &gate).await;
    let metrics = engine.metrics();
    engine.close(Duration::ZERO).await.unwrap();
    for told in [
        "DEBUG a turn ended",
        "DEBUG the model failed and is asked again",
        "WARN a turn failed or was cut off",
        "WARN the store did not take a write",
        "WARN a turn that nobody drove was ended",
        "WARN this turn was ended by somebody else; its lease is lost",
    ] {
        assert!(capture.heard(told), "{told} is not in\n{}", capture.tree());
    }
    let health = serde_json::to_string(&engine.health().await).unwrap();
    let told = [capture.everything(), format!("{metrics:?}"), prometheus(&metrics), health].concat();
    assert!(told.contains("gen_ai.client.operation.duration"), "the facade heard nothing");
    assert!(!told.contains(MARK), "{told}");
    for (name, labels, expected) in [
        ("catgpt.turns", &[][..], 7),
        ("catgpt.turns.running", &[], 0),
        ("catgpt.attachments", &[], 0),
        ("catgpt.buried", &[], 1),
        ("catgpt.leases.lost", &[], 1),
        ("catgpt.retries", &[("error.type", "unavailable")], 1),
        ("catgpt.queue.wait", &[], 7),
        ("gen_ai.client.operation.duration", &[], 8),
        ("gen_ai.client.operation.duration", &[("error.type", "cancelled")], 2),
    ] {
        assert_eq!(number(&metrics, name, labels), expected, "{name} {labels:?}: {}", prometheus(&metrics));
    }
    assert!(number(&metrics, "catgpt.store.errors", &[("error.type", "store")]) >= 2);
    assert!(number(&metrics, "catgpt.checkpoint.lag", &[]) >= 1);
}

#[tokio::test]
async fn messages_are_told_to_who_asks_for_them() {
    let capture = Capture::default();
    let _heard = listen(&capture);
    let engine = Engine::builder().model(Scripted::script(answer())).record_content(true).build();
    say(&engine, "Weather?").await;
    let told = capture.told();
    let field = |name: &str| {
        let all = told.iter().flat_map(|told| &told.fields);
        all.filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(field("gen_ai.input.messages").len(), 1);
    assert!(field("gen_ai.input.messages")[0].contains(r#""parts":[{"content":"Weather?","type":"text"}]"#));
    let said = r#"[{"finish_reason":"stop","parts":[{"content":"It rains.","type":"text"}],"role":"assistant"}]"#;
    assert_eq!(field("gen_ai.output.messages"), [said]);
    let metrics = capture.measured().concat() + &prometheus(&engine.metrics());
    assert!(!metrics.contains("rains"), "{metrics}");
}

#[tokio::test]
async fn a_call_of_a_tool_is_a_span_in_its_turn_without_a_word_of_it() {
    for content in [false, true] {
        let capture = Capture::default();
        let _heard = listen(&capture);
        let call = ToolCall { id: "c1".into(), name: "boats".into(), arguments: json!({ "to": MARK }) };
        let parameters = json!({ "type": "object" });
        let spec = ToolSpec { name: "boats".into(), description: String::new(), parameters };
        let tool = function(spec, |_, _| async { Err(Error::new(ErrorKind::Unavailable, MARK)) });
        let model = Scripted::calls([call]).then(Scripted::reply("Walk."));
        let engine = Engine::builder().model(model).tool(tool).unwrap().record_content(content).build();
        say(&engine, "How?").await;
        let told = capture.told();
        let span = told.iter().find(|told| told.what == "INFO execute_tool").unwrap();
        let field = |name: &str| span.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        assert_eq!(field("otel.name"), Some("execute_tool boats"));
        assert_eq!((field("gen_ai.tool.name"), field("gen_ai.tool.call.id")), (Some("boats"), Some("c1")));
        assert_eq!((field("gen_ai.operation.name"), field("error.type")), (Some("execute_tool"), Some("unavailable")));
        let turn = told.iter().find(|told| told.what == "INFO catgpt.turn").unwrap();
        assert_eq!(span.parent, Some(turn.id));
        assert_eq!(format!("{told:?}").contains(MARK), content);
    }
}

/// What a turn tells does not grow with its words.
#[tokio::test(start_paused = true)]
async fn a_thousand_words_tell_no_more_than_one() {
    let mut counts = Vec::new();
    for words in [1, 1000] {
        let capture = Capture::default();
        let _heard = listen(&capture);
        let engine = build(Scripted::words(vec!["a "; words]), &Hostile::new());
        assert_eq!(say(&engine, "Hi").await, Status::Complete);
        let fields: usize = capture.told().iter().map(|told| told.fields.len()).sum();
        counts.push((capture.told().len(), fields, capture.measured().len()));
    }
    assert_eq!(counts[0], counts[1]);
}

#[tokio::test]
async fn the_facade_and_the_engine_count_the_same() {
    let capture = Capture::default();
    let _heard = listen(&capture);
    let engine = build(Scripted::script(answer()).named("cat-1"), &Hostile::new());
    let turn = session(&engine).send("Hi").await.unwrap();
    let id = turn.turn();
    all(turn).await;
    all(engine.user("alice").unwrap().attach(id, 0).await.unwrap()).await;
    let metrics = engine.metrics();
    for (name, labels, expected) in [
        ("catgpt.turns", &[("status", "complete")][..], 1),
        ("catgpt.attaches", &[], 1),
        ("gen_ai.client.token.usage", &[("gen_ai.token.type", "input"), ("gen_ai.provider.name", "scripted")], 1),
        ("gen_ai.client.operation.time_to_first_chunk", &[("gen_ai.request.model", "cat-1")], 1),
    ] {
        assert_eq!(number(&metrics, name, labels), expected, "{name}");
        let told = capture.measured();
        let fits = |line: &&String| {
            line.starts_with(name) && labels.iter().all(|(name, value)| line.contains(&format!("{name}={value}")))
        };
        assert_eq!(told.iter().filter(fits).count(), 1, "{name}: {told:?}");
    }
}

#[tokio::test]
async fn an_engine_is_well() {
    let gate = Gate::new();
    let model = Scripted::script([Step::gate(&gate), Step::stop()]);
    let builder = Engine::builder().model(model).live(InMemoryLive::default());
    #[cfg(feature = "sqlite")]
    let (folder, builder) = {
        let folder = tempfile::tempdir().unwrap();
        let memory = catgpt_core::Sqlite::open(folder.path().join("chat.db")).await.unwrap();
        (folder, builder.memory(memory))
    };
    let engine = builder.build();
    let reply = session(&engine).send("Hi").await.unwrap();
    let health = engine.health().await;
    assert!(health.healthy && !health.closing && health.store.ok && health.live.as_ref().unwrap().ok, "{health:?}");
    assert_eq!((health.running, health.schema), (1, cfg!(feature = "sqlite").then_some(2)));
    gate.open();
    all(reply).await;
    engine.close(Duration::from_secs(5)).await.unwrap();
    let health = engine.health().await;
    assert!(!health.healthy && health.closing, "{health:?}");
    #[cfg(feature = "sqlite")]
    drop(folder);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_and_soon() {
    let memory = Hostile::new();
    let live = InMemoryLive::default();
    let builder = Engine::builder().model(Scripted::reply("ok")).memory(Arc::clone(&memory)).live(live.clone());
    let engine = builder.retry(RetryPolicy::default()).build();
    for (fault, kind) in [
        (Fault::Fails(ErrorKind::StoreFull), ErrorKind::StoreFull),
        (Fault::Panics, ErrorKind::Unexpected),
        (Fault::Hangs, ErrorKind::Timeout),
    ] {
        memory.next(Call::Query, [fault]);
        let health = engine.health().await;
        assert!(!health.healthy && !health.store.ok, "{health:?}");
        assert_eq!(health.store.error.as_ref().unwrap().kind, kind);
        assert!(health.store.latency_ms <= 3000, "{health:?}");
        let json = serde_json::to_value(&health).unwrap();
        assert_eq!(json["store"]["error"]["kind"], kind.as_str());
    }
    // Losing the live log costs liveness only.
    catgpt_core::Live::close(&live).await.unwrap();
    let health = engine.health().await;
    assert!(health.healthy && health.store.ok && !health.live.as_ref().unwrap().ok, "{health:?}");
    assert_eq!(memory.caps().schema, None);
}
