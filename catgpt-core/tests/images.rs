//! Pictures that are drawn on demand, by a model among others.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use catgpt_core::testkit::{FakeServer, Fault, Script, refused_url};
use catgpt_core::{
    ByName, ChatModel, Engine, Error, ErrorKind, Event, FinishReason, Image, Images, ModelEvent, ModelRequest, OpenAi,
    Part, PromptMessage, Role, Scripted, Session, Status, Usage,
};
use common::{Store, all, eager};
use futures_util::StreamExt;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

on_each_memory! {
    a_picture_is_a_reply_like_any_other
    the_largest_picture_is_kept
    what_cannot_be_drawn_is_refused_before_it_is_stored
    a_picture_is_asked_for_again_and_can_be_stopped
}

fn images(url: &str) -> Images {
    Images::new(OpenAi::new("sk-test").base_url(url).unwrap())
}

fn request(text: &str, model: Option<&str>) -> ModelRequest {
    let earlier = [PromptMessage::new(Role::System, "Be kind"), PromptMessage::new(Role::User, "Hi")];
    let messages =
        [&earlier[..], &[PromptMessage::new(Role::User, text), PromptMessage::new(Role::Assistant, "")]].concat();
    ModelRequest { messages, model: model.map(str::to_owned), ..ModelRequest::default() }
}

async fn drawn(model: &Images, text: &str, name: Option<&str>) -> Result<Vec<ModelEvent>, Error> {
    model.stream(request(text, name)).collect::<Vec<_>>().await.into_iter().collect()
}

fn image(events: &[ModelEvent]) -> &Image {
    match events {
        [ModelEvent::Part(Part::Image(image)), ModelEvent::Usage(_), ModelEvent::Finish(FinishReason::Stop)] => image,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_newest_words_are_drawn() {
    let server = FakeServer::start().await;
    let model = images(&server.url());
    let events = drawn(&model, " a cat\non the moon ", None).await.unwrap();
    let cat = image(&events);
    assert!(cat.url.starts_with("data:image/png;base64,iVBORw0KGgo"));
    assert_eq!((cat.media_type.as_deref(), cat.alt.as_deref()), (Some("image/png"), Some("a cat on the moon")));
    let usage = Usage { input_tokens: 12, output_tokens: 272, ..Usage::default() };
    assert_eq!(events[1], ModelEvent::Usage(usage));
    image(&drawn(&model.clone().size("1536x1024").quality("low"), "a cat", Some("gpt-image-2")).await.unwrap());
    image(&drawn(&model.model("dall-e-3"), "a cat", None).await.unwrap());
    let [first, second, third] = &server.requests()[..] else { panic!("three requests") };
    assert_eq!(
        (first.path.as_str(), first.header("authorization")),
        ("/v1/images/generations", Some("Bearer sk-test"))
    );
    assert_eq!(first.body, json!({ "model": "gpt-image-1", "prompt": "a cat\non the moon" }));
    let sized = json!({ "model": "gpt-image-2", "prompt": "a cat", "size": "1536x1024", "quality": "low" });
    assert_eq!((&second.body, &third.body["response_format"]), (&sized, &Value::from("b64_json")));
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_for_words() {
    let server = FakeServer::start().await;
    let model = images(&server.url()).within(Duration::from_millis(500));
    for (fault, kind, retryable) in [
        (Fault::RateLimit, ErrorKind::RateLimited, true),
        (Fault::Quota, ErrorKind::RateLimited, false),
        (Fault::BadKey, ErrorKind::Unauthorized, false),
        (Fault::NoModel, ErrorKind::NotFound, false),
        (Fault::Filter, ErrorKind::Refused, false),
        (Fault::BadRequest, ErrorKind::InvalidInput, false),
        (Fault::ServerError, ErrorKind::Unavailable, true),
        (Fault::ErrorBody, ErrorKind::Unavailable, true),
        (Fault::Cut, ErrorKind::Unavailable, true),
        (Fault::WholeBody, ErrorKind::Unavailable, false),
        (Fault::Page, ErrorKind::Unavailable, false),
        (Fault::BadJson, ErrorKind::Unavailable, false),
        (Fault::WrongTypes, ErrorKind::Refused, false),
        (Fault::Silence, ErrorKind::Timeout, true),
    ] {
        server.next(fault);
        let error = drawn(&model, "a secret of the user", None).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, retryable), "{fault:?}: {error}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
    let nobody = drawn(&images(&refused_url()), "a cat", None).await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::Unavailable);
    assert_eq!(drawn(&model, " \n", None).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// A server that draws so many bytes.
async fn large(bytes: usize) -> MockServer {
    use base64::Engine as _;
    let picture = base64::engine::general_purpose::STANDARD.encode([&b"GIF89a"[..], &vec![0; bytes - 6]].concat());
    let (server, answer) = (MockServer::start().await, json!({ "data": [{ "b64_json": picture }] }));
    let answered = ResponseTemplate::new(200).set_body_json(answer);
    Mock::given(path("/v1/images/generations")).respond_with(answered).mount(&server).await;
    server
}

#[tokio::test]
async fn a_picture_that_no_message_holds_is_refused() {
    for (bytes, says) in [(Image::MAX_BYTES + 1, "cannot be kept"), (13 << 20, "too large")] {
        let server = large(bytes).await;
        let error = drawn(&images(&format!("{}/v1", server.uri())), "a cat", None).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, false));
        assert!(error.message().contains(says), "{error}");
    }
}

fn session(url: &str, chat: &Scripted, store: &Store) -> Session {
    let model = ByName::new().with("image", images(url)).with("gpt-*", chat.clone());
    let engine = Engine::builder().model(model).memory(store.memory.clone()).retry(eager()).build();
    engine.user("alice").unwrap().session("trip").unwrap()
}

fn pictures(events: &[Event]) -> Vec<&Image> {
    let picture =
        |event| if let &Event::Part { part: Part::Image(ref image), .. } = event { Some(image) } else { None };
    events.iter().filter_map(picture).collect()
}

async fn a_picture_is_a_reply_like_any_other(store: Store) {
    let (server, chat) = (FakeServer::start().await, Scripted::reply("It is orange."));
    let session = session(&server.url(), &chat, &store);
    let events = all(session.send("A cat").model("image").await.unwrap()).await;
    let (Event::Started(started), Some(Event::Finished(end))) = (&events[0], events.last()) else {
        panic!("{events:?}")
    };
    assert_eq!((started.model.as_str(), end.status, end.stored), ("image", Status::Complete, 1));
    assert_eq!((pictures(&events).len(), end.usage.unwrap().output_tokens), (1, 272));
    let kept = session.history(9).await.unwrap();
    assert_eq!(kept[1].content.parts(), [Part::Image(pictures(&events)[0].clone())]);
    assert_eq!(kept[1].model.as_deref(), Some("image"));

    all(session.send("Which colour?").model("gpt-4o").await.unwrap()).await;
    let asked = chat.requests().pop().unwrap();
    assert_eq!((asked.model.as_deref(), asked.messages[2].content.text().trim()), (Some("gpt-4o"), "[image: A cat]"));
}

async fn the_largest_picture_is_kept(store: Store) {
    let server = large(Image::MAX_BYTES).await;
    let session = session(&format!("{}/v1", server.uri()), &Scripted::reply("x"), &store);
    let events = all(session.send("A cat").model("image").await.unwrap()).await;
    assert!(
        matches!(events.last(), Some(Event::Finished(end)) if end.status == Status::Complete),
        "{:?}",
        events.last()
    );
    let kept = session.history(9).await.unwrap().pop().unwrap();
    assert!(matches!(kept.content.parts(), [Part::Image(image)] if image.url.len() > Image::MAX_BYTES));
}

async fn what_cannot_be_drawn_is_refused_before_it_is_stored(store: Store) {
    let (server, chat) = (FakeServer::start().await, Scripted::reply("x"));
    let session = session(&server.url(), &chat, &store);
    let image = Image::new("https://example.org/cat.png");
    assert_eq!(session.send(image.clone()).model("image").await.unwrap_err().kind(), ErrorKind::Refused);
    let unknown = session.send("Hi").model("claude").await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::InvalidInput);
    assert!(unknown.message().ends_with("image, gpt-*"), "{unknown}");
    assert_eq!(session.history(9).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Others of the same engine see.
    all(session.send(image).model("gpt-4o").await.unwrap()).await;
    assert_eq!((chat.asked(), server.requests().len()), (1, 0));
}

async fn a_picture_is_asked_for_again_and_can_be_stopped(store: Store) {
    let server = FakeServer::start().await;
    let session = session(&server.url(), &Scripted::reply("x"), &store);
    server.next(Fault::Overloaded).next(Script::default());
    let events = all(session.send("A cat").model("image").await.unwrap()).await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["started", "retrying", "part", "finished"]);

    server.next(Fault::Silence);
    let reply = session.send("A dog").model("image").await.unwrap();
    server.received(3).await;
    reply.cancel().await.unwrap();
    assert_eq!(reply.result().await.unwrap().status, Status::Cancelled);
    server.hung_up(2).await;
}
