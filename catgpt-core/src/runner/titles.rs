//! Titles: made by a model from the first thing that a user says, while the answer to it is on its way.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Runner;
use super::begin::Order;
use super::limits::Counted;
use crate::body::{TitleSource, decode_title, encode_title, message};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::TurnAt;
use crate::id::{Owner, SessionId, TurnId};
use crate::live::local::Log;
use crate::memory::{Done, Limit, Memory, Op, Opened, Purpose, Read};
use crate::message::Role;
use crate::model::{ChatModel, ModelRequest, Secret};
use crate::prompt::title;

/// How much of a session is read for a title that is asked for: its first messages.
const FIRST: Limit = Limit { messages: 8, bytes: 1 << 20 };

/// How titles are made; given to [`EngineBuilder::titles`](crate::EngineBuilder::titles).
///
/// Of reasoning models take a small one: what it thinks is paid for and thrown away.
#[derive(Clone)]
pub struct Titles {
    /// Who is asked; the engine's model if nobody else.
    pub model: Option<Arc<dyn ChatModel>>,
    /// Which model of it, if not its own default.
    pub model_name: Option<String>,
    /// How long it may take. Then the beginning of the first message stays the title.
    pub deadline: Duration,
    /// What the model is told.
    pub prompt: String,
    /// The longest title, in characters. A longer one is cut between words.
    pub max_chars: usize,
}

impl Default for Titles {
    /// The engine's model, 15 s, 60 characters.
    fn default() -> Self {
        Self {
            model: None,
            model_name: None,
            deadline: Duration::from_secs(15),
            prompt: title::INSTRUCTION.into(),
            max_chars: 60,
        }
    }
}

impl fmt::Debug for Titles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Titles")
            .field("model", &self.model)
            .field("model_name", &self.model_name)
            .finish_non_exhaustive()
    }
}

/// A session that is to have a title.
pub(super) struct Untitled {
    /// The title that it has: only in the place of this one it is given another.
    over: Option<Vec<u8>>,
    request: ModelRequest,
    /// By what it is counted, if somebody asked for it.
    counted: Option<Counted>,
}

impl Runner {
    /// What a title is to be made of, if this turn is the first of its session and nobody gave it one.
    pub(super) fn untitled(&self, order: &Order, opened: &Opened) -> Option<Untitled> {
        let titles = self.titles.as_ref().filter(|_| opened.user_seq == Some(1))?;
        let over = opened.session.title.clone().filter(|title| source(title) == TitleSource::Prompt)?;
        let request = title::request(&titles.prompt, order.ask.content.as_ref()?)?;
        Some(Untitled { over: Some(over), request, counted: None })
    }

    /// Begins to make a title. The turn does not wait for it.
    pub(super) fn begin_title(
        self: &Arc<Self>,
        at: TurnAt,
        log: Arc<Log>,
        untitled: Untitled,
        credentials: Option<Secret>,
    ) {
        let (Some(titles), Some(held)) = (self.titles.clone(), self.hold_job()) else { return };
        let runner = Arc::clone(self);
        tokio::spawn(async move {
            match runner.title(&titles, at, untitled, credentials).await {
                Ok(Some(title)) => log.title(title),
                // A person was quicker.
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(kind = %error.kind(), "no title was made; the first words stay the title"),
            }
            drop(held);
        });
    }

    /// Makes a title now, in the place of any that no person gave.
    pub(crate) async fn make_title(&self, owner: &Owner, session: &SessionId, counted: Counted) -> Result<String> {
        let titles = self.titles.clone().unwrap_or_default();
        let read = Read::Tree { session: session.clone(), after: 0, limit: FIRST, bodies: true };
        let view = self.memory.read(owner, read).await?;
        let over = view.session.title;
        if over.as_deref().is_some_and(|title| source(title) == TitleSource::User) {
            return Err(Error::new(ErrorKind::Conflict, "a person gave this session its title; rename it instead"));
        }
        let first = view.rows.into_iter().find(|row| row.role == Role::User);
        let turn = first.as_ref().and_then(|row| row.turn).unwrap_or_else(TurnId::fresh);
        let content = first.map(|row| message(row, &[])).transpose()?.map(|message| message.content);
        let no_words = || Error::invalid("nothing was said in this session that a title could be made of");
        let request = content.and_then(|content| title::request(&titles.prompt, &content)).ok_or_else(no_words)?;
        let at = TurnAt { owner: owner.clone(), session: session.clone(), turn };
        let meanwhile = || Error::new(ErrorKind::Conflict, "the session was given another title meanwhile");
        let untitled = Untitled { over, request, counted: Some(counted) };
        self.title(&titles, at, untitled, None).await?.ok_or_else(meanwhile)
    }

    /// Asks for a title and writes it with its bill; `None` if the session has another one by then.
    async fn title(
        &self,
        titles: &Titles,
        at: TurnAt,
        Untitled { over, request, counted }: Untitled,
        credentials: Option<Secret>,
    ) -> Result<Option<String>> {
        let asked =
            self.asked(titles.model.as_ref(), titles.model_name.as_ref(), credentials, titles.deadline, counted);
        let (answer, used) = self.ask(&asked, &at, request, title::is_there).await;
        let TurnAt { owner, session, .. } = at;
        let bill = self.bill(&session, asked.name(), Purpose::Title, &used);
        let junk = || Error::new(ErrorKind::Truncated, "the model answered with nothing that could be a title");
        let title = answer.and_then(|answer| title::clean(&answer.text, titles.max_chars).ok_or_else(junk));
        let set = title.as_ref().ok().map(|title| {
            let title = Some(encode_title(title, TitleSource::Model));
            Op::SetTitle { session, title, over }
        });
        let done = self.write(&owner, set, bill).await?;
        title.map(|title| (done != Some(Done::Nothing)).then_some(title))
    }
}

/// Who gave a title; one that cannot be read is nobody's to replace.
fn source(title: &[u8]) -> TitleSource {
    decode_title(title).map_or(TitleSource::User, |(_, by)| by)
}
