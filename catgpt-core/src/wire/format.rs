//! The formats a reply can be sent in: their headers, their sign of life, their defaults, and one encoder for all.

use serde::{Deserialize, Serialize};

use super::{json, sse, ui_message_stream, ws};
use crate::event::Event;
use crate::id::{SessionId, TurnId};

/// How the events of a reply become bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Format {
    /// Server-sent events with ids that lead back: see [`sse`].
    #[default]
    Sse,
    /// What the AI SDK's `useChat` reads: see [`ui_message_stream`].
    UiMessageStream,
    /// JSON lines: see [`json`].
    Ndjson,
    /// The text frames of a web socket: see [`ws`].
    Ws,
    /// The text of the reply and nothing else: neither offsets nor how it ended.
    Text,
}

/// A header of a response.
type Header = (&'static str, &'static str);

/// Nobody keeps what people say, and nobody holds it back to compress it.
const CACHE: Header = ("cache-control", "no-store, no-transform");
/// Proxies of nginx's kind pass each write on at once.
const BUFFER: Header = ("x-accel-buffering", "no");
/// What a model says is text, also where it looks like a page; and no browser waits for more of it to be sure.
const AS_TOLD: Header = ("x-content-type-options", "nosniff");

impl Format {
    /// Every format, for tables of front ends.
    pub const ALL: [Format; 5] = [Self::Sse, Self::UiMessageStream, Self::Ndjson, Self::Ws, Self::Text];

    /// The headers of a response in this format. A web socket has none: its handshake is the server's. `connection` is
    /// not among them, because it is the server's too, and not allowed in HTTP/2.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sse => &[("content-type", sse::CONTENT_TYPE), CACHE, BUFFER],
            Self::UiMessageStream => &[
                ("content-type", "text/event-stream"),
                CACHE,
                BUFFER,
                ("x-vercel-ai-ui-message-stream", ui_message_stream::VERSION),
            ],
            Self::Ndjson => &[("content-type", "application/x-ndjson; charset=utf-8"), CACHE, BUFFER],
            Self::Ws => &[],
            Self::Text => &[("content-type", "text/plain; charset=utf-8"), CACHE, BUFFER, AS_TOLD],
        }
    }

    /// What is sent after a silence, so that no proxy takes a thinking model for a dead connection. Nothing where all
    /// that is sent is the reply's own.
    pub fn keep_alive(self) -> &'static [u8] {
        match self {
            Self::Sse | Self::UiMessageStream => sse::KEEP_ALIVE,
            Self::Ndjson => json::KEEP_ALIVE,
            Self::Ws => ws::KEEP_ALIVE,
            Self::Text => b"",
        }
    }
}

/// A format, and how its bytes are cut into writes. The defaults here are those of every language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encoding {
    /// The format.
    pub format: Format,
    /// Milliseconds of silence before a sign of life, while the model thinks too; 0 for none.
    pub keep_alive_ms: u64,
    /// Milliseconds between two writes at least; what comes meanwhile goes in one. The first is never delayed.
    pub min_interval_ms: u64,
    /// For web sockets: the request that is answered, as its client named it.
    pub request: Option<String>,
}

impl Default for Encoding {
    /// Signs of life every 15 s; up to 50 writes a second, which no eye tells from more and which saves most of a
    /// server's work.
    fn default() -> Self {
        Self { format: Format::default(), keep_alive_ms: 15_000, min_interval_ms: 20, request: None }
    }
}

impl From<Format> for Encoding {
    fn from(format: Format) -> Self {
        Self { format, ..Self::default() }
    }
}

/// Makes the bytes of one reply, event by event.
#[derive(Debug)]
pub struct Encoder(Kind);

#[derive(Debug)]
enum Kind {
    Sse(TurnId),
    UiMessageStream(Box<ui_message_stream::Encoder>),
    Ndjson,
    Ws(ws::Events),
    Text,
}

impl Encoder {
    /// For the events of this turn.
    pub fn new(encoding: &Encoding, turn: TurnId, session: &SessionId) -> Self {
        Self(match encoding.format {
            Format::Sse => Kind::Sse(turn),
            Format::UiMessageStream => Kind::UiMessageStream(Box::new(ui_message_stream::Encoder::new(turn, session))),
            Format::Ndjson => Kind::Ndjson,
            Format::Ws => Kind::Ws(ws::Events::new(turn, session, encoding.request.clone())),
            Format::Text => Kind::Text,
        })
    }

    /// Whether each event has to be a write of its own, as on a web socket. Else several may go together.
    pub fn one_a_write(&self) -> bool {
        matches!(self.0, Kind::Ws(_))
    }

    /// Appends one event; some leave nothing in some formats.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Sse(turn) => sse::write(*turn, event, out),
            Kind::UiMessageStream(encoder) => encoder.write(event, out),
            Kind::Ndjson => json::write(event, out),
            Kind::Ws(frames) => frames.write(event, out),
            Kind::Text => {
                if let Event::Text { text, .. } = event {
                    out.extend_from_slice(text.as_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_defaults_are_frozen() {
        let names: Vec<_> = Format::ALL.iter().map(|format| serde_json::to_string(format).unwrap()).collect();
        assert_eq!(names, ["\"sse\"", "\"ui_message_stream\"", "\"ndjson\"", "\"ws\"", "\"text\""]);
        let Encoding { format, keep_alive_ms, min_interval_ms, request } = serde_json::from_str("{}").unwrap();
        assert_eq!((format, keep_alive_ms, min_interval_ms, request), (Format::Sse, 15_000, 20, None));
    }

    #[test]
    fn every_response_is_neither_kept_nor_held_back() {
        for format in [Format::Sse, Format::UiMessageStream, Format::Ndjson, Format::Text] {
            let headers = format.headers();
            assert!(headers[0].0 == "content-type" && headers.contains(&CACHE) && headers.contains(&BUFFER));
            assert!(headers.iter().all(|(name, _)| *name == name.to_ascii_lowercase()));
        }
    }
}
