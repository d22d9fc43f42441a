//! `catgpt personas`: who can answer.

use std::fs;
use std::path::Path;

use catgpt_core::{Persona, Result};
use serde_json::json;

use crate::args::{Common, PersonasAction};
use crate::config::{Config, Folders, Own, find_persona, personas as own, private};
use crate::editor;
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::out::Out;

/// How much of a system prompt tells what it is about, in characters.
const ABOUT: usize = 72;

pub(crate) fn personas(action: PersonasAction, common: &Common) -> Result<Exit, Failure> {
    let folder = Folders::find()?.personas;
    match action {
        PersonasAction::List { json } => list(&folder, json, &Config::load(common)?),
        PersonasAction::Show { persona } => show(&folder, &persona),
        PersonasAction::Edit { persona } => edit(&folder, &persona, Notes::new(common)).map_err(Failure::from),
        PersonasAction::Path => {
            let mut out = Out::stdout();
            let done = out.line(&folder.display().to_string());
            out.end(done.map(|()| Exit::Ok).map_err(Failure::from))
        }
    }
}

/// One that can be named, and what became of reading it.
struct Found {
    name: String,
    is_own: bool,
    persona: Result<Persona>,
}

/// The built-in ones, unless the user has one of that name, then the user's.
fn all(folder: &Path) -> Vec<Found> {
    let mine = own(folder);
    let built_in = Persona::BUILTIN.iter().filter(|name| !mine.iter().any(|own| own == *name));
    let built_in: Vec<_> =
        built_in.map(|name| Found { name: (*name).to_owned(), is_own: false, persona: find_persona(name) }).collect();
    let mine = mine.into_iter().map(|name| {
        let persona = Persona::load(folder.join(format!("{name}.md")));
        Found { name, is_own: true, persona }
    });
    built_in.into_iter().chain(mine).collect()
}

fn list(folder: &Path, json: bool, config: &Config) -> Result<Exit, Failure> {
    let mut out = Out::stdout();
    let default = config.settings.persona.as_deref().unwrap_or("cat");
    let mut rows = Vec::new();
    for found in all(folder) {
        let origin = if found.is_own { "own" } else { "built in" };
        if json {
            let version = found.persona.as_ref().ok().map(|persona| persona.version);
            let (name, about) = (&found.name, about(&found.persona));
            out.json(&json!({ "name": name, "origin": origin, "version": version, "about": about }))?;
            continue;
        }
        let mark = if out.terminal && found.name == default { "* " } else { "" };
        rows.push([format!("{mark}{}", found.name), origin.to_owned(), about(&found.persona)]);
    }
    out.rows(&rows)?;
    out.end(Ok(Exit::Ok))
}

/// The beginning of what it is told, or why it cannot be used.
fn about(persona: &Result<Persona>) -> String {
    let text = match persona {
        Ok(persona) => persona.system.trim().lines().next().unwrap_or_default().to_owned(),
        Err(error) => format!("PROBLEM: {}", error.message()),
    };
    match text.char_indices().nth(ABOUT) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

fn show(folder: &Path, name: &str) -> Result<Exit, Failure> {
    let persona = find_persona(name)?;
    let text = match Own::find(folder, name) {
        Some(own) => fs::read_to_string(own.path)?,
        None if Persona::builtin(name).is_some() => written(&persona),
        None => fs::read_to_string(name)?,
    };
    let mut out = Out::paged();
    let done = out.text(&text).map(|()| Exit::Ok).map_err(Failure::from);
    out.end(done)
}

/// A persona as a file has it, without what a built-in one has not.
fn written(persona: &Persona) -> String {
    format!("+++\nname = \"{}\"\nversion = {}\n+++\n{}\n", persona.name, persona.version, persona.system.trim_end())
}

/// What a new one begins as.
fn template(name: &str) -> String {
    Persona::builtin(name).map_or_else(
        || {
            format!(
                "+++\nname = \"{name}\"\n# version = 2\n# greeting = \"Hello!\"\n# [params]\n# temperature = 0.7\n# \
                 [variables]\n# topic = \"cats\"\n+++\nYou are a helpful assistant.\n"
            )
        },
        |persona| written(&persona),
    )
}

fn edit(folder: &Path, name: &str, notes: Notes) -> Result<Exit> {
    // Its file is called as it is, so its name must be one.
    Persona::new(name, "x")?;
    let path = folder.join(format!("{name}.md"));
    let new = !path.exists();
    let template = template(name);
    if new {
        private::write(&path, &template)?;
    }
    let edited = editor::open(&path);
    if new && fs::read_to_string(&path).is_ok_and(|text| text == template) {
        // Nobody wrote it, so it is not there.
        let _ = fs::remove_file(&path);
        notes.say("nothing was written, so there is no new persona");
        return edited.map(|()| Exit::Ok);
    }
    edited?;
    let persona = Persona::load(&path)?;
    if persona.name != name {
        notes.say(format_args!("-p takes the file's name, {name}; in chats it is called {}", persona.name));
    }
    Ok(Exit::Ok)
}
