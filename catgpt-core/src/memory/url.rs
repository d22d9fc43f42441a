//! Which store a URL means.

use std::path::Path;
use std::sync::Arc;

use super::{InMemory, Memory};
use crate::error::{Error, Result};

/// What a URL asks for.
#[derive(Debug, PartialEq, Eq)]
enum Form<'a> {
    InMemory,
    Sqlite(&'a str),
    Postgres,
}

/// Opens the store that `url` names.
///
/// - `memory:`: an [`InMemory`] store, which goes with the process.
/// - `sqlite:PATH`: a [`Sqlite`](super::Sqlite) file. SQLAlchemy's forms are the same: `sqlite:///X` is relative,
///   `sqlite:////X` absolute.
/// - `postgres://…`: a [`Postgres`](super::Postgres) database (feature `postgres`).
pub async fn open(url: &str) -> Result<Arc<dyn Memory>> {
    match form(url)? {
        Form::InMemory => Ok(Arc::new(InMemory::new())),
        #[cfg(feature = "sqlite")]
        Form::Sqlite(path) => Ok(Arc::new(super::Sqlite::open(path).await?)),
        #[cfg(not(feature = "sqlite"))]
        Form::Sqlite(_) => Err(lacking("this build has no SQLite: build it with the feature `sqlite`")),
        #[cfg(feature = "postgres")]
        Form::Postgres => Ok(Arc::new(super::Postgres::open(url).await?)),
        #[cfg(not(feature = "postgres"))]
        Form::Postgres => Err(lacking("this build has no PostgreSQL: build it with the feature `postgres`")),
    }
}

/// Copies the SQLite store that `url` names into a new file at `path`, while it is in use, in this process or others. The
/// copy holds all that was committed when it began, and is a store itself. `on_progress` is told how many bytes are
/// copied, and of how many.
///
/// It is a function beside the [`Memory`] trait, and not a part of it: it needs no engine, no owner and no open store, and a
/// server has its own tools for this.
///
/// # Errors
/// `InvalidInput` if there is something at `path`; `Unsupported` for other stores.
pub async fn backup(
    url: &str,
    path: impl AsRef<Path>,
    on_progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<()> {
    match form(url)? {
        #[cfg(feature = "sqlite")]
        Form::Sqlite(store) => super::sqlite::backup(Path::new(store), path.as_ref(), on_progress).await,
        #[cfg(not(feature = "sqlite"))]
        Form::Sqlite(_) => {
            let _ = (path, on_progress);
            Err(lacking("this build has no SQLite: build it with the feature `sqlite`"))
        }
        Form::Postgres => Err(lacking("a PostgreSQL store is backed up by its own tools: use pg_dump")),
        Form::InMemory => Err(lacking("a store in memory has no file to copy: export its chats instead")),
    }
}

/// The file of a SQLite store, if `url` names one: for who wants to know whether it is there without making it.
pub fn file(url: &str) -> Option<&Path> {
    match form(url) {
        Ok(Form::Sqlite(path)) => Some(Path::new(path)),
        _ => None,
    }
}

/// Whether `url` names a store, as far as can be told without opening it.
#[cfg(feature = "bridge")]
pub(crate) fn check(url: &str) -> Result<()> {
    form(url).map(drop)
}

fn lacking(sentence: &'static str) -> Error {
    Error::new(crate::error::ErrorKind::Unsupported, sentence)
}

/// Never shows the URL in an error: there may be a password in it.
fn form(url: &str) -> Result<Form<'_>> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Form::InMemory),
        Some(("sqlite", rest)) => sqlite(rest),
        Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => Ok(Form::Postgres),
        _ => Err(Error::invalid(
            "this is not the URL of a store: use memory:, sqlite:PATH, sqlite:///RELATIVE, sqlite:////ABSOLUTE or \
             postgres://USER:PASSWORD@HOST/DATABASE",
        )),
    }
}

fn sqlite(rest: &str) -> Result<Form<'_>> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix('/').ok_or_else(|| {
            Error::invalid("after sqlite:// comes a third slash: sqlite:///RELATIVE or sqlite:////ABSOLUTE")
        })?,
        None => rest,
    };
    match path {
        "" | ":memory:" => Err(Error::invalid("a SQLite store needs a path; for one that keeps nothing use memory:")),
        path if path.contains('?') => Err(Error::invalid("the path of a SQLite store takes no options after a ?")),
        path => Ok(Form::Sqlite(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn every_form_means_one_path() {
        for (url, path) in [
            ("sqlite:chat.db", "chat.db"),
            ("sqlite:a/b.db", "a/b.db"),
            ("sqlite:/srv/chat.db", "/srv/chat.db"),
            ("sqlite:///chat.db", "chat.db"),
            ("sqlite:////srv/chat.db", "/srv/chat.db"),
        ] {
            assert_eq!(form(url).unwrap(), Form::Sqlite(path), "{url}");
            assert_eq!(file(url), Some(Path::new(path)), "{url}");
        }
        assert_eq!(form("memory:").unwrap(), Form::InMemory);
        assert_eq!((file("memory:"), file("sqlite:"), file("chat.db")), (None, None, None));
        assert_eq!(form("postgres://u:p@h/d").unwrap(), Form::Postgres);
        assert_eq!(form("postgresql://u:p@h/d").unwrap(), Form::Postgres);
    }

    #[tokio::test]
    async fn a_wrong_url_lists_the_forms_and_shows_no_password() {
        for url in [
            "",
            "memory",
            "memory:x",
            "chat.db",
            "mysql://u:hunter2@h/d",
            "postgres:hunter2",
            "sqlite",
            "redis://:hunter2@h",
        ] {
            let error = open(url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(error.to_string().contains("sqlite:PATH"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        for url in
            ["sqlite:", "sqlite://", "sqlite:///", "sqlite::memory:", "sqlite:///:memory:", "sqlite://x", "sqlite:a?b"]
        {
            assert_eq!(open(url).await.unwrap_err().kind(), ErrorKind::InvalidInput, "{url}");
        }
    }

    #[tokio::test]
    async fn what_a_url_opens_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let mut urls = vec![("memory:".to_owned(), false)];
        if cfg!(feature = "sqlite") {
            urls.push((format!("sqlite:{}", folder.path().join("chat.db").display()), true));
        }
        for (url, durable) in urls {
            let store = open(&url).await.unwrap();
            assert_eq!(store.caps().durable, durable, "{url}");
            store.close().await.unwrap();
        }
    }

    #[cfg(not(feature = "postgres"))]
    #[tokio::test]
    async fn a_backend_that_is_not_built_in_names_its_feature() {
        let error = open("postgres://u:hunter2@h/d").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("feature `postgres`") && !error.to_string().contains("hunter2"), "{error}");
    }
}
