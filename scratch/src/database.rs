//! One empty database for one test.

use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::server;

/// A database on the server of this run, which `cargo xtask test` starts. It is dropped with this.
#[derive(Debug)]
pub struct Database {
    server: String,
    pooler: Option<String>,
    name: String,
}

impl Database {
    /// Makes one. Panics, saying what to do, if there is no server.
    pub fn new() -> Self {
        Self::with("")
    }

    /// Makes one with these options of `CREATE DATABASE`.
    pub fn with(options: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let server = std::env::var("CATGPT_TEST_POSTGRES").unwrap_or_else(|_| {
            panic!(
                "this test needs PostgreSQL: run `cargo xtask test tests`, or `cargo xtask servers` and your command"
            )
        });
        let pooler = std::env::var("CATGPT_TEST_PGBOUNCER").ok();
        let database = Self { server, pooler, name: format!("test_{}_{n}", std::process::id()) };
        database.admin(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name));
        database.admin(&format!("CREATE DATABASE {} {options}", database.name));
        database
    }

    /// Its URL, without encryption.
    pub fn url(&self) -> String {
        format!("{}/{}?sslmode=disable", self.server, self.name)
    }

    /// Where its server listens.
    pub fn address(&self) -> String {
        address(&self.server)
    }

    /// Where the pooler listens.
    pub fn pooled_address(&self) -> String {
        address(&self.pooled_url())
    }

    /// Its URL behind PgBouncer in transaction mode.
    pub fn pooled_url(&self) -> String {
        let pooler = self.pooler.as_ref().expect("this test needs PgBouncer: run `cargo xtask test tests`");
        format!("{pooler}/{}?sslmode=disable", self.name)
    }

    /// Runs statements as the superuser and gives what they answer, a line a row.
    pub fn sql(&self, statements: &str) -> String {
        said(psql(&self.url(), statements))
    }

    /// Breaks every connection to it.
    pub fn disconnect(&self) {
        self.admin(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name));
    }

    fn admin(&self, statement: &str) {
        said(psql(&format!("{}/postgres", self.server), statement));
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The server may have ended before, and then it is gone.
        _ = psql(&format!("{}/postgres", self.server), &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// The host and port of a URL.
fn address(url: &str) -> String {
    let after = url.split_once('@').map_or(url, |(_, after)| after);
    after.split('/').next().unwrap_or_default().to_owned()
}

fn psql(url: &str, statements: &str) -> Result<Output, String> {
    let program = server::program("psql", "postgresql-client")?;
    let mut psql = Command::new(program);
    psql.args(["--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements, url])
        .env("PGOPTIONS", "-c client_min_messages=error -c default_transaction_read_only=off");
    psql.output().map_err(|e| format!("cannot start psql: {e}"))
}

fn said(output: Result<Output, String>) -> String {
    let output = output.unwrap_or_else(|message| panic!("{message}"));
    assert!(output.status.success(), "psql failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
