//! The contract on a real server, and what only a server at the end of a wire can suffer.

pub(in crate::memory) mod conformance;
mod cuts;
mod kit;
mod limits;
mod outages;
mod proxy;
mod races;
mod reading;
mod schema;
mod search;
mod tls;
mod upgrade;
