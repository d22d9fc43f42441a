//! Chats as a person keeps them in order: found by title, deleted by age, looked at in a pager, and whose they are.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::config::mode;
use crate::support::{Home, finish, on_terminal, told};

fn names(home: &Home, words: &[&str]) -> Vec<String> {
    let ran = home.run(words).expect(0);
    ran.text().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// Chats of ChatGPT, the first from 2023.
fn with_old_chats(home: &Home) {
    let chat = |id: &str, at: f64, said: &str| {
        let message = json!({
            "author": { "role": "user" }, "create_time": at, "content": { "content_type": "text", "parts": [said] }
        });
        json!({
            "title": format!("{id} title"), "conversation_id": id, "create_time": at, "update_time": at,
            "mapping": { "q": { "message": message } }
        })
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let export = json!([
        chat("old", 1.7e9, "quicksilver in 2023"),
        chat("kept", 1.7e9, "pinned in 2023"),
        chat("away", 1.7e9, "quicksilver put away"),
        chat("new", now, "today"),
    ]);
    fs::write(home.path().join("conversations.json"), export.to_string()).unwrap();
    home.run(&["chats", "import", "conversations.json"]).expect(0);
    fs::remove_file(home.path().join("conversations.json")).unwrap();
    home.run(&["chats", "pin", "chatgpt:kept"]).expect(0);
    home.run(&["chats", "archive", "chatgpt:away"]).expect(0);
}

/// Every byte under the folder.
fn all_bytes(folder: &Path, bytes: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_bytes(&path, bytes) } else { bytes.extend(fs::read(path).unwrap()) }
    }
}

fn is_anywhere(home: &Home, word: &str) -> bool {
    let mut bytes = Vec::new();
    all_bytes(home.path(), &mut bytes);
    bytes.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[test]
fn what_an_old_chat_began_with_is_no_name_of_it() {
    let home = Home::new();
    home.run(&["hi"]).expect(0);
    let ran = home.run(&["-s", "hi", "and now?"]).expect(0);
    assert!(ran.err.contains("a new chat: hi"), "{}", ran.err);
    assert_eq!((home.messages("hi").len(), home.messages("@2").len()), (2, 2));
    home.run(&["chats", "rename", "@2", "the first"]).expect(0);
    assert_eq!(told(&home.messages("the first")[0]).2, "hi");
}

#[test]
fn old_chats_are_deleted_by_age_and_the_pinned_stay() {
    let home = Home::new();
    with_old_chats(&home);
    let ran = home.run(&["chats", "delete", "--older-than", "30d"]).expect(2);
    assert!(ran.err.contains("delete 2 chats not used since ") && ran.err.contains("--yes"), "{}", ran.err);
    assert_eq!(names(&home, &["chats"]), ["chatgpt:kept", "chatgpt:new", "chatgpt:old"]);
    let words = ["chats", "delete", "--older-than", "30d"];
    let (ran, shown) = on_terminal(home.command(&words), [true, false, true], "y\n");
    ran.expect(0);
    assert!(shown.contains("? [y/N]") && shown.contains("deleted 2 chats"), "{shown}");
    assert_eq!(names(&home, &["chats"]), ["chatgpt:kept", "chatgpt:new"]);
    assert_eq!(home.run(&["chats", "delete", "--older-than", "30d"]).expect(0).err, "catgpt: deleted 0 chats\n");
    for wrong in [&["chats", "delete", "--older-than", "soon"][..], &["chats", "delete", "--older-than", "1d", "@"]] {
        home.run(wrong).expect(2);
    }
    assert!(!is_anywhere(&home, "quicksilver"));
}

#[test]
fn acceptance_16_deletion_leaves_no_trace_in_the_file() {
    let home = Home::new();
    home.run(&["-s", "secret", "my quicksilver plan"]).expect(0);
    home.run(&["-s", "secret", "more quicksilver, to be edited"]).expect(0);
    home.run(&["-s", "secret", "--edit", "3", "quicksilver again"]).expect(0);
    home.run(&["chats", "rename", "secret", "Quicksilver"]).expect(0);
    home.run(&["-s", "other", "hello"]).expect(0);
    assert!(is_anywhere(&home, "quicksilver"));
    home.run(&["chats", "search", "quicksilver"]).expect(0);
    home.run(&["chats", "delete", "secret", "--yes"]).expect(0);
    // Neither in the store nor in its index, nor in what is beside it.
    assert!(!is_anywhere(&home, "quicksilver") && !is_anywhere(&home, "quicksilv"));
    home.run(&["chats", "search", "quicksilver"]).expect(1);
    assert_eq!(names(&home, &["chats"]), ["other"]);
}

#[test]
fn acceptance_13_new_files_are_their_owners_alone() {
    let home = Home::new();
    home.run(&["hi"]).expect(0);
    home.run(&["config", "set", "titles", "false"]).expect(0);
    crate::support::finish_with(home.command(&["keys", "set"]), b"sk-x").expect(0);
    home.run(&["chats", "export", "-o", "chats.jsonl"]).expect(0);
    home.run(&["backup", "copy.db"]).expect(0);
    for folder in ["config/catgpt", "data/catgpt"] {
        assert_eq!(mode(&home.path().join(folder)), 0o700, "{folder}");
        for entry in fs::read_dir(home.path().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
    assert_eq!((mode(&home.path().join("chats.jsonl")), mode(&home.path().join("copy.db"))), (0o600, 0o600));
    // As long as somebody has the store open, two more files are beside it.
    let store = rusqlite::Connection::open(home.db()).unwrap();
    store.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0)).unwrap();
    home.run(&["-m", "offline", "-c", "hi again"]).expect(0);
    for file in ["catgpt.db-wal", "catgpt.db-shm"] {
        assert_eq!(mode(&home.db().with_file_name(file)), 0o600, "{file}");
    }
}

#[test]
fn a_chat_goes_by_the_title_that_it_was_given() {
    let home = Home::new();
    home.run(&["Plan three days"]).expect(0);
    home.run(&["chats", "rename", "@", "Kyoto", "trip"]).expect(0);
    home.run(&["-s", "Kyoto trip", "and a fourth"]).expect(0);
    assert_eq!(home.messages("Kyoto trip").len(), 4);
    home.run(&["hello"]).expect(0);
    home.run(&["chats", "rename", "@", "Kyoto trip"]).expect(0);
    for words in [&["chats", "show", "Kyoto trip"][..], &["-s", "Kyoto trip", "hi"], &["usage", "-s", "Kyoto trip"]] {
        let ran = home.run(words).expect(3);
        assert!(ran.err.contains("2 chats are called \"Kyoto trip\"") && ran.err.contains("such as"), "{}", ran.err);
    }
}

#[test]
fn a_fork_goes_up_to_a_message() {
    let home = Home::new();
    home.run(&["-s", "trip", "one"]).expect(0);
    home.run(&["-s", "trip", "two"]).expect(0);
    for (words, count) in [(&["--at", "2"][..], 2), (&["2"], 2), (&[], 4)] {
        let ran = home.run(&[&["chats", "fork", "trip"], words].concat()).expect(0);
        assert_eq!(home.messages(ran.text().trim()).len(), count, "{words:?}");
    }
    home.run(&["chats", "fork", "trip", "--at", "9"]).expect(3);
    home.run(&["chats", "fork", "none"]).expect(3);
}

#[test]
fn each_owner_has_chats_of_their_own() {
    let home = Home::new();
    home.run(&["-s", "trip", "mine"]).expect(0);
    home.run(&["--owner", "alice", "-s", "trip", "hers"]).expect(0);
    assert_eq!(home.run(&["--owner", "alice", "chats", "show", "trip", "1"]).expect(0).text(), "hers");
    assert_eq!(home.run(&["chats", "show", "trip", "1"]).expect(0).text(), "mine");
    assert_eq!(names(&home, &["--owner", "local", "chats"]), ["trip"], "one's own are those of `local`");
    crate::config::configure(&home, "owner = 'alice'\n");
    assert_eq!(home.run(&["chats", "show", "trip", "1"]).expect(0).text(), "hers");
    home.run(&["--owner", "", "chats"]).expect(2);
}

#[test]
fn a_pager_is_used_on_a_terminal_only_and_may_be_left() {
    let home = Home::new();
    home.run(&["-s", "trip", "Plan three days"]).expect(0);
    let paged = |words: &[&str], pager: &str, stdout: bool| {
        let mut command = home.command(words);
        command.env("PAGER", pager).env("TERM", "xterm").env("PATH", "/usr/bin:/bin");
        match stdout {
            true => on_terminal(command, [false, true, false], ""),
            false => (finish(command), String::new()),
        }
    };
    for words in [&["chats"][..], &["chats", "show", "trip"], &["chats", "search", "three"]] {
        let (ran, shown) = paged(words, "sed 's/^/> /'", true);
        ran.expect(0);
        assert!(shown.starts_with("> ") && shown.contains("three"), "{words:?}: {shown}");
        assert!(!paged(words, "sed 's/^/> /'", false).0.expect(0).text().contains("> "));
        assert_eq!(paged(words, "true", true).0.expect(0).err, "", "who leaves early has seen enough");
    }
    assert!(!paged(&["chats", "--json"], "sed 's/^/> /'", true).1.contains("> "));
    assert!(paged(&["chats"], "", true).1.contains("trip"));
    // Exit codes are those of the command.
    paged(&["chats", "search", "nowhere"], "cat -n", true).0.expect(1);
    paged(&["chats", "show", "none"], "cat -n", true).0.expect(3);
}
