//! Sealing and opening: the data keys that are known, when they are asked for and when they are made anew.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use ring::hmac;
use tokio::time::Instant;

use super::envelope::{Cipher, Header, Place};
use super::is_sealed;
use super::keys::{DataKey, KeyProvider};
use super::recent::Recent;
use crate::error::{Error, ErrorKind, Result};
use crate::id::Owner;

/// How long what the provider answered is remembered, so that a key that was destroyed is soon destroyed everywhere.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How long a data key is used for new records, and for how many: far below what random nonces allow.
const USED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const USED_TIMES: u64 = 1 << 31;
/// How many data keys are remembered to read with, and how many owners' to write with.
const MAX_READING: usize = 8192;
const MAX_WRITING: usize = 4096;
/// How many keys a provider is asked for at once.
const AT_ONCE: usize = 8;

/// How an engine encrypts what it stores: who keeps the keys, and what becomes of records that are not encrypted. Clones
/// share what they remember of the keys.
#[derive(Clone)]
pub struct Encryption {
    ring: Arc<Keyring>,
    refuse_plaintext: bool,
}

struct Keyring {
    provider: Arc<dyn KeyProvider>,
    known: Mutex<Known>,
}

struct Known {
    reading: Recent<Box<[u8]>, Reading>,
    writing: Recent<Owner, Writing>,
    secrets: Recent<Owner, (Instant, Arc<[hmac::Key]>)>,
}

/// A data key that opens.
struct Reading {
    cipher: Arc<Cipher>,
    since: Instant,
}

/// An owner's data key for new records.
struct Writing {
    cipher: Arc<Cipher>,
    key_id: Arc<str>,
    since: Instant,
    used: u64,
}

impl<K: KeyProvider> From<K> for Encryption {
    fn from(provider: K) -> Self {
        Self::new(provider)
    }
}

impl Encryption {
    /// With keys of this provider. What was stored before without encryption is read as it is.
    pub fn new(provider: impl KeyProvider) -> Self {
        let known = Known {
            reading: Recent::new(MAX_READING),
            writing: Recent::new(MAX_WRITING),
            secrets: Recent::new(MAX_WRITING),
        };
        Self {
            ring: Arc::new(Keyring { provider: Arc::new(provider), known: Mutex::new(known) }),
            refuse_plaintext: false,
        }
    }

    /// Refuses to read what is not encrypted: for a store that is so to its last record, so that whoever can write to it
    /// cannot add words of his own. [`User::reseal`](crate::User::reseal) brings a store there.
    #[must_use]
    pub fn refuse_plaintext(mut self) -> Self {
        self.refuse_plaintext = true;
        self
    }

    /// Seals a record for its place.
    pub(crate) async fn seal(&self, owner: &Owner, place: Place<'_>, content: &[u8]) -> Result<Vec<u8>> {
        self.seal_from(owner, place, None, content).await
    }

    /// The same, for one that was another owner's before.
    pub(crate) async fn seal_from(
        &self,
        owner: &Owner,
        place: Place<'_>,
        former: Option<&Owner>,
        content: &[u8],
    ) -> Result<Vec<u8>> {
        self.writing(owner).await?.0.seal(owner, &place, former, content)
    }

    /// Puts its content in the place of a sealed record; what is not sealed stays, or is refused.
    pub(crate) async fn open(&self, owner: &Owner, place: Place<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        if !is_sealed(bytes) {
            return match self.refuse_plaintext {
                true => Err(plaintext()),
                false => Ok(()),
            };
        }
        let cipher = self.reading(owner, bytes).await?;
        cipher.open(owner, &place, bytes)
    }

    /// Asks for the keys of these records at once, so that opening them waits for nobody. What fails fails again there.
    pub(crate) async fn warm<'a>(&self, owner: &Owner, records: impl Iterator<Item = &'a [u8]>) {
        let mut missing: Vec<&[u8]> = Vec::new();
        {
            let mut known = self.ring.known();
            for record in records.filter(|record| is_sealed(record)) {
                let Ok(header) = Header::read(record) else { continue };
                let asked = missing.iter().any(|other| other.get(2..).is_some_and(|at| at.starts_with(header.part)));
                if !asked && known.read_with(owner, header.part).is_none() {
                    missing.push(record);
                }
            }
        }
        for some in missing.chunks(AT_ONCE) {
            let mut asked = Vec::new();
            for record in some {
                asked.push(self.reading(owner, record));
            }
            join_all(asked).await;
        }
    }

    /// The id of the key under which new records of this owner are.
    pub(crate) async fn key_id(&self, owner: &Owner) -> Result<Arc<str>> {
        let (_, id) = self.writing(owner).await?;
        let current = self.ring.provider.current(owner).await?;
        if *id == *current {
            return Ok(id);
        }
        // The key was changed under way.
        self.ring.known().writing.remove(owner);
        Ok(self.writing(owner).await?.1)
    }

    /// Whether a record is sealed under the key of this id.
    pub(crate) fn is_under(&self, key_id: &str, bytes: &[u8]) -> bool {
        is_sealed(bytes) && Header::read(bytes).is_ok_and(|header| header.key_id == key_id)
    }

    /// From whom a record was taken over.
    pub(crate) fn former(&self, bytes: &[u8]) -> Option<Owner> {
        let header = Header::read(bytes).ok().filter(|header| !header.former.is_empty())?;
        Owner::new(header.former).ok()
    }

    /// What a hash is kept as: one for each secret of the owner, the present one first.
    pub(crate) async fn hashes(&self, owner: &Owner, hash: &[u8; 32]) -> Result<Vec<[u8; 32]>> {
        let keys = self.ring.secrets(owner).await?;
        let keyed = |key| {
            let mut keyed = [0; 32];
            keyed.copy_from_slice(hmac::sign(key, hash).as_ref());
            keyed
        };
        Ok(keys.iter().map(keyed).collect())
    }

    /// Lets go of an owner who was erased.
    pub(crate) async fn forget(&self, owner: &Owner) -> Result<()> {
        {
            let mut known = self.ring.known();
            known.writing.remove(owner);
            known.secrets.remove(owner);
            let prefix = entry(owner, &[]);
            known.reading.retain(|key, _| !key.starts_with(&prefix));
        }
        self.ring.provider.forget(owner).await
    }

    /// The key for new records: the one in use, unless it has been for long.
    async fn writing(&self, owner: &Owner) -> Result<(Arc<Cipher>, Arc<str>)> {
        let found = self.ring.known().write_with(owner);
        if let Some((cipher, id)) = found {
            // One that was destroyed seals no longer than it opens.
            self.reading(owner, &cipher.header()).await?;
            return Ok((cipher, id));
        }
        let key = DataKey::fresh()?;
        let wrapped = self.ring.provider.wrap(owner, &key).await?;
        let part = Cipher::part(today(), &wrapped)?;
        let cipher = Arc::new(Cipher::new(&key, &part)?);
        let mut known = self.ring.known();
        known.learn(owner, &part, &cipher);
        known.adopt(owner, &cipher, &wrapped.key_id);
        Ok((cipher, wrapped.key_id.into()))
    }

    /// The key of a record. One that was made today under the present key serves for new records too, so that a service
    /// that is begun anew does not make one each time.
    async fn reading(&self, owner: &Owner, record: &[u8]) -> Result<Arc<Cipher>> {
        let header = Header::read(record)?;
        if let Some(cipher) = self.ring.known().read_with(owner, header.part) {
            return Ok(cipher);
        }
        let key = self.ring.provider.unwrap(owner, &header.key()).await?;
        let cipher = Arc::new(Cipher::new(&key, header.part)?);
        self.ring.known().learn(owner, header.part, &cipher);
        if header.birth == today() && self.ring.known().write_with(owner).is_none() {
            let current = self.ring.provider.current(owner).await?;
            if *header.key_id == *current {
                self.ring.known().adopt(owner, &cipher, &current);
            }
        }
        Ok(cipher)
    }
}

impl Keyring {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn secrets(&self, owner: &Owner) -> Result<Arc<[hmac::Key]>> {
        if let Some((since, keys)) = self.known().secrets.get(owner)
            && since.elapsed() < REMEMBERED
        {
            return Ok(Arc::clone(keys));
        }
        let secrets = self.provider.secrets(owner).await?;
        if secrets.is_empty() {
            return Err(Error::new(ErrorKind::Unsupported, "the key provider has no secret for idempotency keys"));
        }
        let keys: Arc<[_]> = secrets.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())).collect();
        self.known().secrets.put(owner.clone(), (Instant::now(), Arc::clone(&keys)));
        Ok(keys)
    }
}

impl Known {
    fn read_with(&mut self, owner: &Owner, part: &[u8]) -> Option<Arc<Cipher>> {
        let reading = self.reading.get(&*entry(owner, part))?;
        (reading.since.elapsed() < REMEMBERED).then(|| Arc::clone(&reading.cipher))
    }

    fn learn(&mut self, owner: &Owner, part: &[u8], cipher: &Arc<Cipher>) {
        let reading = Reading { cipher: Arc::clone(cipher), since: Instant::now() };
        self.reading.put(entry(owner, part).into(), reading);
    }

    fn write_with(&mut self, owner: &Owner) -> Option<(Arc<Cipher>, Arc<str>)> {
        let writing = self.writing.get(owner)?;
        if writing.since.elapsed() >= USED_FOR || writing.used >= USED_TIMES {
            return None;
        }
        writing.used += 1;
        Some((Arc::clone(&writing.cipher), Arc::clone(&writing.key_id)))
    }

    fn adopt(&mut self, owner: &Owner, cipher: &Arc<Cipher>, key_id: &str) {
        let cipher = Arc::clone(cipher);
        self.writing.put(owner.clone(), Writing { cipher, key_id: key_id.into(), since: Instant::now(), used: 0 });
    }
}

/// Under what a key to read with is remembered: no owner's key serves another.
fn entry(owner: &Owner, part: &[u8]) -> Vec<u8> {
    // No owner has a control character.
    [owner.as_str().as_bytes(), &[0], part].concat()
}

/// Days since 1970.
fn today() -> u16 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u16::try_from(since.as_secs() / (24 * 60 * 60)).unwrap_or(u16::MAX)
}

fn plaintext() -> Error {
    let text = "a record is not encrypted, and this engine reads no other: allow plaintext and reseal the store, or look \
                into who wrote it";
    Error::new(ErrorKind::Store, text).with_retryable(false)
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ring, refuse_plaintext } = self;
        f.debug_struct("Encryption")
            .field("provider", &ring.provider)
            .field("refuse_plaintext", refuse_plaintext)
            .finish_non_exhaustive()
    }
}
