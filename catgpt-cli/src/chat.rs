//! Which chat a turn goes into, and what that chat keeps of the command line: its model and its options.

use catgpt_core::{Metadata, Params, Result, Session, SessionInfo, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::args::{Ask, Setting};
use crate::config::var;
use crate::notes::Notes;
use crate::refs::{self, short};
use crate::render::visible;

/// The key of the chat's metadata under which it is kept.
const KEY: &str = "catgpt.cli";
/// The chat of this shell.
const PINNED: &str = "CATGPT_SESSION";

/// What was said on a command line and holds for all that follow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Kept {
    /// Which model answers, if not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// How it answers.
    pub(crate) options: Params,
}

/// A chat, with what it keeps from now on.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) user: User,
    pub(crate) session: Session,
    pub(crate) kept: Kept,
    /// Something of that was said now.
    changed: bool,
    new: bool,
}

/// What is known of it; `None` if it begins now.
type Known = Option<SessionInfo>;

impl Chat {
    /// The chat that the command line is about.
    pub(crate) async fn find(user: &User, ask: &Ask, notes: Notes) -> Result<Self> {
        let pinned = if ask.continue_last { None } else { var(PINNED) };
        let word = ask.session.clone().or(pinned);
        let (session, known) = match &word {
            Some(word) => named(user, word, ask, notes).await?,
            None if ask.continue_last || ask.place.is_given() => last(user, "@").await?,
            None => (user.new_session(), None),
        };
        if let Some(info) = known.as_ref().filter(|info| word.as_deref() != Some(info.id.as_str())) {
            notes.aside(format_args!("going on with {}", called(info)));
        }
        let new = known.is_none();
        let before = known.map(|info| Kept::read(&info.metadata, notes)).unwrap_or_default();
        let kept = before.clone().with(ask);
        Ok(Self { user: user.clone(), session, changed: kept != before, kept, new })
    }

    /// Whether the command line is about a chat that may be there.
    pub(crate) fn is_named(ask: &Ask) -> bool {
        ask.continue_last || ask.session.is_some() || ask.place.is_given() || var(PINNED).is_some()
    }

    /// Whether it begins now.
    pub(crate) fn is_new(&self) -> bool {
        self.new
    }

    /// The same chat as another engine has it.
    pub(crate) fn with(self, user: &User) -> Result<Self> {
        Ok(Self { user: user.clone(), session: user.session(self.session.id().as_str())?, ..self })
    }

    /// One that is there and keeps nothing.
    #[cfg(test)]
    pub(crate) fn of(user: User, session: Session) -> Self {
        Self { user, session, kept: Kept::default(), changed: false, new: false }
    }

    /// Records what was said now. The chat has begun.
    pub(crate) async fn keep(&self) -> Result<()> {
        if !self.changed {
            return Ok(());
        }
        let mut metadata = self.session.info().await?.metadata;
        self.kept.write(&mut metadata);
        self.session.set_metadata(&metadata).await
    }
}

/// The chat's name and its title, in one line.
fn called(info: &SessionInfo) -> String {
    let name = visible(short(info.id.as_str())).into_owned();
    match info.title.as_deref() {
        None | Some("") => name,
        Some(title) => format!("{name}: {}", title.replace(char::is_control, " ")),
    }
}

async fn named(user: &User, word: &str, ask: &Ask, notes: Notes) -> Result<(Session, Known)> {
    if ask.must_exist || ask.place.is_given() {
        return last(user, word).await;
    }
    let (session, new) = refs::open(user, word).await?;
    if new {
        notes.say(format_args!("a new chat: {}", session.id()));
        return Ok((session, None));
    }
    let info = session.info().await?;
    Ok((session, Some(info)))
}

async fn last(user: &User, word: &str) -> Result<(Session, Known)> {
    let session = refs::find(user, word).await?;
    let info = session.info().await?;
    Ok((session, Some(info)))
}

impl Kept {
    fn read(metadata: &Metadata, notes: Notes) -> Self {
        let Some(kept) = metadata.get(KEY) else { return Self::default() };
        serde_json::from_value(kept.clone()).unwrap_or_else(|_| {
            notes.say("what this chat keeps of -m and -o is of another version and passed over: say it anew");
            Self::default()
        })
    }

    /// With what the command line says.
    fn with(self, ask: &Ask) -> Self {
        let model = match ask.model.as_deref() {
            None => self.model,
            Some("") => None,
            Some(model) => Some(model.to_owned()),
        };
        Self { model, options: Setting::apply(&ask.options, self.options) }
    }

    fn write(&self, metadata: &mut Metadata) {
        if *self == Self::default() {
            metadata.remove(KEY);
            return;
        }
        // By way of text, so that 0.7 does not become 0.699999988.
        let value = serde_json::to_string(self).and_then(|text| serde_json::from_str::<Value>(&text));
        metadata.insert(KEY.to_owned(), value.expect("plain data has a JSON form"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const QUIET: fn() -> Notes = || {
        let cli = crate::args::parse(["catgpt", "-q"].map(Into::into)).unwrap();
        Notes::new(&cli.common)
    };

    fn said(words: &[&str]) -> Ask {
        crate::args::parse(["catgpt"].iter().chain(words).map(Into::into)).unwrap().ask
    }

    #[test]
    fn what_is_said_is_added_to_what_is_kept_and_taken_back() {
        let mut metadata = Metadata::from_iter([("mine".to_owned(), json!(1))]);
        let kept = Kept::default().with(&said(&["-m", "gpt-4o", "-o", "temperature=0.7", "hi"]));
        kept.write(&mut metadata);
        assert_eq!(metadata[KEY], json!({ "model": "gpt-4o", "options": { "temperature": 0.7 } }));
        assert_eq!(Kept::read(&metadata, QUIET()), kept);
        let more = Kept::read(&metadata, QUIET()).with(&said(&["-o", "seed=1"]));
        assert_eq!(
            (more.model.as_deref(), more.options.temperature, more.options.seed),
            (Some("gpt-4o"), Some(0.7), Some(1))
        );
        more.with(&said(&["-m", "", "-o", "seed=", "-o", "temperature="])).write(&mut metadata);
        assert_eq!(Value::Object(metadata), json!({ "mine": 1 }));
    }

    #[test]
    fn what_another_version_kept_is_passed_over() {
        for other in [json!(7), json!({ "options": { "warmth": 1 } })] {
            let metadata = Metadata::from_iter([(KEY.to_owned(), other)]);
            assert_eq!(Kept::read(&metadata, QUIET()), Kept::default());
        }
        let newer = Metadata::from_iter([(KEY.to_owned(), json!({ "model": "m", "voice": "deep" }))]);
        assert_eq!(Kept::read(&newer, QUIET()).model.as_deref(), Some("m"));
    }
}
