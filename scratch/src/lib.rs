//! Scratch servers for tests and benches: the system's own programs, on free loopback ports, in a temporary folder.
//!
//! They run under an unprivileged user and end with the process that started them, however it ends.

mod database;
mod pgbouncer;
mod postgres;
mod redis;
mod server;

pub use database::Database;
pub use pgbouncer::PgBouncer;
pub use postgres::{AUTHORITY, Durability, Postgres, Restart};
pub use redis::Redis;

/// The Debian packages that must still be installed.
pub fn missing_packages() -> Vec<&'static str> {
    let needed = [
        ("initdb", "postgresql"),
        ("postgres", "postgresql"),
        ("psql", "postgresql-client"),
        ("pgbouncer", "pgbouncer"),
        ("redis-server", "redis-server"),
    ];
    let mut missing: Vec<_> = needed
        .into_iter()
        .filter(|(program, package)| server::program(program, package).is_err())
        .map(|(_, package)| package)
        .collect();
    missing.dedup();
    missing
}
