//! Keys in a file, or in a text that a secret store puts into the environment.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::keys::{DataKey, KeyProvider, Wrapped, random};
use crate::error::{Error, ErrorKind, Result};
use crate::id::Owner;

/// What keys of owners are derived with.
const SALT: &[u8] = b"catgpt encryption 1";

/// Keys that this program holds: lines of an id and 32 bytes in base64, the newest first. The first one encrypts, all of
/// them decrypt; what begins with `#` is a remark.
///
/// ```text
/// # openssl rand -base64 32
/// 2026-11 r1RUsX0b7pDkjIh0BHzWCG2CIPfBLpZ6XMKnGMKVtEk=
/// 2026-05 u0wEoXGzVjNn0h4RcEUPlcHDLPxXtv1Gvw1E4pCXkpg=
/// ```
///
/// Each owner has a key of his own, derived from these. So whoever has this file can read everything: to destroy the key
/// of one owner alone takes a [`KeyProvider`] that keeps one for each.
pub struct LocalKeys {
    lines: Vec<(String, DataKey)>,
}

impl LocalKeys {
    /// Keys from a file, which only its owner may read (`chmod 600`).
    ///
    /// # Errors
    /// `InvalidInput` if it cannot be read, others may read it, or it holds something else.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let told = |error: Error| error.with("path", path.display());
        private(path).map_err(told)?;
        let unreadable = |e| Error::invalid("the key file cannot be read: check its path and its mode").caused_by(e);
        let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(unreadable).map_err(told)?;
        Self::parse(&text).map_err(told)
    }

    /// Keys from a text.
    ///
    /// # Errors
    /// `InvalidInput` if it holds something else. No key is shown.
    pub fn parse(text: &str) -> Result<Self> {
        let mut lines: Vec<(String, DataKey)> = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, key) = read(line).ok_or_else(|| {
                Error::invalid("a line of keys is an id of 1 to 64 bytes and 32 bytes in base64, with a blank between")
                    .with("line", number)
            })?;
            if lines.iter().any(|(known, _)| *known == id) {
                return Err(Error::invalid("two keys have the same id: give each its own").with("line", number));
            }
            lines.push((id, key));
        }
        match lines.is_empty() {
            true => Err(Error::invalid("there is no key: make one with `openssl rand -base64 32`")),
            false => Ok(Self { lines }),
        }
    }

    /// Either of the two: a text of keys, or the path of a file with them.
    ///
    /// # Errors
    /// As the two.
    pub fn open(text_or_path: &str) -> Result<Self> {
        let lines = text_or_path.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        match lines.next() {
            Some(line) if text_or_path.contains('\n') || read(line).is_some() => Self::parse(text_or_path),
            Some(path) => Self::from_file(path).map_err(|error| if path.contains(' ') { bare(&error) } else { error }),
            None => Self::parse(text_or_path),
        }
    }

    /// A line with a fresh key, for the head of such a file.
    ///
    /// # Errors
    /// `InvalidInput` for what cannot be an id.
    pub fn fresh_line(id: &str) -> Result<String> {
        let key = DataKey::fresh()?;
        let line = format!("{id} {}\n", STANDARD.encode(key.as_bytes()));
        Self::parse(&line).map(|_| line)
    }

    fn find(&self, id: &str) -> Result<&DataKey> {
        let found = self.lines.iter().find(|(known, _)| known == id);
        let gone = || {
            let text = "the key of an encrypted record is missing: put its line back under the others";
            Error::new(ErrorKind::Store, text).with_retryable(false).with("key", id.escape_debug())
        };
        found.map(|(_, key)| key).ok_or_else(gone)
    }

    fn first(&self) -> &(String, DataKey) {
        &self.lines[0]
    }
}

/// The error without its facts: what was taken for a path may be a key with a slip in it.
fn bare(error: &Error) -> Error {
    Error::new(error.kind(), error.message().to_owned())
}

fn read(line: &str) -> Option<(String, DataKey)> {
    let mut words = line.split_ascii_whitespace();
    let (id, key) = (words.next()?, words.next()?);
    let key = STANDARD.decode(key).map(Zeroizing::new).ok()?;
    let key: [u8; 32] = key.as_slice().try_into().ok()?;
    (words.next().is_none() && id.len() <= 64).then(|| (id.to_owned(), DataKey::new(key)))
}

/// Refuses a file that others may read.
fn private(path: &Path) -> Result<()> {
    #[cfg(unix)]
    if let Ok(facts) = std::fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&facts.permissions()) & 0o077 != 0
    {
        return Err(Error::invalid("others may read the key file: make it yours alone (chmod 600)"));
    }
    let _ = path;
    Ok(())
}

/// A key of one owner for one purpose.
fn derive(root: &DataKey, purpose: &str, owner: &Owner) -> Result<DataKey> {
    let info = [purpose.as_bytes(), owner.as_str().as_bytes()];
    let mut key = Zeroizing::new([0; 32]);
    let derived = Salt::new(HKDF_SHA256, SALT).extract(root.as_bytes());
    let filled = derived.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(&mut key[..]));
    filled.map_err(|_| Error::new(ErrorKind::Unexpected, "no key could be derived"))?;
    Ok(DataKey::new(*key))
}

fn cipher(root: &DataKey, owner: &Owner) -> Result<LessSafeKey> {
    let key = derive(root, "wrap\0", owner)?;
    let key = UnboundKey::new(&AES_256_GCM, key.as_bytes());
    Ok(LessSafeKey::new(key.map_err(|_| Error::new(ErrorKind::Unexpected, "no key could be derived"))?))
}

#[async_trait]
impl KeyProvider for LocalKeys {
    async fn current(&self, _: &Owner) -> Result<String> {
        Ok(self.first().0.clone())
    }

    async fn wrap(&self, owner: &Owner, key: &DataKey) -> Result<Wrapped> {
        let (id, root) = self.first();
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        let mut sealed = Zeroizing::new(*key.as_bytes());
        let cipher = cipher(root, owner)?;
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        let tag = cipher.seal_in_place_separate_tag(nonce_used, Aad::from(id.as_bytes()), &mut sealed[..]);
        let tag = tag.map_err(|_| Error::new(ErrorKind::Unexpected, "a data key could not be wrapped"))?;
        Ok(Wrapped { key_id: id.clone(), bytes: [&nonce[..], &sealed[..], tag.as_ref()].concat() })
    }

    async fn unwrap(&self, owner: &Owner, wrapped: &Wrapped) -> Result<DataKey> {
        let cipher = cipher(self.find(&wrapped.key_id)?, owner)?;
        let wrong = || {
            let text = "the key of this id is not the one that a record was encrypted with, or the record was changed or \
                        is another owner's";
            Error::new(ErrorKind::Store, text).with_retryable(false).with("key", wrapped.key_id.escape_debug())
        };
        let (nonce, sealed) = wrapped.bytes.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let key = cipher.open_in_place(nonce, Aad::from(wrapped.key_id.as_bytes()), &mut sealed);
        let key: [u8; 32] = key.ok().and_then(|key| (&*key).try_into().ok()).ok_or_else(wrong)?;
        Ok(DataKey::new(key))
    }

    async fn secrets(&self, owner: &Owner) -> Result<Vec<DataKey>> {
        self.lines.iter().map(|(_, root)| derive(root, "hash\0", owner)).collect()
    }
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKeys").field("ids", &self.lines.iter().map(|(id, _)| id).collect::<Vec<_>>()).finish()
    }
}
