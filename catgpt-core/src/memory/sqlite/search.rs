//! Search: the words by which messages and titles are found.

use std::collections::BTreeSet;
use std::fmt::Write;

use rusqlite::{Connection, OptionalExtension};

use super::fault::{Outcome, damaged};
use super::row::{Held, count, find_message, int, need, session, session_columns, text};
use crate::error::Error;
use crate::id::{Owner, Seq, SessionId};
use crate::memory::{Answer, Done, Hit, Terms, TitleTerms, Unindexed};

/// How many messages of one millisecond are told apart by the lower bits of a document's number.
const SAME: i64 = 1 << 10;

/// So many letters are the beginning of so many words that a search could not go through them all: such beginnings are
/// words of their own.
const SHORT: usize = 2;

/// What stands between the owner's number and a term, or the beginning of one.
const WHOLE: char = '_';
const BEGINNING: char = '.';

/// How many pages a step of [`forget`] writes: the writer is kept for some 50 ms.
const STEP: i64 = 256;

/// Makes messages findable, and the title if it is still that.
pub(super) fn index(
    conn: &Connection,
    owner: &Owner,
    id: &SessionId,
    (from, upto): (Seq, Seq),
    messages: &[Terms],
    title: Option<&TitleTerms>,
) -> Outcome<Done> {
    let held = need(conn, owner, id)?;
    if upto > held.row.messages {
        return Err(Error::not_found("message").with("seq", upto).into());
    }
    if held.indexed != from {
        return Ok(Done::Nothing);
    }
    let fid = finder(conn, owner)?;
    for Terms { seq, terms } in messages {
        let made = find_time(conn, held.sid, *seq)?.ok_or_else(|| damaged("a gap in a session's messages"))?;
        add(conn, fid, (held.sid, *seq), made, terms)?;
    }
    let title = title.filter(|title| title.of == held.row.title);
    if let Some(title) = title {
        forget_title(conn, held.sid)?;
        add(conn, fid, (held.sid, 0), held.row.created_ms, &title.terms)?;
    }
    let sql = "UPDATE session SET indexed = ?2, retitled = ?3 WHERE sid = ?1";
    conn.prepare_cached(sql)?.execute((held.sid, int(upto), held.retitled && title.is_none()))?;
    Ok(Done::Version(held.row.version))
}

fn find_time(conn: &Connection, sid: i64, seq: Seq) -> Outcome<Option<i64>> {
    let sql = "SELECT created_at FROM message WHERE sid = ?1 AND seq = ?2";
    Ok(conn.prepare_cached(sql)?.query_row((sid, int(seq)), |record| record.get(0)).optional()?)
}

/// The number with which the owner's words begin; made if there is none.
fn finder(conn: &Connection, owner: &Owner) -> Outcome<i64> {
    let sql = "SELECT fid FROM finder WHERE owner = ?1 ORDER BY fid LIMIT 1";
    let known = conn.prepare_cached(sql)?.query_row([owner.as_str()], |record| record.get(0)).optional()?;
    match known {
        Some(fid) => Ok(fid),
        None => Ok(conn.prepare_cached("INSERT INTO finder(owner) VALUES(?1)")?.insert([owner.as_str()])?),
    }
}

fn add(conn: &Connection, fid: i64, (sid, seq): (i64, Seq), made: i64, terms: &[String]) -> Outcome<()> {
    if terms.is_empty() {
        return Ok(());
    }
    let doc = number(conn, made)?;
    let sql = "INSERT INTO doc(doc, sid, seq) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING";
    if conn.prepare_cached(sql)?.execute((doc, sid, int(seq)))? == 1 {
        let mut words = String::new();
        terms.iter().for_each(|term| word(&mut words, fid, WHOLE, term));
        let short: BTreeSet<_> = terms.iter().flat_map(|term| beginnings(term)).collect();
        short.into_iter().for_each(|letters| word(&mut words, fid, BEGINNING, letters));
        conn.prepare_cached("INSERT INTO search(rowid, terms) VALUES(?1, ?2)")?.execute((doc, words))?;
    }
    Ok(())
}

/// A number for a document of this time: in the order of time, in its own millisecond if there is room.
fn number(conn: &Connection, made: i64) -> Outcome<i64> {
    let sql = "SELECT max(doc) FROM doc WHERE doc BETWEEN ?1 AND ?1 + ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let latest = i64::MAX / SAME / 2;
    let mut first = made.clamp(-latest, latest) * SAME;
    loop {
        let last: Option<i64> = statement.query_row((first, SAME - 1), |record| record.get(0))?;
        match last {
            None => return Ok(first),
            Some(last) if last < first + SAME - 1 => return Ok(last + 1),
            Some(_) => first += SAME,
        }
    }
}

/// The beginnings that are words of their own.
fn beginnings(term: &str) -> impl Iterator<Item = &str> {
    term.char_indices().skip(1).take(SHORT).map(|(end, _)| &term[..end])
}

/// Writes a term as a word that the tokenizer leaves whole, with a blank behind it. What begins with a term does so as
/// a word, too.
fn word(to: &mut String, fid: i64, kind: char, term: &str) {
    let _ = write!(to, "{fid:x}{kind}");
    for letter in term.chars() {
        match letter {
            '0'..='9' | 'a'..='z' | '\u{80}'.. => to.push(letter),
            other => drop(write!(to, "_{:02x}", u32::from(other))),
        }
    }
    to.push(' ');
}

/// The old title is found no more.
pub(super) fn forget_title(conn: &Connection, sid: i64) -> Outcome<()> {
    conn.prepare_cached("DELETE FROM doc WHERE sid = ?1 AND seq = 0")?.execute([sid])?;
    Ok(())
}

/// What a search asks for.
pub(super) struct Wanted<'a> {
    pub(super) terms: &'a [String],
    pub(super) prefix: bool,
    pub(super) after: Option<&'a str>,
    pub(super) limit: u32,
}

pub(super) fn search(conn: &Connection, owner: &Owner, wanted: &Wanted<'_>) -> Outcome<Answer> {
    let unreadable = |_| Error::invalid("no search answered this cursor: begin without one");
    let before = wanted.after.map(str::parse).transpose().map_err(unreadable)?.unwrap_or(i64::MAX);
    let mut docs = match phrase(conn, owner, wanted)? {
        Some(phrase) => docs(conn, &phrase, before, i64::from(wanted.limit) + 1)?,
        None => Vec::new(),
    };
    let more = docs.len() > wanted.limit as usize;
    docs.truncate(wanted.limit as usize);
    let next = docs.last().filter(|_| more).map(ToString::to_string);
    let hits = docs.into_iter().map(|doc| hit(conn, doc)).collect::<Outcome<_>>()?;
    Ok(Answer::Hits { hits, next })
}

fn docs(conn: &Connection, phrase: &str, before: i64, limit: i64) -> Outcome<Vec<i64>> {
    let sql = "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let docs = statement.query_map((phrase, before, limit), |record| record.get(0))?;
    Ok(docs.collect::<Result<_, _>>()?)
}

/// All terms, under any of the owner's numbers; `None` if the owner has none.
fn phrase(conn: &Connection, owner: &Owner, wanted: &Wanted<'_>) -> Outcome<Option<String>> {
    let mut statement = conn.prepare_cached("SELECT fid FROM finder WHERE owner = ?1")?;
    let fids = statement.query_map([owner.as_str()], |record| record.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let last = wanted.terms.len() - 1;
    let one = |fid, (at, term): (usize, &String)| {
        let quoted = |kind| {
            let mut text = String::new();
            word(&mut text, fid, kind, term);
            format!("\"{}\"", text.trim_end())
        };
        match term.chars().count() {
            _ if !wanted.prefix || at < last => quoted(WHOLE),
            1..=SHORT => format!("({} OR {})", quoted(WHOLE), quoted(BEGINNING)),
            _ => format!("{}*", quoted(WHOLE)),
        }
    };
    let all = |fid: &i64| {
        let terms: Vec<_> = wanted.terms.iter().enumerate().map(|term| one(*fid, term)).collect();
        format!("({})", terms.join(" AND "))
    };
    Ok((!fids.is_empty()).then(|| fids.iter().map(all).collect::<Vec<_>>().join(" OR ")))
}

fn hit(conn: &Connection, doc: i64) -> Outcome<Hit> {
    let place = conn
        .prepare_cached("SELECT sid, seq FROM doc WHERE doc = ?1")?
        .query_row([doc], |record| Ok((record.get::<_, i64>(0)?, count(record, 1)?)));
    let (sid, seq) = place.optional()?.ok_or_else(|| damaged("words without a message"))?;
    let sql = concat!("SELECT ", session_columns!(), " FROM session WHERE sid = ?1");
    let held: Held = conn.prepare_cached(sql)?.query_row([sid], session)?;
    let row = match seq {
        0 => None,
        _ => Some(find_message(conn, sid, seq)?.ok_or_else(|| damaged("words without a message"))?),
    };
    Ok(Hit { session: held.row, row })
}

pub(super) fn unindexed(conn: &Connection, owner: &Owner, limit: u32) -> Outcome<Answer> {
    let sql = "SELECT id, indexed, retitled FROM session INDEXED BY session_work
        WHERE (run IS NULL) = 1 AND owner = ?1 AND (indexed < last_seq OR retitled = 1) LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let records = statement.query_map((owner.as_str(), limit), |record| {
        Ok(Unindexed { session: text(record, 0)?, indexed: count(record, 1)?, title: record.get(2)? })
    })?;
    Ok(Answer::Unindexed(records.collect::<Result<_, _>>()?))
}

/// Makes at most `limit` sessions unfindable. Their words stand in the index until [`forget`] is done.
pub(super) fn unindex(conn: &Connection, owner: &Owner, limit: u32) -> Outcome<Done> {
    let sql = "SELECT sid FROM session s WHERE owner = ?1
        AND (indexed > 0 OR EXISTS (SELECT 1 FROM doc d WHERE d.sid = s.sid AND d.seq = 0)) LIMIT ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let sids = statement.query_map((owner.as_str(), limit), |record| record.get(0))?;
    let sids = sids.collect::<Result<Vec<i64>, _>>()?;
    for sid in &sids {
        conn.prepare_cached("DELETE FROM doc WHERE sid = ?1")?.execute([sid])?;
        let sql = "UPDATE session SET indexed = 0, retitled = title IS NOT NULL WHERE sid = ?1";
        conn.prepare_cached(sql)?.execute([sid])?;
    }
    Ok(Done::Count(sids.len() as u64))
}

/// The first number of an index page on which FTS5 notes what was deleted and still stands in the index: its
/// `FTS5_TOMBSTONE_ROWID` of the segment 0.
const NOTES: i64 = (1 << 16) << 37;

/// Whether words of deleted messages stand in the index.
pub(super) fn stale(conn: &Connection) -> Outcome<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM search_data WHERE id >= ?1)";
    Ok(conn.prepare_cached(sql)?.query_row([NOTES], |record| record.get(0))?)
}

/// Whether the owner has words, or had some.
pub(super) fn knows(conn: &Connection, owner: &Owner) -> Outcome<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM finder WHERE owner = ?1)";
    Ok(conn.prepare_cached(sql)?.query_row([owner.as_str()], |record| record.get(0))?)
}

/// One step to take the words of deleted messages out of the index, where they stand until it is written anew. Answers
/// whether there is another. A step ends by what it writes, so one that passes over the words of many hundred thousand
/// messages takes longer than others.
pub(super) fn forget(conn: &Connection, first: bool) -> Outcome<bool> {
    if first && !stale(conn)? {
        return Ok(false);
    }
    if conn.prepare_cached("SELECT NOT EXISTS (SELECT 1 FROM doc)")?.query_row([], |record| record.get(0))? {
        // Nobody's words are left: nothing is to be kept, so there is nothing to write anew.
        conn.execute("INSERT INTO search(search) VALUES('delete-all')", [])?;
        return Ok(false);
    }
    // A negative number begins anew with the whole index.
    let pages = if first { -STEP } else { STEP };
    let before = conn.total_changes();
    conn.prepare_cached("INSERT INTO search(search, rank) VALUES('merge', ?1)")?.execute([pages])?;
    // So SQLite's documentation: a step that had nothing to do changes less than two rows.
    Ok(conn.total_changes() - before >= 2)
}

/// Takes the owner's numbers away.
pub(super) fn leave(conn: &Connection, owner: &Owner) -> Outcome<()> {
    conn.prepare_cached("DELETE FROM finder WHERE owner = ?1")?.execute([owner.as_str()])?;
    Ok(())
}
