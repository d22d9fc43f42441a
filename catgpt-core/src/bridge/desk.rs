//! Where the host's own code is asked: a question goes out as a [`Notice::Ask`], its answer comes back by number.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use super::hub::{Hub, Notice, fresh};
use crate::error::{Error, ErrorInfo, ErrorKind, Result};

/// How many pieces of an answer may lie there unread before the host is asked to wait.
const FULL: usize = 256;

/// One word of the host's.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A piece of the answer, or all of it, as JSON.
    Json(String),
    /// It failed, and says how.
    Error(ErrorInfo),
    /// It failed with something of the host's own: the name of its type, without what it says, which may be secret.
    Raised(String),
    /// That was all.
    End,
}

impl Said {
    /// It failed, and says how, as the JSON of an [`ErrorInfo`]. Whatever that is, the question is answered.
    pub fn error(json: &str) -> Self {
        serde_json::from_str(json).map_or_else(|_| Self::Raised("an error that cannot be read".into()), Self::Error)
    }
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Taken; go on.
    Taken,
    /// Taken; wait for [`Notice::Ready`] with the question's number before going on.
    Wait,
    /// Nobody waits for it any more; end the work.
    Gone,
}

/// Asks the host's code. The hub that serves it is the loop on which that code runs.
pub struct Desk {
    id: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    hub: Option<Arc<Hub>>,
    open: HashMap<u64, Seat>,
}

struct Seat {
    answer: mpsc::UnboundedSender<Result<String>>,
    unread: Arc<AtomicUsize>,
}

impl Desk {
    /// A desk that nobody serves yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { id: fresh(), state: Mutex::default() })
    }

    /// Its number, which [`Notice::Ask`] bears: one hub may serve many desks.
    pub fn id(&self) -> u64 {
        self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on questions go to this hub. Those that are open at another one fail: its loop is gone.
    pub fn serve(&self, hub: &Arc<Hub>) {
        let mut state = self.state();
        if !state.hub.as_ref().is_some_and(|known| Arc::ptr_eq(known, hub)) {
            state.hub = Some(Arc::clone(hub));
            state.open.clear();
        }
    }

    /// Nobody serves it any more; open questions fail.
    pub fn leave(&self) {
        *self.state() = State::default();
    }

    /// Answers a question.
    pub fn say(&self, id: u64, said: Said) -> Heard {
        let mut state = self.state();
        let Some(seat) = state.open.get(&id) else { return Heard::Gone };
        let (sent, over) = match said {
            Said::Json(json) => {
                let unread = seat.unread.fetch_add(1, Ordering::AcqRel) + 1;
                let sent = seat.answer.send(Ok(json));
                if sent.is_ok() && unread >= FULL {
                    return Heard::Wait;
                }
                (sent, false)
            }
            Said::Error(info) => (seat.answer.send(Err(Error::from(info).caused_by(Cause(id)))), true),
            Said::Raised(name) => {
                let text = format!("the application's own code failed with {name}");
                (seat.answer.send(Err(Error::new(ErrorKind::Unexpected, text).caused_by(Cause(id)))), true)
            }
            Said::End => (Ok(()), true),
        };
        if over {
            state.open.remove(&id);
        }
        if sent.is_ok() { Heard::Taken } else { Heard::Gone }
    }

    pub(super) fn ask(self: &Arc<Self>, method: &'static str, body: String) -> Result<Asked> {
        let (answer, answers) = mpsc::unbounded_channel();
        let (id, unread) = (fresh(), Arc::<AtomicUsize>::default());
        let mut state = self.state();
        let nobody = "the code that answers this has no event loop: make a call from one first";
        let hub = state.hub.clone().ok_or_else(|| Error::new(ErrorKind::Closed, nobody))?;
        state.open.insert(id, Seat { answer, unread: Arc::clone(&unread) });
        drop(state);
        hub.post(Notice::Ask { desk: self.id, id, method, body });
        Ok(Asked { id, desk: Arc::clone(self), hub, answers, unread })
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A question that is open. Dropping it tells the host to stop.
pub(super) struct Asked {
    id: u64,
    desk: Arc<Desk>,
    hub: Arc<Hub>,
    answers: mpsc::UnboundedReceiver<Result<String>>,
    unread: Arc<AtomicUsize>,
}

impl Asked {
    /// The next piece of the answer; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Result<String>> {
        let next = self.answers.recv().await?;
        if self.unread.fetch_sub(1, Ordering::AcqRel) == FULL {
            self.hub.post(Notice::Ready { id: self.id });
        }
        Some(next)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if self.desk.state().open.remove(&self.id).is_some() {
            self.hub.post(Notice::Forget { id: self.id });
        }
    }
}

/// Marks an error as the host's own failure, kept there under this number.
#[derive(Debug)]
struct Cause(u64);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the application's own code failed")
    }
}

impl std::error::Error for Cause {}

/// The host's failure behind an error, if that is what it was.
pub(super) fn cause_of(error: &Error) -> Option<u64> {
    std::error::Error::source(error)?.downcast_ref::<Cause>().map(|cause| cause.0)
}
