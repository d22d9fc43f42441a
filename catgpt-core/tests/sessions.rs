//! What a chat product does with sessions beside talking in them, on each memory that lives in one process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::collections::HashSet;
use std::time::Duration;

use catgpt_core::event::ChangeKind::{self, Created, Deleted, Renamed, TurnBegun, TurnEnded, Updated};
use catgpt_core::id::SessionId;
use catgpt_core::model::{Gate, Step};
use catgpt_core::{Engine, ErrorKind, Metadata, NewSession, Persona, Role, Scripted, SearchHit, Status, User};
use common::{Store, all, engine, eventually, text_of};
use futures_util::StreamExt;
use serde_json::json;

on_each_memory! {
    a_session_is_made_with_all_that_is_known_about_it
    the_pinned_stand_first_and_the_archived_elsewhere
    many_are_deleted_at_once
    only_the_empty_are_deleted_as_empty
    a_guest_becomes_a_user
    a_claim_waits_for_running_turns
    nothing_is_left_of_an_erased_owner
    a_feed_tells_what_happens_anywhere
    a_feed_begins_where_a_list_was_made
    words_are_found_in_messages_and_titles
    search_can_be_switched_off
    branches_are_listed_and_chosen
    a_branch_becomes_a_session_of_its_own
    a_cut_reply_is_gone_on_with
    others_find_nothing_to_change
}

fn talker() -> Scripted {
    Scripted::reply("all right")
}

fn user(engine: &Engine, name: &str) -> User {
    engine.user(name).unwrap()
}

async fn say(user: &User, session: &str, text: &str) {
    all(user.session(session).unwrap().send(text).await.unwrap()).await;
}

async fn ids(user: &User) -> Vec<String> {
    user.sessions(None, 100).await.unwrap().sessions.iter().map(|session| session.id.to_string()).collect()
}

fn id(session: &str) -> SessionId {
    SessionId::new(session).unwrap()
}

fn metadata(value: serde_json::Value) -> Metadata {
    value.as_object().unwrap().clone()
}

async fn a_session_is_made_with_all_that_is_known_about_it(store: Store) {
    let engine = engine(&talker(), &store);
    let session = user(&engine, "ann").session("s").unwrap();
    let folder = metadata(json!({ "folder": "trips" }));
    let new = NewSession {
        title: Some("Kyoto".into()),
        persona: Some(Persona::cat()),
        metadata: Some(folder.clone()),
        ttl: Some(Duration::from_secs(60)),
    };
    let info = session.create(new).await.unwrap();
    assert_eq!((info.title.as_deref(), info.persona.as_deref()), (Some("Kyoto"), Some("cat")));
    assert_eq!((info.metadata, info.ttl_ms, info.messages), (folder, Some(60_000), 0));

    let again = session.create(NewSession { title: Some("other".into()), ..NewSession::default() }).await.unwrap();
    assert_eq!(again.title.as_deref(), Some("Kyoto"));
    say(&user(&engine, "ann"), "s", "hello").await;
    assert_eq!(session.info().await.unwrap().title.as_deref(), Some("Kyoto"));

    session.set_ttl(None).await.unwrap();
    session.set_metadata(&Metadata::new()).await.unwrap();
    session.rename(" Three\n days ").await.unwrap();
    let info = session.info().await.unwrap();
    assert_eq!((info.ttl_ms, info.metadata, info.title.as_deref()), (None, Metadata::new(), Some("Three days")));
    let large = metadata(json!({ "x": "y".repeat(70_000) }));
    assert_eq!(session.set_metadata(&large).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(session.rename(" \n").await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

async fn the_pinned_stand_first_and_the_archived_elsewhere(store: Store) {
    let engine = engine(&talker(), &store);
    let ann = user(&engine, "ann");
    for name in ["a", "b", "c", "d"] {
        say(&ann, name, "hello").await;
    }
    let version = ann.session("a").unwrap().info().await.unwrap().updated_ms;
    ann.session("a").unwrap().set_pinned(true).await.unwrap();
    ann.session("c").unwrap().set_archived(true).await.unwrap();
    assert_eq!(ann.session("a").unwrap().info().await.unwrap().updated_ms, version);
    assert_eq!(ids(&ann).await[0], "a");
    assert_eq!(ids(&ann).await.iter().collect::<HashSet<_>>(), HashSet::from([&"a".into(), &"b".into(), &"d".into()]));
    let (mut after, mut seen) = (None, vec![]);
    loop {
        let page = ann.sessions(after, 1).await.unwrap();
        seen.extend(page.sessions.iter().map(|session| session.id.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids(&ann).await);
    assert_eq!(ann.archived_sessions(None, 9).await.unwrap().sessions[0].id, id("c"));
    ann.session("c").unwrap().set_archived(false).await.unwrap();
    assert_eq!(ids(&ann).await.len(), 4);
}

async fn many_are_deleted_at_once(store: Store) {
    let engine = engine(&talker(), &store);
    let ann = user(&engine, "ann");
    for n in 0..3 {
        say(&ann, &format!("s{n}"), "hello").await;
    }
    let many = ["s0", "s2", "none"].map(id);
    assert_eq!(user(&engine, "bob").delete(many.clone()).await.unwrap(), 0);
    assert_eq!(ann.delete(many.clone()).await.unwrap(), 2);
    assert_eq!(ann.delete(many).await.unwrap(), 0);
    assert_eq!(ids(&ann).await, ["s1"]);
}

async fn only_the_empty_are_deleted_as_empty(store: Store) {
    let gate = Gate::new();
    let model = Scripted::script([Step::gate(&gate), Step::text("hi"), Step::stop()]);
    let engine = engine(&model, &store);
    let ann = user(&engine, "ann");
    for name in ["empty", "void"] {
        ann.session(name).unwrap().create(NewSession::default()).await.unwrap();
    }
    let reply = ann.session("talk").unwrap().send("hello").await.unwrap();
    assert_eq!(ann.delete_empty().await.unwrap(), 2);
    assert_eq!(ids(&ann).await, ["talk"]);
    gate.open();
    assert_eq!(text_of(&all(reply).await), "hi");
    assert_eq!(ann.delete_empty().await.unwrap(), 0);
}

async fn a_guest_becomes_a_user(store: Store) {
    let engine = engine(&talker(), &store);
    let (guest, ann) = (user(&engine, "guest:1"), user(&engine, "ann"));
    say(&guest, "trip", "three days in Kyoto").await;
    say(&guest, "same", "hello").await;
    say(&ann, "same", "hello").await;
    let refused = ann.claim(guest.owner(), Duration::ZERO).await.unwrap_err();
    assert_eq!((refused.kind(), refused.context("sessions")), (ErrorKind::Conflict, Some(r#"["same"]"#)));
    assert_eq!(ids(&guest).await.len(), 2);
    guest.session("same").unwrap().delete().await.unwrap();
    assert_eq!(ann.claim(guest.owner(), Duration::ZERO).await.unwrap(), 1);
    assert_eq!(ids(&guest).await, [""; 0]);
    assert_eq!(ann.session("trip").unwrap().history(9).await.unwrap()[0].text(), "three days in Kyoto");
    assert_eq!(ann.search("kyoto", None, 9).await.unwrap().hits.len(), 2, "title and question");
    assert_eq!(guest.search("kyoto", None, 9).await.unwrap().hits, []);
    assert_eq!(ann.claim(guest.owner(), Duration::ZERO).await.unwrap(), 0);
    assert_eq!(ann.claim(ann.owner(), Duration::ZERO).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

async fn a_claim_waits_for_running_turns(store: Store) {
    let gate = Gate::new();
    let model = Scripted::script([Step::gate(&gate), Step::text("hi"), Step::stop()]);
    let engine = engine(&model, &store);
    let (guest, ann) = (user(&engine, "guest"), user(&engine, "ann"));
    let reply = guest.session("trip").unwrap().send("hello").await.unwrap();
    let busy = ann.claim(guest.owner(), Duration::ZERO).await.unwrap_err();
    assert_eq!((busy.kind(), busy.turn()), (ErrorKind::Busy, Some(reply.turn())));
    let claim = tokio::spawn({
        let (ann, guest) = (ann.clone(), guest.owner().clone());
        async move { ann.claim(&guest, Duration::from_secs(20)).await }
    });
    gate.open();
    assert_eq!(text_of(&all(reply).await), "hi");
    assert_eq!(claim.await.unwrap().unwrap(), 1);
    assert_eq!(ids(&ann).await, ["trip"]);
}

async fn nothing_is_left_of_an_erased_owner(store: Store) {
    let engine = engine(&talker(), &store);
    let (ann, bob) = (user(&engine, "ann"), user(&engine, "bob"));
    for n in 0..3 {
        say(&ann, &format!("s{n}"), "hello").await;
    }
    say(&bob, "s0", "hello").await;
    let mut told = vec![];
    assert_eq!(ann.erase(|gone| told.push(gone)).await.unwrap(), 3);
    assert_eq!(told.last(), Some(&3));
    assert_eq!(ids(&ann).await, [""; 0]);
    assert_eq!(ann.changes(0, 99).await.unwrap(), []);
    assert_eq!(ann.search("hello", None, 9).await.unwrap().hits, []);
    assert_eq!(ids(&bob).await, ["s0"]);
    assert_eq!(ann.erase(|_| {}).await.unwrap(), 0);
    say(&ann, "s0", "hello again").await;
    assert_eq!(ids(&ann).await, ["s0"]);
}

async fn next_kinds(
    feed: &mut (impl futures_util::Stream<Item = catgpt_core::Result<catgpt_core::News>> + Unpin),
    count: usize,
) -> Vec<ChangeKind> {
    let mut kinds = vec![];
    while kinds.len() < count {
        let news = tokio::time::timeout(Duration::from_secs(20), feed.next()).await.unwrap().unwrap().unwrap();
        kinds.push(news.change.kind);
    }
    kinds
}

async fn a_feed_tells_what_happens_anywhere(store: Store) {
    let (here, there) = (engine(&talker(), &store), engine(&talker(), &store));
    let (ann, far) = (user(&here, "ann"), user(&there, "ann"));
    let mut feed = ann.feed(0);
    say(&user(&here, "bob"), "s", "hello").await;
    say(&ann, "s", "hello").await;
    assert_eq!(next_kinds(&mut feed, 3).await, [Created, TurnBegun, TurnEnded]);
    // What another handle writes is found by looking, unless the store lives in this process alone.
    if store.memory.caps().shared {
        far.session("s").unwrap().rename("Trip").await.unwrap();
        let news = feed.next().await.unwrap().unwrap();
        assert_eq!((news.change.kind, news.info.unwrap().title.as_deref()), (Renamed, Some("Trip")));
    } else {
        ann.session("s").unwrap().rename("Trip").await.unwrap();
        assert_eq!(next_kinds(&mut feed, 1).await, [Renamed]);
    }
    ann.session("s").unwrap().set_pinned(true).await.unwrap();
    ann.session("s").unwrap().delete().await.unwrap();
    assert_eq!(next_kinds(&mut feed, 2).await, [Updated, Deleted]);
    ann.erase(|_| {}).await.unwrap();
    say(&ann, "new", "hello").await;
    assert_eq!(next_kinds(&mut feed, 3).await, [Created, TurnBegun, TurnEnded]);
    here.close(Duration::from_secs(5)).await.unwrap();
    assert_eq!(feed.next().await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(feed.next().await.is_none());
}

async fn a_feed_begins_where_a_list_was_made(store: Store) {
    let engine = engine(&talker(), &store);
    let ann = user(&engine, "ann");
    say(&ann, "old", "hello").await;
    let end = ann.journal_end().await.unwrap();
    assert_eq!(end, 3);
    ann.session("new").unwrap().create(NewSession::default()).await.unwrap();
    let mut feed = ann.feed(end);
    let news = feed.next().await.unwrap().unwrap();
    assert_eq!((news.change.session, news.change.n), (id("new"), 4));
}

fn found(hits: &[SearchHit]) -> Vec<(String, Option<u64>)> {
    hits.iter().map(|hit| (hit.session.id.to_string(), hit.seq)).collect()
}

async fn words_are_found_in_messages_and_titles(store: Store) {
    let engine = engine(&talker(), &store);
    let ann = user(&engine, "ann");
    say(&ann, "trip", "Plan three days in Kyōto").await;
    say(&ann, "work", "Write the report").await;
    say(&user(&engine, "bob"), "trip", "kyoto is mine").await;
    let page = ann.search("kyoto DAYS", None, 9).await.unwrap();
    assert!(page.complete);
    let hits: HashSet<_> = found(&page.hits).into_iter().collect();
    assert_eq!(hits, HashSet::from([("trip".into(), None), ("trip".into(), Some(1))]));
    assert!(page.hits.is_sorted_by(|a, b| a.at_ms >= b.at_ms));
    let marked: Vec<_> = page.hits[0].snippet.iter().filter(|piece| piece.hit).map(|piece| &*piece.text).collect();
    assert_eq!(marked, ["days", "Kyōto"]);

    ann.session("work").unwrap().rename("Kyoto budget").await.unwrap();
    assert_eq!(found(&ann.search("budg", None, 9).await.unwrap().hits), [("work".into(), None)]);
    assert_eq!(ann.search("write the", None, 9).await.unwrap().hits.len(), 1, "the old title is not found");
    let first = ann.search("kyoto", None, 2).await.unwrap();
    let rest = ann.search("kyoto", first.next.clone(), 9).await.unwrap();
    assert_eq!((first.hits.len(), rest.hits.len(), rest.next), (2, 1, None));
    ann.session("trip").unwrap().delete().await.unwrap();
    assert_eq!(found(&ann.search("kyoto", None, 9).await.unwrap().hits), [("work".into(), None)]);
    assert_eq!(ann.search(" ?! ", None, 9).await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

async fn search_can_be_switched_off(store: Store) {
    let engine = Engine::builder().model(talker()).memory(std::sync::Arc::clone(&store.memory)).search(false).build();
    let ann = user(&engine, "ann");
    say(&ann, "s", "hello").await;
    assert_eq!(ann.search("hello", None, 9).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

async fn branches_are_listed_and_chosen(store: Store) {
    let engine = engine(&talker(), &store);
    let ann = user(&engine, "ann");
    let session = ann.session("s").unwrap();
    say(&ann, "s", "one").await;
    say(&ann, "s", "two").await;
    all(session.regenerate(4).await.unwrap()).await;
    all(session.edit(1, "uno").await.unwrap()).await;
    let outline = session.outline().await.unwrap();
    let parents: Vec<_> = outline.iter().map(|node| (node.seq, node.parent)).collect();
    let all_parents = [None, Some(1), Some(2), Some(3), Some(3), None, Some(6)];
    assert_eq!(parents, (1..).zip(all_parents).collect::<Vec<_>>());
    let shape = |branches: Vec<catgpt_core::Branch>| -> Vec<_> {
        branches.into_iter().map(|branch| (branch.head, branch.fork, branch.messages, branch.active)).collect()
    };
    let branches = session.branches().await.unwrap();
    assert_eq!(shape(branches), [(4, None, 4, false), (5, Some(3), 4, false), (7, None, 2, true)]);
    session.select_through(1).await.unwrap();
    assert_eq!(session.info().await.unwrap().head, Some(5));
    session.select(4, None).await.unwrap();
    assert!(session.branches().await.unwrap()[0].active);
    assert_eq!(session.select_through(99).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_branch_becomes_a_session_of_its_own(store: Store) {
    let engine = engine(&talker(), &store);
    let ann = user(&engine, "ann");
    let session = ann.session("s").unwrap();
    session.create(NewSession { metadata: Some(metadata(json!({"a": 1}))), ..NewSession::default() }).await.unwrap();
    say(&ann, "s", "one").await;
    say(&ann, "s", "two").await;
    all(session.edit(3, "zwei").await.unwrap()).await;
    let texts = |messages: Vec<catgpt_core::Message>| messages.iter().map(|message| message.text()).collect::<Vec<_>>();
    let fork = session.fork(id("f"), None).await.unwrap();
    assert_eq!(texts(fork.history(9).await.unwrap()), texts(session.history(9).await.unwrap()));
    assert_eq!(fork.info().await.unwrap().metadata, metadata(json!({"a": 1})));
    let short = session.fork(id("g"), 2).await.unwrap();
    assert_eq!(texts(short.history(9).await.unwrap()).len(), 2);
    all(short.send("three").await.unwrap()).await;
    assert_eq!(short.history(9).await.unwrap().len(), 4);
    assert_eq!(session.info().await.unwrap().messages, 6);
    assert_eq!(session.fork(id("g"), None).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(session.fork(id("h"), 99).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn a_cut_reply_is_gone_on_with(store: Store) {
    let model = Scripted::reply("one, ").then(Scripted::reply("two.")).then(Scripted::reply("three"));
    let engine = engine(&model, &store);
    let ann = user(&engine, "ann");
    let session = ann.session("s").unwrap();
    say(&ann, "s", "count").await;
    assert_eq!(text_of(&all(session.continue_reply(None).await.unwrap()).await), "two.");
    let history = session.history(9).await.unwrap();
    assert_eq!(history.iter().map(|m| m.role).collect::<Vec<_>>(), [Role::User, Role::Assistant, Role::Assistant]);
    assert_eq!((history[2].parent, history[2].status), (Some(2), Status::Complete));
    let asked = &model.requests()[1].messages;
    assert_eq!((asked[2].content.text().as_str(), asked[3].role), ("one, ", Role::User));
    say(&ann, "s", "more").await;
    assert_eq!(model.requests()[2].messages[2].content.text(), "one, two.");
    assert_eq!(session.continue_reply(99).await.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn others_find_nothing_to_change(store: Store) {
    let engine = engine(&talker(), &store);
    say(&user(&engine, "ann"), "s", "hello").await;
    let before = user(&engine, "ann").session("s").unwrap().info().await.unwrap();
    let bob = user(&engine, "bob");
    let theirs = bob.session("s").unwrap();
    let missing = |result: catgpt_core::Result<()>| assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
    missing(theirs.rename("x").await);
    missing(theirs.set_pinned(true).await);
    missing(theirs.set_archived(true).await);
    missing(theirs.set_metadata(&metadata(json!({"a": 1}))).await);
    missing(theirs.set_ttl(None).await);
    missing(theirs.set_persona(&Persona::cat()).await);
    missing(theirs.select(1, None).await);
    missing(theirs.select_through(1).await);
    missing(theirs.delete().await);
    missing(theirs.outline().await.map(drop));
    missing(theirs.branches().await.map(drop));
    missing(theirs.fork(id("f"), None).await.map(drop));
    missing(theirs.continue_reply(2).await.map(drop));
    assert_eq!(bob.search("hello", None, 9).await.unwrap().hits, []);
    assert_eq!(user(&engine, "ann").session("s").unwrap().info().await.unwrap(), before);
    eventually("nothing of bob's", async || ids(&bob).await.is_empty()).await;
}
