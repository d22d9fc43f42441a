//! Chats as things in a list: renamed, put first, put away, deleted.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use catgpt_core::{Session, SessionId, User};
use jiff::Timestamp;

use super::local;
use crate::args::{Delete, Rename, These};
use crate::exit::{Exit, Failure, invalid};
use crate::notes::Notes;
use crate::refs::{self, Chats, short};

/// What is said of a chat.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Pinned(bool),
    Archived(bool),
}

pub(super) async fn rename(user: &User, options: &Rename) -> Result<Exit, Failure> {
    refs::find(user, &options.chat).await?.rename(&options.title.join(" ")).await?;
    Ok(Exit::Ok)
}

/// All of them, or none if one is not there.
pub(super) async fn mark(user: &User, these: &These, mark: Mark) -> Result<Exit, Failure> {
    for session in found(user, &these.chats).await? {
        match mark {
            Mark::Pinned(pinned) => session.set_pinned(pinned).await?,
            Mark::Archived(archived) => session.set_archived(archived).await?,
        }
    }
    Ok(Exit::Ok)
}

pub(super) async fn delete(user: &User, options: &Delete, notes: Notes) -> Result<Exit, Failure> {
    if options.empty {
        let deleted = user.delete_empty().await?;
        notes.say(format_args!("deleted {}", chats(deleted)));
        return Ok(Exit::Ok);
    }
    if options.all {
        return erase(user, options.yes, notes).await;
    }
    if let Some(age) = options.older_than {
        return delete_older(user, age, options.yes, notes).await;
    }
    let sessions = found(user, &options.chats).await?;
    let ids: Vec<SessionId> = sessions.iter().map(|session| session.id().clone()).collect();
    let names: Vec<_> = ids.iter().map(|id| short(id.as_str()).escape_debug().to_string()).collect();
    if !agreed(options.yes, &format!("delete {}", names.join(", ")), notes)? {
        return Ok(Exit::Failed);
    }
    let deleted = user.delete(ids).await?;
    notes.say(format_args!("deleted {}", chats(deleted)));
    Ok(Exit::Ok)
}

/// Those that nobody used since, also those that are put away; not those that somebody pinned.
async fn delete_older(user: &User, age: Duration, yes: bool, notes: Notes) -> Result<Exit, Failure> {
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp::now().as_millisecond().saturating_sub(age_ms);
    let mut old = Vec::new();
    for archived in [false, true] {
        let mut chats = Chats::new(user, archived);
        while let Some(info) = chats.next().await? {
            if info.updated_ms < since && !info.pinned && info.running.is_none() {
                old.push(info.id);
            }
        }
    }
    let what = chats(old.len() as u64);
    if !old.is_empty() && !agreed(yes, &format!("delete {what} not used since {}", local(since)), notes)? {
        return Ok(Exit::Failed);
    }
    let deleted = if old.is_empty() { 0 } else { user.delete(old).await? };
    notes.say(format_args!("deleted {}", chats(deleted)));
    Ok(Exit::Ok)
}

async fn erase(user: &User, yes: bool, notes: Notes) -> Result<Exit, Failure> {
    if !agreed(yes, "delete all chats, and whatever else is kept of you here", notes)? {
        return Ok(Exit::Failed);
    }
    let gone = user.erase(|gone| notes.detail(format_args!("{} so far", chats(gone)))).await?;
    notes.say(format_args!("deleted {}", chats(gone)));
    Ok(Exit::Ok)
}

async fn found(user: &User, words: &[String]) -> Result<Vec<Session>, Failure> {
    let mut sessions: Vec<Session> = Vec::new();
    for word in words {
        let session = refs::find(user, word).await?;
        if !sessions.iter().any(|other| other.id() == session.id()) {
            sessions.push(session);
        }
    }
    Ok(sessions)
}

fn chats(count: u64) -> String {
    if count == 1 { "1 chat".to_owned() } else { format!("{count} chats") }
}

/// What cannot be undone is asked for on a terminal; elsewhere it has to be said.
fn agreed(yes: bool, what: &str, notes: Notes) -> Result<bool, Failure> {
    if yes {
        return Ok(true);
    }
    if !notes.may_ask() {
        return Err(invalid(format!("this would {what}: say --yes")).into());
    }
    // Nobody may be there to read it, and then nobody answers.
    let _ = write!(io::stderr(), "catgpt: {what}? [y/N] ");
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
