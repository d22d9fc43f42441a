//! Which block is open, and what becomes of a line in it.

use super::flow::Flow;
use super::layout::{BOLD, DIM, Layout, PLAIN};
use super::starts::{self, Container, Kind, Line, Now};
use super::table;

/// The widest rule, in columns.
const RULE: usize = 40;

#[derive(Debug)]
pub(super) struct Blocks {
    /// Of the line that is being read, what is not understood yet.
    line: String,
    /// The line is one of a paragraph, and the rest of it goes there.
    streams: bool,
    open: Vec<Container>,
    now: Now,
    flow: Flow,
    rows: Vec<String>,
    /// Empty lines inside of indented code, which may also be its end.
    empty: usize,
    /// An empty line stands before what comes next.
    blank: bool,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            line: String::new(),
            streams: false,
            open: Vec::new(),
            now: Now::Nothing,
            flow: Flow::default(),
            rows: Vec::new(),
            empty: 0,
            blank: false,
        }
    }
}

impl Blocks {
    pub(super) fn push(&mut self, text: &str, layout: &mut Layout) {
        let waits = matches!(self.now, Now::Fence(..) | Now::Html(_) | Now::Table | Now::Indented);
        self.line.push_str(text);
        if !self.streams && waits && !text.contains('\n') {
            return;
        }
        let input = std::mem::take(&mut self.line);
        let mut rest = input.as_str();
        while !rest.is_empty() {
            let end = rest.find('\n');
            let line = &rest[..end.unwrap_or(rest.len())];
            if self.streams {
                self.flow.push(line, layout);
            } else {
                let Some(read) = starts::read(line, &self.open, self.now, end.is_some()) else { break };
                self.take(read, layout);
                self.streams = self.now == Now::Paragraph;
            }
            if end.is_some() && self.streams {
                self.flow.push("\n", layout);
            }
            self.streams &= end.is_none();
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
        }
        self.line.push_str(rest);
    }

    pub(super) fn finish(&mut self, layout: &mut Layout) {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty()
            && let Some(read) = starts::read(&line, &self.open, self.now, true)
        {
            self.take(read, layout);
        }
        self.close(layout);
        while self.open.pop().is_some() {
            layout.dedent();
        }
        layout.reset();
        (self.streams, self.blank) = (false, true);
    }

    fn take(&mut self, line: Line<'_>, layout: &mut Layout) {
        let Line { kept, begun, kind, pad, rest } = line;
        let continues = begun.is_empty()
            && match (self.now, kind) {
                // A paragraph may go on outside of its containers.
                (Now::Paragraph, Kind::Text) => true,
                (Now::Header, Kind::Text) => kept == self.open.len(),
                (Now::Table, Kind::Text) => kept == self.open.len() && rest.contains('|'),
                (Now::Header, Kind::Dashes) | (Now::Table, Kind::Row | Kind::Dashes) => true,
                (Now::Fence(..) | Now::Html(_) | Now::Indented, Kind::More) => true,
                _ => false,
            };
        if continues {
            return self.go_on(kind, pad, rest, layout);
        }
        if kind == Kind::FenceEnd {
            layout.line(&[(DIM, rest.trim().to_owned())]);
            self.now = Now::Nothing;
            return;
        }
        self.close(layout);
        while self.open.len() > kept {
            self.open.pop();
            layout.dedent();
        }
        if kind == Kind::Blank && begun.is_empty() {
            self.blank = true;
            return;
        }
        layout.block(std::mem::take(&mut self.blank));
        for container in begun {
            self.enter(container, layout);
        }
        self.begin(kind, pad, rest, layout);
    }

    /// Another line of what is open.
    fn go_on(&mut self, kind: Kind, pad: usize, rest: &str, layout: &mut Layout) {
        match self.now {
            Now::Paragraph => self.flow.push(rest, layout),
            Now::Header if kind == Kind::Text => {
                self.no_table(layout);
                self.flow.push(rest, layout);
            }
            Now::Header | Now::Table => {
                self.rows.push(rest.to_owned());
                self.now = Now::Table;
            }
            Now::Html(end) => {
                layout.line(&[(PLAIN, rest.to_owned())]);
                if end.is_some_and(|end| rest.to_ascii_lowercase().contains(end)) {
                    self.now = Now::Nothing;
                }
            }
            Now::Indented if rest.trim().is_empty() => self.empty += 1,
            Now::Indented => {
                for _ in 0..std::mem::take(&mut self.empty) {
                    layout.line(&[]);
                }
                code(pad + 4, rest, layout);
            }
            Now::Fence(..) => code(pad, rest, layout),
            _ => {}
        }
    }

    fn enter(&mut self, container: Container, layout: &mut Layout) {
        match &container {
            Container::Quote => layout.indent(None, "│ ".to_owned()),
            Container::Item { marker, .. } => {
                let shown = match marker.as_str() {
                    "-" | "*" | "+" => ["• ", "◦ "][self.lists() % 2].to_owned(),
                    number => format!("{number} "),
                };
                let rest = " ".repeat(shown.chars().count());
                layout.indent(Some(shown), rest);
            }
        }
        self.open.push(container);
    }

    /// How deep lists without numbers stand in each other.
    fn lists(&self) -> usize {
        let dotted = |container: &&Container| matches!(container, Container::Item { marker, .. } if marker.len() == 1);
        self.open.iter().filter(dotted).count()
    }

    fn begin(&mut self, kind: Kind, pad: usize, rest: &str, layout: &mut Layout) {
        match kind {
            Kind::Text => {
                self.now = Now::Paragraph;
                self.flow.push(rest, layout);
            }
            Kind::Heading(level) => heading(level, rest, layout),
            Kind::Rule => layout.line(&[(DIM, "─".repeat(layout.room().min(RULE)))]),
            Kind::Fence(mark, count, column) => {
                layout.line(&[(DIM, rest.trim_end().to_owned())]);
                self.now = Now::Fence(mark, count, column);
            }
            Kind::Indented => {
                code(pad + 4, rest, layout);
                self.now = Now::Indented;
            }
            Kind::Html(end) => {
                layout.line(&[(PLAIN, rest.to_owned())]);
                let ended = end.is_some_and(|end| rest.to_ascii_lowercase().contains(end));
                self.now = if ended { Now::Nothing } else { Now::Html(end) };
            }
            Kind::Row | Kind::Dashes => {
                self.rows.push(rest.to_owned());
                self.now = Now::Header;
            }
            Kind::Blank | Kind::FenceEnd | Kind::More => {}
        }
    }

    /// The first row has no line of dashes: it begins a paragraph.
    fn no_table(&mut self, layout: &mut Layout) {
        for row in std::mem::take(&mut self.rows) {
            self.flow.push(&row, layout);
            self.flow.push("\n", layout);
        }
        self.now = Now::Paragraph;
    }

    /// The open block ends.
    fn close(&mut self, layout: &mut Layout) {
        match std::mem::replace(&mut self.now, Now::Nothing) {
            Now::Paragraph => self.flow.finish(layout),
            Now::Table => table::show(&std::mem::take(&mut self.rows), layout),
            Now::Header => {
                self.no_table(layout);
                self.now = Now::Nothing;
                self.flow.finish(layout);
            }
            Now::Indented => {
                self.blank |= std::mem::take(&mut self.empty) > 0;
            }
            Now::Nothing | Now::Fence(..) | Now::Html(_) => {}
        }
    }
}

/// A line of code, as it is: it can be copied.
fn code(pad: usize, rest: &str, layout: &mut Layout) {
    layout.line(&[(PLAIN, format!("{}{rest}", " ".repeat(pad)))]);
}

/// One line, with its marks only where there is no bold.
fn heading(level: usize, rest: &str, layout: &mut Layout) {
    let text = rest[level..].trim();
    let bare = text.trim_end_matches('#');
    let text = if bare.is_empty() || bare.ends_with([' ', '\t']) { bare.trim_end() } else { text };
    let mut flow = Flow::default();
    flow.style = BOLD;
    if !layout.colours {
        layout.text(PLAIN, &"#".repeat(level));
        layout.space();
    }
    flow.push(text, layout);
    flow.finish(layout);
}
