//! Another program's SQLite database: a table `chats` (id, user_id, title, created_at, updated_at) and a table `messages`
//! (id, chat_id, role, content, created_at). It is only read.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};

use super::source::Meter;
use super::transcript::{Heading, LeftOut, Transcript};
use super::{Flow, Found, Take, time};
use crate::body::TitleSource;
use crate::error::{Error, ErrorKind, Result};
use crate::id::SessionId;
use crate::message::{Content, Message, Role, Status};

/// What must be there, and what may.
const CHATS: ([&str; 1], [&str; 4]) = (["id"], ["user_id", "title", "created_at", "updated_at"]);
const MESSAGES: ([&str; 3], [&str; 2]) = (["chat_id", "role", "content"], ["id", "created_at"]);

/// Reads every chat. Its id is the row's own, as text.
pub(super) fn read(path: &Path, meter: &Meter, take: &mut Take<'_>) -> Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(|error| failed(error, path))?;
    // One state of the file, even if its program writes meanwhile.
    conn.execute_batch("BEGIN").map_err(|error| failed(error, path))?;
    let chats = columns(&conn, "chats", &CHATS.0, &CHATS.1)?;
    let messages = columns(&conn, "messages", &MESSAGES.0, &MESSAGES.1)?;
    all(&conn, &chats, &messages, meter, take).map_err(|error| failed(error, path))
}

/// The columns to ask for; one that may be missing and is, is asked for as nothing.
fn columns(conn: &Connection, table: &str, must: &[&str], may: &[&str]) -> Result<String> {
    let there = (|| -> rusqlite::Result<HashSet<String>> {
        let mut statement = conn.prepare("SELECT lower(name) FROM pragma_table_info(?1)")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    })();
    let there = there.map_err(|error| failed(error, Path::new("")))?;
    if let Some(missing) = must.iter().find(|name| !there.contains(**name)) {
        let text = "this database is not one of chats: it needs the tables `chats` and `messages`";
        return Err(Error::invalid(text).with("missing", format!("{table}.{missing}")));
    }
    let asked = |name: &&str| if there.contains(*name) { (*name).to_owned() } else { "NULL".to_owned() };
    Ok(must.iter().chain(may).map(asked).collect::<Vec<_>>().join(", "))
}

fn all(conn: &Connection, chats: &str, messages: &str, meter: &Meter, take: &mut Take<'_>) -> rusqlite::Result<()> {
    let count: i64 = conn.query_row("SELECT count(*) FROM messages", [], |row| row.get(0))?;
    meter.expect(u64::try_from(count).unwrap_or(0));
    let mut chats = conn.prepare(&format!("SELECT {chats} FROM chats ORDER BY id"))?;
    let order = if messages.contains(" id") { "id" } else { "rowid" };
    let mut messages = conn.prepare(&format!("SELECT {messages} FROM messages WHERE chat_id = ?1 ORDER BY {order}"))?;
    let mut rows = chats.query([])?;
    while let Some(row) = rows.next()? {
        let (owner, mut found, left_out) = (text(row, 1), heading(row), &mut LeftOut::new());
        if let Ok(heading) = &mut found {
            let said = messages.query([row.get::<_, rusqlite::types::Value>(0)?])?;
            let messages = chain(said, left_out)?;
            meter.add(messages.len() as u64);
            let transcript = Transcript { heading: heading.clone(), messages };
            let found = Found { owner, ..Found::transcript(transcript, std::mem::take(left_out)) };
            if take(found) == Flow::Stop {
                return Ok(());
            }
        } else if let Err(error) = found
            && take(Found { owner, ..Found::refused(None, text(row, 2), error) }) == Flow::Stop
        {
            return Ok(());
        }
    }
    Ok(())
}

fn heading(row: &Row<'_>) -> Result<Heading> {
    let id = text(row, 0).ok_or_else(|| Error::invalid("a chat has no id"))?;
    let mut heading = Heading::new(SessionId::new(id)?);
    heading.title = text(row, 2).filter(|title| !title.trim().is_empty());
    heading.titled_by = heading.title.as_ref().map(|_| TitleSource::User);
    heading.created_ms = moment(row, 3);
    heading.updated_ms = moment(row, 4);
    Ok(heading)
}

/// The messages of a chat, one after the other.
fn chain(mut rows: rusqlite::Rows<'_>, left_out: &mut LeftOut) -> rusqlite::Result<Vec<Message>> {
    let mut messages: Vec<Message> = Vec::new();
    while let Some(row) = rows.next()? {
        let content = text(row, 2).unwrap_or_default();
        let Some(role) = role(&text(row, 1).unwrap_or_default()) else {
            *left_out.entry("messages of an unknown role".into()).or_default() += 1;
            continue;
        };
        let seq = messages.len() as u64 + 1;
        messages.push(Message {
            seq,
            parent: (seq > 1).then(|| seq - 1),
            turn: None,
            role,
            status: Status::Complete,
            content: Content::from(content),
            model: None,
            finish_reason: None,
            usage: None,
            cost: None,
            error: None,
            created_ms: moment(row, 4),
        });
    }
    Ok(messages)
}

fn role(name: &str) -> Option<Role> {
    match name.to_ascii_lowercase().as_str() {
        "user" | "human" => Some(Role::User),
        "assistant" | "ai" | "bot" | "model" => Some(Role::Assistant),
        "system" | "developer" => Some(Role::System),
        _ => None,
    }
}

/// What a cell says, as text. Bytes that are not UTF-8 are shown as such.
fn text(row: &Row<'_>, column: usize) -> Option<String> {
    match row.get_ref(column).ok()? {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// A time as text, or as seconds or milliseconds since 1970; 0 if there is none.
fn moment(row: &Row<'_>, column: usize) -> i64 {
    #[allow(clippy::cast_precision_loss, reason = "a time is far below 2^53")]
    let read = match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) => time::from_number(number as f64),
        Ok(ValueRef::Real(number)) => time::from_number(number),
        Ok(ValueRef::Text(_)) => {
            text(row, column).and_then(|text| time::parse(&text).or_else(|| time::from_number(text.parse().ok()?)))
        }
        _ => None,
    };
    read.unwrap_or(0)
}

fn failed(error: rusqlite::Error, path: &Path) -> Error {
    use rusqlite::ErrorCode as Code;
    let text = match error.sqlite_error_code() {
        Some(Code::NotADatabase) => "this file is not a SQLite database",
        Some(Code::DatabaseCorrupt) => "this database is damaged: restore it from a backup",
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            "another program keeps this database locked: try again later"
        }
        Some(Code::CannotOpen | Code::PermissionDenied) => "this database cannot be opened: check that it may be read",
        _ => "this database cannot be read",
    };
    Error::new(ErrorKind::InvalidInput, text).with("path", path.display()).caused_by(error)
}
