//! Putting what is stored under the newest key, a session at a time, while it is in use.

use super::guard::{LONGEST, answered};
use super::{Runner, patiently, wrong_answer};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, SessionId};
use crate::memory::{Answer, Done, Encrypted, Memory, Op, Query};

/// How many sessions are taken out of the index at once.
const STEP: u32 = 20;

impl Runner {
    fn sealed(&self) -> Result<&Encrypted> {
        let none = || {
            let text = "this engine encrypts nothing: build it with `encryption`, and with the keys that the store has";
            Error::new(ErrorKind::Unsupported, text)
        };
        self.sealed.as_deref().ok_or_else(none)
    }

    /// Takes the words of an owner out of the index of a store that was not encrypted before.
    pub(crate) async fn unindex(&self, owner: &Owner) -> Result<()> {
        self.sealed()?;
        loop {
            match self.apply(owner, vec![Op::Unindex { limit: STEP }]).await?[..] {
                [Done::Count(0)] => return Ok(()),
                [Done::Count(_)] => {}
                _ => return Err(wrong_answer()),
            }
        }
    }

    /// The next owners who have sessions.
    pub(crate) async fn owners(&self, after: Option<Owner>) -> Result<Vec<Owner>> {
        // Whoever asks is told of all.
        match self.memory.query(&Owner::local(), Query::Owners { after, limit: 100 }).await? {
            Answer::Owners(owners) => Ok(owners),
            _ => Err(wrong_answer()),
        }
    }

    /// Puts a session under the newest key; says how many records were written, and whether a reply that still runs was
    /// passed over.
    pub(crate) async fn reseal(&self, owner: &Owner, session: &SessionId) -> Result<(u64, bool)> {
        let sealed = self.sealed()?;
        let (mut written, mut running, mut after) = (0, false, Some(0));
        while let Some(from) = after {
            let step = patiently(|| answered(LONGEST, sealed.reseal(owner, session, from))).await;
            let step = match step {
                // Deleted meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => break,
                step => step?,
            };
            (written, running, after) = (written + step.written, running | step.running, step.next);
        }
        Ok((written, running))
    }
}
