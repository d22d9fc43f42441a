//! Personas as the core reads them, as JSON.

use catgpt_core::{Error, ErrorKind, Persona, Result};
use napi_derive::napi;

use crate::{thrown, write};

/// The built-in persona of this name.
#[napi]
pub fn builtin_persona(name: String) -> napi::Result<String> {
    let unknown =
        || Error::new(ErrorKind::NotFound, "no such built-in persona").with("known", Persona::BUILTIN.join(", "));
    json(Persona::builtin(&name).ok_or_else(unknown))
}

/// Reads a persona from Markdown.
#[napi]
pub fn read_persona(markdown: String) -> napi::Result<String> {
    json(Persona::from_markdown(&markdown))
}

/// Reads a persona from a file.
#[napi]
pub fn load_persona(path: String) -> napi::Result<String> {
    json(Persona::load(path))
}

fn json(persona: Result<Persona>) -> napi::Result<String> {
    persona.map(|persona| write(&persona)).map_err(thrown)
}
