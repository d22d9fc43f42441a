//! What the command line, the environment and the user's own files say, in this order; what none says is as the engine
//! has it. No file of a project is read: a cloned repository could send the key elsewhere.

mod encryption;
mod file;
mod folders;
pub(crate) mod keys;
mod model;
mod persona;
pub(crate) mod private;
mod store;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use catgpt_core::{Engine, Result, Secret, User};

pub(crate) use encryption::KEYS as ENCRYPTION_KEYS;
pub(crate) use file::{SETTINGS, Settings, TEMPLATE, check, set, text};
pub(crate) use folders::Folders;
pub(crate) use model::{Model, host, prefixed};
pub(crate) use persona::{Own, find as find_persona, known as known_personas, personas};
pub(crate) use store::{Shown, Store};

use self::keys::Provider;
use crate::args::{Ask, Common, When};

/// Where the user's own file is meant, in what is told.
pub(crate) const FILE: &str = "config.toml";

/// An environment variable that says something.
pub(crate) fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Something that was said, and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) by: &'static str,
}

impl<T> Said<T> {
    pub(crate) fn new(value: T, by: &'static str) -> Self {
        Self { value, by }
    }
}

/// All that is said beside a command's own options.
#[derive(Debug, Default)]
pub(crate) struct Config {
    pub(crate) settings: Settings,
    memory: Option<String>,
    live: Option<String>,
    owner: Option<String>,
    key_file: Option<PathBuf>,
    /// Keys that were found, so that no program is asked twice.
    found: Mutex<BTreeMap<Provider, Secret>>,
}

impl Config {
    /// Reads the user's own file. What is wrong in it is told before anything is done.
    pub(crate) fn load(common: &Common) -> Result<Self> {
        Ok(Self { settings: Settings::read()?, ..Self::without_file(common) })
    }

    /// As if the user had no file.
    pub(crate) fn without_file(common: &Common) -> Self {
        Self {
            settings: Settings::default(),
            memory: common.memory.clone(),
            live: common.live.clone(),
            owner: common.owner.clone(),
            key_file: common.key_file.clone(),
            found: Mutex::default(),
        }
    }

    /// The command line with the user's own colours, unless it or the environment says others.
    pub(crate) fn colored(&self, common: &Common) -> Common {
        let said = common.color != When::Auto || var("NO_COLOR").or_else(|| var("CLICOLOR_FORCE")).is_some();
        let color = self.settings.color.filter(|_| !said).unwrap_or(common.color);
        Common { color, ..common.clone() }
    }

    /// Which model was named.
    pub(crate) fn model(&self, option: Option<&str>) -> Option<Said<String>> {
        said(option, "--model", Some("OPENAI_MODEL"), self.settings.model.as_deref())
    }

    /// Whose chats these are: a person's own, unless somebody else is named.
    pub(crate) fn user(&self, engine: &Engine) -> Result<User> {
        match self.owner() {
            Some(owner) => engine.user(&owner.value).map_err(|error| error.with("from", owner.by)),
            None => Ok(engine.local()),
        }
    }

    pub(crate) fn owner(&self) -> Option<Said<String>> {
        said(self.owner.as_deref(), "--owner", None, self.settings.owner.as_deref())
    }

    /// The persona that was asked for, if any was.
    pub(crate) fn persona(&self, ask: &Ask) -> Result<Option<catgpt_core::Persona>> {
        let persona = match (&ask.system, &ask.persona) {
            (Some(system), _) => persona::adhoc(system)?,
            (None, Some(name)) => persona::find(name)?,
            (None, None) => return Ok(None),
        };
        Ok(Some(self.with_options(persona)))
    }

    /// Who answers in a new chat if nobody is asked for.
    pub(crate) fn usual_persona(&self) -> Result<catgpt_core::Persona> {
        let name = self.settings.persona.as_deref();
        let found = persona::find(name.unwrap_or("cat"));
        let found = if name.is_some() { found.map_err(|error| error.with("from", FILE)) } else { found };
        found.map(|persona| self.with_options(persona))
    }

    /// The user's own options, where the persona has none.
    fn with_options(&self, mut persona: catgpt_core::Persona) -> catgpt_core::Persona {
        persona.params = persona.params.over(&self.settings.options);
        persona
    }
}

/// The first of the command line, the environment and the user's file that says something.
fn said(
    option: Option<&str>,
    by: &'static str,
    variable: Option<&'static str>,
    own: Option<&str>,
) -> Option<Said<String>> {
    if let Some(value) = option {
        return Some(Said::new(value.to_owned(), by));
    }
    if let Some((name, value)) = variable.and_then(|name| Some((name, var(name)?))) {
        return Some(Said::new(value.trim().to_owned(), name));
    }
    own.map(|value| Said::new(value.to_owned(), FILE))
}
