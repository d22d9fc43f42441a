//! The form of a sealed record, and the place for which it is sealed.
//!
//! ```text
//! C7 01 | birth u16 | id u8+n | wrapped u16+n | former u16+n | nonce 12 | ciphertext | tag 16
//! ```
//! All of it up to the nonce, and the place, are authenticated with the content. `birth` is the day on which the data key
//! was made; `former` the owner from whom the record was taken over, mostly none.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::keys::{DataKey, Wrapped, random};
use super::{ENVELOPE, MAGIC};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq, SessionId, TurnId};
use crate::message::{Offset, Role};

/// The longest id of a key, and the longest wrapped key.
const MAX_ID: usize = 64;
const MAX_WRAPPED: usize = 2 << 10;

// The fixed parts, an id, a wrapped key and an owner fit.
const _: () = assert!(64 + MAX_ID + MAX_WRAPPED + Owner::MAX < ENVELOPE);

/// Where a record stands. What is sealed for one place is opened in no other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Title(&'a SessionId),
    Pin(&'a SessionId),
    Meta(&'a SessionId),
    /// What a turn wrote. The turn's id is known before the message has a number.
    Message(TurnId, Role),
    /// What no turn of this store wrote.
    Imported(&'a SessionId, Seq, Role),
    /// By what it covers, for its number is not known before it is written.
    Summary(&'a SessionId, Option<Seq>),
    Chunk(TurnId, Offset, Offset),
    Frame(TurnId, Offset, bool),
}

impl Place<'_> {
    /// What is authenticated beside a record's content: its header, whose it is, where it stands. Each part has a fixed
    /// length or tells it, so that no two places have the same bytes.
    fn bind(&self, header: &[u8], owner: &Owner) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(header.len() + owner.as_str().len() + 64);
        bytes.extend_from_slice(header);
        named(&mut bytes, owner.as_str().as_bytes());
        let mut put = |kind: u8, id: &[u8], numbers: &[u64]| {
            bytes.push(kind);
            named(&mut bytes, id);
            numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_be_bytes()));
        };
        match *self {
            Self::Title(session) => put(1, session.as_str().as_bytes(), &[]),
            Self::Pin(session) => put(2, session.as_str().as_bytes(), &[]),
            Self::Meta(session) => put(3, session.as_str().as_bytes(), &[]),
            Self::Message(turn, role) => put(4, &turn.to_bytes(), &[role.code().into()]),
            Self::Imported(session, seq, role) => put(5, session.as_str().as_bytes(), &[seq, role.code().into()]),
            Self::Summary(session, upto) => put(6, session.as_str().as_bytes(), &[upto.unwrap_or(0)]),
            Self::Chunk(turn, from, to) => put(7, &turn.to_bytes(), &[from, to]),
            Self::Frame(turn, end, last) => put(8, &turn.to_bytes(), &[end, last.into()]),
        }
        bytes
    }
}

fn named(bytes: &mut Vec<u8>, name: &[u8]) {
    // No name is longer than an owner's.
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(name);
}

/// A data key, ready for use.
#[derive(Clone)]
pub(super) struct Cipher {
    key: LessSafeKey,
    /// The part of the header that tells of the key.
    part: Box<[u8]>,
}

impl Cipher {
    pub(super) fn new(key: &DataKey, part: &[u8]) -> Result<Self> {
        let key = UnboundKey::new(&AES_256_GCM, key.as_bytes());
        let key = key.map_err(|_| Error::new(ErrorKind::Unexpected, "a data key has another length than 32 bytes"))?;
        Ok(Self { key: LessSafeKey::new(key), part: part.into() })
    }

    /// The part of a header that tells of a key.
    pub(super) fn part(birth: u16, wrapped: &Wrapped) -> Result<Vec<u8>> {
        let (id, bytes) = (wrapped.key_id.as_bytes(), &wrapped.bytes);
        if id.is_empty() || id.len() > MAX_ID || bytes.len() > MAX_WRAPPED {
            let text = format!("a key's id has 1 to {MAX_ID} bytes, and a wrapped key at most {MAX_WRAPPED}");
            return Err(Error::invalid(text));
        }
        let mut part = birth.to_be_bytes().to_vec();
        part.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
        part.extend_from_slice(id);
        named(&mut part, bytes);
        Ok(part)
    }

    /// The beginning of a record that is sealed with it.
    pub(super) fn header(&self) -> Vec<u8> {
        [&MAGIC[..], &self.part, &[0, 0]].concat()
    }

    pub(super) fn seal(
        &self,
        owner: &Owner,
        place: &Place<'_>,
        former: Option<&Owner>,
        content: &[u8],
    ) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(self.part.len() + content.len() + 64);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.part);
        named(&mut bytes, former.map_or("", Owner::as_str).as_bytes());
        let aad = place.bind(&bytes, owner);
        let mut nonce = [0; NONCE_LEN];
        random(&mut nonce)?;
        bytes.extend_from_slice(&nonce);
        let start = bytes.len();
        bytes.extend_from_slice(content);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(aad), &mut bytes[start..]);
        let tag = tag.map_err(|_| Error::new(ErrorKind::Unexpected, "a record is too large to be encrypted"))?;
        bytes.extend_from_slice(tag.as_ref());
        Ok(bytes)
    }

    /// Puts the content in the place of the sealed record.
    pub(super) fn open(&self, owner: &Owner, place: &Place<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        let header = Header::read(bytes)?.len;
        let aad = place.bind(&bytes[..header], owner);
        let start = header + NONCE_LEN;
        let nonce = bytes.get(header..start).and_then(|nonce| Nonce::try_assume_unique_for_key(nonce).ok());
        let opened = self.key.open_within(nonce.ok_or_else(damaged)?, Aad::from(aad), bytes, start..);
        let length = opened.map_err(|_| damaged())?.len();
        bytes.truncate(length);
        Ok(())
    }
}

/// What a sealed record says of itself.
pub(super) struct Header<'a> {
    pub(super) birth: u16,
    pub(super) key_id: &'a str,
    pub(super) wrapped: &'a [u8],
    pub(super) former: &'a str,
    /// The part that tells of the key.
    pub(super) part: &'a [u8],
    len: usize,
}

impl<'a> Header<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut rest = Rest(bytes);
        match rest.take(2)? {
            [magic, version] if *magic == MAGIC[0] && *version > MAGIC[1] => {
                let text = "a record was encrypted by a newer version of catgpt: upgrade this program";
                return Err(Error::new(ErrorKind::Unsupported, text).with("format", version));
            }
            magic if *magic == MAGIC => {}
            _ => return Err(damaged()),
        }
        let birth = rest.number()?;
        let id = usize::from(rest.take(1)?[0]);
        let key_id = std::str::from_utf8(rest.take(id)?).map_err(|_| damaged())?;
        let length = usize::from(rest.number()?);
        let wrapped = rest.take(length)?;
        let part = &bytes[2..bytes.len() - rest.0.len()];
        let length = usize::from(rest.number()?);
        let former = std::str::from_utf8(rest.take(length)?).map_err(|_| damaged())?;
        Ok(Self { birth, key_id, wrapped, former, part, len: bytes.len() - rest.0.len() })
    }

    pub(super) fn key(&self) -> Wrapped {
        Wrapped { key_id: self.key_id.to_owned(), bytes: self.wrapped.to_vec() }
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u16> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }
}

/// What cannot be opened was changed, or stands where it was not written. Which of the two nobody can tell.
fn damaged() -> Error {
    let text = "an encrypted record was changed, or moved to another place: restore it from a backup";
    Error::new(ErrorKind::Store, text).with_retryable(false)
}
