//! What is kept, and what is not.

use super::*;
use crate::error::ErrorKind;
use crate::message::{Content, Role};
use crate::model::{Scripted, Secret, Step};

fn request(text: &str) -> ModelRequest {
    ModelRequest { messages: vec![PromptMessage::new(Role::User, text)], ..ModelRequest::default() }
}

async fn ask(model: &impl ChatModel, request: ModelRequest) -> (String, Option<Usage>) {
    let (mut said, mut usage) = (String::new(), None);
    for event in model.stream(request).collect::<Vec<_>>().await {
        match event {
            Ok(ModelEvent::Text(text)) => said += &text,
            Ok(ModelEvent::Usage(used)) => usage = Some(used),
            Ok(_) => {}
            Err(error) => said = format!("<{}>", error.kind().as_str()),
        }
    }
    (said, usage)
}

fn answer(text: &str) -> Scripted {
    Scripted::script([Step::reasoning("hm"), Step::text(text), Step::text("!"), Step::usage(3, 2), Step::stop()])
}

#[tokio::test]
async fn the_same_request_is_answered_once_and_then_for_nothing() {
    let scripted = answer("one").then(answer("two"));
    let model = Cached::new(scripted.clone());
    let paid = Usage { input_tokens: 3, output_tokens: 2, ..Usage::default() };
    assert_eq!(ask(&model, request("a")).await, ("one!".into(), Some(paid)));
    // Whose turn it is and whose key is no part of the question; a clone is the same cache.
    let again =
        ModelRequest { credentials: Some(Secret::from("sk")), turn: Some(crate::TurnId::fresh()), ..request("a") };
    assert_eq!(ask(&model.clone(), again).await, ("one!".into(), Some(Usage::default())));
    let events: Vec<_> = model.stream(request("a")).map(|event| event.unwrap()).collect().await;
    assert_eq!(
        events[1..],
        [ModelEvent::Reasoning("hm".into()), ModelEvent::Text("one!".into()), ModelEvent::Finish(FinishReason::Stop),]
    );
    assert_eq!(scripted.asked(), 1);
}

#[tokio::test]
async fn whatever_else_is_in_a_request_makes_it_another() {
    let scripted = answer("x");
    let model = Cached::new(scripted.clone());
    let message =
        |role, content: Content| ModelRequest { messages: vec![PromptMessage { role, content }], ..request("") };
    let asked = [
        request("a"),
        request("b"),
        ModelRequest { model: Some("other".into()), ..request("a") },
        ModelRequest { params: Params { seed: Some(1), ..Params::default() }, ..request("a") },
        message(Role::System, "a".into()),
        message(Role::User, Content::from("a").image("https://a.example/1.png")),
        message(Role::User, Content::from("a").image("https://a.example/2.png")),
    ];
    for (n, request) in (1..).zip(asked) {
        ask(&model, request.clone()).await;
        ask(&model, request).await;
        assert_eq!(scripted.asked(), n);
    }
    // The default model by its name is the same question.
    ask(&model, ModelRequest { model: Some(scripted.name().to_owned()), ..request("a") }).await;
    assert_eq!(scripted.asked(), 7);
}

#[tokio::test]
async fn only_what_ended_well_is_kept() {
    let cut = Scripted::script([Step::text("cut")]);
    let failed = Scripted::script([Step::text("x"), Step::fails(ErrorKind::Unavailable)]);
    let filtered = Scripted::script([Step::text("x"), Step::finish(FinishReason::ContentFilter)]);
    let left = Scripted::script([Step::text("left"), Step::text("over"), Step::stop()]);
    let scripted = cut.then(failed).then(filtered).then(left).then(answer("whole")).then(answer("never"));
    let model = Cached::new(scripted.clone());
    for said in ["cut", "<unavailable>", "x"] {
        assert_eq!(ask(&model, request("a")).await.0, said);
    }
    let mut stopped = model.stream(request("a"));
    stopped.next().await;
    drop(stopped);
    for _ in 0..2 {
        assert_eq!(ask(&model, request("a")).await.0, "whole!");
    }
    assert_eq!(scripted.asked(), 5);
}

#[tokio::test]
async fn a_fresh_answer_is_asked_for_and_takes_the_old_ones_place() {
    let model = Cached::new(answer("old").then(answer("new")).then(answer("never")));
    ask(&model, request("a")).await;
    assert_eq!(ask(&model, ModelRequest { fresh: true, ..request("a") }).await.0, "new!");
    assert_eq!(ask(&model, request("a")).await.0, "new!");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_longer_than_it_may() {
    let model = Cached::new(answer("old").then(answer("new"))).ttl(Duration::from_secs(10));
    ask(&model, request("a")).await;
    tokio::time::advance(Duration::from_secs(9)).await;
    assert_eq!(ask(&model, request("a")).await.0, "old!");
    // Using it does not prolong it.
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&model, request("a")).await.0, "new!");
    let for_ever = Cached::new(answer("x")).ttl(Duration::MAX);
    ask(&for_ever, request("a")).await;
    assert_eq!(ask(&for_ever, request("a")).await.1, Some(Usage::default()));
}

#[tokio::test]
async fn the_one_used_longest_ago_goes_first_and_the_bound_holds() {
    let scripted = Scripted::words(["x".repeat(1_000)]);
    let model = Cached::new(scripted.clone()).bytes(4_000);
    for text in ["a", "b", "a", "c"] {
        ask(&model, request(text)).await;
        let shelf = model.cupboard.shelf();
        let held: usize = shelf.kept.values().map(|kept| kept.bytes).sum();
        assert!(shelf.bytes == held && held <= 4_000 && shelf.order.len() == shelf.kept.len(), "{held}");
    }
    assert_eq!(scripted.asked(), 3);
    ask(&model, request("a")).await;
    assert_eq!(scripted.asked(), 3, "it was used later than b");
    ask(&model, request("b")).await;
    assert_eq!(scripted.asked(), 4);
}

#[tokio::test]
async fn what_is_larger_than_the_cache_is_not_even_held() {
    let scripted = Scripted::words(["x".repeat(1_000), "y".repeat(1_000)]);
    let model = Cached::new(scripted.clone()).bytes(1_200);
    for _ in 0..2 {
        assert_eq!(ask(&model, request("a")).await.0.len(), 2_000);
    }
    assert_eq!((scripted.asked(), model.cupboard.shelf().bytes), (2, 0));
}
