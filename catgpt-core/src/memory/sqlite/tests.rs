//! The contract on files, and what only files can suffer: kills, other processes, other versions, no room.

mod backup;
pub(in crate::memory) mod conformance;
mod cost;
mod files;
mod group;
mod kill;
mod kit;
mod migrations;
mod search;
mod sweep;
