//! `catgpt chat`, and `catgpt` alone on a terminal.

use std::io::{self, IsTerminal};
use std::path::Path;

use super::ask::{Opened, Setup};
use super::block_on;
use crate::args::{Ask, Common, Format};
use crate::config::{Config, Store, var};
use crate::exit::{Exit, Failure, invalid};
use crate::notes::Notes;
use crate::repl::{Repl, Terminal};
use crate::said::Said;
use crate::signals::Signals;

/// Whether a command line without a command is the beginning of a conversation: nothing is said, and a person sits there.
pub(crate) fn converses(ask: &Ask) -> bool {
    let said = !ask.prompt.is_empty() || !ask.files.is_empty() || !ask.image.is_empty() || ask.place.is_given();
    let shown = is_text(ask.format()) && ask.extract.is_none();
    let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    terminal && shown && !said && !ask.dry_run && !ask.no_stream && ask.timeout.is_none()
}

fn is_text(format: Format) -> bool {
    matches!(format, Format::Auto | Format::Plain | Format::Rendered)
}

/// What is wrong is told before anything is asked.
pub(crate) fn chat(mut ask: Ask, common: &Common) -> Result<Exit, Failure> {
    let config = Config::load(common)?;
    ask.or_format(config.settings.format.filter(|format| is_text(*format)));
    let common = &config.colored(common);
    let notes = Notes::new(common);
    let no_terminal = || invalid("a conversation needs a terminal: say catgpt ask, or catgpt PROMPT");
    if common.no_input || !io::stdout().is_terminal() {
        return Err(no_terminal().into());
    }
    let terminal = Terminal::open().ok_or_else(no_terminal)?;
    let (setup, persona) = Setup::read(&ask, common, config)?;
    let said = match Said::read(&ask, persona.clone(), notes) {
        Ok(said) => said,
        // A pipe that brings nothing is no reason not to talk.
        Err(_) if ask.prompt.is_empty() && ask.files.is_empty() => None,
        Err(error) => return Err(error.into()),
    };
    let place = match (&setup.store, ask.forgets()) {
        (_, true) => "nothing is kept".to_owned(),
        (Store::File(path), _) => format!("chats are kept in {}", tilde(path)),
        // The URL itself may hold a password.
        (Store::Url(_, source), _) => format!("chats are kept where {source} says"),
    };
    block_on(async {
        let host = setup.usual.name.clone();
        let Opened { engine, chat, config, models, answers, closing, .. } = setup.open(notes).await?;
        let mut signals = Signals::catch()?;
        let mut repl = Repl::new(&engine, chat, (models, answers), terminal, (&ask, common, config));
        repl.welcome(&place, persona, &host).await?;
        let done = repl.run(said.map(|said| said.content), &mut signals).await;
        super::ask::close(&engine, closing, &done, &mut signals, notes).await;
        done
    })
}

/// A path as a person writes it.
fn tilde(path: &Path) -> String {
    let home = var("HOME").and_then(|home| Some(path.strip_prefix(home).ok()?.display().to_string()));
    home.map_or_else(|| path.display().to_string(), |rest| format!("~/{rest}"))
}
