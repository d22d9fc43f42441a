//! The newest messages of a branch: a scan down from its head that skips the other branches.

use rusqlite::Connection;

use super::fault::{Outcome, damaged};
use super::row::{count, int, message, message_columns, optional_count};
use crate::id::Seq;
use crate::memory::{Limit, Row};

/// After this many messages of other branches it is cheaper to seek.
const SKIPS: u32 = 16;

const DOWN: &str =
    concat!("SELECT ", message_columns!(), " FROM message WHERE sid = ?1 AND seq <= ?2 ORDER BY seq DESC");

/// How much a read has taken of what it may.
pub(super) struct Budget {
    limit: Limit,
    messages: u32,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limit: Limit) -> Self {
        Self { limit, messages: 0, bytes: 0 }
    }

    /// Whether a message of `bytes` is in; the first always is.
    pub(super) fn admits(&mut self, bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(bytes as u64);
        if self.messages > 0 && (self.messages >= self.limit.messages || bytes > self.limit.bytes) {
            return false;
        }
        self.messages += 1;
        self.bytes = bytes;
        true
    }
}

/// The messages up to `head`, oldest first, and whether older ones are left out.
pub(super) fn branch(conn: &Connection, sid: i64, head: Option<Seq>, limit: Limit) -> Outcome<(Vec<Row>, bool)> {
    let mut budget = Budget::new(limit);
    let mut rows = Vec::new();
    let mut wanted = head;
    let mut more = false;
    let mut statement = conn.prepare_cached(DOWN)?;
    'seek: while let Some(mut seq) = wanted {
        let mut records = statement.query((sid, int(seq)))?;
        let mut skipped = 0;
        while let Some(record) = records.next()? {
            if count(record, 0)? != seq {
                skipped += 1;
                if skipped == SKIPS {
                    continue 'seek;
                }
                continue;
            }
            if !budget.admits(record.get_ref(5)?.as_blob()?.len()) {
                more = true;
                break 'seek;
            }
            skipped = 0;
            rows.push(message(record)?);
            wanted = optional_count(record, 1)?;
            match wanted {
                Some(parent) if parent < seq => seq = parent,
                Some(_) => return Err(damaged("a message under itself")),
                None => break 'seek,
            }
        }
        return Err(damaged("a message without its parent"));
    }
    rows.reverse();
    Ok((rows, more))
}
