//! What is sealed is opened where it stands, and nowhere else.
