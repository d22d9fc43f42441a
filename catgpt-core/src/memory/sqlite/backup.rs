//! A copy of the store while it is in use.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

use super::fault::Outcome;
use super::{connect, gone, spawn};
use crate::error::{Error, ErrorKind, Result};

/// How many pages are copied before it is told how far that is.
const STEP: i32 = 1_024;

/// Copies what is committed at this moment into a new file. Turns run on meanwhile, in any process, and nothing that they
/// write is in the copy.
pub(in crate::memory) async fn backup(
    from: &Path,
    to: &Path,
    mut on_progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<()> {
    let (store, copy, shown) = (from.to_path_buf(), to.to_path_buf(), from.to_path_buf());
    let (done, copied) = oneshot::channel();
    spawn("catgpt-sqlite-backup", move || {
        // Who has gone away gets the copy all the same: it is a file, and whole.
        let _ = done.send(run(&store, &copy, &mut on_progress));
    })?;
    copied.await.map_err(|_| gone())?.map_err(|fault| fault.into_error(&shown))
}

fn run(from: &Path, to: &Path, hear: &mut dyn FnMut(u64, u64)) -> Outcome<()> {
    absent(to)?;
    let store = connect::reader(from)?;
    let partial = Partial::create(to)?;
    copy(&store, &partial.0, hear)?;
    absent(to)?;
    partial.finish(to).map_err(|error| unwritten(error, to).into())
}

/// Copies page by page, all from one state of the store: as long as this transaction lasts, nobody's write makes the copy
/// begin anew.
fn copy(store: &Connection, to: &Path, hear: &mut dyn FnMut(u64, u64)) -> Outcome<()> {
    store.execute_batch("BEGIN")?;
    let page: u32 = store.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    store.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(to, flags)?;
    // Until it is whole and has its name it is nothing, so it needs no journal.
    copy.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let backup = Backup::new(store, &mut copy)?;
    loop {
        let step = backup.step(STEP)?;
        let progress = backup.progress();
        let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(page);
        hear(bytes(progress.pagecount - progress.remaining), bytes(progress.pagecount));
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    drop(backup);
    copy.close().map_err(|(_, error)| error)?;
    Ok(store.execute_batch("COMMIT")?)
}

/// A copy that is not whole yet. It goes if it never will be.
struct Partial(PathBuf);

impl Partial {
    fn create(to: &Path) -> Outcome<Self> {
        let mut path = to.as_os_str().to_owned();
        path.push(".partial");
        let path = PathBuf::from(path);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(_) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let text = "a backup to this path is under way, or was cut off: if none is, delete what is left of it";
                Err(Error::invalid(text).with("delete", path.display()).into())
            }
            Err(error) => Err(unwritten(error, to).into()),
        }
    }

    /// Writes it to the disk and gives it its name.
    fn finish(self, to: &Path) -> io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        fs::rename(&self.0, to)?;
        if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            // A folder cannot be opened everywhere; then the system writes its entry when it likes.
            let _ = File::open(folder).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After `finish` it has another name, and there is nothing to delete.
        let _ = fs::remove_file(&self.0);
    }
}

fn absent(to: &Path) -> Result<()> {
    match fs::symlink_metadata(to) {
        Ok(_) => Err(Error::invalid("there is a file of this name, and a backup overwrites nothing: choose another")
            .with("path", to.display())),
        Err(_) => Ok(()),
    }
}

fn unwritten(error: io::Error, to: &Path) -> Error {
    let (kind, text) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::InvalidInput, "the backup's folder does not exist: make it first"),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::StoreFull, "there is no room for the backup: free some disk space, or choose another disk")
        }
        _ => (ErrorKind::InvalidInput, "the backup cannot be written here: choose another path"),
    };
    Error::new(kind, text).with_retryable(false).with("path", to.display()).caused_by(error)
}
