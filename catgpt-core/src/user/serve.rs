//! The HTTP API: what [`wire::rest`](crate::wire::rest) has read, done, and its answer as a response.

use futures_util::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};

use super::{SessionPage, UsageQuery, User};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{SessionId, TurnId};
use crate::limits::{Limit, LimitKeys};
use crate::session::{Changes, NewSession, Send};
use crate::transfer::{Export, ExportFormat};
use crate::wire::rest::{self, Ask, Request, Response};
use crate::wire::{Encoding, Format, feed};

/// How many news one write of a feed holds at most.
const AT_ONCE: u32 = 100;

impl User {
    /// Answers a request of the HTTP API (`docs/http.md`), which [`rest::ROUTES`] lists. `with` adds to each send what the
    /// application decides: the model, the persona, the limits of the owner's plan. It never fails: what went wrong is in
    /// the response.
    ///
    /// ```
    /// use catgpt_core::User;
    /// use catgpt_core::wire::rest::{Body, Request};
    ///
    /// async fn titles(user: &User) -> Vec<u8> {
    ///     let request = Request { method: "GET".into(), path: "/sessions".into(), ..Request::default() };
    ///     match user.serve(request, |send| send).await.body {
    ///         Body::Whole(json) => json,
    ///         Body::Stream(_) => unreachable!("a list is no stream"),
    ///     }
    /// }
    /// ```
    pub async fn serve(&self, request: Request, with: impl FnOnce(Send) -> Send) -> Response {
        match rest::read(&request) {
            Ok(ask) => self.answered(ask, with).await.unwrap_or_else(|error| Response::error(&error)),
            Err(refusal) => refusal,
        }
    }

    async fn answered(&self, ask: Ask, with: impl FnOnce(Send) -> Send) -> Result<Response> {
        Ok(match ask {
            Ask::Turn { command, format } => match self.perform(command, with).await? {
                Some(reply) => reply.into_response(format),
                None => Response::empty(),
            },
            Ask::Cancel { turn } => done(self.cancel(turn).await?),
            Ask::Usage { by, from_ms, to_ms, session } => {
                let usage = self.usage(UsageQuery { from_ms, to_ms, session, by }).await?;
                let (limits, keys) = self.counted(with);
                found(&json!({ "usage": usage, "limits": self.limits(limits, keys).await? }))
            }
            Ask::MakeTitle { session } => {
                let (limits, keys) = self.counted(with);
                found(&json!({ "title": self.handle(session).make_title().counted(limits, keys).await? }))
            }
            Ask::Summarize { session, upto } => {
                let (limits, keys) = self.counted(with);
                found(&self.handle(session).summarize(upto).counted(limits, keys).await?)
            }
            Ask::Feed { after, format } => self.told_from(after, format).await?,
            Ask::Export { session: None, format } => {
                let format = export_format(format)?;
                exported(self.export(format), format).await?
            }
            Ask::Export { session: Some(id), format } => {
                let format = export_format(format)?;
                exported(self.handle(id).export(format), format).await?
            }
            other => self.looked(other).await?,
        })
    }

    /// By what a send would be counted, and so all else that a model is asked for.
    fn counted(&self, with: impl FnOnce(Send) -> Send) -> (Option<Vec<Limit>>, LimitKeys) {
        with(self.new_session().send("")).counted()
    }

    /// What looks at an owner's sessions, or changes which there are.
    async fn looked(&self, ask: Ask) -> Result<Response> {
        Ok(match ask {
            Ask::Sessions { limit, after, archived } => {
                let SessionPage { sessions, next } = self.page(after, limit, archived).await?;
                found(&json!({ "sessions": sessions, "next": next.as_ref().map(rest::spelled) }))
            }
            Ask::Create { id, title, metadata } => {
                let new = NewSession { title, metadata, ..NewSession::default() };
                made(&self.handle(id.unwrap_or_else(SessionId::fresh)).create(new).await?)
            }
            Ask::DeleteMany { sessions } => found(&json!({ "deleted": self.delete(sessions).await? })),
            Ask::DeleteEmpty => found(&json!({ "deleted": self.delete_empty().await? })),
            Ask::Turns => {
                let turns = self.turns().await?;
                let turn = |(session, turn): &(SessionId, TurnId)| json!({ "session": session, "turn": turn });
                found(&json!({ "turns": turns.iter().map(turn).collect::<Vec<_>>() }))
            }
            Ask::Search { question, after, limit } => found(&self.search(&question, after, limit).await?),
            Ask::Models => found(&json!({ "models": self.runner.model.models().await? })),
            other => self.changed(other).await?,
        })
    }

    /// What is done with one session.
    async fn changed(&self, ask: Ask) -> Result<Response> {
        let at = |session| self.handle(session);
        Ok(match ask {
            Ask::Info { session } => found(&at(session).info().await?),
            Ask::Change { session, title, pinned, archived, metadata } => {
                found(&at(session).change(Changes { title, pinned, archived, metadata }).await?)
            }
            Ask::Delete { session } => done(at(session).delete().await?),
            Ask::Messages { session, last, head } => found(&at(session).page(head, last).await?),
            Ask::Select { session, seq } => done(at(session).select_through(seq).await?),
            Ask::Fork { session, id, upto } => {
                let copy = at(session).fork(id.unwrap_or_else(SessionId::fresh), upto).await?;
                made(&copy.info().await?)
            }
            Ask::Summaries { session } => found(&json!({ "summaries": at(session).summaries().await? })),
            Ask::SetSummary { session, summary } => done(at(session).set_summary(summary).await?),
            _ => {
                return Err(Error::new(
                    ErrorKind::Unexpected,
                    "a route leads nowhere; this is a defect of the library",
                ));
            }
        })
    }

    /// The feed, until the engine closes; what cannot be read at its beginning is refused.
    async fn told_from(&self, after: Option<u64>, format: Format) -> Result<Response> {
        let begin = feed::begin(format)?;
        let after = match after {
            Some(after) => after,
            None => self.journal_end().await?,
        };
        let (user, encoding) = (self.clone(), Encoding::from(format));
        let news = stream::try_unfold((user, encoding, after), |(user, encoding, after)| async move {
            match user.written(after, AT_ONCE, &encoding).await {
                Ok((after, bytes)) => Ok(Some((bytes, (user, encoding, after)))),
                Err(error) if error.kind() == ErrorKind::Closed => Ok(None),
                Err(error) => Err(error),
            }
        });
        Ok(Response::stream(format, stream::iter([Ok(begin(after))]).chain(news).boxed()))
    }
}

fn export_format(name: Option<String>) -> Result<ExportFormat> {
    let bad = |_| Error::invalid("`format` must be `jsonl` or `markdown`");
    let read = |name| serde_json::from_value(Value::String(name)).map_err(bad);
    name.map_or_else(|| Ok(ExportFormat::default()), read)
}

/// What is not there is refused before the response begins.
async fn exported(export: Export, format: ExportFormat) -> Result<Response> {
    let mut pages = export.stream();
    let first = pages.next().await.transpose()?;
    let pages = stream::iter(first.map(Ok)).chain(pages);
    let mut response = Response::stream(Format::Ndjson, pages.map(|page| page.map(String::into_bytes)).boxed());
    let (kind, file) = match format {
        ExportFormat::Jsonl => ("application/x-ndjson; charset=utf-8", "attachment; filename=\"chats.jsonl\""),
        ExportFormat::Markdown => ("text/markdown; charset=utf-8", "attachment; filename=\"chats.md\""),
    };
    response.put("content-type", kind);
    response.put("content-disposition", file);
    response.put("x-content-type-options", "nosniff");
    Ok(response)
}

fn found(value: &impl Serialize) -> Response {
    Response::json(200, value)
}

fn made(value: &impl Serialize) -> Response {
    Response::json(201, value)
}

fn done((): ()) -> Response {
    Response::empty()
}
