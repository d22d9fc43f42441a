//! The request's JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::OpenAi;
use crate::message::{Detail, Part, Role, ToolCall};
use crate::model::http::json;
use crate::model::said::{as_text, outcome, steps, texts};
use crate::model::{ModelRequest, Params, PromptMessage, ToolSpec};

/// The body of a request.
pub(super) fn body(model: &OpenAi, request: &ModelRequest) -> Vec<u8> {
    let ModelRequest { messages, params, tools, .. } = request;
    let Params { temperature, top_p, max_tokens, stop, seed } = params;
    // OpenAI's newer models refuse the old name; other servers know only that.
    let hosted = model.endpoint.base_url.host_str() == Some("api.openai.com");
    let body = Body {
        model: model.asked(request),
        messages: messages.iter().flat_map(said).collect(),
        stream: true,
        stream_options: model.usage.then_some(StreamOptions { include_usage: true }),
        temperature: *temperature,
        top_p: *top_p,
        max_tokens: max_tokens.filter(|_| !hosted),
        max_completion_tokens: max_tokens.filter(|_| hosted),
        stop,
        seed: *seed,
        tools: tools.iter().map(|function| Offered { r#type: "function", function }).collect(),
    };
    json(&body)
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offered<'a>>,
}

/// A tool, as the model is told of it.
#[derive(Serialize)]
struct Offered<'a> {
    r#type: &'static str,
    function: &'a ToolSpec,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Said<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<Piece<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: Cow<'a, str>,
}

/// What the protocol makes of one message: an assistant's message with tool results in it becomes several.
fn said(message: &PromptMessage) -> Vec<Message<'_>> {
    let parts = message.content.parts();
    match message.role {
        Role::System | Role::Summary => vec![plain("system", texts(parts))],
        Role::User => vec![Message { content: user(parts), ..plain("user", Cow::Borrowed("")) }],
        Role::Assistant => assistant(parts),
    }
}

fn plain<'a>(role: &'static str, text: Cow<'a, str>) -> Message<'a> {
    Message { role, content: Said::Text(text), tool_calls: Vec::new(), tool_call_id: None }
}

/// Plain text as a string, which every server understands; a list only where there are pictures.
fn user(parts: &[Part]) -> Said<'_> {
    if !parts.iter().any(|part| matches!(part, Part::Image(_))) {
        return Said::Text(texts(parts));
    }
    let pieces = parts.iter().filter_map(|part| match part {
        Part::Text { text } => Some(Piece::Text { text }),
        Part::Image(image) => Some(Piece::ImageUrl { image_url: ImageUrl { url: &image.url, detail: image.detail } }),
        _ => None,
    });
    Said::Parts(pieces.collect())
}

/// Its steps: text and calls, then the results, then the next text. Reasoning is not sent back: servers refuse it.
fn assistant(parts: &[Part]) -> Vec<Message<'_>> {
    let mut out = Vec::new();
    for (step, answers) in steps(parts) {
        let tool_calls: Vec<_> = step.iter().filter_map(call).collect();
        let text = texts(step);
        if !(text.is_empty() && tool_calls.is_empty()) {
            out.push(Message { tool_calls, ..plain("assistant", text) });
        }
        out.extend(answers.iter().filter_map(result));
    }
    out
}

fn call(part: &Part) -> Option<Call<'_>> {
    let Part::ToolCall(ToolCall { id, name, arguments }) = part else { return None };
    let function = Function { name, arguments: as_text(arguments) };
    Some(Call { id, r#type: "function", function })
}

fn result(part: &Part) -> Option<Message<'_>> {
    let Part::ToolResult(result) = part else { return None };
    Some(Message { tool_call_id: Some(&result.id), ..plain("tool", outcome(result)) })
}
