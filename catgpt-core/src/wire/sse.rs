//! Server-sent events: `id: turn:offset`, then the event's JSON as `data`.
//!
//! The format is that of <https://html.spec.whatwg.org/multipage/server-sent-events.html>. A browser that loses the
//! connection sends the last id back as `Last-Event-ID`; [`parse_id`] reads it, and attaching there goes on with the
//! next byte.

use std::io::Write;

use crate::event::Event;
use crate::id::TurnId;
use crate::message::Offset;

/// The response header's value.
pub const CONTENT_TYPE: &str = "text/event-stream; charset=utf-8";

/// A comment to be sent every 15 s, so that no proxy takes a thinking model for a dead connection.
pub const KEEP_ALIVE: &[u8] = b": keep-alive\n\n";

/// Appends one event of a turn.
pub fn write(turn: TurnId, event: &Event, out: &mut Vec<u8>) {
    write!(out, "id: {turn}:{}\ndata: ", event.offset()).expect("memory takes every write");
    super::json::write(event, out);
    out.push(b'\n');
}

/// One event of a turn.
pub fn frame(turn: TurnId, event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write(turn, event, &mut out);
    out
}

/// Reads an id back: the turn, and the offset to go on at. `None` for what is not such an id.
pub fn parse_id(id: &str) -> Option<(TurnId, Offset)> {
    let (turn, offset) = id.trim().rsplit_once(':')?;
    Some((turn.parse().ok()?, offset.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_frame_with_an_id_that_leads_back() {
        let turn = TurnId::from_bytes([7; 16]);
        let event = Event::Text { text: "a\nb".into(), offset: 3 };
        let text = String::from_utf8(frame(turn, &event)).unwrap();
        insta::assert_snapshot!(text, @r#"
        id: 07070707-0707-0707-0707-070707070707:3
        data: {"type":"text","text":"a\nb","offset":3}
        "#);
        let id = text.lines().next().and_then(|line| line.strip_prefix("id: ")).unwrap();
        assert_eq!(parse_id(id), Some((turn, 3)));
    }

    #[test]
    fn foreign_ids_are_not_ours() {
        for id in ["", "7", "x:1", "07070707-0707-0707-0707-070707070707:-1"] {
            assert_eq!(parse_id(id), None, "{id}");
        }
    }
}
