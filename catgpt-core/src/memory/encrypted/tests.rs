//! The contract over each store, and what is encryption's own.

mod conformance;
