//! Conversations in, as data.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, de};

use crate::error::{Error, Result};
use crate::transfer::{Import, ImportFormat, Source};
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
