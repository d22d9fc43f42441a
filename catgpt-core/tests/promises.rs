//! The promises of the engine, on each memory that lives in one process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    Busy, ChatModel, Engine, ErrorKind, Event, FinishReason, Message, OnDrop, Params, Persona, Role, Scripted, Secret,
    Status, ToolCall, Usage, Window,
};
use common::{Store, all, engine, eventually, text_of, until_text};
use futures_util::future::join_all;

on_each_memory! {
    an_answer_is_streamed_and_kept
    nothing_is_asked_before_it_is_committed
    a_model_that_fails_first_is_asked_again
    a_model_that_fails_midway_keeps_its_text
    an_answer_that_is_cut_off_is_interrupted
    a_model_that_panics_fails_its_turn_only
    dropping_detaches
    dropping_cancels_if_asked_to
    cancel_works_before_the_first_word
    cancel_works_midway_and_by_id
    cancel_while_waiting_to_ask_again
    attaching_shows_the_same_at_every_offset
    a_late_reader_gets_everything_merged
    a_second_send_is_refused_and_names_the_first
    queued_sends_run_in_order
    a_queued_send_gives_up_at_its_deadline
    a_queued_send_that_is_dropped_leaves_nothing
    interrupt_takes_the_place_and_keeps_the_text
    fifty_sends_with_one_key_are_one_call
    a_key_stands_for_one_content
    edit_and_regenerate_make_branches
    an_old_version_is_refused
    others_find_nothing
    the_session_keeps_its_persona
    the_window_is_a_view
    too_long_a_context_is_shrunk_once
    the_next_prompt_has_stopped_text_and_no_empty_failures
    usage_is_there_on_every_outcome
    what_cannot_be_sent_is_refused
    closing_ends_what_runs_and_takes_nothing_new
    a_send_that_is_dropped_leaves_nothing_or_a_turn
    a_dead_engine_leaves_no_reader_hanging_and_its_turn_is_buried
    sessions_are_listed_renamed_and_deleted
    changes_are_in_order
    settings_of_one_send_reach_the_model
}

const ME: &str = "alice";

fn session(engine: &Engine) -> catgpt_core::Session {
    engine.user(ME).unwrap().session("trip").unwrap()
}

fn status_of(events: &[Event]) -> (Status, Option<ErrorKind>) {
    match events.last() {
        Some(Event::Finished(finished)) => (finished.status, finished.error.as_ref().map(|e| e.kind)),
        other => panic!("the last event is {other:?}"),
    }
}

async fn said(engine: &Engine) -> Vec<(Role, Status, String)> {
    let history = session(engine).history(100).await.unwrap();
    history.iter().map(|m: &Message| (m.role, m.status, m.text())).collect()
}

fn user(text: &str) -> (Role, Status, String) {
    (Role::User, Status::Complete, text.into())
}

fn reply(status: Status, text: &str) -> (Role, Status, String) {
    (Role::Assistant, status, text.into())
}

/// Says `before`, waits for the gate, says `after`.
fn gated(before: &str, gate: &Gate, after: &str) -> Scripted {
    Scripted::script([Step::text(before), Step::gate(gate), Step::text(after), Step::stop()])
}

async fn an_answer_is_streamed_and_kept(store: Store) {
    let engine = engine(&Scripted::reply("Hello big world"), &store);
    let events = all(session(&engine).send("Hi").await.unwrap()).await;
    let Event::Started(started) = &events[0] else { panic!("{events:?}") };
    assert_eq!((started.user_seq, started.reply_seq, started.persona.as_str()), (Some(1), 2, "plain"));
    assert_eq!((started.model.as_str(), started.session.as_str()), ("scripted", "trip"));
    assert_eq!(text_of(&events), "Hello big world");
    let Some(Event::Finished(finished)) = events.last() else { panic!("{events:?}") };
    assert_eq!((finished.status, finished.stored), (Status::Complete, 15));
    assert_eq!(finished.finish_reason, Some(FinishReason::Stop));
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Complete, "Hello big world")]);
}

async fn nothing_is_asked_before_it_is_committed(store: Store) {
    let model = Scripted::reply("x");
    let engine = engine(&model, &store);
    store.memory.close().await.unwrap();
    assert!(session(&engine).send("Hi").await.is_err());
    assert_eq!(model.asked(), 0);
}

async fn a_model_that_fails_first_is_asked_again(store: Store) {
    let model = Scripted::script([Step::fails(ErrorKind::Unavailable)]).then(Scripted::reply("Hello"));
    let engine = engine(&model, &store);
    let events = all(session(&engine).send("Hi").await.unwrap()).await;
    assert!(matches!(&events[1], Event::Retrying { attempt: 2, .. }), "{events:?}");
    assert_eq!(status_of(&events), (Status::Complete, None));
    assert_eq!((model.asked(), text_of(&events).as_str()), (2, "Hello"));
}

async fn a_model_that_fails_midway_keeps_its_text(store: Store) {
    let model = Scripted::script([Step::text("Half"), Step::fails(ErrorKind::Unavailable)]);
    let engine = engine(&model, &store);
    let sent = session(&engine).send("Hi").await.unwrap();
    assert_eq!(sent.text().await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(model.asked(), 1);
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Failed, "Half")]);
}

async fn an_answer_that_is_cut_off_is_interrupted(store: Store) {
    let engine = engine(&Scripted::script([Step::text("Half")]), &store);
    let events = all(session(&engine).send("Hi").await.unwrap()).await;
    assert_eq!(status_of(&events), (Status::Interrupted, Some(ErrorKind::Truncated)));
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Interrupted, "Half")]);
}

async fn a_model_that_panics_fails_its_turn_only(store: Store) {
    let model = Scripted::script([Step::text("Oh"), Step::Panic]).then(Scripted::reply("Fine"));
    let engine = engine(&model, &store);
    let events = all(session(&engine).send("Hi").await.unwrap()).await;
    assert_eq!(status_of(&events), (Status::Failed, Some(ErrorKind::Unexpected)));
    assert_eq!(session(&engine).send("Again").await.unwrap().text().await.unwrap(), "Fine");
}

async fn dropping_detaches(store: Store) {
    let gate = Gate::new();
    let model = gated("Hello ", &gate, "world");
    let engine = engine(&model, &store);
    let mut sent = session(&engine).send("Hi").await.unwrap();
    until_text(&mut sent, "Hello ").await;
    let turn = sent.turn();
    drop(sent);
    gate.open();
    let again = session(&engine).attach(turn, 0).await.unwrap();
    assert_eq!(again.text().await.unwrap(), "Hello world");
    assert_eq!(model.dropped(), 0);
}

async fn dropping_cancels_if_asked_to(store: Store) {
    let gate = Gate::new();
    let model = gated("Hello ", &gate, "world");
    let engine = engine(&model, &store);
    let mut sent = session(&engine).send("Hi").on_drop(OnDrop::Cancel).await.unwrap();
    until_text(&mut sent, "Hello ").await;
    drop(sent);
    model.until_dropped(1).await;
    eventually("the turn is cancelled", async || said(&engine).await[1] == reply(Status::Cancelled, "Hello ")).await;
}

async fn cancel_works_before_the_first_word(store: Store) {
    let model = Scripted::script([Step::Hang]);
    let engine = engine(&model, &store);
    let sent = session(&engine).send("Hi").await.unwrap();
    model.until_asked(1).await;
    sent.cancel().await.unwrap();
    assert_eq!(status_of(&all(sent).await), (Status::Cancelled, None));
    assert_eq!(model.dropped(), 1);
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Cancelled, "")]);
}

async fn cancel_works_midway_and_by_id(store: Store) {
    let model = Scripted::script([Step::text("Half"), Step::Hang]);
    let engine = engine(&model, &store);
    let mut sent = session(&engine).send("Hi").await.unwrap();
    until_text(&mut sent, "Half").await;
    let me = engine.user(ME).unwrap();
    me.cancel(sent.turn()).await.unwrap();
    assert_eq!(status_of(&all(sent).await), (Status::Cancelled, None));
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Cancelled, "Half")]);
    assert_eq!(model.dropped(), 1);
    // Once more changes nothing.
    let turn = session(&engine).history(9).await.unwrap()[1].turn.unwrap();
    me.cancel(turn).await.unwrap();
}

async fn cancel_while_waiting_to_ask_again(store: Store) {
    let error = catgpt_core::Error::new(ErrorKind::RateLimited, "slow").with_retry_after(Some(Duration::from_secs(15)));
    let model = Scripted::script([Step::error(error)]);
    let engine = engine(&model, &store);
    let mut sent = session(&engine).send("Hi").await.unwrap();
    while !matches!(sent.next().await, Some(Event::Retrying { after_ms: 15_000, .. })) {}
    sent.cancel().await.unwrap();
    assert_eq!(status_of(&all(sent).await), (Status::Cancelled, None));
    assert_eq!(model.asked(), 1);
}

async fn attaching_shows_the_same_at_every_offset(store: Store) {
    let gate = Gate::new();
    let call = ToolCall { id: "c1".into(), name: "look".into(), arguments: serde_json::json!({"at": "moon"}) };
    let model = Scripted::script([
        Step::reasoning("hm🙂"),
        Step::text("Grüße "),
        Step::gate(&gate),
        Step::call(call),
        Step::text("漢字!"),
        Step::stop(),
    ]);
    let engine = engine(&model, &store);
    let mut sent = session(&engine).send("Hi").await.unwrap();
    until_text(&mut sent, "Grüße ").await;
    let (turn, end) = (sent.turn(), 6 + 8 + 1 + 7);
    let running = join_all((0..=end).map(|from| session_attach(&engine, turn, from))).await;
    gate.open();
    let whole = all(engine.user(ME).unwrap().attach(turn, 0).await.unwrap()).await;
    assert_eq!(text_of(&whole), "Grüße 漢字!");
    let running = join_all(running.into_iter().map(all)).await;
    for (from, live) in running.into_iter().enumerate() {
        let stored = all(session_attach(&engine, turn, from as u64).await).await;
        assert_eq!(matches!(live[0], Event::Started(_)), from == 0, "{live:?}");
        for events in [&live, &stored] {
            // Nobody here looks at the moon, so the call waits for somebody who does.
            assert_eq!(status_of(events), (Status::Paused, None));
            let mut offset = from as u64;
            for event in &events[..events.len() - 1] {
                assert!(event.offset() > offset || event.offset() == 0, "{events:?}");
                offset = event.offset();
            }
            assert_eq!(offset, end.max(from as u64), "from {from}: {events:?}");
        }
        let (live, stored) = (flat(&live), flat(&stored));
        assert_eq!(live, stored, "from {from}");
        // A text that is cut inside a character begins with that character.
        assert!(flat(&whole).ends_with(&live), "from {from}: {live}");
    }
}

async fn session_attach(engine: &Engine, turn: catgpt_core::TurnId, from: u64) -> catgpt_core::Reply {
    session(engine).attach(turn, from).await.unwrap()
}

/// The content of events, however it was cut.
fn flat(events: &[Event]) -> String {
    let mut out = String::new();
    let mut kind = "";
    for event in events {
        let text = match event {
            Event::Text { text, .. } | Event::Reasoning { text, .. } => text.clone(),
            Event::ToolCall { call, .. } => call.name.clone(),
            _ => continue,
        };
        if kind != event.name() && !kind.is_empty() {
            out.push('|');
        }
        kind = event.name();
        out.push_str(&text);
    }
    out
}

async fn a_late_reader_gets_everything_merged(store: Store) {
    let words: Vec<String> = (0..2000).map(|i| format!("word{i} ")).collect();
    let model = Scripted::words(words.clone());
    let engine = engine(&model, &store);
    let slow = session(&engine).send("Hi").await.unwrap();
    let turn = slow.turn();
    let fast = all(session(&engine).attach(turn, 0).await.unwrap()).await;
    let slow = all(slow).await;
    assert_eq!(text_of(&slow), words.concat());
    assert_eq!(text_of(&fast), words.concat());
    assert!(slow.len() < 10, "a reader that comes late gets merged text, not {} events", slow.len());
}

async fn a_second_send_is_refused_and_names_the_first(store: Store) {
    let gate = Gate::new();
    let engine = engine(&gated("a", &gate, "b"), &store);
    let first = session(&engine).send("One").await.unwrap();
    let error = session(&engine).send("Two").await.unwrap_err();
    assert_eq!((error.kind(), error.turn()), (ErrorKind::Busy, Some(first.turn())));
    assert!(error.is_retryable());
    gate.open();
    assert_eq!(first.text().await.unwrap(), "ab");
    assert_eq!(said(&engine).await.len(), 2, "the refused message left nothing");
}

async fn queued_sends_run_in_order(store: Store) {
    let gate = Gate::new();
    let model = gated("first", &gate, "").then(Scripted::reply("next"));
    let engine = engine(&model, &store);
    let first = session(&engine).send("m0").await.unwrap();
    let mut waiting = vec![];
    for i in 1..=5 {
        let session = session(&engine);
        let mut send = Box::pin(async move { session.send(format!("m{i}")).busy(Busy::queue()).await });
        // One poll takes the place in the line.
        assert!(futures_util::poll!(&mut send).is_pending());
        waiting.push(async { send.await.unwrap().text().await.unwrap() });
    }
    gate.open();
    assert_eq!(first.text().await.unwrap(), "first");
    assert_eq!(join_all(waiting).await, ["next"; 5]);
    let users: Vec<_> = said(&engine).await.into_iter().filter(|m| m.0 == Role::User).map(|m| m.2).collect();
    assert_eq!(users, ["m0", "m1", "m2", "m3", "m4", "m5"]);
}

async fn a_queued_send_gives_up_at_its_deadline(store: Store) {
    let engine = engine(&Scripted::script([Step::Hang]), &store);
    let first = session(&engine).send("One").await.unwrap();
    let queue = Busy::Queue { deadline: Duration::from_millis(30) };
    let error = session(&engine).send("Two").busy(queue).await.unwrap_err();
    assert_eq!((error.kind(), error.turn()), (ErrorKind::Busy, Some(first.turn())));
    assert_eq!(said(&engine).await.len(), 2);
}

async fn a_queued_send_that_is_dropped_leaves_nothing(store: Store) {
    let gate = Gate::new();
    let engine = engine(&gated("a", &gate, "b").then(Scripted::reply("later")), &store);
    let first = session(&engine).send("One").await.unwrap();
    let other = session(&engine);
    let mut second = Box::pin(async move { other.send("Two").busy(Busy::queue()).await });
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(second);
    gate.open();
    first.text().await.unwrap();
    let third = session(&engine).send("Three").busy(Busy::queue()).await.unwrap();
    assert_eq!(third.text().await.unwrap(), "later");
    let users: Vec<_> = said(&engine).await.into_iter().filter(|m| m.0 == Role::User).map(|m| m.2).collect();
    assert!(users == ["One", "Three"] || users == ["One", "Two", "Three"], "{users:?}");
}

async fn interrupt_takes_the_place_and_keeps_the_text(store: Store) {
    let model = Scripted::script([Step::text("Half"), Step::Hang]).then(Scripted::reply("Whole"));
    let engine = engine(&model, &store);
    let mut first = session(&engine).send("One").await.unwrap();
    until_text(&mut first, "Half").await;
    let second = session(&engine).send("Two").busy(Busy::Interrupt).await.unwrap();
    assert_eq!(status_of(&all(first).await), (Status::Cancelled, None));
    assert_eq!(second.text().await.unwrap(), "Whole");
    let expect = [user("One"), reply(Status::Cancelled, "Half"), user("Two"), reply(Status::Complete, "Whole")];
    assert_eq!(said(&engine).await, expect);
}

async fn fifty_sends_with_one_key_are_one_call(store: Store) {
    let model = Scripted::reply("Once only");
    let engine = engine(&model, &store);
    let sends = (0..50).map(|_| async {
        let reply = session(&engine).send("Hi").key("k").await.unwrap();
        (reply.turn(), reply.text().await.unwrap())
    });
    let mut got = join_all(sends).await;
    got.dedup();
    assert_eq!((got.len(), got[0].1.as_str(), model.asked()), (1, "Once only", 1));
    assert_eq!(said(&engine).await.len(), 2);
}

async fn a_key_stands_for_one_content(store: Store) {
    let model = Scripted::script([Step::fails(ErrorKind::Unauthorized)]);
    let engine = engine(&model, &store);
    let first = session(&engine).send("Hi").key("k").await.unwrap();
    let turn = first.turn();
    assert_eq!(first.text().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    // The same turn, whatever its outcome.
    let again = session(&engine).send("Hi").key("k").await.unwrap();
    assert_eq!(again.turn(), turn);
    assert_eq!(again.result().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(session(&engine).send("Other").key("k").await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(model.asked(), 1);
}

async fn edit_and_regenerate_make_branches(store: Store) {
    let model = Scripted::reply("one").then(Scripted::reply("two")).then(Scripted::reply("three"));
    let engine = engine(&model, &store);
    let trip = session(&engine);
    trip.send("Hi").await.unwrap().text().await.unwrap();
    assert_eq!(trip.regenerate(None).await.unwrap().text().await.unwrap(), "two");
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Complete, "two")]);
    assert_eq!(trip.edit(1, "Hello").await.unwrap().text().await.unwrap(), "three");
    assert_eq!(said(&engine).await, [user("Hello"), reply(Status::Complete, "three")]);
    let tree: Vec<_> = trip.tree(0, 100).await.unwrap().iter().map(|m| (m.seq, m.parent, m.text())).collect();
    let expect: [(u64, Option<u64>, &str); 5] =
        [(1, None, "Hi"), (2, Some(1), "one"), (3, Some(1), "two"), (4, None, "Hello"), (5, Some(4), "three")];
    assert_eq!(tree, expect.map(|(seq, parent, text)| (seq, parent, text.to_owned())));
    trip.select(2, None).await.unwrap();
    assert_eq!(said(&engine).await, [user("Hi"), reply(Status::Complete, "one")]);
    assert_eq!(trip.regenerate(1).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(trip.edit(99, "x").await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn an_old_version_is_refused(store: Store) {
    let engine = engine(&Scripted::reply("ok"), &store);
    let trip = session(&engine);
    trip.send("Hi").await.unwrap().text().await.unwrap();
    let version = trip.info().await.unwrap().version;
    trip.send("More").if_version(version).await.unwrap().text().await.unwrap();
    assert_eq!(trip.send("Late").if_version(version).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(trip.select(2, Some(version)).await.unwrap_err().kind(), ErrorKind::Conflict);
}

async fn others_find_nothing(store: Store) {
    let engine = engine(&Scripted::script([Step::text("secret"), Step::Hang]), &store);
    let mut mine = session(&engine).send("Hi").await.unwrap();
    until_text(&mut mine, "secret").await;
    let eve = engine.user("eve").unwrap();
    let hers = eve.session("trip").unwrap();
    let not_found = |error: catgpt_core::Error| assert_eq!(error.kind(), ErrorKind::NotFound);
    not_found(eve.attach(mine.turn(), 0).await.unwrap_err());
    not_found(eve.cancel(mine.turn()).await.unwrap_err());
    not_found(hers.history(9).await.unwrap_err());
    not_found(hers.attach(mine.turn(), 0).await.unwrap_err());
    not_found(hers.delete().await.unwrap_err());
    not_found(hers.info().await.unwrap_err());
    assert!(eve.sessions(None, 9).await.unwrap().sessions.is_empty());
    assert!(eve.turns().await.unwrap().is_empty());
    assert_eq!(engine.user(ME).unwrap().turns().await.unwrap().len(), 1);
    // A turn is not found through another session of its owner either.
    let other = engine.user(ME).unwrap().session("other").unwrap();
    not_found(other.attach(mine.turn(), 0).await.unwrap_err());
    mine.cancel().await.unwrap();
    assert_eq!(status_of(&all(mine).await), (Status::Cancelled, None));
}

async fn the_session_keeps_its_persona(store: Store) {
    let model = Scripted::reply("ok");
    let build =
        |persona: Persona| Engine::builder().model(model.clone()).memory(store.memory.clone()).persona(persona).build();
    let old = build(Persona::new("guide", "Old guide of {{ place }}.").unwrap());
    session(&old).send("Hi").var("place", "Kyoto").await.unwrap().text().await.unwrap();
    let new = build(Persona::new("guide", "New guide.").unwrap());
    session(&new).send("More").var("place", "Nara").await.unwrap().text().await.unwrap();
    new.user(ME).unwrap().session("fresh").unwrap().send("Hi").await.unwrap().text().await.unwrap();
    session(&new).send("Now").persona(Persona::cat()).await.unwrap().text().await.unwrap();
    let systems: Vec<_> = model.requests().iter().map(|r| r.messages[0].content.text()).collect();
    assert_eq!(systems[..3], ["Old guide of Kyoto.", "Old guide of Nara.", "New guide."]);
    assert_eq!(session(&new).info().await.unwrap().persona.as_deref(), Some("cat"));
    // A variable that nobody gave is an error before anything is written.
    let error = build(Persona::new("g", "{{ place }}").unwrap());
    let error = error.local().session("x").unwrap().send("Hi").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("place"));
}

async fn the_window_is_a_view(store: Store) {
    let model = Scripted::reply("ok");
    let engine = Engine::builder()
        .model(model.clone())
        .memory(store.memory.clone())
        .window(Window { messages: 5, tokens: 1000, keep: 100 })
        .build();
    for i in 0..6 {
        session(&engine).send(format!("m{i}")).await.unwrap().text().await.unwrap();
    }
    let last = model.requests().pop().unwrap();
    let texts: Vec<_> = last.messages.iter().skip(1).map(|m| m.content.text()).collect();
    assert_eq!(texts, ["m3", "ok", "m4", "ok", "m5"]);
    assert_eq!(session(&engine).history(100).await.unwrap().len(), 12);
    assert_eq!(session(&engine).history(3).await.unwrap().len(), 3);
}

async fn too_long_a_context_is_shrunk_once(store: Store) {
    let model = Scripted::reply("ok")
        .then(Scripted::reply("ok"))
        .then(Scripted::script([Step::fails(ErrorKind::ContextTooLong)]))
        .then(Scripted::reply("short"));
    let engine = engine(&model, &store);
    for text in ["one", "two"] {
        session(&engine).send(text).await.unwrap().text().await.unwrap();
    }
    assert_eq!(session(&engine).send("three").await.unwrap().text().await.unwrap(), "short");
    let lengths: Vec<_> = model.requests().iter().map(|r| r.messages.len()).collect();
    assert_eq!(lengths[2], 6);
    assert!(lengths[3] < 6 && lengths[3] >= 2);
}

async fn the_next_prompt_has_stopped_text_and_no_empty_failures(store: Store) {
    let model = Scripted::script([Step::text("Stopped"), Step::Hang])
        .then(Scripted::script([Step::fails(ErrorKind::Unauthorized)]))
        .then(Scripted::reply("ok"));
    let engine = engine(&model, &store);
    let mut first = session(&engine).send("a").await.unwrap();
    until_text(&mut first, "Stopped").await;
    first.cancel().await.unwrap();
    all(first).await;
    all(session(&engine).send("b").await.unwrap()).await;
    all(session(&engine).send("c").await.unwrap()).await;
    let last = model.requests().pop().unwrap();
    let texts: Vec<_> = last.messages.iter().skip(1).map(|m| m.content.text()).collect();
    assert_eq!(texts, ["a", "Stopped", "b", "c"]);
}

async fn usage_is_there_on_every_outcome(store: Store) {
    let model = Scripted::script([Step::text("Hi"), Step::stop(), Step::usage(7, 3)])
        .then(Scripted::script([Step::text("some words here"), Step::fails(ErrorKind::Unavailable)]));
    let engine = engine(&model, &store);
    let usage = |events: &[Event]| match events.last() {
        Some(Event::Finished(finished)) => finished.usage.unwrap(),
        other => panic!("{other:?}"),
    };
    let reported = usage(&all(session(&engine).send("a").await.unwrap()).await);
    assert_eq!(reported, Usage { input_tokens: 7, output_tokens: 3, ..Usage::default() });
    let estimated = usage(&all(session(&engine).send("b").await.unwrap()).await);
    assert!(estimated.estimated && estimated.input_tokens > 0 && estimated.output_tokens > 0, "{estimated:?}");
    let stored = session(&engine).history(9).await.unwrap();
    assert_eq!((stored[1].usage, stored[3].usage), (Some(reported), Some(estimated)));
}

async fn what_cannot_be_sent_is_refused(store: Store) {
    let model = Scripted::reply("x");
    let engine = engine(&model, &store);
    let huge = "x".repeat(17 << 20);
    for text in ["", " \n\t", "a\0b", huge.as_str()] {
        let error = session(&engine).send(text).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().len() < 200);
    }
    assert!(session(&engine).send("x").key("").await.is_err());
    assert!(engine.user("").is_err());
    assert!(engine.local().session("a\u{7}b").is_err());
    assert_eq!(session(&engine).regenerate(None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(model.asked(), 0);
    assert!(engine.user(ME).unwrap().sessions(None, 9).await.unwrap().sessions.is_empty());
}

async fn closing_ends_what_runs_and_takes_nothing_new(store: Store) {
    let model = Scripted::script([Step::text("Half"), Step::Hang]);
    let engine = engine(&model, &store);
    let mut running = session(&engine).send("Hi").await.unwrap();
    until_text(&mut running, "Half").await;
    engine.close(Duration::ZERO).await.unwrap();
    assert_eq!(status_of(&all(running).await), (Status::Interrupted, None));
    assert_eq!(model.dropped(), 1);
    assert_eq!(session(&engine).send("More").await.unwrap_err().kind(), ErrorKind::Closed);
}

async fn a_send_that_is_dropped_leaves_nothing_or_a_turn(store: Store) {
    let engine = engine(&Scripted::reply("done"), &store);
    for i in 0..20 {
        let one = engine.local().session(format!("s{i}")).unwrap();
        let mut send = Box::pin(async { one.send("Hi").await });
        for _ in 0..i % 4 {
            if futures_util::poll!(&mut send).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(send);
    }
    // Whatever is there is whole, or becomes whole.
    eventually("every turn is complete", async || {
        for made in engine.local().sessions(None, 100).await.unwrap().sessions {
            let history = engine.local().session(made.id.as_str()).unwrap().history(9).await.unwrap();
            assert_eq!(history.len(), 2);
            if history[1].status != Status::Complete {
                return false;
            }
        }
        true
    })
    .await;
}

async fn a_dead_engine_leaves_no_reader_hanging_and_its_turn_is_buried(store: Store) {
    let memory = store.memory.clone();
    // A process that dies: its runtime goes away with a turn in it.
    let (reader, turn) = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let engine = Engine::builder()
            .model(Scripted::script([Step::text("Kept"), Step::Hang]))
            .memory(memory.clone())
            .lease(Duration::ZERO)
            .build();
        let reply = runtime.block_on(async {
            let mut reply = session(&engine).send("Hi").await.unwrap();
            until_text(&mut reply, "Kept").await;
            // Two checkpoints later its text is in the store.
            eventually("a checkpoint", async || session(&engine).history(9).await.unwrap()[1].text() == "Kept").await;
            reply
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        let turn = reply.turn();
        (reply, turn)
    })
    .await
    .unwrap();
    assert_eq!(status_of(&all(reader).await), (Status::Interrupted, Some(ErrorKind::Closed)));

    let engine = engine(&Scripted::reply("Next"), &store);
    assert_eq!(session(&engine).send("Too early").await.unwrap_err().kind(), ErrorKind::Busy);
    // A follower sees it end once its lease has run out, and so does whoever sends.
    let events = all(session(&engine).attach(turn, 0).await.unwrap()).await;
    assert_eq!(status_of(&events), (Status::Interrupted, Some(ErrorKind::Truncated)));
    assert_eq!(text_of(&events), "Kept");
    assert_eq!(session(&engine).send("More").await.unwrap().text().await.unwrap(), "Next");
    let history = said(&engine).await;
    assert_eq!(history[1], reply(Status::Interrupted, "Kept"));
    assert_eq!(history.len(), 4);
}

async fn sessions_are_listed_renamed_and_deleted(store: Store) {
    let engine = engine(&Scripted::reply("ok"), &store);
    let me = engine.local();
    for i in 0..5 {
        me.session(format!("s{i}")).unwrap().send(format!("Prompt {i}\nmore")).await.unwrap().text().await.unwrap();
    }
    let first = me.sessions(None, 3).await.unwrap();
    let rest = me.sessions(first.next.clone(), 3).await.unwrap();
    let ids = first.sessions.iter().chain(&rest.sessions).map(|s| s.id.as_str());
    assert_eq!(ids.collect::<Vec<_>>(), ["s4", "s3", "s2", "s1", "s0"]);
    assert!(rest.next.is_none());
    assert_eq!(first.sessions[0].title.as_deref(), Some("Prompt 4"));
    assert_eq!((first.sessions[0].messages, first.sessions[0].running), (2, None));
    let s1 = me.session("s1").unwrap();
    s1.rename("Kyoto").await.unwrap();
    assert_eq!(s1.info().await.unwrap().title.as_deref(), Some("Kyoto"));
    s1.delete().await.unwrap();
    assert_eq!(s1.info().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(s1.delete().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(me.sessions(None, 99).await.unwrap().sessions.len(), 4);
}

async fn changes_are_in_order(store: Store) {
    let engine = engine(&Scripted::reply("ok"), &store);
    let me = engine.local();
    let one = me.session("one").unwrap();
    one.send("Hi").await.unwrap().text().await.unwrap();
    one.rename("Title").await.unwrap();
    one.delete().await.unwrap();
    let changes = me.changes(0, 99).await.unwrap();
    let kinds: Vec<_> = changes.iter().map(|c| serde_json::to_value(c.kind).unwrap()).collect();
    assert_eq!(kinds, ["created", "turn_begun", "turn_ended", "renamed", "deleted"]);
    assert!(changes.windows(2).all(|w| w[1].n > w[0].n));
    assert_eq!(me.changes(changes[2].n, 99).await.unwrap().len(), 2);
}

async fn settings_of_one_send_reach_the_model(store: Store) {
    let model = Scripted::reply("ok");
    let engine = engine(&model, &store);
    let params = Params { temperature: Some(0.5), ..Params::default() };
    let sent = session(&engine).send("Hi").model("big").params(params.clone()).credentials("sk-secret").await.unwrap();
    let events = all(sent).await;
    let Event::Started(started) = &events[0] else { panic!("{events:?}") };
    assert_eq!(started.model, "big");
    let request = model.requests().pop().unwrap();
    assert_eq!((request.model.as_deref(), &request.params), (Some("big"), &params));
    assert_eq!(request.credentials, Some(Secret::new("sk-secret")));
    assert!(!format!("{request:?}").contains("sk-secret"));
    assert_eq!(session(&engine).history(9).await.unwrap()[1].model.as_deref(), Some("big"));
    assert_eq!(model.name(), "scripted");
}
