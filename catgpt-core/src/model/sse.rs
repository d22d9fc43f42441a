//! Server-sent events, byte by byte: cuts what a connection brings into the data of whole events.
//!
//! Follows <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>, wherever the
//! bytes are split. Of the fields only `data` is read. Where one chunk holds a whole event, nothing is copied.

use memchr::memchr2;

use crate::error::{Error, ErrorKind, Result};

/// The most bytes that one event may have, unless told otherwise.
pub(crate) const MAX_EVENT: usize = 1 << 20;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Cuts bytes into events.
#[derive(Debug)]
pub(crate) struct Framer {
    /// A line whose end has not come yet.
    line: Vec<u8>,
    /// The data lines of an event whose end has not come yet.
    data: Vec<u8>,
    /// The event has data, which may be empty.
    has_data: bool,
    /// `data` was handed out and belongs to the past.
    spent: bool,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// No line has ended yet: a BOM may stand before it.
    first: bool,
    max: usize,
}

impl Framer {
    /// A framer that holds at most `max` bytes of an event.
    pub(crate) fn new(max: usize) -> Self {
        Self { line: Vec::new(), data: Vec::new(), has_data: false, spent: false, after_cr: false, first: true, max }
    }

    /// The data of the next event that ends in `bytes`, which is moved past it. `None`: `bytes` is used up.
    pub(crate) fn next<'a, 'b: 'a>(&'a mut self, bytes: &mut &'b [u8]) -> Result<Option<&'a [u8]>> {
        self.forget();
        // The event's only data line, as long as it need not be copied.
        let mut only: Option<&'b [u8]> = None;
        while let Some((line, rest)) = self.cut(bytes)? {
            *bytes = rest;
            let whole = match line {
                Line::Here(line) => self.take(line, &mut only),
                Line::Carried => {
                    let line = std::mem::take(&mut self.line);
                    let whole = self.take_carried(&line);
                    self.line = line;
                    self.line.clear();
                    whole
                }
            };
            if self.data.len() > self.max {
                return Err(too_large(self.max));
            }
            if whole {
                self.has_data = false;
                self.spent = true;
                return Ok(Some(only.unwrap_or(&self.data)));
            }
        }
        if let Some(only) = only {
            self.data.extend_from_slice(only);
        }
        Ok(None)
    }

    /// What came of an event whose end never came. It may be whole all the same.
    pub(crate) fn rest(&mut self) -> Option<&[u8]> {
        self.forget();
        let line = std::mem::take(&mut self.line);
        self.take_carried(&line);
        std::mem::take(&mut self.has_data).then_some(&self.data)
    }

    fn forget(&mut self) {
        if std::mem::take(&mut self.spent) {
            self.data.clear();
        }
    }

    /// The next line and what follows it. `None`: its end is not there, and what is there was kept.
    fn cut<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<(Line<'a>, &'a [u8])>> {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            *bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        let end = memchr2(b'\n', b'\r', bytes);
        let line = &bytes[..end.unwrap_or(bytes.len())];
        if line.len() + self.line.len() + self.data.len() > self.max {
            return Err(too_large(self.max));
        }
        let Some(end) = end else {
            self.line.extend_from_slice(line);
            *bytes = &[];
            return Ok(None);
        };
        let mut rest = &bytes[end + 1..];
        if bytes[end] == b'\r' {
            match rest.split_first() {
                Some((b'\n', after)) => rest = after,
                Some(_) => {}
                None => self.after_cr = true,
            }
        }
        if self.line.is_empty() {
            return Ok(Some((Line::Here(line), rest)));
        }
        self.line.extend_from_slice(line);
        Ok(Some((Line::Carried, rest)))
    }

    /// Reads a line; true if it ends an event that has data.
    fn take<'a>(&mut self, line: &'a [u8], only: &mut Option<&'a [u8]>) -> bool {
        let line = self.without_bom(line);
        if line.is_empty() {
            return self.has_data;
        }
        let Some(value) = data_of(line) else { return false };
        if self.has_data {
            if let Some(only) = only.take() {
                self.data.extend_from_slice(only);
            }
            self.data.push(b'\n');
            self.data.extend_from_slice(value);
        } else {
            *only = Some(value);
        }
        self.has_data = true;
        false
    }

    /// The same for a line that must be copied because it came in pieces.
    fn take_carried(&mut self, line: &[u8]) -> bool {
        let mut only = None;
        let whole = self.take(line, &mut only);
        if let Some(only) = only {
            self.data.extend_from_slice(only);
        }
        whole
    }

    fn without_bom<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if std::mem::take(&mut self.first) { line.strip_prefix(BOM).unwrap_or(line) } else { line }
    }
}

enum Line<'a> {
    /// It stands whole in the bytes.
    Here(&'a [u8]),
    /// It came in pieces and stands in [`Framer::line`].
    Carried,
}

/// The value of a `data` field.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

fn too_large(max: usize) -> Error {
    Error::new(ErrorKind::Unavailable, "the model sent a frame that is too large").with("max_bytes", max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> (Vec<String>, Option<String>) {
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        let mut framer = Framer::new(64);
        let mut events = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(data) = framer.next(&mut piece).unwrap() {
                events.push(text(data));
            }
        }
        (events, framer.rest().map(text))
    }

    fn events(body: &str) -> Vec<String> {
        let (events, rest) = all(&[body.as_bytes()]);
        for at in 0..=body.len() {
            let (before, after) = body.as_bytes().split_at(at);
            assert_eq!(all(&[before, after]), (events.clone(), rest.clone()), "cut at {at}");
        }
        events
    }

    #[test]
    fn lines_end_in_three_ways() {
        for end in ["\n", "\r\n", "\r"] {
            let body = "data: a#data: b##data: c##".replace('#', end);
            assert_eq!(events(&body), ["a\nb", "c"], "{end:?}");
        }
        assert_eq!(events("data: a\r\n\ndata: b\n\r\n"), ["a", "b"]);
    }

    #[test]
    fn only_data_counts_and_one_space_before_it_does_not() {
        assert_eq!(events("data:a\n\ndata:  b\n\ndata\n\ndata:\n\n"), ["a", " b", "", ""]);
        assert_eq!(events(": no\nevent: x\nid: 1\nretry: 2\ndatum: 3\n data: 4\n\n\n"), Vec::<String>::new());
        assert_eq!(events("id: 1\ndata: a\n: between\nevent: x\ndata: b\n\n"), ["a\nb"]);
    }

    #[test]
    fn a_mark_may_stand_first_and_only_there() {
        assert_eq!(events("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    }

    #[test]
    fn what_has_no_end_is_what_rests() {
        assert_eq!(all(&[b"data: a\n\ndata: b"]), (vec!["a".into()], Some("b".into())));
        assert_eq!(all(&[b"data: a\ndata: b\n"]), (vec![], Some("a\nb".into())));
        assert_eq!(all(&[b"data: a\n\n: c"]), (vec!["a".into()], None));
        assert_eq!(all(&[b""]), (vec![], None));
    }

    #[test]
    fn an_event_may_not_be_larger_than_allowed() {
        let long = "x".repeat(65);
        let many = "data: xxxx\n".repeat(20);
        for body in [long, format!(":{}", "x".repeat(65)), many] {
            let refused = |size: usize| {
                let mut framer = Framer::new(64);
                let mut pieces = body.as_bytes().chunks(size);
                let error = pieces.find_map(|mut piece| framer.next(&mut piece).err());
                assert!(framer.line.len() + framer.data.len() <= 2 * 64, "more was kept than allowed");
                error.is_some()
            };
            assert!(refused(1) && refused(7) && refused(body.len()), "{body}");
        }
    }
}
