//! Values that only this computer knows: chats, personas, models.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{Engine, Offline, SessionInfo};
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use crate::args::Common;
use crate::commands::block_on;
use crate::commands::models::cached;
use crate::config::{Config, SETTINGS, Store, known_personas};
use crate::exit::Exit;
use crate::notes::Notes;
use crate::refs::short;

/// How long somebody who types waits for a store.
const PATIENCE: Duration = Duration::from_millis(700);
/// How many chats are offered: those that were used last.
const OFFERED: u32 = 100;

/// Offers what an argument's name asks for, in all commands.
pub(super) fn offered(command: Command, words: &[String], common: &Common) -> Command {
    let memory = named(words, "--memory").or_else(|| common.memory.clone());
    let owner = named(words, "--owner").or_else(|| common.owner.clone());
    let config = Config::load(&Common { memory, owner, ..Common::default() }).unwrap_or_default();
    each(command, &Arc::new(config))
}

/// The value of an option that stands on the line.
fn named(words: &[String], option: &str) -> Option<String> {
    let at = words.iter().position(|word| word == option || word.starts_with(&format!("{option}=")))?;
    let word = &words[at];
    word.split_once('=').map(|(_, value)| value.to_owned()).or_else(|| words.get(at + 1).cloned())
}

fn each(command: Command, config: &Arc<Config>) -> Command {
    let inner: Vec<_> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command = command.mut_args(|arg| with_values(arg, config));
    inner.into_iter().fold(command, |command, name| command.mut_subcommand(name, |inner| each(inner, config)))
}

fn with_values(arg: Arg, config: &Arc<Config>) -> Arg {
    let config = Arc::clone(config);
    let offer = |values: Box<dyn Fn() -> Vec<CompletionCandidate> + Send + Sync>| {
        ArgValueCompleter::new(move |begun: &OsStr| begins(values(), begun))
    };
    match arg.get_id().as_str() {
        "session" | "chat" | "chats" => arg.add(offer(Box::new(move || chats(&config)))),
        "persona" => arg.add(offer(Box::new(|| plain(known_personas())))),
        "model" => arg.add(offer(Box::new(move || plain(cached(&config))))),
        "setting" => arg.add(offer(Box::new(|| plain(SETTINGS)))),
        "image" | "file" | "context" | "output" | "key_file" | "folder" => arg.value_hint(ValueHint::AnyPath),
        _ => arg,
    }
}

fn begins(values: Vec<CompletionCandidate>, begun: &OsStr) -> Vec<CompletionCandidate> {
    let begun = begun.to_string_lossy();
    values.into_iter().filter(|value| value.get_value().to_string_lossy().starts_with(&*begun)).collect()
}

fn plain(values: impl IntoIterator<Item = impl Into<String>>) -> Vec<CompletionCandidate> {
    values.into_iter().map(|value| CompletionCandidate::new(value.into())).collect()
}

/// The chats used last. A store that is not there is not made.
fn chats(config: &Config) -> Vec<CompletionCandidate> {
    let Ok(store) = Store::choose(config) else { return Vec::new() };
    if store.file().is_some_and(|file| !file.exists()) {
        return Vec::new();
    }
    let silent = Notes::new(&Common { quiet: true, ..Common::default() });
    let mut found = Vec::new();
    let look = async {
        let engine = Engine::builder().model(Offline::new()).memory(store.open(config, silent).await?).build();
        found = config.user(&engine)?.sessions(None, OFFERED).await?.sessions;
        Ok(Exit::Ok)
    };
    let _ = block_on(async { tokio::time::timeout(PATIENCE, look).await.unwrap_or(Ok(Exit::Failed)) });
    let candidate = |(at, info): (usize, SessionInfo)| {
        let title = info.title.unwrap_or_default().replace(char::is_control, " ");
        CompletionCandidate::new(short(info.id.as_str())).help(Some(title.into())).display_order(Some(at))
    };
    found.into_iter().enumerate().map(candidate).collect()
}
