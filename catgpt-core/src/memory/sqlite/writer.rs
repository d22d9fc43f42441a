//! The one thread that writes: what is queued goes into one transaction and is answered after its commit.

use std::collections::VecDeque;

use rusqlite::{Connection, ffi};
use tokio::sync::{mpsc, oneshot};

use super::fault::{Fault, Outcome};

/// The most jobs of one transaction, and the most that wait before callers do.
pub(super) const BATCH: usize = 256;

/// What a commit must outlive, and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// The process.
    Process,
    /// The machine.
    Machine,
    /// The machine; and what it deleted must leave the log too.
    Erase,
    /// Runs outside of transactions: how tests make the store full or read-only.
    #[cfg(test)]
    Bare,
}

/// A piece of work on the writer, and who waits for it.
pub(super) struct Job {
    care: Care,
    work: Box<dyn Work>,
}

trait Work: Send {
    /// Runs in a transaction; an error undoes what it did.
    fn run(&mut self, conn: &Connection) -> Result<(), ffi::Error>;
    /// Answers the caller, who gets `lost` instead if the transaction was.
    fn answer(self: Box<Self>, lost: Option<ffi::Error>);
}

struct Call<F, T> {
    work: Option<F>,
    outcome: Option<Outcome<T>>,
    caller: oneshot::Sender<Outcome<T>>,
}

impl<F, T> Work for Call<F, T>
where
    F: FnOnce(&Connection) -> Outcome<T> + Send,
    T: Send,
{
    fn run(&mut self, conn: &Connection) -> Result<(), ffi::Error> {
        self.outcome = self.work.take().map(|work| work(conn));
        match &self.outcome {
            Some(Err(Fault::Sql(error))) => Err(code(error)),
            Some(Err(Fault::Refused(_))) => Err(ffi::Error::new(ffi::SQLITE_ERROR)),
            _ => Ok(()),
        }
    }

    fn answer(self: Box<Self>, lost: Option<ffi::Error>) {
        let Self { outcome, caller, .. } = *self;
        let outcome = match lost {
            Some(error) => Some(Err(Fault::Sql(rusqlite::Error::SqliteFailure(error, None)))),
            None => outcome,
        };
        // A caller who has gone away does not undo what is committed.
        outcome.and_then(|outcome| caller.send(outcome).ok());
    }
}

impl Job {
    pub(super) fn new<T: Send + 'static>(
        care: Care,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> (Self, oneshot::Receiver<Outcome<T>>) {
        let (caller, answer) = oneshot::channel();
        (Self { care, work: Box::new(Call { work: Some(work), outcome: None, caller }) }, answer)
    }
}

/// The thread's state.
pub(super) struct Writer {
    conn: Connection,
    queue: mpsc::Receiver<Job>,
    /// Taken from the queue, not yet run.
    waiting: VecDeque<Job>,
    /// Ran in the open transaction.
    ran: Vec<Job>,
    full_sync: bool,
}

impl Writer {
    pub(super) fn new(conn: Connection, queue: mpsc::Receiver<Job>) -> Self {
        Self { conn, queue, waiting: VecDeque::new(), ran: Vec::new(), full_sync: true }
    }

    /// Works until every handle is gone and the queue is empty, then writes the log back into the file.
    pub(super) fn run(mut self) {
        while self.wait() {
            let lost = self.transaction().err();
            let erase = self.ran.iter().any(|job| job.care == Care::Erase);
            if erase && lost.is_none() {
                self.empty_log();
            }
            self.ran.drain(..).for_each(|job| job.work.answer(lost));
        }
        self.empty_log();
    }

    fn wait(&mut self) -> bool {
        if self.waiting.is_empty() {
            self.waiting.extend(self.queue.blocking_recv());
        }
        while self.waiting.len() < BATCH
            && let Ok(job) = self.queue.try_recv()
        {
            self.waiting.push_back(job);
        }
        !self.waiting.is_empty()
    }

    /// Runs jobs in one transaction. On an error, what has run is undone.
    fn transaction(&mut self) -> Result<(), ffi::Error> {
        #[cfg(test)]
        if self.waiting.front().is_some_and(|job| job.care == Care::Bare)
            && let Some(mut job) = self.waiting.pop_front()
        {
            let done = job.work.run(&self.conn);
            self.ran.push(job);
            return done;
        }
        let full_sync = self.waiting.iter().any(|job| job.care != Care::Process);
        let begun = self.set_sync(full_sync).and_then(|()| self.execute("BEGIN IMMEDIATE"));
        if let Err(error) = begun {
            self.ran.extend(self.waiting.drain(..));
            return Err(error);
        }
        let ended = self.fill(full_sync);
        if ended.is_err() && !self.conn.is_autocommit() {
            // Nothing can be done about a rollback that fails; SQLite makes up for it at the next transaction.
            let _ = self.execute("ROLLBACK");
        }
        ended
    }

    fn fill(&mut self, full_sync: bool) -> Result<(), ffi::Error> {
        while let Some(mut job) = self.next(full_sync) {
            // The first has nobody before it to protect: if it fails, the whole transaction is undone.
            let alone = self.ran.is_empty();
            if !alone {
                self.execute("SAVEPOINT job")?;
            }
            let done = job.work.run(&self.conn);
            match done {
                Err(error) if self.conn.is_autocommit() => {
                    // A full disk and the like make SQLite undo everything, so the others are lost with it.
                    job.work.answer(None);
                    return Err(error);
                }
                Err(_) if alone => {
                    job.work.answer(None);
                    return self.execute("ROLLBACK");
                }
                _ => self.ran.push(job),
            }
            if done.is_err() {
                self.execute("ROLLBACK TO job")?;
            }
            if !alone {
                self.execute("RELEASE job")?;
            }
        }
        self.execute("COMMIT")
    }

    /// The next job for this transaction: one that must reach the disk does not join one that need not.
    fn next(&mut self, full_sync: bool) -> Option<Job> {
        if self.ran.len() >= BATCH {
            return None;
        }
        let job = self.waiting.pop_front().or_else(|| self.queue.try_recv().ok())?;
        if job.care != Care::Process && !full_sync {
            self.waiting.push_front(job);
            return None;
        }
        Some(job)
    }

    fn execute(&self, sql: &'static str) -> Result<(), ffi::Error> {
        let done = self.conn.prepare_cached(sql).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(|error| code(&error))
    }

    fn set_sync(&mut self, full: bool) -> Result<(), ffi::Error> {
        if full != self.full_sync {
            let sql = if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            self.conn.execute_batch(sql).map_err(|error| code(&error))?;
            self.full_sync = full;
        }
        Ok(())
    }

    /// Moves the log into the file and empties it, unless somebody reads it for long (a backup may, for ever).
    fn empty_log(&self) {
        let sql = "PRAGMA busy_timeout = 100; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA busy_timeout = 5000";
        // What is left in the log is as safe there.
        let _ = self.conn.execute_batch(sql);
    }
}

fn code(error: &rusqlite::Error) -> ffi::Error {
    error.sqlite_error().copied().unwrap_or(ffi::Error::new(ffi::SQLITE_INTERNAL))
}
