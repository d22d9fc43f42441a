//! Search equals the memory's, whatever the words; and what an erased owner leaves.

use std::path::Path;

use super::files::holds;
use super::kit::{ann, end, folder, id, open, say, started};
use crate::id::{OpId, Owner, Seq, SessionId};
use crate::memory::{
    Answer, Begin, Checkpoint, Counter, Done, Imported, InMemory, Memory, Op, Query, Row, Sqlite, Terms, TitleTerms,
    Unit,
};
use crate::message::{Role, Status};

async fn apply(store: &dyn Memory, owner: &Owner, op: Op) -> Done {
    store.apply(owner, OpId::fresh(), vec![op]).await.unwrap()[0]
}

fn row(seq: Seq, created_ms: i64) -> Row {
    Row {
        seq,
        parent: seq.checked_sub(1).filter(|parent| *parent > 0),
        turn: None,
        role: Role::User,
        status: Status::Complete,
        body: format!("message {seq}").into(),
        model: None,
        usage: None,
        created_ms,
    }
}

fn import(session: &str, times: &[i64]) -> Op {
    let title = Some(session.as_bytes().to_vec());
    let session = Imported {
        id: id(session),
        title,
        pin: None,
        meta: None,
        pinned: false,
        archived: false,
        head: Some(times.len() as Seq),
        created_ms: times[0] - 1,
        updated_ms: times[0],
    };
    let rows = times.iter().zip(1..).map(|(time, seq)| row(seq, *time)).collect();
    Op::Import { session: Box::new(session), after: 0, rows }
}

/// Everything that a search finds, page by page.
async fn found(
    store: &dyn Memory,
    owner: &Owner,
    terms: &[String],
    prefix: bool,
    page: u32,
) -> Vec<(SessionId, Option<Seq>)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let query = Query::Search { terms: terms.to_vec(), prefix, after, limit: page };
        let Answer::Hits { hits, next } = store.query(owner, query).await.unwrap() else { panic!("hits") };
        all.extend(hits.into_iter().map(|hit| (hit.session.id, hit.row.map(|row| row.seq))));
        match next {
            None => return all,
            Some(_) => after = next,
        }
    }
}

#[tokio::test]
async fn whatever_the_words_it_finds_what_the_memory_finds() {
    const LETTERS: &[char] =
        &['a', 'b', 'A', '_', '5', 'f', 'é', 'ß', '猫', '犬', '\u{301}', '\0', ' ', '"', '*', '-', '.'];
    let mut random = fastrand::Rng::with_seed(5);
    let folder = folder();
    let (file, model) = (open(&folder.path().join("chat.db")).await, InMemory::new());
    let stores: [&dyn Memory; 2] = [&file, &model];
    let owners = [ann(), Owner::new("bob").unwrap()];
    let mut word = {
        let mut random = fastrand::Rng::with_seed(6);
        move || (0..random.usize(1..4)).map(|_| *random.choice(LETTERS).unwrap()).collect::<String>()
    };
    // Times that no two messages share, in no order.
    let mut times: Vec<i64> = (0..600).map(|n| n * 7 + 1_700_000_000_000).collect();
    random.shuffle(&mut times);
    for (n, times) in times.chunks(10).enumerate() {
        let (owner, session) = (&owners[n % 2], format!("s{n}"));
        let mut from = 0;
        let imported = import(&session, times);
        let mut indexed = Vec::new();
        for upto in [random.u64(0..=10), 10] {
            let mut bag = || (0..random.usize(0..8)).map(|_| word()).collect::<Vec<_>>();
            let messages = (from + 1..=upto).map(|seq| Terms { seq, terms: bag() }).collect();
            let of = Some(session.clone().into());
            let title = (upto == 10).then(|| TitleTerms { of, terms: bag() });
            indexed.push(Op::Index { session: id(&session), from, upto, messages, title });
            from = upto;
        }
        for store in stores {
            for op in std::iter::once(&imported).chain(&indexed) {
                assert!(matches!(apply(store, owner, op.clone()).await, Done::Version(_)));
            }
        }
    }
    for _ in 0..2000 {
        let terms: Vec<_> = (0..random.usize(1..3)).map(|_| word()).collect();
        let (owner, prefix, page) = (random.choice(&owners).unwrap(), random.bool(), random.u32(1..20));
        let [file, model] = [found(&file, owner, &terms, prefix, page), found(&model, owner, &terms, prefix, 1000)];
        assert_eq!(file.await, model.await, "{terms:?} {prefix}");
    }
}

#[tokio::test]
async fn many_messages_of_one_moment_are_all_found() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    apply(&store, &ann(), import("s", &[1000; 3000])).await;
    let messages = (1..=3000).map(|seq| Terms { seq, terms: vec!["cat".into()] }).collect();
    apply(&store, &ann(), Op::Index { session: id("s"), from: 0, upto: 3000, messages, title: None }).await;
    assert_eq!(found(&store, &ann(), &["cat".into()], false, 700).await.len(), 3000);
}

#[tokio::test]
async fn words_go_with_their_session_and_come_along_with_a_claim() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    let guest = Owner::new("guest").unwrap();
    for (owner, session) in [(&ann(), "hers"), (&guest, "his"), (&guest, "old")] {
        apply(&store, owner, import(session, &[1000])).await;
        let messages = vec![Terms { seq: 1, terms: vec!["cat".into()] }];
        apply(&store, owner, Op::Index { session: id(session), from: 0, upto: 1, messages, title: None }).await;
    }
    apply(&store, &guest, Op::Delete { session: id("old") }).await;
    assert_eq!(apply(&store, &ann(), Op::Claim { from: guest.clone() }).await, Done::Count(1));
    let cat = ["cat".into()];
    assert_eq!(found(&store, &guest, &cat, false, 9).await, []);
    assert_eq!(found(&store, &ann(), &cat, false, 9).await.len(), 2);
    apply(&store, &ann(), Op::Delete { session: id("his") }).await;
    assert_eq!(found(&store, &ann(), &cat, false, 9).await, [(id("hers"), Some(1))]);
    let conn = rusqlite::Connection::open(&path).unwrap();
    let rows = |sql| conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((rows("SELECT count(*) FROM doc"), rows("SELECT count(*) FROM search_docsize")), (1, 1));
}

/// Marked in all that an owner can leave: 40 sessions with turns, keys, titles, metadata, limits and words.
async fn live(store: &Sqlite, owner: &Owner, mark: &str) {
    for n in 0..40 {
        let counter = Counter {
            name: "turns".into(),
            key: owner.to_string(),
            window: std::time::Duration::from_secs(3600),
            add: 1,
            limit: 1000,
            unit: Unit::Turns,
        };
        let session = format!("{n} {mark} session");
        let begin = Begin {
            key: Some((format!("{n} {mark} key"), [1; 32])),
            title: Some(format!("{n} {mark} title").into()),
            model: format!("{mark} model"),
            reserve: vec![counter],
            ..say(&session, format!("{mark} said ").repeat(1 + n * 5))
        };
        let turn = begin.turn;
        started(store.begin_turn(owner, begin).await);
        let piece = Checkpoint::new(turn, 0, 9, format!("{mark} piece ").repeat(30).into());
        store.checkpoint(owner, piece).await.unwrap();
        if n == 7 {
            continue;
        }
        store.finish_turn(owner, end(turn, format!("{mark} reply ").repeat(30))).await.unwrap();
        let meta = Op::SetMeta { session: id(&session), meta: Some(format!("{mark} meta").into()) };
        apply(store, owner, meta).await;
        // A different beginning for each: the index leaves out what two neighbours share.
        let terms = (0..50).map(|word| format!("{:x}{mark}{n}", word * 7919 % 4096)).collect::<Vec<_>>();
        let messages = vec![Terms { seq: 1, terms: terms.clone() }, Terms { seq: 2, terms: vec![terms[0].clone()] }];
        let title = TitleTerms { of: Some(format!("{n} {mark} title").into()), terms };
        let op = Op::Index { session: id(&session), from: 0, upto: 2, messages, title: Some(title) };
        apply(store, owner, op).await;
    }
}

async fn erase(store: &Sqlite, owner: &Owner) {
    while apply(store, owner, Op::Erase { limit: 7 }).await != Done::Count(0) {}
}

fn marked(folder: &Path, mark: &str) -> bool {
    holds(folder, mark.as_bytes())
}

#[tokio::test]
async fn nothing_of_an_erased_owner_stays_in_any_file() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    let (eve, bob) = (Owner::new("evemark").unwrap(), Owner::new("bobmark").unwrap());
    live(&store, &bob, "bobmark").await;
    live(&store, &eve, "evemark").await;
    live(&store, &Owner::new("later").unwrap(), "latermark").await;
    assert!(marked(folder.path(), "evemark"));
    erase(&store, &eve).await;
    assert!(!marked(folder.path(), "evemark"));
    // The others have lost nothing, and there is nothing left to do.
    for owner in [&bob, &Owner::new("later").unwrap()] {
        let term = format!("0{}39", if *owner == bob { "bobmark" } else { "latermark" });
        assert_eq!(found(&store, owner, &[term], false, 9).await.len(), 3);
    }
    erase(&store, &eve).await;
    erase(&store, &bob).await;
    assert!(!marked(folder.path(), "bobmark"));
    assert!(marked(folder.path(), "latermark"));
    // The last owner leaves an empty index, which goes on.
    erase(&store, &Owner::new("later").unwrap()).await;
    assert!(!marked(folder.path(), "latermark"));
    live(&store, &bob, "bobmark").await;
    assert_eq!(found(&store, &bob, &["0bobmark39".into()], false, 9).await.len(), 3);
}

#[tokio::test]
async fn an_erasure_that_was_cut_off_is_made_whole_by_the_next() {
    let folder = folder();
    let path = folder.path().join("chat.db");
    let store = open(&path).await;
    let eve = Owner::new("evemark").unwrap();
    live(&store, &Owner::new("later").unwrap(), "latermark").await;
    live(&store, &eve, "evemark").await;
    // All but the words: they are what the last step goes on with when its rows are gone.
    let sessions = Op::Erase { limit: 1000 };
    assert_eq!(apply(&store, &eve, sessions.clone()).await, Done::Count(40));
    let whose = eve.clone();
    let last = move |conn: &rusqlite::Connection| super::super::ops::apply(conn, &whose, OpId::fresh(), &[sessions]);
    store.write(super::super::writer::Care::Erase, last).await.unwrap();
    assert!(marked(folder.path(), "evemark"));
    store.close().await.unwrap();
    let store = open(&path).await;
    erase(&store, &eve).await;
    assert!(!marked(folder.path(), "evemark"));
}

#[tokio::test]
async fn the_words_of_deleted_sessions_leave_the_file_with_the_sweeps_or_when_it_is_closed() {
    let folder = folder();
    let store = open(&folder.path().join("chat.db")).await;
    for session in ["first", "second", "third"] {
        let begin = say(session, "Hi");
        let turn = begin.turn;
        started(store.begin_turn(&ann(), begin).await);
        store.finish_turn(&ann(), end(turn, "Hello")).await.unwrap();
        let messages = vec![Terms { seq: 1, terms: vec![format!("{session}word")] }];
        let op = Op::Index { session: id(session), from: 0, upto: 2, messages, title: None };
        apply(&store, &ann(), op).await;
    }
    apply(&store, &ann(), Op::Delete { session: id("first") }).await;
    assert!(marked(folder.path(), "firstword"), "it is no part of a deletion to write the index anew");
    let mut sweeps = 0;
    while marked(folder.path(), "firstword") {
        store.sweep(10).await.unwrap();
        sweeps += 1;
        assert!(sweeps < 10);
    }
    assert_eq!(found(&store, &ann(), &["secondword".into()], false, 9).await.len(), 1);
    apply(&store, &ann(), Op::Delete { session: id("second") }).await;
    assert!(marked(folder.path(), "secondword"));
    store.close().await.unwrap();
    assert!(!marked(folder.path(), "secondword") && marked(folder.path(), "thirdword"));
}
