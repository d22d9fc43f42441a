//! Events as bytes for other programs. Pure functions: no connection, no clock.

pub mod json;
pub mod sse;
