//! The line that is typed: its editor has a thread of its own, for it waits for keys.

use std::fs::DirBuilder;
use std::io::ErrorKind::InvalidData;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use catgpt_core::{Error, ErrorKind, Result};
use etcetera::BaseStrategy;
use rustyline::config::Builder;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Behavior, Cmd, CompletionType, Editor, KeyCode, KeyEvent, Modifiers};

use super::complete::Words;
use super::terminal::Terminal;
use crate::notes::tell;
use crate::signals::{Caught, Signals};

/// How many lines are remembered, and how many bytes one may have.
const REMEMBERED: usize = 1000;
const LONGEST: usize = 64 << 10;
const PROMPT: &str = "> ";

/// What came of a prompt.
#[derive(Debug)]
pub(super) enum Typed {
    Line(String),
    /// The line was thrown away.
    Cleared,
    /// Whoever sat there leaves.
    End,
    Caught(Caught),
}

type Lines = Editor<Words, FileHistory>;

pub(super) struct Prompt {
    /// Not here while somebody types.
    editor: Option<Lines>,
    /// Where lines are kept, if they may be.
    history: Option<PathBuf>,
}

impl Prompt {
    /// `keeps`: whether what is typed may be written to a file.
    pub(super) fn new(words: Words, terminal: &Terminal, keeps: bool) -> Result<Self> {
        let behavior = if terminal.apart { Behavior::PreferTerm } else { Behavior::Stdio };
        let config = config(behavior).map_err(|error| unusable(&error))?;
        let mut editor = Lines::with_config(config).map_err(|error| unusable(&error))?;
        editor.set_helper(Some(words));
        for key in [KeyEvent(KeyCode::Enter, Modifiers::ALT), KeyEvent::ctrl('J')] {
            editor.bind_sequence(key, Cmd::Newline);
        }
        let history = history();
        if let Some(history) = &history {
            // There may be none yet.
            let _ = editor.load_history(history);
        }
        Ok(Self { editor: Some(editor), history: history.filter(|_| keeps) })
    }

    /// Waits for a line. After a signal nobody is asked again.
    pub(super) async fn ask(&mut self, terminal: &Terminal, signals: &mut Signals) -> Result<Typed> {
        let mut editor = self.editor.take().ok_or_else(|| Error::new(ErrorKind::Closed, "the prompt is closed"))?;
        let mut typing = tokio::task::spawn_blocking(move || {
            let typed = editor.readline(PROMPT);
            (editor, typed)
        });
        let (editor, typed) = loop {
            tokio::select! {
                done = &mut typing => break done.map_err(|error| unusable(&error))?,
                caught = signals.next() => if caught != Caught::Interrupt {
                    terminal.restore();
                    return Ok(Typed::Caught(caught));
                },
            }
        };
        self.editor = Some(editor);
        match typed {
            Ok(line) => {
                self.remember(&line);
                Ok(Typed::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Typed::Cleared),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Io(error)) if error.kind() == InvalidData => {
                // What came with it may be half a paste, of which no line was meant alone.
                terminal.forget();
                tell("what was typed is not UTF-8 text; nothing was sent");
                Ok(Typed::Cleared)
            }
            Err(error) => Err(unusable(&error)),
        }
    }

    /// Keeps the line for the next time, if it can be kept.
    fn remember(&mut self, line: &str) {
        let Some(editor) = &mut self.editor else { return };
        if line.len() > LONGEST || !editor.add_history_entry(line).unwrap_or(false) {
            return;
        }
        if let Some(path) = &self.history {
            let _ = path.parent().map(make_folder);
            let _ = editor.append_history(path);
        }
    }
}

fn config(behavior: Behavior) -> rustyline::Result<rustyline::Config> {
    let builder = Builder::new().max_history_size(REMEMBERED)?.history_ignore_dups(true)?;
    // What begins with a space is not remembered, as in a shell.
    Ok(builder.history_ignore_space(true).completion_type(CompletionType::List).behavior(behavior).build())
}

/// `$XDG_STATE_HOME/catgpt/history`. Its file is made for its owner alone.
fn history() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.state_dir()?.join("catgpt").join("history"))
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn unusable(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Unexpected, "this terminal cannot be read line by line: say catgpt PROMPT")
        .with("cause", error.to_string())
}
