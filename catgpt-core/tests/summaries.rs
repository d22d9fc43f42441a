//! Summaries of long conversations, made beside the turns, on each memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::id::Seq;
use catgpt_core::memory::{Answer, GroupBy, Purpose, Query, Spent};
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    ChatModel, Engine, EngineBuilder, ErrorKind, Owner, Role, Scripted, Session, SessionInfo, Summaries, Summary,
    Window,
};
use common::{Store, all, eager, eventually, until_text};

on_each_memory! {
    a_long_conversation_is_summed_up_and_goes_on_with_that
    a_new_summary_takes_in_the_former_one
    a_summary_says_nothing_on_another_branch
    one_that_is_taken_back_is_not_made_anew_at_once
    a_running_turn_is_no_obstacle
    a_broken_model_is_not_asked_after_every_turn
    a_conversation_is_summed_up_when_asked_for
    of_two_summaries_the_first_one_stands
    what_is_deleted_stays_deleted
    the_newest_turn_can_be_answered_again_and_gone_on_with
    nobody_is_asked_unless_it_is_switched_on
}

const TOLD: &str = "What was said before, in short:\n";

fn builder(model: &Scripted, store: &Store) -> EngineBuilder<Arc<dyn ChatModel>> {
    // Eight messages are four turns: the fifth one finds three of them beyond its share.
    let window = Window { messages: 8, tokens: 100_000, keep: 100 };
    Engine::builder().model(model.clone()).memory(Arc::clone(&store.memory)).retry(eager()).window(window)
}

fn engine(model: &Scripted, writer: &Scripted, store: &Store) -> Engine {
    let model_of_its_own: Arc<dyn ChatModel> = Arc::new(writer.clone().named("writer"));
    builder(model, store).summaries(Summaries { model: Some(model_of_its_own), ..Summaries::default() }).build()
}

fn talker() -> Scripted {
    Scripted::reply("all right")
}

fn session(engine: &Engine) -> Session {
    engine.user("ann").unwrap().session("long").unwrap()
}

async fn info(session: &Session) -> SessionInfo {
    session.info().await.unwrap()
}

/// Says `m1`, `m2`, …
async fn say(session: &Session, numbers: impl IntoIterator<Item = u32>) {
    for n in numbers {
        all(session.send(format!("m{n}")).await.unwrap()).await;
    }
}

/// Waits for the active summary to be another one than `old`.
async fn summed_up(session: &Session, old: Option<Seq>) -> Summary {
    eventually("it is summed up", || async { info(session).await.summary != old }).await;
    active(session).await.unwrap()
}

async fn active(session: &Session) -> Option<Summary> {
    session.summaries().await.unwrap().into_iter().find(|summary| summary.active)
}

/// What the model was sent last, after the system prompt, as one line.
fn sent(model: &Scripted) -> String {
    let request = model.requests().pop().unwrap();
    request.messages[1..].iter().map(|message| message.content.text()).collect::<Vec<_>>().join(" | ")
}

async fn spent(store: &Store) -> Option<Spent> {
    let by = vec![GroupBy::Model, GroupBy::Purpose];
    let query = Query::Usage { from_ms: None, to_ms: None, session: None, by };
    let Answer::Usage(sums) = store.memory.query(&Owner::new("ann").unwrap(), query).await.unwrap() else {
        panic!("not the ledger")
    };
    sums.into_iter().find(|spent| spent.purpose == Some(Purpose::Summary))
}

async fn a_long_conversation_is_summed_up_and_goes_on_with_that(store: Store) {
    let model = talker();
    let writer = Scripted::script([
        Step::reasoning("hm"),
        Step::text("<think>What matters?</think>They counted to three."),
        Step::stop(),
        Step::usage(50, 9),
    ]);
    let engine = engine(&model, &writer, &store);
    let session = session(&engine);
    say(&session, 1..=3).await;
    assert_eq!((writer.asked(), info(&session).await.summary), (0, None));
    say(&session, [4]).await;
    let summary = summed_up(&session, None).await;
    assert_eq!((summary.seq, summary.upto, summary.text.as_str()), (9, 6, "They counted to three."));
    assert_eq!((summary.model.as_deref(), summary.active), (Some("writer"), true));
    let asked = writer.requests()[0].messages[1].content.text();
    assert!(asked.contains("User: m1\n\nAssistant: all right\n\nUser: m2") && !asked.contains("m4"), "{asked}");

    say(&session, [5]).await;
    assert_eq!(sent(&model), format!("{TOLD}They counted to three. | m4 | all right | m5"));
    // The originals stay, and a person sees nothing of it.
    let history: Vec<_> = session.history(100).await.unwrap().iter().map(|message| message.seq).collect();
    assert_eq!(history, [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]);
    let tree = session.tree(8, 1).await.unwrap();
    assert_eq!(
        (tree[0].role, tree[0].parent, tree[0].content.text().as_str()),
        (Role::Summary, Some(6), "They counted to three.")
    );
    assert!(session.outline().await.unwrap().iter().all(|node| node.seq != 9));
    let spent = spent(&store).await.unwrap();
    assert_eq!((spent.calls, spent.usage.input_tokens, spent.usage.output_tokens), (1, 50, 9));
    assert_eq!(spent.model.as_deref(), Some("writer"));
}

async fn a_new_summary_takes_in_the_former_one(store: Store) {
    let model = talker();
    let writer = Scripted::reply("To three.").then(Scripted::reply("To six."));
    let engine = engine(&model, &writer, &store);
    let session = session(&engine);
    say(&session, 1..=4).await;
    let first = summed_up(&session, None).await;
    say(&session, 5..=7).await;
    let second = summed_up(&session, Some(first.seq)).await;
    let asked = writer.requests()[1].messages[1].content.text();
    assert!(asked.starts_with("Notes so far:\nTo three.\n\nConversation:\nUser: m4"), "{asked}");
    assert!(asked.contains("m6") && !asked.contains("m7") && !asked.contains("m3"), "{asked}");
    say(&session, [8]).await;
    assert_eq!(sent(&model), format!("{TOLD}To six. | m7 | all right | m8"));
    let all = session.summaries().await.unwrap();
    assert_eq!(
        all.iter().map(|one| (one.seq, one.active)).collect::<Vec<_>>(),
        [(first.seq, false), (second.seq, true)]
    );

    session.set_summary(Some(first.seq)).await.unwrap();
    say(&session, [9]).await;
    assert!(sent(&model).starts_with(&format!("{TOLD}To three. | m")), "{}", sent(&model));
    assert_eq!(session.set_summary(Some(1)).await.unwrap_err().kind(), ErrorKind::NotFound);
    let foreign = engine.user("bob").unwrap().session("long").unwrap();
    assert_eq!(foreign.set_summary(None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(foreign.summaries().await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_summary_says_nothing_on_another_branch(store: Store) {
    let model = talker();
    let writer = Scripted::reply("To three.").then(Scripted::reply("To b two."));
    let engine = engine(&model, &writer, &store);
    let session = session(&engine);
    say(&session, 1..=4).await;
    let first = summed_up(&session, None).await;
    all(session.edit(3, "b1").await.unwrap()).await;
    assert_eq!(sent(&model), "m1 | all right | b1");
    say(&session, [2, 3]).await;
    let second = summed_up(&session, Some(first.seq)).await;
    let asked = writer.requests()[1].messages[1].content.text();
    assert!(asked.starts_with("Conversation:\nUser: m1\n\nAssistant: all right\n\nUser: b1"), "{asked}");
    say(&session, [4]).await;
    assert_eq!(sent(&model), format!("{TOLD}To b two. | m3 | all right | m4"));
    // Back on the first branch it is the other way round.
    session.select(8, None).await.unwrap();
    say(&session, [5]).await;
    assert!(!sent(&model).contains(TOLD));
    session.set_summary(Some(first.seq)).await.unwrap();
    say(&session, [6]).await;
    assert!(sent(&model).starts_with(&format!("{TOLD}To three. | m4")));
    assert_ne!(first.seq, second.seq);
}

async fn one_that_is_taken_back_is_not_made_anew_at_once(store: Store) {
    let model = talker();
    let writer = Scripted::reply("To three.").then(Scripted::reply("To six."));
    let engine = engine(&model, &writer, &store);
    let session = session(&engine);
    say(&session, 1..=4).await;
    summed_up(&session, None).await;
    session.set_summary(None).await.unwrap();
    say(&session, [5, 6]).await;
    assert_eq!(sent(&model), "m3 | all right | m4 | all right | m5 | all right | m6");
    assert_eq!((active(&session).await, writer.asked()), (None, 1));
    say(&session, [7]).await;
    assert_eq!(summed_up(&session, None).await.text, "To six.");
    assert!(writer.requests()[1].messages[1].content.text().starts_with("Conversation:\nUser: m1"));
}

async fn a_running_turn_is_no_obstacle(store: Store) {
    let (gate, turn) = (Gate::new(), Gate::new());
    let slow = Scripted::script([Step::text("all "), Step::gate(&turn), Step::text("right"), Step::stop()]);
    let model = (1..=3).fold(talker(), |model, _| model.then(talker())).then(slow);
    let writer = Scripted::script([Step::gate(&gate), Step::text("To three."), Step::stop()]);
    let engine = engine(&model, &writer, &store);
    let session = session(&engine);
    say(&session, 1..=4).await;
    gate.reached().await;
    let mut reply = session.send("m5").await.unwrap();
    until_text(&mut reply, "all").await;
    gate.open();
    summed_up(&session, None).await;
    turn.open();
    assert_eq!(reply.text().await.unwrap(), "right");
    say(&session, [6]).await;
    assert!(sent(&model).starts_with(&format!("{TOLD}To three. | m4")));
}

async fn a_broken_model_is_not_asked_after_every_turn(store: Store) {
    let model = talker();
    let writer = Scripted::script([Step::text("To th"), Step::fails(ErrorKind::Unavailable)]);
    let engine = engine(&model, &writer, &store);
    let session = session(&engine);
    say(&session, 1..=7).await;
    writer.until_asked(1).await;
    eventually("it is billed", || async { spent(&store).await.is_some() }).await;
    say(&session, 8..=9).await;
    assert_eq!((writer.asked(), info(&session).await.summary), (1, None));
    assert!(session.summaries().await.unwrap().is_empty());
    assert!(sent(&model).starts_with("m6 | all right"), "the window goes on as if nothing had been: {}", sent(&model));
    assert!(spent(&store).await.unwrap().usage.estimated);
}

async fn a_conversation_is_summed_up_when_asked_for(store: Store) {
    let gate = Gate::new();
    let slow = Scripted::script([Step::text("wait"), Step::gate(&gate), Step::stop()]);
    let answers =
        [talker(), talker(), Scripted::reply("To one."), Scripted::reply("To two."), slow, Scripted::reply(" ")];
    let model = answers.into_iter().reduce(Scripted::then).unwrap();
    let engine = builder(&model, &store).build();
    let session = session(&engine);
    assert_eq!(session.summarize(None).await.unwrap_err().kind(), ErrorKind::NotFound);
    say(&session, 1..=2).await;
    assert_eq!(session.summarize(77).await.unwrap_err().kind(), ErrorKind::NotFound);
    // A summary ends where a turn does.
    let first = session.summarize(1).await.unwrap();
    assert_eq!((first.seq, first.upto, first.text.as_str(), first.active), (5, 2, "To one.", true));
    let second = session.summarize(None).await.unwrap();
    assert_eq!((second.seq, second.upto, second.text.as_str()), (6, 4, "To two."));
    assert_eq!(session.summarize(None).await.unwrap_err().kind(), ErrorKind::InvalidInput);

    let mut reply = session.send("m3").await.unwrap();
    until_text(&mut reply, "wait").await;
    assert_eq!(sent(&model), format!("{TOLD}To two. | m3"));
    assert_eq!(session.summarize(8).await.unwrap_err().kind(), ErrorKind::NotFound);
    gate.open();
    reply.result().await.unwrap();
    assert_eq!(session.summarize(None).await.unwrap_err().kind(), ErrorKind::Truncated);
    assert_eq!(active(&session).await.unwrap().seq, 6);
    assert_eq!(spent(&store).await.unwrap().calls, 3);
    let foreign = engine.user("bob").unwrap().session("long").unwrap();
    assert_eq!(foreign.summarize(None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn of_two_summaries_the_first_one_stands(store: Store) {
    let gate = Gate::new();
    let late = Scripted::script([Step::gate(&gate), Step::text("Late."), Step::stop()]);
    let model = talker().then(talker()).then(late).then(Scripted::reply("Quick."));
    let engine = builder(&model, &store).build();
    let session = session(&engine);
    say(&session, 1..=2).await;
    let slow = tokio::spawn({
        let session = session.clone();
        async move { session.summarize(None).await }
    });
    gate.reached().await;
    assert_eq!(session.summarize(2).await.unwrap().text, "Quick.");
    gate.open();
    assert_eq!(slow.await.unwrap().unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(active(&session).await.unwrap().text, "Quick.");
    assert_eq!(session.summaries().await.unwrap().len(), 1);
}

async fn what_is_deleted_stays_deleted(store: Store) {
    let gate = Gate::new();
    let writer = Scripted::script([Step::gate(&gate), Step::text("To three."), Step::stop()]);
    let engine = engine(&talker(), &writer, &store);
    let (deleted, kept) = (session(&engine), engine.user("ann").unwrap().session("kept").unwrap());
    say(&deleted, 1..=4).await;
    gate.reached().await;
    deleted.delete().await.unwrap();
    gate.open();
    say(&kept, 1..=4).await;
    summed_up(&kept, None).await;
    assert_eq!(deleted.info().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(engine.user("ann").unwrap().sessions(None, 9).await.unwrap().sessions.len(), 1);
}

async fn the_newest_turn_can_be_answered_again_and_gone_on_with(store: Store) {
    let model = talker().then(talker()).then(Scripted::reply("Short.")).then(talker());
    let engine = builder(&model, &store).build();
    let session = session(&engine);
    say(&session, 1..=2).await;
    session.summarize(None).await.unwrap();
    all(session.continue_reply(None).await.unwrap()).await;
    assert!(sent(&model).starts_with(&format!("{TOLD}Short. | m2 | all right | Go on")), "{}", sent(&model));
    all(session.regenerate(4).await.unwrap()).await;
    assert_eq!(sent(&model), "m1 | all right | m2");
}

async fn nobody_is_asked_unless_it_is_switched_on(store: Store) {
    let model = talker();
    let engine = builder(&model, &store).build();
    say(&session(&engine), 1..=9).await;
    engine.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!(model.asked(), 9);
}
