//! With which keys chats are encrypted, and who says so. Never the command line, which others can read.

use std::path::PathBuf;

use catgpt_core::{Encryption, Error, LocalKeys, Result};
use serde::{Deserialize, Deserializer, de};

use super::{Config, FILE, Said, said, var};
use crate::exit::invalid;

/// Names a file of keys, or holds them.
pub(crate) const KEYS: &str = "CATGPT_ENCRYPTION_KEYS";

impl Config {
    /// Who names the keys. What the variable says may be the keys themselves, so it is shown nowhere.
    pub(crate) fn encryption_keys(&self) -> Option<Said<String>> {
        said(None, KEYS, Some(KEYS), self.settings.encryption_keys.as_deref())
    }

    /// With which keys chats are encrypted, if they are.
    pub(crate) fn encryption(&self) -> Result<Option<Encryption>> {
        let Some(Said { value, by }) = self.encryption_keys() else { return Ok(None) };
        let keys = match by {
            FILE => path(&value).and_then(LocalKeys::from_file),
            _ => LocalKeys::open(&value),
        };
        keys.map(|keys| Some(Encryption::new(keys))).map_err(|error| error.with("from", by))
    }
}

/// No shell has put the home folder into what the file says.
fn path(said: &str) -> Result<PathBuf> {
    let Some(inside) = said.strip_prefix("~/") else { return Ok(said.into()) };
    let home = || -> Error { invalid("your home folder is not known: write the whole path of the key file") };
    var("HOME").map(|home| PathBuf::from(home).join(inside)).ok_or_else(home)
}

/// The path of a file. The keys themselves are refused, and not repeated in what is told.
pub(super) fn key_file<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<String>, D::Error> {
    let said = String::deserialize(from)?;
    let whole = said.starts_with('/') || said.starts_with("~/");
    match whole && !said.split_whitespace().any(is_key) && !said.contains(char::is_control) {
        true => Ok(Some(said)),
        false => Err(de::Error::custom(
            "encryption_keys is the path of a file of keys, from / or ~/ on, and never a key: whoever reads this file \
             could read all chats",
        )),
    }
}

/// Whether this is 32 bytes in base64, as a line of keys has them. No path looks so.
fn is_key(word: &str) -> bool {
    let digits = word.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    digits.len() == 43 && word.len() == 44 && digits.bytes().all(is_digit)
}
