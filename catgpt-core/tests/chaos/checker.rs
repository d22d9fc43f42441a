//! What must hold, whatever happened: a pure function of the history and of what the store holds in the end.

#[path = "checker/followers.rs"]
mod followers;
#[path = "checker/planted.rs"]
mod planted;
#[path = "checker/sends.rs"]
mod sends;
#[path = "checker/sessions.rs"]
mod sessions;
#[path = "checker/tests.rs"]
mod tests;

use std::collections::{BTreeMap, HashMap};

use catgpt_core::TurnId;

use super::history::{At, Record, Said, Store};

/// How long before a fault the text may have been shown that it takes with it, in milliseconds: a checkpoint every
/// 500 ms, the write in flight, and a machine that has other things to do.
const BEFORE: At = 1500;
/// How long after a fault writing may not have begun again: a write times out after 2 s.
const AFTER: At = 3000;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A turn that somebody was told of is not in the store, or not in what was read after it.
    Lost,
    /// One message is stored twice, or is two turns.
    Duplicate,
    /// A message is stored that was refused, or that nobody sent.
    Phantom,
    /// Two turns ran in one session at once, or one stands within the other.
    Interleaved,
    /// A turn has not ended although all leases have run out.
    Unended,
    /// A reply is not what its question is answered.
    Garbled,
    /// The model was asked twice for one turn, or for one that is not stored.
    Overpaid,
    /// An answer or the end of a reply never came.
    Hung,
    /// A follower saw something else than is stored, or finished without all of it.
    Diverged,
    /// A follower saw more than is stored, and was not told so.
    Untold,
    /// More is missing in the store than what a fault can take.
    Overlost,
    /// A follower was told another end than is stored.
    Misled,
    /// A turn went on after it was stopped.
    Unheard,
    /// An error that no fault explains.
    Wrong,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub rule: Rule,
    pub what: String,
}

/// All that is wrong.
pub fn check(history: &[Record], store: &Store) -> Vec<Flaw> {
    let facts = Facts::of(history, store);
    let mut flaws = Flaws::default();
    sends::check(&facts, &mut flaws);
    sessions::check(&facts, &mut flaws);
    followers::check(&facts, &mut flaws);
    flaws.0
}

#[derive(Default)]
struct Flaws(Vec<Flaw>);

impl Flaws {
    fn add(&mut self, rule: Rule, what: impl Into<String>) {
        self.0.push(Flaw { rule, what: what.into() });
    }
}

/// History and store, so that things are found in them.
struct Facts<'a> {
    history: &'a [Record],
    store: &'a Store,
    turns: HashMap<TurnId, Turn<'a>>,
    /// Which replicas asked the model for a turn.
    asked: BTreeMap<TurnId, Vec<usize>>,
}

/// A turn as it is stored.
struct Turn<'a> {
    session: &'a str,
    question: &'a str,
    reply: &'a Said,
}

impl<'a> Facts<'a> {
    fn of(history: &'a [Record], store: &'a Store) -> Self {
        let mut turns = HashMap::new();
        for (session, messages) in &store.sessions {
            for pair in messages.windows(2) {
                if let (Some(turn), true) = (pair[1].turn, pair[0].turn == pair[1].turn) {
                    turns.insert(turn, Turn { session, question: &pair[0].text, reply: &pair[1] });
                }
            }
        }
        let mut asked: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for record in history {
            if let Record::Asked { turn, replica, .. } = record {
                asked.entry(*turn).or_default().push(*replica);
            }
        }
        Self { history, store, turns, asked }
    }

    /// Whether something kept the turn's replica from writing somewhere between these times.
    fn hindered(&self, turn: TurnId, from: At, to: At) -> bool {
        let drives = self.asked.get(&turn);
        self.history.iter().any(|record| match record {
            Record::Fault { what, replica, began, ended } => {
                let concerns = replica.is_none_or(|replica| drives.is_some_and(|drives| drives.contains(&replica)));
                let meets = began.saturating_sub(BEFORE) <= to && from <= ended + AFTER;
                what.hinders_writing() && concerns && meets
            }
            _ => false,
        })
    }
}
