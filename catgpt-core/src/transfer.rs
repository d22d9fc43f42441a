//! Conversations in and out: JSON Lines and Markdown both ways, ChatGPT's export and another program's `chat.db` in.
//!
//! Each format is read into [`Transcript`]s, one at a time, so that memory stays flat however long the source is. What is
//! read is compared with what is there: importing the same again changes nothing.

#[cfg(feature = "sqlite")]
mod chat_db;
mod chatgpt;
mod export;
mod import;
mod jsonl;
mod markdown;
mod report;
mod source;
#[cfg(test)]
mod testing;
mod time;
mod transcript;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind};
use crate::id::{SessionId, hex};

pub use export::{Export, ExportFormat, Mark, Page};
pub(crate) use export::{list, page};
pub use import::Import;
pub use report::{Entry, ImportReport, Outcome};
pub use source::{ImportFormat, Source};
pub use transcript::{Heading, LeftOut, Transcript};

/// How far long work has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How much is done: bytes of a source or of a store, sessions of an export.
    pub done: u64,
    /// Of how much, as far as that is known.
    pub total: Option<u64>,
}

/// Who hears how far it has come.
pub type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// Whether a reader goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    On,
    /// Nobody wants more.
    Stop,
}

/// What takes the conversations that a reader finds.
pub(crate) type Take<'a> = dyn FnMut(Found) -> Flow + 'a;

/// A conversation of a source, or why there is none.
#[derive(Debug)]
pub(crate) struct Found {
    /// Who owns it, where the source says so.
    pub(crate) owner: Option<String>,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    Transcript(Box<Transcript>, LeftOut),
    Refused { id: Option<String>, title: Option<String>, error: Error },
}

impl Found {
    fn transcript(transcript: Transcript, left_out: LeftOut) -> Self {
        Self { owner: None, what: What::Transcript(Box::new(transcript), left_out) }
    }

    fn refused(id: Option<SessionId>, title: Option<String>, error: Error) -> Self {
        Self { owner: None, what: What::Refused { id: id.map(|id| id.to_string()), title, error } }
    }
}

/// The source's own failure.
fn unreadable(error: std::io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::new(ErrorKind::InvalidInput, "the source cannot be read to its end").caused_by(error),
    }
}

/// An id for a conversation that has none: the same for the same content.
fn fingerprint<'a>(prefix: &str, pieces: impl Iterator<Item = &'a [u8]>) -> SessionId {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
        hash.update(b"\n");
    }
    SessionId::new(format!("{prefix}:{}", hex(&hash.finalize()[..8]))).expect("hexadecimal digits are an id")
}
