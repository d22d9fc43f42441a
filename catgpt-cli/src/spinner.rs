//! A sign of life on stderr until an answer begins: one character that is written over, on a terminal only.

use std::io::{self, Write};
use std::time::Duration;

use crate::color::is_lively;
use crate::notes::Notes;

/// How often the sign changes. An answer that comes sooner is not preceded by one.
pub(crate) const EVERY: Duration = Duration::from_millis(200);
const SIGNS: [char; 4] = ['|', '/', '-', '\\'];

/// The sign. It is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Spinner {
    wanted: bool,
    drawn: bool,
    turn: usize,
}

impl Spinner {
    pub(crate) fn new(notes: Notes) -> Self {
        Self { wanted: !notes.is_quiet() && is_lively(&io::stderr()), drawn: false, turn: 0 }
    }

    /// Whether there is anything to draw.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// Draws the next sign. Without escapes, which some terminals and all people with NO_COLOR do without.
    pub(crate) fn draw(&mut self) {
        if self.wanted {
            let _ = write!(io::stderr(), "\r{}", SIGNS[self.turn % SIGNS.len()]);
            (self.drawn, self.turn) = (true, self.turn + 1);
        }
    }

    /// Takes it away, so that something else can be written there.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let _ = write!(io::stderr(), "\r \r");
        }
    }

    /// Takes it away for good.
    pub(crate) fn end(&mut self) {
        self.clear();
        self.wanted = false;
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.clear();
    }
}
