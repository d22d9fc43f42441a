//! The request's JSON.

use std::borrow::Cow;

use serde::Serialize;

use super::Config;
use crate::message::{Detail, Part, Role, ToolCall, ToolResult};
use crate::model::{ModelRequest, Params, PromptMessage};

/// The body of a request.
pub(super) fn body(config: &Config, request: &ModelRequest) -> Vec<u8> {
    let ModelRequest { messages, params, model, .. } = request;
    let Params { temperature, top_p, max_tokens, stop, seed } = params;
    // OpenAI's newer models refuse the old name; other servers know only that.
    let hosted = config.base_url.host_str() == Some("api.openai.com");
    let body = Body {
        model: model.as_deref().unwrap_or(&config.model),
        messages: messages.iter().flat_map(said).collect(),
        stream: true,
        stream_options: config.usage.then_some(StreamOptions { include_usage: true }),
        temperature: *temperature,
        top_p: *top_p,
        max_tokens: max_tokens.filter(|_| !hosted),
        max_completion_tokens: max_tokens.filter(|_| hosted),
        stop,
        seed: *seed,
    };
    serde_json::to_vec(&body).expect("texts and numbers are always JSON")
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
    let mut rest = parts;
    while !rest.is_empty() {
        let results = |part: &Part| matches!(part, Part::ToolResult(_));
        let (step, after) = rest.split_at(rest.iter().position(results).unwrap_or(rest.len()));
        let (answers, after) = after.split_at(after.iter().position(|part| !results(part)).unwrap_or(after.len()));
        let tool_calls: Vec<_> = step.iter().filter_map(call).collect();
        let text = texts(step);
        if !(text.is_empty() && tool_calls.is_empty()) {
            out.push(Message { tool_calls, ..plain("assistant", text) });
        }
        out.extend(answers.iter().filter_map(result));
        rest = after;
    }
    out
}

fn texts(parts: &[Part]) -> Cow<'_, str> {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Text { text } => Some(text.as_str()),
        _ => None,
    });
    let first = Cow::Borrowed(texts.next().unwrap_or_default());
    texts.fold(first, |all, text| all + text)
}

fn call(part: &Part) -> Option<Call<'_>> {
    let Part::ToolCall(ToolCall { id, name, arguments }) = part else { return None };
    let function = Function { name, arguments: as_text(arguments) };
    Some(Call { id, r#type: "function", function })
}

fn result(part: &Part) -> Option<Message<'_>> {
    let Part::ToolResult(ToolResult { id, output, .. }) = part else { return None };
    Some(Message { tool_call_id: Some(id), ..plain("tool", as_text(output)) })
}

fn as_text(value: &serde_json::Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(value.to_string()),
    }
}
