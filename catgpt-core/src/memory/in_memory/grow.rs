//! What makes a session more than its turns: messages from elsewhere, summaries, words to find it by.

use std::time::Duration;

use super::apply::Draft;
use super::search::Index;
use super::session::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::event::ChangeKind::{Created, Updated};
use crate::id::{Seq, SessionId};
use crate::memory::{Done, Imported, NewRow, Parent, Resealed, Row, Terms, TitleTerms};
use crate::message::{Role, Status, Usage};

impl Draft<'_> {
    pub(super) fn import(&mut self, imported: Imported, after: Seq, rows: Vec<Row>) -> Result<Done> {
        let id = imported.id.clone();
        let there = self.state.shelf.get(self.owner, &id);
        if after > 0 || there.is_some() {
            let session = self.state.session(self.owner, &id)?;
            session.idle()?;
            let messages = session.rows().len() as u64;
            if after == 0 || after != messages {
                let text = "the session does not end where this goes on; read how many messages it has";
                return Err(Error::new(ErrorKind::Conflict, text).with("messages", messages));
            }
            return self.change_at(id, Updated, |session| session.import(imported, rows));
        }
        self.make(&id);
        self.change_at(id, Created, |session| session.import(imported, rows))
    }

    pub(super) fn append(
        &mut self,
        id: SessionId,
        (parent, if_version): (Parent, Option<u64>),
        rows: Vec<NewRow>,
        (title, ttl): (Option<Vec<u8>>, Option<Duration>),
    ) -> Result<Done> {
        let there = self.state.shelf.get(self.owner, &id);
        let version = there.map_or(0, |session| session.version);
        if if_version.is_some_and(|wanted| wanted != version) {
            let text = "the session has changed; read it again, then decide";
            return Err(Error::new(ErrorKind::Conflict, text).with("version", version));
        }
        there.map_or(Ok(()), Session::idle)?;
        let (parent, last) = match (there, parent) {
            (Some(session), parent) => (session.above(parent, true)?, session.rows().len() + rows.len()),
            (None, Parent::Head) => (None, rows.len()),
            (None, _) => return Err(Error::not_found("message")),
        };
        let kind = if there.is_some() { Updated } else { Created };
        if kind == Created {
            self.make(&id);
        }
        let (some, now_ms) = (!rows.is_empty(), self.state.clock.ms(self.now));
        let done = self.change(id, kind, |session| {
            session.ttl = if kind == Created { ttl } else { session.ttl };
            session.append(parent, rows, title, now_ms);
        })?;
        Ok(if some { Done::Seq(last as Seq) } else { done })
    }

    pub(super) fn add_summary(
        &mut self,
        id: SessionId,
        (upto, over): (Seq, Option<Seq>),
        (body, model, usage): (Vec<u8>, String, Option<Usage>),
    ) -> Result<Done> {
        let session = self.state.session(self.owner, &id)?;
        session.find(upto)?;
        if session.summary != over {
            return Ok(Done::Nothing);
        }
        let seq = session.rows().len() as Seq + 1;
        let row = Row {
            seq,
            parent: Some(upto),
            turn: None,
            role: Role::Summary,
            status: Status::Complete,
            body,
            model: Some(model),
            usage,
            created_ms: self.state.clock.ms(self.now),
        };
        self.change(id, Updated, |session| session.summary = Some(session.add(row)))?;
        Ok(Done::Seq(seq))
    }

    pub(super) fn set_summary(&mut self, id: SessionId, summary: Option<Seq>) -> Result<Done> {
        let session = self.state.session(self.owner, &id)?;
        if let Some(seq) = summary
            && session.find(seq)?.role != Role::Summary
        {
            return Err(Error::not_found("summary").with("seq", seq));
        }
        self.change(id, Updated, |session| session.summary = summary)
    }

    pub(super) fn unindex(&mut self, limit: u32) -> Done {
        let indexed = self.state.shelf.of(self.owner).filter(|session| session.is_indexed());
        let ids: Vec<_> = indexed.take(limit as usize).map(|session| session.id().clone()).collect();
        for id in &ids {
            self.remember(self.owner, id);
            self.state.shelf.change(self.owner, id, |session| session.index = Index::default());
        }
        Done::Count(ids.len() as u64)
    }

    pub(super) fn reseal(&mut self, id: &SessionId, version: Option<u64>, resealed: Vec<Resealed>) -> Result<Done> {
        self.state.session(self.owner, id)?.at(version)?;
        self.remember(self.owner, id);
        let done = self.state.shelf.change(self.owner, id, |session| session.reseal(resealed));
        Ok(Done::Count(done.unwrap_or(0)))
    }

    pub(super) fn index(
        &mut self,
        id: &SessionId,
        (from, upto): (Seq, Seq),
        messages: Vec<Terms>,
        title: Option<TitleTerms>,
    ) -> Result<Done> {
        let session = self.state.session(self.owner, id)?;
        if upto > 0 {
            session.find(upto)?;
        }
        self.remember(self.owner, id);
        let done = self.state.shelf.change(self.owner, id, |session| {
            session.index(from, upto, messages, title).then_some(Done::Version(session.version))
        });
        Ok(done.flatten().unwrap_or(Done::Nothing))
    }
}
