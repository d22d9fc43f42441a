//! A piece of a paragraph that stands for itself: emphasis, code, links.

use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::layout::{PLAIN, Piece, Style};

/// What may be markup.
const MARKUP: [char; 10] = ['\\', '`', '*', '_', '~', '[', ']', '<', '&', '!'];
/// It stands before the text, so that nothing in that is taken for the beginning of a block.
const GUARD: &str = "x ";

/// The text with its styles. Without colours the marks of code and of what is crossed out stay.
pub(super) fn pieces(text: &str, base: Style, colours: bool) -> Vec<Piece> {
    let marked = if text.contains(MARKUP) { marked(text, base, colours) } else { None };
    marked.unwrap_or_else(|| vec![(base, text.to_owned())])
}

/// `None` if it is not what it should be: then it is shown as it stands.
fn marked(text: &str, base: Style, colours: bool) -> Option<Vec<Piece>> {
    let source = format!("{GUARD}{text}");
    let mut found = Found { pieces: Vec::new(), style: base, colours, links: Vec::new() };
    for (event, range) in Parser::new_ext(&source, Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
        found.take(event, &source[range])?;
    }
    let first = found.pieces.first_mut()?;
    first.1 = first.1.strip_prefix(GUARD)?.to_owned();
    Some(found.pieces)
}

struct Found {
    pieces: Vec<Piece>,
    style: Style,
    colours: bool,
    /// Where the text of each open link begins, and what stands behind it.
    links: Vec<(usize, String)>,
}

impl Found {
    fn take(&mut self, event: Event<'_>, source: &str) -> Option<()> {
        match event {
            Event::Start(tag) => self.start(tag)?,
            Event::End(tag) => self.end(tag)?,
            Event::Text(text) => self.add(self.style, &text),
            Event::Code(code) if self.colours => self.add(Style { code: true, ..self.style }, &code),
            Event::Code(_) => self.add(self.style, source),
            Event::InlineHtml(html) | Event::Html(html) => self.add(self.style, &html),
            Event::SoftBreak | Event::HardBreak => self.add(self.style, "\n"),
            _ => return None,
        }
        Some(())
    }

    fn add(&mut self, style: Style, text: &str) {
        match self.pieces.last_mut() {
            Some((last, piece)) if *last == style => piece.push_str(text),
            _ => self.pieces.push((style, text.to_owned())),
        }
    }

    fn start(&mut self, tag: Tag<'_>) -> Option<()> {
        match tag {
            Tag::Paragraph => {}
            Tag::Strong => self.style.bold = true,
            Tag::Emphasis => self.style.italic = true,
            Tag::Strikethrough => self.strike(true),
            Tag::Link { link_type, dest_url, title, .. } => {
                let whole = matches!(link_type, LinkType::Autolink | LinkType::Email);
                let target = if whole { String::new() } else { target(&dest_url, &title) };
                self.links.push((self.pieces.len(), target));
                // The text of a link is a piece of its own, so that it can be compared.
                self.pieces.push((self.style, String::new()));
            }
            Tag::Image { dest_url, title, .. } => {
                self.add(self.style, "[image: ");
                self.links.push((usize::MAX, target(&dest_url, &title)));
            }
            _ => return None,
        }
        Some(())
    }

    fn end(&mut self, tag: TagEnd) -> Option<()> {
        match tag {
            TagEnd::Paragraph => {}
            TagEnd::Strong => self.style.bold = false,
            TagEnd::Emphasis => self.style.italic = false,
            TagEnd::Strikethrough => self.strike(false),
            TagEnd::Link | TagEnd::Image => {
                let (from, target) = self.links.pop()?;
                let shown: String = self.pieces.iter().skip(from).map(|(_, text)| text.as_str()).collect();
                if tag == TagEnd::Image {
                    self.add(self.style, "]");
                }
                if !target.is_empty() && target != shown {
                    self.add(PLAIN, " ");
                    self.add(Style { dim: true, ..PLAIN }, &format!("({target})"));
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn strike(&mut self, on: bool) {
        if !self.colours {
            self.add(self.style, "~~");
        }
        self.style.strike = on;
    }
}

fn target(url: &str, title: &str) -> String {
    if title.is_empty() { url.to_owned() } else { format!("{url} \"{title}\"") }
}
