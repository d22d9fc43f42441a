//! JSON Lines: a line for a session, then a line for each of its messages, by number.
//!
//! ```json
//! {"type":"session","v":1,"messages":1,"id":"trip","title":"Kyoto","head":1,"created_ms":1,"updated_ms":1}
//! {"type":"message","seq":1,"parent":null,"role":"user","status":"complete","content":[…],"created_ms":1}
//! ```

use std::io::{BufRead, Read as _};

use serde::{Deserialize, Serialize};

use super::transcript::{Heading, LeftOut, Transcript};
use super::{Flow, Found, Take};
use crate::error::{Error, ErrorKind, Result};
use crate::memory::MAX_BODY;
use crate::message::Message;

/// The version of the form.
const VERSION: u32 = 1;

/// The longest line that is read: the largest message, every byte of it escaped.
const MAX_LINE: usize = 4 * MAX_BODY;

#[derive(Serialize, Deserialize)]
struct First<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    v: u32,
    /// How many messages follow, so that a file that was cut off is known as one.
    messages: u64,
    #[serde(flatten)]
    heading: Heading,
}

#[derive(Serialize)]
struct Next<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(flatten)]
    message: &'a Message,
}

/// What a line is, before it is read.
#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    v: u32,
}

/// The line of a session that has so many messages.
pub(super) fn first(heading: &Heading, messages: u64) -> String {
    line(&First { kind: "session", v: VERSION, messages, heading: heading.clone() })
}

/// The line of a message.
pub(super) fn next(message: &Message) -> String {
    line(&Next { kind: "message", message })
}

fn line(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).expect("plain data has a JSON form");
    line.push('\n');
    line
}

/// Reads sessions, one at a time. A line that cannot be read costs its session and no other.
pub(super) fn read(input: &mut dyn BufRead, take: &mut Take<'_>) -> Result<()> {
    let mut reading = Reading::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let length = (&mut *input).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line).map_err(super::unreadable)?;
        if length == 0 {
            break;
        }
        if length > MAX_LINE {
            return Err(Error::invalid("a line is longer than any message can be; this is not JSON Lines"));
        }
        let text = line.trim_ascii();
        if !text.is_empty() && reading.line(number, text, take) == Flow::Stop {
            return Ok(());
        }
    }
    reading.end(take);
    Ok(())
}

/// The session that is being read.
#[derive(Default)]
struct Reading {
    open: Option<Open>,
    /// What follows belongs to no session that could be read, and that has been said.
    lost: bool,
}

struct Open {
    promised: u64,
    transcript: Transcript,
    left_out: LeftOut,
    /// What is wrong with it; the rest of its lines is passed over.
    broken: Option<Error>,
}

impl Reading {
    fn line(&mut self, number: u64, text: &[u8], take: &mut Take<'_>) -> Flow {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        match serde_json::from_slice(text) {
            Ok(Kind { kind, v }) if kind == "session" => match self.end(take) {
                Flow::On => self.session(number, v, text, take),
                Flow::Stop => Flow::Stop,
            },
            Ok(Kind { kind, .. }) => self.message(number, &kind, text, take),
            Err(error) => self.spoil(unreadable(number, &error), take),
        }
    }

    fn session(&mut self, number: u64, v: u32, text: &[u8], take: &mut Take<'_>) -> Flow {
        self.lost = false;
        if v > VERSION {
            let error = Error::new(ErrorKind::Unsupported, "a newer version wrote this session: update to read it");
            return self.spoil(error.with("line", number).with("found", v).with("known", VERSION), take);
        }
        match serde_json::from_slice(text) {
            Ok(First { heading, messages: promised, .. }) => {
                let transcript = Transcript { heading, messages: Vec::new() };
                self.open = Some(Open { promised, transcript, left_out: LeftOut::new(), broken: None });
                Flow::On
            }
            Err(error) => self.spoil(unreadable(number, &error), take),
        }
    }

    fn message(&mut self, number: u64, kind: &str, text: &[u8], take: &mut Take<'_>) -> Flow {
        let Some(open) = &mut self.open else {
            let error = Error::invalid("a line stands before the first session: each session begins with its own line");
            return self.spoil(error.with("line", number), take);
        };
        if kind != "message" {
            *open.left_out.entry("lines of another kind".into()).or_default() += 1;
            return Flow::On;
        }
        match serde_json::from_slice(text) {
            Ok(message) => open.transcript.messages.push(message),
            Err(error) => return self.spoil(unreadable(number, &error), take),
        }
        Flow::On
    }

    /// A line that cannot be read breaks the session that it stands in.
    fn spoil(&mut self, error: Error, take: &mut Take<'_>) -> Flow {
        match &mut self.open {
            Some(open) => {
                open.broken.get_or_insert(error);
                Flow::On
            }
            None if self.lost => Flow::On,
            None => {
                self.lost = true;
                take(Found::refused(None, None, error))
            }
        }
    }

    fn end(&mut self, take: &mut Take<'_>) -> Flow {
        let Some(Open { promised, transcript, left_out, broken }) = self.open.take() else { return Flow::On };
        let here = transcript.messages.len() as u64;
        let cut = (here < promised).then(|| {
            let error = Error::new(ErrorKind::Truncated, "the file ends before the session does: export it again");
            error.with("messages", here).with("promised", promised)
        });
        match broken.or(cut) {
            Some(error) => take(Found::refused(Some(transcript.heading.id), transcript.heading.title, error)),
            None => take(Found::transcript(transcript, left_out)),
        }
    }
}

fn unreadable(line: u64, error: &serde_json::Error) -> Error {
    // The cause may quote the text, so only its place is told.
    Error::invalid("a line cannot be read").with("line", line).with("column", error.column())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{found, said, transcript};
    use super::*;
    use crate::message::Role::{Assistant, User};
    use crate::persona::Persona;

    fn write(one: &Transcript) -> String {
        let lines = one.messages.iter().map(next);
        std::iter::once(first(&one.heading, one.messages.len() as u64)).chain(lines).collect()
    }

    fn trip() -> Transcript {
        let mut one = transcript("trip", vec![said(1, None, User, "a\n\"b\""), said(2, Some(1), Assistant, "c")]);
        one.heading.title = Some("Kyoto".into());
        one.heading.persona = Some(Persona::cat());
        one.heading.metadata.insert("tag".into(), 7.into());
        one.heading.head = Some(2);
        one
    }

    #[test]
    fn the_form_is_frozen() {
        let mut one = transcript("trip", vec![said(1, None, User, "hi")]);
        one.heading.head = Some(1);
        assert_eq!(
            write(&one),
            "{\"type\":\"session\",\"v\":1,\"messages\":1,\"id\":\"trip\",\"head\":1,\"created_ms\":1,\"updated_ms\":2}\n\
             {\"type\":\"message\",\"seq\":1,\"parent\":null,\"role\":\"user\",\"status\":\"complete\",\"content\":\
             [{\"type\":\"text\",\"text\":\"hi\"}],\"created_ms\":1}\n"
        );
    }

    #[test]
    fn what_is_written_is_read() {
        let text = write(&trip()) + "\n" + &write(&transcript("empty", vec![]));
        let got = found(|take| read(&mut text.as_bytes(), take));
        assert_eq!(got.0, [trip(), transcript("empty", vec![])]);
        assert!(got.1.is_empty(), "{:?}", got.1);
    }

    #[test]
    fn a_broken_line_costs_its_session_and_no_other() {
        let text = write(&trip());
        let (head, _) = text.split_at(text.len() - 9);
        let text = format!("{head}\nnonsense\n{}{}", write(&transcript("next", vec![])), r#"{"type":"hologram"}"#);
        let got = found(|take| read(&mut text.as_bytes(), take));
        assert_eq!(got.0, [transcript("next", vec![])]);
        assert_eq!(got.1.len(), 1);
        assert_eq!(got.1[0].0.as_deref(), Some("trip"));
        assert!(got.1[0].1.to_string().contains("line: 3"), "{:?}", got.1);
    }

    #[test]
    fn a_file_that_was_cut_off_is_known_as_one() {
        let text = write(&trip());
        let cut = text.trim_end().rfind('\n').unwrap();
        let got = found(|take| read(&mut &text.as_bytes()[..cut], take));
        assert_eq!((got.0.len(), got.1[0].1.kind()), (0, ErrorKind::Truncated));
    }

    #[test]
    fn a_newer_form_is_refused_with_both_numbers() {
        let text = write(&trip()).replace("\"v\":1", "\"v\":7") + &write(&transcript("next", vec![]));
        let got = found(|take| read(&mut text.as_bytes(), take));
        assert_eq!((got.0.len(), got.1.len()), (1, 1));
        assert!(got.1[0].1.to_string().contains("(found: 7) (known: 1)"), "{:?}", got.1);
    }
}
