//! Long work: what a terminal shows of it, and that it can be stopped and goes on from there.

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::{Home, PATIENCE, end, on_terminal, signal};
use crate::terminal::{PROMPT, Terminal};

/// How many messages are made findable at once.
const STEP: i64 = 500;

/// A home with a chat of so many messages, none of which can be found yet.
fn imported(messages: i64) -> Home {
    let home = Home::new();
    let file = home.path().join("chat.db");
    let conn = Connection::open(&file).unwrap();
    let tables =
        "CREATE TABLE chats (id INTEGER PRIMARY KEY, user_id TEXT, title TEXT, created_at TEXT, updated_at TEXT);
         CREATE TABLE messages (id INTEGER PRIMARY KEY, chat_id INTEGER, role TEXT, content TEXT, created_at TEXT);
         INSERT INTO chats VALUES (7, 'u1', 'Kyoto', '2026-01-02 03:04:05', '2026-01-02 03:04:06');";
    conn.execute_batch(tables).unwrap();
    let said = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO messages SELECT n, 7, iif(n % 2, 'user', 'assistant'), 'word number' || n, NULL FROM n";
    conn.execute(said, [messages]).unwrap();
    drop(conn);
    home.run(&["chats", "import", file.to_str().unwrap()]).expect(0);
    home
}

fn store(home: &Home) -> Connection {
    let conn = Connection::open(home.db()).unwrap();
    conn.busy_timeout(PATIENCE).unwrap();
    conn
}

/// The third step of an index never ends.
fn stuck(home: &Home) {
    let endless = format!(
        "CREATE TRIGGER stuck BEFORE INSERT ON doc WHEN NEW.seq = {} BEGIN
            SELECT count(*) FROM (WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT n FROM n);
        END",
        2 * STEP + 1
    );
    store(home).execute_batch(&endless).unwrap();
}

fn unstuck(home: &Home) {
    store(home).execute_batch("DROP TRIGGER stuck").unwrap();
}

/// How far the chat is findable.
fn indexed(home: &Home) -> i64 {
    store(home).query_row("SELECT indexed FROM session", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_search_looks_at_everything_and_a_terminal_shows_how_far_it_is() {
    let home = imported(3 * STEP);
    let search = home.command(&["chats", "search", "number1500"]);
    let (ran, shown) = on_terminal(search, [false, false, true], "");
    assert_eq!(ran.expect(0).text().lines().count(), 1);
    assert!(shown.contains("\r\x1b[Kindexing 1000") && shown.ends_with("\r\x1b[K"), "{shown:?}");
    // Nothing is left to do, and nothing is said.
    let again = on_terminal(home.command(&["chats", "search", "number1499"]), [false, false, true], "");
    assert_eq!((again.0.expect(0).text().lines().count(), again.1.as_str()), (1, ""));
}

#[test]
fn a_script_and_the_quiet_see_the_whole_answer_and_no_progress() {
    let home = imported(3 * STEP);
    let ran = home.run(&["chats", "search", "number1500"]).expect(0);
    assert_eq!((ran.text().lines().count(), ran.err.as_str()), (1, ""));
    let home = imported(3 * STEP);
    let (ran, shown) = on_terminal(home.command(&["chats", "search", "-q", "number1500"]), [false, false, true], "");
    assert_eq!((ran.expect(0).text().lines().count(), shown.as_str()), (1, ""));
}

#[test]
fn ctrl_c_ends_a_search_and_the_next_one_goes_on_from_there() {
    let home = imported(3 * STEP);
    stuck(&home);
    let mut terminal = Terminal::run(&home.command(&["chats", "search", "number1500"]));
    terminal.see("indexing 1000").press("\x03");
    terminal.end(130);
    assert_eq!(indexed(&home), 2 * STEP);
    unstuck(&home);
    assert_eq!(home.run(&["chats", "search", "number1500"]).expect(0).text().lines().count(), 1);
    assert_eq!(indexed(&home), 3 * STEP);
}

#[test]
fn a_conversation_goes_on_when_its_search_is_stopped() {
    let home = imported(3 * STEP);
    stuck(&home);
    let mut terminal = Terminal::run(&home.command(&["chat", "-s", "7"]));
    terminal.see(PROMPT).type_line("/search number1500").see("indexing 1000").press("\x03");
    terminal.see("the search was stopped").see(PROMPT);
    // It does not wait for what is stuck.
    signal(terminal.child(), Signal::TERM);
    terminal.end(143);
    unstuck(&home);
    let mut terminal = Terminal::run(&home.command(&["chat", "-s", "7"]));
    terminal.see(PROMPT).type_line("/search number1500").see(" 1  7").see(PROMPT).type_line("/quit");
    terminal.end(0);
}

/// A store of an older version, which somebody writes to.
fn old_and_busy(home: &Home) -> Connection {
    std::fs::create_dir_all(home.db().parent().unwrap()).unwrap();
    let conn = store(home);
    conn.execute_batch(include_str!("../../../catgpt-core/src/memory/sqlite/v1.sql")).unwrap();
    let version = "PRAGMA application_id = 0x43415447; PRAGMA user_version = 1; PRAGMA journal_mode = WAL";
    conn.execute_batch(version).unwrap();
    conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    conn
}

fn version(conn: &Connection) -> i64 {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_terminal_shows_that_an_old_store_is_waited_for() {
    let home = Home::new();
    let writer = old_and_busy(&home);
    // These two wait at least as long as the one that tells it.
    let piped = home.command(&["chats"]).spawn().unwrap();
    let quiet = Terminal::run(&home.command(&["chats", "-q"]));
    let mut terminal = Terminal::run(&home.command(&["chats"]));
    terminal.see("opening the store …");
    writer.execute_batch("COMMIT").unwrap();
    terminal.see("there are no chats yet");
    let shown = terminal.end_raw(0);
    assert!(shown.starts_with("\r\x1b[Kopening the store …\r\x1b[Kcatgpt: there are"), "{shown:?}");
    assert_eq!(quiet.end_raw(0), "");
    assert_eq!(end(piped).expect(0).err, "catgpt: there are no chats yet\n");
    assert_eq!(version(&writer), 2, "it was brought to the newest form");
}
