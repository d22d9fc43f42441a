//! Scratch servers for tests and benches: the system's own programs, on free loopback ports, in a temporary folder.
//!
//! They run under an unprivileged user and end with the process that started them, however it ends.

mod redis;
mod server;

pub use redis::Redis;
