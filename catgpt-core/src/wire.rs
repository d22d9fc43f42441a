//! Events as bytes for other programs, and what those programs say, read. Pure functions: no connection, no clock.

mod command;
pub mod feed;
mod format;
pub mod guest;
pub mod json;
pub mod rest;
pub mod sse;
pub mod ui_message_stream;
pub mod ws;

pub use command::Command;
pub use format::{Encoder, Encoding, Format};
