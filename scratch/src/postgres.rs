//! A PostgreSQL server with an empty cluster.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::server::{self, Server};

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// As in production: for benches.
    Disk,
    /// Not at all: for tests, whose clusters nobody wants after a power cut.
    None,
}

/// Whoever vouches for the server's certificate, which is good for 127.0.0.1 and localhost until 2126.
pub const AUTHORITY: &str = include_str!("certificates/ca.pem");
const CERTIFICATE: &str = include_str!("certificates/server.pem");
const KEY: &str = include_str!("certificates/server.key");

/// `dog` needs a password, and an encrypted connection; everybody else needs nothing.
const WHO: &str = "hostssl all dog 127.0.0.1/32 scram-sha-256\nhostnossl all dog 127.0.0.1/32 reject\n\
    host all all 127.0.0.1/32 trust\nlocal all all trust\n";

/// A PostgreSQL server. Its superuser is `cat`, without a password.
#[derive(Debug)]
pub struct Postgres {
    server: Server,
    state: PathBuf,
}

/// How a server ends before it starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// In order: it ends its clients and writes all it has.
    Fast,
    /// As in a crash: it recovers from its log, and loses commits that did not wait for it.
    Crash,
}

impl Postgres {
    /// Makes a cluster and starts its server.
    pub fn start(durability: Durability) -> Result<Self, String> {
        let (initdb, postgres) = (server::program("initdb", "postgresql")?, server::program("postgres", "postgresql")?);
        let folder = server::folder("postgres")?;
        let data = folder.join("data");
        let mut init = server::command(&initdb);
        init.args([
            "--username=cat",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ]);
        init.arg("--pgdata").arg(&data).current_dir(&folder).stdin(Stdio::null());
        let out = init.output().map_err(|e| format!("cannot start {}: {e}", initdb.display()))?;
        if !out.status.success() {
            return Err(format!("initdb failed:\n{}", String::from_utf8_lossy(&out.stderr)));
        }
        for (name, text) in [("server.crt", CERTIFICATE), ("server.key", KEY), ("pg_hba.conf", WHO)] {
            write(&data.join(name), text)?;
        }
        let port = server::free_port()?;
        let (number, sockets) = (port.to_string(), format!("unix_socket_directories={}", folder.display()));
        let data_path = data.to_string_lossy();
        let mut args = vec!["-D", &data_path, "-p", &number, "-c", "listen_addresses=127.0.0.1", "-c", &sockets];
        args.extend([
            "-c",
            "max_connections=400",
            "-c",
            "shared_buffers=128MB",
            "-c",
            "max_wal_size=4GB",
            "-c",
            "ssl=on",
        ]);
        if durability == Durability::None {
            args.extend(["-c", "fsync=off", "-c", "full_page_writes=off"]);
        }
        let state = data.join("postmaster.pid");
        let server = Server::start(&folder, port, &postgres, &args, || serving(&state).is_some())?;
        Ok(Self { server, state })
    }

    /// Ends it and starts it again after a while, with its data and at its old address.
    pub fn restart(&mut self, how: Restart, away: Duration) -> Result<(), String> {
        let signal = match how {
            Restart::Fast => "INT",
            Restart::Crash => "QUIT",
        };
        let (before, state) = (serving(&self.state), &self.state);
        self.server.restart(signal, away, || serving(state).is_some_and(|now| Some(now) != before))
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The URL of its superuser, without a database.
    pub fn url(&self) -> String {
        format!("postgres://cat@127.0.0.1:{}", self.server.port)
    }
}

/// The process id of a server that takes clients, from the file that it keeps: the first line; its state is the last.
fn serving(state: &Path) -> Option<u32> {
    let text = fs::read_to_string(state).ok()?;
    text.lines().last().filter(|line| line.trim() == "ready")?;
    text.lines().next()?.trim().parse().ok()
}

/// A file that only the server's user may read.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let failed = |e| format!("cannot write {}: {e}", path.display());
    let file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    match server::user() {
        Some((uid, gid)) => chown(path, Some(uid), Some(gid)).map_err(failed),
        None => Ok(()),
    }
}
