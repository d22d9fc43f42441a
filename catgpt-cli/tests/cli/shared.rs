//! Chats in PostgreSQL and answers in Redis, as two machines have them.

use std::process::Command;

use catgpt_core::testkit::refused_url;
use catgpt_core::{Owner, TurnId, live};
use catgpt_scratch::{Database, Redis};
use serde_json::Value;

use crate::support::{Home, finish, told, until};
use crate::terminal::Terminal;

/// What Redis has of an answer of `catgpt --format jsonl`, whose first line names the turn.
fn frames(redis: &Redis, answer: &[u8]) -> Vec<live::Frame> {
    let started: Value = serde_json::Deserializer::from_slice(answer).into_iter().next().unwrap().unwrap();
    let turn: TurnId = started["turn"].as_str().expect("a turn").parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async { live::open(&redis.url()).await?.tail(&Owner::local(), turn, 0).await }).unwrap()
}

fn with(home: &Home, words: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = home.command(words);
    command.envs(variables.iter().copied());
    command
}

#[test]
fn a_chat_in_postgres_goes_on_on_another_machine() {
    let database = Database::new();
    let (here, there, url) = (Home::new(), Home::new(), database.url());
    here.run(&["--memory", &url, "-s", "trip", "hello"]).expect(0);
    let by_variable = |words: &[&str]| finish(with(&there, words, &[("DATABASE_URL", &url)])).expect(0);
    by_variable(&["-s", "trip", "thanks"]);
    assert_eq!(by_variable(&["chats", "--json"]).text().lines().count(), 1);
    let shown = by_variable(&["chats", "show", "trip", "--json"]);
    let messages: Vec<Value> = shown.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let users: Vec<_> = messages.iter().map(told).filter(|(role, ..)| *role == "user").map(|(.., text)| text).collect();
    assert_eq!(users, ["hello", "thanks"]);
    assert!(by_variable(&["doctor"]).text().contains("from DATABASE_URL (works, schema 3, looked in "));
    assert!(!here.db().exists() && !there.db().exists());
}

#[test]
fn an_answer_is_shown_in_redis_if_chats_are_not_the_users_own_file() {
    let (database, redis) = (Database::new(), Redis::start().unwrap());
    let (home, postgres, live) = (Home::new(), database.url(), redis.url());
    let variables = [("DATABASE_URL", postgres.as_str()), ("REDIS_URL", live.as_str())];
    let ran = finish(with(&home, &["--format", "jsonl", "hi"], &variables)).expect(0);
    assert!(frames(&redis, &ran.out).last().expect("frames").last);
    let ran = finish(with(&home, &["--format", "jsonl", "hi"], &variables[1..])).expect(0);
    assert_eq!(frames(&redis, &ran.out), [], "a variable sends nothing of the user's own file anywhere");
    let ran = home.run(&["--live", &live, "--format", "jsonl", "hi"]).expect(0);
    assert!(frames(&redis, &ran.out).last().expect("frames").last);
    assert!(finish(with(&home, &["doctor"], &variables)).expect(0).text().contains("from REDIS_URL (works)"));
}

#[test]
fn servers_that_do_not_answer_are_told_without_a_password() {
    let home = Home::new();
    let place = refused_url();
    let place = place.trim_start_matches("http://").split('/').next().unwrap();
    let (postgres, redis) = (format!("postgres://me:hunter2@{place}/db"), format!("redis://:hunter2@{place}"));
    let ran = finish(with(&home, &["doctor"], &[("DATABASE_URL", &postgres), ("REDIS_URL", &redis)])).expect(1);
    assert_eq!(ran.text().matches("PROBLEM").count(), 2, "{}", ran.text());
    let asked = home.run(&["--memory", &postgres, "hi"]).expect(8);
    assert!(asked.err.contains("--memory") && !format!("{}{}", ran.text(), asked.err).contains("hunter2"), "{asked:?}");
    let answered = home.run(&["--live", &redis, "hi"]).expect(0);
    assert!(!answered.err.contains("hunter2"), "{answered:?}");
    home.run(&["--live", "http://me:hunter2@host", "hi"]).expect(2);
}

#[test]
fn a_terminal_shows_that_a_database_is_waited_for() {
    let (home, database) = (Home::new(), Database::new());
    // Another opener, as it brings the schema to its newest form.
    let opener = "DO $$ BEGIN PERFORM pg_advisory_xact_lock(109270215913588);
        WHILE NOT EXISTS (SELECT FROM pg_class WHERE relname = 'done') LOOP PERFORM pg_sleep(0.01); END LOOP; END $$";
    std::thread::scope(|scope| {
        scope.spawn(|| database.sql(opener));
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        until("the schema is locked", || database.sql(held) == "1");
        let mut terminal = Terminal::run(&home.command(&["chats", "--memory", &database.url()]));
        terminal.see("opening the store …");
        database.sql("CREATE TABLE done ()");
        let shown = terminal.end_raw(0);
        assert!(shown.ends_with("opening the store …\r\x1b[Kcatgpt: there are no chats yet\r\n"), "{shown:?}");
    });
}
