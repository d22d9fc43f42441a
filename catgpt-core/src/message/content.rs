//! The parts of a message put together, and cut at any offset.

use serde::{Deserialize, Serialize};

use super::{Image, Offset, Part};
use crate::error::{Error, Result};

/// The parts of a message, in order; neighbouring texts are one.
///
/// ```
/// use catgpt_core::Content;
/// let text = Content::from("Why do cats purr?");
/// let picture = Content::from("What is this?").image("https://example.org/cat.png");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(Vec<Part>);

impl Content {
    /// The parts.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// All text, without reasoning and tools.
    pub fn text(&self) -> String {
        let texts = self.0.iter().map(|part| match part {
            Part::Text { text } => text.as_str(),
            _ => "",
        });
        texts.collect()
    }

    /// With a picture after it: a URL, or an [`Image`] with more words about it.
    #[must_use]
    pub fn image(mut self, image: impl Into<Image>) -> Self {
        self.push(Part::Image(image.into()));
        self
    }

    /// The pictures that a model can see.
    pub(crate) fn has_visible_images(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Image(image) if image.is_visible()))
    }

    /// The same with words in the place of those pictures that are not `shown`.
    pub(crate) fn in_words(self, shown: impl Fn(&Image) -> bool) -> Content {
        let hide = |part| match part {
            Part::Image(image) if !shown(&image) => Part::text(format!("\n{}\n", image.in_words())),
            part => part,
        };
        self.into_iter().map(hide).collect()
    }

    /// Whether a person can have said it: text, pictures, and some of it.
    pub(crate) fn check(&self) -> Result<()> {
        let silent = |part: &Part| matches!(part, Part::Text { text } if text.trim().is_empty());
        if self.0.iter().all(silent) {
            return Err(Error::invalid("the message is empty; say something"));
        }
        self.0.iter().try_for_each(|part| match part {
            Part::Text { text } => match text.find('\0') {
                Some(at) => {
                    Err(Error::invalid("the message contains a NUL byte; only text can be sent").with("at", at))
                }
                None => Ok(()),
            },
            Part::Image(image) => image.check(),
            _ => Err(Error::invalid("a message holds text and images; another kind of part cannot be sent")),
        })
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.weight() == 0)
    }

    /// The offset after it.
    pub fn len(&self) -> Offset {
        self.0.iter().map(Part::weight).sum()
    }

    /// Adds a part, merging neighbouring texts.
    pub fn push(&mut self, part: Part) {
        let rest = match self.0.last_mut() {
            Some(last) => last.merge(part),
            None => Some(part),
        };
        self.0.extend(rest);
    }

    /// Adds all parts of another.
    pub(crate) fn append(&mut self, more: Content) {
        more.0.into_iter().for_each(|part| self.push(part));
    }

    /// The next thing to show to somebody who has seen everything before `from`, and where it ends: the rest of the part
    /// that holds `from`, but nothing after `to`. `None` if there is nothing between the two. Who reads on hands in the
    /// place that he had, or all that was read would be counted again.
    pub(crate) fn piece(&self, from: Offset, to: Offset, place: &mut Place) -> Option<(Part, Offset)> {
        if from < place.start {
            *place = Place::default();
        }
        while let Some(part) = self.0.get(place.part) {
            let (start, end) = (place.start, place.start + part.weight());
            if end > from {
                if from >= to || start >= to {
                    return None;
                }
                let cut =
                    |text: &str| text[floor(text, from.saturating_sub(start))..floor(text, to - start)].to_owned();
                let piece = match part {
                    Part::Text { text } => Part::Text { text: cut(text) },
                    Part::Reasoning { text } => Part::Reasoning { text: cut(text) },
                    other => other.clone(),
                };
                return Some((piece, end.min(to)));
            }
            if place.part + 1 == self.0.len() {
                // The last text may still grow.
                break;
            }
            *place = Place { part: place.part + 1, start: end };
        }
        None
    }

    /// What begins at `from`. Inside a character of a text it begins with that character.
    pub fn since(&self, from: Offset) -> Content {
        self.between(from, Offset::MAX)
    }

    /// What begins at `from` and ends at `to`; each inside a character is rounded down.
    pub(crate) fn between(&self, from: Offset, to: Offset) -> Content {
        let mut some = Content::default();
        let (mut at, mut place) = (from, Place::default());
        while let Some((part, end)) = self.piece(at, to, &mut place) {
            some.push(part);
            at = end;
        }
        some
    }
}

/// A part and the offset where it begins. Only the last part grows, so a place stays right.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    part: usize,
    start: Offset,
}

/// The greatest place in `text` that is not after `offset` and not inside a character.
fn floor(text: &str, offset: u64) -> usize {
    let mut at = usize::try_from(offset).map_or(text.len(), |offset| offset.min(text.len()));
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self(vec![Part::Text { text }])
    }
}

impl From<&String> for Content {
    fn from(text: &String) -> Self {
        Self::from(text.clone())
    }
}

impl From<Image> for Content {
    fn from(image: Image) -> Self {
        Self(vec![Part::Image(image)])
    }
}

impl FromIterator<Part> for Content {
    fn from_iter<I: IntoIterator<Item = Part>>(parts: I) -> Self {
        let mut content = Content::default();
        parts.into_iter().for_each(|part| content.push(part));
        content
    }
}

impl IntoIterator for Content {
    type Item = Part;
    type IntoIter = std::vec::IntoIter<Part>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
