//! The request's JSON, in Anthropic's Messages.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::{Value, json as value};

use super::{Anthropic, PROVIDER, Thinking};
use crate::error::{Error, Result};
use crate::message::{Image, Part, Role, ToolCall, ToolResult};
use crate::model::http::json;
use crate::model::said::{as_text, steps, texts};
use crate::model::{ModelRequest, Params};

/// What stands where a conversation does not begin with the person: the protocol wants the person first.
const BEGIN: &str = "(The conversation begins.)";

/// How many tokens an answer has room for beside its thoughts.
const ANSWER: u32 = 4096;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: Cow<'a, str>,
    messages: Vec<Message>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
}

/// A message: blocks of one side.
#[derive(Debug, Serialize)]
struct Message {
    role: &'static str,
    content: Vec<Value>,
}

/// The body of a request.
///
/// # Errors
/// `InvalidInput`, naming the field, for parameters that the protocol does not take.
pub(super) fn body(model: &Anthropic, request: &ModelRequest) -> Result<Vec<u8>> {
    let params = &request.params;
    let name = model.asked(request);
    let messages = messages(request);
    let (thinking, max_tokens) = thinking(model, name, params, &messages);
    check(params, thinking.is_some())?;
    let (tools, tool_choice) = tools(request, &messages);
    Ok(json(&Body {
        model: name,
        max_tokens,
        system: system(request),
        messages,
        stream: true,
        temperature: params.temperature,
        top_p: params.top_p,
        stop_sequences: &params.stop,
        tools,
        tool_choice,
        thinking,
        output_config: model.effort.as_deref().map(|effort| value!({ "effort": effort })),
    }))
}

fn check(params: &Params, thinks: bool) -> Result<()> {
    let fail = |field, rule: &'static str| Err(Error::invalid(rule).with("field", field));
    match params {
        Params { temperature: Some(t), .. } if thinks && *t != 1.0 => fail(
            "temperature",
            "a model that thinks takes no temperature but 1 here: leave it out, or let it not think",
        ),
        Params { temperature: Some(t), .. } if *t > 1.0 => {
            fail("temperature", "this model takes a temperature from 0 to 1: lower it")
        }
        _ => Ok(()),
    }
}

/// How the model is to think, and how long its answer may be with that.
fn thinking(model: &Anthropic, name: &str, params: &Params, messages: &[Message]) -> (Option<Value>, u32) {
    let usual = model.max_tokens.unwrap_or_else(|| usual_max(name));
    let wanted = params.max_tokens.unwrap_or(usual);
    match model.thinking {
        Thinking::Unsaid => (None, wanted),
        // A reply that sees fit to begin without a thought may have one later.
        Thinking::Adaptive => (Some(value!({ "type": "adaptive" })), wanted),
        Thinking::Budget(_) if began_without_thoughts(messages) => (None, wanted),
        Thinking::Budget(budget) => {
            let unsaid = params.max_tokens.is_none() && model.max_tokens.is_none();
            let most = if unsaid { usual.max(budget.saturating_add(ANSWER)) } else { wanted };
            let thinks = most > budget;
            (thinks.then(|| value!({ "type": "enabled", "budget_tokens": budget })), most)
        }
    }
}

/// How long an answer may be that nobody has set a limit to: what every model of that name takes.
fn usual_max(name: &str) -> u32 {
    match name {
        _ if name.starts_with("claude-3") || name.starts_with("claude-2") => 4096,
        _ if name.starts_with("claude-") => 32_000,
        _ => 8192,
    }
}

/// Whether the reply that goes on has asked for tools without having thought: then it may not begin to with a budget.
fn began_without_thoughts(messages: &[Message]) -> bool {
    let [.., said, given] = messages else { return false };
    let goes_on = given.content.iter().any(|block| block["type"] == "tool_result");
    let first = said.content.first().and_then(|block| block["type"].as_str()).unwrap_or_default();
    goes_on && !matches!(first, "thinking" | "redacted_thinking")
}

/// What the model is told before all: the instructions, wherever they stand.
fn system(request: &ModelRequest) -> Cow<'_, str> {
    let instructs = |role| matches!(role, Role::System | Role::Summary);
    let mut all = request.messages.iter().filter(|message| instructs(message.role));
    let first = all.next().map_or(Cow::Borrowed(""), |message| texts(message.content.parts()));
    all.map(|message| texts(message.content.parts()))
        .filter(|text| !text.is_empty())
        .fold(first, |all, text| if all.is_empty() { text } else { all + "\n\n" + text })
}

/// The tools. Those that were called before have to be known even where none may be called any more.
fn tools(request: &ModelRequest, messages: &[Message]) -> (Vec<Value>, Option<Value>) {
    if !request.tools.is_empty() {
        let offered = request.tools.iter().map(|tool| {
            let mut told = value!({ "name": tool.name, "input_schema": tool.parameters });
            if !tool.description.is_empty() {
                told["description"] = tool.description.as_str().into();
            }
            told
        });
        return (offered.collect(), None);
    }
    let called = messages.iter().flat_map(|message| &message.content).filter(|block| block["type"] == "tool_use");
    let mut names = Vec::new();
    for name in called.filter_map(|block| block["name"].as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let known: Vec<_> =
        names.iter().map(|name| value!({ "name": name, "input_schema": { "type": "object" } })).collect();
    let none = (!known.is_empty()).then(|| value!({ "type": "none" }));
    (known, none)
}

/// The conversation, so that the person begins it and the sides take turns.
fn messages(request: &ModelRequest) -> Vec<Message> {
    let (mut out, mut ids) = (Vec::<Message>::new(), Ids::default());
    for message in &request.messages {
        let parts = message.content.parts();
        match message.role {
            Role::System | Role::Summary => {}
            Role::User => add(&mut out, "user", parts.iter().filter_map(user).collect()),
            Role::Assistant => {
                for (step, answers) in steps(parts) {
                    add(&mut out, "assistant", assistant(step, &mut ids));
                    add(&mut out, "user", answers.iter().filter_map(|part| result(part, &ids)).collect());
                }
            }
        }
    }
    out
}

fn add(out: &mut Vec<Message>, role: &'static str, content: Vec<Value>) {
    if content.is_empty() {
        return;
    }
    if out.is_empty() && role == "assistant" {
        out.push(Message { role: "user", content: vec![text(BEGIN)] });
    }
    match out.last_mut() {
        Some(last) if last.role == role => last.content.extend(content),
        _ => out.push(Message { role, content }),
    }
}

fn text(text: &str) -> Value {
    value!({ "type": "text", "text": text })
}

/// A block of what the person said. Empty ones are refused.
fn user(part: &Part) -> Option<Value> {
    match part {
        Part::Text { text: said } => (!said.trim().is_empty()).then(|| text(said)),
        Part::Image(image) => Some(picture(image)),
        _ => None,
    }
}

fn picture(image: &Image) -> Value {
    let source = match image.url.split_once(":").zip(image.url.split_once(";base64,")) {
        Some(((scheme, kind), (_, data))) if scheme.eq_ignore_ascii_case("data") => {
            let kind = kind.split(';').next().unwrap_or_default();
            value!({ "type": "base64", "media_type": kind, "data": data })
        }
        _ if image.is_visible() => value!({ "type": "url", "url": image.url }),
        _ => return text(&image.in_words()),
    };
    value!({ "type": "image", "source": source })
}

/// The blocks of one step. Thoughts stand before what came of them, or not at all.
fn assistant(step: &[Part], ids: &mut Ids) -> Vec<Value> {
    let mut blocks: Vec<Value> = step
        .iter()
        .filter_map(|part| match part {
            Part::Text { text: said } => (!said.trim().is_empty()).then(|| text(said)),
            Part::Provider { provider, value } if provider == PROVIDER => Some(value.clone()),
            Part::ToolCall(call) => Some(asked(call, ids)),
            _ => None,
        })
        .collect();
    while blocks.last().is_some_and(|block| matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking"))) {
        blocks.pop();
    }
    blocks
}

fn asked(call: &ToolCall, ids: &mut Ids) -> Value {
    // The protocol knows objects only.
    let input = match &call.arguments {
        object @ Value::Object(_) => object.clone(),
        Value::Null => value!({}),
        other => value!({ "arguments": other }),
    };
    value!({ "type": "tool_use", "id": ids.given(&call.id), "name": call.name, "input": input })
}

fn result(part: &Part, ids: &Ids) -> Option<Value> {
    let Part::ToolResult(ToolResult { id, output, is_error }) = part else { return None };
    let mut block = value!({ "type": "tool_result", "tool_use_id": ids.of(id), "content": as_text(output) });
    if *is_error {
        block["is_error"] = true.into();
    }
    Some(block)
}

/// The ids of calls as this protocol takes them: letters, digits, `_` and `-`, and each once. Those of other models may hold
/// more, and begin anew with each step.
#[derive(Default)]
struct Ids {
    latest: HashMap<String, String>,
    used: HashSet<String>,
}

impl Ids {
    /// The id of a call.
    fn given(&mut self, id: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
        let base: String = id.chars().map(plain).collect();
        let base = if base.is_empty() { "call".to_owned() } else { base };
        let mut given = base.clone();
        for n in 2.. {
            if self.used.insert(given.clone()) {
                break;
            }
            given = format!("{base}_{n}");
        }
        self.latest.insert(id.to_owned(), given.clone());
        given
    }

    /// The id of the latest call that had this one.
    fn of<'a>(&'a self, id: &'a str) -> &'a str {
        self.latest.get(id).map_or(id, String::as_str)
    }
}
