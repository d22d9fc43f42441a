//! Ends before the end: signals, readers that go away, and terminals.

use std::fs::File;
use std::io::Read;
use std::process::Child;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, Server, end, finish, on_terminal, read, signal, told, until};

/// Long enough that no test sees its end.
const SLOW: &str = "mock,n=100000,d=10";

/// Begins a slow answer and reads its first words.
fn begin(server: &Server, home: &Home, words: &[&str]) -> Child {
    let mut child = server.command(home, SLOW, words).spawn().unwrap();
    assert_eq!(read(child.stdout.as_mut().unwrap(), 10), b" the quick");
    child
}

/// What is stored of the chat's last answer.
#[track_caller]
fn kept(home: &Home, chat: &str, status: &str) -> String {
    let messages = home.messages(chat);
    let (role, found, text) = told(messages.last().unwrap());
    assert_eq!((role, found), ("assistant", status));
    text
}

#[test]
fn ctrl_c_stops_the_answer_and_keeps_it() {
    let (home, server) = (Home::new(), Server::start());
    let child = begin(&server, &home, &["-s", "trip", "hi"]);
    signal(&child, Signal::INT);
    let ran = end(child).expect(130);
    server.hung_up(0);
    // What was shown is what is stored.
    let shown = [b" the quick".as_slice(), &ran.out].concat();
    assert_eq!(kept(&home, "trip", "cancelled").as_bytes(), shown);
    let alone = home.run(&["chats", "show", "trip", "last"]).expect(0);
    assert_eq!(alone.out, shown);
    assert!(alone.err.contains("cancelled"), "{}", alone.err);
    assert!(home.run(&["chats", "show", "trip"]).expect(0).text().contains(" · cancelled\n"));
    home.run(&["-s", "trip", "go on"]).expect(0);
}

#[test]
fn ctrl_c_before_the_first_word_keeps_the_question() {
    let (home, server) = (Home::new(), Server::start());
    let child = server.command(&home, "mock,f=silence,k=0", &["-s", "trip", "hi"]).spawn().unwrap();
    until("a request", || !server.requests().is_empty());
    signal(&child, Signal::INT);
    assert_eq!(end(child).expect(130).text(), "");
    assert_eq!(kept(&home, "trip", "cancelled"), "");
}

#[test]
fn other_signals_store_the_answer_too() {
    for (name, sent, code) in [("term", Signal::TERM, 143), ("hup", Signal::HUP, 129)] {
        let (home, server) = (Home::new(), Server::start());
        let child = begin(&server, &home, &["-s", name, "hi"]);
        signal(&child, sent);
        end(child).expect(code);
        assert!(kept(&home, name, "interrupted").starts_with(" the quick"));
    }
}

#[test]
fn ctrl_c_twice_does_not_wait_for_the_store() {
    let (home, server) = (Home::new(), Server::start());
    let child = begin(&server, &home, &["-s", "trip", "hi"]);
    // Whoever writes keeps others from writing.
    let other = rusqlite::Connection::open(home.db()).unwrap();
    until("the store's lock", || other.execute_batch("BEGIN IMMEDIATE").is_ok());
    signal(&child, Signal::INT);
    server.hung_up(0);
    signal(&child, Signal::INT);
    end(child).expect(130);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(told(&home.messages("trip")[0]).2, "hi");
}

#[test]
fn json_is_whole_also_after_ctrl_c() {
    let (home, server) = (Home::new(), Server::start());
    let child = server.command(&home, SLOW, &["--json", "-s", "trip", "hi"]).spawn().unwrap();
    until("text in the store", || home.latest().is_some_and(|message| !told(&message).2.is_empty()));
    signal(&child, Signal::INT);
    let ran = end(child).expect(130);
    let object: Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(object["status"], "cancelled");
    assert_eq!(object["text"].as_str().unwrap(), kept(&home, "trip", "cancelled"));
}

#[test]
fn a_reader_that_goes_away_stops_the_answer_quietly() {
    let (home, server) = (Home::new(), Server::start());
    let mut child = begin(&server, &home, &["-s", "trip", "hi"]);
    drop(child.stdout.take());
    let ran = end(child).expect(141);
    assert_eq!(ran.err.replace("catgpt: a new chat: trip\n", ""), "");
    server.hung_up(0);
    assert!(kept(&home, "trip", "cancelled").starts_with(" the quick"));
}

#[test]
fn a_list_that_nobody_reads_ends_quietly() {
    let home = Home::new();
    home.run(&["hi"]).expect(0);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = home.command(&["chats"]);
    command.stdout(writer);
    assert_eq!(finish(command).expect(141).err, "");
}

#[test]
fn a_full_disk_under_stdout_is_an_error() {
    let home = Home::new();
    let mut command = home.command(&["-q", "hi"]);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    let ran = finish(command).expect(1);
    assert!(ran.err.contains("stdout cannot be written"), "{}", ran.err);
}

#[test]
fn a_reader_that_does_not_read_does_not_stop_the_turn() {
    let (home, server) = (Home::new(), Server::start());
    // More than a pipe holds, and nobody reads it.
    let child = server.command(&home, "mock,n=100000", &["-s", "trip", "hi"]).spawn().unwrap();
    until("the whole answer in the store", || home.latest().is_some_and(|message| told(&message).1 == "complete"));
    let ran = end(child).expect(0);
    assert_eq!(ran.text(), kept(&home, "trip", "complete"));
}

#[test]
fn a_time_limit_stops_the_answer_and_keeps_it() {
    let (home, server) = (Home::new(), Server::start());
    let ran = server.run(&home, SLOW, &["--timeout", "1", "-s", "trip", "hi"]).expect(6);
    assert!(ran.err.contains("time limit"), "{}", ran.err);
    assert_eq!(kept(&home, "trip", "cancelled"), ran.text());
}

#[test]
fn a_killed_program_loses_no_question_and_its_chat_goes_on() {
    let (home, server) = (Home::new(), Server::start());
    let child = begin(&server, &home, &["-s", "trip", "hi"]);
    until("text in the store", || !told(home.messages("trip").last().unwrap()).2.is_empty());
    signal(&child, Signal::KILL);
    end(child).expect(-9);
    assert_eq!(told(&home.messages("trip")[0]), ("user", "complete", "hi".to_owned()));
    // The next one waits until the lease of the dead one has run out.
    let ran = server.run(&home, "mock,n=3", &["-s", "trip", "go on"]).expect(0);
    assert!(ran.err.contains("waiting for its end"), "{}", ran.err);
    let messages = home.messages("trip");
    let states: Vec<_> = messages.iter().map(|message| told(message).1).collect();
    assert_eq!(states, ["complete", "interrupted", "complete", "complete"]);
    assert!(told(&messages[1]).2.starts_with(" the quick"));
}

#[test]
fn a_signal_ends_the_wait_for_a_busy_chat() {
    let (home, server) = (Home::new(), Server::start());
    let first = begin(&server, &home, &["-s", "trip", "hi"]);
    let mut second = server.command(&home, SLOW, &["-s", "trip", "me too"]).spawn().unwrap();
    let mut told_so = [0; 20];
    second.stderr.as_mut().unwrap().read_exact(&mut told_so).unwrap();
    signal(&second, Signal::INT);
    end(second).expect(130);
    signal(&first, Signal::INT);
    end(first).expect(130);
    assert_eq!(home.messages("trip").len(), 2, "nothing of the second is stored");
}

#[test]
fn a_time_limit_ends_the_wait_for_a_busy_chat() {
    let (home, server) = (Home::new(), Server::start());
    let first = begin(&server, &home, &["-s", "trip", "hi"]);
    let ran = server.run(&home, SLOW, &["--timeout", "1", "-s", "trip", "me too"]).expect(8);
    assert!(ran.err.contains("busy"), "{}", ran.err);
    signal(&first, Signal::INT);
    end(first).expect(130);
    assert_eq!(home.messages("trip").len(), 2, "nothing of the second is stored");
}

#[test]
fn stdout_is_the_same_whatever_stderr_is() {
    let (home, server) = (Home::new(), Server::start());
    let piped = server.run(&home, "mock,n=30", &["hi"]).expect(0);
    let (ran, shown) = on_terminal(server.command(&home, "mock,n=30", &["hi"]), [false, false, true], "");
    assert_eq!(ran.expect(0).out, piped.out);
    assert_eq!(shown, "");
}

#[test]
fn a_terminal_gets_one_newline_at_the_end_and_no_colours_of_ours() {
    let (home, server) = (Home::new(), Server::start());
    let (ran, shown) = on_terminal(server.command(&home, "mock,n=3", &["hi"]), [true, true, false], "");
    ran.expect(0);
    assert_eq!(shown, "the quick b\n");
    let (_, list) = on_terminal(home.command(&["chats"]), [true, true, false], "");
    assert!(list.trim_end().ends_with("  2  hi") && !list.contains('\t') && !list.contains('\u{1b}'), "{list}");
}

#[test]
fn nothing_said_where_nobody_reads_is_a_short_help() {
    let home = Home::new();
    let (ran, shown) = on_terminal(home.command(&[]), [true, false, false], "");
    let ran = ran.expect(2);
    assert_eq!(shown, "");
    assert!(ran.err.starts_with("catgpt: say something") && ran.err.contains("Usage: catgpt"), "{}", ran.err);
    assert!(!home.db().exists());
}
