//! The threads that read, each with its own connection, all from one queue.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Outcome;

/// A piece of work on one of them.
pub(super) type Look = Box<dyn FnOnce(&Connection) + Send>;

/// Packs `work`; its statements see one state of the store.
pub(super) fn look<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
) -> (Look, oneshot::Receiver<Outcome<T>>) {
    let (caller, answer) = oneshot::channel();
    let look = move |conn: &Connection| {
        // A caller who has gone away is no error.
        let _ = caller.send(snapshot(conn, work));
    };
    (Box::new(look), answer)
}

fn snapshot<T>(conn: &Connection, work: impl FnOnce(&Connection) -> Outcome<T>) -> Outcome<T> {
    conn.prepare_cached("BEGIN")?.execute([])?;
    let outcome = work(conn);
    // Some errors end the transaction by themselves.
    if !conn.is_autocommit() {
        conn.prepare_cached("COMMIT")?.execute([])?;
    }
    outcome
}

/// Works until every handle is gone.
pub(super) fn run(conn: &Connection, queue: &Arc<Mutex<mpsc::Receiver<Look>>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match next {
            Some(look) => look(conn),
            None => return,
        }
    }
}
