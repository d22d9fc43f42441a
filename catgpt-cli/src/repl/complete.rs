//! What Tab offers: commands, chats, personas, models, files.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ChatModel, User};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::words::COMMANDS;
use crate::config::known_personas;
use crate::models::Models;
use crate::refs::short;

/// How long somebody who pressed Tab is let wait.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many chats are offered.
const CHATS: u32 = 100;

/// Knows the words. It is asked on the thread of the line's editor, and asks the engine on the other one.
pub(super) struct Words {
    pub(super) runtime: Handle,
    pub(super) user: User,
    pub(super) models: Arc<Models>,
}

impl Words {
    fn argument(&self, command: &str) -> Vec<String> {
        match command {
            "/open" => self.wait(self.user.sessions(None, CHATS)).map_or_else(Vec::new, |page| {
                page.sessions.iter().map(|info| short(info.id.as_str()).to_owned()).collect()
            }),
            "/persona" => known_personas(),
            "/model" => self
                .wait(self.models.models())
                .map_or_else(Vec::new, |models| models.into_iter().map(|model| model.id).collect()),
            _ => Vec::new(),
        }
    }

    /// What cannot be known in time is not offered.
    fn wait<T>(&self, asked: impl Future<Output = catgpt_core::Result<T>>) -> Option<T> {
        self.runtime.block_on(async { timeout(PATIENCE, asked).await.ok()?.ok() })
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, context: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let typed = &line[..pos];
        if !typed.starts_with('/') || typed.starts_with("//") {
            return Ok((pos, Vec::new()));
        }
        let Some((command, rest)) = typed.split_once(' ') else {
            return Ok((0, fitting(typed, COMMANDS.iter().map(|(name, ..)| format!("{name} ")))));
        };
        let rest = rest.trim_start();
        if command == "/file" {
            return FilenameCompleter::new().complete(line, pos, context);
        }
        Ok((pos - rest.len(), fitting(rest, self.argument(command).into_iter())))
    }
}

/// A name that came from elsewhere must not steer the terminal.
fn fitting(begun: &str, words: impl Iterator<Item = String>) -> Vec<Pair> {
    let fits = words.filter(|word| word.starts_with(begun) && !word.contains(char::is_control));
    fits.map(|word| Pair { display: word.trim_end().to_owned(), replacement: word }).collect()
}

impl Helper for Words {}
impl Highlighter for Words {}
impl Hinter for Words {
    type Hint = String;
}
impl Validator for Words {}
