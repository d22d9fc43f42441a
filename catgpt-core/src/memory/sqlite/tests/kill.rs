//! Processes: one that is killed in the middle of its work, two that work on one file.
//!
//! The other process is this test program again, told by its environment what to be.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::JoinSet;

use super::kit::{ann, end, folder, open, say, started};
use crate::id::TurnId;
use crate::memory::{Begun, Checkpoint, Kept, Memory, Read, Sqlite};
use crate::message::Status;

const STORE: &str = "CATGPT_TEST_STORE";
const ROUND: &str = "CATGPT_TEST_ROUND";

/// Starts this test program again with one test only, which finds `STORE` in its environment.
fn again(test: &str, store: &Path, round: usize) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let name = format!("memory::sqlite::tests::kill::{test}");
    child.args([&name, "--exact", "--nocapture", "--test-threads=1"]);
    child.env(STORE, store).env(ROUND, round.to_string());
    child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Says that something was answered. Written at once, so the parent reads it whatever comes next.
fn tell(what: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\ntold {what}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// What the child told, line by line; ends with the child.
fn told(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).split(b'\n').map_while(Result::ok);
    lines.filter_map(|line| Some(String::from_utf8(line).ok()?.strip_prefix("told ")?.to_owned()))
}

fn reply(turn: TurnId) -> String {
    format!("the whole reply of {turn}")
}

/// Begins, checkpoints and finishes for ever.
async fn work(store: &Sqlite, session: String) {
    loop {
        let begin = say(&session, "hi");
        let turn = begin.turn;
        started(store.begin_turn(&ann(), begin).await);
        tell(&format!("begun {turn} 0"));
        for from in 0..4 {
            let lease = Duration::from_secs(600);
            let piece = Checkpoint { turn, from, to: from + 1, body: b"x".into(), lease, sync: from % 2 == 0 };
            assert_eq!(store.checkpoint(&ann(), piece).await.unwrap(), Kept::Renewed { cancel: false });
            tell(&format!("kept {turn} {}", from + 1));
        }
        store.finish_turn(&ann(), end(turn, reply(turn))).await.unwrap();
        tell(&format!("ended {turn} 0"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_nothing_that_was_answered() {
    if let Some(path) = std::env::var_os(STORE) {
        let store = std::sync::Arc::new(open(Path::new(&path)).await);
        let mut tasks = JoinSet::new();
        for n in 0..4 {
            let (store, session) = (store.clone(), format!("{} {n}", std::env::var(ROUND).unwrap()));
            tasks.spawn(async move { work(&store, session).await });
        }
        tasks.join_all().await;
        return;
    }
    let rounds = std::env::var("CATGPT_KILL_ROUNDS").map_or(20, |rounds| rounds.parse().unwrap());
    let folder = folder();
    let path = folder.path().join("chat.db");
    for round in 0..rounds {
        let mut child = again("a_killed_process_loses_nothing_that_was_answered", &path, round);
        let mut lines = told(&mut child);
        let mut heard: Vec<_> = lines.by_ref().take(fastrand::usize(1..120)).collect();
        child.kill().unwrap();
        heard.extend(lines);
        child.wait().unwrap();
        assert!(!heard.is_empty(), "round {round}");
        whole(&path);
        remembers(&open(&path).await, &heard).await;
    }
}

/// The furthest that each turn was told to have come.
async fn remembers(store: &Sqlite, heard: &[String]) {
    let mut turns: HashMap<TurnId, (u64, bool)> = HashMap::new();
    for line in heard {
        let words: Vec<_> = line.split(' ').collect();
        let (turn, to) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        let come = turns.entry(turn).or_default();
        *come = (come.0.max(to), come.1 || words[0] == "ended");
    }
    for (turn, (to, ended)) in turns {
        let view = store.read(&ann(), Read::Tail { turn, from: 0 }).await.unwrap();
        let row = &view.rows[0];
        assert!(!ended || row.status == Status::Complete, "{turn} had ended");
        match row.status {
            Status::Complete => assert_eq!(row.body, reply(turn).as_bytes()),
            _ => assert!(view.chunks.len() as u64 >= to, "{turn} had come to {to}: {:?}", view.chunks),
        }
    }
}

/// Nothing is torn: each of these looks for what must not be there.
fn whole(path: &Path) {
    let conn = Connection::open(path).unwrap();
    let check: String = conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    for (wrong, sql) in [
        ("a key without its row", "SELECT count(*) FROM pragma_foreign_key_check"),
        (
            "a head that is not the newest message",
            "SELECT count(*) FROM session s WHERE s.head IS NOT (SELECT max(seq) FROM message m WHERE m.sid = s.sid)",
        ),
        (
            "a gap in the numbers",
            "SELECT count(*) FROM session s WHERE s.last_seq <> (SELECT count(*) FROM message m WHERE m.sid = s.sid)",
        ),
        (
            "a running turn without its running reply",
            "SELECT count(*) FROM session s WHERE s.run IS NOT
             (SELECT turn FROM message m WHERE m.sid = s.sid AND m.status = 0)",
        ),
        (
            "a piece without a running reply",
            "SELECT count(*) FROM chunk c WHERE NOT EXISTS
             (SELECT 1 FROM message m WHERE m.sid = c.sid AND m.seq = c.seq AND m.status = 0)",
        ),
        ("a gap in the journal", "SELECT max(n) - count(*) FROM change"),
        (
            "a turn without its entry",
            "SELECT count(*) FROM message m WHERE role = 2 AND (SELECT count(*) FROM change c WHERE c.turn = m.turn)
             <> iif(m.status = 0, 1, 2)",
        ),
    ] {
        assert_eq!(conn.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 0, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_have_one_winner_each_round() {
    const ROUNDS: usize = 60;
    if let Some(path) = std::env::var_os(STORE) {
        let store = std::sync::Arc::new(open(Path::new(&path)).await);
        tell("ready");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        for round in 0..ROUNDS {
            let mut tasks = JoinSet::new();
            for _ in 0..4 {
                let store = store.clone();
                tasks.spawn(async move { store.begin_turn(&ann(), say(&round.to_string(), "me")).await });
            }
            for begun in tasks.join_all().await {
                match begun {
                    Ok(Begun::Started(_)) => tell(&format!("{round} won")),
                    Ok(Begun::Busy { .. }) => tell(&format!("{round} busy")),
                    other => tell(&format!("{round} {other:?}")),
                }
            }
        }
        return;
    }
    let folder = folder();
    let path = folder.path().join("chat.db");
    let mut children: Vec<_> = (0..2).map(|n| again("two_processes_have_one_winner_each_round", &path, n)).collect();
    let mut lines: Vec<_> = children.iter_mut().map(told).collect();
    for lines in &mut lines {
        assert_eq!(lines.next().as_deref(), Some("ready"));
    }
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let heard: Vec<_> = lines.into_iter().flatten().collect();
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    for round in 0..ROUNDS {
        let count = |what: &str| heard.iter().filter(|line| **line == format!("{round} {what}")).count();
        assert_eq!((count("won"), count("busy")), (1, 7), "round {round}");
    }
    whole(&path);
}
