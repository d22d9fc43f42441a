//! `catgpt keys`: whose keys there are, and how they come and go. A key is never shown and never an argument.

use std::io::{self, IsTerminal, Read};

use catgpt_core::{Error, ErrorKind, Result, Secret};
use serde_json::json;

use crate::args::{Common, KeysAction};
use crate::config::keys::{self, Provider};
use crate::config::{Config, Folders, var};
use crate::exit::{Exit, Failure, invalid};
use crate::notes::Notes;
use crate::out::Out;

/// More than any key has, so that a file given by mistake is not read to its end.
const MOST: u64 = 64 << 10;

pub(crate) fn keys(action: KeysAction, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    match action {
        KeysAction::List { json } => list(common, json),
        KeysAction::Set { name } => set(name, notes).map_err(Failure::from),
        KeysAction::Remove { name } => remove(name, notes).map_err(Failure::from),
    }
}

fn list(common: &Common, json: bool) -> Result<Exit, Failure> {
    let config = Config::load(common)?;
    let mut out = Out::stdout();
    let mut rows = Vec::new();
    for provider in Provider::ALL {
        let source = keys::source(&config, provider)?.map(|source| source.to_string());
        match json {
            true => out.json(&json!({ "name": provider.name(), "source": source }))?,
            false => rows.push([provider.name().to_owned(), source.unwrap_or_else(|| "none".to_owned())]),
        }
    }
    out.rows(&rows)?;
    out.end(Ok(Exit::Ok))
}

fn set(name: Provider, notes: Notes) -> Result<Exit> {
    let path = Folders::find()?.keys;
    // A file that cannot be used is told before somebody types a key.
    keys::names(&path)?;
    let key = ask(name)?;
    keys::keep(&path, name, &key)?;
    notes.say(format_args!("the key of {} is kept in {}", name.name(), path.display()));
    if var(name.variable()).is_some() {
        notes.say(format_args!("{} is set too, and goes before it", name.variable()));
    }
    Ok(Exit::Ok)
}

/// A key that is typed unseen, or that comes on stdin.
fn ask(name: Provider) -> Result<Secret> {
    let unread = |error: io::Error| invalid("no key was given").caused_by(error);
    let text = if io::stdin().is_terminal() {
        rpassword::prompt_password(format!("catgpt: the key of {}: ", name.name())).map_err(unread)?
    } else {
        let mut text = String::new();
        io::stdin().lock().take(MOST).read_to_string(&mut text).map_err(unread)?;
        text
    };
    keys::read(&text).map_err(|error| invalid(error.message().to_owned()))
}

fn remove(name: Provider, notes: Notes) -> Result<Exit> {
    let path = Folders::find()?.keys;
    if !keys::forget(&path, name)? {
        let sentence = format!("no key of {} is kept", name.name());
        return Err(Error::new(ErrorKind::NotFound, sentence).with("path", path.display()));
    }
    notes.say(format_args!("the key of {} is forgotten here; it is valid until its provider revokes it", name.name()));
    Ok(Exit::Ok)
}
