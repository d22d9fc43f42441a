//! What comes.
