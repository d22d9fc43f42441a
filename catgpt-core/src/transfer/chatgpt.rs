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
    while let Some(element) = elements.next().map_err(super::unreadable)? {
        let flow = match element {
            Element::Whole(bytes) => conversation(bytes, assets, take),
            Element::Cut(bytes) => mended(bytes, cut(), assets, take),
            Element::TooLong => {
                let error = Error::invalid("a conversation is too long to be read").with("max", split::MAX_ELEMENT);
                take(Found::refused(None, None, error))
            }
        };
        if flow == Flow::Stop {
            return Ok(Flow::Stop);
        }
    }
    Ok(Flow::On)
}

fn cut() -> Error {
    Error::new(crate::error::ErrorKind::Truncated, "the file ends in the middle of a conversation: download it again")
}

fn conversation(bytes: &[u8], assets: &Assets, take: &mut Take<'_>) -> Flow {
    let text = String::from_utf8_lossy(bytes);
    let lossy = matches!(text, Cow::Owned(_));
    match serde_json::from_str::<Conversation<'_>>(&text) {
        Ok(conversation) => {
            let mut reading = Reading { assets, left_out: LeftOut::new() };
            if lossy {
                reading.leave_out("characters that are not UTF-8");
            }
            take(understood(&conversation, &text, reading))
        }
        Err(error) => {
            let broken = Error::invalid("a conversation is not JSON").with("column", error.column());
            mended(bytes, broken, assets, take)
        }
    }
}

/// Refuses what cannot be read, and goes on with the next conversation that begins in it: one bracket too few makes all
/// that follows a part of the broken one.
fn mended(bytes: &[u8], error: Error, assets: &Assets, take: &mut Take<'_>) -> Flow {
    let title = split::title(bytes);
    if take(Found::refused(None, title, error)) == Flow::Stop {
        return Flow::Stop;
    }
    let mut rest = bytes;
    while let Some(at) = split::next_beginning(rest) {
        rest = &rest[at..];
        let mut input = rest;
        let mut elements = Elements::new(&mut input);
        let Ok(Some(Element::Whole(one))) = elements.next() else { continue };
        let text = String::from_utf8_lossy(one);
        // Things that have titles stand inside conversations too.
        let Ok(conversation) = serde_json::from_str::<Conversation<'_>>(&text) else { continue };
        if conversation.mapping.is_some() {
            let reading = Reading { assets, left_out: LeftOut::new() };
            let length = one.len();
            if take(understood(&conversation, &text, reading)) == Flow::Stop {
                return Flow::Stop;
            }
            rest = &rest[length - 1..];
        }
    }
    Flow::On
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
