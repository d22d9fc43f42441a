//! The terminal between two prompts: what is typed while an answer is shown waits for the next prompt.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use rustix::termios::{InputModes, LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

use crate::color;

/// The terminal as it was found.
#[derive(Debug)]
pub(crate) struct Terminal {
    input: OwnedFd,
    found: Termios,
    /// Stdin brings something else.
    pub(super) apart: bool,
}

impl Terminal {
    /// The one on stdin, or that of this session; `None` if there is none.
    pub(crate) fn open() -> Option<Self> {
        let stdin = io::stdin();
        let apart = !stdin.is_terminal();
        let input = match apart {
            true => File::open("/dev/tty").ok()?.into(),
            false => stdin.as_fd().try_clone_to_owned().ok()?,
        };
        let found = tcgetattr(&input).ok()?;
        Some(Self { input, found, apart })
    }

    /// While this lives, nothing that is typed is shown, and it stays as it was typed. Ctrl-C remains a signal,
    /// and takes nothing of it away.
    pub(super) fn quiet(self: &Rc<Self>) -> Quiet {
        let mut modes = self.found.clone();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
        modes.local_modes |= LocalModes::NOFLSH;
        modes.input_modes -= InputModes::ICRNL;
        self.set(&modes, true);
        Quiet(Rc::clone(self))
    }

    /// As it was found; also what is under way for a line that is being typed ends.
    pub(super) fn restore(&self) {
        self.set(&self.found, false);
    }

    /// What was typed and not read is thrown away.
    pub(super) fn forget(&self) {
        let _ = tcflush(&self.input, QueueSelector::IFlush);
    }

    /// Nobody may be there any more. A paste has to be known as one also between two prompts.
    fn set(&self, modes: &Termios, pastes: bool) {
        let _ = tcsetattr(&self.input, OptionalActions::Now, modes);
        let stdout = io::stdout();
        if color::is_lively(&stdout) {
            let mut stdout = stdout.lock();
            let _ = stdout.write_all(if pastes { b"\x1b[?2004h" } else { b"\x1b[?2004l" });
            let _ = stdout.flush();
        }
    }
}

/// Nothing that is typed is shown.
#[derive(Debug)]
pub(super) struct Quiet(Rc<Terminal>);

impl Drop for Quiet {
    fn drop(&mut self) {
        self.0.restore();
    }
}
