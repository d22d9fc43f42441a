//! Pictures that people send and models show, which models there are, and answers that are given again.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use catgpt_core::model::Step;
use catgpt_core::{
    Cached, Content, Detail, Engine, ErrorKind, Event, Image, Message, Part, Scripted, Session, Status, Usage,
};
use common::{Store, all, engine, text_of};
use serde_json::json;

on_each_memory! {
    a_message_holds_text_and_pictures
    a_picture_alone_is_a_message
    an_edit_may_bring_another_picture
    a_key_stands_for_the_picture_too
    what_is_no_picture_is_refused
    a_model_without_eyes_is_not_sent_any
    a_refused_picture_fails_one_turn_only
    a_model_shows_a_picture
    a_kept_answer_costs_nothing_and_regenerating_asks_anew
}

const CAT: &str = "https://example.org/cat.png";

fn session(engine: &Engine) -> Session {
    engine.user("alice").unwrap().session("trip").unwrap()
}

async fn history(engine: &Engine) -> Vec<Message> {
    session(engine).history(100).await.unwrap()
}

fn status_of(events: &[Event]) -> (Status, Option<ErrorKind>, Option<Usage>) {
    match events.last() {
        Some(Event::Finished(end)) => (end.status, end.error.as_ref().map(|error| error.kind), end.usage),
        other => panic!("the last event is {other:?}"),
    }
}

/// What the model was last asked, as JSON.
fn asked(model: &Scripted) -> serde_json::Value {
    json!(model.requests().pop().unwrap().messages.last().unwrap().content)
}

async fn a_message_holds_text_and_pictures(store: Store) {
    let model = Scripted::reply("A cat.");
    let engine = engine(&model, &store);
    let image = Image::new(CAT).alt("a cat").detail(Detail::Low);
    all(session(&engine).send(Content::from("What is ").image(image).image("ref:7")).await.unwrap()).await;
    let cat = json!({ "type": "image", "url": CAT, "alt": "a cat", "detail": "low" });
    let stored = json!([{ "type": "text", "text": "What is " }, cat, { "type": "image", "url": "ref:7" }]);
    assert_eq!(json!(history(&engine).await[0].content), stored);
    let sent = json!([{ "type": "text", "text": "What is " }, cat, { "type": "text", "text": "\n[image]\n" }]);
    assert_eq!(asked(&model), sent);
}

async fn a_picture_alone_is_a_message(store: Store) {
    let model = Scripted::reply("A cat.");
    let engine = engine(&model, &store);
    all(session(&engine).send(Image::new(CAT).alt("My cat")).await.unwrap()).await;
    assert_eq!(session(&engine).info().await.unwrap().title.as_deref(), Some("My cat"));
    assert_eq!(history(&engine).await[0].content.len(), 1);
}

async fn an_edit_may_bring_another_picture(store: Store) {
    let model = Scripted::reply("A cat.");
    let engine = engine(&model, &store);
    all(session(&engine).send("What is this?").await.unwrap()).await;
    all(session(&engine).edit(1, Content::from("What is this?").image(CAT)).await.unwrap()).await;
    assert_eq!(history(&engine).await[0].content.parts()[1], Part::Image(Image::new(CAT)));
}

async fn a_key_stands_for_the_picture_too(store: Store) {
    let model = Scripted::reply("A cat.");
    let engine = engine(&model, &store);
    let send = |url: &str| session(&engine).send(Content::from("What?").image(url)).key("k");
    let first = send(CAT).await.unwrap().turn();
    assert_eq!(send(CAT).await.unwrap().turn(), first);
    assert_eq!(send("ref:1").await.unwrap_err().kind(), ErrorKind::Conflict);
}

async fn what_is_no_picture_is_refused(store: Store) {
    let engine = engine(&Scripted::reply("no"), &store);
    let large = Image::new(format!("data:image/png;base64,{}", "AAAA".repeat(4 << 20)));
    let refused: [Content; 6] = [
        Content::from("look").image("cat.png"),
        Content::from("look").image("file:///cat.png"),
        Content::from(" \n "),
        Content::default(),
        large.into(),
        [Part::Citation { url: CAT.into(), title: None }].into_iter().collect(),
    ];
    for content in refused {
        let error = session(&engine).send(content).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert_eq!(session(&engine).history(9).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_model_without_eyes_is_not_sent_any(store: Store) {
    let model = Scripted::reply("A cat.");
    all(session(&engine(&model, &store)).send(Image::new(CAT)).await.unwrap()).await;
    let blind = model.clone().without_images();
    let engine = engine(&blind, &store);
    let error = session(&engine).send(Image::new(CAT)).await.unwrap_err();
    assert_eq!((error.kind(), model.asked()), (ErrorKind::Refused, 1));
    // An application's own reference is not for its eyes anyhow, and of older pictures it reads the words.
    all(session(&engine).send(Content::from("and this?").image("ref:1")).await.unwrap()).await;
    let request = model.requests().pop().unwrap();
    let texts: Vec<_> = request.messages.iter().skip(1).map(|message| message.content.text()).collect();
    assert_eq!(texts, ["\n[image]\n", "A cat.", "and this?\n[image]\n"]);
}

async fn a_refused_picture_fails_one_turn_only(store: Store) {
    let model = Scripted::script([Step::fails(ErrorKind::Refused)]).then(Scripted::reply("Hello."));
    let engine = engine(&model, &store);
    let refused = all(session(&engine).send(Content::from("What?").image(CAT)).await.unwrap()).await;
    assert_eq!(status_of(&refused).1, Some(ErrorKind::Refused));
    let next = all(session(&engine).send("Then just say hello").await.unwrap()).await;
    assert_eq!((text_of(&next).as_str(), status_of(&next).0), ("Hello.", Status::Complete));
    let images =
        |message: &catgpt_core::PromptMessage| message.content.parts().iter().any(|p| matches!(p, Part::Image(_)));
    assert!(!model.requests().pop().unwrap().messages.iter().any(images));
}

async fn a_model_shows_a_picture(store: Store) {
    let chart = Part::Unknown(json!({ "type": "chart", "points": [1, 2] }));
    let picture = Part::Image(Image::new("ref:drawing").alt("a cat"));
    let steps = [Step::text("Here: "), Step::part(picture.clone()), Step::part(chart.clone()), Step::stop()];
    let model = Scripted::script(steps).then(Scripted::reply("Yes."));
    let engine = engine(&model, &store);
    let events = all(session(&engine).send("Draw a cat").await.unwrap()).await;
    let Event::Started(started) = &events[0] else { panic!("{events:?}") };
    let shown = |events: &[Event]| {
        let part =
            |event: &Event| if let Event::Part { part, offset } = event { Some((part.clone(), *offset)) } else { None };
        events.iter().filter_map(part).collect::<Vec<_>>()
    };
    assert_eq!(shown(&events), [(picture.clone(), 7), (chart.clone(), 8)]);
    // Stored, and shown again to whoever comes later, but not to who has it.
    for (from, count) in [(0, 2), (6, 2), (7, 1), (8, 0)] {
        assert_eq!(shown(&all(session(&engine).attach(started.turn, from).await.unwrap()).await).len(), count);
    }
    assert_eq!(history(&engine).await[1].content.parts()[1..], [picture, chart]);
    all(session(&engine).send("Is it grey?").await.unwrap()).await;
    let reply = &model.requests().pop().unwrap().messages[2];
    assert_eq!(reply.content.text(), "Here: \n[image: a cat]\n");
}

async fn a_kept_answer_costs_nothing_and_regenerating_asks_anew(store: Store) {
    let answer = |text: &str| Scripted::script([Step::text(text), Step::usage(10, 2), Step::stop()]);
    let scripted = answer("one").then(answer("two"));
    let engine = engine(&Cached::new(scripted.clone()), &store);
    let paid = |tokens| Some(Usage { input_tokens: tokens, output_tokens: tokens / 5, ..Usage::default() });
    for (name, tokens) in [("a", 10), ("b", 0)] {
        let session = engine.user(name).unwrap().session("s").unwrap();
        let events = all(session.send("Hello").await.unwrap()).await;
        assert_eq!((text_of(&events).as_str(), status_of(&events).2), ("one", paid(tokens)));
    }
    let session = engine.user("b").unwrap().session("s").unwrap();
    let events = all(session.regenerate(None).await.unwrap()).await;
    assert_eq!((text_of(&events).as_str(), status_of(&events).2), ("two", paid(10)));
    assert_eq!(scripted.asked(), 2);
}

#[tokio::test]
async fn an_engine_lists_what_its_model_lists() {
    let engine = |model| Engine::builder().model(Cached::new(model)).build();
    let listed = engine(Scripted::reply("x").named("one")).models().await.unwrap();
    assert_eq!(json!(listed), json!([{ "id": "one" }]));
}
