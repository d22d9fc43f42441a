//! Who answers: a persona of the user's own, or a built-in one.

use std::fs;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use catgpt_core::{Error, ErrorKind, Persona, Result};

use super::Folders;
use crate::exit::invalid;

/// A system prompt of the command line.
pub(super) fn adhoc(system: &str) -> Result<Persona> {
    let text = match system.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|error| {
            let sentence = "the file of the system prompt cannot be read as UTF-8 text";
            invalid(sentence).with("path", path).caused_by(error)
        })?,
        None => system.to_owned(),
    };
    // Plain words, not a template.
    Persona::new("custom", text.replace("{{", "{{{{"))
}

/// A file, one of the user's own, or a built-in one: who has a `cat` of their own gets that.
pub(crate) fn find(name: &str) -> Result<Persona> {
    if name.contains(MAIN_SEPARATOR) || name.ends_with(".md") {
        return Persona::load(name);
    }
    let folders = Folders::find();
    if let Ok(folders) = &folders
        && let Some(own) = Own::find(&folders.personas, name)
    {
        return Persona::load(own.path);
    }
    if let Some(persona) = Persona::builtin(name) {
        return Ok(persona);
    }
    let folder = folders?.personas;
    Err(Error::new(ErrorKind::NotFound, format!("there is no persona \"{}\"", name.escape_debug()))
        .with("there are", known().join(", "))
        .with("or put it into", folder.display()))
}

/// A file of the user's own.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) path: PathBuf,
}

impl Own {
    /// It, if it is there.
    pub(crate) fn find(folder: &Path, name: &str) -> Option<Self> {
        let path = folder.join(format!("{name}.md"));
        (is_own_name(name) && path.is_file()).then_some(Self { path })
    }
}

/// Whether a file in the folder of personas may be called so.
fn is_own_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(MAIN_SEPARATOR)
}

/// The names of the built-in personas, then of the user's own that do not take the place of one.
pub(crate) fn known() -> Vec<String> {
    let mut own = Folders::find().map(|folders| personas(&folders.personas)).unwrap_or_default();
    own.retain(|name| !Persona::BUILTIN.contains(&name.as_str()));
    Persona::BUILTIN.iter().map(|&name| name.to_owned()).chain(own).collect()
}

/// The names of the user's own personas.
pub(crate) fn personas(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".md").map(str::to_owned);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(name).filter(|name| is_own_name(name)).collect();
    names.sort();
    names
}
