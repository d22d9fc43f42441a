//! What a request brings along, read argument by argument: the id in its path, its query, its body, its headers.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Request;
use crate::error::{Error, Result};
use crate::id::{SessionId, TurnId};
use crate::memory::{Cursor, GroupBy};
use crate::message::Offset;
use crate::wire::{Command, Format, feed, sse};

/// How many of anything are listed where nobody says, and at most.
const PAGE: u32 = 50;
const MAX_PAGE: u32 = 500;

/// The type of a body of JSON lines, which a client has to name to get them.
const NDJSON: &str = "application/x-ndjson";

/// A request whose route is found.
pub(super) struct Given<'a> {
    /// What stands in the place of the `{}` of the route.
    pub(super) at: &'a str,
    pub(super) request: &'a Request,
}

impl Given<'_> {
    pub(super) fn session(&self) -> Result<SessionId> {
        SessionId::new(decoded(self.at)?)
    }

    pub(super) fn turn(&self) -> Result<TurnId> {
        decoded(self.at)?.parse()
    }

    /// An argument of the query; the first of its name.
    pub(super) fn argument(&self, name: &str) -> Result<Option<String>> {
        let pairs = self.request.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let spaced = |text: &str| decoded(&text.replace('+', " "));
        for (key, value) in pairs {
            if spaced(key)? == name {
                return spaced(value).map(Some);
            }
        }
        Ok(None)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let bad = |_| Error::invalid(format!("`{name}` must be a number"));
        self.argument(name)?.map(|text| text.parse().map_err(|_| ()).map_err(bad)).transpose()
    }

    /// How many are wanted: `limit`, `last`.
    pub(super) fn count(&self, name: &str) -> Result<u32> {
        Ok(self.number(name)?.unwrap_or(PAGE).clamp(1, MAX_PAGE))
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        match self.argument(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(_) => Err(Error::invalid(format!("`{name}` must be `true` or `false`"))),
        }
    }

    pub(super) fn cursor(&self) -> Result<Option<Cursor>> {
        let bad = || Error::invalid("`after` must be what `next` said");
        let read = |text: String| {
            let json = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
            serde_json::from_slice(&json).ok()
        };
        self.argument("after")?.map(|text| read(text).ok_or_else(bad)).transpose()
    }

    pub(super) fn groups(&self) -> Result<Vec<GroupBy>> {
        let by = self.argument("by")?.unwrap_or_default();
        let known = |name: &str| serde_json::from_value(Value::from(name));
        let bad = |_| Error::invalid("`by` must be a list of `day`, `session`, `model` and `purpose`");
        by.split(',').filter(|name| !name.is_empty()).map(|name| known(name).map_err(bad)).collect()
    }

    /// The body; none is as good as `{}`.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T> {
        let bytes = if self.request.body.is_empty() { b"{}" } else { &self.request.body[..] };
        // serde's text may quote a value, and so what was said.
        serde_json::from_slice(bytes).map_err(|error| {
            Error::invalid(if error.is_data() {
                "a field of the body is missing, unknown, or of a wrong type"
            } else {
                "the body must be a JSON object"
            })
        })
    }

    /// The body as a command in this session.
    pub(super) fn command(&self) -> Result<Command> {
        const TURNS: [&str; 5] = ["send", "edit", "regenerate", "continue", "decide"];
        let mut fields: Map<String, Value> = self.body()?;
        if fields.contains_key("session") {
            return Err(Error::invalid("the session stands in the path, and not in the body"));
        }
        let kind = fields.entry("type").or_insert_with(|| TURNS[0].into());
        if !kind.as_str().is_some_and(|kind| TURNS.contains(&kind)) {
            return Err(Error::invalid(format!("`type` must be one of {}", TURNS.join(", "))));
        }
        fields.insert("session".into(), self.session()?.as_str().into());
        Command::read(fields)
    }

    /// Where the turn is watched from: what the client had last says it better than the address, which stays the same
    /// when it comes back. An id of another turn says nothing.
    pub(super) fn attach(&self) -> Result<Command> {
        let turn = self.turn()?;
        let last = self.request.last_event_id.as_deref().and_then(sse::parse_id);
        let seen = last.filter(|(other, _)| *other == turn).map(|(_, offset)| offset);
        let offset: Offset = seen.map_or_else(|| self.number("offset"), |seen| Ok(Some(seen)))?.unwrap_or_default();
        Ok(Command::Attach { turn, offset })
    }

    /// The number after which a feed goes on, in the same way.
    pub(super) fn news(&self) -> Result<Option<u64>> {
        match self.request.last_event_id.as_deref().and_then(feed::parse_id) {
            Some(after) => Ok(Some(after)),
            None => self.number("after"),
        }
    }

    pub(super) fn format(&self) -> Format {
        let named = |accept: &str| accept.split(',').any(|one| one.split(';').next().unwrap_or("").trim() == NDJSON);
        if self.request.accept.as_deref().is_some_and(named) { Format::Ndjson } else { Format::Sse }
    }
}

/// A cursor as an opaque text, which [`Given::cursor`] reads.
pub(crate) fn spelled(cursor: &Cursor) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).expect("plain data has a JSON form"))
}

/// Without its percent signs. A sign that begins no escape stands for itself.
fn decoded(text: &str) -> Result<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, more @ ..] = rest {
        let escape = if *first == b'%' { more.get(..2).and_then(hex) } else { None };
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &more[2..] } else { more };
    }
    String::from_utf8(bytes).map_err(|_| Error::invalid("the address is not UTF-8"))
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(digits[at]).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// A number or `null`, but not nothing.
pub(super) fn stated<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}
