//! `chats` and `doctor`.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Home, Server, finish};

#[test]
fn a_list_in_a_pipe_is_for_programs() {
    let home = Home::new();
    for chat in ["trip", "notes"] {
        home.run(&["-s", chat, "Plan three\tdays"]).expect(0);
    }
    let ran = home.run(&["chats"]).expect(0);
    let rows: Vec<Vec<_>> = ran.text().lines().map(|line| line.split('\t').collect()).collect();
    let columns: Vec<_> = rows.iter().map(|row| (row[0], row[2], row.len())).collect();
    assert_eq!(columns, [("notes", "2", 4), ("trip", "2", 4)]);
    assert!(rows[0][1].ends_with('Z') && rows[0][3].starts_with("Plan three"), "{rows:?}");
    assert_eq!(home.run(&["chats", "list"]).expect(0).out, ran.out);
    assert_eq!(home.run(&["chats", "-n", "1"]).expect(0).text().lines().count(), 1);

    let ran = home.run(&["chats", "--json"]).expect(0);
    let ids: Vec<_> =
        ran.text().lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].take()).collect();
    assert_eq!(ids, ["notes", "trip"]);
}

#[test]
fn no_chats_are_no_error() {
    let ran = Home::new().run(&["chats"]).expect(0);
    assert_eq!((ran.text(), ran.err.as_str()), ("", "catgpt: there are no chats yet\n"));
}

#[test]
fn a_message_is_shown_exactly_as_it_is_stored() {
    let (home, server) = (Home::new(), Server::start());
    let mut command = server.command(&home, "mock,n=40", &["-s", "trip"]);
    let said = "  a\r\n\t\"b\" 🙂\u{1b}[31m\n\n";
    command.stdin(Stdio::piped());
    let answer = crate::support::finish_with(command, said.as_bytes()).expect(0);
    assert_eq!(home.run(&["chats", "show", "trip", "1"]).expect(0).text(), said);
    for which in ["2", "last"] {
        assert_eq!(home.run(&["chats", "show", "trip", which]).expect(0).out, answer.out);
    }
    for which in ["0", "3"] {
        let ran = home.run(&["chats", "show", "trip", which]).expect(3);
        assert!(ran.err.contains("no such message"), "{}", ran.err);
    }
}

#[test]
fn a_chat_is_shown_with_who_said_what() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock,n=4", &["-s", "trip", "hi"]).expect(0);
    server.run(&home, "mock,n=8,f=cut,k=4", &["-s", "trip", "more"]).expect(6);
    let ran = home.run(&["chats", "show", "trip"]).expect(0);
    let lines: Vec<_> = ran
        .text()
        .lines()
        .map(|line| match line.starts_with("── ") {
            // The time differs.
            true => line
                .split(" · ")
                .enumerate()
                .filter(|(n, _)| *n != 2)
                .map(|(_, part)| part)
                .collect::<Vec<_>>()
                .join(" · "),
            false => line.to_owned(),
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    ── 1 · you
    hi

    ── 2 · mock,n=4
     the quick brown

    ── 3 · you
    more

    ── 4 · mock,n=8,f=cut,k=4 · interrupted (truncated)
     the quick brown
    ");
}

#[test]
fn the_doctor_says_what_is_used() {
    let home = Home::new();
    let ran = home.run(&["doctor"]).expect(0);
    for part in ["offline cat", "OPENAI_API_KEY", "cat, plain", "not there yet"] {
        assert!(ran.text().contains(part), "{part}: {}", ran.text());
    }
    assert!(!home.db().exists(), "looking makes no store");

    let url = home.run(&["doctor", "--memory", "sqlite:typo.db"]).expect(0);
    assert!(url.text().contains("from --memory (not there yet"), "{}", url.text());
    assert!(!home.path().join("typo.db").exists(), "looking makes no store");

    let server = Server::start();
    server.run(&home, "mock", &["hi"]).expect(0);
    let mut command = server.command(&home, "mock", &["doctor"]);
    command.env("OPENAI_API_KEY", "sk-hunter2");
    let ran = finish(command).expect(0);
    for part in ["mock", "from OPENAI_API_KEY", "accepts connections", "works, schema 2, looked in "] {
        assert!(ran.text().contains(part), "{part}: {}", ran.text());
    }
    assert!(!ran.text().contains("hunter2"));
}

#[test]
fn the_doctor_says_what_is_wrong() {
    let home = Home::new();
    let mut command = home.command(&["doctor"]);
    command.env("OPENAI_BASE_URL", catgpt_core::testkit::refused_url()).env("DATABASE_URL", "sqlite:none/chat.db");
    let ran = finish(command).expect(1);
    assert_eq!(ran.text().matches("PROBLEM").count(), 2, "{}", ran.text());
    assert!(ran.text().contains("its folder is not there"), "{}", ran.text());
    fs::write(home.path().join("notes.txt"), "not a store").unwrap();
    let ran = home.run(&["doctor", "--memory", "sqlite:notes.txt"]).expect(1);
    assert!(ran.text().contains("store     PROBLEM"), "{}", ran.text());
    let mut command = home.command(&["doctor"]);
    command.env("OPENAI_MODEL", "gpt-4o");
    assert!(finish(command).expect(1).text().contains("OPENAI_API_KEY"));
}

/// The titles of all chats, the one used last first.
fn titles(home: &Home) -> Vec<String> {
    let ran = home.run(&["chats"]).expect(0);
    ran.text().lines().filter_map(|line| line.split('\t').nth(3).map(str::to_owned)).collect()
}

#[test]
fn a_model_makes_a_title_when_it_is_asked_to() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock,n=4", &["-s", "trip", "Plan three days"]).expect(0);
    assert_eq!((titles(&home), server.requests().len()), (vec!["Plan three days".to_owned()], 1));
    assert_eq!(server.run(&home, "mock,n=4", &["chats", "title", "trip"]).expect(0).text(), "the quick brown\n");
    server.run(&home, "mock,n=4", &["--title", "-s", "food", "What to eat?"]).expect(0);
    server.run(&home, "mock,n=4", &["--title", "-s", "food", "And to drink?"]).expect(0);
    assert_eq!(titles(&home), ["the quick brown", "the quick brown"]);
    assert_eq!(server.requests().len(), 5);
    let ran = home.run(&["chats", "title", "trip"]).expect(4);
    assert!(ran.err.contains("OPENAI_API_KEY"), "{}", ran.err);
    server.run(&home, "mock,n=4", &["chats", "title", "nowhere"]).expect(3);
}

#[test]
fn a_chat_is_summed_up_and_that_is_taken_back() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock,n=4", &["-s", "trip", "Plan three days"]).expect(0);
    assert_eq!(server.run(&home, "mock,n=4", &["chats", "summarize", "trip"]).expect(0).text(), "the quick brown\n");
    server.run(&home, "mock,n=4", &["-s", "trip", "and a fourth"]).expect(0);
    let told = server.asked();
    let said: Vec<_> = told.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(said, ["system", "system", "user"], "{told:?}");
    assert!(told[1].1.ends_with("the quick brown"), "{told:?}");

    server.run(&home, "mock,n=6", &["chats", "summarize", "trip"]).expect(0);
    assert_eq!(home.run(&["chats", "summarize", "trip", "--undo"]).expect(0).text(), "the quick brown\n");
    let ran = home.run(&["chats", "summarize", "trip", "--undo"]).expect(0);
    assert_eq!((ran.text(), ran.err.as_str()), ("", "catgpt: the chat goes on without a summary\n"));
    home.run(&["chats", "summarize", "trip", "--undo"]).expect(3);
    home.run(&["chats", "summarize", "trip", "--upto", "2"]).expect(4);
    assert_eq!(home.messages("trip").len(), 4);
}
