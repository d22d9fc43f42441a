//! The figures of a run, in a few lines.

use std::collections::BTreeMap;
use std::fmt::{Debug, Display};

use super::checker::Flaw;
use super::history::{Answer, End, Record, Store};

/// How often each thing was seen.
#[derive(Default)]
struct Tally(BTreeMap<String, u64>);

impl Tally {
    fn add(&mut self, what: impl Display) {
        *self.0.entry(what.to_string()).or_default() += 1;
    }

    fn line(&self, name: &str) -> String {
        let total: u64 = self.0.values().sum();
        let parts: Vec<_> = self.0.iter().map(|(what, times)| format!("{times} {what}")).collect();
        format!("{name}: {total} ({})\n", parts.join(", "))
    }
}

/// What was done and what came of it.
pub fn figures(history: &[Record], store: &Store) -> String {
    let [mut sends, mut watches, mut stops, mut reads, mut faults, mut turns] = [(); 6].map(|()| Tally::default());
    for record in history {
        match record {
            Record::Send { answer, .. } => sends.add(word(answer, |_| "ok".into())),
            Record::Watch(watch) => watches.add(word(&watch.end, |end| match end {
                End::Finished { status, .. } => status.to_string(),
                End::Left => "left".into(),
            })),
            Record::Stop { answer, .. } => stops.add(word(answer, |()| "ok".into())),
            Record::Read { answer, .. } => reads.add(word(answer, |_| "ok".into())),
            Record::Fault { what, .. } => faults.add(snake(what)),
            Record::Asked { .. } => {}
        }
    }
    for said in store.sessions.values().flatten().filter(|said| said.seq % 2 == 0) {
        let why = said.error.map(|kind| format!(" by {kind}")).unwrap_or_default();
        turns.add(format!("{}{why}", said.status));
    }
    let tallies = [("sends", sends), ("watches", watches), ("stops", stops), ("reads", reads), ("faults", faults)];
    let lines: String = tallies.iter().map(|(name, tally)| tally.line(name)).collect();
    lines + &turns.line(&format!("turns in {} sessions", store.sessions.len()))
}

/// How often each rule was broken, and the first cases of each.
pub fn accusation(flaws: &[Flaw]) -> String {
    let mut rules: BTreeMap<_, Vec<_>> = BTreeMap::new();
    flaws.iter().for_each(|flaw| rules.entry(flaw.rule).or_default().push(&flaw.what));
    let said = rules.into_iter().map(|(rule, cases)| {
        let first: String = cases.iter().take(5).map(|case| format!("  {case}\n")).collect();
        format!("{rule:?}: {} times\n{first}", cases.len())
    });
    said.collect()
}

fn word<T>(answer: &Answer<T>, ok: impl Fn(&T) -> String) -> String {
    match answer {
        Answer::Ok(value) => ok(value),
        Answer::Refused(kind) => kind.to_string(),
        Answer::Wrong(kind) => format!("wrongly {kind}"),
        Answer::Unknown => "unknown".into(),
        Answer::Hung => "hung".into(),
    }
}

/// `CutStore` is `cut store`.
fn snake(what: &impl Debug) -> String {
    let mut words = String::new();
    for c in format!("{what:?}").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}
