//! The contract of [`Memory`] on a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::kit::{folder, open};
use crate::memory::conformance::{Harness, Lacks, Store};
use crate::memory::{Memory, Sqlite};

pub(in crate::memory) struct Files;

struct File {
    folder: TempDir,
    first: Arc<Sqlite>,
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }
}

#[async_trait]
impl Harness for Files {
    async fn open(&self) -> Box<dyn Store> {
        let folder = folder();
        let first = Arc::new(open(&folder.path().join("chat.db")).await);
        Box::new(File { folder, first })
    }
}

#[async_trait]
impl Store for File {
    fn memory(&self) -> Arc<dyn Memory> {
        self.first.clone()
    }

    async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Ok(Arc::new(open(&self.path()).await))
    }

    async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
        self.first.close().await.unwrap();
        self.second().await
    }

    async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
        // What a killed process leaves: the files as they are, without the memory that it shared.
        let copy = self.folder.path().join("crashed.db");
        for end in ["", "-wal"] {
            std::fs::copy(beside(&self.path(), end), beside(&copy, end)).unwrap();
        }
        Ok(Arc::new(open(&copy).await))
    }

    async fn set_full(&self, full: bool) -> Result<(), Lacks> {
        // The least that SQLite takes is what the file has.
        self.first.pragma(if full { "PRAGMA max_page_count = 1" } else { "PRAGMA max_page_count = 4294967294" }).await;
        Ok(())
    }

    async fn set_read_only(&self, read_only: bool) -> Result<(), Lacks> {
        self.first.pragma(if read_only { "PRAGMA query_only = ON" } else { "PRAGMA query_only = OFF" }).await;
        Ok(())
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

crate::conformance_tests!(Files);
