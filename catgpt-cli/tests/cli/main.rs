//! The real program, run as a user runs it.

mod answers;
mod chats;
mod endings;
mod input;
mod refusals;
mod support;
