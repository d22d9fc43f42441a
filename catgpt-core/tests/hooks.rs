//! Hooks: what they may do to a turn, and what they cannot do to it. The clock is tokio's and stands still until all wait.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fmt;
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catgpt_core::hooks::{Hook, Source, TurnAt, Verdict};
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    Content, Engine, EngineBuilder, Error, ErrorKind, Event, Finished, Message, ModelEvent, ModelRequest, Part, Result,
    Role, Scripted, Session, Status, Window,
};
use common::{all, eager, eventually, in_memory, text_of, until_text};

/// A hook that does what a test says, and writes down what it was asked.
#[derive(Clone)]
struct Probe {
    asked: Arc<Mutex<Vec<String>>>,
    sources: Vec<Source>,
    plan: Arc<dyn Fn(&str) -> Plan + Send + Sync>,
}

/// What to do about a question, which is `method what`.
enum Plan {
    Go,
    Refuse(ErrorKind),
    Panic,
    Wait(Gate),
    Hang,
}

impl Probe {
    fn new(plan: impl Fn(&str) -> Plan + Send + Sync + 'static) -> Self {
        Self { asked: Arc::default(), sources: Vec::new(), plan: Arc::new(plan) }
    }

    fn idle() -> Self {
        Self::new(|_| Plan::Go)
    }

    fn with(mut self, sources: impl IntoIterator<Item = Source>) -> Self {
        self.sources = sources.into_iter().collect();
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn note(&self, question: String) -> Plan {
        let plan = (self.plan)(&question);
        self.asked.lock().unwrap().push(question);
        plan
    }

    async fn meet(&self, question: String) -> Result<()> {
        match self.note(question) {
            Plan::Go => Ok(()),
            Plan::Refuse(kind) => Err(refusal(kind)),
            Plan::Panic => panic!("as planned"),
            Plan::Wait(gate) => {
                gate.pass().await;
                Ok(())
            }
            Plan::Hang => std::future::pending().await,
        }
    }
}

fn refusal(kind: ErrorKind) -> Error {
    Error::new(kind, "not here")
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe")
    }
}

#[async_trait]
impl Hook for Probe {
    async fn before_prompt(&self, at: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        let texts: Vec<_> = branch.iter().map(Message::text).collect();
        self.meet(format!("before_prompt {} {} {}", at.owner.as_str(), at.session, texts.join("|"))).await?;
        Ok(self.sources.clone())
    }

    async fn before_model(&self, _: &TurnAt, attempt: u32, mut request: ModelRequest) -> Result<ModelRequest> {
        let last = request.messages.last().unwrap().content.text();
        self.meet(format!("before_model {attempt} {last}")).await?;
        request.messages.last_mut().unwrap().content = Content::from(last.replace("secret", "***") + "!");
        request.model = Some("routed".into());
        Ok(request)
    }

    fn on_delta(&self, _: &TurnAt, said: &ModelEvent) -> Verdict {
        let ModelEvent::Text(text) = said else { return Verdict::Pass };
        match self.note(format!("on_delta {text}")) {
            Plan::Refuse(kind) => Verdict::Stop(refusal(kind)),
            Plan::Panic => panic!("as planned"),
            _ => Verdict::Pass,
        }
    }

    async fn on_deltas(&self, _: &TurnAt, shown: &Content) -> Result<()> {
        self.meet(format!("on_deltas {}", shown.text())).await
    }

    async fn after_turn(&self, at: &TurnAt, reply: &Message) -> Result<()> {
        assert_eq!(reply.turn, Some(at.turn));
        self.meet(format!("after_turn {} {}", reply.status, reply.text())).await
    }
}

fn builder(model: &Scripted) -> EngineBuilder<Arc<dyn catgpt_core::ChatModel>> {
    Engine::builder().model(model.clone()).retry(eager())
}

fn session(engine: &Engine) -> Session {
    engine.user("alice").unwrap().session("trip").unwrap()
}

fn citation(url: &str) -> Part {
    Part::Citation { url: url.into(), title: None }
}

fn end(events: &[Event]) -> &Finished {
    let Some(Event::Finished(finished)) = events.last() else { panic!("{events:?}") };
    finished
}

fn ended(events: &[Event]) -> (Status, Option<ErrorKind>) {
    let finished = end(events);
    (finished.status, finished.error.as_ref().map(|error| error.kind))
}

/// Sends, and reads to the end.
async fn told(engine: &Engine, text: &str) -> Vec<Event> {
    all(session(engine).send(text).await.unwrap()).await
}

/// A hook that does this in this method, and nothing else.
fn in_method(method: &'static str, plan: impl Fn() -> Plan + Send + Sync + 'static) -> Probe {
    Probe::new(move |question| if question.starts_with(method) { plan() } else { Plan::Go })
}

const METHODS: [&str; 4] = ["before_prompt ", "before_model ", "on_delta ", "on_deltas "];

#[tokio::test(start_paused = true)]
async fn a_hook_is_asked_at_each_place_and_its_sources_are_read_and_shown() {
    let model = Scripted::words(["So ", "it is"]);
    let hook = Probe::idle().with([Source::cited("Cats purr.", "cats.md#purr", None), Source::text("Dogs bark.")]);
    let engine = builder(&model).hook(hook.clone()).build();
    let events = told(&engine, "a secret").await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["started", "part", "text", "finished"]);
    assert_eq!(events[1], Event::Part { part: citation("cats.md#purr"), offset: 1 });
    assert_eq!((end(&events).status, end(&events).stored), (Status::Complete, 9));
    let history = session(&engine).history(9).await.unwrap();
    assert_eq!(history[1].content.parts(), [citation("cats.md#purr"), Part::text("So it is")]);
    engine.close(Duration::from_secs(5)).await.unwrap();
    assert_eq!(
        hook.asked(),
        [
            "before_prompt alice trip a secret",
            "before_model 1 a secret",
            "on_delta So ",
            "on_delta it is",
            "on_deltas So it is",
            "after_turn complete So it is",
        ]
    );
    let request = model.requests().remove(0);
    let (system, user) = (request.messages[0].content.text(), request.messages[1].content.text());
    assert!(system.ends_with("instructions.\n\n[1] Cats purr.\n\n[2] Dogs bark."), "{system}");
    assert_eq!((user.as_str(), request.model.as_deref()), ("a ***!", Some("routed")));
}

#[tokio::test(start_paused = true)]
async fn a_citation_is_not_sent_back_and_the_next_turn_has_its_own_sources() {
    let model = Scripted::reply("ok");
    let hook = Probe::idle().with([Source::cited("Cats purr.", "cats.md", None)]);
    let engine = builder(&model).hook(hook).build();
    for text in ["one", "two"] {
        told(&engine, text).await;
    }
    let request = model.requests().pop().unwrap();
    assert_eq!(request.messages[0].content.text().matches("Cats purr.").count(), 1);
    assert_eq!((request.messages[2].role, &request.messages[2].content), (Role::Assistant, &Content::from("ok")));
}

#[tokio::test(start_paused = true)]
async fn hooks_are_asked_in_order_and_the_first_refusal_is_the_last_question() {
    let model = Scripted::reply("ok");
    let (one, two) = (Probe::idle(), Probe::idle());
    let engine = builder(&model).hook(one.clone()).hook(two.clone()).build();
    told(&engine, "secret").await;
    assert_eq!(model.requests()[0].messages[1].content.text(), "***!!");
    assert!(two.asked().contains(&"before_model 1 ***!".to_owned()), "{:?}", two.asked());

    let (no, never) = (in_method("before_prompt ", || Plan::Refuse(ErrorKind::Refused)), Probe::idle());
    let engine = builder(&model).hook(no).hook(never.clone()).build();
    assert_eq!(ended(&told(&engine, "Hi").await), (Status::Failed, Some(ErrorKind::Refused)));
    engine.close(Duration::ZERO).await.unwrap();
    assert_eq!(never.asked(), ["after_turn failed "]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_the_turn_with_its_error_and_is_not_tried_again() {
    for method in METHODS {
        let model = Scripted::words(["So ", "it is"]);
        // Of a kind that would be tried again, if the model had failed with it.
        let hook = in_method(method, || Plan::Refuse(ErrorKind::Truncated));
        let engine = builder(&model).hook(hook.clone()).build();
        let events = told(&engine, "Hi").await;
        assert_eq!(ended(&events), (Status::Failed, Some(ErrorKind::Truncated)), "{method}");
        assert_eq!(end(&events).error.as_ref().unwrap().message, "not here");
        let before = method.starts_with("before");
        assert_eq!(model.asked(), usize::from(!before), "{method}");
        let usage = end(&events).usage.unwrap();
        assert_eq!((usage.input_tokens == 0, usage.output_tokens == 0), (before, before), "{method}: {usage:?}");
        assert_eq!(hook.asked().iter().filter(|asked| asked.starts_with(method)).count(), 1, "{method}");
        // The session is free, and its history says what happened.
        let history = session(&engine).history(9).await.unwrap();
        assert_eq!((history[1].status, history[1].text()), (Status::Failed, text_of(&events)), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_stops_is_not_shown_and_the_request_is_ended() {
    let model = Scripted::script([Step::text("So "), Step::text("bad"), Step::text(" more"), Step::Hang]);
    let hook = Probe::new(|question| match question {
        "on_delta bad" => Plan::Refuse(ErrorKind::Refused),
        _ => Plan::Go,
    });
    let engine = builder(&model).hook(hook).build();
    let events = told(&engine, "Hi").await;
    assert_eq!((text_of(&events).as_str(), ended(&events)), ("So ", (Status::Failed, Some(ErrorKind::Refused))));
    assert_eq!(end(&events).stored, 3);
    model.until_dropped(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_look_at_what_was_shown_stops_a_turn_that_runs_on() {
    let words = (0..100).flat_map(|n| [Step::text(format!("{n} ")), Step::Delay(Duration::from_millis(100))]);
    let model = Scripted::script(words.chain([Step::stop()]));
    let hook = Probe::new(|question| match question {
        _ if question.starts_with("on_deltas ") && question.contains("12 ") => Plan::Refuse(ErrorKind::Refused),
        _ => Plan::Go,
    });
    let engine = builder(&model).hook(hook.clone()).build();
    let events = told(&engine, "Hi").await;
    assert_eq!(ended(&events), (Status::Failed, Some(ErrorKind::Refused)));
    // What was shown is kept, half a second of it after the bad word.
    let text = text_of(&events);
    assert!(text.contains("12 ") && !text.contains("20 "), "{text}");
    // One question for several words, and together they were everything.
    engine.close(Duration::ZERO).await.unwrap();
    let looks: Vec<_> =
        hook.asked().iter().filter_map(|asked| asked.strip_prefix("on_deltas ").map(str::to_owned)).collect();
    assert!(looks.len() < 5 && text.starts_with(&looks.concat()), "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_takes_longer_than_the_model_is_waited_for() {
    let (said, looked) = (Gate::new(), Gate::new());
    let model = Scripted::script([Step::text("So "), Step::gate(&said), Step::text("it is"), Step::stop()]);
    let wait = looked.clone();
    let engine = builder(&model).hook(in_method("on_deltas So ", move || Plan::Wait(wait.clone()))).build();
    let mut reply = session(&engine).send("Hi").await.unwrap();
    looked.reached().await;
    said.open();
    until_text(&mut reply, "it is").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    looked.open();
    let rest = tokio::time::timeout(Duration::from_secs(60), all(reply)).await.expect("the turn ends");
    assert_eq!(ended(&rest), (Status::Complete, None));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_after_a_failure_asks_about_the_request_again_but_not_about_the_prompt() {
    let model = Scripted::script([Step::fails(ErrorKind::Unavailable)]).then(Scripted::reply("ok"));
    let hook = Probe::idle().with([Source::cited("Cats purr.", "cats.md", None)]);
    let engine = builder(&model).hook(hook.clone()).build();
    let events = told(&engine, "Hi").await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["started", "part", "retrying", "text", "finished"]);
    let asked = hook.asked();
    assert_eq!(asked[..3], ["before_prompt alice trip Hi", "before_model 1 Hi", "before_model 2 Hi"]);
    let prompts: Vec<_> = model.requests().iter().map(|request| request.messages[0].content.text()).collect();
    assert!(prompts.len() == 2 && prompts.iter().all(|prompt| prompt.contains("[1] Cats purr.")), "{prompts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_turn_does_not_wait_for_a_hook() {
    for method in ["before_prompt ", "before_model ", "on_deltas "] {
        let gate = Gate::new();
        let wait = gate.clone();
        let model = Scripted::reply("ok");
        let engine = builder(&model).hook(in_method(method, move || Plan::Wait(wait.clone()))).build();
        let reply = session(&engine).send("Hi").await.unwrap();
        gate.reached().await;
        let (begun, turn) = (tokio::time::Instant::now(), reply.turn());
        engine.user("alice").unwrap().cancel(turn).await.unwrap();
        assert_eq!(ended(&all(reply).await), (Status::Cancelled, None), "{method}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{method}");
        assert_eq!(model.asked(), usize::from(method == "on_deltas "), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_a_hook_that_hangs() {
    for method in ["before_prompt ", "before_model ", "on_deltas "] {
        let model = Scripted::reply("ok");
        let engine = builder(&model).hook(in_method(method, || Plan::Hang)).build();
        let reply = session(&engine).send("Hi").await.unwrap();
        engine.close(Duration::from_secs(1)).await.unwrap();
        assert_eq!(ended(&all(reply).await).0, Status::Interrupted, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_panics_fails_its_turn_only() {
    for method in METHODS {
        let hook = in_method(method, || Plan::Panic);
        let engine = builder(&Scripted::reply("ok")).hook(hook).build();
        for text in ["Hi", "Hi again"] {
            let events = told(&engine, text).await;
            assert_eq!(ended(&events), (Status::Failed, Some(ErrorKind::Unexpected)), "{method}");
            let error = end(&events).error.as_ref().unwrap();
            assert!(error.message.contains(&format!("(hook: {})", method.trim())), "{}", error.message);
        }
    }
    let engine = builder(&Scripted::reply("ok")).hook(in_method("after_turn ", || Plan::Panic)).build();
    assert_eq!(ended(&told(&engine, "Hi").await), (Status::Complete, None));
    engine.close(Duration::from_secs(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_a_deadline() {
    #[derive(Debug)]
    struct Hasty(Probe);

    #[async_trait]
    impl Hook for Hasty {
        fn deadline(&self) -> Duration {
            Duration::from_secs(3)
        }
        async fn before_prompt(&self, at: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
            self.0.before_prompt(at, branch).await
        }
    }

    let hang = || in_method("before_prompt ", || Plan::Hang);
    let model = Scripted::reply("ok");
    let engines = [builder(&model).hook(hang()).build(), builder(&model).hook(Hasty(hang())).build()];
    for (engine, seconds) in engines.into_iter().zip([30, 3]) {
        let begun = tokio::time::Instant::now();
        let events = told(&engine, "Hi").await;
        assert_eq!(ended(&events), (Status::Failed, Some(ErrorKind::Timeout)));
        assert_eq!(begun.elapsed().as_secs(), seconds);
    }
    assert_eq!(model.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_what_comes_after_a_turn_but_closing() {
    let gate = Gate::new();
    let wait = gate.clone();
    let hook = in_method("after_turn ", move || Plan::Wait(wait.clone()));
    let engine = builder(&Scripted::reply("ok")).hook(hook.clone()).build();
    for text in ["one", "two"] {
        assert_eq!(ended(&told(&engine, text).await), (Status::Complete, None));
    }
    let mut closing = Box::pin(engine.close(Duration::from_secs(20)));
    assert!(tokio::time::timeout(Duration::from_secs(10), &mut closing).await.is_err());
    gate.open();
    closing.await.unwrap();
    assert_eq!(hook.asked().iter().filter(|asked| asked.starts_with("after_turn complete")).count(), 2);

    // One that hangs is not waited for for ever.
    let engine = builder(&Scripted::reply("ok")).hook(in_method("after_turn ", || Plan::Hang)).build();
    told(&engine, "Hi").await;
    let begun = tokio::time::Instant::now();
    engine.close(Duration::from_secs(20)).await.unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_two_sends_one_is_asked_about_and_a_repeated_one_is_not() {
    let gate = Gate::new();
    let wait = gate.clone();
    let hook = in_method("before_prompt ", move || Plan::Wait(wait.clone()));
    let engine = builder(&Scripted::reply("ok")).hook(hook.clone()).build();
    let reply = session(&engine).send("Hi").key("k").await.unwrap();
    gate.reached().await;
    assert_eq!(session(&engine).send("Me too").await.unwrap_err().kind(), ErrorKind::Busy);
    let again = session(&engine).send("Hi").key("k").await.unwrap();
    assert_eq!(again.turn(), reply.turn());
    gate.open();
    let (events, again) = tokio::join!(all(reply), all(again));
    assert_eq!((text_of(&events), ended(&events)), (text_of(&again), (Status::Complete, None)));
    let later = all(session(&engine).send("Hi").key("k").await.unwrap()).await;
    assert_eq!(text_of(&later), "ok");
    engine.close(Duration::from_secs(1)).await.unwrap();
    for method in METHODS.into_iter().chain(["after_turn "]) {
        assert_eq!(hook.asked().iter().filter(|asked| asked.starts_with(method)).count(), 1, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn sources_are_a_part_of_the_window() {
    let model = Scripted::reply("ok");
    let source = |text: &str, url: &str| Source::cited(text, url, None);
    let hook = Probe::idle().with([
        source(&"long ".repeat(400), "too-long.md"),
        source(&"word ".repeat(40), "fits.md"),
        source(&"more ".repeat(40), "no-room-left.md"),
        Source { text: String::new(), part: Some(citation("weightless.md")) },
    ]);
    let window = Window { messages: 50, tokens: 100, ..Window::default() };
    let engine = builder(&model).window(window).hook(hook).build();
    let events = told(&engine, "Hi").await;
    let parts: Vec<_> = events.iter().filter(|event| event.name() == "part").cloned().collect();
    let expect = [("fits.md", 1), ("weightless.md", 2)];
    assert_eq!(parts, expect.map(|(url, offset)| Event::Part { part: citation(url), offset }));
    told(&engine, &"old ".repeat(50)).await;
    told(&engine, "new").await;
    // Older turns make room for the sources.
    let request = model.requests().pop().unwrap();
    let roles: Vec<_> = request.messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User]);
    assert!(request.messages[0].content.text().contains("[1] word"));
}

#[tokio::test(start_paused = true)]
async fn too_long_a_prompt_is_tried_with_half_of_its_sources() {
    let model = Scripted::script([Step::fails(ErrorKind::ContextTooLong)]).then(Scripted::reply("ok"));
    let sources = (1..=4).map(|n| Source::text(format!("{n} ").repeat(50)));
    let engine = builder(&model).hook(Probe::idle().with(sources)).build();
    assert_eq!(text_of(&told(&engine, "Hi").await), "ok");
    let prompts: Vec<_> = model.requests().iter().map(|request| request.messages[0].content.text()).collect();
    assert!(prompts[0].contains("[4] 4 4") && prompts[1].contains("[1] 1 1"), "{prompts:?}");
    assert!(!prompts[1].contains("[3]") && prompts[1].len() < prompts[0].len(), "{prompts:?}");
}

#[test]
fn what_a_dead_process_showed_of_its_sources_is_kept() {
    let store = in_memory();
    let process = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let hook = Probe::idle().with([Source::cited("Cats purr.", "cats.md", None)]);
    let model = Scripted::script([Step::text("Half"), Step::Hang]);
    let engine = builder(&model).memory(store.memory.clone()).hook(hook).lease(Duration::ZERO).build();
    process.block_on(async {
        let mut reply = session(&engine).send("Hi").await.unwrap();
        until_text(&mut reply, "Half").await;
        let kept = async || session(&engine).history(9).await.unwrap()[1].text() == "Half";
        eventually("a checkpoint", kept).await;
    });
    process.shutdown_timeout(Duration::from_secs(5));

    let next = tokio::runtime::Runtime::new().unwrap();
    let hook = Probe::idle();
    let engine = builder(&Scripted::reply("Next")).memory(store.memory.clone()).hook(hook.clone()).build();
    next.block_on(async {
        let free = async || match session(&engine).send("More").into_future().await {
            Ok(reply) => reply.text().await.unwrap() == "Next",
            Err(error) => error.kind() != ErrorKind::Busy,
        };
        eventually("the lease has run out", free).await;
        let history = session(&engine).history(9).await.unwrap();
        assert_eq!(history[1].status, Status::Interrupted);
        assert_eq!(history[1].content.parts(), [citation("cats.md"), Part::text("Half")]);
        engine.close(Duration::from_secs(5)).await.unwrap();
    });
    // Nobody is asked about the turn that was buried.
    let after: Vec<_> = hook.asked().into_iter().filter(|asked| asked.starts_with("after_turn")).collect();
    assert_eq!(after, ["after_turn complete Next"]);
}
