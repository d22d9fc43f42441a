//! Watching a turn from anywhere: in this process through its log, else through the store, and between two looks at it
//! through the live log. And ending the dead.

use std::sync::Arc;

use futures_util::stream::{BoxStream, StreamExt};
use tokio::time::Instant;

use super::drive::finished_of;
use super::feed::{self, Feed};
use super::limits::Account;
use super::{Runner, patiently};
use crate::body::{Body, fold, message};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EVENT_VERSION, Event, Finished, Started};
use crate::id::{Owner, TurnId};
use crate::memory::{Finish, Limit, Memory, Read, Row, Sealed, View};
use crate::message::{Offset, Role, Status, Usage};
use crate::observe::Of;
use crate::persona::Persona;
use crate::prompt::{answer_tokens, content_tokens};
use crate::reply::Reply;

impl Runner {
    /// A reply from `from` on, whether its turn runs here, elsewhere, or has ended.
    pub(crate) async fn attach(self: &Arc<Self>, owner: &Owner, turn: TurnId, from: Offset) -> Result<Reply> {
        self.meter.count(Of::Attaches);
        if let Some(running) = self.running(owner, turn) {
            return Ok(Reply::local(Arc::clone(self), running, from));
        }
        // A byte earlier, so that the last piece comes too and says how far the store has come.
        let view = patiently(|| self.tail(owner, turn, from.saturating_sub(1))).await?;
        let session = view.session.id.clone();
        let events = follow(Arc::clone(self), owner.clone(), turn, from, view);
        Ok(Reply::followed(Arc::clone(self), owner.clone(), session, turn, events))
    }

    async fn tail(&self, owner: &Owner, turn: TurnId, from: Offset) -> Result<View> {
        self.memory.read(owner, Read::Tail { turn, from }).await
    }

    pub(super) async fn is_running(&self, owner: &Owner, turn: TurnId) -> Result<bool> {
        match self.tail(owner, turn, Offset::MAX).await {
            Ok(view) => Ok(view.rows.first().is_some_and(|row| row.status == Status::Running)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends a turn if its lease has run out.
    pub(super) async fn bury_if_dead(&self, owner: &Owner, turn: TurnId) -> Result<()> {
        match self.tail(owner, turn, Offset::MAX).await {
            Ok(view) if view.session.expired => self.bury(owner, turn, Status::Interrupted, true).await,
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends a turn that nobody drives, with the text that its pieces hold and what the live log has beyond them, under its
    /// own id.
    pub(super) async fn bury(&self, owner: &Owner, turn: TurnId, status: Status, if_expired: bool) -> Result<()> {
        let view = match self.tail(owner, turn, 0).await {
            Ok(view) => view,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(row) = view.rows.first().filter(|row| row.status == Status::Running) else { return Ok(()) };
        let mut content = fold(&view.chunks, 0)?;
        if let Some(live) = &self.live {
            feed::append_tail(live.as_ref(), owner, turn, &mut content).await;
        }
        let usage = Usage {
            // A guess must not keep a turn from its end.
            input_tokens: self.input_tokens(owner, &view, row).await.unwrap_or_default(),
            output_tokens: answer_tokens(&content, self.counter.as_ref()),
            estimated: true,
            ..Usage::default()
        };
        let account = Account { model: row.model.clone().unwrap_or_default(), reserved: view.session.reserved.clone() };
        let (cost, settle) = account.settle(&self.policy.prices, &usage);
        let mut body = Body::new(&content);
        body.cost = cost;
        if status == Status::Interrupted {
            let error =
                Error::new(ErrorKind::Truncated, "the process that wrote this reply ended before the reply did");
            body.error = Some(error.info());
        }
        let (body, usage, cost) = (body.encode(), Some(usage), cost.unwrap_or_default());
        let finish = Finish { turn, status, body, usage, cost, settle, if_expired };
        match patiently(|| self.memory.finish_turn(owner, finish.clone())).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(Sealed::Now) => {
                self.meter.count(Of::Buried);
                tracing::warn!(%turn, %status, "a turn that nobody drove was ended");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An estimate of what the dead turn had sent.
    async fn input_tokens(&self, owner: &Owner, view: &View, reply: &Row) -> Result<u64> {
        let Some(head) = reply.parent else { return Ok(0) };
        let limit = Limit { messages: u32::try_from(self.window.messages).unwrap_or(u32::MAX), bytes: u64::MAX };
        let read = Read::Branch { session: view.session.id.clone(), head: Some(head), limit };
        let branch = self.memory.read(owner, read).await?;
        let bodies = branch.rows.iter().filter(|row| row.role != Role::System).map(|row| Body::decode(&row.body));
        let tokens: Result<Vec<u64>> =
            bodies.map(|body| Ok(content_tokens(&body?.content, self.counter.as_ref()))).collect();
        Ok(tokens?.iter().sum())
    }

    fn started(&self, turn: TurnId, view: &View) -> Option<Event> {
        let row = view.rows.first()?;
        let persona = view.session.pin.as_deref().and_then(|pin| Persona::decode(pin).ok());
        Some(Event::Started(Box::new(Started {
            v: EVENT_VERSION,
            turn,
            session: view.session.id.clone(),
            user_seq: row.parent,
            reply_seq: row.seq,
            persona: persona.map_or_else(|| self.persona.name.clone(), |persona| persona.name),
            model: row.model.clone().unwrap_or_default(),
            offset: 0,
        })))
    }
}

/// Follows a turn: what is new every time the store is looked at, and what the live log brings meanwhile, until the store
/// says how the turn ended.
fn follow(runner: Arc<Runner>, owner: Owner, turn: TurnId, from: Offset, first: View) -> BoxStream<'static, Event> {
    let events = async_stream::stream! {
        // What was shown, and what the store is known to have.
        let (mut offset, mut stored) = (from, 0);
        let mut view = Ok(first);
        let mut lost: Option<Instant> = None;
        let mut feed = Feed::new(runner.live.clone(), owner.clone(), turn, runner.memory.caps().poll);
        if from == 0 && let Ok(view) = &view && let Some(started) = runner.started(turn, view) {
            yield started;
        }
        loop {
            let looked = match view.and_then(|view| news(view, offset)) {
                Ok(news) => {
                    stored = news.stored.unwrap_or(stored);
                    for event in news.events {
                        offset = event.offset();
                        yield event;
                    }
                    if let Some(finished) = news.finished {
                        yield Event::Finished(Box::new(finished));
                        return;
                    }
                    // A turn that died and cannot be ended is as lost to a reader as one that cannot be seen.
                    if news.expired { runner.bury_if_dead(&owner, turn).await } else { Ok(()) }
                }
                Err(error) => Err(error),
            };
            lost = looked.as_ref().err().and(lost.or_else(|| Some(Instant::now())));
            if let (Err(error), Some(since)) = (looked, lost) {
                let may_pass = error.is_retryable() || error.kind() == ErrorKind::StoreFull;
                if !may_pass || since.elapsed() >= runner.rules.patience {
                    yield cut_off(&error, stored);
                    return;
                }
            }
            feed.looked(offset);
            while let Some(events) = feed.next(offset).await {
                for event in events {
                    offset = event.offset();
                    yield event;
                }
            }
            // The live log may be ahead of the store, and how far the store has come is worth knowing.
            view = runner.tail(&owner, turn, offset.min(stored)).await;
        }
    };
    events.boxed()
}

struct News {
    events: Vec<Event>,
    /// How far the store has come, if it said so.
    stored: Option<Offset>,
    finished: Option<Finished>,
    expired: bool,
}

fn news(view: View, from: Offset) -> Result<News> {
    let Some(row) = view.rows.into_iter().next() else { return Err(Error::not_found("turn")) };
    if row.status == Status::Running {
        let stored = view.chunks.last().map(|chunk| chunk.to);
        let events = Event::all(fold(&view.chunks, from)?, stored.unwrap_or(from)).collect();
        return Ok(News { events, stored, finished: None, expired: view.session.expired });
    }
    let reply = message(row, &[])?;
    let events = Event::all(reply.content.since(from), reply.content.len()).collect();
    Ok(News { events, stored: Some(reply.content.len()), finished: Some(finished_of(&reply)), expired: false })
}

/// The end for a follower that cannot see the store any more; the turn itself may go on. Of one that was deleted nothing
/// is stored.
fn cut_off(error: &Error, stored: Offset) -> Event {
    let stored = if error.kind() == ErrorKind::NotFound { 0 } else { stored };
    Event::Finished(Box::new(Finished {
        status: Status::Interrupted,
        finish_reason: None,
        usage: None,
        cost: None,
        stored,
        pending: Vec::new(),
        error: Some(error.info()),
        offset: stored,
    }))
}
