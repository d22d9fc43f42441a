//! Conversations in and out, as data; and how far that has come.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, de};

use super::hub::{Hub, Notice, fresh};
use super::{Answer, json};
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use crate::transfer::{ExportFormat, Import, ImportFormat, Mark, Page, Progress, Source};
use crate::user::User;

/// What to import: a file or folder by its path, or the content of a file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "each is the method of `Import` or `Source` of its name")]
pub struct ImportOptions {
    pub path: Option<PathBuf>,
    pub content: Option<Content>,
    pub format: Option<ImportFormat>,
    #[serde(default)]
    pub dry_run: bool,
}

impl ImportOptions {
    pub(super) fn of(self, user: &User) -> Result<Import> {
        let source = match (self.path, self.content) {
            (Some(path), None) => Source::path(path),
            (None, Some(content)) => Source::bytes(content.0),
            _ => return Err(Error::invalid("what to import is either a path or the content of a file")),
        };
        let source = self.format.into_iter().fold(source, Source::format);
        Ok(user.import(source).dry_run(self.dry_run))
    }
}

/// Brings in what an import has, and lets `watch` tell how far that is.
pub(super) async fn import(import: Import, watch: Option<&Arc<Watch>>) -> Result<Answer> {
    let import = match watch {
        Some(watch) => import.on_progress(watch.hears()),
        None => import,
    };
    import.await.map(|report| Answer::Json(json(&report)))
}

/// A page of an export. A session that was `listed` and is gone meanwhile has nothing to say.
pub(super) async fn page(session: &Session, format: ExportFormat, mark: Option<Mark>, listed: bool) -> Result<Page> {
    match session.export_page(format, mark).await {
        Err(error) if listed && error.kind() == ErrorKind::NotFound => Ok(Page::default()),
        page => page,
    }
}

/// Bytes as base64. `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct Content(Vec<u8>);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        // The cause may quote what was to be decoded.
        let bad = |_| de::Error::custom("bytes must be written as base64");
        STANDARD.decode(String::deserialize(from)?).map(Self).map_err(bad)
    }
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Content({} bytes)", self.0.len())
    }
}

/// How far a long call has come: told by a [`Notice::Ready`] with its own number, at most one until somebody looks.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) id: u64,
    hub: Arc<Hub>,
    /// What nobody has looked at yet.
    news: Mutex<Option<Progress>>,
}

impl Watch {
    pub(super) fn new(hub: &Arc<Hub>) -> Arc<Self> {
        Arc::new(Self { id: fresh(), hub: Arc::clone(hub), news: Mutex::default() })
    }

    /// What tells it how far it has come.
    pub(super) fn hears(self: &Arc<Self>) -> impl FnMut(Progress) + Send + 'static {
        let watch = Arc::clone(self);
        move |progress| {
            let before = watch.news.lock().unwrap_or_else(PoisonError::into_inner).replace(progress);
            if before.is_none() {
                watch.hub.post(Notice::Ready { id: watch.id });
            }
        }
    }

    pub(super) fn take(&self) -> Option<Progress> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
