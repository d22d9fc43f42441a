//! The copy of a persona that a session keeps: its one form, its hash, its versioned bytes.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Persona;
use crate::error::{Error, ErrorKind, Result};
use crate::id::hex;
use crate::model::Params;

/// The version of the format.
const FORMAT: u32 = 1;

impl Persona {
    /// SHA-256 of the persona: the same for equal personas, whatever made them.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.canonical()).into()
    }

    /// The bytes that a session keeps as its own copy.
    pub fn encode(&self) -> Vec<u8> {
        let persona = self.canonical();
        let hash = hex(&Sha256::digest(&persona));
        format!(r#"{{"v":{FORMAT},"hash":"{hash}","persona":{persona}}}"#).into_bytes()
    }

    /// Back from [`encode`](Persona::encode). What a later version added is passed over, a later format is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        #[derive(Deserialize)]
        struct Pinned<'a> {
            hash: String,
            #[serde(borrow)]
            persona: &'a RawValue,
        }
        let Version { v } = serde_json::from_slice(bytes).map_err(damaged)?;
        if v > FORMAT {
            let error = Error::new(ErrorKind::Unsupported, "a newer version stored this persona: update to read it");
            return Err(error.with("found", v).with("known", FORMAT));
        }
        let Pinned { hash, persona } = serde_json::from_slice(bytes).map_err(damaged)?;
        // Over the bytes and not over what we understood of them, so that it also holds for fields of a later version.
        if hash != hex(&Sha256::digest(persona.get())) {
            return Err(damaged("its hash does not match"));
        }
        serde_json::from_str(persona.get()).map_err(damaged)
    }

    /// One line of JSON, fields in the order of the struct, what is not set left out. Frozen: pins are compared by it.
    fn canonical(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }
}

/// [`Params`] without its refusal of unknown fields: a copy that a later version pinned stays readable.
#[derive(Deserialize)]
#[serde(remote = "Params")]
struct TolerantParams {
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    top_p: Option<f32>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    stop: Vec<String>,
    #[serde(default)]
    seed: Option<i64>,
}

pub(super) fn params<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Params, D::Error> {
    TolerantParams::deserialize(from)
}

fn damaged(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    // Reading it again gives the same bytes.
    Error::new(ErrorKind::Store, "the stored persona is damaged: give the session another")
        .with_retryable(false)
        .caused_by(cause)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Example;
    use super::super::tests::full;
    use super::*;

    #[test]
    fn the_pinned_format_is_frozen() {
        insta::assert_snapshot!(String::from_utf8(full().encode()).unwrap(), @r##"{"v":1,"hash":"853ac91e8e814a060431f5ec572e042ab3e2b5bb511e27692068c6e3905b6ad8","persona":{"name":"pirate","version":2,"system":"You sail on the {{ ship }}.","variables":{"captain":"Mog","ship":"Black Cat"},"params":{"temperature":0.7,"stop":["\n"],"seed":-1},"greeting":"Arr!","examples":[{"user":"Hi","assistant":"Ahoy!"}]}}"##);
        let small = Persona::new("a", "Hi").unwrap();
        insta::assert_snapshot!(String::from_utf8(small.encode()).unwrap(), @r##"{"v":1,"hash":"b3ebd228abfa95db3fa97424d7e96846e1e766b8b4e231df983468fef439657a","persona":{"name":"a","version":1,"system":"Hi"}}"##);
    }

    #[test]
    fn who_changes_a_built_in_persona_changes_its_version() {
        let known = Persona::BUILTIN.map(|name| {
            let persona = Persona::builtin(name).unwrap();
            format!("{name} {} {}", persona.version, &hex(&persona.hash())[..16])
        });
        assert_eq!(known, ["cat 1 21599d15db6685ef", "plain 1 04135f24c00968aa"]);
    }

    /// A pinned copy with this persona in it, as somebody else's version might have written it.
    fn pinned(v: u32, persona: &str) -> String {
        let hash = hex(&Sha256::digest(persona));
        format!(r#"{{"hash":"{hash}","v":{v},"later":[1],"persona":{persona}}}"#)
    }

    #[test]
    fn what_a_later_version_added_is_passed_over() {
        let json = r#"{"later":{},"name":"a","system":"Hi","params":{"temperature":1.5,"later":true}}"#;
        let persona = Persona::decode(pinned(1, json).as_bytes()).unwrap();
        assert_eq!((persona.version, persona.params.temperature), (1, Some(1.5)));
    }

    #[test]
    fn a_later_format_is_refused_with_both_numbers() {
        let error = Persona::decode(br#"{"v":7,"hash":{},"who":"knows"}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!((error.context("found"), error.context("known")), (Some("7"), Some("1")));
    }

    #[test]
    fn damage_is_noticed() {
        let text = String::from_utf8(full().encode()).unwrap();
        for bad in ["", "[]", "{}", r#"{"v":1}"#, &text[..text.len() - 1], &text.replace("Black", "White")] {
            let error = Persona::decode(bad.as_bytes()).unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false), "{bad}");
        }
    }

    fn personas() -> impl Strategy<Value = Persona> {
        let params = (prop::option::of(0f32..=2.0), prop::option::of(1u32..), prop::option::of(any::<i64>()))
            .prop_map(|(temperature, max_tokens, seed)| Params { temperature, max_tokens, seed, ..Params::default() });
        let texts = ("\\PC{1,30}", prop::option::of("\\PC{0,9}"), prop::collection::vec(("\\PC{0,9}", ".{0,9}"), 0..3));
        let variables = prop::collection::btree_map("[a-z_]{1,5}", "\\PC{0,9}", 0..4);
        (params, texts, variables, 1u32..).prop_map(|(params, (system, greeting, examples), variables, version)| {
            let examples = examples.into_iter().map(|(user, assistant)| Example { user, assistant }).collect();
            Persona { name: "any".into(), version, system, variables, params, greeting, examples }
        })
    }

    proptest! {
        #[test]
        fn a_pinned_copy_comes_back_with_its_hash(persona in personas()) {
            let back = Persona::decode(&persona.encode()).unwrap();
            prop_assert_eq!(back.hash(), persona.hash());
            prop_assert_eq!(back, persona);
        }
    }
}
