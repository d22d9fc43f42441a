//! Two processes that send to one session at once.

use std::collections::HashSet;

use catgpt_core::{Scripted, Status};

use super::other::{LONG, Other, session, shared, undamaged, whole};
use super::rounds;

/// Makes both send at once; each waits for its words.
async fn both(pair: &mut [Other; 2], round: usize, busy: &str) -> [String; 2] {
    let names = [0, 1].map(|n| format!("{round}.{n}"));
    for (other, who) in pair.iter_mut().zip(&names) {
        other.tell(format!("send {who} room {busy} cued question {who}")).await;
    }
    names
}

async fn answer(other: &mut Other, who: &str) {
    other.tell(format!("speak {who} answer {who}\nstop {who}")).await;
    assert_eq!(other.end(who).await.0, "complete");
}

/// One runs, and the other one is told which.
async fn refused(pair: &mut [Other; 2], round: usize) {
    let names = both(pair, round, "reject").await;
    let [one, two] = &mut *pair;
    let first = one.hear(&names[0], &["sent", "busy"]).await;
    let second = two.hear(&names[1], &["sent", "busy"]).await;
    let winner = usize::from(second.what == "sent");
    assert_ne!(first.what, second.what, "round {round}: one runs, one does not");
    assert_eq!(first.turn(), second.turn(), "round {round}: the running turn is named");
    answer(&mut pair[winner], &names[winner]).await;
}

/// One runs, then the other one does.
async fn queued(pair: &mut [Other; 2], round: usize) {
    let names = both(pair, round, "queue").await;
    let [one, two] = &mut *pair;
    let winner = tokio::select! {
        _ = one.hear(&names[0], &["sent"]) => 0,
        _ = two.hear(&names[1], &["sent"]) => 1,
    };
    answer(&mut pair[winner], &names[winner]).await;
    pair[1 - winner].hear(&names[1 - winner], &["sent"]).await;
    answer(&mut pair[1 - winner], &names[1 - winner]).await;
}

#[tokio::test]
async fn of_two_processes_one_runs_and_the_other_is_refused_or_waits() {
    let store = shared();
    let mut pair = [store.other(LONG).await, store.other(LONG).await];
    let rounds = rounds("CATGPT_ROUNDS", 40);
    for round in 0..rounds {
        match round % 2 {
            0 => refused(&mut pair, round).await,
            _ => queued(&mut pair, round).await,
        }
    }
    let engine = store.engine(&Scripted::reply("never asked")).await;
    let tree = whole(&session(&engine, "room")).await;
    assert_eq!(tree.len(), 2 * (rounds.div_ceil(2) + rounds / 2 * 2));
    for pair in tree.chunks(2) {
        assert_eq!(pair[1].text(), pair[0].text().replace("question", "answer"));
        assert_eq!(pair[1].status, Status::Complete);
    }
    undamaged(&store);
    println!("{rounds} rounds, {} turns", tree.len() / 2);
}

#[tokio::test]
async fn a_crowd_in_two_processes_is_served_one_by_one() {
    const EACH: usize = 8;
    let store = shared();
    let mut pair = [store.other(LONG).await, store.other(LONG).await];
    for other in &mut pair {
        other.tell(format!("flood room {EACH}")).await;
    }
    for other in &mut pair {
        let mut ended = 0;
        while ended < EACH {
            let line = other.next().await.unwrap();
            assert_ne!(line.what, "busy", "{line:?}");
            if line.what == "finished" {
                assert!(line.rest.starts_with("complete "), "{line:?}");
                ended += 1;
            }
        }
    }
    let engine = store.engine(&Scripted::reply("never asked")).await;
    let tree = whole(&session(&engine, "room")).await;
    let asked: HashSet<_> = tree.chunks(2).map(|pair| pair[0].text()).collect();
    assert_eq!((tree.len(), asked.len()), (4 * EACH, 2 * EACH));
    for pair in tree.chunks(2) {
        assert_eq!(pair[1].text(), format!("re: {}", pair[0].text()));
    }
    undamaged(&store);
}
