//! Scratch servers for tests and benches: the system's own programs, on free loopback ports, in a temporary folder.
//!
//! They run under an unprivileged user and end with the process that started them, however it ends.

mod database;
mod pgbouncer;
mod postgres;
mod server;

pub use database::Database;
pub use pgbouncer::PgBouncer;
pub use postgres::{Durability, Postgres};
