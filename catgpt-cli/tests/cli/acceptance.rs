//! What makes the command line plainly better: 21 tests, numbered as they were asked for. Those that are about a part of
//! their own stand with it: 5 with the REPL; 13, 16 and 18 with what manages files and chats.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Home, Ran, Server, end, finish, finish_with, on_terminal, read, signal, told};

/// Long enough that no test sees its end.
const SLOW: &str = "mock,n=100000,d=10";

/// Begins a slow answer and reads its first words.
fn begin(server: &Server, home: &Home, words: &[&str]) -> Child {
    let mut child = server.command(home, SLOW, words).spawn().unwrap();
    assert_eq!(read(child.stdout.as_mut().unwrap(), 10), b" the quick");
    child
}

/// Role, status and text of all that was said.
fn all(home: &Home, chat: &str) -> Vec<(String, String, String)> {
    let owned = |message: &Value| {
        let (role, status, text) = told(message);
        (role.to_owned(), status.to_owned(), text)
    };
    home.messages(chat).iter().map(owned).collect()
}

#[test]
fn acceptance_01_continue_takes_the_chat_used_last_not_the_one_made_last() {
    let home = Home::new();
    for chat in ["a", "b", "a"] {
        home.run(&["-s", chat, "hi"]).expect(0);
    }
    home.run(&["-c", "go on"]).expect(0);
    assert_eq!((home.messages("a").len(), home.messages("b").len()), (6, 2));
}

#[test]
fn acceptance_02_ctrl_c_in_the_middle_ends_with_130_and_keeps_what_came() {
    let (home, server) = (Home::new(), Server::start());
    let child = begin(&server, &home, &["-s", "trip", "hi"]);
    signal(&child, Signal::INT);
    let ran = end(child).expect(130);
    server.hung_up(0);
    let shown = [b" the quick".as_slice(), &ran.out].concat();
    let stored = all(&home, "trip").pop().unwrap();
    assert_eq!((stored.1.as_str(), stored.2.as_bytes()), ("cancelled", shown.as_slice()));
}

#[test]
fn acceptance_03_a_reader_that_has_enough_ends_it_quietly_with_141_and_the_turn_is_stored() {
    let (home, server) = (Home::new(), Server::start());
    let mut child = begin(&server, &home, &["hi"]);
    drop(child.stdout.take());
    assert_eq!(end(child).expect(141).err, "");
    server.hung_up(0);
    let stored = all(&home, "@").pop().unwrap();
    assert!(stored.1 == "cancelled" && stored.2.starts_with(" the quick"), "{stored:?}");
    // As a shell runs it.
    let mut shell = Command::new("/bin/bash");
    let ours = server.command(&home, SLOW, &[]);
    shell.args(["-c", "\"$0\" -c hi | head -c 10; exit ${PIPESTATUS[0]}"]).arg(ours.get_program());
    shell.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ran = finish(shell).expect(141);
    assert_eq!((ran.text(), ran.err.as_str()), (" the quick", ""));
    assert_eq!(all(&home, "@")[3].1, "cancelled");
}

#[test]
fn acceptance_04_what_was_asked_outlives_a_kill() {
    let (home, server) = (Home::new(), Server::start());
    let child = begin(&server, &home, &["-s", "trip", "hi"]);
    signal(&child, Signal::KILL);
    end(child).expect(-9);
    let user = all(&home, "trip").remove(0);
    assert_eq!(user, ("user".to_owned(), "complete".to_owned(), "hi".to_owned()));
}

#[test]
fn acceptance_06_empty_stdin_and_no_prompt_is_wrong_usage_and_nothing_is_sent() {
    let (home, server) = (Home::new(), Server::start());
    finish_with(server.command(&home, "mock", &[]), b"").expect(2);
    server.run(&home, "mock", &[]).expect(2);
    assert_eq!(server.requests().len(), 0);
    assert!(!home.db().exists());
}

#[test]
fn acceptance_07_an_idle_pipe_is_passed_over_or_told_about() {
    let (home, server) = (Home::new(), Server::start());
    let idle = |words: &[&str]| server.command(&home, "mock", words).stdin(Stdio::piped()).spawn().unwrap();
    let mut passed = idle(&["--no-stdin", "sum up"]);
    let held = passed.stdin.take();
    end(passed).expect(0);
    drop(held);
    let mut waiting = idle(&["sum up"]);
    // It comes by itself: nothing is written before it.
    let mut hint = [0; 20];
    waiting.stderr.as_mut().unwrap().read_exact(&mut hint).unwrap();
    drop(waiting.stdin.take());
    assert!(end(waiting).expect(0).err.contains("--no-stdin"));
}

#[test]
fn acceptance_08_the_bytes_of_stdin_reach_the_request_unchanged() {
    let (home, server) = (Home::new(), Server::start());
    let text = "\u{feff}a\r\n\t b \n\n\u{1b}[31mü🙂\u{2028}\"\\\u{7f}";
    finish_with(server.command(&home, "mock", &["sum up"]), text.as_bytes()).expect(0);
    assert_eq!(server.asked().pop().unwrap().1, format!("{text}\n\nsum up"));
    finish_with(server.command(&home, "mock", &[]), text.as_bytes()).expect(0);
    assert_eq!(server.asked().pop().unwrap().1, text);
}

#[test]
fn acceptance_09_a_slow_producer_is_not_cut() {
    let (home, server) = (Home::new(), Server::start());
    let mut child = server.command(&home, "mock", &["sum up"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // The hint says that two seconds of silence have gone by; what comes after it still counts.
    let mut hint = [0; 20];
    child.stderr.as_mut().unwrap().read_exact(&mut hint).unwrap();
    for word in ["one ", "two ", "three"] {
        stdin.write_all(word.as_bytes()).unwrap();
        stdin.flush().unwrap();
        std::thread::yield_now();
    }
    drop(stdin);
    end(child).expect(0);
    assert_eq!(server.asked().pop().unwrap().1, "one two three\n\nsum up");
}

#[test]
fn acceptance_10_stdout_is_the_same_whatever_looks_at_stderr() {
    let (home, server) = (Home::new(), Server::start());
    for words in [&["hi"][..], &["-x", "hi"], &["--no-stream", "hi"], &["--json", "-v", "hi"]] {
        let command = || server.command(&home, "mock,n=30,d=10", words);
        let same = |ran: &Ran| match serde_json::from_slice::<Value>(&ran.out) {
            // Each run is a chat of its own, and takes its time.
            Ok(mut object) => {
                (object["chat"], object["duration_ms"]) = (Value::Null, Value::Null);
                object.to_string()
            }
            Err(_) => ran.text().to_owned(),
        };
        let piped = finish(command());
        let (looked_at, _) = on_terminal(command(), [false, false, true], "");
        assert_eq!((piped.code, same(&piped)), (looked_at.code, same(&looked_at)), "{words:?}");
    }
}

#[test]
fn acceptance_11_no_color_means_no_escapes() {
    let (home, server) = (Home::new(), Server::start());
    for words in [&["**hi**"][..], &["--show-reasoning", "-v", "hi"], &["chats"], &["--help"], &["--nonsense"]] {
        let mut command = server.command(&home, "mock,n=30,d=20", words);
        command.env("NO_COLOR", "yes").env("TERM", "xterm-256color");
        let (_, shown) = on_terminal(command, [true, true, true], "");
        assert!(!shown.is_empty() && !shown.contains('\u{1b}'), "{words:?}: {shown:?}");
    }
}

#[test]
fn acceptance_12_each_exit_code() {
    let (home, server) = (Home::new(), Server::start());
    let ends = |model: &str, words: &[&str], code| {
        let ran = server.run(&home, model, words).expect(code);
        assert_eq!(ran.err.is_empty(), code == 0, "{words:?}: {}", ran.err);
    };
    ends("mock", &["-q", "-s", "all", "hi"], 0);
    ends("mock", &["-x", "-q", "hi"], 1);
    ends("mock", &["--format", "none", "hi"], 2);
    ends("mock", &["-s", "all", "chats"], 2);
    ends("mock", &["-s", "none", "--must-exist", "hi"], 3);
    ends("mock", &["-p", "none", "hi"], 3);
    for (fault, code) in [("404", 3), ("401", 4), ("quota", 5), ("500", 6), ("cut", 6), ("filter", 7), ("context", 7)] {
        ends(&format!("mock,f={fault}"), &["-q", "-s", "all", "hi"], code);
    }
    ends("mock", &["--memory", "sqlite:none/chat.db", "hi"], 8);
    home.run(&["-m", "gpt-4o", "hi"]).expect(4);
    for (sent, code) in [(Signal::HUP, 129), (Signal::INT, 130), (Signal::TERM, 143)] {
        let child = begin(&server, &home, &["hi"]);
        signal(&child, sent);
        end(child).expect(code);
    }
    let mut child = begin(&server, &home, &["hi"]);
    drop(child.stdout.take());
    end(child).expect(141);
}

#[test]
fn acceptance_14_a_model_that_needs_a_key_is_not_asked_without_one() {
    let (home, server) = (Home::new(), Server::start());
    let ran = home.run(&["-m", "gpt-4o", "hi"]).expect(4);
    assert!(ran.err.contains("OPENAI_API_KEY") && ran.err.contains("http://127.0.0.1"), "{}", ran.err);
    let mut named = home.command(&["hi"]);
    named.env("OPENAI_MODEL", "gpt-4o");
    finish(named).expect(4);
    assert!(!home.db().exists());
    // A base URL without a key is an endpoint that wants none; with nothing configured the cat answers.
    server.run(&home, "mock", &["hi"]).expect(0);
    assert_eq!(server.requests()[0].header("authorization"), None);
    assert!(home.run(&["-s", "kept", "hi"]).expect(0).text().contains("offline cat"));
    // Also not in a chat that keeps its model.
    server.run(&home, "mock", &["-s", "kept", "-m", "mock,n=2", "hi"]).expect(0);
    home.run(&["-s", "kept", "hi"]).expect(4);
    assert_eq!(home.messages("kept").len(), 4);
}

#[test]
fn acceptance_15_what_is_shown_in_a_pipe_is_the_stored_text() {
    let (home, server) = (Home::new(), Server::start());
    let text = "a\tb\r\n\u{1b}[1mü 🙂\n\n";
    finish_with(server.command(&home, "mock,n=50", &["-s", "trip"]), text.as_bytes()).expect(0);
    let stored = all(&home, "trip");
    for (n, (.., text)) in (1..).zip(&stored) {
        assert_eq!(home.run(&["chats", "show", "trip", &format!("{n}")]).expect(0).text(), text);
    }
    let whole = home.run(&["chats", "show", "trip"]).expect(0);
    assert!(stored.iter().all(|(.., text)| whole.text().contains(text.as_str())), "{}", whole.text());
}

#[test]
fn acceptance_17_a_new_name_is_remembered_without_another_word() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock", &["-s", "new", "my name is Mog"]).expect(0);
    server.run(&home, "mock", &["-s", "new", "what is it?"]).expect(0);
    let users: Vec<_> = server.asked().into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect();
    assert_eq!(users, ["my name is Mog", "what is it?"]);
}

#[test]
fn acceptance_19_no_code_block_is_an_empty_stdout_and_1() {
    let home = Home::new();
    let (server, answer) = (Server::start(), "Two:\n```sh\nls -l\n```\nor\n~~~\ncd\n~~~\n");
    server.next(answer);
    assert_eq!(server.run(&home, "mock", &["-x", "how?"]).expect(0).text(), "ls -l\n");
    for (words, code, shown) in [(["-x=last"], 0, "cd\n"), (["-x=2"], 0, "cd\n"), (["-x=3"], 1, "")] {
        server.next(answer);
        let ran = server.run(&home, "mock", &[words[0], "-q", "how?"]).expect(code);
        assert_eq!((ran.text(), ran.err.is_empty()), (shown, code == 0), "{words:?}");
    }
    server.next("rm -rf is `dangerous`");
    let ran = server.run(&home, "mock", &["-x", "how?"]).expect(1);
    assert_eq!((ran.text(), ran.err.lines().count()), ("", 1));
    // It is kept all the same.
    assert_eq!(all(&home, "@").pop().unwrap().2, "rm -rf is `dangerous`");
}

#[test]
fn acceptance_20_processes_that_write_into_one_chat_lose_nothing() {
    let (home, server) = (Home::new(), Server::start());
    let prompts: Vec<_> = (0..6).map(|n| format!("prompt {n}")).collect();
    let children: Vec<_> = prompts
        .iter()
        .map(|prompt| server.command(&home, "mock,n=16,d=5", &["-s", "both", prompt]).spawn().unwrap())
        .collect();
    let answers: Vec<_> = children.into_iter().map(|child| end(child).expect(0).out).collect();
    let messages = all(&home, "both");
    let text = |role: &str| {
        let mut texts: Vec<_> =
            messages.iter().filter(|message| message.0 == role).map(|message| &*message.2).collect();
        texts.sort_unstable();
        texts
    };
    assert_eq!(text("user"), prompts);
    assert!(text("assistant").iter().all(|text| answers.iter().any(|answer| answer == text.as_bytes())));
    let roles: Vec<_> = messages.iter().map(|message| &*message.0).collect();
    assert_eq!(roles, ["user", "assistant"].repeat(6));
    assert!(messages.iter().all(|message| message.1 == "complete"));
}

#[test]
fn acceptance_21_a_chat_keeps_its_persona_model_and_options_until_another_is_said() {
    let (home, server) = (Home::new(), Server::start());
    home.persona("pirate", "+++\nname = \"pirate\"\n[params]\ntop_p = 0.5\n+++\nYou are a pirate.");
    let asked = |words: &[&str]| {
        server.run(&home, "mock,n=3", words).expect(0);
        let body = server.requests().pop().unwrap().body;
        json!([body["messages"][0]["content"], body["model"], body["temperature"], body["top_p"], body["stop"]])
    };
    let first = asked(&["-s", "x", "-p", "pirate", "-m", "mock,n=2", "-o", "temperature=0.25", "-o", "stop=END", "hi"]);
    assert_eq!(first, json!(["You are a pirate.", "mock,n=2", 0.25, 0.5, ["END"]]));
    assert_eq!(asked(&["-c", "hi"]), first);
    assert_eq!(asked(&["-s", "@", "hi"]), first);
    let second = json!(["Be brief.", "mock,n=2", 0.75, null, ["END"]]);
    assert_eq!(asked(&["-c", "--system", "Be brief.", "-o", "temperature=0.75", "hi"]), second);
    assert_eq!(asked(&["-c", "hi"]), second);
    let third = json!(["Be brief.", "mock,n=3", null, null, null]);
    assert_eq!(asked(&["-c", "-m", "", "-o", "temperature=", "-o", "stop=", "hi"]), third);
    assert_eq!(asked(&["-c", "hi"]), third);
    // Another chat has nothing of it.
    assert_eq!(asked(&["hi"])[1], "mock,n=3");
}
