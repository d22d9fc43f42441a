//! What is told on stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use crate::args::Common;

/// How talkative the program is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes {
    quiet: bool,
    verbose: bool,
    asks: bool,
}

impl Notes {
    pub(crate) fn new(common: &Common) -> Self {
        Self { quiet: common.quiet, verbose: common.verbose, asks: !common.no_input }
    }

    pub(crate) fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Whether somebody at a terminal may be asked.
    pub(crate) fn may_ask(self) -> bool {
        self.asks && io::stdin().is_terminal()
    }

    /// Something that the user should know.
    pub(crate) fn say(self, text: impl Display) {
        if !self.quiet {
            tell(text);
        }
    }

    /// Something that a person likes to see and a script does not need.
    pub(crate) fn aside(self, text: impl Display) {
        if self.verbose || (!self.quiet && io::stderr().is_terminal()) {
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
