//! The words of a paragraph as they come: each is printed as soon as nothing that may follow changes how it looks.

use super::inline;
use super::layout::{Layout, Style, breaks, is_wide};

/// How many bytes a mark waits for the one that closes it; then it is a plain character.
const PATIENCE: usize = 600;
/// How many bytes that cannot be printed yet are many.
const LONG: usize = 256;
/// The longest name of a character, `&CounterClockwiseContourIntegral;`.
const ENTITY: usize = 34;

/// A paragraph's text as far as it is not printed.
#[derive(Debug, Default)]
pub(super) struct Flow {
    text: String,
    pub(super) style: Style,
    /// Before the text is this long, another look is not worth it.
    next_look: usize,
}

impl Flow {
    pub(super) fn push(&mut self, text: &str, layout: &mut Layout) {
        self.text.push_str(text);
        if self.text.len() >= self.next_look {
            self.print(false, layout);
            // It is looked at from its beginning each time.
            self.next_look = if self.text.len() > LONG { self.text.len() / 4 * 5 } else { 0 };
        }
    }

    /// The paragraph ends.
    pub(super) fn finish(&mut self, layout: &mut Layout) {
        self.print(true, layout);
        self.text.clear();
        self.next_look = 0;
        layout.end_line();
    }

    fn print(&mut self, last: bool, layout: &mut Layout) {
        let mut at = 0;
        loop {
            let rest = &self.text[at..];
            let words = rest.trim_start();
            let space = &rest[..rest.len() - words.len()];
            match space {
                "" => {}
                space if space.contains('\n') => layout.line_break(),
                _ => layout.space(),
            }
            at += space.len();
            let Some(length) = atom(words, last) else { break };
            for (style, text) in inline::pieces(&words[..length], self.style, layout.colours) {
                layout.text(style, &text);
            }
            layout.end_word();
            at += length;
        }
        self.text.drain(..at);
    }
}

/// How many bytes at the beginning of `text` stand for themselves, whatever follows; `None` if more has to come first.
/// `last` says that nothing follows.
///
/// A mark that opens something has to find its partner; if there is none within [`PATIENCE`], it is a plain character.
/// What the marks really mean is decided afterwards by a parser that sees the piece alone, so a mistake here makes
/// a word plain and never loses one.
fn atom(text: &str, last: bool) -> Option<usize> {
    Scan { text, last, at: 0, before: ' ', open: Vec::new() }.run().filter(|length| *length > 0)
}

/// A mark that waits for its partner.
struct Open {
    mark: char,
    count: usize,
    from: usize,
    to: usize,
}

struct Scan<'a> {
    text: &'a str,
    last: bool,
    at: usize,
    before: char,
    open: Vec<Open>,
}

impl Scan<'_> {
    fn run(mut self) -> Option<usize> {
        loop {
            let Some(c) = self.text[self.at..].chars().next() else {
                match self.open.first().map(|first| first.to) {
                    _ if !self.last => return None,
                    None => return Some(self.at),
                    Some(after) => self.leave_open(after),
                }
                continue;
            };
            if let Some(first) = self.open.first()
                && self.at - first.from > PATIENCE
            {
                self.leave_open(first.to);
                continue;
            }
            let ends = c.is_whitespace() || (self.at > 0 && breaks(self.before, c));
            if self.open.is_empty() && ends {
                return Some(self.at);
            }
            let step = self.step(c)?;
            self.go_on(self.at + step);
        }
    }

    /// The first open mark has no partner: goes on behind it.
    fn leave_open(&mut self, after: usize) {
        self.open.clear();
        self.go_on(after);
    }

    fn go_on(&mut self, at: usize) {
        self.at = at;
        self.before = self.text[..at].chars().next_back().unwrap_or(' ');
    }

    /// How many bytes belong together here; `None` if more has to come first.
    fn step(&mut self, c: char) -> Option<usize> {
        let rest = &self.text[self.at..];
        match c {
            '\\' => match rest[1..].chars().next() {
                Some(escaped) if escaped.is_ascii_punctuation() => Some(2),
                None if !self.last => None,
                _ => Some(1),
            },
            '`' => self.code(rest),
            '*' | '_' | '~' => self.emphasis(rest, c),
            '[' => {
                self.opens(c, 1);
                Some(1)
            }
            ']' => self.link(rest),
            '<' => match rest[1..].chars().next() {
                None if !self.last => None,
                Some(next) if next.is_ascii_alphabetic() || "/!?".contains(next) => {
                    self.until(rest, |rest| rest.find('>').map(|end| end + 1))
                }
                _ => Some(1),
            },
            '&' => {
                let name = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '#');
                match name {
                    None if rest.len() < ENTITY && !self.last => None,
                    Some(end) if rest[1 + end..].starts_with(';') && end < ENTITY => Some(end + 2),
                    _ => Some(1),
                }
            }
            c => Some(c.len_utf8()),
        }
    }

    /// The first byte alone, unless `end` finds where more of it belongs together.
    fn until(&self, rest: &str, end: impl Fn(&str) -> Option<usize>) -> Option<usize> {
        match end(rest).filter(|end| *end <= PATIENCE) {
            Some(end) => Some(end),
            None if self.last || rest.len() > PATIENCE => Some(1),
            None => None,
        }
    }

    fn code(&self, rest: &str) -> Option<usize> {
        let count = run(rest, '`');
        if count == rest.len() && !self.last {
            return None;
        }
        let mut at = count;
        while let Some(next) = rest[at..].find('`') {
            at += next;
            let closing = run(&rest[at..], '`');
            if at + closing > PATIENCE {
                break;
            }
            if at + closing == rest.len() && !self.last {
                return None;
            }
            at += closing;
            if closing == count {
                return Some(at);
            }
        }
        if self.last || rest.len() > PATIENCE { Some(count) } else { None }
    }

    /// What the brackets that end here belong to: `](…)`.
    fn link(&mut self, rest: &str) -> Option<usize> {
        let Some(bracket) = self.open.iter().rposition(|open| open.mark == '[') else { return Some(1) };
        let after = match rest[1..].chars().next() {
            None if !self.last => return None,
            Some('(') => self.until(&rest[1..], parenthesis)?,
            _ => 0,
        };
        self.open.truncate(bracket);
        Some(1 + after)
    }

    fn emphasis(&mut self, rest: &str, mark: char) -> Option<usize> {
        let mut count = run(rest, mark);
        let length = count;
        let after = match rest[count..].chars().next() {
            None if !self.last => return None,
            after => after.unwrap_or(' '),
        };
        let before = self.before;
        let punctuation = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
        // Beside Chinese and Japanese, which have no spaces, a mark counts as if there were one.
        let apart = |c: char| c.is_whitespace() || punctuation(c) || is_wide(c);
        let left = !after.is_whitespace() && (!punctuation(after) || apart(before));
        let right = !before.is_whitespace() && (!punctuation(before) || apart(after));
        let inside = before.is_alphanumeric() && after.is_alphanumeric() && !is_wide(before);
        if right && !(mark == '_' && left && !apart(after)) {
            while count > 0
                && let Some(at) = self.open.iter().rposition(|open| open.mark == mark)
            {
                self.open.truncate(at + 1);
                let open = &mut self.open[at];
                let both = open.count.min(count);
                (open.count, count) = (open.count - both, count - both);
                if open.count == 0 {
                    self.open.truncate(at);
                }
            }
        }
        if left && count > 0 && !inside && (mark != '~' || count == 2) {
            self.opens(mark, count);
        }
        Some(length)
    }

    fn opens(&mut self, mark: char, count: usize) {
        self.open.push(Open { mark, count, from: self.at, to: self.at + count });
    }
}

/// How often `mark` stands at the beginning.
fn run(text: &str, mark: char) -> usize {
    text.len() - text.trim_start_matches(mark).len()
}

/// Where the parenthesis ends that begins here.
fn parenthesis(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at + 1),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}
