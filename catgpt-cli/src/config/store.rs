//! Where chats are kept, and where answers are shown as they grow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use catgpt_core::{Error, ErrorKind, Live, Memory, Result, Sqlite, live, memory};

use super::{Config, Folders, Said, private, said};
use crate::notes::Notes;
use crate::progress;

/// Where chats are kept.
#[derive(Debug)]
pub(crate) enum Store {
    /// A URL, and who said so.
    Url(String, &'static str),
    /// The user's own file.
    File(PathBuf),
}

impl Store {
    pub(crate) fn choose(config: &Config) -> Result<Self> {
        let own = config.settings.memory.as_deref();
        match said(config.memory.as_deref(), "--memory", Some("DATABASE_URL"), own) {
            Some(Said { value, by }) => Ok(Self::Url(value, by)),
            None => Ok(Self::File(Folders::find()?.data.join("catgpt.db"))),
        }
    }

    /// As a URL.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Url(url, _) => url.clone(),
            Self::File(path) => format!("sqlite:{}", path.display()),
        }
    }

    /// Its file, if it is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Url(url, _) => memory::file(url),
            Self::File(path) => Some(path),
        }
    }

    /// Opens it, and makes it if it is not there; what goes into it is encrypted if there are keys.
    pub(crate) async fn open(&self, config: &Config, notes: Notes) -> Result<Arc<dyn Memory>> {
        let store = self.open_bare(notes).await?;
        Ok(match config.encryption()? {
            Some(keys) => Arc::new(memory::Encrypted::new(store, keys)),
            None => store,
        })
    }

    /// Opens it without the keys. What an older version wrote is brought to the newest form first, which may take a while,
    /// and so may another program that does just this.
    pub(crate) async fn open_bare(&self, notes: Notes) -> Result<Arc<dyn Memory>> {
        progress::wait("opening the store", notes, self.open_silently()).await
    }

    async fn open_silently(&self) -> Result<Arc<dyn Memory>> {
        match self {
            Self::Url(url, source) => memory::open(url).await.map_err(|error| error.with("from", source)),
            Self::File(path) => {
                make_folder(path)?;
                Ok(Arc::new(Sqlite::open(path).await?))
            }
        }
    }
}

/// Where answers are shown to other machines as they grow: a URL, and who said so.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) String, pub(crate) &'static str);

impl Shown {
    pub(crate) fn choose(config: &Config, store: &Store) -> Option<Self> {
        let variable = match store {
            Store::Url(..) => Some("REDIS_URL"),
            // It is nobody else's, so nothing of it goes where a variable happens to point.
            Store::File(_) => None,
        };
        let shown = said(config.live.as_deref(), "--live", variable, config.settings.live.as_deref())?;
        Some(Self(shown.value, shown.by))
    }

    pub(crate) async fn open(&self, config: &Config) -> Result<Arc<dyn Live>> {
        let open = live::open(&self.0).await.map_err(|error| error.with("from", self.1))?;
        Ok(match config.encryption()? {
            Some(keys) => Arc::new(live::Encrypted::new(open, keys)),
            None => open,
        })
    }
}

/// Only its owner may look into a folder of chats.
fn make_folder(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    private::folder(folder).map_err(|error| {
        let sentence = "the folder for the chats cannot be made: name another store with --memory";
        Error::new(ErrorKind::Store, sentence).with("path", folder.display()).caused_by(error)
    })
}
