//! A terminal with somebody at it: what they type, and what they see.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{PATIENCE, Ran, end};

/// Stands in what is seen where the program begins to read a line.
const READS: &str = "⌨";
/// A program waits for a line.
pub(crate) const PROMPT: &str = "⌨> ";

/// A program that has a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<(Mutex<Shown>, Condvar)>,
    /// How much of it was looked at.
    seen: usize,
}

#[derive(Default)]
struct Shown {
    bytes: Vec<u8>,
    over: bool,
}

impl Terminal {
    /// Runs the program there.
    pub(crate) fn run(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        // A program that held its own terminal's other side would not hear that it is gone.
        fcntl_setfd(&master, FdFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let side = || Stdio::from(slave.try_clone().unwrap());
        // A session of its own, so that Ctrl-C is a signal there and nowhere else.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        session.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        session.current_dir(command.get_current_dir().unwrap());
        session.stdin(side()).stdout(side()).stderr(side());
        let child = session.spawn().unwrap();
        drop((session, slave));
        let shown: Arc<(Mutex<Shown>, Condvar)> = Arc::default();
        let (mut screen, filled) = (File::from(master), Arc::clone(&shown));
        let keys = screen.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = screen.read(&mut buffer).unwrap_or(0);
                let mut shown = filled.0.lock().unwrap();
                shown.bytes.extend_from_slice(&buffer[..count]);
                shown.over = count == 0;
                filled.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self { child, keys, shown, seen: 0 }
    }

    pub(crate) fn press(&mut self, keys: impl AsRef<[u8]>) -> &mut Self {
        self.keys.write_all(keys.as_ref()).unwrap();
        self
    }

    /// A line, and Enter.
    pub(crate) fn type_line(&mut self, line: &str) -> &mut Self {
        self.press(format!("{line}\r"))
    }

    /// Waits until this is shown, after what was seen before.
    #[track_caller]
    pub(crate) fn see(&mut self, text: &str) -> &mut Self {
        let begun = Instant::now();
        let mut shown = self.shown.0.lock().unwrap();
        loop {
            let seen = plain(&shown.bytes);
            if let Some(at) = seen[self.seen..].find(text) {
                self.seen += at + text.len();
                drop(shown);
                return self;
            }
            let left = PATIENCE.saturating_sub(begun.elapsed());
            assert!(!shown.over && !left.is_zero(), "never shown: {text:?}, but: {}", &seen[self.seen..]);
            shown = self.shown.1.wait_timeout(shown, left).unwrap().0;
        }
    }

    /// Says something and waits for the next prompt.
    #[track_caller]
    pub(crate) fn say(&mut self, line: &str) -> &mut Self {
        self.type_line(line).see(PROMPT)
    }

    pub(crate) fn child(&self) -> &Child {
        &self.child
    }

    /// Waits for the program's end; what the terminal has shown.
    pub(crate) fn end(self, code: i32) -> String {
        plain(self.end_raw(code).as_bytes())
    }

    /// The same, byte for byte.
    pub(crate) fn end_raw(self, code: i32) -> String {
        let ran: Ran = end(self.child);
        let mut shown = self.shown.0.lock().unwrap();
        while !shown.over {
            shown = self.shown.1.wait(shown).unwrap();
        }
        let text = String::from_utf8_lossy(&shown.bytes).into_owned();
        assert_eq!(ran.code, code, "{text}");
        text
    }
}

/// What a person sees of it: without escape sequences, but with a mark where lines are read.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let (mut seen, mut rest) = (String::new(), text.as_ref());
    while let Some((before, after)) = rest.split_once("\x1b[") {
        seen += before;
        // The sequence may be cut off here.
        let Some(end) = after.find(|c: char| c.is_ascii_alphabetic()) else { return seen.replace('\r', "") };
        if &after[..=end] == "?2004h" {
            seen += READS;
        }
        rest = &after[end + 1..];
    }
    (seen + rest.trim_end_matches(['\x1b', '\u{fffd}'])).replace('\r', "")
}
