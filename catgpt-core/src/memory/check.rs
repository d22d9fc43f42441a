//! What every backend refuses before it looks into its store.

use super::{Begin, Checkpoint, Finish, MAX_BODY, Op};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Status;

/// The most messages that one [`Op::Import`] brings.
const MAX_IMPORT: usize = 10_000;

impl Begin {
    /// Whether it may be written.
    pub(super) fn check(&self) -> Result<()> {
        [self.message.as_deref(), self.title.as_deref(), Some(&self.pin.body)].into_iter().flatten().try_for_each(sized)
    }
}

impl Checkpoint {
    /// Whether it may be written.
    pub(super) fn check(&self) -> Result<()> {
        if self.to < self.from || (self.to == self.from) != self.body.is_empty() {
            return Err(Error::invalid("a piece must end after it begins, and only an empty one where it begins"));
        }
        sized(&self.body)
    }
}

impl Finish {
    /// Whether it may be written.
    pub(super) fn check(&self) -> Result<()> {
        if self.status == Status::Running {
            return Err(Error::invalid("a turn ends with a final status, not with `running`"));
        }
        sized(&self.body)
    }
}

impl Op {
    /// Whether it may be done.
    pub(super) fn check(&self) -> Result<()> {
        let bytes = match self {
            Self::Create { title, pin, meta, .. } => [title.as_deref(), pin.as_deref(), meta.as_deref()],
            Self::SetTitle { title: bytes, .. } | Self::SetMeta { meta: bytes, .. } => [bytes.as_deref(), None, None],
            Self::SetPin { pin: bytes, .. } | Self::AddSummary { body: bytes, .. } => [Some(&bytes[..]), None, None],
            Self::Import { session, after, rows } => {
                let of = |row: &super::Row| row.parent.is_none_or(|parent| parent < row.seq);
                let dense = rows.iter().zip(after + 1..).all(|(row, seq)| row.seq == seq && of(row));
                let ended = rows.iter().all(|row| row.status != Status::Running);
                let last = after + rows.len() as u64;
                if !dense || !ended || session.head.is_some_and(|head| head == 0 || head > last) {
                    return Err(Error::invalid(
                        "imported messages are ended, go on without a gap, and follow older ones",
                    ));
                }
                if rows.len() > MAX_IMPORT {
                    return Err(Error::invalid("too many messages for one import: bring them in parts"));
                }
                rows.iter().try_for_each(|row| sized(&row.body))?;
                [session.title.as_deref(), session.pin.as_deref(), session.meta.as_deref()]
            }
            _ => [None; 3],
        };
        bytes.into_iter().flatten().try_for_each(sized)
    }
}

/// The answer to what a backend lacks.
pub(super) fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "this store cannot do that: use another one")
}

fn sized(bytes: &[u8]) -> Result<()> {
    if bytes.len() <= MAX_BODY {
        return Ok(());
    }
    let text = format!("a record may have at most {MAX_BODY} bytes: make it smaller");
    Err(Error::invalid(text).with("bytes", bytes.len()))
}
