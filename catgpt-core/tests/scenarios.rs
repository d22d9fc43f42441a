//! Plays `spec/scenarios` on each memory: a step is one call, what comes is compared as JSON. Its README has the rules.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on has failed, and says where")]

#[path = "scenarios/calls.rs"]
mod calls;
#[path = "scenarios/kit.rs"]
mod kit;

use std::{
    collections::HashMap,
    fs, mem,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use calls::{ask, call, look, news};
use catgpt_core::{Error, Reply, memory};
use kit::{Fields, Names, asked, cached, check, expect, named, open, policy, scripted, take, take_or};
use serde_json::{Value, from_slice, json};
use tokio::{runtime::Runtime, time::timeout};

const LONG: Duration = Duration::from_secs(10);

#[test]
fn every_scenario_plays_in_memory() {
    play_all(|| "memory:".into());
}

#[cfg(feature = "sqlite")]
#[test]
fn every_scenario_plays_on_sqlite() {
    let mut folder = None;
    play_all(|| format!("sqlite:{}/chat.db", folder.insert(tempfile::tempdir().unwrap()).path().display()));
}

#[cfg(feature = "postgres")]
#[test]
fn every_scenario_plays_on_postgres() {
    let mut database = None;
    play_all(|| database.insert(catgpt_scratch::Database::new()).url());
}

/// Plays each on a store of its own.
fn play_all(mut fresh: impl FnMut() -> String) {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/scenarios")).unwrap();
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut play_on = |path: &Path| {
        let mut scenario: Fields = from_slice(&fs::read(path).unwrap()).unwrap();
        // All stores here are the library's own.
        scenario.remove("built_in");
        assert_eq!(scenario["name"].as_str(), path.file_stem().unwrap().to_str());
        play(scenario, &fresh());
    };
    let played: Vec<_> = files.map(|path| (catch_unwind(AssertUnwindSafe(|| play_on(&path))).is_ok(), path)).collect();
    assert!(!played.is_empty() && played.iter().all(|(ok, _)| *ok), "{played:#?}");
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
                "history" | "tree" | "models" | "import" | "export" => {
                    let (want, got) = look(&verb, &engine, &session, &user, &mut step).await?;
                    check(&mut names, &take(&mut step, want), &got);
                }
                "news" => check(&mut names, &step["news"].clone(), &news(&user, &mut step).await?),
                "session" | "user" => {
                    let (gives, got) = (step.remove("gives"), call(&verb, &user, &session, &mut step).await?);
                    check(&mut names, gives.as_ref().unwrap_or(&got), &got);
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
