//! Encryption at rest: what is stored is sealed, record by record, with keys that a [`KeyProvider`] keeps.
//!
//! [`EngineBuilder::encryption`](crate::EngineBuilder::encryption) puts it between the engine and its memory and live
//! log, which know nothing of it. Each record is sealed (AES-256-GCM) for the place where it stands: its owner, its
//! session or turn, its kind. It carries the key it was sealed with, wrapped by the provider. So it is opened without
//! another look at the store, and nowhere else.
//!
//! Messages, pieces of running replies, titles, metadata, personas and live frames are sealed. What a store decides by
//! stays readable: owners, ids of sessions, names of models, times, lengths, usage, statuses, idempotency keys.
//! `docs/encryption.md` says what that protects, and how keys are made, changed and destroyed.

#[cfg(feature = "encryption")]
mod envelope;
#[cfg(feature = "encryption")]
mod keyring;
#[cfg(feature = "encryption")]
mod keys;
#[cfg(feature = "encryption")]
mod local;
#[cfg(feature = "encryption")]
mod recent;
#[cfg(test)]
#[cfg(feature = "encryption")]
mod tests;

#[cfg(feature = "encryption")]
pub(crate) use self::envelope::Place;
#[cfg(feature = "encryption")]
pub use self::keyring::Encryption;
#[cfg(feature = "encryption")]
pub use self::keys::{DataKey, KeyProvider, Wrapped};
#[cfg(feature = "encryption")]
pub use self::local::LocalKeys;

/// With what a sealed record begins: no JSON does, and no text. The second byte is the version of the form.
const MAGIC: [u8; 2] = [0xC7, 1];

/// How much longer than its content a sealed record may be.
pub(crate) const ENVELOPE: usize = 4 << 10;

/// Whether these bytes are a sealed record.
pub(crate) fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MAGIC[0])
}
