//! Markdown for a terminal, written once and in order: what is settled is printed, what is not is waited for, and the
//! cursor never goes back.
//!
//! A model's words come in pieces that are cut anywhere, and what is printed depends on the words alone. Lines decide
//! what a block is, as in CommonMark ([`starts`]); inside of a paragraph each word is printed as soon as no markup around
//! it is open ([`flow`]). Three things are simpler than in CommonMark, because they would have to be known earlier: a line
//! of dashes under a paragraph is a rule and no heading, a table's rows begin with `|`, and links name their targets where
//! they stand. Line ends stay where the model has put them.

mod blocks;
mod flow;
mod inline;
mod layout;
mod starts;
mod table;
#[cfg(test)]
mod tests;

use blocks::Blocks;
use layout::Layout;

/// How wide a line may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Width {
    /// As wide as the terminal is when a block begins.
    Terminal,
    #[cfg(test)]
    Fixed(usize),
}

/// The columns of a terminal that does not say how many it has.
const USUAL: usize = 80;
/// The fewest columns in which lines are still wrapped.
const LEAST: usize = 20;

impl Width {
    fn columns(self) -> usize {
        match self {
            Self::Terminal => terminal().unwrap_or(USUAL).max(LEAST),
            #[cfg(test)]
            Self::Fixed(columns) => columns,
        }
    }
}

/// What the terminal on stdout says, or else the environment.
fn terminal() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout()).ok();
    let asked = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0);
    asked.or_else(|| crate::config::var("COLUMNS")?.trim().parse().ok())
}

/// A document that is being written.
#[derive(Debug)]
pub(crate) struct Markdown {
    blocks: Blocks,
    layout: Layout,
}

impl Markdown {
    /// Without colours there are no escape sequences at all.
    pub(crate) fn new(width: Width, colours: bool) -> Self {
        Self { blocks: Blocks::default(), layout: Layout::new(width, colours) }
    }

    /// More of the text; appends what can be printed by now.
    pub(crate) fn push(&mut self, text: &str, out: &mut Vec<u8>) {
        match text.contains('\r') {
            true => self.blocks.push(&text.replace('\r', ""), &mut self.layout),
            false => self.blocks.push(text, &mut self.layout),
        }
        self.layout.drain(out);
    }

    /// The end of the text: appends the rest. Another document may follow.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) {
        self.blocks.finish(&mut self.layout);
        self.layout.drain(out);
    }
}
