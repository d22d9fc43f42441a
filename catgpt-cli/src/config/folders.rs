//! Where the user's own files are.

use std::path::PathBuf;

use catgpt_core::Result;
use etcetera::BaseStrategy;

use crate::exit::invalid;

/// The user's folders and files; that they are named here does not mean that they are there.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Personas, one file each.
    pub(crate) personas: PathBuf,
    /// What the user set.
    pub(crate) config: PathBuf,
    /// Keys, in a file of their own.
    pub(crate) keys: PathBuf,
    /// Chats.
    pub(crate) data: PathBuf,
    /// What can be asked again: lists of models.
    pub(crate) cache: PathBuf,
}

impl Folders {
    pub(crate) fn find() -> Result<Self> {
        let base = etcetera::choose_base_strategy().map_err(|error| {
            invalid("your home folder is not known: set HOME, or name a store with --memory").caused_by(error)
        })?;
        let config = base.config_dir().join("catgpt");
        Ok(Self {
            personas: config.join("personas"),
            keys: config.join("keys.toml"),
            config: config.join("config.toml"),
            data: base.data_dir().join("catgpt"),
            cache: base.cache_dir().join("catgpt"),
        })
    }
}
