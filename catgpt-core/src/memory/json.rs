//! How the calls' data is written as JSON, for stores that are not written in Rust: bytes as base64, times in
//! milliseconds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

fn decode<E: de::Error>(text: &str) -> Result<Vec<u8>, E> {
    // The cause may quote what was to be decoded.
    STANDARD.decode(text).map_err(|_| E::custom("bytes must be written as base64"))
}

/// For `Vec<u8>`.
pub(super) mod bytes {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        decode(&String::deserialize(from)?)
    }
}

/// For a hash.
pub(super) mod hash {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(hash: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(hash))
    }
}

/// For `Option<Vec<u8>>`.
pub(super) mod bytes_option {
    use super::*;

    #[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(from)?.map(|text| decode(&text)).transpose()
    }
}

/// For an idempotency key and its hash: `{"key", "hash"}`.
pub(super) mod keyed {
    use super::*;

    #[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(keyed: &Option<(String, [u8; 32])>, to: S) -> Result<S::Ok, S::Error> {
        let keyed = keyed.as_ref();
        keyed.map(|(key, hash)| serde_json::json!({ "key": key, "hash": STANDARD.encode(hash) })).serialize(to)
    }
}

/// For `Duration`.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use super::*;

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}

/// For `Option<Duration>`.
pub(super) mod milliseconds_option {
    use std::time::Duration;

    use super::*;

    #[allow(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}
