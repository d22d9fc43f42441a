//! Several engines on one PostgreSQL database, which share nothing else: what begins on one is watched on another,
//! stopped from a third, and buried when its own dies.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use catgpt_core::model::{Gate, Step};
use catgpt_core::{Engine, ErrorKind, Event, Scripted, Status, memory};
use catgpt_scratch::Database;
use common::{all, eager, eventually, text_of, until_text};

const ME: &str = "alice";

/// A replica: an engine with connections of its own, straight to the database or through the pooler.
async fn replica(database: &Database, pooled: bool, model: Scripted) -> Engine {
    let url = if pooled { database.pooled_url() } else { database.url() };
    let memory = memory::open(&url).await.unwrap();
    Engine::builder().model(model).memory(memory).retry(eager()).lease(Duration::from_secs(2)).build()
}

fn session(engine: &Engine) -> catgpt_core::Session {
    engine.user(ME).unwrap().session("trip").unwrap()
}

fn status(events: &[Event]) -> Status {
    match events.last() {
        Some(Event::Finished(finished)) => finished.status,
        other => panic!("the last event is {other:?}"),
    }
}

#[tokio::test]
async fn a_reply_is_watched_on_another_replica_to_its_end() {
    for pooled in [false, true] {
        let (database, gate) = (Database::new(), Gate::new());
        let model = Scripted::script([Step::text("Half"), Step::gate(&gate), Step::text(" more"), Step::stop()]);
        let (a, b) = (replica(&database, pooled, model).await, replica(&database, pooled, Scripted::reply("x")).await);
        let sent = session(&a).send("Hi").await.unwrap();
        let me = b.user(ME).unwrap();
        let (mut watched, late) = (me.attach(sent.turn(), 0).await.unwrap(), me.attach(sent.turn(), 2).await.unwrap());
        until_text(&mut watched, "Half").await;
        assert_eq!(session(&b).send("Me too").await.unwrap_err().turn(), Some(sent.turn()));
        gate.open();
        let rest = all(watched).await;
        assert_eq!((text_of(&rest).as_str(), status(&rest)), (" more", Status::Complete));
        assert_eq!(text_of(&all(late).await), "lf more");
        assert_eq!(text_of(&all(sent).await), "Half more");
        // What came after the end is the same too.
        assert_eq!(text_of(&all(me.attach(rest_turn(&b).await, 0).await.unwrap()).await), "Half more");
    }
}

async fn rest_turn(engine: &Engine) -> catgpt_core::TurnId {
    session(engine).history(9).await.unwrap()[1].turn.unwrap()
}

#[tokio::test]
async fn a_reply_is_stopped_from_another_replica() {
    let database = Database::new();
    let model = Scripted::script([Step::text("Half"), Step::Hang]);
    let (a, b) = (replica(&database, false, model).await, replica(&database, true, Scripted::reply("x")).await);
    let mut sent = session(&a).send("Hi").await.unwrap();
    until_text(&mut sent, "Half").await;
    let me = b.user(ME).unwrap();
    let watched = me.attach(sent.turn(), 0).await.unwrap();
    me.cancel(sent.turn()).await.unwrap();
    assert_eq!(status(&all(sent).await), Status::Cancelled);
    let events = all(watched).await;
    assert_eq!((text_of(&events).as_str(), status(&events)), ("Half", Status::Cancelled));
    assert_eq!(session(&b).send("Next").await.unwrap().text().await.unwrap(), "x");
}

#[tokio::test]
async fn news_of_another_replica_is_never_older_than_a_second() {
    let database = Database::new();
    let memory = memory::open(&database.url()).await.unwrap();
    // A turn is written every 500 ms, and looked for this often.
    assert!(memory.caps().poll + Duration::from_millis(500) <= Duration::from_secs(1));
}

#[tokio::test]
async fn a_replica_that_dies_leaves_its_text_and_frees_the_session() {
    let database = Database::new();
    let url = database.url();
    // A process that dies: its runtime goes away with a turn and its connections in it.
    let dies = move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let turn = runtime.block_on(async {
            let memory = memory::open(&url).await.unwrap();
            let model = Scripted::script([Step::text("Kept"), Step::Hang]);
            let engine = Engine::builder().model(model).memory(memory).lease(Duration::from_secs(2)).build();
            let mut reply = session(&engine).send("Hi").await.unwrap();
            until_text(&mut reply, "Kept").await;
            eventually("a checkpoint", async || session(&engine).history(9).await.unwrap()[1].text() == "Kept").await;
            reply.turn()
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        turn
    };
    let turn = tokio::task::spawn_blocking(dies).await.unwrap();
    let b = replica(&database, false, Scripted::reply("Next")).await;
    assert_eq!(session(&b).send("Too early").await.unwrap_err().kind(), ErrorKind::Busy);
    let events = all(b.user(ME).unwrap().attach(turn, 0).await.unwrap()).await;
    assert_eq!((text_of(&events).as_str(), status(&events)), ("Kept", Status::Interrupted));
    assert_eq!(session(&b).send("More").await.unwrap().text().await.unwrap(), "Next");
}

#[tokio::test]
async fn a_reply_outlives_every_connection() {
    let (database, gate) = (Database::new(), Gate::new());
    let model = Scripted::script([Step::text("Half"), Step::gate(&gate), Step::text(" more"), Step::stop()]);
    let (a, b) = (replica(&database, false, model).await, replica(&database, true, Scripted::reply("x")).await);
    let sent = session(&a).send("Hi").await.unwrap();
    let mut watched = b.user(ME).unwrap().attach(sent.turn(), 0).await.unwrap();
    database.disconnect();
    until_text(&mut watched, "Half").await;
    database.disconnect();
    gate.open();
    assert_eq!(sent.text().await.unwrap(), "Half more");
    assert_eq!(status(&all(watched).await), Status::Complete);
}

#[tokio::test]
async fn a_database_that_crashed_is_given_again_what_it_lost() {
    let (database, gate) = (Database::new(), Gate::new());
    let model = Scripted::script([Step::text("Half"), Step::gate(&gate), Step::text(" more"), Step::Hang]);
    let a = replica(&database, false, model).await;
    let mut sent = session(&a).send("Hi").await.unwrap();
    let stores = async |text: &str| session(&a).history(9).await.unwrap()[1].text() == text;
    eventually("a checkpoint", async || stores("Half").await).await;
    // Checkpoints do not wait for the disk, so this is how a crash may leave it.
    database.sql("DELETE FROM catgpt.chunk");
    gate.open();
    until_text(&mut sent, " more").await;
    eventually("both pieces", async || stores("Half more").await).await;
    sent.cancel().await.unwrap();
    assert_eq!(status(&all(sent).await), Status::Cancelled);
}
