//! Settings, addresses, and the request's JSON.

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorKind;
use crate::message::{Content, Image, Part, Role, ToolCall, ToolResult};
use crate::model::{Params, PromptMessage, ToolSpec};

fn body(model: &Anthropic, request: &ModelRequest) -> Value {
    serde_json::from_slice(&request::body(model, request).unwrap()).unwrap()
}

fn client() -> Anthropic {
    Anthropic::new("sk-ant-1")
}

fn said(messages: Vec<PromptMessage>) -> ModelRequest {
    ModelRequest { messages, ..ModelRequest::default() }
}

fn call(id: &str, arguments: Value) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: "weather".into(), arguments })
}

fn result(id: &str, output: Value, is_error: bool) -> Part {
    Part::ToolResult(ToolResult { id: id.into(), output, is_error })
}

fn thought(provider: &str) -> Part {
    let value = json!({ "type": "thinking", "thinking": "hm", "signature": "sig" });
    Part::Provider { provider: provider.into(), value }
}

fn reply(parts: impl IntoIterator<Item = Part>) -> PromptMessage {
    PromptMessage { role: Role::Assistant, content: parts.into_iter().collect() }
}

fn tools() -> Arc<[ToolSpec]> {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    [ToolSpec { name: "weather".into(), description: "Tells the weather.".into(), parameters }].into()
}

fn conversation() -> ModelRequest {
    let pictures: Content = [
        Part::text("What is this?"),
        Part::Image(Image::new("https://a.example/cat.png")),
        Part::Image(Image::new("data:image/png;base64,iVBORw0KGgo=")),
        Part::Image(Image::new("ref:1").alt("a dog")),
    ]
    .into_iter()
    .collect();
    let steps = [
        thought("anthropic"),
        thought("openai"),
        Part::text("Let me look."),
        Part::Reasoning { text: "hm".into() },
        call("c1", json!({ "city": "Kyoto" })),
        call("c2", json!("not json")),
        result("c1", json!({ "sun": true }), false),
        result("c2", json!("no such city"), true),
        Part::text("Sunny."),
    ];
    ModelRequest {
        messages: vec![
            PromptMessage::new(Role::System, "You are a cat."),
            PromptMessage::new(Role::Assistant, "Meow?"),
            PromptMessage::new(Role::System, "They spoke of Kyoto."),
            PromptMessage { role: Role::User, content: pictures },
            reply(steps),
            reply([]),
            PromptMessage::new(Role::User, "Thanks"),
            PromptMessage::new(Role::User, " "),
            PromptMessage::new(Role::User, "Bye"),
        ],
        params: Params {
            temperature: Some(0.5),
            top_p: None,
            max_tokens: Some(100),
            stop: vec!["\n\n".into()],
            seed: Some(7),
        },
        model: Some("anthropic:claude-haiku-4-5".into()),
        tools: tools(),
        ..ModelRequest::default()
    }
}

#[test]
fn a_request_holds_the_whole_conversation() {
    insta::assert_json_snapshot!(body(&client(), &conversation()));
}

#[test]
fn a_plain_request_is_plain() {
    insta::assert_json_snapshot!(body(&client(), &said(vec![PromptMessage::new(Role::User, "Hi")])));
}

#[test]
fn addresses_are_taken_with_and_without_the_version() {
    for (url, base) in [
        ("https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
        ("https://a.example/api/anthropic", "https://a.example/api/anthropic/v1"),
        ("http://127.0.0.1:1/v1/messages", "http://127.0.0.1:1/v1"),
    ] {
        assert_eq!(client().base_url(url).unwrap().endpoint.base_url.as_str(), base);
        let vars = Vars { base_url: Some(url.into()), ..Vars::default() };
        assert_eq!(Anthropic::from_vars(vars).unwrap().endpoint.base_url.as_str(), base);
    }
    let error = Anthropic::from_vars(Vars::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.message().contains("ANTHROPIC_API_KEY") && error.message().contains("ANTHROPIC_BASE_URL"));
    let shown = format!("{:?}", client());
    assert!(!shown.contains("sk-ant") && shown.contains("claude"), "{shown}");
}

#[test]
fn what_the_protocol_does_not_take_is_refused_by_its_name() {
    let with = |temperature| ModelRequest {
        params: Params { temperature: Some(temperature), ..Params::default() },
        ..said(vec![PromptMessage::new(Role::User, "Hi")])
    };
    for model in [client(), client().thinking(2048), client().adaptive_thinking()] {
        request::body(&model, &with(1.0)).unwrap();
    }
    for (model, temperature) in [(client(), 1.5), (client().thinking(2048), 0.5), (client().adaptive_thinking(), 0.5)] {
        let error = request::body(&model, &with(temperature)).unwrap_err();
        assert_eq!((error.kind(), error.context("field")), (ErrorKind::InvalidInput, Some("temperature")));
    }
}

#[test]
fn an_answer_has_room_for_its_thoughts_or_comes_without() {
    let asked = |model: Anthropic, max_tokens| {
        let params = Params { max_tokens, ..Params::default() };
        let body = body(&model, &ModelRequest { params, ..said(vec![PromptMessage::new(Role::User, "Hi")]) });
        (body["max_tokens"].as_u64().unwrap(), body["thinking"]["budget_tokens"].as_u64())
    };
    assert_eq!(asked(client(), None), (32_000, None));
    assert_eq!(asked(client().model("claude-3-haiku-20240307"), None), (4096, None));
    assert_eq!(asked(client().model("glm-4.6"), None), (8192, None));
    assert_eq!(asked(client().max_tokens(500), None), (500, None));
    assert_eq!(asked(client().max_tokens(500), Some(20)), (20, None));
    assert_eq!(asked(client().thinking(2048), None), (32_000, Some(2048)));
    assert_eq!(asked(client().thinking(40_000), None), (44_096, Some(40_000)));
    assert_eq!(asked(client().thinking(1), Some(3000)), (3000, Some(1024)));
    // A title is asked for in a few tokens: there is nothing to think about.
    assert_eq!(asked(client().thinking(2048), Some(50)), (50, None));
    let adaptive =
        body(&client().adaptive_thinking().effort("high"), &said(vec![PromptMessage::new(Role::User, "Hi")]));
    assert_eq!(
        (&adaptive["thinking"], &adaptive["output_config"]),
        (&json!({ "type": "adaptive" }), &json!({ "effort": "high" }))
    );
}

#[test]
fn a_reply_that_began_without_thoughts_goes_on_without() {
    let user = PromptMessage::new(Role::User, "Hi");
    let step = [call("a", json!({})), result("a", json!(1), false)];
    let bare = ModelRequest { tools: tools(), ..said(vec![user.clone(), reply(step.clone())]) };
    let thinking = client().thinking(2048);
    assert_eq!(body(&thinking, &bare).get("thinking"), None);
    // A model that thinks as it sees fit has chosen so, and may choose otherwise.
    assert_eq!(body(&client().adaptive_thinking(), &bare)["thinking"]["type"], "adaptive");
    let thought = [thought("anthropic")].into_iter().chain(step.clone());
    let thought = ModelRequest { tools: tools(), ..said(vec![user.clone(), reply(thought)]) };
    assert_eq!(body(&thinking, &thought)["thinking"]["type"], "enabled");
    // A turn that is over does not count.
    let over = reply(step.into_iter().chain([Part::text("One.")]));
    let over = ModelRequest { tools: tools(), ..said(vec![user.clone(), over, user]) };
    assert_eq!(body(&thinking, &over)["thinking"]["type"], "enabled");
}

#[test]
fn tools_that_were_called_are_known_where_none_may_be_called() {
    let steps =
        [call("a", json!({})), result("a", json!(1), false), call("b", Value::Null), result("b", json!(2), false)];
    let body = body(&client(), &said(vec![PromptMessage::new(Role::User, "Hi"), reply(steps)]));
    assert_eq!(body["tools"], json!([{ "name": "weather", "input_schema": { "type": "object" } }]));
    assert_eq!(body["tool_choice"], json!({ "type": "none" }));
}

#[test]
fn ids_of_other_models_are_made_fit_and_each_is_used_once() {
    let step = |id: &str| [call(id, json!({})), result(id, json!(id), false)];
    let steps = ["functions.f:0", "functions.f:0", "", "ok-1"].iter().flat_map(|id| step(id));
    let body = body(&client(), &said(vec![PromptMessage::new(Role::User, "Hi"), reply(steps)]));
    let blocks: Vec<_> =
        body["messages"].as_array().unwrap().iter().flat_map(|it| it["content"].as_array().unwrap()).collect();
    let of = |name: &str| blocks.iter().filter_map(|block| block[name].as_str()).collect::<Vec<_>>();
    assert_eq!(of("tool_use_id"), ["functions_f_0", "functions_f_0_2", "call", "ok-1"]);
    let used: Vec<_> =
        blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| block["id"].as_str().unwrap()).collect();
    assert_eq!(used, of("tool_use_id"));
}

#[test]
fn thoughts_without_what_came_of_them_are_left_out() {
    let body = body(
        &client(),
        &said(vec![PromptMessage::new(Role::User, "Hi"), reply([Part::text("Well."), thought("anthropic")])]),
    );
    assert_eq!(body["messages"][1]["content"], json!([{ "type": "text", "text": "Well." }]));
}
