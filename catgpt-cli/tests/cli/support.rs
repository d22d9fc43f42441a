//! A home of its own for each test, the program in it, and a model server that goes wrong on request.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use catgpt_core::testkit::{FakeServer, Received, Script};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An empty home folder.
pub(crate) struct Home(TempDir);

/// What a run left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).expect("stdout is UTF-8")
    }

    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", String::from_utf8_lossy(&self.out), self.err);
        self
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.path().join("data/catgpt/catgpt.db")
    }

    /// The program with an environment of its own, and nothing on stdin.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_catgpt"));
        command.args(words).env_clear().current_dir(self.path());
        command.env("HOME", self.path()).env("TZ", "UTC").env("NO_PROXY", "127.0.0.1").env("PAGER", "cat");
        command.env("XDG_CONFIG_HOME", self.path().join("config")).env("XDG_DATA_HOME", self.path().join("data"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        finish(self.command(words))
    }

    /// The messages of a chat, as `chats show` gives them.
    pub(crate) fn messages(&self, chat: &str) -> Vec<Value> {
        let ran = self.run(&["chats", "show", chat, "--json"]).expect(0);
        ran.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The last message of the chat used last, if there is one yet.
    pub(crate) fn latest(&self) -> Option<Value> {
        let ran = self.run(&["chats", "show", "@", "last", "--json"]);
        serde_json::from_slice(&ran.out).ok()
    }

    pub(crate) fn persona(&self, name: &str, text: &str) {
        let folder = self.path().join("config/catgpt/personas");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{name}.md")), text).expect("a file");
    }
}

/// A message's text, its status, and who speaks.
pub(crate) fn told(message: &Value) -> (&str, &str, String) {
    let text = message["content"].as_array().expect("parts").iter().filter_map(|part| part["text"].as_str()).collect();
    (message["role"].as_str().expect("a role"), message["status"].as_str().expect("a status"), text)
}

pub(crate) fn finish(mut command: Command) -> Ran {
    end(command.spawn().expect("the program starts"))
}

pub(crate) fn finish_with(mut command: Command, stdin: &[u8]) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        // It may end before it has read everything.
        scope.spawn(move || drop(pipe.write_all(stdin)));
        end(child)
    })
}

/// Waits for the end of the program, and ends it if that does not come.
pub(crate) fn end(child: Child) -> Ran {
    let pid = Pid::from_child(&child);
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        let late = ended.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout);
        if late {
            let _ = kill_process(pid, Signal::KILL);
        }
        late
    });
    let output = child.wait_with_output().expect("the program ends");
    drop(done);
    assert!(!watch.join().expect("a watch"), "the program did not end");
    let code = output.status.code().or(output.status.signal().map(|signal| -signal)).expect("an end");
    Ran { code, out: output.stdout, err: String::from_utf8(output.stderr).expect("stderr is UTF-8") }
}

/// Runs a program whose `streams` (of stdin, stdout and stderr) are a terminal; returns what the terminal showed. `typed` is what somebody
/// types there.
pub(crate) fn on_terminal(mut command: Command, streams: [bool; 3], typed: &str) -> (Ran, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    // A program that held its own terminal's other side would not hear that it is gone.
    fcntl_setfd(&master, FdFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let side = || Stdio::from(slave.try_clone().unwrap());
    if streams[0] {
        command.stdin(side());
    }
    if streams[1] {
        command.stdout(side());
    }
    if streams[2] {
        command.stderr(side());
    }
    let child = command.spawn().unwrap();
    // The terminal ends when nobody holds its other side.
    drop((command, slave));
    let mut shown = Vec::new();
    let mut master = File::from(master);
    master.write_all(typed.as_bytes()).unwrap();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..count]);
    }
    // A terminal writes CR LF for LF.
    (end(child), String::from_utf8(shown).unwrap().replace("\r\n", "\n"))
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the program runs");
}

/// Reads until there are `count` bytes.
pub(crate) fn read(stdout: &mut ChildStdout, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stdout.read_exact(&mut bytes).expect("the program writes");
    bytes
}

/// Asks again until the answer is yes.
#[track_caller]
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::yield_now();
    }
}

/// A model server on the loopback. The model's name says how it behaves.
pub(crate) struct Server {
    server: FakeServer,
    runtime: Runtime,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let server = runtime.block_on(FakeServer::start());
        Self { server, runtime }
    }

    /// The program, with this model of this server.
    pub(crate) fn command(&self, home: &Home, model: &str, words: &[&str]) -> Command {
        let mut command = home.command(words);
        command.env("OPENAI_BASE_URL", self.server.url()).env("OPENAI_MODEL", model);
        command
    }

    pub(crate) fn run(&self, home: &Home, model: &str, words: &[&str]) -> Ran {
        finish(self.command(home, model, words))
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.server.requests()
    }

    /// The messages of the last request: role and text.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        let requests = self.requests();
        let messages = requests.last().expect("a request").body["messages"].as_array().expect("messages").clone();
        let word = |value: &Value| value.as_str().expect("text").to_owned();
        messages.iter().map(|message| (word(&message["role"]), word(&message["content"]))).collect()
    }

    /// Says how the next request is answered, whatever the model's name says.
    pub(crate) fn next(&self, script: impl Into<Script>) {
        self.server.next(script);
    }

    /// Waits until the program has hung up on request `n`.
    pub(crate) fn hung_up(&self, n: usize) {
        self.runtime.block_on(self.server.hung_up(n));
    }
}
