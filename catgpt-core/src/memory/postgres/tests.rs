//! The contract on a real server, and what only a server at the end of a wire can suffer.

mod conformance;
