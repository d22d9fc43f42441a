//! What a host may ask of an engine, as data. Each call is one method of [`User`] or [`Session`] with its defaults.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::given::{Hidden, Who, Words};
use super::hub::Hub;
use super::subscription::Subscription;
use super::transfer::{self, ImportOptions, Watch};
use super::{Answer, client, json};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::limits::{Limit, LimitKeys};
use crate::memory::{Cursor, GroupBy};
use crate::message::Offset;
use crate::model::Params;
use crate::observe::{Health, Meter, prometheus};
use crate::reply::{OnDrop, Reply};
use crate::runner::begin::Busy;
use crate::session::{Send, Session};
use crate::transfer::{ExportFormat, Mark};
use crate::user::{UsageQuery, User};
use crate::wire::{Encoding, ui_message_stream};

/// One call. `owner: null` is the one owner of a single-user program.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is the method of its name, and the fields are its arguments")]
pub enum Call {
    /// Opens the store now, to hear at once if it cannot be used.
    Open,
    Send {
        owner: Option<String>,
        session: SessionId,
        content: Words,
        #[serde(default)]
        options: SendOptions,
    },
    Edit {
        owner: Option<String>,
        session: SessionId,
        seq: Seq,
        content: Words,
        #[serde(default)]
        options: SendOptions,
    },
    Regenerate {
        owner: Option<String>,
        session: SessionId,
        seq: Option<Seq>,
        #[serde(default)]
        options: SendOptions,
    },
    /// With a session: only a turn of that session.
    Attach {
        owner: Option<String>,
        session: Option<SessionId>,
        turn: TurnId,
        #[serde(default)]
        offset: Offset,
        #[serde(default)]
        on_drop: OnDrop,
    },
    /// `null` if no turn runs there.
    Resume {
        owner: Option<String>,
        session: SessionId,
        #[serde(default)]
        on_drop: OnDrop,
    },
    /// A request of the AI SDK, as it came.
    Chat {
        owner: Option<String>,
        body: String,
        #[serde(default)]
        options: SendOptions,
    },
    /// A frame of a web socket, as it came. `open`: how many turns the socket watches already.
    Frame {
        owner: Option<String>,
        frame: String,
        #[serde(default)]
        open: usize,
        #[serde(default)]
        options: SendOptions,
        #[serde(default)]
        encoding: Encoding,
    },
    Cancel {
        owner: Option<String>,
        turn: TurnId,
    },
    History {
        owner: Option<String>,
        session: SessionId,
        #[serde(default = "page")]
        last: u32,
    },
    /// The history as the AI SDK's messages.
    UiMessages {
        owner: Option<String>,
        session: SessionId,
        #[serde(default = "page")]
        last: u32,
    },
    Tree {
        owner: Option<String>,
        session: SessionId,
        #[serde(default)]
        after: Seq,
        #[serde(default = "page")]
        limit: u32,
    },
    Info {
        owner: Option<String>,
        session: SessionId,
    },
    Rename {
        owner: Option<String>,
        session: SessionId,
        title: String,
    },
    Pin {
        owner: Option<String>,
        session: SessionId,
        persona: Who,
    },
    Select {
        owner: Option<String>,
        session: SessionId,
        head: Seq,
        if_version: Option<u64>,
    },
    Delete {
        owner: Option<String>,
        session: SessionId,
    },
    Sessions {
        owner: Option<String>,
        after: Option<Cursor>,
        #[serde(default = "page")]
        limit: u32,
    },
    Turns {
        owner: Option<String>,
    },
    Changes {
        owner: Option<String>,
        #[serde(default)]
        after: u64,
        #[serde(default = "page")]
        limit: u32,
    },
    /// What the owner has used; [`UsageQuery`] has the fields.
    Usage {
        owner: Option<String>,
        session: Option<SessionId>,
        from_ms: Option<i64>,
        to_ms: Option<i64>,
        #[serde(default)]
        by: Vec<GroupBy>,
    },
    /// How far the owner has come with these limits; left out: the engine's.
    Limits {
        owner: Option<String>,
        limits: Option<Vec<Limit>>,
        #[serde(default)]
        limit_keys: LimitKeys,
    },
    /// Which models there are to choose from.
    Models,
    /// With `watch`, the ticket tells how far it has come.
    Import {
        owner: Option<String>,
        source: ImportOptions,
        #[serde(default)]
        watch: bool,
    },
    /// Without `otherwise`, chats that nobody owns are refused.
    Adopt {
        path: PathBuf,
        otherwise: Option<String>,
        #[serde(default)]
        dry_run: bool,
        #[serde(default)]
        watch: bool,
    },
    /// The sessions that an export of all has, in its order.
    ExportList {
        owner: Option<String>,
    },
    /// A piece of an export, and where the next begins.
    ExportPage {
        owner: Option<String>,
        session: SessionId,
        #[serde(default)]
        format: ExportFormat,
        mark: Option<Mark>,
        /// One that was listed and is gone meanwhile has nothing to say.
        #[serde(default)]
        listed: bool,
    },
    /// Of the store that the config names; the engine need not be open.
    Backup {
        path: PathBuf,
        #[serde(default)]
        watch: bool,
    },
    Sweep,
    /// This and the next two answer also where the store cannot be opened.
    Health,
    Metrics,
    /// [`Metrics`](Self::Metrics) as Prometheus reads them.
    Prometheus,
    Close {
        #[serde(default = "close_deadline_ms")]
        deadline_ms: u64,
    },
}

/// How to send, beside what; what is left out is as [`Send`] has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each is the method of `Send` of its name")]
pub struct SendOptions {
    pub key: Option<String>,
    /// `reject`, `queue` or `interrupt`.
    pub busy: Option<WhenBusy>,
    /// For `queue`: how long to wait.
    pub queue_ms: Option<u64>,
    pub persona: Option<Who>,
    pub vars: BTreeMap<String, String>,
    pub params: Params,
    pub model: Option<String>,
    /// The key for this turn. It is not stored and not shown.
    pub credentials: Option<Hidden>,
    pub if_version: Option<u64>,
    pub on_drop: OnDrop,
    pub limit_keys: LimitKeys,
    pub limits: Option<Vec<Limit>>,
    pub max_running: Option<u32>,
}

/// What to do if another turn runs in the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "see `Busy`")]
pub enum WhenBusy {
    Reject,
    Queue,
    Interrupt,
}

/// How many of anything are listed where nobody says.
fn page() -> u32 {
    100
}

fn close_deadline_ms() -> u64 {
    10_000
}

impl Call {
    pub(super) async fn run(self, engine: &Engine, hub: &Arc<Hub>, watch: &Arc<Watch>) -> Result<Answer> {
        let reply = |reply: Reply| Ok(Answer::Reply(Box::new(Subscription::new(reply, hub))));
        let user = |owner| user(engine, owner);
        let session = |owner, id| session(engine, owner, id);
        match self {
            Self::Send { owner, session: id, content, options } => {
                reply(options.apply(session(owner, id)?.send(content))?.await?)
            }
            Self::Edit { owner, session: id, seq, content, options } => {
                reply(options.apply(session(owner, id)?.edit(seq, content))?.await?)
            }
            Self::Regenerate { owner, session: id, seq, options } => {
                reply(options.apply(session(owner, id)?.regenerate(seq))?.await?)
            }
            Self::Attach { owner, session: None, turn, offset, on_drop } => {
                reply(user(owner)?.attach(turn, offset).await?.on_drop(on_drop))
            }
            Self::Attach { owner, session: Some(id), turn, offset, on_drop } => {
                reply(session(owner, id)?.attach(turn, offset).await?.on_drop(on_drop))
            }
            Self::Resume { owner, session: id, on_drop } => match session(owner, id)?.resume().await? {
                Some(resumed) => reply(resumed.on_drop(on_drop)),
                None => Ok(Answer::Json("null".into())),
            },
            Self::Chat { owner, body, options } => client::chat(user(owner)?, &body, options, hub).await,
            Self::Frame { owner, frame, open, options, encoding } => {
                client::frame(user(owner)?, &frame, open, options, encoding, hub).await
            }
            Self::Import { owner, source, watch: watched } => {
                transfer::import(source.of(&user(owner)?)?, watched.then_some(watch)).await
            }
            Self::Adopt { path, otherwise, dry_run, watch: watched } => {
                let import = engine.adopt(path, otherwise.map(Owner::new).transpose()?).dry_run(dry_run);
                transfer::import(import, watched.then_some(watch)).await
            }
            other => other.look(engine).await.map(Answer::Json),
        }
    }

    /// What there is to say where no engine could be made.
    pub(super) fn without_engine(self, error: Error) -> Result<Answer> {
        match self {
            Self::Health => Ok(Answer::Json(json(&Health::unopened(error)))),
            Self::Metrics => Ok(Answer::Json(json(&Meter::new().read()))),
            Self::Prometheus => Ok(Answer::Json(json(&prometheus(&Meter::new().read())))),
            _ => Err(error),
        }
    }

    /// The calls whose answer is data.
    async fn look(self, engine: &Engine) -> Result<String> {
        let user = |owner| user(engine, owner);
        let session = |owner, id| session(engine, owner, id);
        Ok(match self {
            Self::Cancel { owner, turn } => json(&user(owner)?.cancel(turn).await?),
            Self::History { owner, session: id, last } => json(&session(owner, id)?.history(last).await?),
            Self::UiMessages { owner, session: id, last } => {
                let history = session(owner, id)?.history(last).await?;
                json(&history.iter().map(ui_message_stream::message).collect::<Vec<_>>())
            }
            Self::Tree { owner, session: id, after, limit } => json(&session(owner, id)?.tree(after, limit).await?),
            Self::Info { owner, session: id } => json(&session(owner, id)?.info().await?),
            Self::Rename { owner, session: id, title } => json(&session(owner, id)?.rename(&title).await?),
            Self::Pin { owner, session: id, persona } => {
                json(&session(owner, id)?.set_persona(&persona.read()?).await?)
            }
            Self::Select { owner, session: id, head, if_version } => {
                json(&session(owner, id)?.select(head, if_version).await?)
            }
            Self::Delete { owner, session: id } => json(&session(owner, id)?.delete().await?),
            Self::Sessions { owner, after, limit } => json(&user(owner)?.sessions(after, limit).await?),
            Self::Turns { owner } => json(&user(owner)?.turns().await?),
            Self::Changes { owner, after, limit } => json(&user(owner)?.changes(after, limit).await?),
            Self::Usage { owner, session, from_ms, to_ms, by } => {
                json(&user(owner)?.usage(UsageQuery { from_ms, to_ms, session, by }).await?)
            }
            Self::Limits { owner, limits, limit_keys } => json(&user(owner)?.limits(limits, limit_keys).await?),
            Self::Models => json(&engine.models().await?),
            Self::ExportList { owner } => json(&user(owner)?.export_list().await?),
            Self::ExportPage { owner, session: id, format, mark, listed } => {
                json(&transfer::page(&session(owner, id)?, format, mark, listed).await?)
            }
            Self::Sweep => json(&engine.sweep().await?),
            Self::Health => json(&engine.health().await),
            Self::Metrics => json(&engine.metrics()),
            Self::Prometheus => json(&prometheus(&engine.metrics())),
            Self::Close { deadline_ms } => json(&engine.close(Duration::from_millis(deadline_ms)).await?),
            // What is left is `Open`: the engine is open.
            _ => json(&()),
        })
    }
}

fn user(engine: &Engine, owner: Option<String>) -> Result<User> {
    owner.map_or_else(|| Ok(engine.local()), |owner| engine.user(owner))
}

fn session(engine: &Engine, owner: Option<String>, id: SessionId) -> Result<Session> {
    user(engine, owner)?.session(id.as_str())
}

impl SendOptions {
    fn apply(self, send: Send) -> Result<Send> {
        Ok(self.ready()?(send))
    }

    /// What is done to a send, once all that can be wrong with it was looked at.
    pub(super) fn ready(self) -> Result<impl FnOnce(Send) -> Send> {
        let persona = self.persona.map(Who::read).transpose()?;
        Ok(move |mut send: Send| {
            send = send.params(self.params).on_drop(self.on_drop);
            send = match (self.busy, self.queue_ms) {
                (Some(WhenBusy::Queue), Some(ms)) => send.busy(Busy::Queue { deadline: Duration::from_millis(ms) }),
                (Some(WhenBusy::Queue), None) => send.busy(Busy::queue()),
                (Some(WhenBusy::Interrupt), _) => send.busy(Busy::Interrupt),
                (Some(WhenBusy::Reject) | None, _) => send,
            };
            send = self.vars.into_iter().fold(send, |send, (name, value)| send.var(name, value));
            send = persona.into_iter().fold(send, Send::persona);
            send = self.key.into_iter().fold(send, Send::key);
            send = self.model.into_iter().fold(send, Send::model);
            send = self.limit_keys.into_iter().fold(send, |send, (key, value)| send.limit_key(key, value));
            send = self.limits.into_iter().fold(send, Send::limits);
            send = self.max_running.into_iter().fold(send, Send::max_running);
            send = self.if_version.into_iter().fold(send, Send::if_version);
            self.credentials.into_iter().fold(send, |send, key| send.credentials(key.0))
        })
    }
}
