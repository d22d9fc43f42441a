//! Conversations in and out, as users see it: through an engine and its store.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "transfer/generator.rs"]
mod generator;

use std::fs::File;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catgpt_core::transfer::Outcome;
use catgpt_core::{
    Engine, ErrorKind, ExportFormat, ImportFormat, ImportReport, InMemory, Message, Offline, Owner, Persona, Price,
    Prices, Progress, Source, User,
};
use futures_util::StreamExt;
use serde_json::json;

fn engine() -> Engine {
    let prices = Prices::new().with("*", Price::per_million(1.0, 1.0).unwrap());
    Engine::builder().model(Offline::new()).memory(InMemory::new()).prices(prices).build()
}

fn ann(engine: &Engine) -> User {
    engine.user("ann").unwrap()
}

async fn text(user: &User, format: ExportFormat) -> String {
    let pieces: Vec<_> = user.export(format).stream().collect().await;
    pieces.into_iter().map(Result::unwrap).collect()
}

async fn import(user: &User, text: impl Into<Vec<u8>>) -> ImportReport {
    user.import(Source::bytes(text)).await.unwrap()
}

/// Imported, unchanged, partly, refused.
fn counts(report: &ImportReport) -> [u64; 4] {
    [report.imported, report.unchanged, report.partly, report.refused]
}

async fn say(user: &User, session: &str, text: &str) {
    user.session(session).unwrap().send(text).await.unwrap().result().await.unwrap();
}

async fn tree(user: &User, session: &str) -> Vec<Message> {
    let mut tree = user.session(session).unwrap().tree(0, 100_000).await.unwrap();
    tree.iter_mut().for_each(|message| message.turn = None);
    tree
}

/// An owner with a session of two branches and one of a cat.
async fn talked(engine: &Engine) -> User {
    let user = ann(engine);
    say(&user, "trip", "## User\nto Kyoto?").await;
    say(&user, "trip", "and back?").await;
    user.session("trip").unwrap().edit(1, "to Nara?").await.unwrap().result().await.unwrap();
    let cat = user.session("cat").unwrap();
    cat.send("purr").persona(Persona::cat()).await.unwrap().result().await.unwrap();
    cat.rename("Kitten \"1\"").await.unwrap();
    user
}

#[tokio::test]
async fn json_lines_carry_everything_to_another_store() {
    let (here, there) = (engine(), engine());
    let (from, to) = (talked(&here).await, ann(&there));
    let lines = text(&from, ExportFormat::Jsonl).await;
    assert!(!lines.contains("\"turn\""), "a turn's id entitles to write");
    assert!(lines.contains("\"cost\":"), "what replies cost goes with them");
    let report = import(&to, lines.clone()).await;
    assert_eq!((counts(&report), report.messages), ([2, 0, 0, 0], 8));
    for session in ["trip", "cat"] {
        assert_eq!(tree(&to, session).await, tree(&from, session).await);
        let (a, b) =
            (from.session(session).unwrap().info().await.unwrap(), to.session(session).unwrap().info().await.unwrap());
        assert_eq!((a.title, a.persona, a.head, a.created_ms), (b.title, b.persona, b.head, b.created_ms));
    }
    assert_eq!(text(&to, ExportFormat::Jsonl).await.lines().count(), lines.lines().count());
    // Again, and into where it came from: nothing changes.
    for user in [&to, &from] {
        let before = text(user, ExportFormat::Jsonl).await;
        assert_eq!(counts(&import(user, lines.clone()).await), [0, 2, 0, 0]);
        assert_eq!(text(user, ExportFormat::Jsonl).await, before);
    }
    // What was imported goes on.
    say(&to, "trip", "more").await;
    assert_eq!(to.session("trip").unwrap().history(10).await.unwrap().len(), 4);
}

#[tokio::test]
async fn markdown_carries_the_branch_that_is_shown() {
    let (here, there) = (engine(), engine());
    let (from, to) = (talked(&here).await, ann(&there));
    let read = text(&from, ExportFormat::Markdown).await;
    assert_eq!(counts(&import(&to, read.clone()).await), [2, 0, 0, 0]);
    let (shown, back) = (from.session("trip").unwrap(), to.session("trip").unwrap());
    let texts = |all: Vec<Message>| all.iter().map(|m| (m.role, m.text(), m.created_ms)).collect::<Vec<_>>();
    assert_eq!(texts(back.history(9).await.unwrap()), texts(shown.history(9).await.unwrap()));
    assert_eq!(
        text(&to, ExportFormat::Markdown).await.len(),
        read.replace("persona: \"cat\"\n", "").replace("persona: \"plain\"\n", "").len()
    );
    assert_eq!(counts(&import(&to, read).await), [0, 2, 0, 0]);
}

#[tokio::test]
async fn what_was_added_there_is_added_here_and_what_was_added_here_stays() {
    let (here, there) = (engine(), engine());
    let (from, to) = (ann(&here), ann(&there));
    say(&from, "trip", "one").await;
    import(&to, text(&from, ExportFormat::Jsonl).await).await;
    to.session("trip").unwrap().rename("Mine").await.unwrap();
    say(&from, "trip", "two").await;
    let lines = text(&from, ExportFormat::Jsonl).await;
    let report = import(&to, lines.clone()).await;
    assert_eq!((counts(&report), report.messages), ([1, 0, 0, 0], 2));
    assert_eq!(tree(&to, "trip").await, tree(&from, "trip").await);
    assert_eq!(to.session("trip").unwrap().info().await.unwrap().title.as_deref(), Some("Mine"));
    // It goes on here: the source has nothing that is missing.
    say(&to, "trip", "three").await;
    assert_eq!(counts(&import(&to, lines).await), [0, 1, 0, 0]);
    assert_eq!(tree(&to, "trip").await.len(), 6);
    // Both went on: they are two conversations now, and neither is written over.
    say(&from, "trip", "another three").await;
    let before = tree(&to, "trip").await;
    let report = import(&to, text(&from, ExportFormat::Jsonl).await).await;
    assert!(
        matches!(&report.entries[0].outcome, Outcome::Refused { error } if error.kind == ErrorKind::Conflict),
        "{report:?}"
    );
    assert_eq!(tree(&to, "trip").await, before);
}

#[tokio::test]
async fn what_an_owner_made_of_a_session_comes_with_it() {
    let (here, there) = (engine(), engine());
    let line = json!({ "type": "session", "v": 1, "messages": 0, "id": "s", "title": "T", "titled_by": "prompt",
        "archived": true, "pinned": true, "metadata": { "tag": [1] }, "created_ms": 1, "updated_ms": 2 });
    assert_eq!(counts(&import(&ann(&here), line.to_string()).await), [1, 0, 0, 0]);
    let lines = text(&ann(&here), ExportFormat::Jsonl).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&lines).unwrap(), line);
    import(&ann(&there), lines.clone()).await;
    assert_eq!(text(&ann(&there), ExportFormat::Jsonl).await, lines);
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let (here, there) = (engine(), engine());
    let (from, to) = (talked(&here).await, ann(&there));
    let lines = text(&from, ExportFormat::Jsonl).await + "nonsense\n";
    let told = to.import(Source::bytes(lines.clone())).dry_run(true).await.unwrap();
    assert_eq!(to.sessions(None, 9).await.unwrap().sessions, []);
    assert_eq!(told, import(&to, lines).await);
}

#[tokio::test]
async fn what_others_own_is_not_exported() {
    let here = engine();
    talked(&here).await;
    let bob = here.user("bob").unwrap();
    assert_eq!(text(&bob, ExportFormat::Jsonl).await, "");
    for format in [ExportFormat::Jsonl, ExportFormat::Markdown] {
        let session = bob.session("trip").unwrap();
        let error = session.export(format).stream().next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_long_conversation_goes_in_parts_both_ways() {
    let (here, there) = (engine(), engine());
    let (from, to) = (ann(&here), ann(&there));
    let mut lines = json!({ "type": "session", "v": 1, "messages": 2_500, "id": "long", "head": 1_200, "created_ms": 1, "updated_ms": 2 }).to_string();
    for seq in 1..=2_500u64 {
        let parent = if seq == 1_300 { Some(7) } else { (seq > 1).then(|| seq - 1) };
        let role = if seq % 2 == 1 { "user" } else { "assistant" };
        let message = json!({ "type": "message", "seq": seq, "parent": parent, "role": role, "status": "complete",
            "content": [{ "type": "text", "text": format!("{seq}") }], "created_ms": seq });
        lines += &format!("\n{message}");
    }
    assert_eq!(counts(&import(&from, lines).await), [1, 0, 0, 0]);
    assert_eq!(from.session("long").unwrap().info().await.unwrap().head, Some(1_200));
    let exported = text(&from, ExportFormat::Jsonl).await;
    assert_eq!(counts(&import(&to, exported).await), [1, 0, 0, 0]);
    assert_eq!(tree(&to, "long").await, tree(&from, "long").await);
    let read = text(&from, ExportFormat::Markdown).await;
    let numbers: Vec<u64> = read.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(numbers, (1..=1_200).collect::<Vec<_>>());
}

#[tokio::test]
async fn progress_is_told_to_the_end() {
    let (here, there) = (engine(), engine());
    let (from, to) = (talked(&here).await, ann(&there));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let keep = |heard: &Arc<Mutex<Vec<Progress>>>| {
        let heard = Arc::clone(heard);
        move |progress| heard.lock().unwrap().push(progress)
    };
    let pieces: Vec<_> = from.export(ExportFormat::Jsonl).on_progress(keep(&heard)).stream().collect().await;
    assert_eq!(*heard.lock().unwrap(), [1, 2].map(|done| Progress { done, total: Some(2) }));
    heard.lock().unwrap().clear();
    let lines: String = pieces.into_iter().map(Result::unwrap).collect();
    let total = lines.len() as u64;
    to.import(Source::bytes(lines)).on_progress(keep(&heard)).await.unwrap();
    assert_eq!(heard.lock().unwrap().last(), Some(&Progress { done: total, total: Some(total) }));
}

fn chatgpt(id: &str, said: &str) -> serde_json::Value {
    let message = |role: &str, said: &str| json!({ "author": { "role": role }, "create_time": 2.0, "content": { "content_type": "text", "parts": [said] } });
    let picture = json!({ "author": { "role": "user" }, "content": { "content_type": "multimodal_text",
        "parts": [{ "content_type": "image_asset_pointer", "asset_pointer": "file-service://file-Cat1" }] } });
    json!({ "title": id, "create_time": 1.0, "update_time": 3.0, "conversation_id": id, "current_node": "a", "mapping": {
        "q": { "id": "q", "parent": null, "message": message("user", said) },
        "a": { "id": "a", "parent": "q", "message": message("assistant", "Hello") },
        "p": { "id": "p", "parent": "a", "message": picture },
    } })
}

/// The newer export: conversations in numbered files, pictures beside them.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("export/conversations-001.json", json!([chatgpt("b", "Hi")]).to_string().into_bytes()),
        ("export/conversations-000.json", json!([chatgpt("a", "Hi"), chatgpt("a2", "Hi")]).to_string().into_bytes()),
        ("export/user.json", b"{}".to_vec()),
        ("export/chat.html", b"<html>".to_vec()),
        ("export/images/file-Cat1-cat.png", vec![7; 3]),
        ("__MACOSX/export/._conversations-000.json", b"junk".to_vec()),
    ]
}

fn zipped(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[tokio::test]
async fn an_export_of_many_files_is_read_from_its_zip_and_from_its_folder() {
    let (here, there, folder) = (engine(), engine(), tempfile::tempdir().unwrap());
    let zip = folder.path().join("export.zip");
    std::fs::write(&zip, zipped(&files())).unwrap();
    for (name, bytes) in files() {
        let path = folder.path().join("unpacked").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    for (engine, path) in [(here, zip), (there, folder.path().join("unpacked"))] {
        let user = ann(&engine);
        let report = user.import(Source::path(&path)).await.unwrap();
        let ids: Vec<_> = report.entries.iter().map(|entry| entry.session.as_deref().unwrap()).collect();
        assert_eq!((counts(&report), ids), ([3, 0, 0, 0], vec!["chatgpt:a", "chatgpt:a2", "chatgpt:b"]));
        let picture = &tree(&user, "chatgpt:a").await[2];
        assert_eq!(json!(picture.content)[0]["url"].as_str().unwrap().rsplit('/').next(), Some("file-Cat1-cat.png"));
        assert_eq!(user.session("chatgpt:a").unwrap().info().await.unwrap().head, Some(2));
        assert_eq!(counts(&user.import(Source::path(&path)).await.unwrap()), [0, 3, 0, 0]);
    }
}

#[tokio::test]
async fn a_zip_that_cannot_be_read_says_why() {
    let (here, whole) = (engine(), zipped(&files()));
    let user = ann(&here);
    let refused = async |bytes: &[u8]| user.import(Source::bytes(bytes)).await.unwrap_err();
    let error = refused(&whole[..whole.len() - 30]).await;
    assert!(error.to_string().contains("download it again"), "{error}");
    let error = refused(&zipped(&[("notes.txt", vec![1])])).await;
    assert!(error.to_string().contains("conversations.json"), "{error}");
    // What is damaged in the midst costs its own file.
    let mut damaged = whole;
    let at = damaged.windows(12).position(|bytes| bytes == b"images/file-").unwrap();
    let first = damaged.windows(29).position(|bytes| bytes == b"export/conversations-001.json").unwrap();
    assert!(first + 40 < at);
    damaged[first + 35] ^= 0xff;
    let report = import(&user, damaged).await;
    assert_eq!(report.imported, 2, "{report:?}");
    assert!(
        matches!(&report.entries[2].outcome, Outcome::Refused { error } if error.message.contains("conversations-001.json")),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_zip_that_is_made_to_burst_is_not_read() {
    let here = engine();
    let bomb = zipped(&[
        ("conversations.json", vec![b' '; 32 << 20]),
        ("conversations-000.json", json!([chatgpt("a", "Hi")]).to_string().into()),
    ]);
    assert!(bomb.len() < 1 << 20);
    let report = import(&ann(&here), bomb).await;
    assert_eq!(counts(&report), [1, 0, 0, 1]);
    assert!(
        report
            .entries
            .iter()
            .any(|entry| matches!(&entry.outcome, Outcome::Refused { error } if error.message.contains("far longer"))),
        "{report:?}"
    );
}

fn chat_db(path: &Path) -> rusqlite::Connection {
    let conn = rusqlite::Connection::open(path).unwrap();
    conn.execute_batch(
        "CREATE TABLE chats (id INTEGER PRIMARY KEY, user_id VARCHAR, title VARCHAR, created_at DATETIME, updated_at DATETIME);
         CREATE TABLE messages (id INTEGER PRIMARY KEY, chat_id INTEGER, role VARCHAR, content TEXT, created_at DATETIME);
         INSERT INTO chats VALUES (1, 'ann', 'Kyoto', '2026-01-02 03:04:05.678901', '2026-01-02 03:05:00');
         INSERT INTO chats VALUES (2, 'bob', NULL, 1767323045, 1767323045.5);
         INSERT INTO chats VALUES (3, NULL, 'Nobody', NULL, NULL);
         INSERT INTO messages VALUES (1, 1, 'user', 'Hi', '2026-01-02 03:04:05'), (2, 2, 'user', 'Yo', NULL),
            (3, 1, 'assistant', 'Hello', '2026-01-02T03:04:06Z'), (4, 1, 'tool', 'x', NULL), (5, 3, 'user', 'Anyone?', 1767323045000);",
    )
    .unwrap();
    conn
}

#[tokio::test]
async fn another_programs_database_is_adopted_for_its_users() {
    let (here, folder) = (engine(), tempfile::tempdir().unwrap());
    let path = folder.path().join("chat.db");
    let conn = chat_db(&path);
    let before = std::fs::read(&path).unwrap();
    let report = here.adopt(&path, None).await.unwrap();
    assert_eq!((counts(&report), report.messages), ([1, 0, 1, 1], 3));
    let owners: Vec<_> = report.entries.iter().map(|entry| entry.owner.as_deref()).collect();
    assert_eq!(owners, [Some("ann"), Some("bob"), None]);
    let ann = ann(&here);
    let said: Vec<_> = tree(&ann, "1").await.iter().map(|m| (m.parent, m.text(), m.created_ms)).collect();
    assert_eq!(said, [(None, "Hi".into(), 1_767_323_045_000), (Some(1), "Hello".to_owned(), 1_767_323_046_000)]);
    let info = ann.session("1").unwrap().info().await.unwrap();
    assert_eq!(
        (info.title.as_deref(), info.created_ms, info.updated_ms),
        (Some("Kyoto"), 1_767_323_045_678, 1_767_323_100_000)
    );
    assert_eq!(ann.session("2").unwrap().info().await.unwrap_err().kind(), ErrorKind::NotFound);
    // Again, with an owner for those who have none, and with what was said since.
    conn.execute("INSERT INTO messages VALUES (6, 2, 'assistant', 'Hey', NULL)", []).unwrap();
    let report = here.adopt(&path, Some(Owner::new("eve").unwrap())).await.unwrap();
    assert_eq!((counts(&report), report.messages), ([2, 1, 0, 0], 2));
    assert_eq!(tree(&here.user("bob").unwrap(), "2").await.len(), 2);
    assert_eq!(tree(&here.user("eve").unwrap(), "3").await[0].text(), "Anyone?");
    conn.execute("DELETE FROM messages WHERE id = 6", []).unwrap();
    drop(conn);
    assert_eq!(std::fs::read(&path).unwrap().len(), before.len());
    // Who says that all of it is his, gets all.
    let report = here.local().import(Source::path(&path)).await.unwrap();
    assert_eq!(counts(&report), [2, 0, 1, 0]);
}

#[tokio::test]
async fn what_is_no_database_of_chats_says_what_is_missing() {
    let (here, folder) = (engine(), tempfile::tempdir().unwrap());
    let path = folder.path().join("other.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE chats (id, title)").unwrap();
    let error = ann(&here).import(Source::path(&path)).await.unwrap_err();
    assert_eq!((error.kind(), error.context("missing")), (ErrorKind::InvalidInput, Some("messages.chat_id")));
    let error = here.adopt(folder.path().join("none.db"), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_large_export_comes_whole_and_again_changes_nothing() {
    let (here, folder) = (engine(), tempfile::tempdir().unwrap());
    let path = folder.path().join("conversations.json");
    let written = generator::export(7, 3 << 20, &mut File::create(&path).unwrap()).unwrap();
    assert!(written.broken > 0 && written.odd > 0, "{written:?}");
    let user = ann(&here);
    let report = user.import(Source::path(&path).format(ImportFormat::ChatGpt)).await.unwrap();
    let whole = written.conversations - written.odd - written.broken;
    assert_eq!(counts(&report), [whole, 0, written.odd, written.broken]);
    let before = text(&user, ExportFormat::Jsonl).await;
    let again = user.import(Source::path(&path)).await.unwrap();
    assert_eq!(counts(&again), [0, whole + written.odd, 0, written.broken]);
    assert_eq!(text(&user, ExportFormat::Jsonl).await, before);
    // And all of it in our own form.
    let there = engine();
    assert_eq!(counts(&import(&ann(&there), before.clone()).await), [whole + written.odd, 0, 0, 0]);
}

#[tokio::test]
async fn who_goes_away_ends_the_import() {
    /// Sessions without end; says when nobody reads them any more.
    struct Endless {
        made: u64,
        rest: Cursor<Vec<u8>>,
        gone: Arc<AtomicBool>,
    }
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.rest.position() == self.rest.get_ref().len() as u64 {
                let id = format!("s{}", self.made);
                let line =
                    json!({ "type": "session", "v": 1, "messages": 0, "id": id, "created_ms": 1, "updated_ms": 1 });
                (self.made, self.rest) = (self.made + 1, Cursor::new(format!("{line}\n").into_bytes()));
            }
            self.rest.read(buffer)
        }
    }
    impl Drop for Endless {
        fn drop(&mut self) {
            self.gone.store(true, Ordering::Relaxed);
        }
    }
    let (here, gone) = (engine(), Arc::new(AtomicBool::new(false)));
    let user = ann(&here);
    let source = Endless { made: 0, rest: Cursor::default(), gone: Arc::clone(&gone) };
    let import = tokio::spawn(user.import(Source::reader(source)).into_future());
    let seen = async {
        while user.sessions(None, 1).await.unwrap().sessions.is_empty() {
            tokio::task::yield_now().await;
        }
        import.abort();
        while !gone.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
    assert!(user.session("s0").unwrap().info().await.is_ok());
}
