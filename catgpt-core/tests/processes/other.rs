//! What this process knows about the other one: its lines, its life, its death. And what both look at: the store.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use catgpt_core::{Engine, Message, Role, Scripted, Session, Sqlite, Status, TurnId, Window};
use rusqlite::Connection;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::child::{LEASE, LIVE, NOBODY, STORE};
use super::{CHILD, ME};

/// The shortest lease that an engine takes.
pub const SHORT: Duration = Duration::from_secs(2);
/// A lease that does not run out while a test runs.
pub const LONG: Duration = Duration::from_secs(600);

/// How long anything may take before a test says that it hangs.
const PATIENCE: Duration = Duration::from_secs(45);

/// The deadline of everything that is waited for.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("this did not come about: {what}"),
    }
}

/// A store that several processes open.
pub struct Shared {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

pub fn shared() -> Shared {
    let folder = tempfile::tempdir().unwrap();
    Shared { path: folder.path().join("chat.db"), _folder: folder }
}

impl Shared {
    pub async fn engine(&self, model: &Scripted) -> Engine {
        engine(&self.path, model).await
    }

    pub async fn other(&self, lease: Duration) -> Other {
        Other::start(&self.path, lease, None).await
    }

    /// Another process that shows its replies.
    #[cfg(feature = "redis")]
    pub async fn shown(&self, lease: Duration, live: &str) -> Other {
        Other::start(&self.path, lease, Some(live)).await
    }

    pub fn sql<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        Connection::open(&self.path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

/// An engine of this process. It sends all that was said, so that a test can look for it.
pub async fn engine(path: &Path, model: &Scripted) -> Engine {
    let window = Window { messages: 50, tokens: u64::MAX, ..Window::default() };
    let memory = Sqlite::open(path).await.unwrap();
    Engine::builder().model(model.clone()).memory(memory).window(window).lease(SHORT).build()
}

pub fn session(engine: &Engine, id: &str) -> Session {
    engine.user(ME).unwrap().session(id).unwrap()
}

/// A line of the other process.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was written, by the other process's clock.
    pub at: Duration,
    pub who: String,
    pub what: String,
    pub rest: String,
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.strip_prefix("told ")?.splitn(4, ' ');
        let at = Duration::from_micros(words.next()?.parse().ok()?);
        let (who, what) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Self { at, who, what, rest: words.next().unwrap_or_default().to_owned() })
    }

    pub fn is(&self, who: &str, what: &str) -> bool {
        self.who == who && self.what == what
    }

    pub fn turn(&self) -> TurnId {
        self.rest.parse().unwrap()
    }

    pub fn offset(&self) -> u64 {
        self.rest.parse().unwrap()
    }
}

/// The other process.
pub struct Other {
    path: PathBuf,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
    /// Lines that were read while another one was waited for.
    skipped: Vec<Line>,
}

impl Other {
    /// Starts it and waits until it has opened the store.
    pub async fn start(path: &Path, lease: Duration, live: Option<&str>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.args([CHILD, "--exact", "--nocapture", "--test-threads=1"]).kill_on_drop(true);
        child.env(STORE, path).env(LEASE, lease.as_millis().to_string());
        child.envs(live.map(|url| (LIVE, url)));
        let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (path, stdin) = (path.to_owned(), child.stdin.take());
        let mut other = Self { path, child, stdin, lines, skipped: Vec::new() };
        other.hear(NOBODY, &["ready"]).await;
        other
    }

    /// Tells it what to do; several lines arrive as one.
    pub async fn tell(&mut self, lines: impl AsRef<str>) {
        let lines = format!("{}\n", lines.as_ref());
        self.stdin.as_mut().unwrap().write_all(lines.as_bytes()).await.unwrap();
    }

    /// Its next line; `None` after its last one.
    pub async fn next(&mut self) -> Option<Line> {
        while let Some(line) = soon("a line of the other process", self.lines.next_line()).await.unwrap() {
            if let Some(line) = Line::read(&line) {
                assert_ne!(line.what, "error", "{line:?}");
                return Some(line);
            }
        }
        None
    }

    /// Waits until it says one of these things, if it has not said it. Its tasks speak in any order, so nothing is lost.
    pub async fn hear(&mut self, who: &str, what: &[&str]) -> Line {
        let fits = |line: &Line| what.iter().any(|what| line.is(who, what));
        if let Some(at) = self.skipped.iter().position(fits) {
            return self.skipped.remove(at);
        }
        soon(&format!("{who} is {what:?}"), async {
            while let Some(line) = self.next().await {
                if fits(&line) {
                    return line;
                }
                self.skipped.push(line);
            }
            panic!("it ended before {who} was {what:?}");
        })
        .await
    }

    /// Makes it send, and waits until it has.
    pub async fn send(&mut self, who: &str, session: &str, script: &str) -> TurnId {
        self.tell(format!("send {who} {session} reject {script} Hi from {who}")).await;
        self.hear(who, &["sent"]).await.turn()
    }

    /// Reads on until a turn's end: its status, and how much of it is stored.
    pub async fn end(&mut self, who: &str) -> (String, u64) {
        let line = self.hear(who, &["finished"]).await;
        let (status, stored) = line.rest.split_once(' ').unwrap();
        (status.to_owned(), stored.parse().unwrap())
    }

    /// Kills it, and returns what it had still said.
    pub async fn kill(mut self) -> Vec<Line> {
        self.child.start_kill().unwrap();
        let heard = self.rest().await;
        self.child.wait().await.unwrap();
        heard
    }

    /// Ends its input, after which it closes its engine and leaves.
    pub async fn leave(mut self) -> Vec<Line> {
        self.stdin = None;
        let heard = self.rest().await;
        assert!(soon("its end", self.child.wait()).await.unwrap().success());
        assert!(heard.iter().any(|line| line.is(NOBODY, "closed")), "{heard:?}");
        heard
    }

    /// All that it said and nobody waited for, to its end.
    async fn rest(&mut self) -> Vec<Line> {
        let mut heard = std::mem::take(&mut self.skipped);
        while let Some(line) = self.next().await {
            heard.push(line);
        }
        heard
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap()
    }

    /// Stops it where it stands, but not within a write: it would keep the whole file locked, and no engine can help that.
    pub fn pause(&self) {
        let lock = Connection::open(&self.path).unwrap();
        lock.busy_timeout(PATIENCE).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        kill_process(self.pid(), Signal::STOP).unwrap();
        let (_, status) = waitpid(Some(self.pid()), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped());
        lock.execute_batch("ROLLBACK").unwrap();
    }

    pub fn go_on(&self) {
        kill_process(self.pid(), Signal::CONT).unwrap();
    }
}

/// All messages of a session, which must be whole: numbered without gaps, each reply to the message before it, every
/// message of the user with one reply, and nothing between the two.
pub async fn whole(session: &Session) -> Vec<Message> {
    let tree = session.tree(0, 100_000).await.unwrap();
    assert_eq!(tree.len() % 2, 0, "a message without a reply");
    for (n, message) in (1..).zip(&tree) {
        assert_eq!(message.seq, n, "a gap in the numbers");
        assert_eq!(message.parent, (n > 1).then(|| n - 1), "a branch that nobody asked for");
        assert_eq!(message.role, if n % 2 == 1 { Role::User } else { Role::Assistant });
    }
    for pair in tree.chunks(2) {
        assert_eq!(pair[0].turn, pair[1].turn, "a reply to somebody else");
        assert_eq!(pair[0].status, Status::Complete);
    }
    tree
}

/// The file as SQLite sees it.
pub fn undamaged(store: &Shared) {
    assert_eq!(store.sql::<String>("PRAGMA integrity_check"), "ok");
    assert_eq!(store.sql::<i64>("SELECT count(*) FROM pragma_foreign_key_check"), 0);
    let orphans = "SELECT count(*) FROM chunk c WHERE NOT EXISTS
        (SELECT 1 FROM message m WHERE m.sid = c.sid AND m.seq = c.seq AND m.status = 0)";
    assert_eq!(store.sql::<i64>(orphans), 0, "a piece without a running reply");
}
