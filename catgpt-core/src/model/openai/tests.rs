//! Settings, addresses, and the request's JSON.

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::message::{Content, Detail, Image, Part, Role, ToolCall, ToolResult};
use crate::model::{Params, PromptMessage};

fn from(vars: &[(&str, &str)]) -> Result<OpenAi> {
    let var = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    OpenAi::from_vars(Vars::read(Protocol::OpenAi, &Access::default(), var))
}

fn base(url: &str) -> String {
    http::shown(&http::base_url(url).unwrap())
}

#[test]
fn the_environment_chooses_the_endpoint() {
    let hosted = from(&[("OPENAI_API_KEY", " sk-1\n"), ("OPENAI_BASE_URL", "")]).unwrap();
    assert_eq!(hosted.endpoint.key, Some(Secret::from("sk-1")));
    assert_eq!((http::shown(&hosted.endpoint.base_url).as_str(), hosted.name()), (Protocol::OpenAi.base_url(), MODEL));
    let local = from(&[("OPENAI_BASE_URL", "http://localhost:1/v1/"), ("OPENAI_MODEL", "llama")]).unwrap();
    assert_eq!((local.endpoint.key.as_ref(), local.name()), (None, "llama"));
    let error = from(&[("OPENAI_MODEL", "llama")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().contains("OPENAI_API_KEY") && error.message().contains("OPENAI_BASE_URL"));
}

#[test]
fn base_urls_are_checked_and_tidied() {
    let tidy = "http://localhost:8080/v1";
    for url in
        ["http://localhost:8080/v1", "http://localhost:8080/v1/", " http://localhost:8080/v1/chat/completions/#x "]
    {
        assert_eq!(base(url), tidy);
    }
    assert_eq!(base("https://a.example"), "https://a.example/");
    for url in ["", "localhost:8080", "ftp://a.example", "file:///etc", "http://", "https://user:pass@a.example/v1"] {
        let error = http::base_url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
        assert!(!format!("{error:?}").contains("pass@"), "{error:?}");
    }
}

#[test]
fn keys_and_headers_are_not_shown() {
    let model = OpenAi::new("sk-hidden").header("api-key", "hidden-too").unwrap();
    let model = model.base_url("https://a.example/v1?key=hidden").unwrap();
    let shown = format!("{model:?}");
    assert!(!shown.contains("hidden") && shown.contains("api-key") && shown.contains("a.example"), "{shown}");
    assert_eq!(model.clone().header("a b", "x").unwrap_err().kind(), ErrorKind::InvalidInput);
    let error = model.header("a", "hidden\n").unwrap_err();
    assert!(!format!("{error:?}").contains("hidden"), "{error:?}");
}

fn body(model: &OpenAi, request: &ModelRequest) -> Value {
    serde_json::from_slice(&request::body(model, request)).unwrap()
}

fn conversation() -> ModelRequest {
    let call = ToolCall { id: "c1".into(), name: "weather".into(), arguments: json!({ "city": "Kyoto" }) };
    let result = ToolResult { id: "c1".into(), output: json!({ "sun": true }), is_error: false };
    let image = Part::Image(Image::new("https://a.example/cat.png").detail(Detail::Low));
    let user: Content = [Part::text("What is this?"), image].into_iter().collect();
    let reasoning = Part::Reasoning { text: "hm".into() };
    let steps =
        [Part::text("Let me look."), reasoning, Part::ToolCall(call), Part::ToolResult(result), Part::text("Sunny.")];
    ModelRequest {
        messages: vec![
            PromptMessage::new(Role::System, "You are a cat."),
            PromptMessage::new(Role::Summary, "They spoke of Kyoto."),
            PromptMessage { role: Role::User, content: user },
            PromptMessage { role: Role::Assistant, content: steps.into_iter().collect() },
            PromptMessage { role: Role::Assistant, content: Content::default() },
            PromptMessage::new(Role::User, "Thanks"),
        ],
        params: Params {
            temperature: Some(0.7),
            top_p: Some(0.9),
            max_tokens: Some(100),
            stop: vec!["\n\n".into()],
            seed: Some(7),
        },
        model: Some("gpt-4o".into()),
        ..ModelRequest::default()
    }
}

#[test]
fn a_request_holds_the_whole_conversation() {
    insta::assert_json_snapshot!(body(&OpenAi::keyless("http://localhost/v1").unwrap(), &conversation()));
}

#[test]
fn a_plain_request_is_plain() {
    let request = ModelRequest { messages: vec![PromptMessage::new(Role::User, "Hi")], ..ModelRequest::default() };
    insta::assert_json_snapshot!(body(&OpenAi::new("sk-1"), &request));
}

#[test]
fn servers_differ_in_what_they_take() {
    let hosted = body(&OpenAi::new("sk-1"), &conversation());
    assert_eq!((&hosted["max_tokens"], &hosted["max_completion_tokens"]), (&Value::Null, &json!(100)));
    let old = body(&OpenAi::new("sk-1").without_usage(), &conversation());
    assert_eq!(old.get("stream_options"), None);
}
