//! Summaries: made by a model after a turn, when what stands beyond the last one outgrows its share of the window.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Runner;
use super::limits::Counted;
use crate::body::{Body, message, messages};
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::TurnAt;
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::memory::{Done, Limit, MAX_BODY, Memory, Op, Purpose, Read};
use crate::message::{Content, Message, Role};
use crate::model::{ChatModel, ModelRequest, Params, Secret};
use crate::prompt::summary;

/// How long a session rests after a summary that failed; doubled with each one, up to the longest.
const REST: Duration = Duration::from_secs(60);
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);
/// How many sessions are remembered for that.
const RESTING: usize = 1_000;
/// How much of a tree's shape is looked at.
const SHAPE: Limit = Limit { messages: 10_000, bytes: 0 };

/// How summaries are made; given to [`EngineBuilder::summaries`](crate::EngineBuilder::summaries).
#[derive(Clone)]
pub struct Summaries {
    /// Who is asked; the engine's model if nobody else.
    pub model: Option<Arc<dyn ChatModel>>,
    /// Which model of it, if not its own default.
    pub model_name: Option<String>,
    /// When one is due: once what stands beyond the last one is more than so many percent of the
    /// [`Window`](crate::Window).
    pub at: u8,
    /// How much stays beyond a new one, in percent of the window; the newest turn always does.
    pub keep: u8,
    /// How long it may take. Then it is tried again after a later turn.
    pub deadline: Duration,
    /// What the model is told.
    pub prompt: String,
    /// The most tokens of an answer, thoughts counted. However long it is, a summary has at most a quarter of the window.
    pub max_tokens: Option<u32>,
}

impl Default for Summaries {
    /// The engine's model; at 75 percent of the window, of which 25 stay; 60 s.
    fn default() -> Self {
        Self {
            model: None,
            model_name: None,
            at: 75,
            keep: 25,
            deadline: Duration::from_secs(60),
            prompt: summary::INSTRUCTION.into(),
            max_tokens: None,
        }
    }
}

impl fmt::Debug for Summaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summaries").field("model", &self.model).field("at", &self.at).finish_non_exhaustive()
    }
}

/// The sessions for which a summary is being made, or could not be.
#[derive(Debug, Default)]
pub(crate) struct Resting(Mutex<HashMap<(Owner, SessionId), Rest>>);

#[derive(Clone, Copy, Debug)]
struct Rest {
    failed: u32,
    /// `None`: one is being made.
    until: Option<Instant>,
    /// Another turn has ended since it was looked at.
    again: bool,
}

impl Resting {
    fn all(&self) -> MutexGuard<'_, HashMap<(Owner, SessionId), Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether a session may be summed up now; then it is being.
    fn wake(&self, at: &(Owner, SessionId)) -> bool {
        let mut all = self.all();
        let now = Instant::now();
        if all.len() >= RESTING {
            all.retain(|_, rest| rest.until.is_none_or(|until| until > now));
        }
        let full = all.len() >= RESTING;
        let failed = match all.get_mut(at) {
            Some(rest) if rest.until.is_none_or(|until| until > now) => {
                rest.again = rest.until.is_none();
                return false;
            }
            Some(rest) => rest.failed,
            None if full => return false,
            None => 0,
        };
        all.insert(at.clone(), Rest { failed, until: None, again: false });
        true
    }

    /// Lets a session rest; says whether it is to be looked at again at once, since another turn has ended meanwhile.
    fn rest(&self, at: &(Owner, SessionId), failed: bool) -> bool {
        let mut all = self.all();
        match all.get_mut(at) {
            Some(rest) if failed => {
                let pause = REST.saturating_mul(2u32.saturating_pow(rest.failed)).min(LONGEST_REST);
                *rest = Rest { failed: rest.failed + 1, until: Some(Instant::now() + pause), again: false };
                false
            }
            Some(rest) if rest.again => {
                *rest = Rest { failed: 0, until: None, again: false };
                true
            }
            _ => {
                all.remove(at);
                false
            }
        }
    }
}

/// What a session has to sum up.
struct Talk {
    /// The newest part of the active branch.
    branch: Vec<Message>,
    /// The summary that stands for the beginning, of this branch or another.
    active: Option<Seq>,
    /// It, if it is of this branch.
    former: Option<Message>,
    /// The last message of this branch that any summary covers, also one that is not active.
    covered: Option<Seq>,
}

impl Runner {
    /// How much of a branch is read for a prompt: where summaries are made, more than a window, so that one is found also
    /// if its successor is late.
    pub(super) fn read_limit(&self) -> Limit {
        let windows = if self.summaries.is_some() { 2 } else { 1 };
        self.windows(windows)
    }

    fn windows(&self, windows: usize) -> Limit {
        let messages = self.window.messages.saturating_mul(windows);
        Limit { messages: u32::try_from(messages).unwrap_or(u32::MAX), bytes: MAX_BODY as u64 }
    }

    /// Whether a branch has outgrown its share of the window.
    pub(super) fn is_due(&self, branch: &[Message], former: Option<&Message>) -> bool {
        let after = former.and_then(|former| former.parent);
        let due = |share| summary::is_due(branch, after, share, self.counter.as_ref());
        self.summaries.as_ref().is_some_and(|summaries| due(self.window.share(summaries.at)))
    }

    /// Begins to sum up the session of a turn that has ended. Whatever comes of it, nothing waits for it but a close.
    pub(super) fn begin_summary(self: &Arc<Self>, at: TurnAt, credentials: Option<Secret>) {
        let (Some(summaries), Some(held)) = (self.summaries.clone(), self.hold_job()) else { return };
        let session = (at.owner.clone(), at.session.clone());
        if !self.resting.wake(&session) {
            return;
        }
        let runner = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let done = runner.summary_if_due(&summaries, &at, credentials.clone()).await;
                let failed = done.as_ref().err().filter(|error| error.kind() != ErrorKind::NotFound);
                if let Some(error) = failed {
                    tracing::warn!(kind = %error.kind(), "no summary was made; it is tried again after a later turn");
                }
                if !runner.resting.rest(&session, failed.is_some()) {
                    break;
                }
            }
            drop(held);
        });
    }

    async fn summary_if_due(&self, summaries: &Summaries, at: &TurnAt, credentials: Option<Secret>) -> Result<()> {
        let talk = self.talk(&at.owner, &at.session).await?;
        let counter = self.counter.as_ref();
        // One that was taken back is not made anew at once: what it had covered is not what has grown.
        if !summary::is_due(&talk.branch, talk.covered, self.window.share(summaries.at), counter) {
            return Ok(());
        }
        let after = talk.former.as_ref().and_then(|former| former.parent);
        let Some(upto) = summary::upto(&talk.branch, after, self.window.share(summaries.keep), counter) else {
            return Ok(());
        };
        self.sum_up(summaries, at, talk, upto, (credentials, None)).await.map(drop)
    }

    /// Sums up a session now, up to a message of the branch (`None`: its last reply that is whole).
    pub(crate) async fn summarize(
        &self,
        owner: &Owner,
        session: &SessionId,
        upto: Option<Seq>,
        counted: Counted,
    ) -> Result<Seq> {
        let summaries = self.summaries.clone().unwrap_or_default();
        let talk = self.talk(owner, session).await?;
        let upto = match (summary::end_of_turn(&talk.branch, upto), upto) {
            (Some(seq), _) => seq,
            (None, Some(seq)) => return Err(Error::not_found("message").with("seq", seq)),
            (None, None) => return Err(Error::invalid("nothing was answered in this session that could be summed up")),
        };
        let turn = talk.branch.iter().find(|message| message.seq == upto).and_then(|message| message.turn);
        let at = TurnAt { owner: owner.clone(), session: session.clone(), turn: turn.unwrap_or_else(TurnId::fresh) };
        let changed = || Error::new(ErrorKind::Conflict, "another summary was made meanwhile; look at it first");
        self.sum_up(&summaries, &at, talk, upto, (None, Some(counted))).await?.ok_or_else(changed)
    }

    /// Asks for a summary and adds it with its bill; `None` if another one stands there by then.
    async fn sum_up(
        &self,
        summaries: &Summaries,
        at: &TurnAt,
        talk: Talk,
        upto: Seq,
        (credentials, counted): (Option<Secret>, Option<Counted>),
    ) -> Result<Option<Seq>> {
        let (counter, over) = (self.counter.as_ref(), talk.active);
        let within = (self.window, counter);
        let request = summary::request(&summaries.prompt, &talk.branch, talk.former.as_ref(), upto, within);
        let nothing = || Error::invalid("nothing was said after the last summary that could be summed up");
        let request = request.ok_or_else(nothing)?;
        let params = Params { max_tokens: summaries.max_tokens, ..Params::default() };
        let request = ModelRequest { params, ..request };
        let (model, name) = (summaries.model.as_ref(), summaries.model_name.as_ref());
        let asked = self.asked(model, name, credentials, summaries.deadline, counted);
        let (answer, used) = self.ask(&asked, at, request, |_| false).await;
        let junk = || Error::new(ErrorKind::Truncated, "the model answered with nothing that could be a summary");
        let tokens = self.window.share(25).tokens;
        let text =
            answer.and_then(|answer| summary::clean(&answer.text, answer.cut_off, tokens, counter).ok_or_else(junk));
        let bill = self.bill(&at.session, asked.name(), Purpose::Summary, &used);
        let add = text.as_ref().ok().map(|text| {
            let body = Body::new(&Content::from(text.as_str())).encode();
            Op::AddSummary { session: at.session.clone(), upto, over, body, model: asked.name(), usage: used.usage }
        });
        let done = self.write(&at.owner, add, bill).await?;
        text.map(|_| match done {
            Some(Done::Seq(seq)) => Some(seq),
            _ => None,
        })
    }

    async fn talk(&self, owner: &Owner, session: &SessionId) -> Result<Talk> {
        let read = Read::Branch { session: session.clone(), head: None, limit: self.windows(2) };
        let view = self.memory.read(owner, read).await?;
        let active = view.session.summary;
        let branch = messages(view)?;
        let made = self.summaries_of(owner, session, &branch).await?;
        let newest = made.iter().filter_map(|(_, upto)| branch.iter().position(|message| message.seq == *upto)).max();
        let covered = newest.map(|at| branch[at].seq);
        let former = match made.iter().find(|(seq, _)| Some(*seq) == active) {
            Some((seq, _)) => Some(self.summary(owner, session, *seq).await?),
            None => None,
        };
        Ok(Talk { branch, active, former, covered })
    }

    /// The summaries that were made of a branch, each with the last message that it covers.
    async fn summaries_of(&self, owner: &Owner, session: &SessionId, branch: &[Message]) -> Result<Vec<(Seq, Seq)>> {
        let (mut made, mut after) = (Vec::new(), branch.first().map_or(0, |message| message.seq));
        loop {
            let read = Read::Tree { session: session.clone(), after, limit: SHAPE, bodies: false };
            let view = self.memory.read(owner, read).await?;
            let summaries = view.rows.iter().filter(|row| row.role == Role::Summary);
            made.extend(summaries.filter_map(|row| Some((row.seq, row.parent?))));
            after = view.rows.last().map_or(after, |row| row.seq);
            if !view.more {
                made.retain(|(_, upto)| branch.iter().any(|message| message.seq == *upto));
                return Ok(made);
            }
        }
    }

    /// A summary with its words.
    pub(crate) async fn summary(&self, owner: &Owner, session: &SessionId, seq: Seq) -> Result<Message> {
        let limit = Limit { messages: 1, bytes: MAX_BODY as u64 };
        let read = Read::Tree { session: session.clone(), after: seq.saturating_sub(1), limit, bodies: true };
        let row = self.memory.read(owner, read).await?.rows.into_iter().next();
        let row = row.filter(|row| row.seq == seq && row.role == Role::Summary);
        message(row.ok_or_else(|| Error::not_found("summary").with("seq", seq))?, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_session_rests_longer_with_each_failure_and_one_success_ends_it() {
        let resting = Resting::default();
        let at = (Owner::local(), SessionId::new("s").unwrap());
        assert!(resting.wake(&at));
        assert!(!resting.wake(&at), "one is being made");
        assert!(resting.rest(&at, false), "and the turn that ended meanwhile is looked at");
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert!(!resting.rest(&at, true));
            tokio::time::advance(Duration::from_secs(minutes * 60 - 1)).await;
            assert!(!resting.wake(&at));
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(resting.wake(&at));
        }
        resting.rest(&at, false);
        assert!(resting.wake(&at));
        resting.rest(&at, true);
        tokio::time::advance(REST).await;
        assert!(resting.wake(&at));
    }

    #[tokio::test]
    async fn only_so_many_are_remembered() {
        let resting = Resting::default();
        let at = |n: usize| (Owner::local(), SessionId::new(n.to_string()).unwrap());
        for n in 0..RESTING {
            assert!(resting.wake(&at(n)));
            resting.rest(&at(n), true);
        }
        assert!(!resting.wake(&at(RESTING)));
        resting.rest(&at(0), false);
        assert!(resting.wake(&at(RESTING)));
    }
}
