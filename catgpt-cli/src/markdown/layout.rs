//! Words on lines: wraps, indents, and styles. The only place that writes, so what it neutralises reaches no terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::Width;
use crate::render::visible;

/// How a piece of text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) bold: bool,
    pub(super) italic: bool,
    pub(super) dim: bool,
    pub(super) code: bool,
    pub(super) strike: bool,
}

pub(super) const PLAIN: Style = Style { bold: false, italic: false, dim: false, code: false, strike: false };
pub(super) const DIM: Style = Style { dim: true, ..PLAIN };
pub(super) const BOLD: Style = Style { bold: true, ..PLAIN };

/// A piece of text with its style.
pub(super) type Piece = (Style, String);

/// What stands before the next word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Break,
}

/// What stands at the beginning of each line inside of a container.
#[derive(Debug)]
struct Indent {
    /// On its first line, until that is written.
    marker: Option<String>,
    rest: String,
}

#[derive(Debug)]
pub(super) struct Layout {
    width: Width,
    columns: usize,
    pub(super) colours: bool,
    out: String,
    indents: Vec<Indent>,
    /// Columns used on the line; `None` if none is begun.
    column: Option<usize>,
    /// A word stands on the line.
    worded: bool,
    gap: Gap,
    word: Vec<Piece>,
    /// The last character of the word.
    end: Option<char>,
    /// Something was written.
    begun: bool,
}

impl Layout {
    pub(super) fn new(width: Width, colours: bool) -> Self {
        Self {
            width,
            columns: width.columns(),
            colours,
            out: String::new(),
            indents: Vec::new(),
            column: None,
            worded: false,
            gap: Gap::None,
            word: Vec::new(),
            end: None,
            begun: false,
        }
    }

    /// Hands over what is written.
    pub(super) fn drain(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.out.as_bytes());
        self.out.clear();
    }

    /// A block begins: the terminal may be wider by now.
    pub(super) fn block(&mut self, blank: bool) {
        self.end_line();
        self.columns = self.width.columns();
        if blank && self.begun {
            self.empty_line();
        }
    }

    /// With the bars of quotes, but without spaces at its end.
    fn empty_line(&mut self) {
        if self.indents.iter().any(|indent| indent.marker.is_some()) {
            return;
        }
        let indents: String = self.indents.iter().map(|indent| indent.rest.as_str()).collect();
        self.styled(DIM, indents.trim_end());
        self.out.push('\n');
    }

    /// The columns that a line has for words.
    pub(super) fn room(&self) -> usize {
        let used: usize = self.indents.iter().map(|indent| indent.rest.width()).sum();
        self.columns.saturating_sub(used).max(1)
    }

    /// What follows stands inside of a container.
    pub(super) fn indent(&mut self, marker: Option<String>, rest: String) {
        self.indents.push(Indent { marker, rest });
    }

    /// The innermost container ends. One without content is its marker.
    pub(super) fn dedent(&mut self) {
        self.end_line();
        if self.indents.last().is_some_and(|indent| indent.marker.is_some()) {
            self.begin_line();
            self.end_line();
        }
        self.indents.pop();
    }

    /// Words, which are wrapped.
    pub(super) fn text(&mut self, style: Style, text: &str) {
        for c in visible(text).chars() {
            match c {
                '\n' => self.line_break(),
                c if c.is_whitespace() && c != '\u{a0}' => self.space(),
                c => {
                    if self.end.is_some_and(|end| breaks(end, c)) {
                        self.end_word();
                    }
                    self.end = Some(c);
                    match self.word.last_mut() {
                        Some((last, word)) if *last == style => word.push(c),
                        _ => self.word.push((style, c.into())),
                    }
                }
            }
        }
    }

    pub(super) fn space(&mut self) {
        self.end_word();
        self.gap = self.gap.max(Gap::Space);
    }

    pub(super) fn line_break(&mut self) {
        self.end_word();
        self.gap = Gap::Break;
    }

    /// What follows may stand on another line.
    pub(super) fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        self.end = None;
        if word.is_empty() {
            return;
        }
        let width: usize = word.iter().map(|(_, text)| text.width()).sum();
        let gap = std::mem::replace(&mut self.gap, Gap::None);
        let space = usize::from(gap == Gap::Space);
        let full = self.column.is_some_and(|column| column + space + width > self.columns);
        if gap == Gap::Break || (full && self.worded) {
            self.end_line();
        }
        if self.worded && space > 0 {
            self.write(PLAIN, " ");
        }
        word.iter().for_each(|(style, text)| self.write(*style, text));
        self.worded = true;
    }

    /// A line that is not wrapped.
    pub(super) fn line(&mut self, pieces: &[Piece]) {
        self.end_line();
        if pieces.iter().all(|(_, text)| text.is_empty()) {
            return self.empty_line();
        }
        for (style, text) in pieces {
            let text = visible(text).replace('\n', " ");
            self.write(*style, &text);
        }
        self.end_line();
    }

    fn write(&mut self, style: Style, text: &str) {
        self.begin_line();
        self.styled(style, text);
        self.column = self.column.map(|column| column + text.width());
    }

    /// Each piece ends as plain as it began, so that nothing of ours is left open whenever the answer stops.
    fn styled(&mut self, style: Style, text: &str) {
        if !self.colours || style == PLAIN || text.is_empty() {
            return self.out.push_str(text);
        }
        let codes = [(style.bold, "1"), (style.dim, "2"), (style.italic, "3"), (style.strike, "9"), (style.code, "36")];
        let codes: Vec<_> = codes.iter().filter(|(on, _)| *on).map(|(_, code)| *code).collect();
        self.out.push_str(&format!("\x1b[{}m{text}\x1b[0m", codes.join(";")));
    }

    fn begin_line(&mut self) {
        if self.column.is_some() {
            return;
        }
        self.begun = true;
        let mut column = 0;
        for n in 0..self.indents.len() {
            let rest = self.indents[n].rest.clone();
            let shown = self.indents[n].marker.take().unwrap_or(rest);
            column += shown.width();
            self.styled(DIM, &shown);
        }
        self.column = Some(column);
    }

    /// Ends the line, if one is begun.
    pub(super) fn end_line(&mut self) {
        // A break that waits is this one.
        if !self.word.is_empty() {
            self.end_word();
        }
        self.gap = Gap::None;
        self.worded = false;
        if self.column.take().is_some() {
            self.out.push('\n');
        }
    }

    /// All containers are left.
    pub(super) fn reset(&mut self) {
        self.end_line();
        self.indents.clear();
    }
}

/// Whether a line may end between these two, though there is no space: in Chinese and Japanese.
pub(super) fn breaks(before: char, after: char) -> bool {
    const CLOSING: &str =
        "、。，．：；！？）」』】〉》〕］｝〗〙ーァィゥェォッャュョヮヵヶぁぃぅぇぉっゃゅょゎ々〻‥…・,.!?:;)]}%";
    const OPENING: &str = "（「『【〈《〔［｛〖〘([{";
    let joined = after.width() == Some(0) || CLOSING.contains(after) || OPENING.contains(before);
    !joined && (is_wide(before) || is_wide(after))
}

/// Written without spaces between words.
pub(super) fn is_wide(c: char) -> bool {
    matches!(u32::from(c), 0x2e80..=0x9fff | 0xf900..=0xfaff | 0xff00..=0xff65 | 0x2_0000..=0x3_ffff)
}
