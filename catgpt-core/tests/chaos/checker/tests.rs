//! Every fault that the checker is there for, planted.
