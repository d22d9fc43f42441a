//! Plays `spec/scenarios` on each memory: a step is one call, what comes is compared as JSON. Its README has the rules.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on has failed, and says where")]

#[path = "scenarios/kit.rs"]
mod kit;

use std::{collections::HashMap, fs, mem, panic::catch_unwind, path::Path, time::Duration};

use catgpt_core::{Busy, Engine, Error, Reply, Result, Send, Session, Source, UsageQuery, User, memory};
use futures_util::TryStreamExt;
use kit::{Fields, Names, asked, cached, check, content, expect, keys, named, open, policy, scripted, take, take_or};
use serde_json::{Value, from_slice, json};
use tokio::{runtime::Runtime, time::timeout};

const LONG: Duration = Duration::from_secs(10);

#[test]
fn every_scenario_plays_on_every_memory() {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/scenarios")).unwrap();
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let played: Vec<_> = files.map(|path| (catch_unwind(|| play_on_all(&path)).is_ok(), path)).collect();
    assert!(!played.is_empty() && played.iter().all(|(ok, _)| *ok), "{played:#?}");
}

fn play_on_all(path: &Path) {
    let (scenario, folder): (Fields, _) = (from_slice(&fs::read(path).unwrap()).unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(scenario["name"].as_str(), path.file_stem().unwrap().to_str());
    play(scenario.clone(), "memory:");
    if cfg!(feature = "sqlite") {
        play(scenario.clone(), &format!("sqlite:{}/chat.db", folder.path().display()));
    }
    #[cfg(feature = "postgres")]
    play(scenario, &catgpt_scratch::Database::new().url());
}

fn play(mut scenario: Fields, url: &str) {
    let [_, about] = ["name", "about"].map(|name| take::<String>(&mut scenario, name));
    let (model, gates) = scripted(take(&mut scenario, "models"));
    let (asks, policy) = (cached(&model, take(&mut scenario, "cache")), policy(&mut scenario));
    let (steps, persona): (Vec<Fields>, _) = (take(&mut scenario, "steps"), take(&mut scenario, "persona"));
    assert!(scenario.is_empty() && steps.iter().any(|step| step["do"] == "expect"), "unknown or idle: {scenario:?}");
    let mut runtime = Runtime::new().unwrap();
    let mut memory = runtime.block_on(memory::open(url)).unwrap();
    let mut engine = open(&asks, &memory, persona, &policy);
    let (mut names, mut replies) = (Names::new(), HashMap::<String, Reply>::new());
    for mut step in steps {
        eprintln!("{about} {url} {}", json!(step));
        let (verb, error): (String, _) = (take(&mut step, "do"), take(&mut step, "error"));
        if verb == "crash" {
            mem::replace(&mut runtime, Runtime::new().unwrap()).shutdown_timeout(LONG);
        }
        let playing = async {
            let user = engine.user(take_or(&mut step, "owner", "alice"))?;
            let session = user.session(take_or(&mut step, "session", "chat"))?;
            match verb.as_str() {
                "cancel" => user.cancel(named(&names, &mut step)).await?,
                "drop" => drop(replies.remove(&take_or(&mut step, "reply", "reply")).unwrap()),
                "open" => gates[&take::<String>(&mut step, "gate")].open(),
                "expect" => {
                    let reply = replies.get_mut(&take_or(&mut step, "reply", "reply")).unwrap();
                    expect(&mut names, reply, take(&mut step, "events")).await;
                }
                "history" | "tree" | "models" | "usage" | "limits" | "import" | "export" => {
                    let want = take(&mut step, seen_in(&verb));
                    check(&mut names, &want, &look(&verb, &engine, &session, &user, &mut step).await?);
                }
                "asked" => check(&mut names, &mem::take(&mut step).into(), &asked(&model)),
                "crash" | "reopen" => {
                    replies.clear();
                    if verb == "reopen" && memory.caps().durable {
                        engine.close(LONG).await?;
                    }
                    if memory.caps().durable {
                        memory = memory::open(url).await?;
                    }
                    engine = open(&asks, &memory, take(&mut step, "persona"), &policy);
                }
                verb => {
                    let name = take_or(&mut step, "reply", "reply");
                    replies.insert(name, ask(verb, &user, &session, &names, &mut step).await?);
                }
            }
            Ok::<(), Error>(())
        };
        let played = runtime.block_on(async { timeout(LONG, playing).await.expect("the step hangs") });
        check(&mut names, &error, &played.map_or_else(|error| json!(error.info()), |()| Value::Null));
        assert!(step.is_empty(), "unknown: {step:?}");
    }
    runtime.block_on(engine.close(LONG)).unwrap();
}

/// The field of a step that says what it wants to see.
fn seen_in(verb: &str) -> &str {
    match verb {
        "history" | "tree" => "messages",
        "import" => "report",
        "export" => "text",
        verb => verb,
    }
}

/// What a step wants to see.
async fn look(verb: &str, engine: &Engine, session: &Session, user: &User, step: &mut Fields) -> Result<Value> {
    Ok(match verb {
        "history" => json!(session.history(100).await?),
        "tree" => json!(session.tree(0, 100).await?),
        "models" => json!(engine.models().await?),
        "limits" => json!(user.limits(None, keys(step)).await?),
        "import" => json!(user.import(Source::bytes(take::<String>(step, "text"))).await?),
        "export" => json!(session.export(take(step, "format")).stream().try_collect::<String>().await?),
        _ => {
            let by = take::<Option<_>>(step, "by").unwrap_or_default();
            json!(user.usage(UsageQuery { by, ..UsageQuery::default() }).await?)
        }
    })
}

async fn ask(verb: &str, user: &User, session: &Session, names: &Names, step: &mut Fields) -> Result<Reply> {
    let send = match verb {
        "send" => session.send(content(step)),
        "edit" => session.edit(take(step, "seq"), content(step)),
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
