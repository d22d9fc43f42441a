//! What is told on stderr.

use std::fmt::Display;
use std::io::{self, Write};

use crate::args::Common;

/// How talkative the program is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes {
    quiet: bool,
    verbose: bool,
}

impl Notes {
    pub(crate) fn new(common: &Common) -> Self {
        Self { quiet: common.quiet, verbose: common.verbose }
    }

    /// Something that the user should know.
    pub(crate) fn say(self, text: impl Display) {
        if !self.quiet {
            tell(text);
        }
    }

    /// Something for the curious.
    pub(crate) fn detail(self, text: impl Display) {
        if self.verbose {
            tell(text);
        }
    }
}

/// One line on stderr. Nobody may be there to read it.
pub(crate) fn tell(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "catgpt: {text}");
}
