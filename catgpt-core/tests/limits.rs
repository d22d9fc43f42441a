//! Limits, prices and the ledger, on each memory: what is refused, what is reserved, and what is put right afterwards.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::memory::{Begin, Begun, Counter, GroupBy, Purpose, Spent, Unit};
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    Busy, ChatModel, Engine, EngineBuilder, Error, ErrorKind, Event, Finished, Limit, Owner, Params, Price, Prices,
    Reply, Scripted, Session, SessionId, Status, UsageQuery, User, Window,
};
use common::{Store, all, eager, eventually, until_text};
use futures_util::future::join_all;

on_each_memory! {
    many_turns_at_once_overrun_a_quota_by_one_at_most
    of_two_at_once_one_is_refused
    a_refusal_says_what_and_when_and_leaves_nothing
    a_rate_is_counted_by_the_key_of_a_send
    a_send_repeated_costs_nothing
    only_so_many_turns_run_at_once
    every_end_settles_and_has_its_line
    a_turn_of_a_dead_process_settles_once
    without_prices_a_burial_leaves_the_cost_reserved
    owners_have_plans
    what_a_model_makes_when_asked_counts_as_a_turn
    many_titles_at_once_overrun_a_quota_by_one_at_most
    what_is_made_of_a_deleted_session_reserves_nothing_any_more
    who_stops_waiting_for_a_title_leaves_it_to_its_end
    a_limit_is_lowered_raised_and_given_another_window
    nothing_is_stopped_for_a_send_that_cannot_begin
    what_a_turn_cost_is_told_everywhere
    what_cannot_be_counted_is_refused
    the_ledger_is_summed_up_as_asked
}

/// So long that no test sees two windows: until 2069.
const AGE: Duration = Duration::from_secs(100 * 365 * 86_400);
const HOUR: Duration = Duration::from_secs(3_600);

fn tokens(max: u64) -> Limit {
    Limit::new("tokens", Unit::Tokens, max, AGE)
}

fn turns(max: u64) -> Limit {
    Limit::new("turns", Unit::Turns, max, AGE)
}

fn prices() -> Prices {
    Prices::new().with("scripted*", Price::per_million(1.0, 10.0).unwrap())
}

fn builder(model: &Scripted, store: &Store) -> EngineBuilder<Arc<dyn ChatModel>> {
    let window = Window { messages: 10, tokens: 100, ..Window::default() };
    Engine::builder().model(model.clone()).memory(Arc::clone(&store.memory)).retry(eager()).window(window)
}

/// Says "ok" for 90 tokens and 10.
fn hundred() -> Scripted {
    Scripted::script([Step::text("ok"), Step::usage(90, 10), Step::stop()])
}

fn gated(gate: &Gate) -> Scripted {
    Scripted::script([Step::text("ok"), Step::gate(gate), Step::usage(90, 10), Step::stop()])
}

fn ann(engine: &Engine) -> User {
    engine.user("ann").unwrap()
}

fn chat(engine: &Engine, id: impl ToString) -> Session {
    ann(engine).session(id.to_string()).unwrap()
}

fn refused(sent: Result<Reply, Error>) -> Error {
    let error = sent.map(|reply| reply.turn()).expect_err("it should be refused");
    assert_eq!(error.kind(), ErrorKind::Limited, "{error}");
    error
}

async fn end(reply: Reply) -> Finished {
    match all(reply).await.pop() {
        Some(Event::Finished(finished)) => *finished,
        other => panic!("no end: {other:?}"),
    }
}

/// How much of the limit with this name is used.
async fn used(user: &User, name: &str) -> u64 {
    let states = user.limits(None, BTreeMap::new()).await.unwrap();
    states.iter().find(|state| state.name == name).unwrap().used
}

async fn sum(user: &User) -> Spent {
    user.usage(UsageQuery::default()).await.unwrap().remove(0)
}

fn total(spent: &Spent) -> u64 {
    spent.usage.input_tokens + spent.usage.output_tokens
}

async fn many_turns_at_once_overrun_a_quota_by_one_at_most(store: Store) {
    let engine = builder(&hundred(), &store).limit(tokens(1_000)).build();
    let sent = join_all((0..100).map(async |n| match chat(&engine, n).send("go").await {
        Ok(reply) => assert_eq!(end(reply).await.status, Status::Complete),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Limited),
    }));
    sent.await;
    // What the reservations of the others kept out may come now, one by one.
    let mut n = 100;
    while used(&ann(&engine), "tokens").await < 1_000 {
        end(chat(&engine, n).send("go").await.unwrap()).await;
        n += 1;
    }
    refused(chat(&engine, "late").send("go").await);
    let spent = sum(&ann(&engine)).await;
    assert!((1_000..=1_100).contains(&total(&spent)), "{spent:?}");
    assert_eq!(used(&ann(&engine), "tokens").await, total(&spent));
}

async fn of_two_at_once_one_is_refused(store: Store) {
    let model = hundred();
    let [one, other] = [(); 2].map(|()| builder(&model, &store).limit(turns(1)).build());
    let (a, b) = tokio::join!(async { chat(&one, "a").send("go").await }, async { chat(&other, "b").send("go").await });
    assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
    for sent in [a, b] {
        match sent {
            Ok(reply) => drop(end(reply).await),
            Err(error) => assert_eq!(error.limit().unwrap().name, "turns"),
        }
    }
    assert_eq!(model.asked(), 1);
}

async fn a_refusal_says_what_and_when_and_leaves_nothing(store: Store) {
    let model = hundred();
    let engine = builder(&model, &store).limit(tokens(50)).build();
    end(chat(&engine, "a").send("go").await.unwrap()).await;
    let error = refused(chat(&engine, "b").send("go").await);
    let limit = error.limit().unwrap();
    assert_eq!((limit.name.as_str(), limit.unit.as_str(), limit.max), ("tokens", "tokens", 50));
    assert!(error.retry_after().is_some_and(|after| !after.is_zero() && after <= AGE) && error.is_retryable());
    assert!(error.to_string().contains("(limit: tokens, 50 tokens)"), "{error}");
    assert_eq!(Error::from(error.info()).limit(), error.limit());
    assert_eq!(chat(&engine, "b").info().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!((model.asked(), sum(&ann(&engine)).await.calls), (1, 1));
    // Who waits for a place is refused as soon as it is free.
    refused(chat(&engine, "a").send("go").busy(Busy::queue()).await);
    // The limit is each owner's own.
    end(engine.user("ben").unwrap().session("a").unwrap().send("go").await.unwrap()).await;
}

async fn a_rate_is_counted_by_the_key_of_a_send(store: Store) {
    let engine = builder(&hundred(), &store).limit(Limit::new("rate", Unit::Turns, 2, AGE).per_key("ip")).build();
    let send = async |owner: &str, ip: &str| {
        let session = engine.user(owner).unwrap().new_session();
        session.send("go").limit_key("ip", ip).await.map(drop)
    };
    send("ann", "192.0.2.1").await.unwrap();
    send("ben", "192.0.2.1").await.unwrap();
    assert_eq!(send("cat", "192.0.2.1").await.unwrap_err().kind(), ErrorKind::Limited);
    send("cat", "192.0.2.2").await.unwrap();
    let silent = chat(&engine, "a").send("go").await.unwrap_err();
    assert!(silent.kind() == ErrorKind::InvalidInput && silent.context("key") == Some("ip"), "{silent}");
    let keys = [("ip".to_owned(), "192.0.2.1".to_owned())].into();
    assert_eq!(ann(&engine).limits(None, keys).await.unwrap()[0].used, 2);
    assert_eq!(ann(&engine).limits(None, BTreeMap::new()).await.unwrap(), []);
}

async fn a_send_repeated_costs_nothing(store: Store) {
    let engine = builder(&hundred(), &store).limit(turns(1)).build();
    let send = async || chat(&engine, "a").send("go").key("k").await;
    let turn = send().await.unwrap().turn();
    assert_eq!(send().await.unwrap().turn(), turn);
    assert_eq!(end(send().await.unwrap()).await.status, Status::Complete);
    assert_eq!((used(&ann(&engine), "turns").await, sum(&ann(&engine)).await.calls), (1, 1));
}

async fn only_so_many_turns_run_at_once(store: Store) {
    let gate = Gate::default();
    let engine = builder(&gated(&gate), &store).max_running(2).build();
    let first = chat(&engine, 1).send("go").await.unwrap();
    let _second = chat(&engine, 2).send("go").await.unwrap();
    let error = refused(chat(&engine, 3).send("go").await);
    let limit = error.limit().unwrap();
    assert_eq!((limit.name.as_str(), limit.unit.as_str(), limit.max), ("running", "running", 2));
    assert_eq!(error.retry_after(), None, "nobody knows when a turn ends");
    assert!(engine.user("ben").unwrap().new_session().send("go").await.is_ok());
    let third = chat(&engine, 3).send("go").max_running(3).await.unwrap();
    gate.open();
    for reply in [first, third] {
        assert_eq!(end(reply).await.status, Status::Complete);
    }
    eventually("there is room again", async || chat(&engine, 4).send("go").await.is_ok()).await;
}

async fn every_end_settles_and_has_its_line(store: Store) {
    let words = "some words";
    let model = hundred()
        .then(Scripted::script([Step::fails(ErrorKind::Unauthorized)]))
        .then(Scripted::script([Step::text(words), Step::fails(ErrorKind::Unavailable)]))
        .then(Scripted::script([Step::text(words)]))
        .then(Scripted::script([Step::text(words), Step::Hang]))
        .then(Scripted::script([Step::Hang]));
    let cost = Limit::new("cost", Unit::Cost, 1_000_000, AGE);
    let engine =
        builder(&model, &store).limit(tokens(1_000_000)).limit(cost).limit(turns(100)).prices(prices()).build();
    let mut lines = 0;
    let mut ended = async |finished: Finished, status, estimated| {
        let usage = finished.usage.unwrap();
        assert_eq!((finished.status, usage.estimated), (status, estimated), "{finished:?}");
        assert_eq!(finished.cost, Some(usage.input_tokens + 10 * usage.output_tokens));
        lines += 1;
        let (user, spent) = (ann(&engine), sum(&ann(&engine)).await);
        assert_eq!((spent.calls, used(&user, "turns").await), (lines, lines));
        assert_eq!((used(&user, "tokens").await, used(&user, "cost").await), (total(&spent), spent.cost));
        usage
    };
    ended(end(chat(&engine, 1).send("go").await.unwrap()).await, Status::Complete, false).await;
    let unasked = end(chat(&engine, 2).send("go").await.unwrap()).await;
    assert_eq!(ended(unasked, Status::Failed, false).await.input_tokens, 0, "the model did not take it");
    let failed = end(chat(&engine, 3).send("go").await.unwrap()).await;
    assert!(ended(failed, Status::Failed, true).await.output_tokens > 0);
    let cut = end(chat(&engine, 4).send("go").await.unwrap()).await;
    assert!(ended(cut, Status::Interrupted, true).await.output_tokens > 0);
    let mut stopped = chat(&engine, 5).send("go").await.unwrap();
    until_text(&mut stopped, words).await;
    stopped.cancel().await.unwrap();
    assert!(ended(end(stopped).await, Status::Cancelled, true).await.output_tokens > 0);
    let early = chat(&engine, 6).send("go").await.unwrap();
    eventually("the model is asked", async || model.asked() == 6).await;
    early.cancel().await.unwrap();
    let early = ended(end(early).await, Status::Cancelled, true).await;
    assert!(early.input_tokens > 0 && early.output_tokens == 0, "{early:?}");
}

/// A turn as a process leaves it that dies: begun, with these counters reserved.
async fn dead(store: &Store, session: &str, reserve: Vec<Counter>) {
    let body = br#"{"v":1,"parts":[{"type":"text","text":"go"}]}"#.to_vec();
    let mut begin = Begin::new(SessionId::new(session).unwrap(), body);
    begin.lease = Duration::from_millis(1);
    begin.model = "scripted".into();
    begin.reserve = reserve;
    let begun = store.memory.begin_turn(&Owner::new("ann").unwrap(), begin).await.unwrap();
    assert!(matches!(begun, Begun::Started(_)));
}

fn counter(name: &str, unit: Unit, add: u64) -> Counter {
    Counter { name: name.into(), key: "ann".into(), window: AGE, add, limit: 1_000, unit }
}

async fn a_turn_of_a_dead_process_settles_once(store: Store) {
    let cost = Limit::new("cost", Unit::Cost, 1_000, AGE);
    let living = || builder(&hundred(), &store).limit(tokens(1_000)).limit(cost.clone()).prices(prices()).build();
    let (one, other) = (living(), living());
    dead(&store, "a", vec![counter("tokens", Unit::Tokens, 700), counter("cost", Unit::Cost, 800)]).await;
    let user = ann(&one);
    assert_eq!((used(&user, "tokens").await, used(&user, "cost").await), (700, 800));
    eventually("it is buried", async || {
        let (a, b) = tokio::join!(one.sweep(), other.sweep());
        a.and(b).unwrap();
        sum(&user).await.calls > 0
    })
    .await;
    let spent = sum(&user).await;
    assert!(spent.calls == 1 && spent.usage.estimated && spent.usage.input_tokens > 0, "{spent:?}");
    assert_eq!((used(&user, "tokens").await, used(&user, "cost").await), (total(&spent), spent.cost));
    let history = chat(&one, "a").history(10).await.unwrap();
    assert_eq!((history[1].status, history[1].cost), (Status::Interrupted, Some(spent.cost)));
}

async fn without_prices_a_burial_leaves_the_cost_reserved(store: Store) {
    let engine =
        builder(&hundred(), &store).limit(tokens(1_000)).limit(Limit::new("cost", Unit::Cost, 1_000, AGE)).build();
    dead(&store, "a", vec![counter("tokens", Unit::Tokens, 700), counter("cost", Unit::Cost, 800)]).await;
    let user = ann(&engine);
    eventually("it is buried", async || {
        engine.sweep().await.unwrap();
        sum(&user).await.calls == 1
    })
    .await;
    assert_eq!((used(&user, "tokens").await, used(&user, "cost").await), (total(&sum(&user).await), 800));
}

async fn owners_have_plans(store: Store) {
    let engine = builder(&hundred(), &store).limit(turns(1)).build();
    let plus = [turns(3), tokens(10_000)];
    let send = async |id: usize| chat(&engine, id).send("go").limits(plus.clone()).await;
    for id in 0..3 {
        end(send(id).await.unwrap()).await;
    }
    assert_eq!(refused(send(3).await).limit().unwrap().max, 3);
    assert_eq!(refused(chat(&engine, 3).send("go").await).limit().unwrap().max, 1);
    let states = ann(&engine).limits(Some(plus.to_vec()), BTreeMap::new()).await.unwrap();
    assert_eq!(states.iter().map(|state| (state.used, state.max)).collect::<Vec<_>>(), [(3, 3), (300, 10_000)]);
    end(chat(&engine, 4).send("go").limits([]).await.unwrap()).await;
}

async fn what_a_model_makes_when_asked_counts_as_a_turn(store: Store) {
    let model = hundred();
    let limits = [turns(5), tokens(100_000), Limit::new("cost", Unit::Cost, 100_000, AGE)];
    let engine = limits.iter().cloned().fold(builder(&model, &store).prices(prices()), EngineBuilder::limit).build();
    let (session, other) = (chat(&engine, "a"), chat(&engine, "b"));
    end(session.send("go").await.unwrap()).await;
    end(other.send("go").await.unwrap()).await;
    assert_eq!(session.make_title().await.unwrap(), "ok");
    assert_eq!(session.summarize(None).await.unwrap().text, "ok");
    // What was reserved has become what was used.
    let user = ann(&engine);
    let spent = sum(&user).await;
    assert_eq!((spent.calls, total(&spent)), (4, 400));
    assert_eq!(used(&user, "turns").await, 4);
    assert_eq!((used(&user, "tokens").await, used(&user, "cost").await), (400, spent.cost));
    // One that fails has used a turn, and nothing else.
    let failing =
        builder(&Scripted::script([Step::fails(ErrorKind::Refused)]), &store).limit(turns(5)).limit(tokens(100_000));
    let failing = failing.build();
    assert_eq!(chat(&failing, "a").make_title().await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!((used(&user, "turns").await, used(&user, "tokens").await), (5, 400));
    // Then nothing goes any more, and no model is asked.
    let asked = model.asked();
    for error in [
        session.send("go").await.map(drop).unwrap_err(),
        session.make_title().await.map(drop).unwrap_err(),
        other.summarize(None).await.map(drop).unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.limit().unwrap().name.as_str()), (ErrorKind::Limited, "turns"));
        assert!(error.retry_after().is_some());
    }
    assert_eq!((model.asked(), sum(&user).await.calls), (asked, 4));
    // The owner's plan, and the keys that it counts by.
    let rate = Limit::new("rate", Unit::Turns, 1, AGE).per_key("ip");
    let title = || session.make_title().limits([rate.clone()]);
    assert_eq!(title().await.unwrap_err().kind(), ErrorKind::InvalidInput);
    title().limit_key("ip", "192.0.2.1").await.unwrap();
    assert_eq!(title().limit_key("ip", "192.0.2.1").await.unwrap_err().kind(), ErrorKind::Limited);
    title().limit_key("ip", "192.0.2.2").await.unwrap();
}

async fn many_titles_at_once_overrun_a_quota_by_one_at_most(store: Store) {
    let engine = builder(&hundred(), &store).limit(tokens(1_000)).build();
    let session = chat(&engine, "a");
    end(session.send("go").await.unwrap()).await;
    join_all((0..100).map(async |_| session.make_title().await.map(drop))).await;
    while session.make_title().await.is_ok() {}
    let used = used(&ann(&engine), "tokens").await;
    assert!((1_000..=1_100).contains(&used), "{used}");
    assert_eq!(used, total(&sum(&ann(&engine)).await));
}

async fn what_is_made_of_a_deleted_session_reserves_nothing_any_more(store: Store) {
    for title in [true, false] {
        let gate = Gate::new();
        let engine = builder(&hundred().then(gated(&gate)), &store).limit(tokens(100_000)).build();
        let (session, user) = (chat(&engine, "a"), ann(&engine));
        let before = used(&user, "tokens").await;
        end(session.send("go").await.unwrap()).await;
        let making = tokio::spawn({
            let session = session.clone();
            async move {
                match title {
                    true => session.make_title().await.map(drop),
                    false => session.summarize(None).await.map(drop),
                }
            }
        });
        gate.reached().await;
        assert!(used(&user, "tokens").await > before + 200);
        session.delete().await.unwrap();
        gate.open();
        assert_eq!(making.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(used(&user, "tokens").await, before + 200);
    }
}

async fn who_stops_waiting_for_a_title_leaves_it_to_its_end(store: Store) {
    let gate = Gate::new();
    let engine = builder(&hundred().then(gated(&gate)), &store).limit(tokens(100_000)).build();
    let (session, user) = (chat(&engine, "a"), ann(&engine));
    end(session.send("go").await.unwrap()).await;
    let waiting = tokio::spawn({
        let session = session.clone();
        async move { session.make_title().await }
    });
    gate.reached().await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    gate.open();
    eventually("it is paid for", || async { used(&user, "tokens").await == 200 }).await;
    assert_eq!((session.info().await.unwrap().title.as_deref(), sum(&user).await.calls), (Some("ok"), 2));
    engine.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!(session.make_title().await.unwrap_err().kind(), ErrorKind::Closed);
}

async fn a_limit_is_lowered_raised_and_given_another_window(store: Store) {
    let model = hundred();
    let with = |limit: Limit| builder(&model, &store).limit(limit).build();
    for id in 0..3 {
        end(chat(&with(turns(5)), id).send("go").await.unwrap()).await;
    }
    refused(chat(&with(turns(2)), "low").send("go").await);
    assert_eq!(used(&ann(&with(turns(2))), "turns").await, 3, "more is used than may be");
    end(chat(&with(turns(4)), "high").send("go").await.unwrap()).await;
    // Another window is another count.
    let hourly = with(Limit { window: HOUR, ..turns(2) });
    end(chat(&hourly, "hour").send("go").await.unwrap()).await;
    let state = ann(&hourly).limits(None, BTreeMap::new()).await.unwrap().remove(0);
    assert!((state.used, state.window_ms) == (1, 3_600_000) && state.resets_ms % 3_600_000 == 0, "{state:?}");
    assert_eq!(used(&ann(&with(turns(5))), "turns").await, 4);
}

async fn nothing_is_stopped_for_a_send_that_cannot_begin(store: Store) {
    let gate = Gate::default();
    let engine = builder(&gated(&gate), &store).limit(turns(1)).build();
    let reply = chat(&engine, "a").send("go").await.unwrap();
    refused(chat(&engine, "a").send("instead").busy(Busy::Interrupt).await);
    gate.open();
    assert_eq!(end(reply).await.status, Status::Complete);
}

async fn what_a_turn_cost_is_told_everywhere(store: Store) {
    let engine = builder(&hundred(), &store).prices(prices()).build();
    let finished = end(chat(&engine, "a").send("go").await.unwrap()).await;
    assert_eq!(finished.cost, Some(90 + 100));
    let reply = chat(&engine, "a").history(10).await.unwrap().remove(1);
    assert_eq!(reply.cost, Some(190));
    let again = ann(&engine).attach(reply.turn.unwrap(), 0).await.unwrap();
    assert_eq!(end(again).await.cost, Some(190));
    end(chat(&engine, "a").send("go").model("another").await.unwrap()).await;
    let reply = chat(&engine, "a").history(10).await.unwrap().remove(3);
    assert_eq!((reply.cost, sum(&ann(&engine)).await.cost), (None, 190), "it has no price");
}

async fn what_cannot_be_counted_is_refused(store: Store) {
    let cost = Limit::new("cost", Unit::Cost, 10_000_000, AGE);
    let engine = builder(&hundred(), &store).limit(cost).prices(prices()).build();
    let error = chat(&engine, "a").send("go").model("another").await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidInput && error.to_string().contains("no price"), "{error}");
    end(chat(&engine, "a").send("go").await.unwrap()).await;
    let twice = chat(&engine, "a").send("go").limits([turns(1), turns(2)]).await.unwrap_err();
    assert_eq!((twice.kind(), twice.context("limit")), (ErrorKind::InvalidInput, Some("turns")));
    // What a turn may use at most is known from what it may say at most.
    let long = Params { max_tokens: Some(1_000_000), ..Params::default() };
    let reply = chat(&engine, "b").send("go").params(long).await.unwrap();
    refused(chat(&engine, "c").send("go").limits([turns(0)]).await);
    end(reply).await;
}

async fn the_ledger_is_summed_up_as_asked(store: Store) {
    let engine = builder(&hundred(), &store).prices(prices()).build();
    let user = ann(&engine);
    assert_eq!(sum(&user).await, Spent::default());
    for (session, model) in [("a", "scripted"), ("b", "scripted"), ("b", "scripted-2")] {
        end(chat(&engine, session).send("go").model(model).await.unwrap()).await;
    }
    chat(&engine, "a").delete().await.unwrap();
    let by = async |by: &[GroupBy]| user.usage(UsageQuery { by: by.to_vec(), ..UsageQuery::default() }).await.unwrap();
    let models = by(&[GroupBy::Model]).await;
    let line = |spent: &Spent| (spent.model.clone().unwrap(), spent.calls, total(spent), spent.cost);
    let lines: Vec<_> = models.iter().map(line).collect();
    assert_eq!(lines, [("scripted".into(), 2, 200, 380), ("scripted-2".into(), 1, 100, 190)]);
    let sessions = by(&[GroupBy::Session, GroupBy::Purpose]).await;
    let of = |spent: &Spent| (spent.session.as_ref().unwrap().to_string(), spent.purpose.unwrap(), spent.calls);
    let lines: Vec<_> = sessions.iter().map(of).collect();
    assert_eq!(lines, [("a".into(), Purpose::Turn, 1), ("b".into(), Purpose::Turn, 2)], "deleted ones are there");
    let days = by(&[GroupBy::Day]).await;
    assert_eq!(days.iter().map(|day| day.calls).sum::<u64>(), 3);
    let asked = UsageQuery { session: Some(SessionId::new("b").unwrap()), ..UsageQuery::default() };
    assert_eq!(user.usage(asked).await.unwrap()[0].calls, 2);
    let before = UsageQuery { to_ms: days[0].day_ms, ..UsageQuery::default() };
    assert_eq!(user.usage(before).await.unwrap()[0].calls, 0);
    assert_eq!(sum(&engine.user("ben").unwrap()).await.calls, 0);
}

#[test]
fn a_rate_is_read_as_people_write_it() {
    #[derive(serde::Deserialize)]
    struct Table {
        good: Vec<(String, String, Unit, u64, u64)>,
        bad: Vec<String>,
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/rates.json");
    let Table { good, bad } = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert!(!good.is_empty() && !bad.is_empty());
    for (text, name, unit, max, ms) in good {
        assert_eq!(Limit::rate("x", &text).unwrap(), Limit::new(name, unit, max, Duration::from_millis(ms)), "{text}");
    }
    for text in bad {
        let error = Limit::rate("x", &text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert!(error.to_string().contains("20/minute"), "{error}");
    }
}
