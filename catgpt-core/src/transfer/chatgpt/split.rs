//! Cuts a file into its conversations without reading them, so that one at a time is in memory.

use std::io::{self, BufRead, Read as _};

use serde::de::IgnoredAny;

/// The longest conversation that is read.
pub(super) const MAX_ELEMENT: usize = 256 << 20;

/// An object that stands in no other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Element<'a> {
    Whole(&'a [u8]),
    /// The file ends before the object does, or, with nothing of an object, before its list does.
    Cut(&'a [u8]),
    TooLong,
}

/// How much is read at once.
const PIECE: usize = 64 << 10;

/// How far an object may go on after what looks like the beginning of the next one, before it is believed to be broken.
const BEYOND: usize = 4 << 20;

/// The objects of a list, or of a file without one.
pub(super) struct Elements<'a> {
    input: &'a mut dyn BufRead,
    /// What was read and not given out, but for the object that was given out last.
    buffer: Vec<u8>,
    /// The length of that object.
    given: usize,
    /// A list has begun and not ended.
    open: bool,
}

/// Where in an object we are.
#[derive(Default)]
struct Place {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl Place {
    /// Takes a byte; says whether the object has ended with it.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_text {
            self.in_text = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => {
                self.depth -= 1;
                return self.depth == 0;
            }
            _ => {}
        }
        false
    }
}

impl<'a> Elements<'a> {
    pub(super) fn new(input: &'a mut dyn BufRead) -> Self {
        Self { input, buffer: Vec::new(), given: 0, open: false }
    }

    pub(super) fn next(&mut self) -> io::Result<Option<Element<'_>>> {
        self.buffer.drain(..self.given);
        self.buffer.shrink_to(1 << 20);
        self.given = 0;
        if !self.skip_to_object()? {
            return Ok(std::mem::take(&mut self.open).then_some(Element::Cut(&[])));
        }
        let (mut place, mut at, mut next) = (Place::default(), 0, None);
        loop {
            if let Some(end) = self.buffer[at..].iter().position(|byte| place.step(*byte)) {
                self.given = at + end + 1;
                return Ok(Some(Element::Whole(&self.buffer[..self.given])));
            }
            at = self.buffer.len();
            next = next.or_else(|| conversation(&self.buffer, at.saturating_sub(2 * PIECE)));
            if let Some(next) = next.filter(|next| at - next > BEYOND) {
                self.given = next;
                return Ok(Some(Element::Cut(&self.buffer[..next])));
            }
            if at > MAX_ELEMENT {
                self.given = at;
                return Ok(Some(Element::TooLong));
            }
            if !self.fill()? {
                (self.given, self.open) = (at, false);
                return Ok(Some(Element::Cut(&self.buffer)));
            }
        }
    }

    /// What was given out last is broken: the next one may begin in it.
    pub(super) fn back_up(&mut self) {
        let broken = &self.buffer[..self.given];
        self.given = conversation(broken, 0).or_else(|| next_beginning(broken)).unwrap_or(self.given);
    }

    fn skip_to_object(&mut self) -> io::Result<bool> {
        loop {
            let found = self.buffer.iter().position(|byte| *byte == b'{');
            let between = self.buffer.drain(..found.unwrap_or(self.buffer.len()));
            let bracket = between.rev().find(|byte| matches!(byte, b'[' | b']'));
            self.open = bracket.map_or(self.open, |bracket| bracket == b'[');
            if found.is_some() {
                return Ok(true);
            }
            if !self.fill()? {
                return Ok(false);
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        Ok((&mut *self.input).take(PIECE as u64).read_to_end(&mut self.buffer)? > 0)
    }
}

/// Where, after `from`, a conversation seems to begin as ChatGPT writes it: a title and then a time.
fn conversation(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = next_beginning(bytes.get(at..)?) {
        at += found;
        let rest = &bytes[at..];
        let colon = rest.iter().position(|byte| *byte == b':')?;
        let mut title = serde_json::Deserializer::from_slice(&rest[colon + 1..]).into_iter::<IgnoredAny>();
        let titled = matches!(title.next(), Some(Ok(_)));
        let after = rest[colon + 1 + title.byte_offset()..].trim_ascii_start();
        let after = after.strip_prefix(b",").unwrap_or_default().trim_ascii_start();
        if titled && after.starts_with(b"\"create_time\"") {
            return Some(at);
        }
    }
    None
}

/// Where, after its first byte, the next conversation seems to begin: with its title. Inside a text the quotes would have
/// backslashes.
fn next_beginning(bytes: &[u8]) -> Option<usize> {
    bytes.iter().enumerate().skip(1).find(|(at, byte)| **byte == b'{' && begins(&bytes[*at..])).map(|(at, _)| at)
}

fn begins(bytes: &[u8]) -> bool {
    let rest = bytes.strip_prefix(b"{").map(<[u8]>::trim_ascii_start).and_then(|rest| rest.strip_prefix(b"\"title\""));
    rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b":"))
}

/// The title of a conversation that cannot be read, if it begins with it.
pub(super) fn title(bytes: &[u8]) -> Option<String> {
    if !begins(bytes) {
        return None;
    }
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    serde_json::Deserializer::from_slice(&bytes[colon + 1..]).into_iter::<String>().next()?.ok()
}

/// Puts a sign for what is unknown in the place of halves of characters.
pub(super) fn without_halves(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out += before;
        let (code, next) = (unit(escape), escape.get(6..).and_then(unit));
        let (kept, length) = match (code, next) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&escape[..12], 12),
            (Some(0xd800..=0xdfff), _) => ("\\ufffd", 6),
            _ => {
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                (&escape[..length], length)
            }
        };
        out += kept;
        rest = &escape[length..];
    }
    out + rest
}

/// The number of `\uXXXX`.
fn unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::io::BufReader;

    fn split(text: &[u8], capacity: usize) -> Vec<String> {
        let mut input = BufReader::with_capacity(capacity, text);
        let mut elements = Elements::new(&mut input);
        let mut all = Vec::new();
        while let Some(element) = elements.next().unwrap() {
            all.push(match element {
                Element::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            });
        }
        all
    }

    proptest! {
        #[test]
        fn objects_are_found_at_any_size_of_a_buffer(texts in prop::collection::vec("[\\[\\]{}\"\\\\a,]{0,9}", 0..5), capacity in 1usize..9) {
            let all: Vec<Value> = texts.iter().map(|text| json!({ "title": text, "in": [{ (text.clone()): text }] })).collect();
            let got = split(&serde_json::to_vec(&all).unwrap(), capacity);
            prop_assert_eq!(got, all.iter().map(Value::to_string).collect::<Vec<_>>());
        }

        #[test]
        fn only_halves_of_characters_are_replaced(text in "\\PC{0,9}", at in 0usize..9) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(&without_halves(&json), &json);
            let at = json.char_indices().nth(at).map_or(1, |(at, _)| at.max(1));
            let broken = format!("{}\\ud83d{}", &json[..at], &json[at..]);
            prop_assume!(!json[..at].ends_with('\\'));
            let mended: String = serde_json::from_str(&without_halves(&broken)).unwrap();
            prop_assert!(mended.contains(char::REPLACEMENT_CHARACTER));
        }
    }

    #[test]
    fn whole_pairs_stay() {
        assert_eq!(without_halves(r#""\ud83d\ude00 \\ud83d \udc00""#), r#""\ud83d\ude00 \\ud83d \ufffd""#);
    }

    #[test]
    fn a_file_that_ends_early_is_known_as_one() {
        assert_eq!(split(b"[{\"a\":1},{\"b\":", 4), ["{\"a\":1}", "Cut([123, 34, 98, 34, 58])"]);
        assert_eq!(split(b"[{\"a\":1},\n", 4), ["{\"a\":1}", "Cut([])"]);
        for whole in [&b""[..], b"[ ]\n", b"{\"a\":1}", b"{\"a\":1}\n{\"a\":1}"] {
            assert!(split(whole, 4).iter().all(|element| element.starts_with('{')), "{whole:?}");
        }
    }

    #[test]
    fn what_never_ends_is_cut_where_the_next_conversation_begins() {
        let next = r#"{"title": "b", "create_time": 1, "mapping": {}}"#;
        let text = format!("[{{\"title\": \"a, {},{next},{}]", "\"x\", ".repeat(9), "0,".repeat(BEYOND));
        let mut input = text.as_bytes();
        let mut elements = Elements::new(&mut input);
        let Some(Element::Cut(broken)) = elements.next().unwrap() else { panic!("it is whole") };
        assert!(broken.len() < 100);
        assert_eq!(elements.next().unwrap(), Some(Element::Whole(next.as_bytes())));
    }

    #[test]
    fn a_title_is_found_where_it_begins() {
        assert_eq!(title(b"{ \"title\" : \"Ky\\\"oto\", nonsense"), Some("Ky\"oto".into()));
        assert_eq!(title(b"{\"id\":1}"), None);
        assert_eq!(next_beginning(b"{\"title\":1}, { \"title\": 2}"), Some(13));
    }
}
