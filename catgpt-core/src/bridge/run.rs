//! How each call is made: the method of its name, and its answer as JSON or as a subscription.

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::given::{self, Who};
use super::hub::Hub;
use super::subscription::Subscription;
use super::watch::Watch;
use super::{Answer, client, json, news, served};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, SessionId};
use crate::observe::{Health, Meter, prometheus};
use crate::reply::Reply;
use crate::session::{NewSession, Session};
use crate::transfer::{Import, Page};
use crate::user::{UsageQuery, User};
use crate::wire::ui_message_stream;

impl Call {
    pub(super) async fn run(self, engine: &Engine, hub: &Arc<Hub>, watch: &Arc<Watch>) -> Result<Answer> {
        let reply = |reply: Reply| Ok(Answer::Reply(Box::new(Subscription::new(reply, hub))));
        let user = |owner| user(engine, owner);
        let session = |owner, id| session(engine, owner, id);
        match self {
            Self::Send { owner, session: id, content, options } => {
                reply(options.apply(session(owner, id)?.send(content))?.await?)
            }
            Self::SendAfter { owner, session: id, seq, content, options } => {
                reply(options.apply(session(owner, id)?.send_after(seq, content))?.await?)
            }
            Self::Edit { owner, session: id, seq, content, options } => {
                reply(options.apply(session(owner, id)?.edit(seq, content))?.await?)
            }
            Self::Regenerate { owner, session: id, seq, options } => {
                reply(options.apply(session(owner, id)?.regenerate(seq))?.await?)
            }
            Self::Decide { owner, session: id, decisions, options } => {
                reply(options.apply(session(owner, id)?.decide(decisions))?.await?)
            }
            Self::ContinueReply { owner, session: id, seq, options } => {
                reply(options.apply(session(owner, id)?.continue_reply(seq))?.await?)
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
            Self::Serve { owner, request, options } => {
                Ok(Answer::Served(Box::new(served::serve(user(owner)?, request, options, hub).await)))
            }
            other => other.look(engine, watch).await.map(Answer::Json),
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

    /// The calls whose answer is data: here those that look at one session.
    async fn look(self, engine: &Engine, watch: &Arc<Watch>) -> Result<String> {
        let session = |owner, id| session(engine, owner, id);
        Ok(match self {
            Self::History { owner, session: id, last } => json(&session(owner, id)?.history(last).await?),
            Self::Page { owner, session: id, head, last } => json(&session(owner, id)?.page(head, last).await?),
            Self::UiMessages { owner, session: id, last } => {
                let history = session(owner, id)?.history(last).await?;
                json(&history.iter().map(ui_message_stream::message).collect::<Vec<_>>())
            }
            Self::Tree { owner, session: id, after, limit } => json(&session(owner, id)?.tree(after, limit).await?),
            Self::Outline { owner, session: id } => json(&session(owner, id)?.outline().await?),
            Self::Branches { owner, session: id } => json(&session(owner, id)?.branches().await?),
            Self::Summaries { owner, session: id } => json(&session(owner, id)?.summaries().await?),
            Self::ExportPage { owner, session: id, format, mark, listed } => {
                match session(owner, id)?.export_page(format, mark).await {
                    Err(error) if listed && error.kind() == ErrorKind::NotFound => json(&Page::default()),
                    page => json(&page?),
                }
            }
            Self::Info { owner, session: id } => json(&session(owner, id)?.info().await?),
            other => return other.change(engine, watch).await,
        })
    }

    /// Those that change one session.
    async fn change(self, engine: &Engine, watch: &Arc<Watch>) -> Result<String> {
        let session = |owner, id| session(engine, owner, id);
        Ok(match self {
            Self::Create { owner, session: id, title, persona, metadata, ttl_ms } => {
                let persona = persona.map(Who::read).transpose()?;
                let new = NewSession { title, persona, metadata, ttl: ttl_ms.map(Duration::from_millis) };
                json(&session(owner, id)?.create(new).await?)
            }
            Self::Append { owner, session: id, messages, after, if_version, metadata } => {
                json(&given::append(session(owner, id)?, messages, after, if_version, metadata).await?)
            }
            Self::Rename { owner, session: id, title } => json(&session(owner, id)?.rename(&title).await?),
            Self::MakeTitle { owner, session: id, limits, limit_keys } => {
                json(&session(owner, id)?.make_title().counted(limits, limit_keys.unwrap_or_default()).await?)
            }
            Self::Summarize { owner, session: id, upto, limits, limit_keys } => {
                json(&session(owner, id)?.summarize(upto).counted(limits, limit_keys.unwrap_or_default()).await?)
            }
            Self::SetSummary { owner, session: id, summary } => json(&session(owner, id)?.set_summary(summary).await?),
            Self::SetPinned { owner, session: id, pinned } => json(&session(owner, id)?.set_pinned(pinned).await?),
            Self::SetArchived { owner, session: id, archived } => {
                json(&session(owner, id)?.set_archived(archived).await?)
            }
            Self::SetMetadata { owner, session: id, metadata } => {
                json(&session(owner, id)?.set_metadata(&metadata).await?)
            }
            Self::SetTtl { owner, session: id, ttl_ms } => {
                json(&session(owner, id)?.set_ttl(ttl_ms.map(Duration::from_millis)).await?)
            }
            Self::SetPersona { owner, session: id, persona } => {
                json(&session(owner, id)?.set_persona(&persona.read()?).await?)
            }
            Self::Select { owner, session: id, head, if_version } => {
                json(&session(owner, id)?.select(head, if_version).await?)
            }
            Self::SelectThrough { owner, session: id, seq } => json(&session(owner, id)?.select_through(seq).await?),
            Self::Fork { owner, session: id, into, upto } => {
                let into = into.unwrap_or_else(SessionId::fresh);
                json(session(owner, id)?.fork(into, upto).await?.id())
            }
            Self::Delete { owner, session: id, if_version: None } => json(&session(owner, id)?.delete().await?),
            Self::Delete { owner, session: id, if_version: Some(version) } => {
                json(&session(owner, id)?.delete_if(version).await?)
            }
            other => return other.of_user(engine, watch).await,
        })
    }

    /// Those that are about all that an owner has.
    async fn of_user(self, engine: &Engine, watch: &Arc<Watch>) -> Result<String> {
        let user = |owner| user(engine, owner);
        Ok(match self {
            Self::Cancel { owner, turn } => json(&user(owner)?.cancel(turn).await?),
            Self::Sessions { owner, after, limit, archived: false } => {
                json(&user(owner)?.sessions(after, limit).await?)
            }
            Self::Sessions { owner, after, limit, archived: true } => {
                json(&user(owner)?.archived_sessions(after, limit).await?)
            }
            Self::DeleteMany { owner, sessions } => json(&user(owner)?.delete(sessions).await?),
            Self::DeleteEmpty { owner } => json(&user(owner)?.delete_empty().await?),
            Self::Erase { owner, watch: watched } => json(&user(owner)?.erase(watch.counts(watched)).await?),
            Self::Claim { owner, from, wait_ms } => {
                json(&user(owner)?.claim(&Owner::new(from)?, Duration::from_millis(wait_ms)).await?)
            }
            Self::Search { owner, question, after, limit } => {
                json(&user(owner)?.search(&question, after, limit).await?)
            }
            Self::Index { owner, watch: watched } => json(&user(owner)?.index(watch.counts(watched)).await?),
            Self::Reseal { owner, watch: watched } => json(&user(owner)?.reseal(watch.counts(watched)).await?),
            Self::Turns { owner } => json(&user(owner)?.turns().await?),
            Self::Changes { owner, after, limit } => json(&user(owner)?.changes(after, limit).await?),
            Self::Usage { owner, session, from_ms, to_ms, by } => {
                json(&user(owner)?.usage(UsageQuery { from_ms, to_ms, session, by }).await?)
            }
            Self::Limits { owner, limits, limit_keys } => {
                json(&user(owner)?.limits(limits, limit_keys.unwrap_or_default()).await?)
            }
            Self::Import { owner, source, watch: watched } => {
                json(&told(source.of(&user(owner)?)?, watched.then_some(watch)).await?)
            }
            Self::ExportList { owner } => json(&user(owner)?.export_list().await?),
            Self::News { owner, after, limit, encoding } => news::news(user(owner)?, after, limit, encoding).await?,
            other => return other.of_engine(engine, watch).await,
        })
    }

    async fn of_engine(self, engine: &Engine, watch: &Arc<Watch>) -> Result<String> {
        Ok(match self {
            Self::Models => json(&engine.models().await?),
            Self::Adopt { path, otherwise, dry_run, watch: watched } => {
                let import = engine.adopt(path, otherwise.map(Owner::new).transpose()?).dry_run(dry_run);
                json(&told(import, watched.then_some(watch)).await?)
            }
            Self::ResealAll { watch: watched } => json(&engine.reseal(watch.counts(watched)).await?),
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

/// An import that tells how far it has come, if somebody wants to hear it.
fn told(import: Import, watch: Option<&Arc<Watch>>) -> Import {
    match watch {
        Some(watch) => import.on_progress(watch.hears()),
        None => import,
    }
}

fn user(engine: &Engine, owner: Option<String>) -> Result<User> {
    owner.map_or_else(|| Ok(engine.local()), |owner| engine.user(owner))
}

fn session(engine: &Engine, owner: Option<String>, id: SessionId) -> Result<Session> {
    user(engine, owner)?.session(id.as_str())
}
