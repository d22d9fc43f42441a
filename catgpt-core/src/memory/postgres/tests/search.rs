//! Search on a real server finds what the memory of a process finds, whatever the words are made of.

use catgpt_scratch::Database;

use super::kit::{ann, end, id, open, opened, say};
use crate::id::{OpId, Owner};
use crate::memory::{Answer, Begin, Done, InMemory, Memory, Op, Query, Terms, TitleTerms};

/// Words of all that means something to somebody: quotes, operators, weights, wildcards, other alphabets.
const WORDS: &[&str] = &[
    "cat", "cats", "cat's", "ca", "a", "b:*", "'", "''", "\\", "\\'", "a\\", "!a", "a|b", "a&b", "(a)", "<->", "a:A",
    "*", "%", "_", "$1", " ", "  x", "ü", "東京", "東", "\u{301}", "😺", "NULL", "{}", "\"", "a,b", "-1", "\t",
];

fn words(random: &mut fastrand::Rng, most: usize) -> Vec<String> {
    let mut words: Vec<String> =
        (0..random.usize(1..=most)).map(|_| random.choice(WORDS).unwrap().to_string()).collect();
    words.sort();
    words.dedup();
    words
}

type Found = Vec<(String, Option<u64>)>;

/// All that is found, page by page; equal times may stand in any order.
async fn found(store: &dyn Memory, owner: &Owner, terms: &[String], prefix: bool) -> Found {
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let query = Query::Search { terms: terms.into(), prefix, after, limit: 3 };
        let Answer::Hits { hits, next } = store.query(owner, query).await.unwrap() else { panic!("expected hits") };
        found.extend(hits.into_iter().map(|hit| (hit.session.id.to_string(), hit.row.map(|row| row.seq))));
        after = next;
        if after.is_none() {
            found.sort();
            return found;
        }
    }
}

async fn write(store: &dyn Memory, owner: &Owner, session: &str, title: &[String], messages: &[Vec<String>]) {
    for _ in 0..messages.len() / 2 {
        let begin = Begin { title: Some(b"t".to_vec()), ..say(session, "hi") };
        let turn = begin.turn;
        opened(store.begin_turn(owner, begin).await);
        store.finish_turn(owner, end(turn, "hello")).await.unwrap();
    }
    let terms = messages.iter().zip(1..).map(|(terms, seq)| Terms { seq, terms: terms.clone() }).collect();
    let title = Some(TitleTerms { of: Some(b"t".to_vec()), terms: title.into() });
    let op = Op::Index { session: id(session), from: 0, upto: messages.len() as u64, messages: terms, title };
    assert!(matches!(store.apply(owner, OpId::fresh(), vec![op]).await.unwrap()[..], [Done::Version(_)]));
}

#[tokio::test]
async fn it_finds_what_a_plain_look_finds() {
    let database = Database::new();
    let (store, plain) = (open(&database).await, InMemory::new());
    let (both, mut random): ([&dyn Memory; 2], _) = ([&store, &plain], fastrand::Rng::with_seed(7));
    let owners = [ann(), Owner::new("bob").unwrap()];
    for n in 0..40 {
        let (title, messages) = (words(&mut random, 4), (0..4).map(|_| words(&mut random, 8)).collect::<Vec<_>>());
        for store in both {
            write(store, &owners[n % 2], &format!("s{n}"), &title, &messages).await;
        }
    }
    let mut hits = 0;
    for _ in 0..300 {
        let (terms, prefix, owner) = (words(&mut random, 2), random.bool(), &owners[random.usize(..2)]);
        let expected = found(&plain, owner, &terms, prefix).await;
        assert_eq!(found(&store, owner, &terms, prefix).await, expected, "{terms:?} {prefix}");
        hits += expected.len();
    }
    assert!(hits > 1000, "only {hits} hits were compared");
    // The words go over with their sessions.
    for store in both {
        store.apply(&owners[1], OpId::fresh(), vec![Op::Claim { from: ann() }]).await.unwrap();
    }
    for word in WORDS {
        let terms = [(*word).to_owned()];
        assert_eq!(found(&store, &owners[1], &terms, true).await, found(&plain, &owners[1], &terms, true).await);
        assert_eq!(found(&store, &ann(), &terms, true).await, []);
    }
}

#[tokio::test]
async fn a_message_of_more_words_than_fit_is_found_by_its_first() {
    let database = Database::new();
    let store = open(&database).await;
    let many: Vec<String> = (0..200_000).map(|n| format!("word{n:06}")).chain(["w".repeat(100_000)]).collect();
    let long = vec!["l".repeat(100_000)];
    write(&store, &ann(), "s", &[], &[many, long.clone()]).await;
    let one = Some(("s".to_owned(), Some(1)));
    assert_eq!(found(&store, &ann(), &["word000000".into(), "word049999".into()], false).await.pop(), one);
    assert_eq!(found(&store, &ann(), &["word199999".into()], false).await, []);
    assert_eq!(found(&store, &ann(), &long, false).await, [("s".to_owned(), Some(2))]);
}
