//! ChatGPT's export: a list of conversations, each a tree of nodes, in one file or in several.
//!
//! Nobody promises its form, so nothing of it is relied on that is not needed: a field that is missing or of another type
//! is one that is not there, an entry that cannot be read costs no other, and what has no place here is kept in the
//! nearest form that there is. One reply of ChatGPT is a chain of nodes (thoughts, calls of tools, their results, the
//! answer); here it is one message with parts.

mod assets;
mod content;
mod files;
mod split;
mod tree;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::BufRead;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use self::assets::Assets;
use self::split::{Element, Elements};
use super::transcript::{Heading, LeftOut, Transcript};
use super::{Flow, Found, Take, fingerprint, time};
use crate::body::TitleSource;
use crate::error::{Error, Result};
use crate::id::SessionId;

pub(super) use files::{folder, zip};

/// A field as it stands in the file; what it holds is looked at when it is needed.
type Raw<'a> = Option<&'a RawValue>;

#[derive(Deserialize)]
struct Conversation<'a> {
    #[serde(borrow, default)]
    conversation_id: Raw<'a>,
    #[serde(borrow, default)]
    id: Raw<'a>,
    #[serde(borrow, default)]
    title: Raw<'a>,
    #[serde(borrow, default)]
    create_time: Raw<'a>,
    #[serde(borrow, default)]
    update_time: Raw<'a>,
    #[serde(borrow, default)]
    mapping: Raw<'a>,
    #[serde(borrow, default)]
    current_node: Raw<'a>,
    #[serde(borrow, default)]
    default_model_slug: Raw<'a>,
    #[serde(borrow, default)]
    is_archived: Raw<'a>,
    #[serde(borrow, default)]
    is_starred: Raw<'a>,
    #[serde(borrow, default)]
    gizmo_id: Raw<'a>,
}

#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow, default)]
    parent: Raw<'a>,
    #[serde(borrow, default)]
    children: Raw<'a>,
    #[serde(borrow, default)]
    message: Raw<'a>,
}

/// What a conversation is read with.
struct Reading<'a> {
    assets: &'a Assets,
    left_out: LeftOut,
}

impl Reading<'_> {
    fn leave_out(&mut self, reason: &str) {
        *self.left_out.entry(reason.to_owned()).or_default() += 1;
    }
}

/// Reads a file of conversations, one at a time.
pub(super) fn read(input: &mut dyn BufRead, take: &mut Take<'_>) -> Result<()> {
    each(input, &Assets::default(), take).map(drop)
}

fn each(input: &mut dyn BufRead, assets: &Assets, take: &mut Take<'_>) -> Result<Flow> {
    let mut elements = Elements::new(input);
    // After something broken come pieces of it, of which nothing is said, until the next conversation.
    let mut lost = false;
    while let Some(element) = elements.next().map_err(super::unreadable)? {
        let found = match element {
            Element::Whole(bytes) => conversation(bytes, assets, lost),
            Element::Cut(bytes) => Err(broken(bytes, cut(bytes))),
            Element::TooLong => {
                let error = Error::invalid("a conversation is too long to be read").with("max", split::MAX_ELEMENT);
                Err(Found::refused(None, None, error))
            }
        };
        let found = match found {
            Ok(found) => {
                lost &= found.is_none();
                found
            }
            Err(refused) => {
                elements.back_up();
                (!std::mem::replace(&mut lost, true)).then_some(refused)
            }
        };
        if found.is_some_and(|found| take(found) == Flow::Stop) {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::On)
}

fn cut(of: &[u8]) -> Error {
    let text = match of {
        [] => "the file ends before its list of conversations does: download the export again",
        _ => "a conversation ends in its middle: if it is the last one, download the export again",
    };
    Error::new(crate::error::ErrorKind::Truncated, text)
}

fn broken(bytes: &[u8], error: Error) -> Found {
    Found::refused(None, split::title(bytes), error)
}

/// The conversation in an object; as an error, what says that the object is none. When `lost`, what has no messages is
/// passed over.
fn conversation(bytes: &[u8], assets: &Assets, lost: bool) -> std::result::Result<Option<Found>, Found> {
    let text = String::from_utf8_lossy(bytes);
    let read = serde_json::from_str::<Conversation<'_>>(&text);
    let conversation = read
        .map_err(|error| broken(bytes, Error::invalid("a conversation is not JSON").with("column", error.column())))?;
    if lost && conversation.mapping.is_none() {
        return Ok(None);
    }
    let mut reading = Reading { assets, left_out: LeftOut::new() };
    if matches!(text, Cow::Owned(_)) {
        reading.leave_out("characters that are not UTF-8");
    }
    Ok(Some(understood(&conversation, &text, reading)))
}

fn understood(conversation: &Conversation<'_>, text: &str, mut reading: Reading<'_>) -> Found {
    let title = string(conversation.title).filter(|title| !title.trim().is_empty());
    let id = identity(conversation, text);
    let Some(nodes) = conversation.mapping.and_then(|mapping| value::<BTreeMap<String, &RawValue>>(Some(mapping)))
    else {
        let error = Error::invalid("this entry has no messages in a form that is known");
        return Found::refused(Some(id), title, error);
    };
    let mut heading = Heading::new(id);
    heading.created_ms = moment(conversation.create_time).unwrap_or(0);
    heading.updated_ms = moment(conversation.update_time).unwrap_or(0);
    heading.titled_by = title.as_ref().map(|_| TitleSource::User);
    heading.title = title;
    heading.archived = value::<bool>(conversation.is_archived).unwrap_or(false);
    heading.pinned = value::<bool>(conversation.is_starred).unwrap_or(false);
    if let Some(gizmo) = string(conversation.gizmo_id) {
        heading.metadata.insert("chatgpt_gizmo".into(), gizmo.into());
    }
    let model = string(conversation.default_model_slug);
    let current = string(conversation.current_node);
    let (messages, head) = tree::messages(&nodes, current.as_deref(), model.as_deref(), &mut reading);
    heading.head = head;
    Found::transcript(Transcript { heading, messages }, reading.left_out)
}

/// The id stays the same from one export to the next, as the conversation's own does.
fn identity(conversation: &Conversation<'_>, text: &str) -> SessionId {
    let own = string(conversation.conversation_id).or_else(|| string(conversation.id));
    let named = own.and_then(|id| SessionId::new(format!("chatgpt:{id}")).ok());
    named.unwrap_or_else(|| fingerprint("chatgpt", std::iter::once(text.as_bytes())))
}

fn string(raw: Raw<'_>) -> Option<String> {
    value::<String>(raw).filter(|text| !text.is_empty())
}

fn moment(raw: Raw<'_>) -> Option<i64> {
    instant(&value::<Value>(raw)?)
}

/// Seconds with a fraction, as ChatGPT writes them; other exporters write texts.
fn instant(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => time::from_number(number.as_f64()?),
        Value::String(text) => time::parse(text).or_else(|| time::from_number(text.parse().ok()?)),
        _ => None,
    }
}

/// What a field holds, if it is of this type.
fn value<'a, T: Deserialize<'a>>(raw: Raw<'a>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// The same, also where a text was cut inside a character: JavaScript then writes half of it, which is no character.
fn owned<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).or_else(|_| serde_json::from_str(&split::without_halves(raw.get()))).ok()
}

#[cfg(test)]
mod tests;
