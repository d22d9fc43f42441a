//! What followers saw, beside what is stored.

use catgpt_core::{ErrorKind, Status};

use super::{Facts, Flaws, Rule, Turn};
use crate::history::{Answer, End, Record, Watch};
use crate::model::Speech;

pub(super) fn check(facts: &Facts<'_>, flaws: &mut Flaws) {
    for record in facts.history {
        let Record::Watch(watch) = record else { continue };
        match facts.turns.get(&watch.turn) {
            Some(turn) => follower(facts, watch, turn, flaws),
            None => flaws.add(Rule::Lost, format!("{} was watched and is not stored", watch.turn)),
        }
    }
}

fn follower(facts: &Facts<'_>, watch: &Watch, turn: &Turn<'_>, flaws: &mut Flaws) {
    let (id, stored) = (watch.turn, turn.reply.text.len() as u64);
    let end = watch.pieces.last().map_or(watch.from, |(_, offset)| *offset);
    if !shows(watch, turn.question, end) {
        return flaws.add(Rule::Diverged, format!("{id} from {}: {:?}", watch.from, watch.text));
    }
    let ahead = watch.pieces.iter().find(|(_, offset)| *offset > stored);
    if let Some((at, _)) = ahead {
        if turn.reply.status == Status::Complete {
            flaws.add(Rule::Diverged, format!("{id} was seen to {end} and is complete with {stored}"));
        }
        if !facts.hindered(id, *at, *at) {
            flaws.add(
                Rule::Overlost,
                format!("{id} was seen to {end} at {at} and is stored to {stored}, for no reason"),
            );
        }
    }
    let Answer::Ok(End::Finished { status, stored: told, error }) = watch.end else { return };
    // Whoever cannot reach the store says so, and cannot know more.
    if matches!(error, Some(ErrorKind::Store | ErrorKind::Closed)) && told <= stored {
        return;
    }
    if told != stored {
        let rule = if ahead.is_some() { Rule::Untold } else { Rule::Misled };
        flaws.add(rule, format!("{id} is stored to {stored}; the follower at {end} was told {told}"));
    } else if end < stored {
        flaws.add(Rule::Diverged, format!("{id} finished at {end} for one who followed it, and is stored to {stored}"));
    }
    if status != turn.reply.status {
        flaws.add(Rule::Misled, format!("{id} is {} and was said to be {status}", turn.reply.status));
    }
}

/// Whether all that was seen is part of the answer, from where it was asked for.
fn shows(watch: &Watch, question: &str, end: u64) -> bool {
    let (whole, len) = (Speech::to(question).text(), watch.text.len() as u64);
    let Some(begin) = end.checked_sub(len) else { return false };
    let seen = usize::try_from(begin).unwrap()..usize::try_from(end).unwrap();
    // An offset within a character is rounded down.
    let asked = len == 0 || (begin..begin + 4).contains(&watch.from);
    watch.whole && asked && (len == 0 || whole.get(seen) == Some(&watch.text))
}
