//! One server: its folder, its port, its user, and its end.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to begin.
const START: Duration = Duration::from_secs(30);

/// Runs the server until this shell's standard input ends, which it does when whoever started it is gone: also after a
/// `kill -9`. Then it removes the folder. A line there is a signal that ends the server, and how long it stays away.
const KEEPER: &str = r#"
folder=$1; shift
"$@" <&- & server=$!
while read -r signal seconds; do
  kill -s "$signal" $server 2>/dev/null
  wait $server
  sleep "$seconds"
  "$@" <&- & server=$!
done
kill -INT $server 2>/dev/null
wait $server
rm -rf "$folder"
"#;

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Server {
    keeper: Child,
    pub(crate) port: u16,
}

/// The user that servers run as: ourselves, unless we are the one that they refuse.
pub(crate) fn user() -> Option<(u32, u32)> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let root = status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"));
    if !root {
        return None;
    }
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |name: &str| {
        let line = known.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(|id| id.parse::<u32>().ok());
        Some((ids.next()??, ids.next()??))
    };
    ids("postgres").or_else(|| ids("nobody")).or(Some((65534, 65534)))
}

/// A command that runs as that user.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
    command
}

/// A new folder that belongs to the servers' user.
pub(crate) fn folder(name: &str) -> Result<PathBuf, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("catgpt-{name}-{}-{n}", std::process::id()));
    let failed = |e| format!("cannot make {}: {e}", folder.display());
    // One that an earlier process of this number left behind.
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir(&folder).map_err(failed)?;
    if let Some((uid, gid)) = user() {
        chown(&folder, Some(uid), Some(gid)).map_err(failed)?;
    }
    Ok(folder)
}

/// A port that nobody uses at this moment.
pub(crate) fn free_port() -> Result<u16, String> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    port.map(|address| address.port()).map_err(|e| format!("no free port on 127.0.0.1: {e}"))
}

/// The program, from the path or from one of the places where Debian hides it.
pub(crate) fn program(name: &str, package: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<_> = versions.flatten().map(|version| version.path().join("bin")).collect();
        versions.sort();
        places.extend(versions.into_iter().rev());
    }
    places.extend(["/usr/local/bin".into(), "/usr/sbin".into()]);
    let found = places.iter().map(|place| place.join(name)).find(|program| program.is_file());
    found.ok_or_else(|| format!("there is no {name}: install it, on Debian with `sudo apt-get install -y {package}`"))
}

impl Server {
    /// Starts `program` with `args` and waits until `ready` says yes.
    pub(crate) fn start(
        folder: &Path,
        port: u16,
        program: &Path,
        args: &[&str],
        ready: impl Fn() -> bool,
    ) -> Result<Self, String> {
        let log = folder.join("log");
        let file = fs::File::create(&log).map_err(|e| format!("cannot make {}: {e}", log.display()))?;
        let also = file.try_clone().map_err(|e| format!("cannot use {}: {e}", log.display()))?;
        let mut shell = command(Path::new("/bin/sh"));
        shell.args(["-c", KEEPER, "keeper"]).arg(folder).arg(program).args(args);
        // Ctrl-C is for whoever started it, who ends the servers after his work.
        shell.process_group(0).current_dir(folder).stdin(Stdio::piped()).stdout(file).stderr(also);
        let keeper = shell.spawn().map_err(|e| format!("cannot start {}: {e}", program.display()))?;
        let server = Self { keeper, port };
        let said = || fs::read_to_string(&log).unwrap_or_default();
        within(START, ready).map_err(|late| format!("{} {late}; it says:\n{}", program.display(), said()))?;
        Ok(server)
    }

    /// Ends the server with a signal and starts it again after a while, in its folder and on its port; waits until
    /// `ready` says yes.
    pub(crate) fn restart(&mut self, signal: &str, away: Duration, ready: impl Fn() -> bool) -> Result<(), String> {
        let keeper = self.keeper.stdin.as_mut().ok_or("the server has ended")?;
        writeln!(keeper, "{signal} {}", away.as_secs_f64()).map_err(|e| format!("the server's keeper is gone: {e}"))?;
        within(START + away, ready)
    }
}

fn within(time: Duration, ready: impl Fn() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !ready() {
        if begun.elapsed() > time {
            return Err(format!("did not start in {time:?}"));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends when the server has.
        _ = self.keeper.wait();
    }
}
