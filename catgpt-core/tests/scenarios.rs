//! Plays `spec/scenarios` on each memory: a step is one call, what comes is compared as JSON. Its README has the rules.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on has failed, and says where")]

#[path = "scenarios/calls.rs"]
mod calls;
#[path = "scenarios/kit.rs"]
mod kit;

use std::{collections::HashMap, fs, mem, panic::catch_unwind, path::Path, time::Duration};

use calls::{ask, call, look, news};
use catgpt_core::{Engine, Error, Reply, Result, Session, User, memory};
use kit::{Fields, Names, asked, cached, check, expect, named, open, policy, scripted, take, take_or};
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
    let (mut scenario, folder): (Fields, _) =
        (from_slice(&fs::read(path).unwrap()).unwrap(), tempfile::tempdir().unwrap());
    // All stores here are the library's own.
    scenario.remove("built_in");
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
            let (user, session) = places(&engine, &mut step)?;
            match verb.as_str() {
                "cancel" => user.cancel(named(&names, &mut step)).await?,
                "drop" => drop(replies.remove(&take_or(&mut step, "reply", "reply")).unwrap()),
                "open" => gates[&take::<String>(&mut step, "gate")].open(),
                "expect" => {
                    let reply = replies.get_mut(&take_or(&mut step, "reply", "reply")).unwrap();
                    expect(&mut names, reply, take(&mut step, "events")).await;
                }
                "news" => check(&mut names, &step["news"].clone(), &news(&user, &mut step).await?),
                "session" | "user" => {
                    let (gives, got) = (step.remove("gives"), call(&verb, &user, &session, &mut step).await?);
                    check(&mut names, gives.as_ref().unwrap_or(&got), &got);
                }
                "history" | "tree" | "models" | "import" | "export" => {
                    let (want, got) = look(&verb, &engine, &user, &session, &mut step).await?;
                    check(&mut names, &want, &got);
                }
                "asked" => check(&mut names, &mem::take(&mut step).into(), &asked(&model)),
                "crash" | "reopen" => {
                    replies.clear();
                    if memory.caps().durable {
                        if verb == "reopen" {
                            engine.close(LONG).await?
                        }
                        memory = memory::open(url).await?;
                    }
                    engine = open(&asks, &memory, take(&mut step, "persona"), &policy);
                }
                verb => drop(replies.insert(
                    take_or(&mut step, "reply", "reply"),
                    ask(verb, &user, &session, &names, &mut step).await?,
                )),
            }
            Ok::<(), Error>(())
        };
        let played = runtime.block_on(async { timeout(LONG, playing).await.expect("the step hangs") });
        check(&mut names, &error, &played.map_or_else(|error| json!(error.info()), |()| Value::Null));
        assert!(step.is_empty(), "unknown: {step:?}");
    }
    runtime.block_on(engine.close(LONG)).unwrap();
}

fn places(engine: &Engine, step: &mut Fields) -> Result<(User, Session)> {
    let user = engine.user(take_or(step, "owner", "alice"))?;
    let session = user.session(take_or(step, "session", "chat"))?;
    Ok((user, session))
}
