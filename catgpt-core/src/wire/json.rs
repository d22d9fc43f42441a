//! JSON lines: one event a line, in the same JSON in every language.

use crate::event::Event;

/// Appends the event and a newline.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, event).expect("plain data has a JSON form");
    out.push(b'\n');
}

/// The event as a line.
pub fn line(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write(event, &mut out);
    out
}
