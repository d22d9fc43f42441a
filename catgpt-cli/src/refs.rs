//! How a chat is named on the command line: by its name or the title that it was given, by the beginning of its id, or by
//! when it was used.

use catgpt_core::memory::Cursor;
use catgpt_core::{Error, ErrorKind, Result, Session, SessionInfo, TitleSource, User};

use crate::exit::invalid;

/// The fewest characters of an id that stand for it.
const SHORTEST: usize = 4;
/// How many characters of an id are shown: its time in milliseconds, which is different for nearly all.
const SHOWN: usize = 13;
/// How many chats are offered instead of one that is not there.
const OFFERED: u32 = 5;
const PAGE: u32 = 500;

/// What a word says.
#[derive(Debug, PartialEq, Eq)]
enum Word<'a> {
    /// The Nth last used, from 1.
    Recent(usize),
    Name(&'a str),
}

fn read(word: &str) -> Result<Word<'_>> {
    match word.strip_prefix('@') {
        None => Ok(Word::Name(word)),
        Some("") => Ok(Word::Recent(1)),
        Some(number) => match number.parse() {
            Ok(n) if n > 0 => Ok(Word::Recent(n)),
            _ => Err(invalid("after @ stands a number from 1: @ is the chat used last, @2 the one before")),
        },
    }
}

/// The chat that `word` stands for.
pub(crate) async fn find(user: &User, word: &str) -> Result<Session> {
    match look(user, word).await? {
        Some(session) => Ok(session),
        None => Err(missing(user, word).await),
    }
}

/// The chat that `word` stands for, or a new one of that name. Tells which.
pub(crate) async fn open(user: &User, word: &str) -> Result<(Session, bool)> {
    match look(user, word).await? {
        Some(session) => Ok((session, false)),
        None if word.starts_with('@') => Err(missing(user, word).await),
        None => Ok((user.session(word)?, true)),
    }
}

async fn look(user: &User, word: &str) -> Result<Option<Session>> {
    match read(word)? {
        Word::Recent(n) => recent(user, n).await,
        Word::Name(name) => named(user, name).await,
    }
}

async fn recent(user: &User, n: usize) -> Result<Option<Session>> {
    let mut chats = Chats::new(user, false);
    let mut found: Vec<SessionInfo> = Vec::new();
    while let Some(info) = chats.next().await? {
        // The pinned ones stand first, whenever they were used: the rest is in order.
        if !info.pinned && found.len() >= n && found[n - 1].updated_ms >= info.updated_ms {
            break;
        }
        let at = found.partition_point(|other| other.updated_ms >= info.updated_ms);
        found.insert(at, info);
    }
    found.get(n - 1).map(|info| user.session(info.id.as_str())).transpose()
}

async fn named(user: &User, name: &str) -> Result<Option<Session>> {
    let session = user.session(name)?;
    match session.info().await {
        Ok(_) => return Ok(Some(session)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let (begin, begins) = (name.to_ascii_lowercase(), could_begin_an_id(name));
    let (mut called, mut beginning) = (Vec::new(), Vec::new());
    for archived in [false, true] {
        let mut chats = Chats::new(user, archived);
        while let Some(info) = chats.next().await? {
            if info.title.as_deref() == Some(name) && is_given(&info) {
                called.push(info);
            } else if begins && is_id(info.id.as_str()) && info.id.as_str().starts_with(&begin) {
                beginning.push(info);
            }
        }
    }
    let (found, how) = if called.is_empty() { (beginning, "begin with") } else { (called, "are called") };
    match found.as_slice() {
        [] => Ok(None),
        [one] => user.session(one.id.as_str()).map(Some),
        several => Err(ambiguous(name, how, several)),
    }
}

/// Whether somebody gave it its title. What is only the beginning of a prompt names nothing: whoever begins a chat called
/// "hi" does not mean an old one in which that was said first.
fn is_given(info: &SessionInfo) -> bool {
    info.titled_by.is_some_and(|by| by != TitleSource::Prompt)
}

/// What was not named by a person: a UUID.
fn is_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    let fits = |(at, c): (usize, char)| if dashes.contains(&at) { c == '-' } else { c.is_ascii_hexdigit() };
    text.len() == 36 && text.char_indices().all(fits)
}

fn could_begin_an_id(text: &str) -> bool {
    text.len() >= SHORTEST && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// A chat's name as a person reads it: what stands in lists, and can be given back as a reference.
pub(crate) fn short(id: &str) -> &str {
    if is_id(id) { &id[..SHOWN] } else { id }
}

fn ambiguous(word: &str, how: &str, found: &[SessionInfo]) -> Error {
    let ids: Vec<_> = found.iter().take(OFFERED as usize).map(|info| info.id.as_str()).collect();
    let sentence = format!("{} chats {how} \"{}\"; say more of the id", found.len(), word.escape_debug());
    Error::new(ErrorKind::NotFound, sentence).with("such as", ids.join(", "))
}

async fn missing(user: &User, word: &str) -> Error {
    let there = match user.sessions(None, OFFERED).await {
        Ok(page) => page.sessions,
        Err(error) => return error,
    };
    if there.is_empty() {
        return Error::new(ErrorKind::NotFound, "there are no chats yet: begin one with catgpt PROMPT");
    }
    let names: Vec<_> = there.iter().map(|info| short(info.id.as_str()).escape_debug().to_string()).collect();
    Error::new(ErrorKind::NotFound, format!("there is no chat \"{}\"", word.escape_debug()))
        .with("used last", names.join(", "))
}

/// An owner's chats, the pinned ones first, then the one used last; or those that are put away.
pub(crate) struct Chats<'a> {
    user: &'a User,
    archived: bool,
    page: std::vec::IntoIter<SessionInfo>,
    next: Option<Option<Cursor>>,
}

impl<'a> Chats<'a> {
    pub(crate) fn new(user: &'a User, archived: bool) -> Self {
        Self { user, archived, page: Vec::new().into_iter(), next: Some(None) }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<SessionInfo>> {
        loop {
            if let Some(info) = self.page.next() {
                return Ok(Some(info));
            }
            let Some(after) = self.next.take() else { return Ok(None) };
            let page = match self.archived {
                true => self.user.archived_sessions(after, PAGE).await?,
                false => self.user.sessions(after, PAGE).await?,
            };
            self.page = page.sessions.into_iter();
            self.next = page.next.map(Some);
        }
    }
}

#[cfg(test)]
mod tests {
    use catgpt_core::{Engine, NewMessage, Offline, Role, Scripted};

    use super::*;

    const FIRST: &str = "019aa5f3-1c2d-7000-8000-000000000001";
    const SECOND: &str = "019aa5f3-1c2d-7000-8000-000000000002";

    async fn user_with(chats: &[&str]) -> User {
        let user = Engine::builder().model(Offline::new()).build().local();
        for chat in chats {
            user.session(chat).unwrap().send("hi").await.unwrap().result().await.unwrap();
        }
        user
    }

    async fn found(user: &User, word: &str) -> String {
        match find(user, word).await {
            Ok(session) => session.id().to_string(),
            Err(error) => error.kind().to_string(),
        }
    }

    #[tokio::test]
    async fn a_chat_is_found_by_name_by_id_and_by_time() {
        let user = user_with(&["trip", "cafe", FIRST]).await;
        for (word, chat) in [("trip", "trip"), ("cafe", "cafe"), ("019a", FIRST), ("019AA5F3", FIRST), (FIRST, FIRST)] {
            assert_eq!(found(&user, word).await, chat, "{word}");
        }
        let mut recent = vec![found(&user, "@1").await, found(&user, "@2").await, found(&user, "@3").await];
        assert_eq!(recent[0], found(&user, "@").await);
        recent.sort();
        assert_eq!(recent, [FIRST, "cafe", "trip"]);
    }

    #[tokio::test]
    async fn the_chat_used_last_is_that_also_beside_pinned_and_archived_ones() {
        let user = user_with(&["old", "away", "new"]).await;
        user.session("old").unwrap().set_pinned(true).await.unwrap();
        user.session("away").unwrap().set_archived(true).await.unwrap();
        user.session("new").unwrap().rename("used last").await.unwrap();
        let times = ["old", "new"].map(|chat| user.session(chat).unwrap());
        let (old, new) = (times[0].info().await.unwrap(), times[1].info().await.unwrap());
        let last = if old.updated_ms == new.updated_ms { "old" } else { "new" };
        assert_eq!(found(&user, "@").await, last);
        assert_eq!(found(&user, "@3").await, "not_found");
        assert_eq!(found(&user, "away").await, "away");
    }

    #[tokio::test]
    async fn what_is_not_there_is_not_found_and_others_are_offered() {
        let user = user_with(&["trip", FIRST]).await;
        for word in ["tri", "Trip", "019", "019b", "@3"] {
            let error = find(&user, word).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{word}");
            assert!(error.to_string().contains("trip") && error.to_string().contains(&FIRST[..SHOWN]), "{error}");
        }
        let error = find(&user_with(&[]).await, "@").await.unwrap_err();
        assert!(error.to_string().contains("no chats yet"), "{error}");
    }

    #[tokio::test]
    async fn an_id_that_fits_several_names_them() {
        let user = user_with(&[FIRST, SECOND]).await;
        let error = find(&user, "019aa5f3").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(FIRST) && error.to_string().contains(SECOND), "{error}");
    }

    #[tokio::test]
    async fn a_chat_is_found_by_the_title_that_it_was_given() {
        let user = user_with(&["trip", FIRST, SECOND]).await;
        user.session(FIRST).unwrap().rename("Kyoto").await.unwrap();
        user.session(SECOND).unwrap().rename("trip").await.unwrap();
        assert_eq!(found(&user, "Kyoto").await, FIRST);
        assert_eq!(found(&user, "trip").await, "trip", "a name goes before a title");
        user.session("trip").unwrap().rename("Kyoto").await.unwrap();
        let error = find(&user, "Kyoto").await.unwrap_err();
        assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains(FIRST), "{error}");
        assert!(open(&user, "Kyoto").await.is_err() && open(&user, "kyoto").await.unwrap().1);
    }

    #[tokio::test]
    async fn what_was_said_first_names_no_chat_but_what_a_model_made_of_it_does() {
        let user = Engine::builder().model(Scripted::reply("A greeting")).build().local();
        let session = user.session(FIRST).unwrap();
        session.append([NewMessage::new(Role::User, "hi")]).await.unwrap();
        assert_eq!(session.info().await.unwrap().title.as_deref(), Some("hi"));
        assert_eq!(found(&user, "hi").await, "not_found");
        assert!(open(&user, "hi").await.unwrap().1);
        session.make_title().await.unwrap();
        assert_eq!(found(&user, "A greeting").await, FIRST);
        session.rename("hi").await.unwrap();
        assert_eq!(found(&user, "hi").await, FIRST);
    }

    #[tokio::test]
    async fn a_new_name_is_a_new_chat() {
        let user = user_with(&["trip"]).await;
        assert!(!open(&user, "trip").await.unwrap().1);
        assert!(open(&user, "trips").await.unwrap().1);
        assert_eq!(open(&user, "@2").await.unwrap_err().kind(), ErrorKind::NotFound);
        for bad in ["@trip", "@0", "", "a\nb", &"x".repeat(129)] {
            assert_eq!(open(&user, bad).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{bad:?}");
        }
    }
}
