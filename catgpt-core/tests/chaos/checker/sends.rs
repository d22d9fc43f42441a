//! What became of what was sent, and of every call.

use std::collections::{BTreeMap, BTreeSet};

use catgpt_core::{ChangeKind, TurnId};

use super::{AFTER, Facts, Flaws, Rule};
use crate::history::{Answer, At, Record};

/// One message, and all tries to send it.
#[derive(Default)]
struct Message<'a> {
    session: &'a str,
    turns: BTreeSet<TurnId>,
    /// Whether a try may have come through.
    may_be: bool,
}

pub(super) fn check(facts: &Facts<'_>, flaws: &mut Flaws) {
    let sent = messages(facts);
    for (text, message) in &sent {
        if message.turns.len() > 1 {
            flaws.add(Rule::Duplicate, format!("{text:?} was acknowledged as {:?}", message.turns));
        }
        for turn in &message.turns {
            let there = facts.turns.get(turn).is_some_and(|it| it.session == message.session && it.question == *text);
            if !there {
                flaws.add(Rule::Lost, format!("{text:?} was acknowledged as {turn} and is not stored"));
            }
        }
    }
    stored(facts, &sent, flaws);
    answers(facts, flaws);
    stops(facts, flaws);
}

fn messages<'a>(facts: &Facts<'a>) -> BTreeMap<&'a str, Message<'a>> {
    let mut sent: BTreeMap<&str, Message<'_>> = BTreeMap::new();
    for record in facts.history {
        let Record::Send { session, text, answer, .. } = record else { continue };
        let message = sent.entry(text).or_default();
        message.session = session;
        message.may_be |= !matches!(answer, Answer::Refused(_));
        message.turns.extend(match answer {
            Answer::Ok(turn) => Some(*turn),
            _ => None,
        });
    }
    sent
}

/// What is stored was sent, and once.
fn stored(facts: &Facts<'_>, sent: &BTreeMap<&str, Message<'_>>, flaws: &mut Flaws) {
    let mut times: BTreeMap<&str, u32> = BTreeMap::new();
    for said in facts.store.sessions.values().flatten().filter(|said| said.seq % 2 == 1) {
        *times.entry(&said.text).or_default() += 1;
    }
    for (text, times) in times {
        if times > 1 {
            flaws.add(Rule::Duplicate, format!("{text:?} is stored {times} times"));
        }
        if !sent.get(text).is_some_and(|message| message.may_be) {
            flaws.add(Rule::Phantom, format!("{text:?} is stored, and was refused or never sent"));
        }
    }
}

/// Every call is answered, and errors have a reason; who reads sees what was acknowledged before.
fn answers(facts: &Facts<'_>, flaws: &mut Flaws) {
    for record in facts.history {
        let (hung, wrong) = match record {
            Record::Send { answer, .. } => trouble(answer),
            Record::Stop { answer, .. } => trouble(answer),
            Record::Watch(watch) => trouble(&watch.end),
            Record::Read { answer, .. } => trouble(answer),
            Record::Asked { .. } | Record::Fault { .. } => (false, false),
        };
        if hung {
            flaws.add(Rule::Hung, format!("{record:?}"));
        }
        if wrong {
            flaws.add(Rule::Wrong, format!("{record:?}"));
        }
        if let Record::Read { session, began, answer: Answer::Ok(turns), .. } = record {
            for turn in acknowledged(facts, session, *began).filter(|turn| !turns.contains(turn)) {
                flaws
                    .add(Rule::Lost, format!("{turn} of {session} was not read at {began}, after its acknowledgement"));
            }
        }
    }
}

/// Whoever is told to stop ends within the time that a fault's traces may last, wherever it runs.
fn stops(facts: &Facts<'_>, flaws: &mut Flaws) {
    let ends = facts.store.changes.iter().filter(|change| change.kind == ChangeKind::TurnEnded);
    let ends: BTreeMap<_, _> = ends.filter_map(|change| Some((change.turn?, change.at_ms))).collect();
    for record in facts.history {
        let Record::Stop { turn, ended: stopped, answer: Answer::Ok(()), .. } = record else { continue };
        let Some(end) = ends.get(turn).and_then(|end| At::try_from(end - facts.store.began_ms).ok()) else { continue };
        if end > stopped + AFTER && !facts.hindered(*turn, *stopped, end) {
            flaws.add(Rule::Unheard, format!("{turn} was stopped at {stopped} and ended at {end}"));
        }
    }
}

fn trouble<T>(answer: &Answer<T>) -> (bool, bool) {
    (matches!(answer, Answer::Hung), matches!(answer, Answer::Wrong(_)))
}

/// The turns that were begun in a session and known before some time.
fn acknowledged<'a>(facts: &Facts<'a>, place: &'a str, before: u64) -> impl Iterator<Item = TurnId> {
    facts.history.iter().filter_map(move |record| match record {
        Record::Send { session, ended, answer: Answer::Ok(turn), .. } if session == place && *ended < before => {
            Some(*turn)
        }
        _ => None,
    })
}
