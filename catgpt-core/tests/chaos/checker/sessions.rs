//! What each session holds: whole turns, one after the other, all of them ended.

use std::collections::{BTreeMap, BTreeSet};

use catgpt_core::{ChangeKind, ErrorKind, Role, Status, TurnId};

use super::{Facts, Flaws, Rule};
use crate::history::Said;
use crate::model::{Close, Speech};

pub(super) fn check(facts: &Facts<'_>, flaws: &mut Flaws) {
    for (session, messages) in &facts.store.sessions {
        order(session, messages, flaws);
    }
    for (turn, it) in &facts.turns {
        reply(*turn, it.question, it.reply, flaws);
    }
    journal(facts, flaws);
    for (turn, replicas) in &facts.asked {
        if replicas.len() > 1 || !facts.turns.contains_key(turn) {
            flaws.add(Rule::Overpaid, format!("the model was asked for {turn} by {replicas:?}"));
        }
    }
}

/// Question and reply take turns, each under the one before it.
fn order(session: &str, messages: &[Said], flaws: &mut Flaws) {
    let mut last: Option<&Said> = None;
    for (seq, said) in (1..).zip(messages) {
        let asks = seq % 2 == 1;
        let role = if asks { Role::User } else { Role::Assistant };
        let same = last.is_some_and(|last| last.turn == said.turn);
        let fits = said.seq == seq && said.role == role && said.parent == last.map(|last| last.seq) && same != asks;
        if !fits {
            flaws
                .add(Rule::Interleaved, format!("message {} of {session} does not follow the one before it", said.seq));
        }
        last = Some(said);
    }
    if messages.len() % 2 == 1 {
        flaws.add(Rule::Interleaved, format!("the last message of {session} has no reply"));
    }
}

/// A reply has ended, and is what its question is answered.
fn reply(turn: TurnId, question: &str, reply: &Said, flaws: &mut Flaws) {
    if reply.status == Status::Running {
        flaws.add(Rule::Unended, format!("{turn} still runs"));
    }
    let speech = Speech::to(question);
    let whole = speech.close == Close::Finish && reply.text == speech.text();
    if !speech.text().starts_with(&reply.text) || (reply.status == Status::Complete && !whole) {
        flaws.add(Rule::Garbled, format!("{turn}, {}, is not what {question:?} is answered", reply.status));
    }
    // The model's own, a process that died, a store that was away.
    let explained = [ErrorKind::Unavailable, ErrorKind::Truncated, ErrorKind::Store];
    if reply.error.is_some_and(|kind| !explained.contains(&kind)) {
        flaws.add(Rule::Wrong, format!("{turn} ended {} with {:?}", reply.status, reply.error));
    }
}

/// By the journal one turn of a session begins after the one before has ended, and all that is stored has begun.
fn journal(facts: &Facts<'_>, flaws: &mut Flaws) {
    let (mut open, mut begun) = (BTreeMap::<&str, TurnId>::new(), BTreeSet::new());
    for change in &facts.store.changes {
        let (session, Some(turn)) = (change.session.as_str(), change.turn) else { continue };
        let fits = match change.kind {
            ChangeKind::TurnBegun => open.insert(session, turn).is_none() & begun.insert(turn),
            ChangeKind::TurnEnded => open.remove(session) == Some(turn),
            _ => true,
        };
        if !fits {
            flaws.add(Rule::Interleaved, format!("change {} of {session}: {turn} while another runs", change.n));
        }
    }
    for (session, turn) in open {
        flaws.add(Rule::Unended, format!("{turn} of {session} has begun and not ended"));
    }
    if let Some(turn) = facts.turns.keys().find(|turn| !begun.contains(turn)) {
        flaws.add(Rule::Phantom, format!("{turn} is stored and never began"));
    }
}
