//! Whatever changes sessions, with a store whose first answers get lost after it has written: what is repeated is done once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, dead_code, reason = "the module is another test program's")]

#[path = "hostile/store.rs"]
mod store;

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::event::ChangeKind::{self, Created, Deleted, Renamed, TurnBegun, TurnEnded, Updated};
use catgpt_core::{Engine, Metadata, NewMessage, NewSession, Owner, Persona, Role, Scripted, Session, SessionId, User};
use futures_util::future::BoxFuture;
use serde_json::json;
use store::{Call, Fault, Hostile};

type Work = fn(User, Session) -> BoxFuture<'static, u64>;

/// Each change, what it gives, and what the journal says of it.
const CHANGES: [(&str, Work, u64, &[ChangeKind]); 17] = [
    (
        "create",
        |_, it| Box::pin(async move { it.create(NewSession::default()).await.unwrap().messages }),
        0,
        &[Created],
    ),
    ("rename", |_, it| Box::pin(async move { done(it.rename("Trip").await) }), 0, &[Renamed]),
    ("set_pinned", |_, it| Box::pin(async move { done(it.set_pinned(true).await) }), 0, &[Updated]),
    ("set_archived", |_, it| Box::pin(async move { done(it.set_archived(true).await) }), 0, &[Updated]),
    ("set_metadata", |_, it| Box::pin(async move { done(it.set_metadata(&metadata()).await) }), 0, &[Updated]),
    ("set_ttl", |_, it| Box::pin(async move { done(it.set_ttl(Some(Duration::from_secs(60))).await) }), 0, &[Updated]),
    ("set_persona", |_, it| Box::pin(async move { done(it.set_persona(&Persona::cat()).await) }), 0, &[Updated]),
    (
        "send",
        |_, it| Box::pin(async move { it.send("Hi").await.unwrap().result().await.unwrap().stored }),
        2,
        &[TurnBegun, TurnEnded],
    ),
    (
        "continue_reply",
        |_, it| Box::pin(async move { it.continue_reply(2).await.unwrap().result().await.unwrap().stored }),
        2,
        &[TurnBegun, TurnEnded],
    ),
    (
        "append",
        |_, it| {
            Box::pin(async move { it.append([NewMessage::new(Role::User, "x")]).after(2).await.unwrap().len() as u64 })
        },
        1,
        &[Updated],
    ),
    ("select", |_, it| Box::pin(async move { done(it.select(2, None).await) }), 0, &[Updated]),
    ("select_through", |_, it| Box::pin(async move { done(it.select_through(1).await) }), 0, &[Updated]),
    (
        "fork",
        |_, it| Box::pin(async move { it.fork(id("copy"), 2).await.unwrap().info().await.unwrap().messages }),
        2,
        &[Created],
    ),
    ("delete many", |user, _| Box::pin(async move { user.delete([id("copy")]).await.unwrap() }), 1, &[Deleted]),
    ("delete", |_, it| Box::pin(async move { done(it.delete().await) }), 0, &[Deleted]),
    ("delete empty", |user, _| Box::pin(async move { user.delete_empty().await.unwrap() }), 1, &[Deleted]),
    ("claim", |user, _| Box::pin(async move { user.claim(&guest(), Duration::ZERO).await.unwrap() }), 1, &[Created]),
];

fn done(done: catgpt_core::Result<()>) -> u64 {
    done.unwrap();
    0
}

fn id(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

fn guest() -> Owner {
    Owner::new("guest").unwrap()
}

fn metadata() -> Metadata {
    json!({ "folder": "travel" }).as_object().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn every_change_of_unknown_outcome_is_made_once() {
    let memory: Arc<Hostile> = Hostile::new();
    let model = Scripted::reply("hi");
    let engine = Engine::builder().model(model.clone()).memory(Arc::clone(&memory)).build();
    let (user, session) = (engine.user("ann").unwrap(), engine.user("ann").unwrap().session("s").unwrap());
    engine.user("guest").unwrap().session("g").unwrap().create(NewSession::default()).await.unwrap();
    user.session("empty").unwrap().create(NewSession::default()).await.unwrap();
    let mut known = 1;
    for (name, work, gives, kinds) in CHANGES {
        memory.heal();
        let writes = [Call::Begin, Call::Finish, Call::Apply];
        writes.into_iter().for_each(|call| memory.next(call, [Fault::Lost, Fault::Lost]));
        assert_eq!(work(user.clone(), session.clone()).await, gives, "{name}");
        let told: Vec<_> = user.changes(known, 99).await.unwrap().into_iter().map(|change| change.kind).collect();
        assert_eq!(told, kinds, "{name}");
        assert!(writes.iter().any(|call| memory.left(*call) == 0), "{name}: no answer was lost");
        known += told.len() as u64;
    }
    memory.heal();
    assert_eq!(model.asked(), 2);
    assert_eq!(
        user.sessions(None, 9).await.unwrap().sessions.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(),
        ["g"]
    );
    memory.next(Call::Apply, [Fault::Lost]);
    assert_eq!(
        user.erase(|_| {}).await.unwrap(),
        0,
        "an answer that was lost with what it told of cannot be told again"
    );
    assert_eq!(user.sessions(None, 9).await.unwrap().sessions, []);
}
