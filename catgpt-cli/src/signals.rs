//! The signals that end the program. They are caught only while a turn runs: before that there is nothing to keep.

use catgpt_core::{Error, ErrorKind, Result};
use futures_util::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// Which signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caught {
    Interrupt,
    Terminate,
    Hangup,
}

impl Caught {
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::Interrupt,
            Self::Terminate => Exit::Terminate,
            Self::Hangup => Exit::Hangup,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn catch() -> Result<Self> {
        let catch = |kind| {
            let sentence = "signals cannot be caught, so an answer could be lost";
            signal(kind).map_err(|error| Error::new(ErrorKind::Unexpected, sentence).caused_by(error))
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: catch(SignalKind::hangup())?,
        })
    }

    /// Ctrl-C was meant for somebody else.
    pub(crate) fn forget(&mut self) {
        while self.interrupt.recv().now_or_never().is_some() {}
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Caught {
        tokio::select! {
            _ = self.interrupt.recv() => Caught::Interrupt,
            _ = self.terminate.recv() => Caught::Terminate,
            _ = self.hangup.recv() => Caught::Hangup,
        }
    }
}
