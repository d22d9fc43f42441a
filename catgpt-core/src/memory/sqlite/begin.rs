//! Beginning a turn: the decisions of [`Memory::begin_turn`](crate::Memory::begin_turn), in their order.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};

use super::fault::{Outcome, damaged};
use super::row::{
    Held, coded, count, find, find_message, int, left, millis, now, optional_count, text, to_json, turn as turn_at,
};
use super::{journal, limits, sweep, turn, window};
use crate::error::{Error, ErrorKind};
use crate::event::ChangeKind;
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Begin, Begun, Opened, Parent, SessionRow};
use crate::message::{Role, Status};

pub(super) fn begin(conn: &Connection, owner: &Owner, begin: &Begin) -> Outcome<Begun> {
    let now = now();
    if let Some(begun) = known_turn(conn, owner, begin)? {
        return Ok(begun);
    }
    if let Some(begun) = known_key(conn, owner, begin, now)? {
        return Ok(begun);
    }
    let held = find(conn, owner, &begin.session)?;
    let version = held.as_ref().map_or(0, |held| held.row.version);
    if begin.if_version.is_some_and(|wanted| wanted != version) {
        return Err(changed(version).into());
    }
    if let Some(held) = &held
        && let (Some(turn), Some(until)) = (held.row.running, held.until)
    {
        return Ok(match until > now {
            true => Begun::Busy { turn, lease_left: left(until, now) },
            false => Begun::Stale { turn },
        });
    }
    let parent = parent(conn, held.as_ref(), begin)?;
    if let Some(limited) = limits::limited(conn, owner, begin, now)? {
        return Ok(limited);
    }
    open(conn, owner, begin, held, parent, now)
}

/// The session moved on since the caller looked.
pub(super) fn changed(version: u64) -> Error {
    Error::new(ErrorKind::Conflict, "the session has changed: read it again, then decide").with("version", version)
}

/// The same turn again: the answer that it had.
fn known_turn(conn: &Connection, owner: &Owner, begin: &Begin) -> Outcome<Option<Begun>> {
    let sql =
        "SELECT s.owner, s.id, m.seq, m.parent, m.status, m.created_at, s.sid FROM message m JOIN session s ON s.sid = m.sid
        WHERE m.turn = ?1 AND m.role = 2";
    let mut statement = conn.prepare_cached(sql)?;
    let known = statement.query_row([begin.turn.to_bytes()], |record| {
        let place: (Owner, SessionId) = (text(record, 0)?, text(record, 1)?);
        let status = coded(record, 4, Status::from_code)?;
        let began: i64 = record.get(5)?;
        Ok((place, count(record, 2)?, optional_count(record, 3)?, status, began, record.get(6)?))
    });
    let Some((place, reply_seq, parent, status, began, sid)) = known.optional()? else { return Ok(None) };
    if place.0 != *owner {
        return Err(Error::not_found("turn").with_turn(begin.turn).into());
    }
    if place.1 != begin.session {
        return Err(Error::new(ErrorKind::Conflict, "the turn's id is another session's: make a fresh one").into());
    }
    if status != Status::Running {
        return Ok(Some(Begun::Replay { turn: begin.turn }));
    }
    turn::renew(conn, sid, begin.lease)?;
    let held = find(conn, owner, &begin.session)?.ok_or_else(|| damaged("a turn without its session"))?;
    let user_seq = parent.filter(|_| begin.message.is_some());
    // What made the session has its first message, and its time.
    let created = user_seq.unwrap_or(reply_seq) == 1 && held.row.created_ms == began;
    started(conn, held, begin, parent, Opening { created, user_seq, reply_seq }).map(Some)
}

/// What is known of a turn that has begun.
struct Opening {
    created: bool,
    user_seq: Option<Seq>,
    reply_seq: Seq,
}

/// The answer, with the branch up to `asked`.
fn started(conn: &Connection, held: Held, begin: &Begin, asked: Option<Seq>, opening: Opening) -> Outcome<Begun> {
    let Opening { created, user_seq, reply_seq } = opening;
    let (window, _) = window::branch(conn, held.sid, asked, begin.window)?;
    let summary = held.row.summary.map(|seq| find_message(conn, held.sid, seq)).transpose()?.flatten();
    Ok(Begun::Started(Box::new(Opened { session: held.row, created, user_seq, reply_seq, window, summary })))
}

fn known_key(conn: &Connection, owner: &Owner, begin: &Begin, now: i64) -> Outcome<Option<Begun>> {
    let Some((key, hash)) = &begin.key else { return Ok(None) };
    let sql = "SELECT turn, hash FROM idem WHERE owner = ?1 AND session = ?2 AND key = ?3 AND at > ?4";
    let mut statement = conn.prepare_cached(sql)?;
    let place = (owner.as_str(), begin.session.as_str(), key, now - sweep::KEPT);
    let known = statement.query_row(place, |record| Ok((turn_at(record, 0)?, record.get::<_, [u8; 32]>(1)?)));
    match known.optional()? {
        None => Ok(None),
        Some((Some(turn), same)) if same == *hash => Ok(Some(Begun::Replay { turn })),
        Some(_) => {
            let sentence = "the idempotency key was used for something else: use a fresh key";
            Err(Error::new(ErrorKind::Conflict, sentence).into())
        }
    }
}

/// The message under which the turn hangs; what is asked for must be there.
fn parent(conn: &Connection, held: Option<&Held>, begin: &Begin) -> Outcome<Option<Seq>> {
    let parent = above(conn, held, begin.parent)?;
    if begin.message.is_some() {
        return Ok(parent);
    }
    // What asks nothing answers a user's message, or goes on from a reply.
    let role = parent.map(|seq| look(conn, held, seq)).transpose()?.map(|(_, role)| role);
    match (role, begin.parent) {
        (Some(Role::User), _) | (Some(Role::Assistant), Parent::Head | Parent::Under(_)) => Ok(parent),
        _ => {
            let sentence = "only a user's message can be answered, and only a reply gone on from: name one";
            Err(Error::invalid(sentence).into())
        }
    }
}

/// The message that stands before this place of the tree.
pub(super) fn above(conn: &Connection, held: Option<&Held>, place: Parent) -> Outcome<Option<Seq>> {
    let head = held.and_then(|held| held.row.head);
    match place {
        Parent::Head => Ok(head),
        Parent::Under(seq) => look(conn, held, seq).map(|_| Some(seq)),
        Parent::Beside(seq) => match seq.or(head) {
            Some(seq) => look(conn, held, seq).map(|(parent, _)| parent),
            None => Err(Error::not_found("message").into()),
        },
    }
}

fn look(conn: &Connection, held: Option<&Held>, seq: Seq) -> Outcome<(Option<Seq>, Role)> {
    let sql = "SELECT parent, role FROM message WHERE sid = ?1 AND seq = ?2";
    let mut statement = conn.prepare_cached(sql)?;
    let found = statement.query_row((held.map(|held| held.sid), int(seq)), |record| {
        Ok((optional_count(record, 0)?, coded(record, 1, Role::from_code)?))
    });
    Ok(found.optional()?.ok_or_else(|| Error::not_found("message").with("seq", seq))?)
}

fn open(
    conn: &Connection,
    owner: &Owner,
    begin: &Begin,
    held: Option<Held>,
    parent: Option<Seq>,
    now: i64,
) -> Outcome<Begun> {
    let created = held.is_none();
    let mut held = match held {
        Some(held) => held,
        None => {
            let fresh = Fresh { ttl: begin.ttl, ..Fresh::default() };
            create(conn, owner, &begin.session, &fresh, now)?
        }
    };
    let user_seq = begin.message.as_ref().map(|_| held.row.messages + 1);
    let reply_seq = user_seq.unwrap_or(held.row.messages) + 1;
    if let (Some(body), Some(seq)) = (&begin.message, user_seq) {
        insert(conn, held.sid, seq, parent, begin, Some(body), now)?;
    }
    let asked = user_seq.or(parent);
    insert(conn, held.sid, reply_seq, asked, begin, None, now)?;
    claim(conn, &mut held, begin, reply_seq, now)?;
    if let Some((key, hash)) = &begin.key {
        let sql = "INSERT OR REPLACE INTO idem(owner, session, key, hash, turn, at) VALUES(?1, ?2, ?3, ?4, ?5, ?6)";
        let place = (owner.as_str(), begin.session.as_str(), key, hash, begin.turn.to_bytes(), now);
        conn.prepare_cached(sql)?.execute(place)?;
    }
    journal::add(conn, owner, &begin.session, Some(begin.turn), ChangeKind::TurnBegun, now)?;
    started(conn, held, begin, asked, Opening { created, user_seq, reply_seq })
}

/// What a new session is like.
#[derive(Default)]
pub(super) struct Fresh<'a> {
    pub(super) title: Option<&'a [u8]>,
    pub(super) pin: Option<&'a [u8]>,
    pub(super) meta: Option<&'a [u8]>,
    pub(super) ttl: Option<Duration>,
}

/// Makes a session and notes it in the journal.
pub(super) fn create(conn: &Connection, owner: &Owner, id: &SessionId, fresh: &Fresh<'_>, now: i64) -> Outcome<Held> {
    let Fresh { title, pin, meta, ttl } = *fresh;
    let sql = "INSERT INTO session(owner, id, created_at, updated_at, title, retitled, pin, meta, ttl)
        VALUES(?1, ?2, ?3, ?3, ?4, ?4 IS NOT NULL, ?5, ?6, ?7)";
    let place = (owner.as_str(), id.as_str(), now, title, pin, meta, ttl.map(millis));
    let sid = conn.prepare_cached(sql)?.insert(place)?;
    journal::add(conn, owner, id, None, ChangeKind::Created, now)?;
    let row = SessionRow {
        id: id.clone(),
        title: title.map(<[u8]>::to_vec),
        pin: pin.map(<[u8]>::to_vec),
        meta: meta.map(<[u8]>::to_vec),
        pinned: false,
        archived: false,
        ttl,
        head: None,
        summary: None,
        version: 1,
        messages: 0,
        running: None,
        expired: false,
        reserved: Vec::new(),
        created_ms: now,
        updated_ms: now,
    };
    Ok(Held { sid, until: None, indexed: 0, retitled: title.is_some(), row })
}

/// The user's message, or the empty reply that runs.
fn insert(
    conn: &Connection,
    sid: i64,
    seq: Seq,
    parent: Option<Seq>,
    begin: &Begin,
    asked: Option<&Vec<u8>>,
    now: i64,
) -> Outcome<()> {
    let sql = "INSERT INTO message(sid, seq, parent, turn, role, status, created_at, model, body)
        VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let (role, status, model) = match asked {
        Some(_) => (Role::User, Status::Complete, None),
        None => (Role::Assistant, Status::Running, Some(&begin.model)),
    };
    let body = asked.map_or(&[][..], Vec::as_slice);
    let (role, status) = (role.code(), status.code());
    let parent = parent.map(int);
    let values = (sid, int(seq), parent, begin.turn.to_bytes(), role, status, now, model, body);
    conn.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Gives the session to the turn, and with its first words a title.
fn claim(conn: &Connection, held: &mut Held, begin: &Begin, reply: Seq, now: i64) -> Outcome<()> {
    let until = now.saturating_add(millis(begin.lease));
    let pin = (begin.pin.replace || held.row.pin.is_none()).then_some(&begin.pin.body);
    let untitled = held.row.messages == 0 && held.row.title.is_none();
    let title = begin.title.as_ref().filter(|_| untitled);
    let reserved = limits::reserve(conn, &begin.reserve, now)?;
    let kept = (!reserved.is_empty()).then(|| to_json(&reserved)).transpose()?;
    let sql = "UPDATE session SET head = ?2, last_seq = ?2, version = version + 1, run = ?3, run_until = ?4,
        run_cancel = 0, updated_at = ?5, pin = coalesce(?6, pin), reserved = ?7, title = coalesce(?8, title),
        retitled = retitled OR ?8 IS NOT NULL WHERE sid = ?1";
    let place = (held.sid, int(reply), begin.turn.to_bytes(), until, now, pin, kept, title);
    conn.prepare_cached(sql)?.execute(place)?;
    if let Some(pin) = pin {
        held.row.pin = Some(pin.clone());
    }
    if let Some(title) = title {
        (held.row.title, held.retitled) = (Some(title.clone()), true);
    }
    held.row.reserved = reserved;
    held.until = Some(until);
    held.row.head = Some(reply);
    held.row.messages = reply;
    held.row.version += 1;
    held.row.running = Some::<TurnId>(begin.turn);
    held.row.updated_ms = now;
    Ok(())
}
