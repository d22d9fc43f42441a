//! `catgpt [PROMPT]` and `catgpt ask`.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ChatModel, Engine, ErrorKind, Memory, Persona};

use super::block_on;
use crate::args::{self, Ask, Common, Format};
use crate::chat::Chat;
use crate::config::{Config, Model, Shown, Store};
use crate::context::Context;
use crate::copy;
use crate::exit::{Exit, Failure, invalid};
use crate::models::Models;
use crate::notes::{Notes, OFFLINE, tell};
use crate::rehearsal::Rehearsal;
use crate::said::Said;
use crate::signals::Signals;
use crate::turn;

/// How long the engine may take to let go of the store, or to make a title first.
const CLOSING: Duration = Duration::from_secs(5);
const TITLING: Duration = Duration::from_secs(15);

/// What is needed beside the words.
pub(super) struct Setup<'a> {
    ask: &'a Ask,
    common: &'a Common,
    pub(super) config: Config,
    pub(super) store: Store,
    model: Model,
    /// Who answers in a chat that begins now, if nobody was asked for.
    pub(super) usual: Persona,
    context: Option<Context>,
}

/// An engine and the chat that the command line is about.
pub(super) struct Opened {
    pub(super) engine: Engine,
    pub(super) chat: Chat,
    pub(super) config: Config,
    /// What answers, and the name of it; the cat has none.
    pub(super) models: Arc<Models>,
    pub(super) answers: Option<String>,
    /// How long the engine may take to end.
    pub(super) closing: Duration,
    rehearsal: Option<Rehearsal>,
}

/// What is wrong with the configuration is told before stdin is read, and that before a store is made.
pub(crate) fn ask(mut ask: Ask, common: &Common) -> Result<Exit, Failure> {
    let config = Config::load(common)?;
    ask.or_format(config.settings.format);
    let common = &config.colored(common);
    if ask.extract.is_some() && matches!(ask.format(), Format::Json | Format::Jsonl) {
        return Err(invalid("--extract shows text: it does not go with --format json or jsonl").into());
    }
    let (setup, persona) = Setup::read(&ask, common, config)?;
    let Some(said) = Said::read(&ask, persona, Notes::new(common))? else {
        tell(format_args!("say something: catgpt PROMPT\n\n{}", args::help()));
        return Err(Failure::Told(Exit::Usage));
    };
    block_on(setup.answer(said))
}

impl<'a> Setup<'a> {
    /// What the configuration comes to; also who answers from now on, if somebody else than before.
    pub(super) fn read(
        ask: &'a Ask,
        common: &'a Common,
        mut config: Config,
    ) -> Result<(Self, Option<Persona>), Failure> {
        let (persona, usual) = (config.persona(ask)?, config.usual_persona()?);
        let context = Context::read(&ask.context)?;
        let model = Model::choose(&config, ask.model.as_deref().filter(|name| !name.is_empty()))?;
        let store = Store::choose(&config)?;
        config.settings.titles |= ask.title;
        Ok((Self { ask, common, config, store, model, usual, context }, persona))
    }

    async fn answer(self, said: Said) -> Result<Exit, Failure> {
        let (ask, common, notes) = (self.ask, self.common, Notes::new(self.common));
        let Opened { engine, chat, answers, closing, rehearsal, .. } = self.open(notes).await?;
        if answers.is_none() {
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

    pub(super) async fn open(mut self, notes: Notes) -> Result<Opened, Failure> {
        let (memory, chat) = self.find(notes).await?;
        // A chat that keeps its model is not answered by another one.
        let model = match &chat.kept.model {
            Some(name) if self.ask.model.is_none() => Model::choose(&self.config, Some(name))?,
            _ => self.model,
        };
        let (models, answers) = Models::of(model, io::stdout().is_terminal());
        if answers.is_none() || self.ask.dry_run {
            self.config.settings.ask_no_model();
        }
        let closing = if self.config.settings.titles { TITLING } else { CLOSING };
        let model: Arc<dyn ChatModel> = Arc::<Models>::clone(&models);
        let rehearsal = self.ask.dry_run.then(|| Rehearsal::of(Arc::clone(&model)));
        let model = rehearsal.clone().map_or(model, |rehearsal| Arc::new(rehearsal));
        let mut builder = Engine::builder().model(model).memory(memory).persona(self.usual);
        if let Some(context) = self.context {
            builder = builder.hook(context);
        }
        if let Some(shown) = Shown::choose(&self.config, &self.store).filter(|_| !self.ask.forgets()) {
            builder = builder.live(shown.open(&self.config).await?);
        }
        let engine = self.config.settings.apply(builder).build();
        let chat = chat.with(&self.config.user(&engine)?)?;
        Ok(Opened { engine, chat, config: self.config, models, answers, closing, rehearsal })
    }

    /// The chat and where it is: in the store, or in a copy if nothing may be kept.
    async fn find(&self, notes: Notes) -> Result<(Arc<dyn Memory>, Chat), Failure> {
        let forgets = self.ask.forgets();
        let memory = match forgets && !(Chat::is_named(self.ask) && copy::is_there(&self.store)) {
            true => copy::nowhere(),
            false => self.store.open(&self.config, notes).await?,
        };
        let chat = Chat::find(&self.config.user(&copy::looking(&memory))?, self.ask, notes).await?;
        if !forgets {
            return Ok((memory, chat));
        }
        let memory = copy::nowhere();
        copy::copy(&chat, &self.config.user(&copy::looking(&memory))?).await?;
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
