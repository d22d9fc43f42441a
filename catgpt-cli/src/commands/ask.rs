//! `catgpt [PROMPT]` and `catgpt ask`.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ChatModel, Engine, ErrorKind, Memory, Persona};

use super::block_on;
use crate::args::{self, Ask, Common, Format};
use crate::chat::Chat;
use crate::config::{self, Model, Shown, Store};
use crate::context::Context;
use crate::copy;
use crate::exit::{Exit, Failure, invalid};
use crate::notes::{Notes, OFFLINE, tell};
use crate::rehearsal::Rehearsal;
use crate::said::Said;
use crate::settings::Settings;
use crate::signals::Signals;
use crate::turn;

/// How long the engine may take to let go of the store, or to make a title first.
const CLOSING: Duration = Duration::from_secs(5);
const TITLING: Duration = Duration::from_secs(15);

/// What is needed beside the words.
pub(super) struct Setup<'a> {
    ask: &'a Ask,
    common: &'a Common,
    pub(super) store: Store,
    model: Model,
    context: Option<Context>,
    settings: Settings,
}

/// An engine and the chat that the command line is about.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) chat: Chat,
    /// What answers.
    pub(super) model: Arc<dyn ChatModel>,
    pub(super) offline: bool,
    /// How long the engine may take to end.
    pub(super) closing: Duration,
    rehearsal: Option<Rehearsal>,
}

/// What is wrong with the configuration is told before stdin is read, and that before a store is made.
pub(crate) fn ask(ask: Ask, common: &Common) -> Result<Exit, Failure> {
    if ask.extract.is_some() && matches!(ask.format(), Format::Json | Format::Jsonl) {
        return Err(invalid("--extract shows text: it does not go with --format json or jsonl").into());
    }
    let (setup, persona) = Setup::read(&ask, common)?;
    let Some(said) = Said::read(&ask, persona, Notes::new(common))? else {
        tell(format_args!("say something: catgpt PROMPT\n\n{}", args::help()));
        return Err(Failure::Told(Exit::Usage));
    };
    block_on(setup.answer(said))
}

impl<'a> Setup<'a> {
    /// Reads the configuration; also who answers from now on, if somebody else than before.
    pub(super) fn read(ask: &'a Ask, common: &'a Common) -> Result<(Self, Option<Persona>), Failure> {
        let persona = config::persona(ask)?;
        let context = Context::read(&ask.context)?;
        let model = Model::choose(ask.model.as_deref().filter(|name| !name.is_empty()))?;
        let store = Store::choose(common)?;
        let mut settings = Settings::read()?;
        settings.titles |= ask.title;
        Ok((Self { ask, common, store, model, context, settings }, persona))
    }

    async fn answer(self, said: Said) -> Result<Exit, Failure> {
        let (ask, common, notes) = (self.ask, self.common, Notes::new(self.common));
        let Opened { engine, chat, offline, closing, rehearsal, .. } = self.open(notes).await?;
        if offline {
            notes.say(OFFLINE);
        }
        if let Some(rehearsal) = rehearsal {
            return rehearsal.show(turn::send(&chat, ask, said)).await;
        }
        let mut signals = Signals::catch()?;
        let done = turn::run(&engine, &chat, (ask, common), said, &mut signals).await;
        close(&engine, closing, &done, &mut signals, notes).await;
        done
    }

    /// The model of chats that keep none; `None` if the cat answers.
    pub(super) fn model_name(&self) -> Option<String> {
        match &self.model {
            Model::OpenAi(model) => Some(model.name().to_owned()),
            Model::Offline => None,
        }
    }

    pub(super) async fn open(self, notes: Notes) -> Result<Opened, Failure> {
        let (memory, chat) = self.find(notes).await?;
        // A chat that keeps its model is not answered by another one.
        let model = match &chat.kept.model {
            Some(name) if self.ask.model.is_none() => Model::choose(Some(name))?,
            _ => self.model,
        };
        let offline = matches!(model, Model::Offline);
        let settings = if offline || self.ask.dry_run { self.settings.offline() } else { self.settings };
        let closing = if settings.titles { TITLING } else { CLOSING };
        let model = model.build(io::stdout().is_terminal());
        let rehearsal = self.ask.dry_run.then(|| Rehearsal::of(Arc::clone(&model)));
        let model = rehearsal.clone().map_or(model, |rehearsal| Arc::new(rehearsal));
        let mut builder = Engine::builder().model(Arc::clone(&model)).memory(memory).persona(Persona::cat());
        if let Some(context) = self.context {
            builder = builder.hook(context);
        }
        if let Some(shown) = Shown::choose(self.common, &self.store).filter(|_| !self.ask.forgets()) {
            builder = builder.live(shown.open().await?);
        }
        let engine = settings.apply(builder).build();
        let chat = chat.with(&engine.local())?;
        Ok(Opened { engine, chat, model, offline, closing, rehearsal })
    }

    /// The chat and where it is: in the store, or in a copy if nothing may be kept.
    async fn find(&self, notes: Notes) -> Result<(Arc<dyn Memory>, Chat), Failure> {
        let forgets = self.ask.forgets();
        let memory = match forgets && !(Chat::is_named(self.ask) && copy::is_there(&self.store)) {
            true => copy::nowhere(),
            false => self.store.open().await?,
        };
        let chat = Chat::find(&copy::looking(&memory).local(), self.ask, notes).await?;
        if !forgets {
            return Ok((memory, chat));
        }
        let memory = copy::nowhere();
        copy::copy(&chat, &copy::looking(&memory).local()).await?;
        Ok((memory, chat))
    }
}

/// Puts the engine away. After a signal the store is closed already, or nobody wants to wait for it.
pub(super) async fn close(
    engine: &Engine,
    deadline: Duration,
    done: &Result<Exit, Failure>,
    signals: &mut Signals,
    notes: Notes,
) {
    if let Ok(Exit::Ok) | Err(_) = done {
        tokio::select! {
            () = put_away(engine, deadline, notes) => {}
            _ = signals.next() => {}
        }
    }
}

/// Ends turns whose process died, and closes. The answer is shown and stored by now, so an error is no failure.
async fn put_away(engine: &Engine, deadline: Duration, notes: Notes) {
    for done in [engine.sweep().await, engine.close(deadline).await] {
        // A turn that was stopped has closed it already.
        if let Err(error) = done
            && error.kind() != ErrorKind::Closed
        {
            notes.detail(error);
        }
    }
}
