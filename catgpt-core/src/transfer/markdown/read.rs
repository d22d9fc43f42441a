//! Reading it back.

use std::io::BufRead;

use super::super::transcript::{Heading, LeftOut, Transcript};
use super::super::{Flow, Found, Take, fingerprint, time, unreadable};
use super::{Aside, Form, VERSION, begins_document, form, is_mark, role};
use crate::error::{Error, ErrorKind, Result};
use crate::id::SessionId;
use crate::message::{Content, Image, Message, Part, Role, Status};

/// The most bytes of one document: a conversation is read as a whole.
const MAX_DOCUMENT: usize = 256 << 20;

/// Reads documents, one at a time. One that cannot be read costs no other.
pub(in crate::transfer) fn read(input: &mut dyn BufRead, take: &mut Take<'_>) -> Result<()> {
    let mut lines: Vec<String> = Vec::new();
    let mut bytes = 0;
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        bytes += line.len();
        if bytes > MAX_DOCUMENT {
            return Err(Error::invalid("the document is too long for one conversation").with("max", MAX_DOCUMENT));
        }
        let line =
            String::from_utf8(line).map_err(|_| Error::invalid("the file is not UTF-8 text: save it as such"))?;
        let line = if lines.is_empty() { line.trim_start_matches('\u{feff}') } else { &line };
        lines.push(line.strip_suffix('\n').unwrap_or(line).to_owned());
        let last = lines.len() - 1;
        if last > 1 && begins_document(&lines[last - 1], Some(&lines[last])) {
            let next = lines.split_off(last - 1);
            if document(&lines, take) == Flow::Stop {
                return Ok(());
            }
            bytes = next.iter().map(String::len).sum();
            lines = next;
        }
    }
    if !lines.iter().all(|line| line.trim().is_empty()) {
        document(&lines, take);
    }
    Ok(())
}

fn document(lines: &[String], take: &mut Take<'_>) -> Flow {
    let mut found = Document::new(lines);
    let lines = match found.front(lines) {
        Ok(lines) => lines,
        Err(error) => return take(Found::refused(None, None, error)),
    };
    found.messages(lines);
    let Document { heading, messages, exact, .. } = found;
    if messages.is_empty() && !exact {
        let error = Error::invalid("there is no conversation in this: a message begins with a line `## User`");
        return take(Found::refused(None, heading.title, error));
    }
    take(Found::transcript(Transcript { heading, messages }, LeftOut::new()))
}

struct Document {
    heading: Heading,
    messages: Vec<Message>,
    /// We wrote it: then every byte of a text counts.
    exact: bool,
}

impl Document {
    /// Until its front says another, its id is made of what it says.
    fn new(lines: &[String]) -> Self {
        let id = fingerprint("md", lines.iter().map(String::as_bytes));
        Self { heading: Heading::new(id), messages: Vec::new(), exact: false }
    }

    /// Reads the front matter, if there is some; the rest is messages.
    fn front<'a>(&mut self, lines: &'a [String]) -> Result<&'a [String]> {
        let begins = lines.first().is_some_and(|line| line.trim_end() == "---");
        let Some(end) = lines.iter().skip(1).position(|line| line.trim_end() == "---").filter(|_| begins) else {
            return Ok(lines);
        };
        let (front, rest) = lines.split_at(end + 2);
        for line in &front[1..=end] {
            if let Some((key, value)) = line.split_once(':') {
                self.field(key.trim(), value.trim())?;
            }
        }
        Ok(rest)
    }

    fn field(&mut self, key: &str, value: &str) -> Result<()> {
        let text = || serde_json::from_str(value).unwrap_or_else(|_| value.trim_matches('\'').to_owned());
        let heading = &mut self.heading;
        match key {
            "catgpt" => {
                self.exact = true;
                if value.parse::<u32>().is_ok_and(|version| version > VERSION) {
                    let error = Error::new(ErrorKind::Unsupported, "a newer version wrote this: update to read it");
                    return Err(error.with("found", value).with("known", VERSION));
                }
            }
            "id" => heading.id = SessionId::new(text())?,
            "title" => heading.title = Some(text()),
            "created" => heading.created_ms = time::parse(&text()).unwrap_or(0),
            "updated" => heading.updated_ms = time::parse(&text()).unwrap_or(0),
            _ => {}
        }
        Ok(())
    }

    fn messages(&mut self, lines: &[String]) {
        let heads: Vec<usize> = (0..lines.len()).filter(|n| role(&lines[*n]).is_some()).collect();
        let before = &lines[..heads.first().copied().unwrap_or(lines.len())];
        if self.heading.title.is_none() {
            let title = before.iter().find_map(|line| line.strip_prefix("# "));
            self.heading.title = title.map(|title| title.trim().to_owned());
        }
        for (n, head) in heads.iter().enumerate() {
            let end = heads.get(n + 1).copied().unwrap_or(lines.len());
            let Some((role, comment)) = role(&lines[*head]) else { continue };
            let content = self.content(&lines[head + 1..end]);
            self.push(role, comment, content);
        }
    }

    fn push(&mut self, role: Role, comment: &str, content: Content) {
        let json = comment.trim().trim_start_matches("<!--").trim_end_matches("-->");
        let aside: Aside = serde_json::from_str(json).unwrap_or_default();
        let seq = self.messages.len() as u64 + 1;
        self.messages.push(Message {
            seq,
            parent: (seq > 1).then(|| seq - 1),
            turn: None,
            role,
            status: aside.status.unwrap_or(Status::Complete),
            content,
            model: aside.model,
            finish_reason: aside.finish_reason,
            usage: aside.usage,
            cost: aside.cost,
            error: aside.error,
            created_ms: aside.at.and_then(|at| time::parse(&at)).unwrap_or(0),
        });
    }

    /// The parts below a message's heading.
    fn content(&self, lines: &[String]) -> Content {
        let marks = (0..lines.len()).filter_map(|n| Some((n, form(&lines[n])?)));
        let mut content = Content::default();
        let (mut from, mut now) = (0, Form::Text);
        for (mark, next) in marks.chain([(lines.len(), Form::Text)]) {
            let body = self.body(&lines[from..mark]);
            if let Some(part) = body.and_then(|body| part(now, &body)) {
                content.push(part);
            }
            (from, now) = (mark + 1, next);
        }
        content
    }

    /// What stands between two headings, without the empty lines that set it off; `None` if nothing does.
    fn body(&self, mut lines: &[String]) -> Option<String> {
        if let Some((first, rest)) = lines.split_first()
            && first.trim().is_empty()
        {
            lines = rest;
        }
        match lines.split_last() {
            Some((last, rest)) if last.is_empty() => lines = rest,
            Some(_) => {}
            None => return None,
        }
        let next = |n: usize| lines.get(n + 1).map(String::as_str);
        let bare = |(n, line): (usize, &String)| match line.strip_prefix('\\') {
            Some(bare) if is_mark(line, next(n)) => bare.to_owned(),
            _ => line.clone(),
        };
        let text = lines.iter().enumerate().map(bare).collect::<Vec<_>>().join("\n");
        if self.exact { Some(text) } else { Some(text.trim().to_owned()).filter(|text| !text.is_empty()) }
    }
}

/// A part from what stands below its heading. What cannot be read in its form is text.
fn part(form: Form, body: &str) -> Option<Part> {
    let read = match form {
        Form::Text => None,
        Form::Reasoning => Some(Part::Reasoning { text: body.to_owned() }),
        Form::Image => body.strip_prefix('!').and_then(link).map(|(name, url, media_type)| {
            let alt = Some(name).filter(|name| !name.is_empty() && name != "image");
            Part::Image(Image { media_type, alt, ..Image::new(url) })
        }),
        Form::Source => match body.strip_prefix('<').and_then(|body| body.strip_suffix('>')) {
            Some(url) => Some(Part::Citation { url: url.to_owned(), title: None }),
            None => link(body).map(|(title, url, _)| Part::Citation { url, title: Some(title) }),
        },
        Form::Json => {
            let json = body.trim().strip_prefix("```json").and_then(|body| body.strip_suffix("```"));
            json.and_then(|json| serde_json::from_str(json).ok())
        }
    };
    read.or_else(|| (!body.is_empty()).then(|| Part::text(body)))
}

/// `[name](<url>)` or `[name](<url> "title")`
fn link(text: &str) -> Option<(String, String, Option<String>)> {
    let (name, rest) = text.trim().strip_prefix('[')?.strip_suffix(')')?.split_once("](<")?;
    let (url, title) = match rest.strip_suffix('>') {
        Some(url) => (url, None),
        None => rest.strip_suffix('"')?.split_once("> \"").map(|(url, title)| (url, Some(title.to_owned())))?,
    };
    Some((name.to_owned(), url.to_owned(), title))
}
