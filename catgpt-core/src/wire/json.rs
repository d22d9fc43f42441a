//! JSON lines (NDJSON): one event a line, in the same JSON in every language. An empty line says nothing but "still here".

use serde::Serialize;

use crate::event::Event;

/// An empty line, which readers of JSON lines skip.
pub const KEEP_ALIVE: &[u8] = b"\n";

/// Appends the event and a newline.
pub fn write(event: &Event, out: &mut Vec<u8>) {
    value(event, out);
    out.push(b'\n');
}

/// The event as a line.
pub fn line(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write(event, &mut out);
    out
}

/// Appends plain data.
pub(super) fn value(value: &impl Serialize, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("plain data has a JSON form");
}
