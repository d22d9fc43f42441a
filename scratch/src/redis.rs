//! A Redis server that keeps nothing, and what can happen to it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::server::{self, Server};

/// A Redis server. It starts within milliseconds, so every test that breaks one has its own.
#[derive(Debug)]
pub struct Redis {
    server: Option<Server>,
    port: u16,
    password: Option<String>,
    pid: u32,
}

impl Redis {
    /// Starts one.
    pub fn start() -> Result<Self, String> {
        Self::with(None)
    }

    /// Starts one that wants a password.
    pub fn with_password(password: &str) -> Result<Self, String> {
        Self::with(Some(password.to_owned()))
    }

    fn with(password: Option<String>) -> Result<Self, String> {
        let mut redis = Self { server: None, port: server::free_port()?, password, pid: 0 };
        redis.restart()?;
        Ok(redis)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{password}127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it, as a power cut does.
    pub fn kill(&mut self) {
        if self.server.is_some() {
            self.signal("KILL");
        }
        self.server = None;
    }

    /// Starts it at its old address, empty; kills it before, if it runs.
    pub fn restart(&mut self) -> Result<(), String> {
        self.kill();
        let program = server::program("redis-server", "redis-server")?;
        let folder = server::folder("redis")?;
        let (port, state) = (self.port.to_string(), folder.join("pid"));
        let path = state.to_string_lossy();
        let mut args = vec!["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"];
        args.extend(["--maxclients", "1000", "--pidfile", &path]);
        if let Some(password) = &self.password {
            args.extend(["--requirepass", password]);
        }
        let ready = || self.say("PING").is_ok_and(|answer| !answer.is_empty());
        let server = Server::start(&folder, self.port, &program, &args, ready)?;
        self.port = server.port;
        self.server = Some(server);
        let pid = fs::read_to_string(&state).map_err(|e| format!("cannot read {}: {e}", state.display()))?;
        self.pid = pid.trim().parse().map_err(|e| format!("{pid:?} is no process id: {e}"))?;
        Ok(())
    }

    /// Lets it stand still (`SIGSTOP`): connections stand, and nothing is answered.
    pub fn pause(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("CONT");
    }

    /// Forgets everything.
    pub fn wipe(&self) {
        let answer = self.say("FLUSHALL").expect("it runs");
        assert!(answer.starts_with("+OK"), "{answer}");
    }

    /// Gives it one line and returns the first line of what it answers.
    fn say(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        if let Some(password) = &self.password {
            writeln!(stream, "AUTH {password}\r")?;
            line(&mut stream)?;
        }
        writeln!(stream, "{command}\r")?;
        line(&mut stream)
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args(["-s", signal, &self.pid.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the server had ended before");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // One that stands still would not hear that it should end.
        if self.server.is_some() {
            _ = Command::new("kill").args(["-s", "CONT", &self.pid.to_string()]).status();
        }
    }
}

fn line(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
