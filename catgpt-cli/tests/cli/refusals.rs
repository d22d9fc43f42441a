//! What cannot be done: the exit code, and what is said about it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::support::{Home, Server, finish, finish_with, told};

#[test]
fn a_model_that_needs_a_key_names_the_variable_and_a_local_endpoint() {
    let home = Home::new();
    let mut by_environment = home.command(&["hi"]);
    by_environment.env("OPENAI_MODEL", "gpt-4o");
    for ran in [home.run(&["-m", "gpt-4o", "hi"]), finish(by_environment)] {
        let ran = ran.expect(4);
        assert!(ran.err.contains("OPENAI_API_KEY") && ran.err.contains("http://127.0.0.1"), "{}", ran.err);
    }
    assert!(!home.db().exists());
}

#[test]
fn each_failure_of_a_model_has_its_code() {
    let (home, server) = (Home::new(), Server::start());
    for (model, code) in [
        ("mock,f=404", 3),
        ("mock,f=401", 4),
        ("mock,f=quota", 5),
        ("mock,f=500", 6),
        ("mock,f=cut", 6),
        ("mock,f=nofinish", 6),
        ("mock,f=filter", 7),
        ("mock,f=context", 7),
    ] {
        let ran = server.run(&home, model, &["-s", "all", "hi"]).expect(code);
        assert!(ran.err.lines().last().unwrap().starts_with("catgpt: "), "{model}: {}", ran.err);
    }
    let mut command = home.command(&["hi"]);
    command.env("OPENAI_BASE_URL", catgpt_core::testkit::refused_url());
    assert!(finish(command).expect(6).err.contains("cannot be reached"));
    assert_eq!(home.messages("all").len(), 16, "every question is kept");
}

#[test]
fn what_is_not_there_is_not_found_and_others_are_offered() {
    let home = Home::new();
    assert!(home.run(&["-c", "hi"]).expect(3).err.contains("no chats yet"));
    home.run(&["-s", "trip", "hi"]).expect(0);
    for words in [&["chats", "show", "tripp"][..], &["chats", "show", "@2"], &["-s", "@2", "hi"]] {
        let ran = home.run(words).expect(3);
        assert!(ran.err.contains("trip"), "{}", ran.err);
    }
    home.persona("pirate", "Arr");
    let ran = home.run(&["-p", "pirat", "hi"]).expect(3);
    assert!(ran.err.contains("cat, plain, pirate"), "{}", ran.err);
    home.run(&["-p", "none.md", "hi"]).expect(3);
    assert_eq!(home.messages("trip").len(), 2);
}

#[test]
fn wrong_usage_is_told_and_nothing_is_done() {
    let home = Home::new();
    home.persona("broken", "+++\nname = 7\n+++\nArr");
    for words in [
        &["-s", "foo", "chats", "list"][..],
        &["-c", "doctor"],
        &["--format", "rendered", "hi"],
        &["--nonsense", "hi"],
        &["chats", "lits"],
        &["-p", "broken", "hi"],
        &["--system", "@none.txt", "hi"],
        &["--system", "", "hi"],
        &["--context", "none.md", "hi"],
        &["--context", ".", "hi"],
        &["-s", "", "hi"],
        &["-s", "@x", "hi"],
        &["-s", "a\tb", "hi"],
        &["-s", &"x".repeat(129), "hi"],
        &["--memory", "mysql://me:hunter2@host/db", "hi"],
        &["--memory", "", "hi"],
        &["--timeout", "0", "hi"],
    ] {
        let ran = home.run(words).expect(2);
        assert!(ran.err.starts_with("catgpt: "), "{words:?}: {}", ran.err);
        assert!(!ran.err.contains("hunter2"), "{}", ran.err);
        assert_eq!(ran.text(), "");
    }
    let mut command = home.command(&["-s"]);
    command.arg(OsStr::from_bytes(b"tr\xffp")).arg("hi");
    assert!(finish(command).expect(2).err.contains("invalid UTF-8"));
    assert_eq!(home.run(&["chats"]).expect(0).text(), "");
}

#[test]
fn the_help_names_every_option_and_every_exit_code() {
    let home = Home::new();
    // Kept in a file: INSTA_UPDATE=always writes it anew.
    insta::assert_snapshot!("help", home.run(&["-h"]).expect(0).text());
    let long = home.run(&["--help"]).expect(0);
    for code in ["0  ", "1  ", "2  ", "3  ", "4  ", "5  ", "6  ", "7  ", "8  ", "129", "130", "141", "143"] {
        assert!(long.text().contains(&format!(" {code}")), "{code}");
    }
    assert_eq!(home.run(&["--version"]).expect(0).text(), concat!("catgpt ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn an_option_before_a_command_says_what_to_do() {
    let ran = Home::new().run(&["-s", "foo", "chats", "list"]).expect(2);
    insta::assert_snapshot!(ran.err, @"
    catgpt: `chats` is a command, and what stands before it belongs to a prompt

      put its own options after it:            catgpt chats …
      or say `--` before it if it is a prompt: catgpt … -- chats …

    Usage: catgpt [OPTIONS] [PROMPT]... [COMMAND]

    For more information, try '--help'.
    ");
}

#[test]
fn a_newer_store_is_refused_with_both_numbers() {
    let home = Home::new();
    home.run(&["hi"]).expect(0);
    let mut bytes = fs::read(home.db()).unwrap();
    // Where SQLite keeps the number that `PRAGMA user_version` gives.
    bytes[60..64].copy_from_slice(&77u32.to_be_bytes());
    fs::write(home.db(), &bytes).unwrap();
    for words in [&["hi"][..], &["chats"]] {
        let ran = home.run(words).expect(8);
        assert!(ran.err.contains("77") && ran.err.contains("known_version: 2"), "{}", ran.err);
        assert_eq!(ran.err.lines().count(), 1, "nobody answers, so nothing is said about that: {}", ran.err);
    }
    assert_eq!(fs::read(home.db()).unwrap(), bytes);
}

#[test]
fn what_is_no_store_is_refused() {
    let home = Home::new();
    fs::write(home.path().join("notes.db"), "these are notes, not chats, ".repeat(100)).unwrap();
    home.run(&["--memory", "sqlite:notes.db", "hi"]).expect(8);
    // With or without the core's feature for it: there is no such host.
    let postgres = ["feature `postgres`", "cannot be reached"];
    for (url, hints) in
        [("sqlite:none/chat.db", &["make it first"][..]), ("postgres://me:hunter2@host.invalid/db", &postgres)]
    {
        let ran = home.run(&["--memory", url, "hi"]).expect(8);
        let hinted = hints.iter().any(|hint| ran.err.contains(hint));
        assert!(hinted && !ran.err.contains("hunter2"), "{}", ran.err);
    }
}

#[test]
fn a_store_that_may_not_be_written_is_told() {
    let home = Home::new();
    home.run(&["-s", "trip", "hi"]).expect(0);
    let ran = finish(read_only(&home, &["-s", "trip", "more"])).expect(8);
    assert!(ran.err.contains("catgpt.db"), "{}", ran.err);
    writable(&home);
    assert_eq!(home.messages("trip").len(), 2);
}

/// The program over a folder that it may read but not write; also when the test is run by root.
fn read_only(home: &Home, words: &[&str]) -> Command {
    let folder = home.db().parent().unwrap().to_owned();
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&home.db(), 0o444);
    mode(&folder, 0o555);
    let ours = home.command(words);
    if fs::write(folder.join("probe"), "").is_err() {
        return ours;
    }
    fs::remove_file(folder.join("probe")).unwrap();
    for path in [home.path(), &home.path().join("data")] {
        mode(path, 0o755);
    }
    let copy = home.path().join("catgpt");
    fs::copy(env!("CARGO_BIN_EXE_catgpt"), &copy).unwrap();
    let mut theirs = Command::new(copy);
    theirs.args(words).env_clear().current_dir(home.path()).uid(65534).gid(65534);
    theirs.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    theirs.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    theirs
}

fn writable(home: &Home) {
    fs::set_permissions(home.db().parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(home.db(), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_store_without_room_is_told_and_what_was_there_stays() {
    let home = Home::new();
    home.run(&["-s", "trip", "hi"]).expect(0);
    // With no room at all the store cannot even be opened, with a little the message does not fit.
    for (blocks, message) in [(2, "more".into()), (128, "a".repeat(1 << 20))] {
        let command = in_little_room(home.command(&["-s", "trip"]), blocks);
        let ran = finish_with(command, message.as_bytes()).expect(8);
        let said = ran.err.lines().last().unwrap();
        assert!(said.contains("the store has no room left") || said.contains("the disk under the store"), "{said}");
        assert!(said.contains("catgpt.db"), "{said}");
        assert_eq!(home.messages("trip").len(), 2);
    }
}

#[test]
fn a_store_that_fills_up_ends_the_answer_and_keeps_what_it_has() {
    let (home, server) = (Home::new(), Server::start());
    home.run(&["-s", "trip", "hi"]).expect(0);
    let command = in_little_room(server.command(&home, "mock,n=100000", &["-s", "trip", "more"]), 256);
    let ran = finish(command).expect(8);
    let messages = home.messages("trip");
    assert_eq!(told(&messages[2]), ("user", "complete", "more".to_owned()));
    let (_, status, text) = told(&messages[3]);
    assert_ne!(status, "complete");
    assert!(ran.err.contains("store") && ran.err.contains(&format!("(kept_bytes: {})", text.len())), "{}", ran.err);
    assert!(!text.is_empty() && ran.text().starts_with(&text), "{} of {} bytes", text.len(), ran.out.len());
    home.run(&["-s", "trip", "go on"]).expect(0);
}

/// The same program where no file may be larger than `blocks` of 512 bytes, which does what a full disk does.
fn in_little_room(ours: Command, blocks: usize) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    command.arg(ours.get_program()).args(ours.get_args()).env_clear();
    command.current_dir(ours.get_current_dir().expect("a folder"));
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
