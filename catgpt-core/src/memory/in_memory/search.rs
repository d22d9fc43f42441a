//! Search: the words by which messages and titles are found, and the look through them.

use std::cmp::Reverse;
use std::sync::Arc;

use super::session::Session;
use super::state::State;
use crate::error::{Error, Result};
use crate::id::{Owner, Seq, SessionId};
use crate::memory::{Answer, Hit, Terms, TitleTerms, Unindexed};

/// What a list of terms weighs beside its bytes, roughly, and each term in it.
const OVERHEAD: u64 = 32;

/// The words of one session. Cloning it is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// The last message that is findable.
    upto: Seq,
    messages: Arc<Vec<Terms>>,
    /// `None` while the title is not findable.
    title: Option<Arc<Vec<String>>>,
    weight: u64,
}

impl Index {
    /// Forgets the words of a title that is not the title any more.
    pub(super) fn retitled(&mut self) {
        self.weight -= self.title.take().map_or(0, |terms| weight(&terms));
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }
}

impl Session {
    /// Takes in the words of the messages after `from` up to `upto`; says whether that was where it had come to.
    pub(super) fn index(&mut self, from: Seq, upto: Seq, messages: Vec<Terms>, title: Option<TitleTerms>) -> bool {
        if self.index.upto != from {
            return false;
        }
        let index = &mut self.index;
        index.upto = upto;
        index.weight += messages.iter().map(|message| weight(&message.terms)).sum::<u64>();
        if !messages.is_empty() {
            Arc::make_mut(&mut index.messages).extend(messages);
        }
        if let Some(title) = title.filter(|title| title.of == self.title) {
            index.retitled();
            index.weight += weight(&title.terms);
            index.title = Some(Arc::new(title.terms));
        }
        true
    }

    /// Whether anything of it is findable.
    pub(super) fn is_indexed(&self) -> bool {
        self.index.upto > 0 || self.index.title.is_some()
    }

    /// What of it is not indexed.
    fn unindexed(&self) -> Option<Unindexed> {
        let title = self.title.is_some() && self.index.title.is_none();
        let open = title || self.index.upto < self.rows().len() as Seq;
        let indexed = self.index.upto;
        (open && self.running.is_none()).then(|| Unindexed { session: self.id().clone(), indexed, title })
    }

    /// When what was found was made, and its number; the title has none.
    fn found<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = (i64, Option<Seq>)> + 'a {
        let title = self.index.title.as_ref().filter(|terms| wanted.matches(terms)).map(|_| (self.created_ms(), None));
        let messages = self.index.messages.iter().filter(|message| wanted.matches(&message.terms));
        let made = |message: &Terms| Some((self.get(message.seq)?.created_ms, Some(message.seq)));
        title.into_iter().chain(messages.filter_map(made))
    }
}

struct Wanted {
    terms: Vec<String>,
    prefix: bool,
}

impl Wanted {
    fn matches(&self, terms: &[String]) -> bool {
        let last = self.terms.len() - 1;
        self.terms.iter().enumerate().all(|(at, wanted)| {
            let prefix = self.prefix && at == last;
            terms.iter().any(|term| term == wanted || prefix && term.starts_with(wanted.as_str()))
        })
    }
}

/// Where a hit stands: the newest first.
type Place = Reverse<(i64, SessionId, Option<Seq>)>;

impl State {
    pub(super) fn search(
        &self,
        owner: &Owner,
        (terms, prefix): (Vec<String>, bool),
        after: Option<&str>,
        limit: u32,
    ) -> Result<Answer> {
        let (wanted, limit) = (Wanted { terms, prefix }, limit as usize);
        let after = after.map(place).transpose()?;
        let place = |session: &Session, (ms, seq)| Reverse((ms, session.id().clone(), seq));
        let found = self
            .shelf
            .of(owner)
            .flat_map(|session| session.found(&wanted).map(move |found| place(session, found)).collect::<Vec<_>>());
        let mut found: Vec<Place> = found.filter(|place| after.as_ref().is_none_or(|after| place > after)).collect();
        found.sort_unstable();
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(cursor);
        let hits = found.iter().map(|place| self.hit(owner, place)).collect::<Result<_>>()?;
        Ok(Answer::Hits { hits, next })
    }

    fn hit(&self, owner: &Owner, Reverse((_, id, seq)): &Place) -> Result<Hit> {
        let session = self.session(owner, id)?;
        let row = seq.and_then(|seq| session.get(seq).cloned());
        Ok(Hit { session: session.row(self.clock.now()), row })
    }

    pub(super) fn unindexed(&self, owner: &Owner, limit: u32) -> Answer {
        Answer::Unindexed(self.shelf.of(owner).filter_map(Session::unindexed).take(limit as usize).collect())
    }
}

fn cursor(Reverse((ms, session, seq)): &Place) -> String {
    format!("{ms} {} {session}", seq.unwrap_or(0))
}

fn place(cursor: &str) -> Result<Place> {
    let mut parts = cursor.splitn(3, ' ');
    let mut part = || parts.next().ok_or_else(unreadable);
    let ms = part()?.parse().map_err(|_| unreadable())?;
    let seq = part()?.parse().map_err(|_| unreadable())?;
    Ok(Reverse((ms, SessionId::new(part()?)?, (seq > 0).then_some(seq))))
}

fn unreadable() -> Error {
    Error::invalid("no search answered this cursor; begin without one")
}

fn weight(terms: &[String]) -> u64 {
    OVERHEAD + terms.iter().map(|term| OVERHEAD + term.len() as u64).sum::<u64>()
}
