//! What becomes of a turn when everything around it fails, hangs, panics or comes too late.
//!
//! The clock is tokio's and stands still until all wait, so a hang costs nothing and its bound can be checked. Each test
//! ends with the proof that nothing was broken for good: the session takes another message.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "the module is this test program's own")]

mod common;
#[path = "hostile/store.rs"]
mod store;

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::hooks::{Source, TurnAt};
use catgpt_core::model::{Gate, ModelEvent, ModelRequest, Step};
use catgpt_core::prompt::TokenCounter;
use catgpt_core::{
    Busy, ChatModel, Engine, Error, ErrorKind, Event, Finished, Hook, Message, OnDrop, Reply, Result, Scripted,
    Session, Status,
};
use common::{eager, until_text};
use futures_util::future::join;
use futures_util::stream::{BoxStream, StreamExt, empty};
use store::{Call, Door, Fault, Hostile};

/// A write may take half of it, and a store that takes nothing for all of it ends the turn.
const LEASE: Duration = Duration::from_secs(4);

/// Longer than anything may take that has a bound.
const BOUND: Duration = Duration::from_secs(60);

/// What must end does: it does not hang.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, work).await.expect("this hangs")
}

fn engine(model: &(impl ChatModel + Clone), memory: &Arc<Hostile>) -> Engine {
    Engine::builder().model(model.clone()).memory(Arc::clone(memory)).retry(eager()).lease(LEASE).build()
}

fn session(engine: &Engine) -> Session {
    engine.local().session("s").unwrap()
}

/// Reads to the end, of which there must be one.
async fn end_of(mut reply: Reply) -> (String, Finished) {
    soon(async {
        let mut text = String::new();
        while let Some(event) = reply.next().await {
            match event {
                Event::Text { text: delta, .. } => text.push_str(&delta),
                Event::Finished(finished) => {
                    assert!(reply.next().await.is_none(), "something comes after the end");
                    return (text, *finished);
                }
                _ => {}
            }
        }
        panic!("the reply has no end")
    })
    .await
}

fn ended(finished: &Finished) -> (Status, Option<ErrorKind>) {
    (finished.status, finished.error.as_ref().map(|error| error.kind))
}

async fn said(engine: &Engine) -> Vec<(Status, String)> {
    let history = session(engine).history(100).await.unwrap();
    history.into_iter().map(|message| (message.status, message.text())).collect()
}

/// A model that plays this once and says "Later" ever after.
fn once(steps: impl IntoIterator<Item = Step>) -> Scripted {
    Scripted::script(steps).then(Scripted::reply("Later"))
}

/// Ten words with a checkpoint between each two.
fn slowly() -> Scripted {
    let pause = Step::Delay(Duration::from_millis(600));
    once((0..10).flat_map(|n| [Step::text(format!("{n} ")), pause.clone()]).chain([Step::stop()]))
}
const SLOWLY: &str = "0 1 2 3 4 5 6 7 8 9 ";

const WRITES: [Call; 3] = [Call::Begin, Call::Checkpoint, Call::Finish];

/// The store is well again and the dead have outlived their leases: the session takes a message, and nothing runs on.
async fn recovers(engine: &Engine, memory: &Hostile) {
    memory.heal();
    memory.outlive().await;
    let reply = soon(session(engine).send("And now?").busy(Busy::queue()).into_future()).await.unwrap();
    let (text, finished) = end_of(reply).await;
    assert_eq!((text.as_str(), ended(&finished)), ("Later", (Status::Complete, None)));
    assert!(said(engine).await.iter().all(|(status, _)| *status != Status::Running));
    assert_eq!(engine.local().turns().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_unknown_outcome_is_made_once() {
    let (retryable, lost) = (Fault::Fails(ErrorKind::Store), Fault::Lost);
    for call in WRITES {
        for fault in [retryable.clone(), lost.clone(), Fault::Hangs, Fault::LostHangs] {
            for times in [1, 2] {
                // Of a turn that runs, two hangs are the whole lease; that is another test.
                if times == 2 && call != Call::Begin && matches!(fault, Fault::Hangs | Fault::LostHangs) {
                    continue;
                }
                let (model, memory) = (slowly(), Hostile::new());
                let engine = engine(&model, &memory);
                memory.next(call, vec![fault.clone(); times]);
                let sent = soon(session(&engine).send("Hi").into_future()).await.unwrap();
                let (text, finished) = end_of(sent).await;
                let case = format!("{times} x {fault:?} at {call:?}");
                assert_eq!((text.as_str(), ended(&finished)), (SLOWLY, (Status::Complete, None)), "{case}");
                assert_eq!(finished.stored, SLOWLY.len() as u64, "{case}");
                assert_eq!((memory.left(call), memory.refused(), model.asked()), (0, vec![], 1), "{case}");
                let expect = [(Status::Complete, "Hi".to_owned()), (Status::Complete, SLOWLY.to_owned())];
                assert_eq!(said(&engine).await, expect, "{case}");
                recovers(&engine, &memory).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_the_store_never_answers_fails_in_time() {
    for (fault, kind) in [
        (Fault::Hangs, ErrorKind::Store),
        (Fault::LostHangs, ErrorKind::Store),
        (Fault::Lost, ErrorKind::Store),
        (Fault::Fails(ErrorKind::Store), ErrorKind::Store),
        (Fault::Fails(ErrorKind::StoreFull), ErrorKind::StoreFull),
        (Fault::Fails(ErrorKind::Unsupported), ErrorKind::Unsupported),
        (Fault::Panics, ErrorKind::Unexpected),
    ] {
        let (model, memory) = (Scripted::reply("Later"), Hostile::new());
        let engine = engine(&model, &memory);
        memory.always(Call::Begin, fault.clone());
        let error = soon(session(&engine).send("Hi").into_future()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}");
        assert_eq!(error.is_retryable(), kind == ErrorKind::Store, "{fault:?}");
        assert_eq!(model.asked(), 0, "{fault:?}: asked before it was committed");
        // What was committed without an answer is a turn that nobody drives: it holds the session for a lease.
        let committed = matches!(fault, Fault::LostHangs | Fault::Lost);
        assert_eq!(engine.local().turns().await.unwrap().len(), usize::from(committed), "{fault:?}");
        recovers(&engine, &memory).await;
        assert_eq!(said(&engine).await.len(), if committed { 4 } else { 2 }, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_no_piece_ends_the_turn_with_its_text() {
    for (fault, kind) in [
        (Fault::Hangs, ErrorKind::Store),
        (Fault::LostHangs, ErrorKind::Store),
        (Fault::Fails(ErrorKind::Store), ErrorKind::Store),
        (Fault::Fails(ErrorKind::StoreFull), ErrorKind::StoreFull),
        (Fault::Panics, ErrorKind::Unexpected),
    ] {
        let (model, memory) = (once([Step::text("Half"), Step::Hang]), Hostile::new());
        let engine = engine(&model, &memory);
        memory.always(Call::Checkpoint, fault.clone());
        let (text, finished) = end_of(session(&engine).send("Hi").await.unwrap()).await;
        assert_eq!(ended(&finished), (Status::Interrupted, Some(kind)), "{fault:?}");
        assert_eq!((text.as_str(), finished.stored, model.dropped()), ("Half", 4, 1), "{fault:?}");
        assert_eq!(said(&engine).await[1], (Status::Interrupted, "Half".to_owned()), "{fault:?}");
        recovers(&engine, &memory).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_cannot_be_written_is_told_with_what_is_stored() {
    for (fault, kind) in [
        (Fault::Hangs, ErrorKind::Store),
        (Fault::Fails(ErrorKind::Store), ErrorKind::Store),
        (Fault::Fails(ErrorKind::StoreFull), ErrorKind::StoreFull),
        (Fault::Fails(ErrorKind::Unsupported), ErrorKind::Unsupported),
        (Fault::Panics, ErrorKind::Unexpected),
    ] {
        let steps = [Step::text("Kept"), Step::Delay(Duration::from_secs(2)), Step::text(" and lost"), Step::stop()];
        let (model, memory) = (once(steps), Hostile::new());
        let engine = engine(&model, &memory);
        memory.always(Call::Finish, fault.clone());
        let sent = session(&engine).send("Hi").await.unwrap();
        let turn = sent.turn();
        let (text, finished) = end_of(sent).await;
        assert_eq!(ended(&finished), (Status::Interrupted, Some(kind)), "{fault:?}");
        // The client cuts back to what it would get from the store.
        assert_eq!((text.as_str(), finished.stored), ("Kept and lost", 4), "{fault:?}");
        memory.heal();
        memory.outlive().await;
        assert_eq!(said(&engine).await[1], (Status::Interrupted, "Kept".to_owned()), "{fault:?}");
        assert_eq!(session(&engine).info().await.unwrap().running, None, "{fault:?}");
        let (text, finished) = end_of(session(&engine).attach(turn, 0).await.unwrap()).await;
        assert_eq!((text.as_str(), ended(&finished)), ("Kept", (Status::Interrupted, Some(ErrorKind::Truncated))));
        recovers(&engine, &memory).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_of_a_turn_that_cannot_be_ended_or_seen_is_not_kept_waiting() {
    for (call, fault) in [
        (Call::Finish, Fault::Hangs),
        (Call::Finish, Fault::Fails(ErrorKind::StoreFull)),
        (Call::Finish, Fault::Panics),
        (Call::Read, Fault::Hangs),
        (Call::Read, Fault::Fails(ErrorKind::Store)),
        (Call::Read, Fault::Panics),
    ] {
        let (model, memory) = (once([Step::text("Half"), Step::Hang]), Hostile::new());
        let engine = engine(&model, &memory);
        // Its process is gone: begun, and never heard of again.
        memory.next(Call::Begin, vec![Fault::LostHangs; 3]);
        soon(session(&engine).send("Hi").into_future()).await.unwrap_err();
        let turn = engine.local().turns().await.unwrap()[0].1;
        let follower = session(&engine).attach(turn, 0).await.unwrap();
        memory.always(call, fault.clone());
        memory.outlive().await;
        let (text, finished) = end_of(follower).await;
        assert_eq!((text.as_str(), finished.status, finished.stored), ("", Status::Interrupted, 0), "{fault:?}");
        assert!(finished.error.is_some(), "{fault:?} at {call:?}");
        memory.heal();
        end_of(session(&engine).attach(turn, 0).await.unwrap()).await;
        assert_eq!(said(&engine).await[1].0, Status::Interrupted, "{fault:?} at {call:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_hangs_or_panics_answers_with_an_error() {
    for (fault, kind) in [(Fault::Hangs, ErrorKind::Store), (Fault::Panics, ErrorKind::Unexpected)] {
        let (model, memory) = (Scripted::reply("Later"), Hostile::new());
        let engine = engine(&model, &memory);
        end_of(session(&engine).send("Hi").await.unwrap()).await;
        let me = engine.local();
        let turn = session(&engine).history(9).await.unwrap()[1].turn.unwrap();
        for call in [Call::Apply, Call::Read, Call::Query, Call::Sweep, Call::Close] {
            memory.always(call, fault.clone());
        }
        let fails = |error: Error| assert_eq!(error.kind(), kind);
        fails(soon(session(&engine).history(9)).await.unwrap_err());
        fails(soon(session(&engine).tree(0, 9)).await.unwrap_err());
        fails(soon(session(&engine).info()).await.unwrap_err());
        fails(soon(session(&engine).rename("x")).await.unwrap_err());
        fails(soon(session(&engine).attach(turn, 0)).await.unwrap_err());
        fails(soon(me.sessions(None, 9)).await.unwrap_err());
        fails(soon(me.turns()).await.unwrap_err());
        fails(soon(me.changes(0, 9)).await.unwrap_err());
        fails(soon(me.cancel(turn)).await.unwrap_err());
        fails(soon(engine.sweep()).await.unwrap_err());
        fails(soon(engine.close(Duration::ZERO)).await.unwrap_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_buried_by_another_engine_ends_as_it_is_stored() {
    let (model, memory) = (once([Step::text("Half"), Step::Hang]), Hostile::new());
    let (here, elsewhere) = (engine(&model, &memory), engine(&model, &memory));
    let mut sent = session(&here).send("Hi").await.unwrap();
    until_text(&mut sent, "Half").await;
    memory.outlive().await;
    assert_eq!(elsewhere.local().turns().await.unwrap(), []);
    elsewhere.sweep().await.unwrap();
    let (_, finished) = end_of(sent).await;
    assert_eq!(ended(&finished), (Status::Interrupted, Some(ErrorKind::Truncated)));
    // It was buried before its first checkpoint: nothing of it is stored.
    assert_eq!((finished.stored, model.dropped()), (0, 1));
    assert_eq!(said(&here).await[1], (Status::Interrupted, String::new()));
    recovers(&here, &memory).await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_cannot_be_buried_does_not_keep_others_from_it() {
    let (model, memory) = (Scripted::reply("Later"), Hostile::new());
    let engine = engine(&model, &memory);
    let me = engine.local();
    memory.always(Call::Begin, Fault::LostHangs);
    for id in ["a", "b", "c"] {
        soon(me.session(id).unwrap().send("Hi").into_future()).await.unwrap_err();
    }
    memory.heal();
    memory.outlive().await;
    memory.next(Call::Finish, [Fault::Fails(ErrorKind::Unsupported)]);
    assert_eq!(soon(engine.sweep()).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let ended = || async {
        let changes = me.changes(0, 99).await.unwrap();
        changes.iter().filter(|change| change.kind == catgpt_core::ChangeKind::TurnEnded).count()
    };
    assert_eq!(ended().await, 2);
    soon(engine.sweep()).await.unwrap();
    assert_eq!(ended().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_begin_was_answered_is_heard() {
    let (model, memory, door) = (once([Step::Hang]), Hostile::new(), Door::new());
    let engine = engine(&model, &memory);
    memory.next(Call::Begin, [Fault::After(door.clone())]);
    let session = session(&engine);
    let cancel = async {
        door.reached().await;
        let turn = engine.local().turns().await.unwrap()[0].1;
        engine.local().cancel(turn).await.unwrap();
        door.open();
    };
    let (sent, ()) = soon(join(session.send("Hi").into_future(), cancel)).await;
    let (text, finished) = end_of(sent.unwrap()).await;
    assert_eq!((text.as_str(), ended(&finished)), ("", (Status::Cancelled, None)));
    recovers(&engine, &memory).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_the_first_word_counts_however_often_it_comes() {
    let (model, memory) = (once([Step::Hang]), Hostile::new());
    let engine = engine(&model, &memory);
    let sent = session(&engine).send("Hi").await.unwrap();
    sent.cancel().await.unwrap();
    sent.cancel().await.unwrap();
    engine.local().cancel(sent.turn()).await.unwrap();
    let turn = sent.turn();
    let (_, finished) = end_of(sent).await;
    assert_eq!(ended(&finished), (Status::Cancelled, None));
    engine.local().cancel(turn).await.unwrap();
    assert_eq!(said(&engine).await[1], (Status::Cancelled, String::new()));
    recovers(&engine, &memory).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_the_very_end_changes_nothing() {
    for fault in [Fault::Before as fn(Door) -> Fault, Fault::After] {
        let (model, memory, door) = (once([Step::text("Whole"), Step::stop()]), Hostile::new(), Door::new());
        let (here, elsewhere) = (engine(&model, &memory), engine(&model, &memory));
        memory.next(Call::Finish, [fault(door.clone())]);
        let sent = session(&here).send("Hi").await.unwrap();
        soon(door.reached()).await;
        sent.cancel().await.unwrap();
        soon(elsewhere.local().cancel(sent.turn())).await.unwrap();
        door.open();
        let (text, finished) = end_of(sent).await;
        assert_eq!((text.as_str(), ended(&finished)), ("Whole", (Status::Complete, None)));
        assert_eq!(said(&here).await[1], (Status::Complete, "Whole".to_owned()));
        recovers(&here, &memory).await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_that_interrupt_one_takes_the_place_and_the_other_is_told_by_whom() {
    // In one process, where the turn hears it at once, and from another one, where it hears it with a checkpoint.
    for same in [true, false] {
        let model = Scripted::script([Step::text("Half"), Step::Hang])
            .then(Scripted::script([Step::text("Mine"), Step::Hang]))
            .then(Scripted::reply("Later"));
        let memory = Hostile::new();
        let (here, elsewhere) = (engine(&model, &memory), engine(&model, &memory));
        let mut first = session(&here).send("One").await.unwrap();
        until_text(&mut first, "Half").await;
        let other = if same { &here } else { &elsewhere };
        let interrupt = |text: &str| session(other).send(text).busy(Busy::Interrupt).into_future();
        let (a, b) = soon(join(interrupt("Two"), interrupt("Three"))).await;
        let (won, lost) = match (a, b) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won, lost),
            both => panic!("{both:?}"),
        };
        assert_eq!((lost.kind(), lost.turn()), (ErrorKind::Busy, Some(won.turn())));
        assert_eq!(ended(&end_of(first).await.1), (Status::Cancelled, None));
        assert_eq!(other.local().turns().await.unwrap().len(), 1, "the new turn goes on");
        won.cancel().await.unwrap();
        assert_eq!(ended(&end_of(won).await.1), (Status::Cancelled, None));
        recovers(other, &memory).await;
    }
}

#[tokio::test(start_paused = true)]
async fn interrupt_ends_a_turn_that_does_not_listen() {
    let model = Scripted::script([Step::Hang]).then(Scripted::reply("Later"));
    let memory = Hostile::new();
    let (here, elsewhere) = (engine(&model, &memory), engine(&model, &memory));
    // Its process hangs in a checkpoint: it cannot hear.
    let door = Door::new();
    let first = session(&here).send("One").await.unwrap();
    memory.next(Call::Checkpoint, [Fault::Before(door.clone())]);
    soon(door.reached()).await;
    let second = soon(session(&elsewhere).send("Two").busy(Busy::Interrupt).into_future()).await.unwrap();
    assert_eq!(end_of(second).await.0, "Later");
    door.open();
    assert_eq!(ended(&end_of(first).await.1), (Status::Cancelled, None));
    recovers(&elsewhere, &memory).await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_line_keeps_the_place_of_others_and_gives_up_in_time() {
    let gate = Gate::new();
    let model = Scripted::script([Step::gate(&gate), Step::stop()]).then(Scripted::reply("Later"));
    let memory = Hostile::new();
    let engine = engine(&model, &memory);
    let first = session(&engine).send("0").await.unwrap();
    let wait = |text: &str, seconds| {
        let deadline = Duration::from_secs(seconds);
        tokio::spawn(session(&engine).send(text).busy(Busy::Queue { deadline }).into_future())
    };
    let (one, two, three) = (wait("1", 3000), wait("2", 5), wait("3", 3000));
    let error = soon(two).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.is_retryable());
    gate.open();
    end_of(first).await;
    end_of(soon(one).await.unwrap().unwrap()).await;
    end_of(soon(three).await.unwrap().unwrap()).await;
    let said: Vec<_> = said(&engine).await.into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["0", "", "1", "Later", "3", "Later"]);
    recovers(&engine, &memory).await;
}

#[tokio::test(start_paused = true)]
async fn closing_ends_those_who_wait_in_line() {
    let (model, memory) = (once([Step::Hang]), Hostile::new());
    let engine = engine(&model, &memory);
    let first = session(&engine).send("0").await.unwrap();
    let queue = Busy::Queue { deadline: Duration::from_secs(3000) };
    let waiting = [1, 2].map(|_| tokio::spawn(session(&engine).send("later").busy(queue).into_future()));
    model.until_asked(1).await;
    soon(engine.close(Duration::from_secs(1))).await.unwrap();
    assert_eq!(ended(&end_of(first).await.1), (Status::Interrupted, None));
    for sent in waiting {
        assert_eq!(soon(sent).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    }
}

#[tokio::test(start_paused = true)]
async fn closing_ends_in_time_though_model_and_store_hang() {
    for call in [Call::Begin, Call::Checkpoint, Call::Finish, Call::Close] {
        let (model, memory) = (once([Step::text("Half"), Step::Hang]), Hostile::new());
        let engine = engine(&model, &memory);
        let mut running = session(&engine).send("Hi").await.unwrap();
        until_text(&mut running, "Half").await;
        memory.always(call, Fault::Hangs);
        let late = tokio::spawn(engine.local().new_session().send("Hi").into_future());
        tokio::task::yield_now().await;
        let closed = soon(engine.close(Duration::from_secs(1))).await;
        assert_eq!(closed.is_ok(), call != Call::Close, "{call:?}");
        let (text, finished) = end_of(running).await;
        assert_eq!((text.as_str(), finished.status), ("", Status::Interrupted), "{call:?}");
        assert_eq!(finished.error.is_some(), call == Call::Finish, "{call:?}");
        assert_eq!(soon(late).await.unwrap().is_err(), call == Call::Begin, "{call:?}");
    }
}

/// A model or a counter that panics where it is told to.
#[derive(Clone, Debug)]
enum Bomb {
    /// When it is asked.
    Stream,
    /// When its stream is dropped.
    Drop,
    /// When it counts or learns.
    Count,
}

impl ChatModel for Bomb {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        if request.messages.iter().any(|message| message.content.text() == "And now?") {
            return Scripted::reply("Later").stream(request);
        }
        match self {
            Bomb::Stream => panic!("the model panics, as the test wants it"),
            Bomb::Drop => {
                let fuse = Fuse;
                empty().chain(futures_util::stream::pending()).map(move |event| (&fuse, event).1).boxed()
            }
            Bomb::Count => Scripted::reply("Fine").stream(request),
        }
    }
}

struct Fuse;

impl Drop for Fuse {
    fn drop(&mut self) {
        panic!("the model's stream panics, as the test wants it");
    }
}

impl TokenCounter for Bomb {
    fn count(&self, _: &str) -> u64 {
        panic!("the counter panics, as the test wants it");
    }
    fn observe(&self, _: u64, _: u64) {
        panic!("the counter panics, as the test wants it");
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_code_that_panics_ends_at_most_its_turn() {
    for (bomb, text, status) in [
        (Bomb::Stream, "", (Status::Failed, Some(ErrorKind::Unexpected))),
        (Bomb::Drop, "", (Status::Cancelled, None)),
        (Bomb::Count, "Fine", (Status::Complete, None)),
    ] {
        let memory = Hostile::new();
        let builder = Engine::builder().model(bomb.clone()).memory(memory.clone()).retry(eager()).lease(LEASE);
        let engine = match bomb {
            Bomb::Count => builder.token_counter(bomb.clone()).build(),
            _ => builder.build(),
        };
        let sent = session(&engine).send("Hi").await.unwrap();
        if let Bomb::Drop = bomb {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sent.cancel().await.unwrap();
        }
        let (said, finished) = end_of(sent).await;
        assert_eq!((said.as_str(), ended(&finished)), (text, status), "{bomb:?}");
        assert!(finished.usage.unwrap().estimated, "{bomb:?}");
        recovers(&engine, &memory).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_counter_that_panics_does_not_keep_the_dead_from_their_end() {
    let (model, memory) = (Scripted::reply("Later"), Hostile::new());
    let builder = Engine::builder().model(model).memory(memory.clone()).token_counter(Bomb::Count).lease(LEASE);
    let engine = builder.build();
    memory.always(Call::Begin, Fault::LostHangs);
    soon(session(&engine).send("Hi").into_future()).await.unwrap_err();
    recovers(&engine, &memory).await;
    assert_eq!(said(&engine).await[1].0, Status::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_send_that_is_dropped_at_any_point_leaves_nothing_or_a_turn() {
    for fault in [Fault::Before as fn(Door) -> Fault, Fault::After] {
        for polls in 0..4 {
            let (model, memory, door) = (Scripted::reply("Later"), Hostile::new(), Door::new());
            let engine = engine(&model, &memory);
            memory.next(Call::Begin, [fault(door.clone())]);
            let mut send = session(&engine).send("Hi").into_future();
            for _ in 0..polls {
                assert!(futures_util::poll!(&mut send).is_pending());
                tokio::task::yield_now().await;
            }
            drop(send);
            door.open();
            // Whoever comes next waits for what the dropped one left, if it left something.
            let next = soon(session(&engine).send("Next").busy(Busy::queue()).into_future()).await.unwrap();
            end_of(next).await;
            let said: Vec<_> = said(&engine).await.into_iter().map(|(_, text)| text).collect();
            let whole = ["Hi", "Later", "Next", "Later"];
            assert_eq!(said, if polls == 0 { &whole[2..] } else { &whole[..] }, "{polls} polls");
            recovers(&engine, &memory).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_reply_that_is_dropped_outside_of_the_runtime_still_cancels() {
    let (model, memory) = (once([Step::Hang]), Hostile::new());
    let (here, elsewhere) = (engine(&model, &memory), engine(&model, &memory));
    let sent = session(&here).send("Hi").await.unwrap();
    let watched = session(&elsewhere).attach(sent.turn(), 0).await.unwrap().on_drop(OnDrop::Cancel);
    std::thread::spawn(move || drop(watched)).join().unwrap();
    assert_eq!(ended(&end_of(sent).await.1), (Status::Cancelled, None));
    recovers(&here, &memory).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_deleted_ends_its_turn_and_leaves_nothing() {
    let (model, memory) = (once([Step::text("Half"), Step::Hang]), Hostile::new());
    let engine = engine(&model, &memory);
    let mut sent = session(&engine).send("Hi").await.unwrap();
    until_text(&mut sent, "Half").await;
    session(&engine).delete().await.unwrap();
    let (_, finished) = end_of(sent).await;
    assert_eq!(ended(&finished), (Status::Interrupted, Some(ErrorKind::NotFound)));
    assert_eq!((finished.stored, model.dropped()), (0, 1));
    assert_eq!(end_of(session(&engine).send("Again").await.unwrap()).await.0, "Later");
    assert_eq!(said(&engine).await.len(), 2);
}

/// Thinks for so long before each prompt.
#[derive(Debug)]
struct Thinks(Duration);

#[async_trait::async_trait]
impl Hook for Thinks {
    async fn before_prompt(&self, _: &TurnAt, _: &[Message]) -> Result<Vec<Source>> {
        tokio::time::sleep(self.0).await;
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn a_turn_lives_on_while_a_hook_thinks_and_dies_with_its_store() {
    let hooked = |memory: &Arc<Hostile>| {
        let engine = Engine::builder().model(once([Step::text("Hi"), Step::stop()])).memory(Arc::clone(memory));
        engine.lease(LEASE).hook(Thinks(LEASE * 2)).build()
    };
    let memory = Hostile::new();
    memory.next(Call::Checkpoint, [Fault::Lost, Fault::Fails(ErrorKind::Store)]);
    let sent = soon(session(&hooked(&memory)).send("Hi").into_future()).await.unwrap();
    let (text, finished) = end_of(sent).await;
    assert_eq!((text.as_str(), ended(&finished)), ("Hi", (Status::Complete, None)));
    // It was written, and so its lease renewed, before there was anything to write.
    assert_eq!((memory.left(Call::Checkpoint), memory.refused()), (0, vec![]));

    let memory = Hostile::new();
    let engine = hooked(&memory);
    let sent = soon(session(&engine).send("Hi").into_future()).await.unwrap();
    memory.always(Call::Checkpoint, Fault::Fails(ErrorKind::Store));
    let begun = tokio::time::Instant::now();
    assert_eq!(ended(&end_of(sent).await.1), (Status::Interrupted, Some(ErrorKind::Store)));
    assert!(begun.elapsed() < LEASE * 2, "{:?}", begun.elapsed());
    memory.heal();
    assert_eq!(end_of(session(&engine).send("Again").await.unwrap()).await.0, "Hi");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_shown_for_debugging_holds_a_text_or_a_key() {
    const SECRETS: [&str; 3] = ["my words", "sk-mine", "its words"];
    let (model, memory) = (once([Step::text("its words"), Step::Hang]), Hostile::new());
    let engine = engine(&model, &memory);
    let send = session(&engine).send("my words").credentials("sk-mine").key("my words").var("name", "my words");
    let shown = format!("{send:?}");
    let mut sent = send.await.unwrap();
    until_text(&mut sent, "its words").await;
    let request = model.requests().remove(0);
    let all =
        [shown, format!("{sent:?}"), format!("{request:?}"), format!("{:?}", session(&engine)), format!("{engine:?}")];
    for shown in &all {
        assert!(SECRETS.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
    assert!(all[0].contains('s') && all[1].contains(&sent.turn().to_string()));
}
