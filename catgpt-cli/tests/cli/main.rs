//! The real program, run as a user runs it.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod acceptance;
mod answers;
mod capabilities;
mod chats;
mod completions;
mod config;
mod encryption;
mod endings;
mod input;
mod keys;
mod manage;
mod oneshot;
mod organize;
mod paused;
mod personas;
mod pictures;
mod progress;
mod refusals;
mod repl;
mod shared;
mod support;
mod terminal;
mod transfer;
mod usage;
