//! One session that goes from one provider's protocol to another's in mid-conversation.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use catgpt_core::testkit::{FakeServer, Script};
use catgpt_core::{
    Anthropic, ByName, Content, Engine, Event, Image, OpenAi, Price, Prices, Responses, Session, Status,
};
use serde_json::{Value, json};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n-";

fn models(url: &str) -> ByName {
    ByName::new()
        .with("anthropic:*", Anthropic::new("sk-ant").base_url(url).unwrap().thinking(1024))
        .with("responses:*", Responses::new("sk-two").base_url(url).unwrap().effort("low"))
        .with("*", OpenAi::new("sk-one").base_url(url).unwrap())
}

async fn say(session: &Session, words: impl Into<Content>, model: &str) -> (String, String) {
    let mut reply = session.send(words).model(model).await.unwrap();
    let (mut text, mut thought) = (String::new(), String::new());
    while let Some(event) = futures_util::StreamExt::next(&mut reply).await {
        match event {
            Event::Text { text: more, .. } => text += &more,
            Event::Reasoning { text: more, .. } => thought += &more,
            Event::Finished(finished) => assert_eq!(finished.status, Status::Complete, "{finished:?}"),
            _ => {}
        }
    }
    (text, thought)
}

#[tokio::test]
async fn a_session_changes_its_protocol_and_each_is_sent_all_that_was_said() {
    let server = FakeServer::start().await;
    let price = |it| Price::per_million(it, 0.0).unwrap();
    let prices = Prices::new().with("claude-*", price(1.0)).with("gpt-*", price(2.0)).with("*", price(9.0));
    let engine = Engine::builder().model(models(&server.url())).prices(prices).build();
    let session = engine.user("alice").unwrap().session("chat").unwrap();
    let picture = || Content::from("What is this?").image(Image::from_bytes(PNG).unwrap());
    server.next(Script::text(["A cat."]).thinks("Fur."));
    server.next(Script::text(["Still a cat."]).thinks("Paws."));
    server.next(Script::text(["Yes."]).thinks("Whiskers."));
    server.next("Bye.");
    assert_eq!(say(&session, picture(), "gpt-4o").await, ("A cat.".into(), "Fur.".into()));
    assert_eq!(say(&session, "Sure?", "anthropic:claude-sonnet-4-5").await, ("Still a cat.".into(), "Paws.".into()));
    assert_eq!(say(&session, "Really?", "responses:gpt-5").await, ("Yes.".into(), "Whiskers.".into()));
    assert_eq!(say(&session, "Bye", "anthropic:claude-haiku-4-5").await.0, "Bye.");

    let asked = server.requests();
    let paths: Vec<_> = asked.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/messages"]);
    let names: Vec<_> = asked.iter().map(|request| request.body["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["gpt-4o", "claude-sonnet-4-5", "gpt-5", "claude-haiku-4-5"]);
    let keys: Vec<_> =
        asked.iter().map(|request| (request.header("authorization"), request.header("x-api-key"))).collect();
    assert_eq!(keys[..3], [(Some("Bearer sk-one"), None), (None, Some("sk-ant")), (Some("Bearer sk-two"), None)]);
    // The picture went to each of them in its own form, and nobody's thoughts went anywhere.
    assert_eq!(asked[1].body["messages"][0]["content"][1]["source"]["media_type"], "image/png");
    assert!(
        asked[2].body["input"][0]["content"][1]["image_url"].as_str().unwrap().starts_with("data:image/png;base64,")
    );
    for request in &asked {
        let body = request.body.to_string();
        assert!(!body.contains("Fur") && !body.contains("Paws") && !body.contains("Whiskers"), "{body}");
    }
    let said = |messages: &Value| messages.as_array().unwrap().iter().map(|it| it["role"].clone()).collect::<Vec<_>>();
    assert_eq!(
        said(&asked[3].body["messages"]),
        ["user", "assistant", "user", "assistant", "user", "assistant", "user"]
    );
    assert_eq!(asked[3].body["thinking"], json!({ "type": "enabled", "budget_tokens": 1024 }));
    let kept: Vec<_> = session.history(20).await.unwrap().iter().filter_map(|message| message.usage).collect();
    assert_eq!(kept.iter().map(|usage| (usage.input_tokens, usage.cached_tokens)).collect::<Vec<_>>(), [(10, 4); 4]);
    // What a million tokens cost is the same in each protocol.
    let replies: Vec<_> = session.history(20).await.unwrap().into_iter().filter(|it| it.usage.is_some()).collect();
    let costs: Vec<_> = replies.iter().map(|it| (it.model.as_deref().unwrap(), it.cost)).collect();
    let named = ["gpt-4o", "anthropic:claude-sonnet-4-5", "responses:gpt-5", "anthropic:claude-haiku-4-5"];
    assert_eq!(costs, named.into_iter().zip([20, 10, 20, 10].map(Some)).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_models_of_all_providers_are_listed_by_the_names_that_reach_them() {
    let server = FakeServer::start().await;
    let engine = Engine::builder().model(models(&server.url())).build();
    let ids: Vec<_> = engine.models().await.unwrap().into_iter().map(|model| model.id).collect();
    let all = ["anthropic:fake", "anthropic:fake-mini", "fake", "fake-mini", "responses:fake", "responses:fake-mini"];
    assert_eq!(ids, all);
}
