//! Tools: what a model may ask for, what becomes of it, and what waits for somebody to agree.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catgpt_core::model::{Gate, Step};
use catgpt_core::tools::{Function, function};
use catgpt_core::wire::rest::{Body, Request};
use catgpt_core::wire::ws;
use catgpt_core::{
    CallAt, Decision, Engine, EngineBuilder, Error, ErrorKind, Event, Finished, Message, Part, Result, Role, Scripted,
    Session, SessionId, Status, ToolCall, ToolSpec, Usage,
};
use common::{Store, all, eager, in_memory, text_of};
use futures_util::StreamExt;
use serde_json::{Value, json};

type Builder = EngineBuilder<Arc<dyn catgpt_core::ChatModel>>;

fn spec(name: &str) -> ToolSpec {
    ToolSpec { name: name.into(), description: String::new(), parameters: json!({ "type": "object" }) }
}

fn call(id: &str, name: &str) -> ToolCall {
    ToolCall { id: id.into(), name: name.into(), arguments: json!({ "of": id }) }
}

/// A tool that writes its arguments down and answers with them.
fn echo(name: &str, ran: &Ran) -> Function {
    let ran = ran.clone();
    function(spec(name), move |_, arguments| {
        ran.0.lock().unwrap().push(arguments["of"].as_str().unwrap_or("?").to_owned());
        async move { Ok(json!({ "echo": arguments })) }
    })
}

/// What was run, in order.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<String>>>);

impl Ran {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A tool that writes down which calls it served.
fn told_of(name: &str, told: &Arc<Mutex<Vec<CallAt>>>) -> Function {
    let told = Arc::clone(told);
    function(spec(name), move |at, _| {
        told.lock().unwrap().push(at);
        async { Ok(Value::Null) }
    })
}

fn builder(model: &Scripted, store: &Store) -> Builder {
    Engine::builder().model(model.clone()).memory(Arc::clone(&store.memory)).retry(eager())
}

fn session(engine: &Engine) -> Session {
    engine.user("alice").unwrap().session("trip").unwrap()
}

fn end(events: &[Event]) -> &Finished {
    let Some(Event::Finished(finished)) = events.last() else { panic!("{events:?}") };
    finished
}

fn pending(events: &[Event]) -> Vec<&str> {
    end(events).pending.iter().map(|call| call.id.as_str()).collect()
}

/// The results in the events, as `id output` or `id! error`.
fn results(events: &[Event]) -> Vec<String> {
    let result = |event: &Event| match event {
        Event::ToolResult { result, .. } => {
            let text = result.output.as_str().map_or_else(|| result.output.to_string(), str::to_owned);
            Some(format!("{}{} {text}", result.id, if result.is_error { "!" } else { "" }))
        }
        _ => None,
    };
    events.iter().filter_map(result).collect()
}

/// The calls and results of a request or a message, in order: `call a`, `result a`, and text.
fn shape<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Vec<String> {
    let word = |part: &Part| match part {
        Part::ToolCall(call) => format!("call {}", call.id),
        Part::ToolResult(result) => format!("result {}", result.id),
        Part::Text { text } => text.clone(),
        other => format!("{other:?}"),
    };
    parts.into_iter().map(word).collect()
}

/// What the model was sent the last time, by message, without the system prompt.
fn sent(model: &Scripted) -> Vec<(Role, Vec<String>)> {
    let request = model.requests().pop().unwrap();
    request.messages.iter().skip(1).map(|message| (message.role, shape(message.content.parts()))).collect()
}

async fn told(engine: &Engine, text: &str) -> Vec<Event> {
    all(session(engine).send(text).await.unwrap()).await
}

async fn history(engine: &Engine) -> Vec<Message> {
    session(engine).history(99).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_model_goes_on_with_what_its_tools_gave() {
    let (store, ran) = (in_memory(), Ran::default());
    let steps = [Step::text("I look. "), Step::call(call("a", "weather")), Step::usage(10, 5), Step::finish(calls())];
    let last = [Step::text("Sunny."), Step::usage(20, 3), Step::stop()];
    let model = Scripted::script(steps).then(Scripted::script(last)).then(Scripted::reply("Yes."));
    let engine = builder(&model, &store).tool(echo("weather", &ran)).unwrap().build();
    let events = told(&engine, "And Kyoto?").await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["started", "text", "tool_call", "tool_result", "text", "finished"]);
    assert_eq!(
        (text_of(&events).as_str(), results(&events)),
        ("I look. Sunny.", vec![r#"a {"echo":{"of":"a"}}"#.into()])
    );
    let Finished { status, usage, pending, stored, .. } = end(&events);
    let used = Usage { input_tokens: 30, output_tokens: 8, ..Usage::default() };
    assert_eq!((*status, *usage, pending.len(), *stored), (Status::Complete, Some(used), 0, 16));
    assert_eq!(ran.all(), ["a"]);
    // The second request has the reply so far, and no word of ours after it.
    let user = (Role::User, vec!["And Kyoto?".to_owned()]);
    let said = ["I look. ", "call a", "result a"].map(str::to_owned);
    assert_eq!(sent(&model), [user.clone(), (Role::Assistant, said.to_vec())]);
    assert_eq!(model.requests()[1].tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["weather"]);
    // The next turn has all of it.
    told(&engine, "Sure?").await;
    let whole = said.into_iter().chain(["Sunny.".to_owned()]).collect();
    assert_eq!(sent(&model)[..2], [user, (Role::Assistant, whole)]);
    let spent = engine.user("alice").unwrap().usage(catgpt_core::UsageQuery::default()).await.unwrap();
    assert!(spent.iter().map(|spent| spent.usage.output_tokens).sum::<u64>() >= 8);
}

fn calls() -> catgpt_core::FinishReason {
    catgpt_core::FinishReason::ToolCalls
}

#[tokio::test(start_paused = true)]
async fn what_goes_wrong_with_a_call_is_told_to_the_model_and_the_turn_goes_on() {
    /// Foreign code may panic even when it is let go of.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as planned, too");
        }
    }
    let names = ["fails", "panics", "hangs", "bursts", "long", "rambles", "nobody"];
    let asked = Scripted::calls(names.map(|name| call(name, name)));
    let model = asked.then(Scripted::reply("Oh."));
    let tools = [
        function(spec("fails"), |_, _| async { Err(Error::new(ErrorKind::Unavailable, "no boat today")) }),
        function(spec("panics"), |_, _| async { panic!("as planned") }),
        function(spec("hangs"), |_, _| std::future::pending::<Result<Value>>()).timeout(Duration::from_secs(3)),
        function(spec("bursts"), |_, _| async {
            let _bomb = Bomb;
            std::future::pending().await
        })
        .timeout(Duration::from_secs(3)),
        function(spec("long"), |_, _| async { Ok(json!("x".repeat(1 << 20))) }),
        function(spec("rambles"), |_, _| async { Err(Error::new(ErrorKind::Unavailable, "x".repeat(20 << 20))) }),
    ];
    let engine = builder(&model, &in_memory()).tools(tools).unwrap().build();
    let events = told(&engine, "Hi").await;
    assert_eq!((text_of(&events).as_str(), end(&events).status), ("Oh.", Status::Complete));
    let results = results(&events);
    for (result, expect) in results.iter().zip([
        "fails! no boat today",
        "panics! the tool panicked",
        "hangs! the tool did not answer in time",
        "bursts! the tool did not answer in time",
        "long! the tool's result is too long",
        "rambles! the tool's result is too long",
        "nobody! there is no tool \"nobody\"; those that there are: bursts, fails, hangs, long, panics, rambles",
    ]) {
        assert!(result.starts_with(expect), "{result:.200}");
    }
    assert_eq!(results.len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_told_which_call_it_serves() {
    let told: Arc<Mutex<Vec<CallAt>>> = Arc::default();
    let model = Scripted::calls([call("a", "look"), call("b", "look")])
        .then(Scripted::calls([call("a", "look")]))
        .then(Scripted::reply("So."))
        .then(Scripted::calls([call("a", "look")]))
        .then(Scripted::reply("So."));
    let engine = builder(&model, &in_memory()).tool(told_of("look", &told)).unwrap().build();
    let mut turns = Vec::new();
    for text in ["Look", "Look again"] {
        let reply = session(&engine).send(text).await.unwrap();
        turns.push(reply.turn());
        all(reply).await;
    }
    let told = std::mem::take(&mut *told.lock().unwrap());
    let calls: Vec<_> = told.iter().map(|at| (at.turn, at.id.as_str())).collect();
    assert_eq!(calls, [(turns[0], "a"), (turns[0], "b"), (turns[0], "a_2"), (turns[1], "a")]);
    assert!(told.iter().all(|at| at.owner.as_str() == "alice" && at.session.as_str() == "trip"));
    let keys: std::collections::BTreeSet<_> = told.iter().map(|at| at.key.parse::<uuid::Uuid>().unwrap()).collect();
    assert_eq!(keys.len(), 4, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_call_keeps_its_key_however_often_it_is_decided_about() {
    let told: Arc<Mutex<Vec<CallAt>>> = Arc::default();
    let model = Scripted::calls([call("a", "pay")]).then(Scripted::calls([call("a", "look")]));
    let model = model.then(Scripted::reply("Paid."));
    let tools = [told_of("pay", &told).approval(), told_of("look", &told)];
    let engine = builder(&model, &in_memory()).tools(tools).unwrap().build();
    told_and_paused(&engine).await;
    let copy = session(&engine).fork(SessionId::new("copy").unwrap(), None).await.unwrap();
    for session in [session(&engine), copy] {
        for _ in 0..2 {
            session.select(2, None).await.unwrap();
            all(session.decide([Decision::approve("a")]).await.unwrap()).await;
        }
    }
    let told = std::mem::take(&mut *told.lock().unwrap());
    let ids: Vec<_> = told.iter().map(|at| at.id.as_str()).collect();
    // A call that the model makes in the turn that goes on is another one, whatever the model calls it.
    assert_eq!(ids, ["a", "a_2", "a", "a", "a"]);
    let keys: Vec<_> = told.iter().map(|at| &at.key).collect();
    assert!(keys[0] == keys[2] && keys[3] == keys[4], "{keys:?}");
    // What is decided about in a copy is done there, too.
    assert!(keys[0] != keys[3] && !keys[2..].contains(&keys[1]) && keys[0] != keys[1], "{keys:?}");
    assert_ne!(told[0].turn, told[2].turn);
}

async fn told_and_paused(engine: &Engine) {
    assert_eq!(pending(&told(engine, "Pay it").await), ["a"]);
}

#[cfg(feature = "schemars")]
#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_fit_are_told_with_their_place() {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Place {
        city: String,
    }
    let right = ToolCall { id: "b".into(), name: "weather".into(), arguments: json!({ "city": "Kyoto" }) };
    let model = Scripted::calls([call("a", "weather")]).then(Scripted::calls([right])).then(Scripted::reply("Sunny."));
    let weather = catgpt_core::tools::typed("weather", "The weather.", |_, Place { city }| async move {
        Ok(format!("sunny in {city}"))
    });
    let engine = builder(&model, &in_memory()).tool(weather).unwrap().build();
    let events = told(&engine, "Hi").await;
    let results = results(&events);
    assert!(results[0].starts_with("a! the arguments do not fit at `.`: missing field `city`"), "{results:?}");
    assert_eq!((results[1].as_str(), text_of(&events).as_str()), ("b sunny in Kyoto", "Sunny."));
    assert_eq!(model.requests()[0].tools[0].parameters["required"], json!(["city"]));
}

#[tokio::test(start_paused = true)]
async fn calls_run_beside_each_other_only_where_they_may() {
    for parallel in [true, false] {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counted = (Arc::clone(&now), Arc::clone(&most));
        let tool = function(spec("slow"), move |_, _| {
            let (now, most) = counted.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(100)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(Value::Null)
            }
        });
        let tool = if parallel { tool.parallel() } else { tool };
        let model = Scripted::calls(["a", "b", "c"].map(|id| call(id, "slow"))).then(Scripted::reply("Done."));
        let engine = builder(&model, &in_memory()).tool(tool).unwrap().build();
        assert_eq!(results(&told(&engine, "Hi").await).len(), 3);
        assert_eq!(most.load(Ordering::SeqCst), if parallel { 3 } else { 1 });
    }
}

async fn a_call_is_in_the_store_before_it_runs_and_its_result_soon_after(store: Store) {
    let seen: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
    let model = Scripted::calls([call("a", "look"), call("b", "look")]).then(Scripted::reply("Done."));
    let other = builder(&Scripted::reply(""), &store).build();
    let look = {
        let seen = Arc::clone(&seen);
        function(spec("look"), move |_, _| {
            let (other, seen) = (other.clone(), Arc::clone(&seen));
            async move {
                let reply = history(&other).await.pop().unwrap();
                assert_eq!(reply.status, Status::Running);
                seen.lock().unwrap().push(shape(reply.content.parts()));
                Ok(Value::Null)
            }
        })
    };
    let engine = builder(&model, &store).tool(look).unwrap().build();
    assert_eq!(results(&told(&engine, "Hi").await), ["a null", "b null"]);
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], ["call a", "call b"]);
    assert_eq!(seen[1][..2], ["call a", "call b"]);
}

async fn a_call_that_needs_an_approval_waits_and_is_run_once(store: Store) {
    let (ran, plain) = (Ran::default(), Ran::default());
    let model = Scripted::calls([call("a", "pay"), call("b", "look")]).then(Scripted::reply("Paid."));
    let tools = [echo("pay", &ran).approval(), echo("look", &plain)];
    let engine = builder(&model, &store).tools(tools).unwrap().build();
    let reply = session(&engine).send("Pay it").await.unwrap();
    let turn = reply.turn();
    let events = all(reply).await;
    assert_eq!((end(&events).status, pending(&events), results(&events).len()), (Status::Paused, vec!["a"], 1));
    assert_eq!((ran.all(), plain.all()), (vec![], vec!["b".to_owned()]));
    // Whoever comes later hears of it, too, and another process decides.
    let other = builder(&model, &store).tools([echo("pay", &ran).approval(), echo("look", &plain)]).unwrap().build();
    let late = all(session(&other).attach(turn, 0).await.unwrap()).await;
    assert_eq!((pending(&late), history(&other).await[1].pending()), (vec!["a"], vec![call("a", "pay")]));
    let decide = || session(&other).decide([Decision::approve("a")]).key("d1");
    let reply = decide().await.unwrap();
    let resumed = reply.turn();
    let events = all(reply).await;
    assert_eq!((results(&events), text_of(&events).as_str()), (vec![r#"a {"echo":{"of":"a"}}"#.into()], "Paid."));
    assert_eq!(
        (end(&events).status, end(&events).pending.len(), ran.all()),
        (Status::Complete, 0, vec!["a".to_owned()])
    );
    let said = ["call a", "call b", "result b", "result a"].map(str::to_owned).to_vec();
    assert_eq!(sent(&model), [(Role::User, vec!["Pay it".to_owned()]), (Role::Assistant, said)]);
    let told: Vec<_> =
        history(&engine).await.iter().map(|message| (message.status, shape(message.content.parts()))).collect();
    assert_eq!(told[2], (Status::Complete, vec!["result a".to_owned(), "Paid.".to_owned()]));
    // The same decision again is the same turn; another one comes too late.
    assert_eq!(decide().await.unwrap().turn(), resumed);
    let late = session(&engine).decide([Decision::approve("a")]).await.unwrap_err();
    assert_eq!((late.kind(), late.context("status")), (ErrorKind::Conflict, Some("complete")));
    let other = session(&engine).decide([Decision::deny("a", "no")]).key("d1").await.unwrap_err();
    assert_eq!((other.kind(), ran.all().len()), (ErrorKind::Conflict, 1));
}

async fn of_two_decisions_at_once_one_counts(store: Store) {
    for _ in 0..8 {
        let ran = Ran::default();
        let model = Scripted::calls([call("a", "pay")]).then(Scripted::reply("Paid."));
        let engine = builder(&model, &store).tool(echo("pay", &ran).approval()).unwrap().build();
        let session = engine.user("alice").unwrap().new_session();
        all(session.send("Pay it").await.unwrap()).await;
        let decide = || async { session.decide([Decision::approve("a")]).await };
        let (one, two) = tokio::join!(decide(), decide());
        let kind = match (one, two) {
            (Ok(reply), Err(error)) | (Err(error), Ok(reply)) => {
                assert_eq!(text_of(&all(reply).await), "Paid.");
                error.kind()
            }
            other => panic!("{other:?}"),
        };
        assert!(matches!(kind, ErrorKind::Conflict | ErrorKind::Busy), "{kind}");
        assert_eq!(ran.all().len(), 1);
    }
}

on_each_memory! {
    a_call_is_in_the_store_before_it_runs_and_its_result_soon_after
    a_call_that_needs_an_approval_waits_and_is_run_once
    of_two_decisions_at_once_one_counts
}

/// An engine whose first turn waits for `a` and `b`.
async fn paused(ran: &Ran) -> (Scripted, Engine) {
    let model = Scripted::calls([call("a", "pay"), call("b", "pay")]).then(Scripted::reply("So."));
    let engine = builder(&model, &in_memory()).tool(echo("pay", ran).approval()).unwrap().build();
    assert_eq!(pending(&told(&engine, "Pay").await), ["a", "b"]);
    (model, engine)
}

#[tokio::test(start_paused = true)]
async fn what_is_not_approved_is_told_to_the_model() {
    let ran = Ran::default();
    let (_, engine) = paused(&ran).await;
    let reply =
        session(&engine).decide([Decision::deny("b", "too much"), Decision::output("a", json!(7))]).await.unwrap();
    let events = all(reply).await;
    assert_eq!(results(&events), ["a 7", "b! the call was denied: too much"]);
    assert_eq!((text_of(&events).as_str(), ran.all().len()), ("So.", 0));
    let (_, engine) = paused(&ran).await;
    let no: Decision = serde_json::from_value(json!({ "id": "a", "approve": false })).unwrap();
    let events = all(session(&engine).decide([no, Decision::error("b", "gone")]).await.unwrap()).await;
    assert_eq!((results(&events), ran.all().len()), (vec!["a! the call was denied".into(), "b! gone".into()], 0));
}

#[tokio::test(start_paused = true)]
async fn a_client_decides_over_http_and_the_web_socket() {
    let ran = Ran::default();
    for socket in [false, true] {
        let (_, engine) = paused(&ran).await;
        let user = engine.user("alice").unwrap();
        let decisions = json!([{ "id": "a", "approve": true }, { "id": "b", "deny": "no" }]);
        if socket {
            let frame = json!({ "type": "decide", "session": "trip", "decisions": decisions }).to_string();
            let reply = user.perform(ws::parse(&frame).1.unwrap(), |send| send).await.unwrap().unwrap();
            assert_eq!(text_of(&all(reply).await), "So.");
        } else {
            let body = json!({ "type": "decide", "decisions": decisions }).to_string().into_bytes();
            let (method, path) = ("POST".into(), "/sessions/trip/turns".into());
            let response = user.serve(Request { method, path, body, ..Request::default() }, |send| send).await;
            let Body::Stream(events) = response.body else { panic!("no stream: {}", response.status) };
            let events = events.collect::<Vec<_>>().await.into_iter().map(|event| event.unwrap()).collect::<Vec<_>>();
            let events = String::from_utf8(events.concat()).unwrap();
            assert!(events.contains(r#""type":"tool_result","id":"a""#) && events.contains("denied: no"), "{events}");
        }
    }
    assert_eq!(ran.all(), ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn all_calls_that_wait_are_decided_and_nothing_else() {
    let ran = Ran::default();
    let (model, engine) = paused(&ran).await;
    for (decisions, undecided, unknown) in [
        (vec![], Some("a, b"), None),
        (vec![Decision::approve("a")], Some("b"), None),
        (vec![Decision::approve("a"), Decision::approve("b"), Decision::approve("c")], None, Some("c")),
        (vec![Decision::approve("a"), Decision::approve("b"), Decision::deny("b", "")], None, None),
    ] {
        let error = session(&engine).decide(decisions).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!((error.context("undecided"), error.context("unknown")), (undecided, unknown));
    }
    // What is told to the model is bounded, whatever is decided.
    let long = "x".repeat(1 << 20);
    for decision in [Decision::deny("b", &*long), Decision::error("b", &*long), Decision::output("b", &*long)] {
        let error = session(&engine).decide([Decision::deny("a", "no"), decision]).await.unwrap_err();
        assert_eq!((error.kind(), error.context("most")), (ErrorKind::InvalidInput, Some("1048576")));
    }
    let nobody = engine.user("bob").unwrap().session("trip").unwrap().decide([]).await.unwrap_err();
    assert_eq!((nobody.kind(), model.asked(), ran.all().len()), (ErrorKind::NotFound, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_instead_of_a_decision_goes_on_without_the_calls() {
    let ran = Ran::default();
    let (model, engine) = paused(&ran).await;
    assert_eq!(text_of(&told(&engine, "Never mind").await), "So.");
    assert_eq!(sent(&model), ["Pay", "Never mind"].map(|text| (Role::User, vec![text.to_owned()])));
    let late = session(&engine).decide([Decision::approve("a"), Decision::approve("b")]).await.unwrap_err();
    assert_eq!((late.kind(), late.context("head")), (ErrorKind::Conflict, Some("4")));
    // Who goes back to the paused reply may decide about it.
    session(&engine).select(2, None).await.unwrap();
    let events = all(session(&engine).decide([Decision::approve("a"), Decision::approve("b")]).await.unwrap()).await;
    assert_eq!((results(&events).len(), ran.all()), (2, vec!["a".to_owned(), "b".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn another_answer_and_a_continuation_of_a_paused_reply_are_turns_like_any() {
    let ran = Ran::default();
    let (model, engine) = paused(&ran).await;
    let again = all(session(&engine).regenerate(None).await.unwrap()).await;
    assert_eq!((text_of(&again).as_str(), sent(&model)), ("So.", vec![(Role::User, vec!["Pay".to_owned()])]));
    session(&engine).select(2, None).await.unwrap();
    let on = all(session(&engine).continue_reply(None).await.unwrap()).await;
    assert_eq!((text_of(&on).as_str(), sent(&model)), ("So.", vec![(Role::User, vec!["Pay".to_owned()])]));
    assert_eq!(ran.all().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_tools_the_application_does_what_the_model_asks_for() {
    let model = Scripted::calls([call("a", "weather")]).then(Scripted::reply("Sunny."));
    let engine = builder(&model, &in_memory()).build();
    let events = told(&engine, "Hi").await;
    assert_eq!((end(&events).status, pending(&events)), (Status::Paused, vec!["a"]));
    let nobody = session(&engine).decide([Decision::approve("a")]).await.unwrap_err();
    assert_eq!((nobody.kind(), nobody.context("tool")), (ErrorKind::InvalidInput, Some("weather")));
    let reply = session(&engine).decide([Decision::output("a", "sun")]).await.unwrap();
    assert_eq!(text_of(&all(reply).await), "Sunny.");
    assert_eq!(sent(&model)[1].1, ["call a", "result a"]);
}

#[tokio::test(start_paused = true)]
async fn a_turn_has_so_many_steps_and_keeps_its_text() {
    let (ran, model) =
        (Ran::default(), Scripted::script([Step::text("Hm. "), Step::call(call("a", "look")), Step::finish(calls())]));
    let engine = builder(&model, &in_memory()).tool(echo("look", &ran)).unwrap().max_steps(3).build();
    let events = told(&engine, "Hi").await;
    let error = end(&events).error.clone().unwrap();
    assert_eq!((end(&events).status, error.kind, error.retryable), (Status::Interrupted, ErrorKind::Truncated, false));
    assert!(error.message.contains("max_steps: 3"), "{}", error.message);
    assert_eq!((text_of(&events).as_str(), model.asked(), ran.all().len()), ("Hm. Hm. Hm. ", 3, 2));
    // Each call has an id of its own, though the model begins anew with each step.
    assert_eq!(history(&engine).await[1].text(), "Hm. Hm. Hm. ");
    let ids: Vec<_> = results(&events).iter().map(|result| result.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(ids, ["a", "a_2"]);
}

#[tokio::test(start_paused = true)]
async fn a_tool_is_let_go_of_when_its_turn_stops() {
    struct Dropped(Gate);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.open();
        }
    }
    for close in [false, true] {
        let (began, dropped) = (Gate::new(), Gate::new());
        let gates = (began.clone(), dropped.clone());
        let tool = function(spec("hangs"), move |_, _| {
            let (began, dropped) = gates.clone();
            async move {
                let _held = Dropped(dropped);
                began.pass().await;
                Ok(Value::Null)
            }
        });
        let model = Scripted::calls([call("a", "hangs")]).then(Scripted::reply("Well."));
        let engine = builder(&model, &in_memory()).tool(tool).unwrap().build();
        let reply = session(&engine).send("Hi").await.unwrap();
        began.reached().await;
        match close {
            true => engine.close(Duration::ZERO).await.unwrap(),
            false => engine.user("alice").unwrap().cancel(reply.turn()).await.unwrap(),
        }
        dropped.pass().await;
        let events = all(reply).await;
        let status = if close { Status::Interrupted } else { Status::Cancelled };
        assert_eq!((end(&events).status, end(&events).pending.len(), results(&events).len()), (status, 0, 0));
        if !close {
            assert_eq!(text_of(&told(&engine, "And now?").await), "Well.");
            assert_eq!(sent(&model), ["Hi", "And now?"].map(|text| (Role::User, vec![text.to_owned()])));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_tool_keeps_its_lease_and_a_line_that_stays_open_does_not_cut_it_off() {
    let slow = function(spec("slow"), |_, _| async {
        tokio::time::sleep(Duration::from_secs(50)).await;
        Ok(json!("at last"))
    });
    let steps = [Step::call(call("a", "slow")), Step::finish(calls()), Step::Hang];
    let model = Scripted::script(steps).then(Scripted::reply("Done."));
    let store = in_memory();
    let engine = builder(&model, &store).lease(Duration::from_secs(2)).tool(slow).unwrap().build();
    let other = builder(&model, &store).build();
    let reply = session(&engine).send("Hi").await.unwrap();
    let watched = session(&other).attach(reply.turn(), 0).await.unwrap();
    for events in [all(watched).await, all(reply).await] {
        assert_eq!((results(&events), text_of(&events).as_str()), (vec!["a at last".to_owned()], "Done."));
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_says_which_tools_are_offered() {
    let ran = Ran::default();
    let model = Scripted::calls([call("a", "look")]).then(Scripted::reply("Done."));
    let engine = builder(&model, &in_memory()).tools(["look", "pay"].map(|name| echo(name, &ran))).unwrap().build();
    let events = all(session(&engine).send("Hi").tools(["pay"]).await.unwrap()).await;
    assert!(results(&events)[0].starts_with("a! there is no tool \"look\"; those that there are: pay"));
    told(&engine, "Hi").await;
    all(session(&engine).send("Hi").tools([""; 0]).await.unwrap()).await;
    let offered = |request: &catgpt_core::ModelRequest| request.tools.iter().map(|tool| tool.name.clone()).collect();
    let offered: Vec<Vec<_>> = model.requests().iter().map(offered).collect();
    assert_eq!(offered, [vec!["pay"], vec!["pay"], vec!["look", "pay"], vec![]]);
    let error = session(&engine).send("Hi").tools(["fly"]).await.unwrap_err();
    assert_eq!((error.kind(), error.context("tool"), ran.all().len()), (ErrorKind::InvalidInput, Some("fly"), 0));
}

#[test]
fn a_tool_has_a_name_that_a_model_can_say_and_parameters_that_are_an_object() {
    let builder = || Engine::builder().model(Scripted::reply(""));
    let tool = |spec| function(spec, |_, _| async { Ok(Value::Null) });
    for name in ["", "a b", "é", &"x".repeat(65)] {
        let error = builder().tool(tool(spec(name))).unwrap_err();
        assert_eq!((error.kind(), error.context("tool")), (ErrorKind::InvalidInput, Some(name)));
    }
    for parameters in [json!(null), json!({}), json!({ "type": "string" })] {
        assert!(builder().tool(tool(ToolSpec { parameters, ..spec("a") })).is_err());
    }
    let longest = "x".repeat(64);
    let two = [tool(spec(&longest)), tool(spec("a-b_C9"))];
    assert_eq!(builder().tools(two).unwrap().tool(tool(spec("a-b_C9"))).unwrap_err().context("tool"), Some("a-b_C9"));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_before_it_spoke_is_asked_again_and_costs_no_tool() {
    let ran = Ran::default();
    let model = Scripted::calls([call("a", "look")])
        .then(Scripted::script([Step::fails(ErrorKind::Unavailable)]))
        .then(Scripted::reply("Done."));
    let engine = builder(&model, &in_memory()).tool(echo("look", &ran)).unwrap().build();
    let events = told(&engine, "Hi").await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["started", "tool_call", "tool_result", "retrying", "text", "finished"]);
    assert_eq!((ran.all().len(), end(&events).usage.unwrap().estimated), (1, true));
    // A step that fails for good leaves what was done.
    let model = Scripted::calls([call("a", "look")])
        .then(Scripted::script([Step::fails(ErrorKind::Unauthorized)]))
        .then(Scripted::reply("Well."));
    let engine = builder(&model, &in_memory()).tool(echo("look", &ran)).unwrap().build();
    assert_eq!(end(&told(&engine, "Hi").await).status, Status::Failed);
    told(&engine, "And?").await;
    assert_eq!(sent(&model)[1], (Role::Assistant, vec!["call a".to_owned(), "result a".to_owned()]));
}
