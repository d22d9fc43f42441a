//! Settings, and the request's JSON.

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::message::{Content, Detail, Image, Part, Role, ToolCall, ToolResult};
use crate::model::{Params, PromptMessage, ToolSpec};

fn body(model: &Responses, request: &ModelRequest) -> Value {
    serde_json::from_slice(&request::body(model, request).unwrap()).unwrap()
}

fn client() -> Responses {
    Responses::new("sk-1")
}

fn thought(provider: &str) -> Part {
    let value = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x" });
    Part::Provider { provider: provider.into(), value }
}

fn conversation() -> ModelRequest {
    let pictures: Content = [
        Part::text("What is this?"),
        Part::Image(Image::new("https://a.example/cat.png").detail(Detail::Low)),
        Part::Image(Image::new("data:image/png;base64,iVBORw0KGgo=")),
    ]
    .into_iter()
    .collect();
    let call = |id: &str| {
        Part::ToolCall(ToolCall { id: id.into(), name: "weather".into(), arguments: json!({ "city": "Kyoto" }) })
    };
    let result = |id: &str, output, is_error| Part::ToolResult(ToolResult { id: id.into(), output, is_error });
    let steps: Content = [
        thought("openai"),
        thought("anthropic"),
        Part::text("Let me look."),
        Part::Reasoning { text: "hm".into() },
        call("c1"),
        call("c2"),
        // Nothing came of it.
        thought("openai"),
        result("c1", json!({ "sun": true }), false),
        result("c2", json!("no such city"), true),
        thought("openai"),
        Part::text("Sunny."),
    ]
    .into_iter()
    .collect();
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    ModelRequest {
        messages: vec![
            PromptMessage::new(Role::System, "You are a cat."),
            PromptMessage::new(Role::User, "Meow?"),
            PromptMessage::new(Role::Assistant, "Meow."),
            PromptMessage::new(Role::System, "They spoke of Kyoto."),
            PromptMessage { role: Role::User, content: pictures },
            PromptMessage { role: Role::Assistant, content: steps },
            PromptMessage { role: Role::Assistant, content: Content::default() },
            PromptMessage::new(Role::User, "Thanks"),
        ],
        params: Params {
            temperature: Some(0.7),
            top_p: Some(0.9),
            max_tokens: Some(100),
            seed: Some(7),
            stop: Vec::new(),
        },
        model: Some("responses:gpt-5-mini".into()),
        tools: [ToolSpec { name: "weather".into(), description: "Tells the weather.".into(), parameters }].into(),
        ..ModelRequest::default()
    }
}

#[test]
fn a_request_holds_the_whole_conversation() {
    insta::assert_json_snapshot!(body(&client().effort("low").summary("auto"), &conversation()));
}

#[test]
fn a_plain_request_is_plain() {
    let request = ModelRequest { messages: vec![PromptMessage::new(Role::User, "Hi")], ..ModelRequest::default() };
    insta::assert_json_snapshot!(body(&client(), &request));
}

#[test]
fn thoughts_are_asked_for_where_they_may_have_to_be_sent_back() {
    let asked = |model: Responses, name: Option<&str>, tools: bool| {
        let mut request = ModelRequest { model: name.map(str::to_owned), ..conversation() };
        if !tools {
            request.tools = Arc::default();
        }
        body(&model, &request).get("include").is_some()
    };
    assert!(asked(client(), Some("gpt-5"), true) && asked(client(), Some("o4-mini"), true));
    assert!(asked(client().effort("low"), Some("my-model"), true));
    assert!(!asked(client(), Some("gpt-4o"), true) && !asked(client(), Some("gpt-5-chat-latest"), true));
    assert!(!asked(client(), Some("gpt-5"), false));
}

#[test]
fn what_the_protocol_does_not_take_is_refused_by_its_name() {
    let request = ModelRequest { params: Params { stop: vec!["x".into()], ..Params::default() }, ..conversation() };
    let error = request::body(&client(), &request).unwrap_err();
    assert_eq!((error.kind(), error.context("field")), (ErrorKind::InvalidInput, Some("stop")));
    let shown = format!("{:?}", client());
    assert!(!shown.contains("sk-1") && shown.contains("gpt-4o-mini"), "{shown}");
}
