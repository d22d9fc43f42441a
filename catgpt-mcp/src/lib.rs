#![doc = include_str!("../README.md")]

mod called;
mod server;

pub use server::{McpServer, McpTools, Offered};
