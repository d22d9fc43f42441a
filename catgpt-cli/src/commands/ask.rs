//! `catgpt [PROMPT]` and `catgpt ask`.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{Engine, ErrorKind, Memory, Persona};

use super::block_on;
use crate::args::{self, Ask, Common, Format};
use crate::chat::Chat;
use crate::config::{Config, Model, Shown, Store};
use crate::context::Context;
use crate::copy;
use crate::exit::{Exit, Failure, invalid};
use crate::notes::{Notes, tell};
use crate::rehearsal::Rehearsal;
use crate::said::Said;
use crate::signals::Signals;
use crate::turn;

/// How long the engine may take to let go of the store, or to make a title first.
const CLOSING: Duration = Duration::from_secs(5);
const TITLING: Duration = Duration::from_secs(15);

/// What to do if the cat answers and somebody else was expected.
const OFFLINE: &str = "the offline cat answers; for a model set OPENAI_API_KEY, or keep a key with catgpt keys set, or \
                       set OPENAI_BASE_URL for a local one";

/// What is needed beside the words.
struct Setup<'a> {
    ask: &'a Ask,
    common: &'a Common,
    config: Config,
    store: Store,
    model: Model,
    /// Who answers in a chat that begins now, if nobody was asked for.
    usual: Persona,
    context: Option<Context>,
}

/// What is wrong with the configuration is told before stdin is read, and that before a store is made.
pub(crate) fn ask(mut ask: Ask, common: &Common) -> Result<Exit, Failure> {
    let mut config = Config::load(common)?;
    ask.or_format(config.settings.format);
    let common = &config.colored(common);
    if ask.extract.is_some() && matches!(ask.format(), Format::Json | Format::Jsonl) {
        return Err(invalid("--extract shows text: it does not go with --format json or jsonl").into());
    }
    let (persona, usual) = (config.persona(&ask)?, config.usual_persona()?);
    let context = Context::read(&ask.context)?;
    let model = Model::choose(&config, ask.model.as_deref().filter(|name| !name.is_empty()))?;
    let store = Store::choose(&config)?;
    config.settings.titles |= ask.title;
    let Some(said) = Said::read(&ask, persona, Notes::new(common))? else {
        tell(format_args!("say something: catgpt PROMPT\n\n{}", args::help()));
        return Err(Failure::Told(Exit::Usage));
    };
    let setup = Setup { ask: &ask, common, config, store, model, usual, context };
    block_on(setup.answer(said))
}

impl Setup<'_> {
    async fn answer(mut self, said: Said) -> Result<Exit, Failure> {
        let notes = Notes::new(self.common);
        let (memory, chat) = self.find(notes).await?;
        // A chat that keeps its model is not answered by another one.
        let model = match &chat.kept.model {
            Some(name) if self.ask.model.is_none() => Model::choose(&self.config, Some(name))?,
            _ => self.model,
        };
        let offline = matches!(model, Model::Offline);
        if offline {
            notes.say(OFFLINE);
        }
        if offline || self.ask.dry_run {
            self.config.settings.ask_no_model();
        }
        let closing = if self.config.settings.titles { TITLING } else { CLOSING };
        let model = model.build(io::stdout().is_terminal());
        let rehearsal = self.ask.dry_run.then(|| Rehearsal::of(Arc::clone(&model)));
        let model = rehearsal.clone().map_or(model, |rehearsal| Arc::new(rehearsal));
        let mut builder = Engine::builder().model(model).memory(memory).persona(self.usual);
        if let Some(context) = self.context {
            builder = builder.hook(context);
        }
        if let Some(shown) = Shown::choose(&self.config, &self.store).filter(|_| !self.ask.forgets()) {
            builder = builder.live(shown.open().await?);
        }
        let engine = self.config.settings.apply(builder).build();
        let chat = chat.with(&self.config.user(&engine)?)?;
        if let Some(rehearsal) = rehearsal {
            return rehearsal.show(turn::send(&chat, self.ask, said)).await;
        }
        let mut signals = Signals::catch()?;
        let done = turn::run(&engine, &chat, (self.ask, self.common), said, &mut signals).await;
        // After a signal the store is closed already, or nobody wants to wait for it.
        if let Ok(Exit::Ok) | Err(_) = done {
            tokio::select! {
                () = put_away(&engine, closing, notes) => {}
                _ = signals.next() => {}
            }
        }
        done
    }

    /// The chat and where it is: in the store, or in a copy if nothing may be kept.
    async fn find(&self, notes: Notes) -> Result<(Arc<dyn Memory>, Chat), Failure> {
        let forgets = self.ask.forgets();
        let memory = match forgets && !(Chat::is_named(self.ask) && copy::is_there(&self.store)) {
            true => copy::nowhere(),
            false => self.store.open().await?,
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
