//! The log of a reply that runs in this process: written once, read by any number of readers at their own pace.
//!
//! A reader holds an offset and nothing else, so a slow one costs the writer nothing; what it has missed comes merged.

use std::collections::HashMap;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use crate::event::{Event, Finished, Started};
use crate::message::{Content, Offset, Part};

/// One reply, growing.
#[derive(Debug)]
pub(crate) struct Log(Mutex<State>);

#[derive(Debug)]
struct State {
    started: Box<Started>,
    content: Content,
    end: Offset,
    /// Events without weight, each with the offset at which it happened.
    notes: Vec<Event>,
    finished: Option<Box<Finished>>,
    /// Who waits, by number, so that one who goes away is forgotten also while the model is silent.
    waiting: HashMap<u64, Waker>,
    numbers: u64,
}

impl Log {
    pub(crate) fn new(started: Started) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            started: Box::new(started),
            content: Content::default(),
            end: 0,
            notes: Vec::new(),
            finished: None,
            waiting: HashMap::new(),
            numbers: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, f: impl FnOnce(&mut State)) {
        let mut state = self.state();
        f(&mut state);
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Adds content. Readers hear of it with the next [`announce`](Self::announce), note or end: a wake a piece would cost
    /// more than the piece.
    pub(crate) fn push(&self, part: Part) {
        let mut state = self.state();
        state.end += part.weight();
        state.content.push(part);
    }

    /// Wakes those who wait.
    pub(crate) fn announce(&self) {
        self.change(|_| ());
    }

    /// Adds an event without weight; those who come later do not see it.
    pub(crate) fn note(&self, event: Event) {
        self.change(|state| state.notes.push(event));
    }

    /// Ends the log. Only the first end counts.
    pub(crate) fn finish(&self, finished: Finished) {
        self.change(|state| {
            state.finished.get_or_insert_with(|| Box::new(finished));
        });
    }

    /// Reads the content so far.
    pub(crate) fn content<T>(&self, f: impl FnOnce(&Content) -> T) -> T {
        f(&self.state().content)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.state().finished.is_some()
    }

    /// A reader that has seen everything before `from`.
    pub(crate) fn read(self: &Arc<Self>, from: Offset) -> Reader {
        let mut state = self.state();
        let (number, notes) = (state.number(), state.notes.len());
        Reader { log: Arc::clone(self), number, offset: from, notes, greeted: from > 0, done: false }
    }

    /// Ends when the log does.
    pub(crate) async fn ended(&self) {
        let number = self.state().number();
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            if state.finished.is_some() {
                return Poll::Ready(());
            }
            state.waiting.insert(number, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

/// A place in a log.
#[derive(Debug)]
pub(crate) struct Reader {
    log: Arc<Log>,
    number: u64,
    offset: Offset,
    notes: usize,
    greeted: bool,
    done: bool,
}

impl Reader {
    /// What comes next, if it is there: the greeting, then notes and content in the order in which they happened.
    fn next_in(&mut self, state: &State) -> Option<Event> {
        if !mem::replace(&mut self.greeted, true) {
            return Some(Event::Started(state.started.clone()));
        }
        let note = state.notes.get(self.notes);
        let until = match note {
            Some(note) if note.offset() <= self.offset => {
                self.notes += 1;
                return Some(note.clone());
            }
            Some(note) => note.offset(),
            None => state.end,
        };
        if let Some((part, end)) = state.content.piece(self.offset, until) {
            self.offset = end;
            return Some(Event::of(part, end));
        }
        let finished = state.finished.clone()?;
        self.done = true;
        Some(Event::Finished(finished))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.log.state().waiting.remove(&self.number);
    }
}

impl Stream for Reader {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let this = self.get_mut();
        if this.done {
            return Poll::Ready(None);
        }
        let log = Arc::clone(&this.log);
        let mut state = log.state();
        match this.next_in(&state) {
            Some(event) => Poll::Ready(Some(event)),
            None => {
                state.waiting.insert(this.number, cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;
    use crate::id::{SessionId, TurnId};

    #[test]
    fn who_goes_away_while_the_model_is_silent_is_forgotten() {
        let (turn, session) = (TurnId::fresh(), SessionId::fresh());
        let (persona, model) = ("plain".to_owned(), "scripted".to_owned());
        let log = Log::new(Started { v: 1, turn, session, user_seq: None, reply_seq: 1, persona, model, offset: 0 });
        let mut stays = log.read(1);
        assert_eq!(stays.next().now_or_never(), None);
        for _ in 0..3 {
            assert_eq!(log.read(1).next().now_or_never(), None);
        }
        assert_eq!(log.state().waiting.len(), 1);
        drop(stays);
        assert!(log.state().waiting.is_empty());
    }
}
