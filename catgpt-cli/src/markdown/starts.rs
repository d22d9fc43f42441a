//! What a line is, by its beginning: CommonMark's rules for blocks, told as soon as the line has said enough.

use pulldown_cmark::{Event, Parser, Tag};

/// How many containers may stand in each other: what no person could read is text.
const DEEPEST: usize = 20;

/// What holds other blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Quote,
    /// A list's item: its content stands in this column; a line from `least` on belongs to it.
    Item {
        column: usize,
        least: usize,
        marker: String,
    },
}

/// What is open when a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Nothing,
    Paragraph,
    /// The first line of what may be a table.
    Header,
    Table,
    /// Code between fences: which character, how many, in which column.
    Fence(char, usize, usize),
    Indented,
    /// HTML up to a line with this end, or up to an empty line.
    Html(Option<&'static str>),
}

/// What a line is inside of its containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Blank,
    /// Of a paragraph.
    Text,
    Heading(usize),
    Rule,
    /// Begins code.
    Fence(char, usize, usize),
    /// Ends it.
    FenceEnd,
    /// Another line of whatever is open: code, HTML.
    More,
    Indented,
    Html(Option<&'static str>),
    /// A row of a table, or what may be its first.
    Row,
    /// The line of dashes under a table's first row.
    Dashes,
}

/// A line, understood.
#[derive(Debug)]
pub(super) struct Line<'a> {
    /// How many of the open containers go on.
    pub(super) kept: usize,
    /// Those that begin.
    pub(super) begun: Vec<Container>,
    pub(super) kind: Kind,
    /// Spaces that stand before the rest: what is left of a tab.
    pub(super) pad: usize,
    pub(super) rest: &'a str,
}

/// A place in a line. A tab is four columns.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    pad: usize,
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn indent(self) -> usize {
        self.pad
            + self
                .rest
                .chars()
                .map_while(|c| match c {
                    ' ' => Some(1),
                    '\t' => Some(4),
                    _ => None,
                })
                .sum::<usize>()
    }

    fn is_blank(self) -> bool {
        self.rest.trim_start_matches([' ', '\t']).is_empty()
    }

    /// After so many columns of space, or fewer if there are no more.
    fn skip(mut self, mut columns: usize) -> Self {
        while columns > 0 {
            let part = self.pad.min(columns);
            (self.pad, columns) = (self.pad - part, columns - part);
            match self.rest.chars().next() {
                Some(' ') if columns > 0 => (self.rest, columns) = (&self.rest[1..], columns - 1),
                Some('\t') if columns > 0 => (self.rest, self.pad) = (&self.rest[1..], 4),
                _ => return self,
            }
        }
        self
    }

    fn after(self, bytes: usize) -> Self {
        Self { pad: 0, rest: &self.rest[bytes..] }
    }
}

/// What the line is; `None` if it must be longer to tell. `whole` says that it is all there.
pub(super) fn read<'a>(line: &'a str, open: &[Container], now: Now, whole: bool) -> Option<Line<'a>> {
    let mut at = Cursor { pad: 0, rest: line };
    let mut kept = 0;
    for container in open {
        let blank = at.is_blank();
        if blank && !whole {
            return None;
        }
        let indent = at.indent();
        match container {
            Container::Quote if indent < 4 && !blank && at.skip(indent).rest.starts_with('>') => {
                at = quoted(at, indent)
            }
            Container::Item { .. } if blank => {}
            Container::Item { column, least, .. } if indent >= *least => at = at.skip(*column),
            _ => break,
        }
        kept += 1;
    }
    let now = if kept == open.len() {
        now
    } else if now == Now::Paragraph {
        Now::Paragraph
    } else {
        Now::Nothing
    };
    if kept == open.len()
        && let Some(kind) = inside(at, now, whole)
    {
        let at = if let (Kind::More, Now::Fence(.., column)) = (kind, now) { at.skip(column) } else { at };
        let at = if let (Kind::More, Now::Indented) = (kind, now) { at.skip(4) } else { at };
        return whole.then(|| Line { kept, begun: Vec::new(), kind, pad: at.pad, rest: at.rest });
    }
    start(at, kept, kept == open.len(), now, whole)
}

fn quoted(at: Cursor<'_>, indent: usize) -> Cursor<'_> {
    at.skip(indent).after(1).skip(1)
}

/// What goes on until it says that it ends.
fn inside(at: Cursor<'_>, now: Now, whole: bool) -> Option<Kind> {
    match now {
        Now::Fence(mark, count, _) => {
            let text = at.rest.trim_matches([' ', '\t']);
            let closes = whole && at.indent() < 4 && text.len() >= count && text.chars().all(|c| c == mark);
            Some(if closes { Kind::FenceEnd } else { Kind::More })
        }
        Now::Html(None) if at.is_blank() => Some(Kind::Blank),
        Now::Html(_) => Some(Kind::More),
        Now::Indented if at.is_blank() || at.indent() >= 4 => Some(Kind::More),
        _ => None,
    }
}

/// Reads containers that begin, and what stands in them.
fn start<'a>(mut at: Cursor<'a>, kept: usize, all: bool, now: Now, whole: bool) -> Option<Line<'a>> {
    let mut begun = Vec::new();
    loop {
        if at.is_blank() {
            return whole.then_some(Line { kept, begun, kind: Kind::Blank, pad: 0, rest: "" });
        }
        let indent = at.indent();
        // What a paragraph goes on with is no code, and not every number begins a list in it.
        let paragraph = begun.is_empty() && now == Now::Paragraph;
        if indent >= 4 {
            return match paragraph {
                true => Some(text(kept, begun, at.skip(indent))),
                false if !whole => None,
                false => {
                    let at = at.skip(4);
                    Some(Line { kept, begun, kind: Kind::Indented, pad: at.pad, rest: at.rest })
                }
            };
        }
        let content = at.skip(indent);
        let deep = kept + begun.len() >= DEEPEST;
        if content.rest.starts_with('>') && !deep {
            begun.push(Container::Quote);
            at = quoted(at, indent);
            continue;
        }
        if let Some(kind) =
            leaf(content.rest, indent, paragraph, if begun.is_empty() && all { now } else { Now::Nothing }, whole)?
        {
            return whole.then_some(Line { kept, begun, kind, pad: 0, rest: content.rest });
        }
        let marked = if deep { None } else { item(content, paragraph && all, whole)? };
        let Some((marker, after)) = marked else { return Some(text(kept, begun, content)) };
        let spaces = after.indent();
        let empty = after.is_blank();
        let gap = if empty || spaces > 4 { 1 } else { spaces };
        let column = indent + marker.len() + gap;
        begun.push(Container::Item { column, least: column.min(indent + 2), marker: marker.to_owned() });
        at = after.skip(gap);
    }
}

fn text<'a>(kept: usize, begun: Vec<Container>, at: Cursor<'a>) -> Line<'a> {
    Line { kept, begun, kind: Kind::Text, pad: 0, rest: at.rest }
}

/// What is neither text nor a list's item; the outer `None` if more has to come first.
fn leaf(text: &str, indent: usize, paragraph: bool, now: Now, whole: bool) -> Option<Option<Kind>> {
    let first = text.chars().next()?;
    let run = text.len() - text.trim_start_matches(first).len();
    let ends = run == text.len() && !whole;
    let found = match first {
        '#' if ends && run <= 6 => return None,
        '#' if run <= 6 => {
            let heads = text[run..].chars().next().is_none_or(|c| c == ' ' || c == '\t');
            heads.then_some(Kind::Heading(run))
        }
        '`' | '~' if ends => return None,
        '`' | '~' if run >= 3 && (first == '~' || !text[run..].contains('`')) => Some(Kind::Fence(first, run, indent)),
        '-' | '*' | '_' | '=' if only(text, first) => {
            if !whole {
                return None;
            }
            let rule = text.matches(first).count() >= 3 && first != '=';
            let under = paragraph && run == text.trim_end().len() && matches!(first, '=' | '-') && run > 1;
            (rule || under).then_some(Kind::Rule)
        }
        '<' if !whole => return None,
        '<' => html(text, paragraph),
        '|' if !whole && !paragraph => return None,
        '|' if now == Now::Header && dashes(text) => Some(Kind::Dashes),
        '|' if now == Now::Table || !paragraph => Some(Kind::Row),
        _ => None,
    };
    // A line whose beginning fits may still be none: a fence with a mark in its words.
    let waits = found.is_some() || matches!(now, Now::Header | Now::Table);
    if waits && !whole { None } else { Some(found) }
}

/// Whether there is nothing but this character and spaces.
fn only(text: &str, mark: char) -> bool {
    text.chars().all(|c| c == mark || c == ' ' || c == '\t')
}

/// The line under a table's first row.
fn dashes(text: &str) -> bool {
    text.contains('-') && text.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'))
}

/// The marker of a list's item, and what follows it.
fn item<'a>(at: Cursor<'a>, interrupts: bool, whole: bool) -> Option<Option<(&'a str, Cursor<'a>)>> {
    let text = at.rest;
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let length = match text.chars().nth(digits) {
        None if !whole => return None,
        Some('-' | '*' | '+') if digits == 0 => 1,
        Some('.' | ')') if (1..=9).contains(&digits) => digits + 1,
        _ => return Some(None),
    };
    let after = at.after(length);
    let empty = after.is_blank();
    if empty && !whole {
        return None;
    }
    let apart = empty || after.rest.starts_with([' ', '\t']);
    let fits = !interrupts || (!empty && matches!(&text[..digits], "" | "1"));
    Some((apart && fits).then_some((&text[..length], after)))
}

/// How a block of HTML ends that begins so.
fn html(line: &str, paragraph: bool) -> Option<Kind> {
    const ENDS: [(&str, &str); 6] = [
        ("<!--", "-->"),
        ("<script", "</script>"),
        ("<pre", "</pre>"),
        ("<style", "</style>"),
        ("<textarea", "</textarea>"),
        ("<?", "?>"),
    ];
    let source = if paragraph { format!("x\n{line}") } else { line.to_owned() };
    let begins = Parser::new(&source).any(|event| matches!(event, Event::Start(Tag::HtmlBlock)));
    if !begins {
        return None;
    }
    let lower = line.to_ascii_lowercase();
    Some(Kind::Html(ENDS.iter().find(|(start, _)| lower.starts_with(start)).map(|(_, end)| *end)))
}
