//! A store in one SQLite file: one thread writes, two read, any number of programs share it.

mod append;
mod backup;
mod begin;
mod bulk;
mod connect;
mod edit;
mod fault;
pub mod fork;
mod grow;
mod journal;
mod ledger;
mod limits;
mod ops;
mod query;
mod read;
mod reader;
mod reseal;
mod row;
mod schema;
mod search;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod turn;
mod window;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub(super) use self::backup::backup;
use self::fault::Outcome;
use self::fork::Shelf;
use self::reader::Look;
use self::writer::{BATCH, Care, Job, Writer};
use super::{Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner};

/// How many connections read.
const READERS: usize = 2;

/// How long closing takes words out of the index that were deleted here.
const AT_CLOSE: Duration = Duration::from_secs(2);

/// Conversations in one SQLite file.
///
/// Writes of many sessions share a commit, which is on disk when they are answered. Other programs may use the same
/// file at the same time; it must lie on a local disk. A file that this makes is readable by its owner alone.
///
/// What is deleted is overwritten in the file at once. Its words leave the search index in small steps, one with each
/// [`sweep`](Memory::sweep) and more when the store is closed; those of an erased owner before the erasure is answered.
///
/// Dropping it ends its threads after what they were given; [`close`](Memory::close) also waits for them.
pub struct Sqlite {
    path: Arc<Path>,
    shelf: Arc<Shelf>,
    /// Whether words were deleted through this, and whether it is about to take some out of the index.
    deleted: AtomicBool,
    forgetting: AtomicBool,
}

/// The ends of the threads' queues, and the signs that the threads are gone.
struct Threads {
    writer: mpsc::Sender<Job>,
    readers: mpsc::Sender<Look>,
    writing: oneshot::Receiver<()>,
    reading: Vec<oneshot::Receiver<()>>,
}

impl Sqlite {
    /// Opens the store at `path`, or makes it there. Its folder must exist.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path: Arc<Path> = path.into().into();
        if path.as_os_str().is_empty() || path.as_os_str() == ":memory:" {
            return Err(Error::invalid("a SQLite store needs a path; for one that keeps nothing use `memory:`"));
        }
        let (done, opened) = oneshot::channel();
        let place = path.clone();
        spawn("catgpt-sqlite-open", move || {
            // The caller may have gone away: then the threads end again.
            let _ = done.send(connect::writer(&place).and_then(|conn| start(&place, conn)));
        })?;
        let threads = opened.await.map_err(|_| gone())?.map_err(|fault| fault.into_error(&path))?;
        Ok(Self::on(path, threads))
    }

    fn on(path: Arc<Path>, threads: Threads) -> Self {
        let shelf = Shelf::new(Arc::clone(&path), threads);
        Self { path, shelf, deleted: AtomicBool::default(), forgetting: AtomicBool::default() }
    }

    async fn write<T: Send + 'static>(
        &self,
        care: Care,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let queue = self.shelf.with(|threads| threads.writer.clone())?;
        let (job, answer) = Job::new(care, work);
        queue.send(job).await.map_err(|_| gone())?;
        self.answer(answer.await)
    }

    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T> {
        let queue = self.shelf.with(|threads| threads.readers.clone())?;
        let (look, answer) = reader::look(work);
        queue.send(look).await.map_err(|_| gone())?;
        self.answer(answer.await)
    }

    /// A step to take the words of what was deleted out of the index; says whether there is another.
    async fn forget_some(&self) -> Result<bool> {
        let first = !self.forgetting.load(Ordering::Relaxed);
        let more = self.write(Care::Erase, move |conn| search::forget(conn, first)).await?;
        self.forgetting.store(more, Ordering::Relaxed);
        Ok(more)
    }

    /// Takes an erased owner out of the index, and all words that were deleted, in steps, between which others write.
    async fn forget_owner(&self, owner: &Owner) -> Result<()> {
        let whose = owner.clone();
        if !self.look(move |conn| search::knows(conn, &whose)).await? {
            return Ok(());
        }
        // What an earlier step began with does not hold these words.
        self.forgetting.store(false, Ordering::Relaxed);
        while self.forget_some().await? {}
        let whose = owner.clone();
        self.write(Care::Erase, move |conn| search::leave(conn, &whose)).await
    }

    fn answer<T>(&self, answer: std::result::Result<Outcome<T>, oneshot::error::RecvError>) -> Result<T> {
        answer.map_err(|_| gone())?.map_err(|fault| fault.into_error(&self.path))
    }
}

/// Opens the other connections, so that what is wrong shows now, and gives each its thread.
fn start(path: &Path, conn: Connection) -> Outcome<Threads> {
    let (writer, queue) = mpsc::channel(BATCH);
    let (readers, looks) = mpsc::channel(BATCH);
    let looks = Arc::new(Mutex::new(looks));
    let mut reading = Vec::new();
    for _ in 0..READERS {
        let (conn, looks) = (connect::reader(path)?, looks.clone());
        reading.push(spawn("catgpt-sqlite-read", move || reader::run(&conn, &looks))?);
    }
    let writing = spawn("catgpt-sqlite-write", move || Writer::new(conn, queue).run())?;
    Ok(Threads { writer, readers, writing, reading })
}

/// Starts a thread; the receiver hears when it has ended.
fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    let run = move || {
        let _ended: oneshot::Sender<()> = ended;
        work();
    };
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map_err(|e| Error::new(ErrorKind::Store, "the system gives no thread for the store").caused_by(e))?;
    Ok(end)
}

fn gone() -> Error {
    Error::new(ErrorKind::Unexpected, "the store's thread ended early: please report this")
}

#[async_trait]
impl Memory for Sqlite {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        begin.check()?;
        let owner = owner.clone();
        self.write(Care::Machine, move |conn| begin::begin(conn, &owner, &begin)).await
    }

    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        checkpoint.check()?;
        let care = if checkpoint.sync { Care::Machine } else { Care::Process };
        let owner = owner.clone();
        self.write(care, move |conn| turn::checkpoint(conn, &owner, &checkpoint)).await
    }

    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        finish.check()?;
        let owner = owner.clone();
        self.write(Care::Machine, move |conn| turn::finish(conn, &owner, &finish)).await
    }

    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        ops.iter().try_for_each(Op::check)?;
        let deletes = |op: &Op| {
            let sessions = matches!(op, Op::Delete { .. } | Op::DeleteMany { .. } | Op::DeleteEmpty { .. });
            sessions || matches!(op, Op::Erase { .. } | Op::Unindex { .. } | Op::Reseal { .. })
        };
        let care = if ops.iter().any(deletes) { Care::Erase } else { Care::Machine };
        let erases: Vec<_> = ops.iter().map(|op| matches!(op, Op::Erase { .. } | Op::Unindex { .. })).collect();
        let whose = owner.clone();
        let done = self.write(care, move |conn| ops::apply(conn, &whose, op_id, &ops)).await?;
        self.deleted.fetch_or(matches!(care, Care::Erase), Ordering::Relaxed);
        if erases.into_iter().zip(&done).any(|(erase, done)| erase && *done == Done::Count(0)) {
            self.forget_owner(owner).await?;
        }
        Ok(done)
    }

    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        let owner = owner.clone();
        self.look(move |conn| read::read(conn, &owner, &read)).await
    }

    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        query.check()?;
        let owner = owner.clone();
        self.look(move |conn| query::query(conn, &owner, &query)).await
    }

    async fn sweep(&self, limit: u32) -> Result<Swept> {
        let found = self.look(move |conn| sweep::find(conn, limit)).await?;
        // Usually nothing is due, and then nobody waits for the writer.
        let deleted = match found.due.is_empty() {
            true => 0,
            false => {
                let care = if found.due.iter().any(sweep::Due::is_session) { Care::Erase } else { Care::Machine };
                self.write(care, move |conn| sweep::delete(conn, &found.due)).await?
            }
        };
        if found.words || self.forgetting.load(Ordering::Relaxed) {
            self.forget_some().await?;
        }
        Ok(Swept { expired: found.expired, deleted, more: found.more })
    }

    fn caps(&self) -> Caps {
        Caps {
            durable: true,
            shared: true,
            lease: Duration::from_secs(5),
            poll: Duration::from_millis(100),
            schema: u32::try_from(schema::newest()).ok(),
            ..Caps::default()
        }
    }

    async fn close(&self) -> Result<()> {
        if self.deleted.swap(false, Ordering::Relaxed) {
            let begun = Instant::now();
            // What is left over goes with the sweeps of others; a store that cannot do it is closed all the same.
            while begun.elapsed() < AT_CLOSE && self.forget_some().await.unwrap_or(false) {}
        }
        let Some(Threads { writer, readers, writing, reading }) = self.shelf.close() else { return Ok(()) };
        drop(readers);
        // An error is the thread's end, which is what is waited for.
        for end in reading {
            let _ = end.await;
        }
        drop(writer);
        let _ = writing.await;
        Ok(())
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.path).finish_non_exhaustive()
    }
}
