//! The terminal between two prompts: what is typed while an answer is shown waits for the next prompt.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use nix::sys::signal::{Signal, raise};
use rustix::process::{getpgrp, getpid};
use rustix::termios::{InputModes, LocalModes, OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};
use rustyline::{Cmd, ConditionalEventHandler, Event, EventContext, RepeatCount};

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

    /// What stops the program while a line is typed.
    pub(super) fn pause(&self) -> io::Result<Pause> {
        Ok(Pause { input: self.input.try_clone()?, found: self.found.clone() })
    }

    /// A paste has to be known as one also between two prompts.
    fn set(&self, modes: &Termios, pastes: bool) {
        set(&self.input, modes, pastes);
    }
}

/// Nobody may be there any more.
fn set(input: &OwnedFd, modes: &Termios, pastes: bool) {
    let _ = tcsetattr(input, OptionalActions::Now, modes);
    let stdout = io::stdout();
    if color::is_lively(&stdout) {
        let mut stdout = stdout.lock();
        let _ = stdout.write_all(if pastes { b"\x1b[?2004h" } else { b"\x1b[?2004l" });
        let _ = stdout.flush();
    }
}

/// Ctrl-Z while a line is typed. The editor's own way stops the group of processes, which hits one thread after the other:
/// it had the terminal back before it stood still, and the shell took it away again for good.
#[derive(Debug)]
pub(super) struct Pause {
    input: OwnedFd,
    found: Termios,
}

impl ConditionalEventHandler for Pause {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        let typing = tcgetattr(&self.input).ok()?;
        // Whoever waits for it, such as a script, has to stop too: the editor's own way.
        if getpgrp() != getpid() {
            return None;
        }
        set(&self.input, &self.found, false);
        // It comes back when the shell lets the program go on, or at once where no shell could.
        let _ = raise(Signal::SIGTSTP);
        set(&self.input, &typing, true);
        Some(Cmd::Repaint)
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
