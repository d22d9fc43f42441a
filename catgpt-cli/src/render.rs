//! What stdout gets: an answer as text, as one object, or as its events.

use std::borrow::Cow;
use std::time::Instant;

use catgpt_core::{ErrorInfo, Event, FinishReason, Finished, Image, Part, Started, Status, Usage, wire};
use serde::Serialize;

use crate::args::Format;

/// The version of the JSON object.
const VERSION: u32 = 1;

/// Turns the events of one answer into bytes.
#[derive(Debug)]
pub(crate) struct Render {
    format: Format,
    terminal: bool,
    begun: Instant,
    started: Option<Started>,
    /// The whole text, for the object.
    text: String,
    parts: Vec<Part>,
    /// The terminal's last line has no end yet.
    line_open: bool,
}

/// An answer as one object.
#[derive(Serialize)]
struct Answer<'a> {
    v: u32,
    chat: &'a str,
    message: u64,
    model: &'a str,
    persona: &'a str,
    text: &'a str,
    /// What is no text: pictures, sources.
    #[serde(skip_serializing_if = "<[Part]>::is_empty")]
    parts: &'a [Part],
    finish: Option<&'a FinishReason>,
    status: Status,
    usage: Option<Usage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u64>,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorInfo>,
}

impl Render {
    pub(crate) fn new(format: Format, terminal: bool) -> Self {
        Self {
            format,
            terminal,
            begun: Instant::now(),
            started: None,
            text: String::new(),
            parts: Vec::new(),
            line_open: false,
        }
    }

    /// Appends what this event puts on stdout.
    pub(crate) fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self.format {
            Format::Auto | Format::Plain => self.plain(event, out),
            Format::Json => self.json(event, out),
            Format::Jsonl => wire::json::write(event, out),
        }
    }

    fn plain(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text { text, .. } if self.terminal => {
                out.extend_from_slice(visible(text).as_bytes());
                self.line_open = !text.ends_with('\n');
            }
            Event::Text { text, .. } => out.extend_from_slice(text.as_bytes()),
            // A pipe gets the text alone; --format json and jsonl have all of it.
            Event::Part { part: Part::Image(image), .. } if self.terminal => {
                let gap = if self.line_open { "\n" } else { "" };
                out.extend_from_slice(format!("{gap}{}\n", visible(&picture(image))).as_bytes());
                self.line_open = false;
            }
            // The shell's prompt stands on a line of its own.
            Event::Finished(_) if self.line_open => out.push(b'\n'),
            _ => {}
        }
    }

    fn json(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Started(started) => self.started = Some((**started).clone()),
            Event::Text { text, .. } => self.text.push_str(text),
            Event::Part { part, .. } => self.parts.push(part.clone()),
            Event::Finished(finished) => {
                serde_json::to_writer(&mut *out, &self.answer(finished)).expect("plain data has a JSON form");
                out.push(b'\n');
            }
            _ => {}
        }
    }

    fn answer<'a>(&'a self, finished: &'a Finished) -> Answer<'a> {
        let started = self.started.as_ref();
        Answer {
            v: VERSION,
            chat: started.map_or("", |started| started.session.as_str()),
            message: started.map_or(0, |started| started.reply_seq),
            model: started.map_or("", |started| &started.model),
            persona: started.map_or("", |started| &started.persona),
            text: &self.text,
            parts: &self.parts,
            finish: finished.finish_reason.as_ref(),
            status: finished.status,
            usage: finished.usage,
            cost: finished.cost,
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            error: finished.error.as_ref(),
        }
    }
}

/// Millionths of a unit, as people write money.
pub(crate) fn money(millionths: u64) -> String {
    format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000)
}

/// A picture in a line of text: what it shows, and where it is unless it is here.
pub(crate) fn picture(image: &Image) -> String {
    match image.url.starts_with("data:") {
        true => image.in_words(),
        false => format!("{} {}", image.in_words(), image.url),
    }
}

/// Text as a terminal may be given it: what a model or a title says must not move the cursor or set the clipboard.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    let unseen = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(unseen) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| match c {
        '\r' => None,
        c if unseen(c) => Some(char::from_u32(0x2400 + u32::from(c)).filter(|_| c < ' ').unwrap_or('\u{fffd}')),
        c => Some(c),
    };
    Cow::Owned(text.chars().filter_map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(texts: &[&str]) -> Vec<Event> {
        let started = r#"{"type":"started","v":1,"turn":"019aa5f3-1c2d-7000-8000-000000000001","session":"trip",
            "user_seq":1,"reply_seq":2,"persona":"cat","model":"m","offset":0}"#;
        let finished = r#"{"type":"finished","status":"complete","finish_reason":"stop",
            "usage":{"input_tokens":3,"output_tokens":2},"stored":2,"offset":2}"#;
        let text = |text: &&str| Event::Text { text: (*text).to_owned(), offset: 1 };
        let ends = |json| serde_json::from_str::<Event>(json).unwrap();
        [ends(started)].into_iter().chain(texts.iter().map(text)).chain([ends(finished)]).collect()
    }

    fn rendered(format: Format, terminal: bool, texts: &[&str]) -> String {
        let mut render = Render::new(format, terminal);
        let mut out = Vec::new();
        events(texts).iter().for_each(|event| render.event(event, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pipe_gets_the_text_as_it_is() {
        assert_eq!(rendered(Format::Auto, false, &["a\r\n", "\x1b[31mb"]), "a\r\n\x1b[31mb");
        assert_eq!(rendered(Format::Auto, false, &[]), "");
    }

    #[test]
    fn a_terminal_gets_one_last_newline_and_nothing_that_steers_it() {
        assert_eq!(rendered(Format::Auto, true, &["a", "b"]), "ab\n");
        assert_eq!(rendered(Format::Auto, true, &["a\n"]), "a\n");
        assert_eq!(rendered(Format::Auto, true, &[]), "");
        assert_eq!(
            rendered(Format::Plain, true, &["\x1b]52;c;AA\x07", "\u{9b}2J\r\nü\t🙂"]),
            "␛]52;c;AA␇\u{fffd}2J\nü\t🙂\n"
        );
    }

    #[test]
    fn a_picture_is_a_line_on_a_terminal_and_a_part_of_the_object() {
        let mut all = events(&["Here:"]);
        let image = Image::new("https://a.example/\x1b.png").alt("a cat");
        all.insert(2, Event::Part { part: Part::Image(image), offset: 6 });
        let show = |format, terminal| {
            let (mut render, mut out) = (Render::new(format, terminal), Vec::new());
            all.iter().for_each(|event| render.event(event, &mut out));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(show(Format::Auto, true), "Here:\n[image: a cat] https://a.example/␛.png\n");
        assert_eq!(show(Format::Auto, false), "Here:");
        let object: serde_json::Value = serde_json::from_str(&show(Format::Json, false)).unwrap();
        assert_eq!(object["parts"][0]["alt"], "a cat");
        assert_eq!(picture(&Image::new("data:image/png;base64,AAAA")), "[image]");
    }

    #[test]
    fn json_is_one_object() {
        let out = rendered(Format::Json, false, &["He", "y\n"]);
        assert_eq!(out.matches('\n').count(), 1);
        let mut object: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert!(object["duration_ms"].take().is_u64());
        assert_eq!(
            object,
            serde_json::json!({
                "v": 1, "chat": "trip", "message": 2, "model": "m", "persona": "cat", "text": "Hey\n", "finish": "stop",
                "status": "complete", "usage": { "input_tokens": 3, "output_tokens": 2 }, "duration_ms": null
            })
        );
    }

    #[test]
    fn json_lines_are_the_engines_events() {
        let out = rendered(Format::Jsonl, true, &["a\nb"]);
        let back: Vec<Event> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(back, events(&["a\nb"]));
    }
}
