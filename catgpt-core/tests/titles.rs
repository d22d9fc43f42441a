//! Titles that a model makes beside the first turn, on each memory.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catgpt_core::event::ChangeKind::{self, Created, Deleted, Titled, TurnBegun, TurnEnded};
use catgpt_core::hooks::{Hook, Source, TurnAt};
use catgpt_core::memory::{Answer, GroupBy, Purpose, Query, Spent};
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    ChatModel, Engine, EngineBuilder, Error, ErrorKind, Event, Message, ModelRequest, NewSession, Owner, Persona,
    Price, Prices, Result, Role, Scripted, Session, Status, Titles, Usage,
};
use common::{Store, all, eager, eventually, until_text};

on_each_memory! {
    a_title_comes_with_the_first_reply
    a_turn_does_not_wait_for_its_title
    a_person_is_quicker
    what_is_deleted_stays_deleted
    a_turn_that_fails_or_is_stopped_has_a_title_all_the_same
    what_is_no_title_leaves_the_first_words
    only_the_first_message_is_read_and_once
    a_session_that_was_made_before_has_its_title_too
    a_close_waits_for_titles_up_to_its_deadline
    a_title_is_made_when_asked_for
    a_key_goes_to_its_own_model_alone
    nobody_is_asked_unless_it_is_switched_on
    what_hooks_see_is_what_models_hear
    a_title_costs_what_its_model_does
}

const ASKED: &str = "Plan three days in Kyoto, with many temples and few people";

fn engine(model: &Scripted, titler: &Scripted, store: &Store) -> Engine {
    builder(model, store).titles(titles(titler)).build()
}

fn builder(model: &Scripted, store: &Store) -> EngineBuilder<Arc<dyn ChatModel>> {
    Engine::builder().model(model.clone()).memory(Arc::clone(&store.memory)).retry(eager())
}

fn titles(titler: &Scripted) -> Titles {
    Titles { model: Some(Arc::new(titler.clone().named("titler"))), ..Titles::default() }
}

fn talker() -> Scripted {
    Scripted::reply("With pleasure")
}

/// Answers a title once the gate is open.
fn gated(gate: &Gate) -> Scripted {
    Scripted::script([Step::gate(gate), Step::text("Kyoto"), Step::usage(20, 3), Step::stop()])
}

fn session(engine: &Engine) -> Session {
    engine.user("ann").unwrap().session("trip").unwrap()
}

async fn title(session: &Session) -> String {
    session.info().await.unwrap().title.unwrap()
}

async fn is_titled(session: &Session, title: &str) {
    eventually("the session has its title", || async { session.info().await.unwrap().title.as_deref() == Some(title) })
        .await;
}

async fn journal(engine: &Engine) -> Vec<ChangeKind> {
    engine.user("ann").unwrap().changes(0, 100).await.unwrap().into_iter().map(|change| change.kind).collect()
}

/// What titles have used, as the ledger has it.
async fn spent(store: &Store) -> Option<Spent> {
    let by = vec![GroupBy::Model, GroupBy::Purpose];
    let query = Query::Usage { from_ms: None, to_ms: None, session: None, by };
    let Answer::Usage(sums) = store.memory.query(&Owner::new("ann").unwrap(), query).await.unwrap() else {
        panic!("not the ledger")
    };
    sums.into_iter().find(|spent| spent.purpose == Some(Purpose::Title))
}

async fn a_title_comes_with_the_first_reply(store: Store) {
    let gate = Gate::new();
    let model = Scripted::script([Step::text("With "), Step::gate(&gate), Step::text("pleasure"), Step::stop()]);
    let answer = "<think>They travel.</think>\n**Title:** \"Three days in Kyoto.\"\n\nAnything else?";
    let titler = Scripted::script([Step::text(answer), Step::usage(20, 3), Step::stop()]);
    let engine = engine(&model, &titler, &store);
    let mut reply = session(&engine).send(ASKED).await.unwrap();
    let mut seen = vec![];
    while let Some(event) = reply.next().await {
        seen.push(event.name());
        if let Event::Title { title, offset } = event {
            assert_eq!((title.as_str(), offset), ("Three days in Kyoto", 5));
            gate.open();
        }
    }
    assert_eq!(seen, ["started", "text", "title", "text", "finished"]);
    assert_eq!(title(&session(&engine)).await, "Three days in Kyoto");
    assert_eq!(journal(&engine).await, [Created, TurnBegun, Titled, TurnEnded]);
    let spent = spent(&store).await.unwrap();
    assert_eq!((spent.model.as_deref(), spent.calls), (Some("titler"), 1));
    // It was read no further than its title, so nobody said what it cost.
    assert!(spent.usage.estimated && spent.usage.input_tokens > 50);
    // Who comes later is shown the title with the session, not with the reply.
    let again = all(session(&engine).attach(reply.turn(), 0).await.unwrap()).await;
    assert!(again.iter().all(|event| event.name() != "title"));
}

async fn a_turn_does_not_wait_for_its_title(store: Store) {
    let gate = Gate::new();
    let titler = gated(&gate);
    let engine = engine(&talker(), &titler, &store);
    let events = all(session(&engine).send(ASKED).await.unwrap()).await;
    assert!(events.iter().all(|event| event.name() != "title"));
    assert_eq!(title(&session(&engine)).await, ASKED);
    let mut feed = engine.user("ann").unwrap().feed(3);
    gate.open();
    let news = futures_util::StreamExt::next(&mut feed).await.unwrap().unwrap();
    assert_eq!((news.change.kind, news.info.unwrap().title.as_deref()), (Titled, Some("Kyoto")));
    let usage = Usage { input_tokens: 20, output_tokens: 3, ..Usage::default() };
    assert_eq!(spent(&store).await.unwrap().usage, usage);
}

async fn a_person_is_quicker(store: Store) {
    let gate = Gate::new();
    let titler = gated(&gate);
    let engine = engine(&talker(), &titler, &store);
    all(session(&engine).send(ASKED).await.unwrap()).await;
    gate.reached().await;
    session(&engine).rename("Our trip").await.unwrap();
    gate.open();
    // Its bill is written with the title, or without.
    eventually("it is over", || async { spent(&store).await.is_some() }).await;
    assert_eq!(title(&session(&engine)).await, "Our trip");
    assert!(!journal(&engine).await.contains(&Titled));
}

async fn what_is_deleted_stays_deleted(store: Store) {
    let gate = Gate::new();
    let titler = gated(&gate);
    let engine = engine(&talker(), &titler, &store);
    all(session(&engine).send(ASKED).await.unwrap()).await;
    gate.reached().await;
    session(&engine).delete().await.unwrap();
    gate.open();
    // The engine's next title is as good as a wait: nothing of the first one comes later.
    let other = engine.user("ann").unwrap().session("other").unwrap();
    all(other.send(ASKED).await.unwrap()).await;
    is_titled(&other, "Kyoto").await;
    assert_eq!(session(&engine).info().await.unwrap_err().kind(), ErrorKind::NotFound);
    let trip = |change: &catgpt_core::Change| change.session.as_str() == "trip";
    let changes = engine.user("ann").unwrap().changes(0, 100).await.unwrap();
    let kinds: Vec<_> = changes.into_iter().filter(trip).map(|change| change.kind).collect();
    assert_eq!(kinds, [Created, TurnBegun, TurnEnded, Deleted]);
}

async fn a_turn_that_fails_or_is_stopped_has_a_title_all_the_same(store: Store) {
    let gate = Gate::new();
    let titler = gated(&gate).then(Scripted::reply("Temples"));
    let failing = Scripted::script([Step::fails(ErrorKind::Refused)]);
    let model = failing.then(Scripted::script([Step::text("With "), Step::Hang]));
    let engine = engine(&model, &titler, &store);
    let user = engine.user("ann").unwrap();
    let failed = all(session(&engine).send(ASKED).await.unwrap()).await;
    assert!(matches!(failed.last(), Some(Event::Finished(finished)) if finished.status == Status::Failed));
    gate.open();
    is_titled(&session(&engine), "Kyoto").await;

    let stopped = user.session("stopped").unwrap();
    let mut reply = stopped.send(ASKED).await.unwrap();
    until_text(&mut reply, "With").await;
    reply.cancel().await.unwrap();
    assert_eq!(reply.result().await.unwrap().status, Status::Cancelled);
    is_titled(&stopped, "Temples").await;
}

async fn what_is_no_title_leaves_the_first_words(store: Store) {
    let scripts = [
        Scripted::reply("New Chat"),
        Scripted::script([Step::text("<think>hm"), Step::stop()]),
        Scripted::script([Step::fails(ErrorKind::Unauthorized)]),
        Scripted::script([Step::Panic]),
        Scripted::script([Step::text("Kyo")]),
        Scripted::script([Step::text("Kyoto"), Step::Hang]),
        Scripted::reply("Kyoto"),
    ];
    let count = scripts.len();
    let titler = scripts.into_iter().reduce(Scripted::then).unwrap();
    let titles = Titles { deadline: Duration::from_millis(200), ..titles(&titler) };
    let engine = builder(&talker(), &store).titles(titles).build();
    let user = engine.user("ann").unwrap();
    for n in 1..=count {
        let session = user.session(format!("s{n}")).unwrap();
        all(session.send(ASKED).await.unwrap()).await;
        titler.until_asked(n).await;
    }
    is_titled(&user.session(format!("s{count}")).unwrap(), "Kyoto").await;
    // The refused and the panicked said nothing, so nothing was used; of all others something was.
    eventually("all are billed", || async { spent(&store).await.is_some_and(|spent| spent.calls == 5) }).await;
    for n in 1..count {
        assert_eq!(title(&user.session(format!("s{n}")).unwrap()).await, ASKED);
    }
}

async fn only_the_first_message_is_read_and_once(store: Store) {
    let titler = Scripted::reply("Kyoto");
    let engine = engine(&talker(), &titler, &store);
    let session = session(&engine);
    all(session.send(ASKED).persona(Persona::cat()).await.unwrap()).await;
    is_titled(&session, "Kyoto").await;
    all(session.send("And in one line?").await.unwrap()).await;
    all(session.edit(1, "Plan a day").await.unwrap()).await;
    all(session.regenerate(None).await.unwrap()).await;
    engine.close(Duration::from_secs(20)).await.unwrap();
    let [request] = &titler.requests()[..] else { panic!("asked {} times", titler.asked()) };
    assert_eq!(request.messages.iter().map(|message| message.role).collect::<Vec<_>>(), [Role::System, Role::User]);
    let text = request.messages[1].content.text();
    assert!(text.contains(ASKED) && !text.contains("one line"));
    assert!(!request.messages[0].content.text().contains("cat"));
}

async fn a_session_that_was_made_before_has_its_title_too(store: Store) {
    let gate = Gate::new();
    let titler = gated(&gate);
    let engine = engine(&talker(), &titler, &store);
    let user = engine.user("ann").unwrap();
    let mine = user.session("mine").unwrap();
    let given = NewSession { title: Some("Our trip".into()), ..NewSession::default() };
    assert_eq!(mine.create(given).await.unwrap().title.as_deref(), Some("Our trip"));
    assert_eq!(session(&engine).create(NewSession::default()).await.unwrap().title, None);
    for session in [&mine, &session(&engine)] {
        all(session.send(ASKED).await.unwrap()).await;
    }
    gate.reached().await;
    assert_eq!(title(&session(&engine)).await, ASKED);
    // By its title, and by what was said in each.
    assert_eq!(user.search("kyoto", None, 9).await.unwrap().hits.len(), 3);
    gate.open();
    is_titled(&session(&engine), "Kyoto").await;
    assert_eq!((title(&mine).await.as_str(), titler.asked()), ("Our trip", 1));
}

async fn a_close_waits_for_titles_up_to_its_deadline(store: Store) {
    let gate = Gate::new();
    let titler = gated(&gate).then(Scripted::script([Step::Hang]));
    let first = engine(&talker(), &titler, &store);
    all(session(&first).send(ASKED).await.unwrap()).await;
    gate.reached().await;
    let open = async {
        tokio::task::yield_now().await;
        gate.open();
    };
    let (closed, ()) = tokio::join!(first.close(Duration::from_secs(20)), open);
    closed.unwrap();
    assert_eq!((titler.asked(), titler.dropped()), (1, 0));

    let store = common::in_memory();
    let second = engine(&talker(), &titler, &store);
    all(session(&second).send(ASKED).await.unwrap()).await;
    titler.until_asked(2).await;
    second.close(Duration::ZERO).await.unwrap();
    assert_eq!(titler.dropped(), 1);
}

async fn a_title_is_made_when_asked_for(store: Store) {
    let titler = Scripted::reply("Kyoto").then(Scripted::reply("Temples")).then(Scripted::reply(" "));
    let engine = builder(&titler, &store).build();
    let user = engine.user("ann").unwrap();
    let session = session(&engine);
    assert_eq!(session.make_title().await.unwrap_err().kind(), ErrorKind::NotFound);
    all(session.send(ASKED).await.unwrap()).await;
    assert_eq!(session.make_title().await.unwrap(), "Temples");
    assert_eq!(title(&session).await, "Temples");
    assert_eq!(session.make_title().await.unwrap_err().kind(), ErrorKind::Truncated);
    assert_eq!(spent(&store).await.unwrap().calls, 2);
    session.rename("Our trip").await.unwrap();
    assert_eq!(session.make_title().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(title(&session).await, "Our trip");
    let empty = user.session("empty").unwrap();
    empty.create(Default::default()).await.unwrap();
    assert_eq!(empty.make_title().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    let foreign = engine.user("bob").unwrap().session("trip").unwrap();
    assert_eq!(foreign.make_title().await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_key_goes_to_its_own_model_alone(store: Store) {
    let model = Scripted::reply("Kyoto");
    let (own, none) = (Titles { model_name: Some("small".into()), ..Titles::default() }, talker());
    let shared = builder(&model, &store).titles(own).build();
    all(session(&shared).send(ASKED).credentials("sk-turn").await.unwrap()).await;
    is_titled(&session(&shared), "Kyoto").await;
    let requests = model.requests();
    let title = requests.iter().find(|request| request.model.as_deref() == Some("small")).unwrap();
    assert_eq!(title.credentials.as_ref().map(|key| key.expose()), Some("sk-turn"));

    let other = engine(&talker(), &none, &common::in_memory());
    all(session(&other).send(ASKED).credentials("sk-turn").await.unwrap()).await;
    none.until_asked(1).await;
    assert_eq!(none.requests()[0].credentials, None);
}

async fn nobody_is_asked_unless_it_is_switched_on(store: Store) {
    let model = talker();
    let engine = builder(&model, &store).build();
    all(session(&engine).send(ASKED).await.unwrap()).await;
    engine.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!(model.asked(), 1);
}

/// Hides a word from every model, and refuses another.
#[derive(Debug)]
struct Censor;

#[async_trait]
impl Hook for Censor {
    async fn before_prompt(&self, _: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        match branch.last().unwrap().text().contains("forbidden") {
            true => Err(Error::new(ErrorKind::Refused, "not here")),
            false => Ok(Vec::new()),
        }
    }
    async fn before_model(&self, _: &TurnAt, _: u32, mut request: ModelRequest) -> Result<ModelRequest> {
        for message in &mut request.messages {
            message.content = message.content.text().replace("secret", "…").into();
        }
        Ok(request)
    }
}

async fn what_hooks_see_is_what_models_hear(store: Store) {
    let titler = Scripted::reply("Kyoto");
    let engine = builder(&talker(), &store).hook(Censor).titles(titles(&titler)).build();
    let refused = engine.user("ann").unwrap().session("refused").unwrap();
    all(refused.send("Something forbidden").await.unwrap()).await;
    all(session(&engine).send("A secret trip").await.unwrap()).await;
    is_titled(&session(&engine), "Kyoto").await;
    let [request] = &titler.requests()[..] else { panic!("asked {} times", titler.asked()) };
    assert!(request.messages[1].content.text().contains("A … trip"));
    assert_eq!(title(&refused).await, "Something forbidden");
}

async fn a_title_costs_what_its_model_does(store: Store) {
    let gate = Gate::new();
    gate.open();
    let prices = Prices::new().with("titler", Price::per_million(1.0, 10.0).unwrap());
    let engine = builder(&talker(), &store).prices(prices).titles(titles(&gated(&gate))).build();
    all(session(&engine).send(ASKED).await.unwrap()).await;
    is_titled(&session(&engine), "Kyoto").await;
    assert_eq!(spent(&store).await.unwrap().cost, 20 + 3 * 10);
}
