//! Markdown: the active branch of a conversation for people to read, in a form that is read back without loss of text.
//!
//! ```markdown
//! ---
//! catgpt: 1
//! id: "trip"
//! title: "Kyoto"
//! ---
//!
//! ## User <!-- {"at":"2026-11-21T17:44:33.123Z"} -->
//!
//! Plan three days in Kyoto
//!
//! ## Assistant <!-- {"at":"2026-11-21T17:44:35.000Z","model":"gpt-4o-mini"} -->
//!
//! With pleasure.
//!
//! ### Image
//!
//! ![a temple](<https://example.com/kyoto.png> "image/png")
//! ```
//!
//! Text stands as it is. Only a line of it that would be taken for one of these headings gets a backslash, which Markdown
//! does not show. What somebody wrote by hand needs no more than the headings of messages.

mod read;

use serde::{Deserialize, Serialize};

use super::time;
use super::transcript::Heading;
use crate::error::ErrorInfo;
use crate::message::{FinishReason, Image, Message, Part, Role, Status, Usage};

pub(super) use read::read;

/// The version of the form.
const VERSION: u32 = 1;

const ROLES: [(&str, Role); 4] =
    [("User", Role::User), ("Assistant", Role::Assistant), ("System", Role::System), ("Summary", Role::Summary)];

/// The headings of parts. What has no form of its own stands as JSON.
const PARTS: [(&str, Form); 7] = [
    ("Text", Form::Text),
    ("Reasoning", Form::Reasoning),
    ("Image", Form::Image),
    ("Source", Form::Source),
    ("Tool call", Form::Json),
    ("Tool result", Form::Json),
    ("Part", Form::Json),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Reasoning,
    Image,
    Source,
    Json,
}

/// What stands in the comment beside a message's heading.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Aside {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish_reason: Option<FinishReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorInfo>,
}

/// The role that a line gives to what follows, and the comment beside it.
fn role(line: &str) -> Option<(Role, &str)> {
    let name = line.strip_prefix("## ")?;
    ROLES.iter().find_map(|(word, role)| {
        let rest = name.strip_prefix(word)?.trim_end();
        (rest.is_empty() || rest.starts_with(" <!--")).then_some((*role, rest))
    })
}

/// The form that a line gives to what follows.
fn form(line: &str) -> Option<Form> {
    let name = line.strip_prefix("### ")?.trim_end();
    PARTS.iter().find(|(word, _)| *word == name).map(|(_, form)| *form)
}

/// Whether a line begins another document, given the line after it.
fn begins_document(line: &str, next: Option<&str>) -> bool {
    line.trim_end() == "---" && next.is_some_and(|next| next.starts_with("catgpt:"))
}

/// Whether a line, but for the backslashes before it, would be read as something else than text.
fn is_mark(line: &str, next: Option<&str>) -> bool {
    let bare = line.trim_start_matches('\\');
    role(bare).is_some() || form(bare).is_some() || begins_document(bare, next)
}

/// The beginning of a document; one before it ends there.
pub(super) fn front(heading: &Heading) -> String {
    let text = |text: &str| serde_json::to_string(text).expect("a text has a JSON form");
    let mut lines = vec!["---".to_owned(), format!("catgpt: {VERSION}"), format!("id: {}", text(heading.id.as_str()))];
    lines.extend(heading.title.as_ref().map(|title| format!("title: {}", text(title))));
    lines.extend(heading.persona.as_ref().map(|persona| format!("persona: {}", text(&persona.name))));
    lines.push(format!("created: {}", time::format(heading.created_ms)));
    lines.push(format!("updated: {}", time::format(heading.updated_ms)));
    lines.push("---\n\n".to_owned());
    lines.join("\n")
}

/// A message with its heading.
pub(super) fn message(message: &Message) -> String {
    let name = ROLES.iter().find(|(_, role)| *role == message.role).map_or("User", |(name, _)| name);
    let aside = Aside {
        at: Some(time::format(message.created_ms)),
        model: message.model.clone(),
        status: Some(message.status).filter(|status| *status != Status::Complete),
        finish_reason: message.finish_reason.clone(),
        usage: message.usage,
        cost: message.cost,
        error: message.error.clone(),
    };
    // No `>` stands in it, so that it cannot end the comment.
    let aside = serde_json::to_string(&aside).expect("plain data has a JSON form").replace('>', "\\u003e");
    let mut out = format!("## {name} <!-- {aside} -->\n\n");
    for (n, part) in message.content.parts().iter().enumerate() {
        let (heading, body) = written(part);
        if n > 0 || heading != "Text" {
            out += &format!("### {heading}\n\n");
        }
        out += &format!("{body}\n\n");
    }
    out
}

/// A part: its heading and what stands below.
fn written(part: &Part) -> (&'static str, String) {
    match part {
        Part::Text { text } => ("Text", escaped(text)),
        Part::Reasoning { text } => ("Reasoning", escaped(text)),
        Part::Image(image) if image.detail.is_none() && all_plain(image) => {
            let alt = image.alt.as_deref().unwrap_or("image");
            let kind = image.media_type.as_ref().map(|kind| format!(" \"{kind}\"")).unwrap_or_default();
            ("Image", format!("![{alt}](<{}>{kind})", image.url))
        }
        Part::Citation { url, title: None } if plain(url) => ("Source", format!("<{url}>")),
        Part::Citation { url, title: Some(title) } if plain(url) && plain(title) => {
            ("Source", format!("[{title}](<{url}>)"))
        }
        Part::ToolCall(_) => ("Tool call", fenced(part)),
        Part::ToolResult(_) => ("Tool result", fenced(part)),
        _ => ("Part", fenced(part)),
    }
}

fn all_plain(image: &Image) -> bool {
    [&image.alt, &image.media_type].into_iter().flatten().chain([&image.url]).all(|text| plain(text))
}

/// Whether it can stand in a link as it is.
fn plain(text: &str) -> bool {
    let strange = |c: char| c.is_control() || matches!(c, '<' | '>' | '[' | ']' | '\\');
    !text.is_empty() && text != "image" && !text.contains(strange)
}

fn fenced(part: &Part) -> String {
    // JSON has no line that could end the fence: its texts hold no line ends.
    format!("```json\n{}\n```", serde_json::to_string_pretty(part).expect("plain data has a JSON form"))
}

/// Text with a backslash before each line that would be read as a heading.
fn escaped(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let next = |n: usize| lines.get(n + 1).copied();
    let line = |(n, line): (usize, &&str)| format!("{}{line}", if is_mark(line, next(n)) { "\\" } else { "" });
    lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
