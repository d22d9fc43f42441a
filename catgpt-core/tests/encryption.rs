//! What an engine with keys leaves in every store: nothing that can be read; and how a store gets there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::memory::{Answer, Query};
use catgpt_core::model::{Gate, Step};
use catgpt_core::{
    Encryption, Engine, ErrorKind, Event, FinishReason, Live, LocalKeys, Memory, ModelEvent, Owner, Persona, Redis,
    Scripted, Session, Sqlite, Status,
};
use catgpt_scratch::{Database, Redis as Server};
use common::{all, eventually, text_of};

/// What is said, and must not be found: in prompts, replies, titles, metadata, personas, names of tools' arguments.
const MARK: &str = "Zanzibar";

fn keys(lines: &[&str]) -> Encryption {
    Encryption::new(LocalKeys::parse(&lines.concat()).unwrap())
}

fn line(id: &str) -> String {
    LocalKeys::fresh_line(id).unwrap()
}

fn engine(model: Scripted, memory: impl Memory, keys: Option<Encryption>) -> Engine {
    let persona = Persona::new("guide", format!("You know all of {MARK}.")).unwrap();
    let builder = Engine::builder().model(model).memory(memory).persona(persona).lease(Duration::from_secs(2));
    keys.into_iter().fold(builder, |builder, keys| builder.encryption(keys)).build()
}

fn session(engine: &Engine) -> Session {
    engine.user("ann").unwrap().session("trip").unwrap()
}

/// Says something of everything that is kept as bytes.
async fn say_all(engine: &Engine) {
    let session = session(engine);
    let reply = session.send(format!("{MARK} in three days")).key("k").await.unwrap();
    assert_eq!(text_of(&all(reply).await), format!("Go to {MARK}."));
    session.rename(&format!("On {MARK}")).await.unwrap();
    let meta = serde_json::json!({ "of": MARK }).as_object().unwrap().clone();
    session.set_metadata(&meta).await.unwrap();
    session.edit(1, format!("{MARK} in four days")).await.unwrap().text().await.unwrap();
}

fn go() -> Scripted {
    Scripted::reply(format!("Go to {MARK}."))
}

fn stop() -> Step {
    Step::Event(ModelEvent::Finish(FinishReason::Stop))
}

async fn read_all(engine: &Engine) {
    let info = session(engine).info().await.unwrap();
    assert_eq!((info.title.as_deref(), info.metadata["of"].as_str()), (Some("On Zanzibar"), Some(MARK)));
    let tree = session(engine).tree(0, 100).await.unwrap();
    let said: Vec<_> = tree.iter().map(|message| message.text()).collect();
    assert_eq!(said, ["Zanzibar in three days", "Go to Zanzibar.", "Zanzibar in four days", "Go to Zanzibar."]);
}

/// Which files below a folder have these bytes in them, in any case.
fn holding(folder: &Path, mark: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    let mark = mark.to_lowercase().into_bytes();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                let bytes = bytes.to_ascii_lowercase();
                found.extend(bytes.windows(mark.len()).any(|some| some == mark).then_some(path));
            }
        }
    }
    found
}

#[tokio::test]
async fn sqlite_files_never_hold_what_was_said() {
    let (folder, line) = (tempfile::tempdir().unwrap(), line("k"));
    let path = folder.path().join("chat.db");
    let store = || Sqlite::open(&path);
    let long = Scripted::script([Step::text(format!("{MARK} is large. ")), Step::Hang]);
    let writer = engine(long, store().await.unwrap(), Some(keys(&[&line])));
    let reply = session(&writer).send(format!("{MARK}, please")).await.unwrap();
    let turn = reply.turn();
    // While it runs, once a piece of it is stored.
    let raw = store().await.unwrap();
    let ann = Owner::new("ann").unwrap();
    eventually("a piece is stored", || async {
        let read = catgpt_core::memory::Read::Tail { turn, from: 0 };
        !raw.read(&ann, read).await.unwrap().chunks.is_empty()
    })
    .await;
    assert_eq!(holding(folder.path(), MARK), [""; 0].map(PathBuf::from));
    writer.user("ann").unwrap().cancel(turn).await.unwrap();
    assert_eq!(text_of(&all(reply).await), "Zanzibar is large. ");
    session(&writer).delete().await.unwrap();
    writer.close(Duration::ZERO).await.unwrap();

    let writer = engine(go(), store().await.unwrap(), Some(keys(&[&line])));
    say_all(&writer).await;
    assert_eq!(holding(folder.path(), MARK), [""; 0].map(PathBuf::from));
    writer.close(Duration::ZERO).await.unwrap();
    raw.close().await.unwrap();
    assert_eq!(holding(folder.path(), MARK), [""; 0].map(PathBuf::from));

    // Another process with the key reads all of it, and knows the key of the send; one without a key is told.
    let reader = engine(go(), store().await.unwrap(), Some(keys(&[&line]).refuse_plaintext()));
    read_all(&reader).await;
    let again = session(&reader).send(format!("{MARK} in three days")).key("k").await.unwrap();
    assert_eq!(again.text().await.unwrap(), format!("Go to {MARK}."));
    assert!(reader.health().await.encrypted);
    let searched = reader.user("ann").unwrap().search("zanzibar", None, 10).await.unwrap_err();
    assert_eq!(searched.kind(), ErrorKind::Unsupported);
    assert!(searched.to_string().contains("encrypted"), "{searched}");
    let keyless = engine(go(), store().await.unwrap(), None);
    let error = session(&keyless).history(9).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("give the engine its keys"), "{error}");
}

#[tokio::test]
async fn a_process_that_dies_leaves_its_words_to_those_with_the_key() {
    let (folder, line) = (tempfile::tempdir().unwrap(), line("k"));
    let path = folder.path().join("chat.db");
    let said = format!("{MARK} is large.");
    let model = Scripted::script([Step::text(said.clone()), Step::Hang]);
    let dying = engine(model, Sqlite::open(&path).await.unwrap(), Some(keys(&[&line])));
    let turn = session(&dying).send("Hi").await.unwrap().turn();
    let (raw, ann) = (Sqlite::open(&path).await.unwrap(), Owner::new("ann").unwrap());
    eventually("a piece is stored", || async {
        let read = catgpt_core::memory::Read::Tail { turn, from: 0 };
        !raw.read(&ann, read).await.unwrap().chunks.is_empty()
    })
    .await;
    // What a kill leaves: the files as they are.
    let copy = folder.path().join("left.db");
    for end in ["", "-wal"] {
        let beside = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
        std::fs::copy(beside(&path), beside(&copy)).unwrap();
    }
    let other = engine(go(), Sqlite::open(&copy).await.unwrap(), Some(keys(&[&line])));
    let reply = other.user("ann").unwrap().attach(turn, 0).await.unwrap();
    let events = tokio::time::timeout(Duration::from_secs(30), all(reply)).await.unwrap();
    assert_eq!(text_of(&events), said);
    assert_eq!(session(&other).history(1).await.unwrap()[0].status, Status::Interrupted);
    assert_eq!(holding(folder.path(), MARK), [""; 0].map(PathBuf::from));
}

#[tokio::test]
async fn a_store_that_was_plain_is_sealed_to_its_last_word() {
    let (folder, line) = (tempfile::tempdir().unwrap(), line("k"));
    let path = folder.path().join("chat.db");
    let plain = engine(go(), Sqlite::open(&path).await.unwrap(), None);
    say_all(&plain).await;
    // Bob's words stay in the index until his turn comes.
    let bob = plain.user("bob").unwrap();
    bob.session("his").unwrap().send(format!("{MARK} too")).await.unwrap().text().await.unwrap();
    for owner in [&plain.user("ann").unwrap(), &bob] {
        assert!(!owner.search("zanzibar", None, 10).await.unwrap().hits.is_empty());
    }
    plain.close(Duration::ZERO).await.unwrap();
    assert_eq!(holding(folder.path(), MARK), std::slice::from_ref(&path));

    // A strict engine reads nothing of it; the other one reads it as it is.
    let strict = engine(go(), Sqlite::open(&path).await.unwrap(), Some(keys(&[&line]).refuse_plaintext()));
    assert_eq!(session(&strict).history(9).await.unwrap_err().kind(), ErrorKind::Store);
    let sealed = engine(go(), Sqlite::open(&path).await.unwrap(), Some(keys(&[&line])));
    read_all(&sealed).await;
    let mut told = Vec::new();
    let written = sealed.reseal(|owners| told.push(owners)).await.unwrap();
    // Four messages, title, persona and metadata of hers; two messages, title and persona of his.
    assert_eq!((written, told), (11, vec![1, 2]));
    assert_eq!(sealed.reseal(|_| {}).await.unwrap(), 0, "there is nothing left to do");
    assert_eq!(holding(folder.path(), MARK), [""; 0].map(PathBuf::from));
    read_all(&strict).await;
    let error = engine(go(), Sqlite::open(&path).await.unwrap(), None).reseal(|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn keys_are_changed_while_turns_run() {
    let (folder, old, new) = (tempfile::tempdir().unwrap(), line("old"), line("new"));
    let store = || Sqlite::open(folder.path().join("chat.db"));
    let first = engine(go(), store().await.unwrap(), Some(keys(&[&old])));
    say_all(&first).await;
    first.close(Duration::ZERO).await.unwrap();

    let gate = Gate::new();
    let model = Scripted::script([Step::text("Now "), Step::gate(&gate), Step::text("or never."), stop()]);
    let both = engine(model, store().await.unwrap(), Some(keys(&[&new, &old])));
    let running = session(&both).send("When?").await.unwrap();
    let resealing = tokio::spawn({
        let ann = both.user("ann").unwrap();
        async move { ann.reseal(|_| {}).await.unwrap() }
    });
    // It waits for the turn, and the turn does not wait for it.
    let raw = store().await.unwrap();
    eventually("the rest is resealed", || async {
        let query = Query::Session { session: "trip".parse().unwrap() };
        let answer = raw.query(&Owner::new("ann").unwrap(), query).await.unwrap();
        let Answer::Sessions { rows, .. } = answer else { panic!("{answer:?}") };
        rows[0].meta.as_ref().unwrap().windows(3).any(|id| id == b"new")
    })
    .await;
    assert!(!resealing.is_finished());
    gate.open();
    assert_eq!(running.text().await.unwrap(), "Now or never.");
    assert_eq!(resealing.await.unwrap(), 7);
    both.close(Duration::ZERO).await.unwrap();

    // The old key is needed no more.
    let last = engine(go(), store().await.unwrap(), Some(keys(&[&new]).refuse_plaintext()));
    assert_eq!(session(&last).history(9).await.unwrap().last().unwrap().text(), "Now or never.");
    let without = engine(go(), store().await.unwrap(), Some(keys(&[&old])));
    let error = session(&without).history(9).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert!(error.to_string().contains("(key: new)"), "{error}");
}

#[tokio::test]
async fn nobody_reads_what_was_moved_to_him() {
    let (folder, line) = (tempfile::tempdir().unwrap(), line("k"));
    let path = folder.path().join("chat.db");
    let engine = engine(go(), Sqlite::open(&path).await.unwrap(), Some(keys(&[&line]).refuse_plaintext()));
    say_all(&engine).await;
    let mallory = engine.user("mallory").unwrap();
    mallory.session("mine").unwrap().send("Hi").await.unwrap().text().await.unwrap();
    let store = rusqlite::Connection::open(&path).unwrap();
    let swaps = [
        // Another owner's session, another session's title, another message's body.
        "UPDATE session SET owner = 'mallory' WHERE id = 'trip'",
        "UPDATE session SET title = (SELECT title FROM session WHERE id = 'trip') WHERE id = 'mine'",
        "UPDATE message SET body = (SELECT body FROM message WHERE seq = 3) WHERE seq = 1",
        "UPDATE message SET body = CAST('{\"v\":1,\"parts\":[{\"type\":\"text\",\"text\":\"mine\"}]}' AS BLOB) WHERE seq = 2",
    ];
    for swap in swaps {
        store.execute_batch(&format!("BEGIN; {swap}; COMMIT")).unwrap();
        let read = async |session: &str| {
            let session = mallory.session(session).unwrap();
            session.info().await?;
            session.history(9).await
        };
        let reads = [read("trip").await, read("mine").await];
        assert!(reads.iter().any(|read| read.as_ref().is_err_and(|e| e.kind() == ErrorKind::Store)), "{swap}");
        let said = reads.iter().flatten().flatten().map(|message| message.text()).collect::<String>();
        assert!(!said.contains("days") && !said.contains("mine"), "{swap}");
        store.execute_batch("UPDATE session SET owner = 'ann' WHERE id = 'trip'").unwrap();
    }
    // But what he takes over as it should be, he reads.
    let (a, b) = (engine.user("guest").unwrap(), engine.user("dora").unwrap());
    a.session("talk").unwrap().send("Hello").await.unwrap().text().await.unwrap();
    assert_eq!(b.claim(a.owner(), Duration::ZERO).await.unwrap(), 1);
    assert_eq!(b.session("talk").unwrap().history(9).await.unwrap()[0].text(), "Hello");
}

#[tokio::test]
async fn postgres_never_holds_what_was_said() {
    let (database, line) = (Database::new(), line("k"));
    // No other test says this, for all share the server and its log.
    let mark = format!("{MARK}{}", std::process::id());
    let memory = catgpt_core::memory::open(&database.url()).await.unwrap();
    let model = Scripted::script([Step::text(format!("{mark} is large. ")), Step::Hang]);
    let engine = engine(model, memory, Some(keys(&[&line])));
    let reply = session(&engine).send(format!("{mark}, please")).await.unwrap();
    let turn = reply.turn();
    eventually("a piece is stored", || async { database.sql("SELECT count(*) FROM catgpt.chunk").trim() == "1" }).await;
    let hidden = || {
        let tables = database.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'catgpt' ORDER BY 1");
        assert!(tables.lines().any(|table| table == "message"), "{tables}");
        let hex: String = mark.bytes().map(|byte| format!("{byte:02x}")).collect();
        for table in tables.lines() {
            let rows = database.sql(&format!("SELECT x::text FROM catgpt.{table} x")).to_lowercase();
            assert!(!rows.contains(&hex) && !rows.contains(&mark.to_lowercase()), "{table}");
        }
        database.sql("CHECKPOINT");
        let folder = PathBuf::from(database.sql("SHOW data_directory").trim());
        let own = database.sql("SELECT oid FROM pg_database WHERE datname = current_database()");
        for files in [folder.join("base").join(own.trim()), folder.join("pg_wal")] {
            assert_eq!(holding(&files, &mark), [""; 0].map(PathBuf::from));
        }
    };
    hidden();
    engine.user("ann").unwrap().cancel(turn).await.unwrap();
    assert_eq!(text_of(&all(reply).await), format!("{mark} is large. "));
    session(&engine).rename(&format!("On {mark}")).await.unwrap();
    hidden();
}

#[tokio::test]
async fn redis_never_holds_what_is_said() {
    let (server, line) = (Server::start().unwrap(), line("k"));
    let memory = Arc::new(catgpt_core::InMemory::new());
    let with = async |model| {
        let live: Arc<dyn Live> = Arc::new(Redis::open(&server.url()).await.unwrap());
        Engine::builder().model(model).memory(Arc::clone(&memory)).live(live).encryption(keys(&[&line])).build()
    };
    let gate = Gate::new();
    let model =
        Scripted::script([Step::text(format!("{MARK} is large.")), Step::gate(&gate), Step::text(" Very."), stop()]);
    let (writer, other) = (with(model).await, with(go()).await);
    let reply = session(&writer).send("Hi").await.unwrap();
    let mut watched = other.user("ann").unwrap().attach(reply.turn(), 0).await.unwrap();
    let client = redis::Client::open(server.url()).unwrap();
    let mut link = client.get_multiplexed_async_connection().await.unwrap();
    let mut frames = async || {
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut link).await.unwrap();
        let mut all = Vec::new();
        for key in &keys {
            let mut range = redis::cmd("XRANGE");
            let entries: redis::Value = range.arg(key).arg("-").arg("+").query_async(&mut link).await.unwrap();
            all.push(format!("{key} {entries:?}"));
        }
        all.join("\n")
    };
    let said = format!("{MARK} is large.");
    tokio::time::timeout(Duration::from_secs(20), common::until_text(&mut watched, &said)).await.unwrap();
    let stored = frames().await;
    assert!(stored.contains("199"), "a sealed frame begins with C7: {stored}");
    let list = format!("{:?}", MARK.as_bytes());
    let plain = |text: &str| text.contains(MARK) || text.contains(list.trim_matches(['[', ']']));
    assert!(!plain(&stored));
    gate.open();
    assert!(matches!(all(reply).await.last(), Some(Event::Finished(_))));
    assert_eq!(text_of(&all(watched).await), " Very.");
    assert!(!plain(&frames().await));
}
