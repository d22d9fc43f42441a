//! The versioned encoding of everything that a store keeps as bytes. Stores never look inside.
//!
//! A body is JSON with a version: `{"v":1,"parts":[…]}`. A piece of a running reply is a body too, so that the same
//! fold serves a reader, a follower and a burial. A later version may begin with a byte that is not `{`.

use std::borrow::Cow;
use std::mem::{self, Discriminant};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::encryption::is_sealed;
use crate::error::{Error, ErrorInfo, ErrorKind, Result};
use crate::live::Frame;
use crate::memory::{Chunk, Row, View};
use crate::message::{Content, FinishReason, Message, Offset, Part, Status};

const VERSION: u32 = 1;

/// What a stored message says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Body<'a> {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "parts")]
    pub(crate) content: Cow<'a, Content>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finish_reason: Option<FinishReason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorInfo>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<u64>,
}

impl<'a> Body<'a> {
    pub(crate) fn new(content: &'a Content) -> Self {
        Self { version: VERSION, content: Cow::Borrowed(content), finish_reason: None, error: None, cost: None }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data has a JSON form")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Body<'static>> {
        if bytes.is_empty() {
            return Ok(Body::default());
        }
        let body: Body<'static> = parsed(bytes)?;
        newer("message", body.version)?;
        Ok(body)
    }
}

/// A title and who gave it.
#[derive(Serialize, Deserialize)]
struct Title<'a> {
    v: u32,
    text: Cow<'a, str>,
    by: TitleSource,
}

/// Who gave a session its title; a person's is never overwritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TitleSource {
    /// The beginning of the first prompt.
    #[default]
    Prompt,
    /// A model.
    Model,
    /// A person.
    User,
}

pub(crate) fn encode_title(text: &str, by: TitleSource) -> Vec<u8> {
    serde_json::to_vec(&Title { v: VERSION, text: text.into(), by }).expect("plain data has a JSON form")
}

pub(crate) fn decode_title(bytes: &[u8]) -> Result<(String, TitleSource)> {
    let title: Title<'_> = parsed(bytes)?;
    newer("title", title.v)?;
    Ok((title.text.into_owned(), title.by))
}

/// What an application keeps with a session.
#[derive(Serialize, Deserialize)]
struct Meta<'a> {
    v: u32,
    meta: Cow<'a, Map<String, Value>>,
}

pub(crate) fn encode_meta(meta: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(&Meta { v: VERSION, meta: Cow::Borrowed(meta) }).expect("plain data has a JSON form")
}

pub(crate) fn decode_meta(bytes: &[u8]) -> Result<Map<String, Value>> {
    let meta: Meta<'_> = parsed(bytes)?;
    newer("session's metadata", meta.v)?;
    Ok(meta.meta.into_owned())
}

fn parsed<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    if is_sealed(bytes) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "this store is encrypted: give the engine its keys (the command line takes them from CATGPT_ENCRYPTION_KEYS)",
        ));
    }
    serde_json::from_slice(bytes).map_err(damaged)
}

fn damaged(cause: serde_json::Error) -> Error {
    // The cause may quote the text, so only its place is told.
    let place = format!("{}:{}", cause.line(), cause.column());
    Error::new(ErrorKind::Store, "the store holds a record that cannot be read").with("at", place).with_retryable(false)
}

fn newer(what: &'static str, version: u32) -> Result<()> {
    if version <= VERSION {
        return Ok(());
    }
    let text = format!("a {what} was stored by a newer version of catgpt (format {version}, this one knows {VERSION})");
    Err(Error::new(ErrorKind::Unsupported, text))
}

/// How many bytes a part adds to a body, at most: JSON writes some bytes of a text as two and some as six. Text that
/// follows its own kind is merged into it.
pub(crate) fn encoded_len(part: &Part, after: Option<Discriminant<Part>>) -> u64 {
    /// `{"type":"reasoning","text":""},`, rounded up.
    const AROUND: u64 = 40;
    let escaped = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 2,
        0..32 => 6,
        _ => 1,
    };
    match part {
        Part::Text { text } | Part::Reasoning { text } => {
            let around = if after == Some(mem::discriminant(part)) { 0 } else { AROUND };
            around + text.bytes().map(escaped).sum::<u64>()
        }
        other => serde_json::to_vec(other).map_or(0, |json| json.len() as u64) + 1,
    }
}

/// The content of a running reply, from its pieces in order, beginning at `from`.
pub(crate) fn fold(chunks: &[Chunk], from: Offset) -> Result<Content> {
    let mut whole = Content::default();
    for chunk in chunks {
        let body = Body::decode(&chunk.body)?;
        whole.append(body.content.since(from.saturating_sub(chunk.from)));
    }
    Ok(whole)
}

/// What of a running reply begins at `from`, for those who watch it from elsewhere.
pub(crate) fn frame(content: &Content, from: Offset, last: bool) -> Frame {
    let body = if content.is_empty() { Vec::new() } else { Body::new(content).encode() };
    Frame { end: from + content.len(), body, last }
}

/// What of a frame comes after `seen`; `None` if something between the two is missing.
pub(crate) fn unseen(frame: &Frame, seen: Offset) -> Result<Option<Content>> {
    let content = Body::decode(&frame.body)?.content;
    let start = frame.end.checked_sub(content.len()).filter(|start| *start <= seen || content.is_empty());
    Ok(start.map(|start| content.since(seen.saturating_sub(start))))
}

/// A stored row as a message; a running one with the pieces that it has so far.
pub(crate) fn message(row: Row, chunks: &[Chunk]) -> Result<Message> {
    let mut body = Body::decode(&row.body)?;
    if row.status == Status::Running {
        body.content = Cow::Owned(fold(chunks, 0)?);
    }
    Ok(Message {
        seq: row.seq,
        parent: row.parent,
        turn: row.turn,
        role: row.role,
        status: row.status,
        content: body.content.into_owned(),
        model: row.model,
        finish_reason: body.finish_reason,
        usage: row.usage,
        cost: body.cost,
        error: body.error,
        created_ms: row.created_ms,
    })
}

/// The messages of a view. A reply whose lease has run out is shown as what it will be once it is buried.
pub(crate) fn messages(view: View) -> Result<Vec<Message>> {
    let shown = |row| {
        let mut message = message(row, &view.chunks)?;
        if view.session.expired && message.status == Status::Running {
            message.status = Status::Interrupted;
        }
        Ok(message)
    };
    view.rows.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Detail, Image};
    use proptest::prelude::*;

    #[test]
    fn the_stored_forms_are_frozen() {
        let content = Content::from("hi");
        assert_eq!(
            String::from_utf8(Body::new(&content).encode()).unwrap(),
            r#"{"v":1,"parts":[{"type":"text","text":"hi"}]}"#
        );
        assert_eq!(
            String::from_utf8(encode_title("Trip", TitleSource::User)).unwrap(),
            r#"{"v":1,"text":"Trip","by":"user"}"#
        );
    }

    #[test]
    fn pictures_need_no_newer_form() {
        // Version 0.1 knew this much of a picture; what it does not know it leaves aside, and a new kind of part it keeps.
        let first = br#"{"v":1,"parts":[{"type":"image","url":"https://a.example/cat.png","media_type":"image/png"}]}"#;
        assert_eq!(Body::decode(first).unwrap().encode(), first);
        let content = Content::from("hi").image(Image::new("ref:1").alt("a cat").detail(Detail::Low));
        assert_eq!(
            String::from_utf8(Body::new(&content).encode()).unwrap(),
            r#"{"v":1,"parts":[{"type":"text","text":"hi"},{"type":"image","url":"ref:1","alt":"a cat","detail":"low"}]}"#
        );
        let newer = br#"{"v":1,"parts":[{"size":3,"type":"hologram"}]}"#;
        assert_eq!(Body::decode(newer).unwrap().encode(), newer);
    }

    #[test]
    fn a_newer_body_is_refused_with_both_numbers() {
        let error = Body::decode(br#"{"v":7,"parts":[]}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("format 7, this one knows 1"));
    }

    #[test]
    fn a_damaged_body_is_reported_without_its_text() {
        let error = Body::decode(br#"{"v":1,"parts":"my secret"}"#).unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_never_longer_than_was_counted(texts in prop::collection::vec("[\0-\u{ff}\"\\\\]{1,9}", 0..9)) {
            let (mut whole, mut last, mut counted) = (Content::default(), None, 2);
            for (i, text) in texts.into_iter().enumerate() {
                let part = match i % 4 {
                    0 => Part::Reasoning { text },
                    1 => Part::Unknown(serde_json::json!({ "type": "new", "text": text })),
                    _ => Part::text(text),
                };
                counted += encoded_len(&part, last.replace(mem::discriminant(&part)));
                whole.push(part);
            }
            prop_assert!(serde_json::to_vec(&whole).unwrap().len() as u64 <= counted);
        }

        #[test]
        fn pieces_fold_back_into_the_whole(texts in prop::collection::vec("\\PC{1,9}", 1..6), from in 0u64..60) {
            let mut whole = Content::default();
            let mut chunks = vec![];
            for (i, text) in texts.into_iter().enumerate() {
                let part = if i % 3 == 2 { Part::Reasoning { text } } else { Part::text(text) };
                let from = whole.len();
                whole.push(part.clone());
                let piece: Content = [part].into_iter().collect();
                chunks.push(Chunk { from, to: whole.len(), body: Body::new(&piece).encode() });
            }
            prop_assert_eq!(fold(&chunks, 0).unwrap(), whole.clone());
            let seen: Vec<Chunk> = chunks.into_iter().filter(|c| c.to > from).collect();
            prop_assert_eq!(fold(&seen, from).unwrap(), whole.since(from));
        }
    }
}
