//! What every backend refuses before it looks into its store.

use std::time::Duration;

use super::{Begin, Checkpoint, Finish, Imported, MAX_BODY, NewRow, Op, Query, Row};
use crate::encryption::{ENVELOPE, is_sealed};
use crate::error::{Error, Result};
use crate::id::Seq;
use crate::message::{Role, Status};

/// The most messages that one [`Op::Import`] or [`Op::Append`] brings.
const MAX_ROWS: usize = 10_000;

impl Begin {
    /// Whether it may be written.
    pub(super) fn check(&self) -> Result<()> {
        self.reserve.iter().try_for_each(|counter| timed(counter.window))?;
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
                imported(session, *after, rows)?;
                [session.title.as_deref(), session.pin.as_deref(), session.meta.as_deref()]
            }
            Self::Append { rows, title, .. } => {
                appended(rows)?;
                [title.as_deref(), None, None]
            }
            Self::Index { from, upto, messages, .. } => {
                if from > upto || messages.iter().any(|message| message.seq <= *from || message.seq > *upto) {
                    return Err(Error::invalid("terms are of messages after `from` up to `upto`"));
                }
                [None; 3]
            }
            Self::Reseal { resealed, .. } => {
                resealed.iter().try_for_each(|resealed| sized(&resealed.bytes))?;
                [None; 3]
            }
            Self::Reserve { counters } => {
                counters.iter().try_for_each(|counter| timed(counter.window))?;
                [None; 3]
            }
            Self::Unindex { limit: 0 } => return Err(Error::invalid("a step of it takes at least one session")),
            Self::Erase { limit: 0 } => return Err(Error::invalid("a step of an erasure takes at least one session")),
            _ => [None; 3],
        };
        bytes.into_iter().flatten().try_for_each(sized)
    }
}

impl Query {
    /// Whether it may be asked.
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Search { terms, .. } if terms.is_empty() => Err(Error::invalid("a search needs a word: name one")),
            Self::Counters(counters) => counters.iter().try_for_each(|counter| timed(counter.window)),
            _ => Ok(()),
        }
    }
}

fn imported(session: &Imported, after: Seq, rows: &[Row]) -> Result<()> {
    let parent = |row: &Row| row.parent.is_none_or(|parent| parent > 0 && parent < row.seq);
    let next = |at: usize| after.checked_add(at as u64 + 1);
    let dense = rows.iter().enumerate().all(|(at, row)| Some(row.seq) == next(at) && parent(row));
    let ended = rows.iter().all(|row| row.status != Status::Running);
    let last = rows.last().map_or(after, |row| row.seq);
    if !dense || !ended || session.head.is_some_and(|head| head == 0 || head > last) {
        return Err(Error::invalid("imported messages are ended, go on without a gap, and follow older ones"));
    }
    few(rows.len())?;
    rows.iter().try_for_each(|row| sized(&row.body))
}

fn appended(rows: &[NewRow]) -> Result<()> {
    if rows.iter().any(|row| row.status == Status::Running || row.role == Role::Summary) {
        return Err(Error::invalid("messages that are added have ended, and none is a summary"));
    }
    few(rows.len())?;
    rows.iter().try_for_each(|row| sized(&row.body))
}

fn few(rows: usize) -> Result<()> {
    match rows > MAX_ROWS {
        true => Err(Error::invalid("too many messages at once: bring them in parts").with("most", MAX_ROWS)),
        false => Ok(()),
    }
}

fn timed(window: Duration) -> Result<()> {
    match window < Duration::from_millis(1) {
        true => Err(Error::invalid("a counter's window is at least a millisecond long")),
        false => Ok(()),
    }
}

fn sized(bytes: &[u8]) -> Result<()> {
    let around = if is_sealed(bytes) { ENVELOPE } else { 0 };
    if bytes.len() <= MAX_BODY + around {
        return Ok(());
    }
    let text = format!("a record may have at most {MAX_BODY} bytes: make it smaller");
    Err(Error::invalid(text).with("bytes", bytes.len()))
}
