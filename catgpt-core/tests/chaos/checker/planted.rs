//! A small run without any fault, and handles to spoil it.

use catgpt_core::{Change, ChangeKind, Role, SessionId, Status, TurnId};

use crate::checker::{Rule, check};
use crate::history::{Answer, End, Fault, Record, Said, Store, Watch};
use crate::model::{Close, Speech};

/// A small run: two turns of one session, one complete, one cut short when its replica was killed.
pub struct Run {
    pub history: Vec<Record>,
    pub store: Store,
    pub turns: [TurnId; 2],
}

pub const SESSION: &str = "session-000";

/// A question whose answer is whole and long enough to be cut.
pub fn question(n: usize) -> String {
    let questions = (0..).map(|salt| format!("{n}-{salt} asks"));
    let fits = |text: &String| Speech::to(text).close == Close::Finish && Speech::to(text).text().len() > 100;
    questions.into_iter().find(fits).unwrap()
}

/// What is stored of an answer: all of it, or what was kept.
pub fn answered(n: usize) -> String {
    let whole = Speech::to(&question(n)).text();
    let kept = (0..=40).rev().find(|at| whole.is_char_boundary(*at)).unwrap();
    if n == 0 { whole } else { whole[..kept].to_owned() }
}

impl Run {
    pub fn new() -> Self {
        let turns = [TurnId::fresh(), TurnId::fresh()];
        let mut run = Self { history: vec![], store: Store::default(), turns };
        for (n, status) in [Status::Complete, Status::Interrupted].into_iter().enumerate() {
            run.turn(n, turns[n], status);
        }
        run.history.push(Record::Fault { what: Fault::Kill, replica: Some(1), began: 1200, ended: 1200 });
        // The first was read before the second began.
        let answer = Answer::Ok(vec![turns[0]]);
        run.history.push(Record::Read { session: SESSION.into(), replica: 0, began: 900, ended: 901, answer });
        run
    }

    fn turn(&mut self, n: usize, turn: TurnId, status: Status) {
        let (text, at) = (question(n), 1000 * n as u64);
        let (key, session, answer) = (n.to_string(), SESSION.to_owned(), Answer::Ok(turn));
        self.history.push(Record::Asked { turn, replica: n, at });
        let watch = self.watched(n, turn, status, at);
        self.history.push(Record::Watch(watch));
        let sent = Record::Send { key, session, text, replica: n, began: at, ended: at + 10, answer };
        self.history.push(sent);
        let messages = self.store.sessions.entry(SESSION.into()).or_default();
        messages.extend(pair(2 * n as u64 + 1, n, turn, status));
        for kind in [ChangeKind::TurnBegun, ChangeKind::TurnEnded] {
            self.change(turn, kind);
        }
    }

    fn watched(&self, n: usize, turn: TurnId, status: Status, at: u64) -> Watch {
        let text = answered(n);
        let stored = text.len() as u64;
        let end = Answer::Ok(End::Finished { status, stored, error: None });
        let pieces = vec![(at + 100, stored)];
        Watch { turn, replica: n, from: 0, began: at, ended: at + 200, text, pieces, whole: true, end }
    }

    pub fn change(&mut self, turn: TurnId, kind: ChangeKind) {
        let (n, session) = (self.store.changes.len() as u64 + 1, SessionId::new(SESSION).unwrap());
        self.store.changes.push(Change { n, session, turn: Some(turn), kind, at_ms: 0 });
    }

    pub fn said(&mut self, at: usize) -> &mut Said {
        &mut self.store.sessions.get_mut(SESSION).unwrap()[at]
    }

    pub fn watch(&mut self, n: usize) -> &mut Watch {
        let turn = self.turns[n];
        let watches = self.history.iter_mut().filter_map(|record| match record {
            Record::Watch(watch) if watch.turn == turn => Some(watch),
            _ => None,
        });
        watches.into_iter().next().unwrap()
    }

    pub fn answer(&mut self, n: usize, new: Answer<TurnId>) {
        for record in &mut self.history {
            if let Record::Send { key, answer, .. } = record
                && *key == n.to_string()
            {
                *answer = new.clone();
            }
        }
    }

    /// Lets the follower of the second turn see all of it, of which less is stored.
    pub fn sees_ahead(&mut self) {
        let whole = Speech::to(&question(1)).text();
        let watch = self.watch(1);
        watch.pieces.push((1150, whole.len() as u64));
        watch.text = whole;
    }

    /// What the checker finds, each rule once.
    pub fn found(&self) -> Vec<Rule> {
        let mut rules: Vec<_> = check(&self.history, &self.store).into_iter().map(|flaw| flaw.rule).collect();
        rules.sort();
        rules.dedup();
        rules
    }
}

pub fn pair(seq: u64, n: usize, turn: TurnId, status: Status) -> [Said; 2] {
    let parent = (seq > 1).then(|| seq - 1);
    let (asks, turn) = (question(n), Some(turn));
    [
        Said { seq, parent, turn, role: Role::User, status: Status::Complete, text: asks, error: None },
        Said { seq: seq + 1, parent: Some(seq), turn, role: Role::Assistant, status, text: answered(n), error: None },
    ]
}
