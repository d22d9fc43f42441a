//! What stdout gets: an answer as text, as one object, or as its events.

use std::borrow::Cow;
use std::time::Instant;

use catgpt_core::{ErrorInfo, Event, FinishReason, Finished, Image, Part, Started, Status, Usage, wire};
use serde::Serialize;

use crate::args::{Block, Format};
use crate::extract::extract;

/// The version of the JSON object.
const VERSION: u32 = 1;

/// Turns the events of one answer into bytes.
#[derive(Debug)]
pub(crate) struct Render {
    format: Format,
    terminal: bool,
    /// Nothing is shown before the answer is whole.
    whole: bool,
    /// Only this code block is shown.
    block: Option<Block>,
    missing: bool,
    begun: Instant,
    started: Option<Started>,
    /// The whole text, for what is shown at the end.
    text: String,
    parts: Vec<Part>,
    /// What is shown at the end.
    late: Vec<u8>,
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
            whole: false,
            block: None,
            missing: false,
            begun: Instant::now(),
            started: None,
            text: String::new(),
            parts: Vec::new(),
            late: Vec::new(),
            line_open: false,
        }
    }

    /// Shows nothing before the answer is whole, if it is so.
    pub(crate) fn whole(self, whole: bool) -> Self {
        Self { whole, ..self }
    }

    /// Shows a code block of the text and nothing else, if one is named.
    pub(crate) fn block(self, block: Option<Block>) -> Self {
        Self { block, ..self }
    }

    /// Whether the answer has ended without the code block that was wanted.
    pub(crate) fn is_missing(&self) -> bool {
        self.missing
    }

    /// Appends what this event puts on stdout.
    pub(crate) fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self.format {
            Format::Auto | Format::Plain if self.block.is_some() => self.code(event, out),
            Format::Auto | Format::Plain if self.whole => self.at_once(event, out),
            Format::Auto | Format::Plain => self.plain(event, out),
            Format::Json => self.json(event, out),
            Format::Jsonl => wire::json::write(event, out),
        }
    }

    /// What a program may run: nothing of an answer that did not come to its end, and no block without one.
    fn code(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text { text, .. } => self.text.push_str(text),
            Event::Finished(finished) if finished.status == Status::Complete => {
                let cut = finished.finish_reason != Some(FinishReason::Stop);
                let block = self.block.and_then(|block| extract(&self.text, block, cut));
                self.missing = block.is_none();
                out.extend_from_slice(self.safe(&block.unwrap_or_default()).as_bytes());
            }
            _ => {}
        }
    }

    /// The same bytes as piece by piece, later.
    fn at_once(&mut self, event: &Event, out: &mut Vec<u8>) {
        let mut late = std::mem::take(&mut self.late);
        self.plain(event, &mut late);
        match event {
            Event::Finished(_) => out.append(&mut late),
            _ => self.late = late,
        }
    }

    /// A pipe gets what there is.
    fn safe<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.terminal { visible(text) } else { Cow::Borrowed(text) }
    }

    fn plain(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Text { text, .. } => {
                out.extend_from_slice(self.safe(text).as_bytes());
                self.line_open = self.terminal && !text.ends_with('\n');
            }
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
    fn an_answer_can_wait_until_it_is_whole() {
        let mut render = Render::new(Format::Auto, true).whole(true);
        let (mut out, all) = (Vec::new(), events(&["a", "b"]));
        all[..3].iter().for_each(|event| render.event(event, &mut out));
        assert_eq!(out, b"");
        render.event(&all[3], &mut out);
        assert_eq!(out, b"ab\n");
    }

    #[test]
    fn a_code_block_comes_alone_and_only_of_a_whole_answer() {
        let shown = |texts: &[&str], from: &str, to: &str| {
            let mut render = Render::new(Format::Auto, false).block(Some(Block::Last));
            let mut out = Vec::new();
            for event in events(texts) {
                let json = serde_json::to_string(&event).unwrap().replace(from, to);
                render.event(&serde_json::from_str(&json).unwrap(), &mut out);
            }
            (String::from_utf8(out).unwrap(), render.is_missing())
        };
        let texts = ["Here:\n``", "`sh\nls\n```", "\nBye"];
        assert_eq!(shown(&texts, "", ""), ("ls\n".to_owned(), false));
        assert_eq!(shown(&texts[..1], "", ""), (String::new(), true));
        assert_eq!(shown(&["Bye"], "", ""), (String::new(), true));
        assert_eq!(shown(&texts, "complete", "cancelled"), (String::new(), false));
        assert_eq!(shown(&texts, "\"stop\"", "\"length\""), ("ls\n".to_owned(), false));
        assert_eq!(shown(&["```sh\nls"], "\"stop\"", "\"length\""), (String::new(), true));
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
