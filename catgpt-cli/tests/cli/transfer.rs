//! `chats export`, `chats import` and `backup`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Home, finish_with};

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn talked() -> Home {
    let home = Home::new();
    for chat in ["trip", "notes"] {
        home.run(&["-s", chat, "Plan three days"]).expect(0);
    }
    home
}

#[test]
fn chats_go_to_another_store_through_a_pipe() {
    let (from, to) = (talked(), Home::new());
    let out = from.run(&["chats", "export"]).expect(0);
    assert_eq!((lines(out.text()).len(), out.err.as_str()), (6, ""));
    for (outcome, messages) in [("imported", "2"), ("unchanged", "0")] {
        let mut command = to.command(&["chats", "import", "-"]);
        command.stdin(Stdio::piped());
        let ran = finish_with(command, &out.out).expect(0);
        let rows: Vec<Vec<_>> = ran.text().lines().map(|line| line.split('\t').collect()).collect();
        let told: Vec<_> = rows.iter().map(|row| (row[0], row[1], row[2])).collect();
        assert_eq!(told, [("notes", outcome, messages), ("trip", outcome, messages)]);
        assert!(ran.err.contains(&format!("2 {outcome}")), "{}", ran.err);
    }
    assert_eq!(to.run(&["chats", "show", "trip"]).expect(0).out, from.run(&["chats", "show", "trip"]).expect(0).out);
}

#[test]
fn one_chat_is_exported_for_people_into_a_file_that_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt as _;
    let (home, there) = (talked(), Home::new());
    let file = home.path().join("trip.md");
    let ran = home.run(&["chats", "export", "trip", "--format", "md", "-o", file.to_str().unwrap()]).expect(0);
    assert_eq!((ran.text(), ran.err.as_str()), ("", ""));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("---\ncatgpt: 1\nid: \"trip\"\n") && text.contains("\nPlan three days\n"), "{text}");
    assert!(!text.contains("notes"), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    there.run(&["chats", "import", file.to_str().unwrap()]).expect(0);
    assert_eq!(there.run(&["chats", "show", "trip", "1"]).expect(0).text(), "Plan three days");
    let ran = home.run(&["chats", "export", "nothing"]).expect(3);
    assert!(ran.err.contains("there is no chat"), "{}", ran.err);
    home.run(&["chats", "export", "-o", "/nowhere/x.jsonl"]).expect(2);
}

#[test]
fn a_dry_run_reports_as_json_and_writes_nothing() {
    let home = Home::new();
    let file = home.path().join("conversations.json");
    let said = json!({ "author": { "role": "user" }, "content": { "content_type": "text", "parts": ["Hi"] } });
    let export = json!([
        { "title": "Kyoto", "conversation_id": "c1", "mapping": { "q": { "message": said }, "x": "nonsense" } },
        { "title": "Odd" },
    ]);
    std::fs::write(&file, export.to_string()).unwrap();
    let words = ["chats", "import", file.to_str().unwrap(), "--json"];
    let dry = home.run(&[&words[..], &["--dry-run"]].concat()).expect(1);
    assert!(dry.err.contains("this would be: 0 imported, 0 unchanged, 1 partly, 1 refused"), "{}", dry.err);
    assert_eq!(home.run(&["chats"]).expect(0).text(), "");
    let entries = lines(dry.text());
    assert_eq!((&entries[0]["session"], &entries[0]["outcome"]), (&json!("chatgpt:c1"), &json!("partly")));
    assert_eq!(entries[1]["error"]["kind"], "invalid_input");
    assert_eq!(home.run(&words).expect(1).text(), dry.text());
    let ran = home.run(&["chats", "import", "nowhere.json"]).expect(3);
    assert!(ran.err.contains("no such file"), "{}", ran.err);
    let ran = home.run(&["chats", "import", file.to_str().unwrap(), "--format", "chat.db"]).expect(2);
    assert!(ran.err.contains("not a SQLite database"), "{}", ran.err);
}

#[test]
fn another_programs_chats_are_adopted() {
    let home = Home::new();
    let file = home.path().join("chat.db");
    let conn = rusqlite::Connection::open(&file).unwrap();
    conn.execute_batch(
        "CREATE TABLE chats (id INTEGER PRIMARY KEY, user_id TEXT, title TEXT, created_at TEXT, updated_at TEXT);
         CREATE TABLE messages (id INTEGER PRIMARY KEY, chat_id INTEGER, role TEXT, content TEXT, created_at TEXT);
         INSERT INTO chats VALUES (7, 'u1', 'Kyoto', '2026-01-02 03:04:05', '2026-01-02 03:04:06');
         INSERT INTO messages VALUES (1, 7, 'user', 'Hi', NULL), (2, 7, 'assistant', 'Hello', NULL);",
    )
    .unwrap();
    drop(conn);
    home.run(&["chats", "import", file.to_str().unwrap()]).expect(0);
    assert_eq!(home.run(&["chats", "show", "7", "last"]).expect(0).text(), "Hello");
}

#[test]
fn a_backup_is_a_store_and_overwrites_nothing() {
    let home = talked();
    let copy = home.path().join("copy.db");
    let ran = home.run(&["backup", copy.to_str().unwrap()]).expect(0);
    assert!(ran.text().is_empty() && ran.err.contains("copied to"), "{}", ran.err);
    let url = format!("sqlite:{}", copy.display());
    assert_eq!(home.run(&["chats", "--memory", &url]).expect(0).out, home.run(&["chats"]).expect(0).out);
    let ran = home.run(&["backup", copy.to_str().unwrap()]).expect(2);
    assert!(ran.err.contains("overwrites nothing"), "{}", ran.err);
    let ran = home.run(&["backup", "x.db", "--memory", "memory:"]).expect(8);
    assert!(ran.err.contains("export"), "{}", ran.err);
}
