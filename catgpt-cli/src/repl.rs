//! A conversation at the terminal: lines are said or obeyed, answers are shown, and what went wrong ends nothing.

mod commands;
mod complete;
mod draft;
mod prompt;
mod say;
mod terminal;
mod words;

use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;

use catgpt_core::{Content, Engine, ErrorKind, Message, Persona, Result, Role, Status};
use tokio::runtime::Handle;

use crate::args::{Ask, Common, Format};
use crate::chat::Chat;
use crate::color;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::markdown::{Markdown, Width};
use crate::models::Models;
use crate::notes::{Notes, OFFLINE};
use crate::render::visible;
use crate::signals::Signals;
use complete::Words;
use prompt::{Prompt, Typed};
pub(crate) use terminal::Terminal;

/// What comes after a line.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Ask,
    Leave(Exit),
}

/// A conversation.
pub(crate) struct Repl<'a> {
    engine: &'a Engine,
    chat: Chat,
    models: Arc<Models>,
    /// The name of the model that answers in this chat; the cat has none.
    answers: Option<String>,
    terminal: Rc<Terminal>,
    ask: &'a Ask,
    common: &'a Common,
    config: Config,
    notes: Notes,
    /// Who answers from the next message on.
    persona: Option<Persona>,
    /// The chat is back at its beginning: what is said next stands beside this message.
    instead: Option<u64>,
    /// What goes with the next message.
    files: Vec<String>,
    /// The chats of the list that was shown last.
    listed: Vec<String>,
}

impl<'a> Repl<'a> {
    pub(crate) fn new(
        engine: &'a Engine,
        chat: Chat,
        (models, answers): (Arc<Models>, Option<String>),
        terminal: Terminal,
        (ask, common, config): (&'a Ask, &'a Common, Config),
    ) -> Self {
        Self {
            engine,
            chat,
            models,
            answers,
            terminal: Rc::new(terminal),
            ask,
            common,
            config,
            notes: Notes::new(common),
            persona: None,
            instead: None,
            files: Vec::new(),
            listed: Vec::new(),
        }
    }

    /// Says who answers and where chats are; of a chat that goes on also what was said last.
    pub(crate) async fn welcome(&mut self, place: &str, persona: Option<Persona>, host: &str) -> Result<()> {
        self.persona = persona;
        let known = match self.chat.is_new() {
            true => None,
            false => self.chat.session.info().await?.persona,
        };
        let said = self.persona.as_ref().map(|persona| persona.name.clone());
        let persona = said.or(known).unwrap_or_else(|| host.to_owned());
        match &self.answers {
            Some(model) => {
                let (persona, model) = (visible(&persona), visible(model));
                self.notes.say(format_args!("{persona} answers ({model}); {place}; /help says more"));
            }
            None => {
                self.notes.say(OFFLINE);
                self.notes.say(format_args!("{place}; /help says more"));
            }
        }
        self.show_last().await
    }

    /// Until somebody leaves. `first` is what the command line says.
    pub(crate) async fn run(&mut self, first: Option<Content>, signals: &mut Signals) -> Result<Exit, Failure> {
        let (user, models) = (self.chat.user.clone(), Arc::clone(&self.models));
        let terminal = Rc::clone(&self.terminal);
        // A file of lines would hold in plain text what the store keeps encrypted, or not at all.
        let keeps = !self.ask.forgets() && self.config.encryption_keys().is_none();
        let mut prompt = Prompt::new(Words { runtime: Handle::current(), user, models }, &terminal, keeps)?;
        let mut next = match first {
            Some(content) => self.turn(self.chat.session.send(content), signals).await?,
            None => Next::Ask,
        };
        loop {
            if let Next::Leave(exit) = next {
                return Ok(exit);
            }
            next = match prompt.ask(&terminal, signals).await? {
                Typed::Line(line) => self.obey(words::read(&line), signals).await?,
                Typed::Cleared => Next::Ask,
                Typed::End => Next::Leave(Exit::Ok),
                Typed::Caught(caught) => Next::Leave(caught.exit()),
            };
        }
    }

    /// The last exchange of a chat that was there before.
    async fn show_last(&self) -> Result<()> {
        let messages = match self.chat.session.history(2).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            messages => messages?,
        };
        messages.iter().for_each(|message| self.show_message(message));
        if !messages.is_empty() {
            self.print("\n");
        }
        Ok(())
    }

    fn show_message(&self, message: &Message) {
        let text = message.text();
        match message.role {
            Role::User => {
                let lines: String = visible(&text).lines().map(|line| format!("> {line}\n")).collect();
                self.print(&format!("\n{lines}\n"));
            }
            _ if self.ask.format() == Format::Plain => self.print(&format!("{}\n", visible(&text).trim_end())),
            _ => {
                let colours = color::enabled(self.common.color, &io::stdout());
                let (mut markdown, mut out) = (Markdown::new(Width::Terminal, colours), Vec::new());
                markdown.push(&text, &mut out);
                markdown.finish(&mut out);
                self.print(&String::from_utf8_lossy(&out));
            }
        }
        match message.status {
            Status::Complete => {}
            Status::Paused => self.notes.say(say::paused(&message.pending())),
            status => self.notes.say(format_args!("this answer is {status}")),
        }
    }

    /// Nobody may be there to read it; who is not notices it at the next prompt.
    fn print(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes());
        let _ = stdout.flush();
    }
}
