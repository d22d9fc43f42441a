//! The calls of the scenarios: the methods of a user and of a session by their names.

use std::collections::VecDeque;
use std::time::Duration;

use catgpt_core::memory::Cursor;
use catgpt_core::{
    Append, Busy, Content, Engine, Metadata, NewMessage, NewSession, Owner, Persona, Reply, Result, Send, Session,
    SessionId, Source, UsageQuery, User,
};
use futures_util::{StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::kit::{Fields, Names, content, keys, named, take, take_or};

/// What a call is given: in order, and by name.
struct Given {
    with: VecDeque<Value>,
    options: Fields,
}

impl Given {
    fn of(step: &mut Fields) -> Self {
        let options = take::<Option<Fields>>(step, "options").unwrap_or_default();
        Self { with: take::<Option<VecDeque<Value>>>(step, "with").unwrap_or_default(), options }
    }

    fn next<T: DeserializeOwned>(&mut self) -> T {
        serde_json::from_value(self.with.pop_front().unwrap_or_default()).expect("what the call takes")
    }

    fn named<T: DeserializeOwned>(&mut self, name: &str) -> T {
        take(&mut self.options, name)
    }
}

/// A call of this user or this session, and what it gives as JSON.
pub(crate) async fn call(on: &str, user: &User, session: &Session, step: &mut Fields) -> Result<Value> {
    let (name, mut given): (String, _) = (take(step, "call"), Given::of(step));
    let got = if on == "user" {
        of_user(user, &name, &mut given).await?
    } else {
        of_session(session, &name, &mut given).await?
    };
    assert!(given.with.is_empty() && given.options.is_empty(), "unknown: {:?} {:?}", given.with, given.options);
    Ok(got)
}

async fn of_user(user: &User, name: &str, given: &mut Given) -> Result<Value> {
    Ok(match name {
        "sessions" => {
            let (after, limit) =
                (given.named::<Option<Cursor>>("after"), given.named::<Option<u32>>("limit").unwrap_or(100));
            match given.named::<Option<bool>>("archived") {
                Some(true) => json!(user.archived_sessions(after, limit).await?),
                _ => json!(user.sessions(after, limit).await?),
            }
        }
        "delete" => json!(user.delete(given.next::<Vec<SessionId>>()).await?),
        "delete_empty" => json!(user.delete_empty().await?),
        "erase" => json!(user.erase(|_| {}).await?),
        "claim" => json!(user.claim(&Owner::new(given.next::<String>())?, Duration::from_secs(10)).await?),
        "search" => {
            let (question, limit) = (given.next::<String>(), given.named::<Option<u32>>("limit").unwrap_or(100));
            json!(user.search(&question, given.named("after"), limit).await?)
        }
        "index" => json!(user.index(|_| {}).await?),
        "usage" => {
            let by = given.named::<Option<_>>("by").unwrap_or_default();
            json!(user.usage(UsageQuery { by, ..UsageQuery::default() }).await?)
        }
        "limits" => json!(user.limits(None, keys(&mut given.options)).await?),
        "turns" => json!(user.turns().await?),
        "changes" => json!(user.changes(0, 100).await?),
        _ => panic!("unknown: {name}"),
    })
}

async fn of_session(session: &Session, name: &str, given: &mut Given) -> Result<Value> {
    Ok(match name {
        "create" => {
            let persona =
                given.named::<Option<String>>("persona").map(|name| Persona::builtin(&name).expect("a persona"));
            let (title, metadata) = (given.named("title"), given.named("metadata"));
            json!(session.create(NewSession { title, persona, metadata, ttl: None }).await?)
        }
        "info" => json!(session.info().await?),
        "history" => json!(session.history(100).await?),
        "page" => {
            let last = given.named::<Option<u32>>("last").unwrap_or(100);
            json!(session.page(given.named::<Option<u64>>("head"), last).await?)
        }
        "tree" => json!(session.tree(0, 100).await?),
        "make_title" => json!(session.make_title().await?),
        "summaries" => json!(session.summaries().await?),
        "summarize" => json!(session.summarize(given.named::<Option<u64>>("upto")).await?),
        "set_summary" => json!(session.set_summary(given.next()).await?),
        "outline" => json!(session.outline().await?),
        "branches" => json!(session.branches().await?),
        "resume" => json!(session.resume().await?.map(|reply| reply.turn())),
        "rename" => json!(session.rename(&given.next::<String>()).await?),
        "set_pinned" => json!(session.set_pinned(given.next()).await?),
        "set_archived" => json!(session.set_archived(given.next()).await?),
        "set_metadata" => json!(session.set_metadata(&given.next()).await?),
        "set_ttl" => json!(session.set_ttl(given.next::<Option<u64>>().map(Duration::from_secs)).await?),
        "set_persona" => {
            json!(session.set_persona(&Persona::builtin(&given.next::<String>()).expect("a persona")).await?)
        }
        "select" => json!(session.select(given.next(), given.named("if_version")).await?),
        "select_through" => json!(session.select_through(given.next()).await?),
        "fork" => {
            let fork = session.fork(given.next(), given.named::<Option<u64>>("upto")).await?;
            json!({ "id": fork.id() })
        }
        "append" => {
            let messages: Vec<_> = given.next::<Vec<Fields>>().into_iter().map(line).collect();
            json!(placed(session.append(messages), given).await?)
        }
        "delete" => match given.named::<Option<u64>>("if_version") {
            Some(version) => json!(session.delete_if(version).await?),
            None => json!(session.delete().await?),
        },
        _ => panic!("unknown: {name}"),
    })
}

/// What a step wants to see, and the field that says what it must be.
pub(crate) async fn look(
    verb: &str,
    engine: &Engine,
    session: &Session,
    user: &User,
    step: &mut Fields,
) -> Result<(&'static str, Value)> {
    Ok(match verb {
        "history" => ("messages", json!(session.history(100).await?)),
        "tree" => ("messages", json!(session.tree(0, 100).await?)),
        "models" => ("models", json!(engine.models().await?)),
        "import" => ("report", json!(user.import(Source::bytes(take::<String>(step, "text"))).await?)),
        _ => {
            let pieces: Vec<_> = session.export(take(step, "format")).stream().try_collect().await?;
            ("text", json!(pieces.concat()))
        }
    })
}

/// As much of the feed as the step names.
pub(crate) async fn news(user: &User, step: &mut Fields) -> Result<Value> {
    let (news, after) = (take::<Vec<Value>>(step, "news"), take::<u64>(step, "after"));
    assert!(!news.is_empty(), "expecting nothing cannot fail");
    let told: Vec<_> = user.feed(after).take(news.len()).collect().await;
    Ok(json!(told.into_iter().collect::<Result<Vec<_>>>()?))
}

/// What makes a Reply.
pub(crate) async fn ask(verb: &str, user: &User, session: &Session, names: &Names, step: &mut Fields) -> Result<Reply> {
    let send = match verb {
        "send" => session.send(content(step)),
        "edit" => session.edit(take(step, "seq"), content(step)),
        "send_after" => session.send_after(take(step, "seq"), content(step)),
        "continue_reply" => session.continue_reply(take::<Option<u64>>(step, "seq")),
        "regenerate" => session.regenerate(take::<Option<u64>>(step, "seq")),
        "attach" => return user.attach(named(names, step), take(step, "from")).await,
        "resume" => return Ok(session.resume().await?.expect("a turn runs here")),
        _ => panic!("unknown: {verb}"),
    };
    let send = take::<Option<String>>(step, "key").into_iter().fold(send, Send::key);
    let send = keys(step).into_iter().fold(send, |send, (key, value)| send.limit_key(key, value));
    match take_or(step, "busy", "reject").as_str() {
        "reject" => send.await,
        "interrupt" => send.busy(Busy::Interrupt).await,
        busy => panic!("unknown: {busy}"),
    }
}

/// A message that was written elsewhere.
fn line(mut fields: Fields) -> NewMessage {
    let content = match take::<Value>(&mut fields, "content") {
        Value::String(text) => text.into(),
        parts => serde_json::from_value::<Content>(parts).expect("parts"),
    };
    let mut message = NewMessage::new(take(&mut fields, "role"), content);
    message.status = take::<Option<_>>(&mut fields, "status").unwrap_or(message.status);
    (message.model, message.usage) = (take(&mut fields, "model"), take(&mut fields, "usage"));
    assert!(fields.is_empty(), "unknown: {fields:?}");
    message
}

fn placed(append: Append, given: &mut Given) -> Append {
    let append = match given.named::<Value>("after") {
        Value::Null => append,
        Value::String(start) if start == "start" => append.after(None),
        seq => append.after(seq.as_u64().expect("a message's number")),
    };
    let append = given.named::<Option<u64>>("if_version").into_iter().fold(append, Append::if_version);
    given.named::<Option<Metadata>>("metadata").into_iter().fold(append, Append::metadata)
}
