//! `catgpt [PROMPT]` and `catgpt ask`.

use std::io::{self, IsTerminal};
use std::time::Duration;

use catgpt_core::{Engine, ErrorKind, Persona};

use super::block_on;
use crate::args::{self, Ask, Common};
use crate::config::{self, Model, Shown, Store};
use crate::context::Context;
use crate::exit::{Exit, Failure};
use crate::notes::{Notes, tell};
use crate::settings::Settings;
use crate::signals::Signals;
use crate::stdin;
use crate::turn::{self, Said};

/// How long the engine may take to let go of the store, or to make a title first.
const CLOSING: Duration = Duration::from_secs(5);
const TITLING: Duration = Duration::from_secs(15);

/// What is wrong with the configuration is told before stdin is read, and that before a store is made.
pub(crate) fn ask(ask: Ask, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    let persona = config::persona(&ask)?;
    let context = Context::read(&ask.context)?;
    let model = Model::choose(ask.model.as_deref())?;
    let store = Store::choose(common)?;
    let shown = Shown::choose(common, &store);
    let mut settings = Settings::read()?;
    settings.titles |= ask.title;
    let Some(content) = stdin::message(&ask, notes)? else {
        tell(format_args!("say something: catgpt PROMPT\n\n{}", args::help()));
        return Err(Failure::Told(Exit::Usage));
    };
    block_on(async {
        let memory = store.open().await?;
        if matches!(model, Model::Offline) {
            settings = settings.offline();
            notes.say("the offline cat answers; for a model set OPENAI_API_KEY, or OPENAI_BASE_URL for a local one");
        }
        let model = model.build(io::stdout().is_terminal());
        let mut builder = Engine::builder().model(model).memory(memory).persona(Persona::cat());
        if let Some(context) = context {
            builder = builder.hook(context);
        }
        if let Some(shown) = shown {
            builder = builder.live(shown.open().await?);
        }
        let closing = if settings.titles { TITLING } else { CLOSING };
        let engine = settings.apply(builder).build();
        let mut signals = Signals::catch()?;
        let done = turn::run(&engine, &ask, Said { content, persona }, &mut signals, notes).await;
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
