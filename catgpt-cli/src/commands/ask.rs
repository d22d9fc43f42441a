//! `catgpt [PROMPT]` and `catgpt ask`.

use std::io::{self, IsTerminal};
use std::time::Duration;

use catgpt_core::{Engine, ErrorKind};

use super::block_on;
use crate::args::{self, Ask, Common};
use crate::config::{Config, Model, Shown, Store};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::notes::{Notes, tell};
use crate::signals::Signals;
use crate::stdin;
use crate::turn::{self, Said};

/// How long the engine may take to let go of the store, or to make a title first.
const CLOSING: Duration = Duration::from_secs(5);
const TITLING: Duration = Duration::from_secs(15);

/// What to do if the cat answers and somebody else was expected.
const OFFLINE: &str = "the offline cat answers; for a model set OPENAI_API_KEY (or store a key with catgpt keys set), or \
                       OPENAI_BASE_URL for a local one";

/// What is wrong with the configuration is told before stdin is read, and that before a store is made.
pub(crate) fn ask(ask: Ask, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    let mut config = Config::load(common)?;
    let (persona, default) = (config.persona(&ask)?, config.default_persona()?);
    let context = Context::read(&ask.context)?;
    let model = Model::choose(&config, ask.model.as_deref())?;
    let store = Store::choose(&config)?;
    let shown = Shown::choose(&config, &store);
    config.settings.titles |= ask.title;
    let Some(content) = stdin::message(&ask, notes)? else {
        tell(format_args!("say something: catgpt PROMPT\n\n{}", args::help()));
        return Err(Failure::Told(Exit::Usage));
    };
    block_on(async {
        let memory = store.open().await?;
        if matches!(model, Model::Offline) {
            config.settings.ask_no_model();
            notes.say(OFFLINE);
        }
        let model = model.build(io::stdout().is_terminal());
        let mut builder = Engine::builder().model(model).memory(memory).persona(default);
        if let Some(context) = context {
            builder = builder.hook(context);
        }
        if let Some(shown) = shown {
            builder = builder.live(shown.open().await?);
        }
        let closing = if config.settings.titles { TITLING } else { CLOSING };
        let engine = config.settings.apply(builder).build();
        let user = config.user(&engine)?;
        let mut signals = Signals::catch()?;
        let done = turn::run(&engine, &user, &ask, Said { content, persona }, &mut signals, notes).await;
        // After a signal the store is closed already, or nobody wants to wait for it.
        if let Ok(Exit::Ok) | Err(_) = done {
            tokio::select! {
                () = put_away(&engine, closing, notes) => {}
                _ = signals.next() => {}
            }
        }
        done
    })
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
