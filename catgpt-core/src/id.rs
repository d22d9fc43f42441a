//! Names of things: who owns, which conversation, which turn.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, Result};

/// A message's number inside its session: 1, 2, 3… in the order of their commits.
pub type Seq = u64;

fn checked(what: &'static str, text: &str, max: usize) -> Result<Arc<str>> {
    if text.is_empty() || text.len() > max {
        return Err(Error::invalid(format!("{what} must be 1 to {max} bytes long")).with("bytes", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(format!("{what} must not contain control characters")));
    }
    Ok(text.into())
}

/// Who owns sessions: a user, a tenant, an anonymous id. 1 to 256 bytes, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Owner(Arc<str>);

impl Owner {
    /// The longest owner, in bytes.
    pub const MAX: usize = 256;

    /// Checks and takes a name.
    pub fn new(name: impl AsRef<str>) -> Result<Self> {
        checked("an owner", name.as_ref(), Self::MAX).map(Self)
    }

    /// The owner of single-user programs.
    pub fn local() -> Self {
        Self("local".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One conversation of an owner: the caller's own string (1 to 128 bytes, no control characters) or a fresh UUIDv7.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// The longest id, in bytes.
    pub const MAX: usize = 128;

    /// Checks and takes an id.
    pub fn new(id: impl AsRef<str>) -> Result<Self> {
        checked("a session id", id.as_ref(), Self::MAX).map(Self)
    }

    /// A fresh id that sorts by the time it was made.
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

macro_rules! string_traits {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }
    };
}
string_traits!(Owner);
string_traits!(SessionId);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, greater than those made before in this process.
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            /// The 16 bytes, as stores keep them.
            pub fn to_bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// Back from the 16 bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text).map(Self).map_err(|e| Error::invalid(concat!($what, " must be a UUID")).caused_by(e))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}
uuid_id! {
    /// One user message and the reply to it. A UUIDv7, unique in the store; knowing it is what entitles a writer to write.
    TurnId, "a turn id"
}
uuid_id! {
    /// One call of [`Memory::apply`](crate::Memory::apply), so that a repeated call is one call.
    OpId, "an operation id"
}

/// Which turn a hook is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TurnAt {
    /// Whose it is.
    pub owner: Owner,
    /// Its session.
    pub session: SessionId,
    /// The turn.
    pub turn: TurnId,
}

/// Bytes as lower hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_refuse_what_cannot_be_kept() {
        for bad in ["", "a\0b", "tab\there", &"x".repeat(129)] {
            assert!(SessionId::new(bad).is_err(), "{bad:?}");
        }
        assert!(SessionId::new("x".repeat(128)).is_ok());
        assert!(Owner::new("").is_err());
        assert!("not-a-uuid".parse::<TurnId>().is_err());
        assert!(serde_json::from_str::<SessionId>("\"\"").is_err());
    }

    #[test]
    fn a_turn_id_survives_its_text_and_its_bytes() {
        let turn = TurnId::fresh();
        assert_eq!(turn.to_string().parse::<TurnId>().unwrap(), turn);
        assert_eq!(TurnId::from_bytes(turn.to_bytes()), turn);
    }
}
