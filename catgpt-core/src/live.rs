//! Running replies as they grow: who shows up, at any offset, sees the same.

pub(crate) mod local;
