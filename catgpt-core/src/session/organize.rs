//! A session as a thing in a list: made, described, put first, put away, let go.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Session, SessionInfo, given_title};
use crate::body::encode_meta;
use crate::error::{Error, Result};
use crate::memory::Op;
use crate::persona::Persona;

/// What an application keeps with a session, as a JSON object of at most [`MAX_METADATA`] bytes. The engine never looks
/// inside.
pub type Metadata = Map<String, Value>;

/// The most bytes that the metadata of a session may have as JSON.
pub const MAX_METADATA: usize = 64 << 10;

/// What a new session is given; all of it may be left out.
#[derive(Clone, Debug, Default)]
pub struct NewSession {
    /// Its title; else the beginning of the first message becomes its title.
    pub title: Option<String>,
    /// Who answers; else the engine's persona.
    pub persona: Option<Persona>,
    /// What the application keeps with it.
    pub metadata: Option<Metadata>,
    /// How long after its last change it is deleted; else as the engine has it.
    pub ttl: Option<Duration>,
}

/// What is changed in a session at once; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) title: Option<String>,
    pub(crate) pinned: Option<bool>,
    pub(crate) archived: Option<bool>,
    pub(crate) metadata: Option<Metadata>,
}

impl Session {
    /// Makes it before anything is said, and tells what is there then. One that is there already is left as it is.
    ///
    /// # Errors
    /// `InvalidInput` for a title as [`rename`](Self::rename) takes none, metadata that is too large or a persona that
    /// cannot be used.
    pub async fn create(&self, new: NewSession) -> Result<SessionInfo> {
        new.persona.as_ref().map(Persona::validate).transpose()?;
        let op = Op::Create {
            session: self.id.clone(),
            title: new.title.as_deref().map(given_title).transpose()?,
            pin: new.persona.as_ref().map(Persona::encode),
            meta: new.metadata.as_ref().map(encoded).transpose()?,
            ttl: new.ttl.or(self.runner.session_ttl),
        };
        self.apply(op).await?;
        self.info().await
    }

    /// Lets it stand before the others in lists, or among them again.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn set_pinned(&self, pinned: bool) -> Result<()> {
        self.apply(Op::Mark { session: self.id.clone(), pinned: Some(pinned), archived: None }).await
    }

    /// Puts it away, or takes it out again: a list shows either those that are put away or those that are not.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn set_archived(&self, archived: bool) -> Result<()> {
        self.apply(Op::Mark { session: self.id.clone(), pinned: None, archived: Some(archived) }).await
    }

    /// Keeps this with it, in the place of what was kept; an empty object takes it away.
    ///
    /// # Errors
    /// `NotFound` if it is not there, `InvalidInput` for more than [`MAX_METADATA`] bytes.
    pub async fn set_metadata(&self, metadata: &Metadata) -> Result<()> {
        self.apply(self.set_meta(metadata)?).await
    }

    fn set_meta(&self, metadata: &Metadata) -> Result<Op> {
        let meta = if metadata.is_empty() { None } else { Some(encoded(metadata)?) };
        Ok(Op::SetMeta { session: self.id.clone(), meta })
    }

    /// Makes all changes or none, and tells what is there then.
    pub(crate) async fn change(&self, changes: Changes) -> Result<SessionInfo> {
        let Changes { title, pinned, archived, metadata } = changes;
        let marked = pinned.is_some() || archived.is_some();
        let mark = marked.then(|| Op::Mark { session: self.id.clone(), pinned, archived });
        let title = title.map(|title| self.set_title(&title)).transpose()?;
        let meta = metadata.map(|metadata| self.set_meta(&metadata)).transpose()?;
        let ops: Vec<Op> = title.into_iter().chain(mark).chain(meta).collect();
        if !ops.is_empty() {
            self.runner.apply(&self.owner, ops).await?;
        }
        self.info().await
    }

    /// Says how long after its last change it is deleted with all that was said; `None`: never. The engine's sweep does
    /// it, every 30 s; a turn that runs is waited for.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn set_ttl(&self, ttl: Option<Duration>) -> Result<()> {
        self.apply(Op::SetTtl { session: self.id.clone(), ttl }).await
    }

    /// Gives it another persona, from the next turn on.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn set_persona(&self, persona: &Persona) -> Result<()> {
        persona.validate()?;
        self.apply(Op::SetPin { session: self.id.clone(), pin: persona.encode() }).await
    }
}

pub(super) fn encoded(metadata: &Metadata) -> Result<Vec<u8>> {
    let bytes = encode_meta(metadata);
    if bytes.len() > MAX_METADATA {
        let text = format!("the metadata of a session may have at most {MAX_METADATA} bytes; keep a reference instead");
        return Err(Error::invalid(text).with("bytes", bytes.len()));
    }
    Ok(bytes)
}
