//! Who answers: the persona as plain data, read from files, rendered, and pinned as a copy.

mod markdown;
mod pin;
mod template;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Params;
use template::Piece;

/// The largest persona file, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Who answers. Plain data: change a field and call [`validate`](Persona::validate), as the engine does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Persona {
    /// 1 to 64 of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Counts the editions of a persona, from 1.
    #[serde(default = "first_version")]
    pub version: u32,
    /// The system prompt: a template in which `{{ name }}` is a variable and `{{{{` writes `{{`.
    pub system: String,
    /// What variables are where nobody says otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// How to answer.
    #[serde(default, skip_serializing_if = "is_default", deserialize_with = "pin::params")]
    pub params: Params,
    /// What it says before anybody else does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greeting: Option<String>,
    /// Exchanges that show how it answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// An exchange that shows a model how to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// What a user might say.
    pub user: String,
    /// How the persona would answer.
    pub assistant: String,
}

fn first_version() -> u32 {
    1
}

fn is_default(params: &Params) -> bool {
    *params == Params::default()
}

impl Persona {
    /// The longest system prompt, in bytes: as a template, and again when rendered. Greeting, examples and variables
    /// together may be as long.
    pub const MAX_SYSTEM: usize = 256 << 10;

    /// The names that [`builtin`](Persona::builtin) knows.
    pub const BUILTIN: [&str; 2] = ["cat", "plain"];

    /// A persona with this system prompt.
    pub fn new(name: impl Into<String>, system: impl Into<String>) -> Result<Self> {
        let persona = Self {
            name: name.into(),
            version: first_version(),
            system: system.into(),
            variables: BTreeMap::new(),
            params: Params::default(),
            greeting: None,
            examples: Vec::new(),
        };
        persona.validate()?;
        Ok(persona)
    }

    /// A helpful assistant that answers in a playful feline voice.
    pub fn cat() -> Self {
        markdown::parse(include_str!("persona/cat.md")).expect("a test reads this file")
    }

    /// A helpful assistant without a voice of its own.
    pub fn plain() -> Self {
        markdown::parse(include_str!("persona/plain.md")).expect("a test reads this file")
    }

    /// The built-in persona of this name.
    pub fn builtin(name: &str) -> Option<Self> {
        match name {
            "cat" => Some(Self::cat()),
            "plain" => Some(Self::plain()),
            _ => None,
        }
    }

    /// Reads a persona from a text: TOML between two `+++` lines, then the system prompt.
    ///
    /// ```
    /// let pirate = catgpt_core::Persona::from_markdown(r#"+++
    /// name = "pirate"
    /// version = 2                # 1 if it is left out, as everything below may be
    /// greeting = "Ahoy!"
    /// [params]
    /// temperature = 0.9
    /// [variables]
    /// ship = "Black Cat"
    /// [[examples]]
    /// user = "Hi"
    /// assistant = "Arr!"
    /// +++
    /// You sail on the {{ ship }}.
    /// "#)?;
    /// assert_eq!(pirate.render(&Default::default())?, "You sail on the Black Cat.");
    /// # Ok::<(), catgpt_core::Error>(())
    /// ```
    pub fn from_markdown(text: &str) -> Result<Self> {
        markdown::parse(text)
    }

    /// Reads a persona from a file, as [`from_markdown`](Persona::from_markdown) does.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut text = String::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
        let persona = match read {
            Ok(_) if text.len() as u64 > MAX_FILE => {
                Err(Error::invalid("the persona file is too large").with("most", MAX_FILE))
            }
            Ok(_) => Self::from_markdown(&text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Error::not_found("persona file").caused_by(error))
            }
            Err(error) => Err(Error::invalid("the persona file must be readable text in UTF-8").caused_by(error)),
        };
        persona.map_err(|error| error.with("path", path.display()))
    }

    /// Whether it can be used. The error names the field and says what to do.
    pub fn validate(&self) -> Result<()> {
        let fail = |field, rule: String| Err(Error::invalid(rule).with("field", field));
        let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(named) {
            return fail("name", "a persona's name is 1 to 64 of a-z, 0-9, _ and -".into());
        }
        if self.version == 0 {
            return fail("version", "a persona's versions count from 1".into());
        }
        if self.system.trim().is_empty() || self.system.len() > Self::MAX_SYSTEM {
            return fail("system", format!("a system prompt must be 1 to {} bytes long", Self::MAX_SYSTEM));
        }
        if !self.variables.keys().all(|name| template::is_name(name)) {
            return fail("variables", "a variable's name is 1 to 64 letters, digits and _, no digit first".into());
        }
        if self.extras() > Self::MAX_SYSTEM {
            let rule = format!("variables, greeting and examples may have {} bytes together", Self::MAX_SYSTEM);
            return fail("examples", rule);
        }
        self.params.validate().map_err(|error| {
            let field = format!("params.{}", error.context("field").unwrap_or_default());
            Error::invalid(error.message().to_owned()).with("field", field)
        })?;
        template::parse(&self.system, 1).map(drop)
    }

    fn extras(&self) -> usize {
        let variables: usize = self.variables.iter().map(|(name, value)| name.len() + value.len()).sum();
        let examples: usize = self.examples.iter().map(|example| example.user.len() + example.assistant.len()).sum();
        variables + examples + self.greeting.as_ref().map_or(0, String::len)
    }

    /// The system prompt, with `variables` before the persona's own. Values are not templates.
    pub fn render(&self, variables: &BTreeMap<String, String>) -> Result<String> {
        let mut out = String::with_capacity(self.system.len());
        for piece in template::parse(&self.system, 1)? {
            let text = match piece {
                Piece::Text(text) => text,
                Piece::Variable(name) => variables
                    .get(name)
                    .or(self.variables.get(name))
                    .ok_or_else(|| Error::invalid("give the persona's variable a value").with("variable", name))?,
            };
            if out.len() + text.len() > Self::MAX_SYSTEM {
                return Err(Error::invalid("the system prompt is too long with these variables")
                    .with("persona", &self.name)
                    .with("most", Self::MAX_SYSTEM));
            }
            out.push_str(text);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;

    pub(super) fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub(super) fn full() -> Persona {
        Persona {
            name: "pirate".into(),
            version: 2,
            system: "You sail on the {{ ship }}.".into(),
            variables: vars(&[("ship", "Black Cat"), ("captain", "Mog")]),
            params: Params { temperature: Some(0.7), seed: Some(-1), stop: vec!["\n".into()], ..Params::default() },
            greeting: Some("Arr!".into()),
            examples: vec![Example { user: "Hi".into(), assistant: "Ahoy!".into() }],
        }
    }

    #[test]
    fn built_in_personas_are_ready_to_use() {
        for name in Persona::BUILTIN {
            let persona = Persona::builtin(name).unwrap();
            assert_eq!(persona.name, name);
            assert_eq!(persona.render(&BTreeMap::new()).unwrap(), persona.system);
        }
        assert!(Persona::builtin("dog").is_none());
    }

    #[test]
    fn variables_of_the_caller_come_first_and_a_missing_one_is_named() {
        let mut persona = full();
        assert_eq!(persona.render(&vars(&[("ship", "{{ captain }}")])).unwrap(), "You sail on the {{ captain }}.");
        persona.variables.clear();
        let error = persona.render(&BTreeMap::new()).unwrap_err();
        assert_eq!((error.kind(), error.context("variable")), (ErrorKind::InvalidInput, Some("ship")));
    }

    #[test]
    fn a_small_template_cannot_grow_without_bound() {
        let persona = Persona::new("big", "{{a}}".repeat(50_000)).unwrap();
        let error = persona.render(&vars(&[("a", &"x".repeat(100_000))])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for name in ["", "Cat", "a b", "katze\u{301}", &"x".repeat(65)] {
            assert_eq!(Persona::new(name, "Hi").unwrap_err().context("field"), Some("name"), "{name}");
        }
        for system in ["", " \n", &"x".repeat(Persona::MAX_SYSTEM + 1), "{{ open"] {
            assert_eq!(Persona::new("a", system).unwrap_err().context("field"), Some("system"));
        }
        let huge = Persona { greeting: Some("x".repeat(Persona::MAX_SYSTEM)), ..full() };
        assert_eq!(huge.validate().unwrap_err().context("field"), Some("examples"));
        assert!(Persona::new("x".repeat(64), "x".repeat(Persona::MAX_SYSTEM)).is_ok());
    }

    #[test]
    fn a_file_is_read_and_its_errors_name_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cat.md");
        assert_eq!(Persona::load(&path).unwrap_err().kind(), ErrorKind::NotFound);
        std::fs::write(&path, include_str!("persona/cat.md")).unwrap();
        assert_eq!(Persona::load(&path).unwrap(), Persona::cat());
        for bad in [&b"\xff"[..], b"hello", &vec![b'+'; 2 << 20]] {
            std::fs::write(&path, bad).unwrap();
            let error = Persona::load(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.context("path").is_some_and(|p| p.ends_with("cat.md")));
        }
    }

    proptest! {
        #[test]
        fn escaped_text_renders_as_it_stands(text in "[{} a\n]{1,40}") {
            prop_assume!(!text.trim().is_empty());
            let persona = Persona::new("any", text.replace("{{", "{{{{")).unwrap();
            prop_assert_eq!(persona.render(&BTreeMap::new()).unwrap(), text);
        }
    }
}
