//! The request's JSON, in OpenAI's Responses.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json as value};

use super::{PROVIDER, Responses};
use crate::error::{Error, Result};
use crate::message::{Part, Role, ToolCall};
use crate::model::http::json;
use crate::model::said::{as_text, outcome, steps, texts};
use crate::model::{ModelRequest, ToolSpec};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    instructions: Cow<'a, str>,
    input: Vec<Value>,
    stream: bool,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning<'a>>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    include: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Offered<'a>>,
}

#[derive(Serialize)]
struct Reasoning<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
}

/// A tool, as the model is told of it. Strict would mean that its schema may not say all that schemas can.
#[derive(Serialize)]
struct Offered<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    function: &'a ToolSpec,
    strict: bool,
}

/// The body of a request.
///
/// # Errors
/// `InvalidInput`, naming the field, for parameters that the protocol does not take.
pub(super) fn body(model: &Responses, request: &ModelRequest) -> Result<Vec<u8>> {
    let ModelRequest { messages, params, tools, .. } = request;
    if !params.stop.is_empty() {
        let rule = "this model's protocol has no `stop`: leave it out, or ask the model by its plain name";
        return Err(Error::invalid(rule).with("field", "stop"));
    }
    let (effort, summary) = (model.effort.as_deref(), model.summary.as_deref());
    let instructs = messages.iter().take_while(|message| message.role == Role::System).count();
    let keeps = !tools.is_empty() && model.thinks(request);
    let instructions = messages[..instructs].iter().map(|message| texts(message.content.parts()));
    Ok(json(&Body {
        model: model.asked(request),
        instructions: instructions.reduce(|all, text| all + "\n\n" + text).unwrap_or_default(),
        input: messages[instructs..].iter().flat_map(|message| said(message.role, message.content.parts())).collect(),
        stream: true,
        store: false,
        temperature: params.temperature,
        top_p: params.top_p,
        max_output_tokens: params.max_tokens,
        reasoning: (effort.is_some() || summary.is_some()).then_some(Reasoning { effort, summary }),
        include: if keeps { &["reasoning.encrypted_content"] } else { &[] },
        tools: tools.iter().map(|function| Offered { r#type: "function", function, strict: false }).collect(),
    }))
}

/// What the protocol makes of one message: a reply with tool calls becomes several items.
fn said(role: Role, parts: &[Part]) -> Vec<Value> {
    match role {
        Role::System | Role::Summary => vec![message("system", texts(parts))],
        Role::User => vec![value!({ "type": "message", "role": "user", "content": user(parts) })],
        Role::Assistant => steps(parts)
            .into_iter()
            .flat_map(|(step, answers)| {
                let mut items = assistant(step);
                items.extend(answers.iter().filter_map(result));
                items
            })
            .collect(),
    }
}

fn message(role: &str, text: Cow<'_, str>) -> Value {
    value!({ "type": "message", "role": role, "content": text })
}

/// Plain text as a string; a list only where there are pictures.
fn user(parts: &[Part]) -> Value {
    if !parts.iter().any(|part| matches!(part, Part::Image(_))) {
        return texts(parts).into();
    }
    let pieces = parts.iter().filter_map(|part| match part {
        Part::Text { text } => Some(value!({ "type": "input_text", "text": text })),
        Part::Image(image) => {
            let detail = image.detail.map_or_else(|| "auto".into(), |detail| value!(detail));
            Some(value!({ "type": "input_image", "image_url": image.url, "detail": detail }))
        }
        _ => None,
    });
    pieces.collect()
}

/// The items of one step. A thought goes back only before what came of it: alone it is refused.
fn assistant(step: &[Part]) -> Vec<Value> {
    let (mut items, mut thoughts) = (Vec::new(), Vec::new());
    let mut said = String::new();
    for part in step {
        match part {
            Part::Text { text } => {
                items.append(&mut thoughts);
                said.push_str(text);
            }
            Part::ToolCall(call) => {
                speak(&mut said, &mut items);
                items.append(&mut thoughts);
                items.push(asked(call));
            }
            Part::Provider { provider, value } if provider == PROVIDER => {
                speak(&mut said, &mut items);
                thoughts.push(value.clone());
            }
            _ => {}
        }
    }
    speak(&mut said, &mut items);
    items
}

/// Makes an item of what was said since the last one.
fn speak(said: &mut String, items: &mut Vec<Value>) {
    if !said.is_empty() {
        items.push(message("assistant", Cow::Owned(std::mem::take(said))));
    }
}

fn asked(call: &ToolCall) -> Value {
    let ToolCall { id, name, arguments } = call;
    value!({ "type": "function_call", "call_id": id, "name": name, "arguments": as_text(arguments) })
}

fn result(part: &Part) -> Option<Value> {
    let Part::ToolResult(result) = part else { return None };
    Some(value!({ "type": "function_call_output", "call_id": result.id, "output": outcome(result) }))
}
