//! One node's message: who speaks, and its parts in our words.

use serde_json::{Map, Value, json};

use super::assets::media_type;
use super::{Assets, Reading, instant};
use crate::message::{FinishReason, Image, Part, Role, Status, ToolCall, ToolResult};

/// A message of a node.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) role: Role,
    pub(super) parts: Vec<Part>,
    pub(super) model: Option<String>,
    pub(super) status: Status,
    pub(super) finish_reason: Option<FinishReason>,
    pub(super) at_ms: Option<i64>,
}

/// Who wrote a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Author<'a> {
    User,
    System,
    Assistant,
    /// The assistant, to a tool.
    Caller(&'a str),
    Tool,
}

/// What a message says; `None` for one that says nothing.
pub(super) fn said(message: &Value, reading: &mut Reading<'_>) -> Option<Said> {
    let (content, metadata) = (&message["content"], &message["metadata"]);
    let author = author(message);
    let hidden = metadata["is_visually_hidden_from_conversation"] == true;
    let mut parts = parts(content, matches!(author, Author::Caller(_)), reading);
    parts.extend(attachments(metadata, &parts, reading.assets));
    parts.retain(|part| !matches!(part, Part::Text { text } | Part::Reasoning { text } if text.trim().is_empty()));
    let role = match author {
        // What the user has set up once, and what is shown to nobody, is an instruction.
        Author::User if hidden || is_context(content) => Role::System,
        Author::User => Role::User,
        Author::System => Role::System,
        _ => Role::Assistant,
    };
    let parts = match author {
        Author::Caller(tool) => called(message, tool, parts),
        Author::Tool => answered(message, parts),
        Author::Assistant if hidden => parts.into_iter().map(unspoken).collect(),
        Author::Assistant => parts.into_iter().chain(citations(metadata)).collect(),
        Author::User | Author::System => parts,
    };
    if parts.is_empty() {
        return None;
    }
    let (status, finish_reason) = ending(message, role);
    let model = metadata["model_slug"].as_str().filter(|model| role == Role::Assistant && !model.is_empty());
    let at_ms = instant(&message["create_time"]).or_else(|| instant(&message["update_time"]));
    Some(Said { role, parts, model: model.map(str::to_owned), status, finish_reason, at_ms })
}

fn author(message: &Value) -> Author<'_> {
    let to = message["recipient"].as_str().unwrap_or("all");
    match message["author"]["role"].as_str() {
        Some("user") => Author::User,
        Some("system" | "developer") => Author::System,
        Some("tool" | "function") => Author::Tool,
        _ if to.is_empty() || to == "all" => Author::Assistant,
        _ => Author::Caller(to),
    }
}

fn is_context(content: &Value) -> bool {
    matches!(content["content_type"].as_str(), Some("user_editable_context" | "model_editable_context"))
}

fn ending(message: &Value, role: Role) -> (Status, Option<FinishReason>) {
    if role != Role::Assistant {
        return (Status::Complete, None);
    }
    match (message["status"].as_str(), message["metadata"]["finish_details"]["type"].as_str()) {
        (Some("in_progress"), _) => (Status::Interrupted, None),
        (_, Some("interrupted")) => (Status::Cancelled, None),
        (_, Some("max_tokens")) => (Status::Complete, Some(FinishReason::Length)),
        (_, Some("stop")) => (Status::Complete, Some(FinishReason::Stop)),
        _ => (Status::Complete, None),
    }
}

/// The content, by its type. Code is fenced for people, but not for a tool.
fn parts(content: &Value, to_tool: bool, reading: &mut Reading<'_>) -> Vec<Part> {
    let text = |name: &str| content[name].as_str().filter(|text| !text.is_empty());
    let of = |names: &[&str]| -> String { names.iter().filter_map(|name| text(name)).collect::<Vec<_>>().join("\n\n") };
    match content["content_type"].as_str() {
        Some("code") => {
            let language = text("language").filter(|language| !to_tool && *language != "unknown");
            let fenced = |language| format!("```{language}\n{}\n```", of(&["text"]));
            vec![Part::text(language.map_or_else(|| of(&["text"]), fenced))]
        }
        Some("thoughts") => thoughts(content),
        Some("reasoning_recap") => vec![Part::Reasoning { text: of(&["content"]) }],
        Some("user_editable_context") => vec![Part::text(of(&["user_profile", "user_instructions"]))],
        Some("model_editable_context") => vec![Part::text(of(&["model_set_context", "repo_summary"]))],
        Some("execution_output" | "system_error") => vec![Part::text(of(&["name", "text"]))],
        Some("tether_quote" | "sonic_webpage") => quote(content, of(&["title", "text"])),
        Some("tether_browsing_display") => vec![Part::text(of(&["result", "summary"]))],
        _ if content["parts"].is_array() => pieces(content["parts"].as_array().into_iter().flatten(), reading),
        _ if content.is_null() => Vec::new(),
        _ => vec![anything(content)],
    }
}

fn thoughts(content: &Value) -> Vec<Part> {
    let thoughts = content["thoughts"].as_array().into_iter().flatten();
    let text = |thought: &Value| {
        let said = ["summary", "content"].into_iter().filter_map(|name| thought[name].as_str());
        said.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    };
    let older = content["parts"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let all: Vec<String> = thoughts.map(text).chain(older).filter(|text| !text.is_empty()).collect();
    vec![Part::Reasoning { text: all.join("\n\n") }]
}

fn quote(content: &Value, text: String) -> Vec<Part> {
    let source = content["url"]
        .as_str()
        .filter(|url| !url.is_empty())
        .map(|url| Part::Citation { url: url.to_owned(), title: content["title"].as_str().map(str::to_owned) });
    std::iter::once(Part::text(text)).chain(source).collect()
}

/// The parts of a text with pictures and sounds. Texts that follow each other are lines of one.
fn pieces<'a>(pieces: impl Iterator<Item = &'a Value>, reading: &mut Reading<'_>) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for part in pieces.flat_map(|piece| part(piece, reading)) {
        match (parts.last_mut(), part) {
            (Some(Part::Text { text }), Part::Text { text: more }) => {
                text.push('\n');
                text.push_str(&more);
            }
            (_, part) => parts.push(part),
        }
    }
    parts
}

fn part(piece: &Value, reading: &mut Reading<'_>) -> Vec<Part> {
    let pointer = |piece: &Value| piece["asset_pointer"].as_str().map(|pointer| reading.assets.find(pointer));
    let kind = piece["content_type"].as_str().unwrap_or_default();
    match piece {
        Value::Null => Vec::new(),
        Value::String(text) => vec![Part::text(text)],
        Value::Number(_) | Value::Bool(_) => vec![Part::text(piece.to_string())],
        _ if kind == "image_asset_pointer" || kind == "image_url" => {
            let url = pointer(piece).or_else(|| piece["image_url"]["url"].as_str().map(str::to_owned));
            match url {
                Some(url) => vec![Part::Image(Image { media_type: media_type(&url), ..Image::new(url) })],
                None => {
                    reading.leave_out("pictures without a file");
                    Vec::new()
                }
            }
        }
        _ if kind.ends_with("_asset_pointer") => sounds(piece, reading),
        _ if kind.starts_with("tether_") || kind == "sonic_webpage" => parts(piece, false, reading),
        _ => match piece["text"].as_str() {
            Some(text) => vec![Part::text(text)],
            None => vec![anything(piece)],
        },
    }
}

/// Sounds and films: links to their files.
fn sounds(piece: &Value, reading: &mut Reading<'_>) -> Vec<Part> {
    let inner = ["audio_asset_pointer", "video_container_asset_pointer"].map(|name| &piece[name]);
    let all = std::iter::once(piece).chain(inner);
    let found: Vec<_> = all.filter_map(|piece| piece["asset_pointer"].as_str()).collect();
    if found.is_empty() {
        reading.leave_out("sounds without a file");
    }
    let link = |pointer: &&str| Part::text(format!("[recording](<{}>)", reading.assets.find(pointer)));
    found.iter().map(link).collect()
}

/// What this version does not know: its text if it has one, else as it came.
fn anything(content: &Value) -> Part {
    match ["text", "result", "content"].into_iter().find_map(|name| content[name].as_str()) {
        Some(text) => Part::text(text),
        None => Part::Unknown(json!({ "type": "chatgpt", "content": content })),
    }
}

/// Files that were attached, but for pictures, which are parts already.
fn attachments(metadata: &Value, parts: &[Part], assets: &Assets) -> Vec<Part> {
    let shown = |path: &str| parts.iter().any(|part| matches!(part, Part::Image(image) if image.url == path));
    let attached = metadata["attachments"].as_array().into_iter().flatten();
    let links = attached.filter_map(|file| {
        let id = file["id"].as_str().or_else(|| file["file_id"].as_str())?;
        let path = assets.find(id);
        let picture = parts.iter().any(|part| matches!(part, Part::Image(image) if image.url.ends_with(id)));
        let name = file["name"].as_str().unwrap_or(id);
        (!picture && !shown(&path)).then(|| format!("[{name}](<{path}>)"))
    });
    let links: Vec<String> = links.collect();
    let apart = if matches!(parts.last(), Some(Part::Text { .. })) { "\n\n" } else { "" };
    if links.is_empty() { Vec::new() } else { vec![Part::text(format!("{apart}{}", links.join("\n")))] }
}

/// Words to a tool are a call.
fn called(message: &Value, tool: &str, parts: Vec<Part>) -> Vec<Part> {
    let (texts, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| matches!(part, Part::Text { .. }));
    let text: String = texts.iter().map(words).collect();
    if text.is_empty() {
        return others;
    }
    let arguments = match serde_json::from_str(&text) {
        Ok(Value::Object(arguments)) => Value::Object(arguments),
        _ => Value::Object(Map::from_iter([("input".to_owned(), Value::String(text))])),
    };
    let call = ToolCall { id: identity(message), name: callable(tool), arguments };
    std::iter::once(Part::ToolCall(call)).chain(others).collect()
}

/// What a tool says is the result of a call; which one, is known when the two are put together.
fn answered(message: &Value, parts: Vec<Part>) -> Vec<Part> {
    let (texts, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| matches!(part, Part::Text { .. }));
    let text: String = texts.iter().map(words).collect();
    if text.is_empty() {
        return others;
    }
    let is_error = message["content"]["content_type"] == "system_error";
    let result = ToolResult { id: identity(message), output: text.into(), is_error };
    std::iter::once(Part::ToolResult(result)).chain(others).collect()
}

fn words(part: &Part) -> &str {
    match part {
        Part::Text { text } => text,
        _ => "",
    }
}

/// What the model said to nobody.
fn unspoken(part: Part) -> Part {
    match part {
        Part::Text { text } => Part::Reasoning { text },
        other => other,
    }
}

fn identity(message: &Value) -> String {
    message["id"].as_str().unwrap_or("call").chars().take(64).collect()
}

/// A tool's name as endpoints take it, so that the conversation can go on there.
fn callable(tool: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    tool.chars().take(64).map(|c| if fits(c) { c } else { '_' }).collect()
}

/// The sources that stand beside an answer, each once.
fn citations(metadata: &Value) -> Vec<Part> {
    let list = |value: &'_ Value| value.as_array().cloned().unwrap_or_default();
    let beside = list(&metadata["citations"]).into_iter().map(|mut citation| citation["metadata"].take());
    let all = list(&metadata["content_references"]).into_iter().chain(beside);
    let all = all.chain(list(&metadata["_cite_metadata"]["metadata_list"]));
    let mut found: Vec<Part> = Vec::new();
    for source in all {
        let title = source["title"].as_str().filter(|title| !title.is_empty()).map(str::to_owned);
        let known = |url: &str| found.iter().any(|part| matches!(part, Part::Citation { url: one, .. } if one == url));
        if let Some(url) = source["url"].as_str().filter(|url| !url.is_empty() && !known(url)) {
            found.push(Part::Citation { url: url.to_owned(), title });
        }
    }
    found
}
