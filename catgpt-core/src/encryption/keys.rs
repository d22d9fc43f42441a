//! Who keeps the keys: the contract of a key provider, and what it is given and gives.

use std::fmt;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::id::Owner;

/// Keeps the keys that wrap data keys: a file ([`LocalKeys`](super::LocalKeys)), a key management service, a key for each
/// owner. What it answers is remembered for an hour, so it is asked rarely.
///
/// Destroying the key of one owner makes all that was ever sealed for him unreadable, in every copy of the store. That
/// takes a provider that has a key for each.
#[async_trait]
pub trait KeyProvider: fmt::Debug + Send + Sync + 'static {
    /// The id of the key that wraps at present.
    async fn current(&self, owner: &Owner) -> Result<String>;

    /// Wraps a data key with it.
    async fn wrap(&self, owner: &Owner, key: &DataKey) -> Result<Wrapped>;

    /// Opens what it wrapped for this owner, with any key that it ever had. A key that is gone is an error of kind
    /// [`Store`](crate::ErrorKind::Store) that says so and is not worth another try.
    async fn unwrap(&self, owner: &Owner, wrapped: &Wrapped) -> Result<DataKey>;

    /// The secrets of this owner under which the hashes of what idempotency keys stand for are kept, so that nobody can
    /// guess what was said: the newest first, and the older ones for a day after their key was taken out of use.
    async fn secrets(&self, owner: &Owner) -> Result<Vec<DataKey>>;

    /// Everything of this owner was erased: a provider with a key for each may destroy his.
    async fn forget(&self, owner: &Owner) -> Result<()> {
        let _ = owner;
        Ok(())
    }
}

/// 32 secret bytes. They are overwritten when it is dropped, and shown by nothing.
#[derive(Clone)]
pub struct DataKey(Zeroizing<[u8; 32]>);

impl DataKey {
    /// These bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Fresh random bytes of the system.
    ///
    /// # Errors
    /// The system has none.
    pub fn fresh() -> Result<Self> {
        let mut key = Self::new([0; 32]);
        random(&mut key.0[..])?;
        Ok(key)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// A data key that can be kept beside what it seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The id of the key that wraps it: 1 to 64 bytes.
    pub key_id: String,
    /// What the provider needs to open it; at most 2 KiB.
    pub bytes: Vec<u8>,
}

pub(super) fn random(bytes: &mut [u8]) -> Result<()> {
    let none = |_| Error::new(ErrorKind::Unexpected, "the system gives no random bytes, so nothing can be encrypted");
    SystemRandom::new().fill(bytes).map_err(none)
}
