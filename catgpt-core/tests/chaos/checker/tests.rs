//! Every fault that the checker is there for, planted in a run without any: it is found, and nothing else is.

use catgpt_core::{ChangeKind, ErrorKind, Status, TurnId};

use super::Rule;
use super::planted::{Run, SESSION, answered, pair, question};
use crate::history::{Answer, End, Fault, Record};

/// Plants one fault and expects one rule.
#[track_caller]
fn finds(rule: Rule, plant: impl FnOnce(&mut Run)) {
    let mut run = Run::new();
    plant(&mut run);
    assert_eq!(run.found(), [rule]);
}

#[test]
fn a_run_without_faults_has_none() {
    assert_eq!(Run::new().found(), []);
    let mut ahead = Run::new();
    ahead.sees_ahead();
    assert_eq!(ahead.found(), [], "ahead, around a kill, and told so");
}

#[test]
fn what_was_acknowledged_and_is_gone_is_found() {
    finds(Rule::Lost, |run| {
        run.store.sessions.get_mut(SESSION).unwrap().truncate(2);
        run.store.changes.truncate(2);
        run.history.retain(|record| !matches!(record, Record::Asked { replica: 1, .. }));
    });
    finds(Rule::Lost, |run| {
        // It is stored, but elsewhere.
        for record in &mut run.history {
            if let Record::Send { session, .. } = record {
                "session-001".clone_into(session);
            }
        }
    });
    finds(Rule::Lost, |run| {
        let answer = Answer::Ok(vec![run.turns[1]]);
        run.history.push(Record::Read { session: SESSION.into(), replica: 0, began: 9000, ended: 9001, answer });
    });
}

#[test]
fn two_turns_for_one_message_are_found() {
    finds(Rule::Duplicate, |run| {
        let turn = TurnId::fresh();
        run.store.sessions.get_mut(SESSION).unwrap().extend(pair(5, 0, turn, Status::Complete));
        run.change(turn, ChangeKind::TurnBegun);
        run.change(turn, ChangeKind::TurnEnded);
    });
    let mut run = Run::new();
    let (key, session, text, answer) = ("0".into(), SESSION.into(), question(0), Answer::Ok(TurnId::fresh()));
    run.history.push(Record::Send { key, session, text, replica: 0, began: 1, ended: 2, answer });
    assert!(run.found().contains(&Rule::Duplicate));
}

#[test]
fn what_was_refused_and_is_stored_is_found() {
    finds(Rule::Phantom, |run| run.answer(0, Answer::Refused(ErrorKind::Busy)));
    finds(Rule::Phantom, |run| run.history.retain(|record| !matches!(record, Record::Send { replica: 0, .. })));
    let mut unknown = Run::new();
    unknown.answer(0, Answer::Unknown);
    assert_eq!(unknown.found(), [], "it may have come through");
}

#[test]
fn turns_within_turns_are_found() {
    finds(Rule::Interleaved, |run| run.store.changes.swap(1, 2));
    finds(Rule::Interleaved, |run| run.said(2).parent = Some(1));
    finds(Rule::Interleaved, |run| {
        let messages = run.store.sessions.get_mut(SESSION).unwrap();
        let mut alone = pair(5, 1, run.turns[1], Status::Complete)[0].clone();
        (alone.turn, alone.text) = (None, "alone".into());
        messages.push(alone);
        let (key, session, text) = ("9".into(), SESSION.into(), "alone".into());
        run.history.push(Record::Send { key, session, text, replica: 0, began: 1, ended: 2, answer: Answer::Unknown });
    });
}

#[test]
fn a_turn_without_an_end_is_found() {
    finds(Rule::Unended, |run| drop(run.store.changes.pop()));
    let mut run = Run::new();
    run.said(3).status = Status::Running;
    assert!(run.found().contains(&Rule::Unended));
}

#[test]
fn a_reply_to_something_else_is_found() {
    finds(Rule::Garbled, |run| {
        // What follows it is as it was, so followers of this turn are left out.
        run.said(3).text = "something else".to_owned();
        let turn = run.turns[1];
        run.history.retain(|record| !matches!(record, Record::Watch(watch) if watch.turn == turn));
    });
    finds(Rule::Garbled, |run| {
        run.said(3).status = Status::Complete;
        run.watch(1).end = Answer::Ok(End::Left);
    });
}

#[test]
fn a_model_that_was_asked_for_nothing_is_found() {
    finds(Rule::Overpaid, |run| run.history.push(Record::Asked { turn: run.turns[0], replica: 2, at: 5 }));
    finds(Rule::Overpaid, |run| run.history.push(Record::Asked { turn: TurnId::fresh(), replica: 2, at: 5 }));
}

#[test]
fn who_waits_for_ever_is_found() {
    finds(Rule::Hung, |run| run.watch(0).end = Answer::Hung);
    let mut run = Run::new();
    run.history.push(Record::Stop { turn: run.turns[0], replica: 0, began: 0, ended: 60_000, answer: Answer::Hung });
    assert_eq!(run.found(), [Rule::Hung]);
}

#[test]
fn a_follower_who_saw_something_else_is_found() {
    finds(Rule::Diverged, |run| run.watch(0).text.replace_range(..1, "#"));
    finds(Rule::Diverged, |run| run.watch(0).whole = false);
    finds(Rule::Diverged, |run| run.watch(0).from = 9);
    // It finished without the end of the text.
    finds(Rule::Diverged, |run| {
        let watch = run.watch(0);
        watch.text.pop();
        watch.pieces[0].1 -= 1;
    });
}

#[test]
fn a_follower_who_was_ahead_and_not_told_is_found() {
    finds(Rule::Untold, |run| {
        run.sees_ahead();
        let stored = run.watch(1).text.len() as u64;
        run.watch(1).end = Answer::Ok(End::Finished { status: Status::Interrupted, stored, error: None });
    });
}

#[test]
fn more_than_a_fault_can_take_is_found() {
    for fault in [Fault::WipeLive, Fault::Kill] {
        finds(Rule::Overlost, |run| {
            run.sees_ahead();
            for record in &mut run.history {
                if let Record::Fault { what, began, ended, .. } = record {
                    // Redis keeps nobody from writing, and what was shown long before a kill is stored.
                    let late = if fault == Fault::Kill { 10_000 } else { 0 };
                    (*what, *began, *ended) = (fault, *began + late, *ended + late);
                }
            }
        });
    }
    // Another replica's fault is no reason.
    finds(Rule::Overlost, |run| {
        run.sees_ahead();
        run.history.retain(|record| !matches!(record, Record::Fault { .. }));
        run.history.push(Record::Fault { what: Fault::Kill, replica: Some(0), began: 1200, ended: 1200 });
    });
}

#[test]
fn a_follower_who_was_told_another_end_is_found() {
    let told = |status, stored| Answer::Ok(End::Finished { status, stored, error: None });
    finds(Rule::Misled, |run| run.watch(0).end = told(Status::Cancelled, answered(0).len() as u64));
    finds(Rule::Misled, |run| run.watch(0).end = told(Status::Complete, 1));
    let mut cut_off = Run::new();
    let error = Some(ErrorKind::Store);
    cut_off.watch(0).end = Answer::Ok(End::Finished { status: Status::Interrupted, stored: 1, error });
    assert_eq!(cut_off.found(), [], "who cannot reach the store says so");
}

#[test]
fn a_turn_that_goes_on_after_a_stop_is_found() {
    let stop = |run: &mut Run, n: usize, ends_ms| {
        let turn = run.turns[n];
        run.history.push(Record::Stop { turn, replica: 2, began: 1000, ended: 1001, answer: Answer::Ok(()) });
        run.store.changes.iter_mut().filter(|change| change.turn == Some(turn)).for_each(|it| it.at_ms = ends_ms);
    };
    finds(Rule::Unheard, |run| stop(run, 0, 9000));
    let mut run = Run::new();
    stop(&mut run, 0, 1500);
    // Its replica was killed.
    stop(&mut run, 1, 9000);
    assert_eq!(run.found(), []);
}

#[test]
fn an_error_without_a_reason_is_found() {
    finds(Rule::Wrong, |run| run.watch(0).end = Answer::Wrong(ErrorKind::NotFound));
    finds(Rule::Wrong, |run| run.said(3).error = Some(ErrorKind::Conflict));
}
