//! `catgpt chats title` and `catgpt chats summarize`: what a model is asked about a chat, beside its turns. And
//! `catgpt chats reseal`: the same chats under another key.

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ChatModel, Engine, Error, ErrorKind, Offline, Progress, Result, User};

use super::block_on;
use crate::args::{ChatsAction, Common, Summarize, Title};
use crate::config::{Config, ENCRYPTION_KEYS, Model, Store};
use crate::exit::{Exit, Failure, invalid};
use crate::notes::Notes;
use crate::progress::Line;
use crate::refs;

/// The model that a command needs; `None` if it needs none.
pub(super) fn model(action: &ChatsAction, config: &Config) -> Result<Option<Arc<dyn ChatModel>>> {
    let named = match action {
        ChatsAction::Title(options) => &options.model,
        ChatsAction::Summarize(options) if !options.undo => &options.model,
        _ => return Ok(None),
    };
    match Model::choose(config, named.as_deref())? {
        // What the cat says is no title of anything.
        Model::Offline => {
            let sentence = "this takes a model: set OPENAI_API_KEY, or store a key with catgpt keys set openai, or set \
                            OPENAI_BASE_URL for an endpoint without a key";
            Err(Error::new(ErrorKind::Unauthorized, sentence))
        }
        model => Ok(Some(model.build(false))),
    }
}

/// The new title.
pub(super) async fn title(user: &User, options: &Title) -> Result<String> {
    refs::find(user, &options.chat).await?.make_title().await
}

/// The summary that is used from now on.
pub(super) async fn summarize(user: &User, options: &Summarize) -> Result<Option<String>> {
    let session = refs::find(user, &options.chat).await?;
    if !options.undo {
        return session.summarize(options.upto).await.map(|summary| Some(summary.text));
    }
    let summaries = session.summaries().await?;
    let Some(active) = summaries.iter().position(|summary| summary.active) else {
        return Err(Error::new(ErrorKind::NotFound, "this chat has no summary that could be taken back"));
    };
    let before = active.checked_sub(1).map(|before| &summaries[before]);
    session.set_summary(before.map(|summary| summary.seq)).await?;
    Ok(before.map(|summary| summary.text.clone()))
}

/// Puts all chats of the store under the newest key.
pub(super) fn reseal(common: &Common, notes: Notes) -> Result<Exit, Failure> {
    let config = Config::load(common)?;
    let store = Store::choose(&config)?;
    let none = || {
        let names = format!("let {ENCRYPTION_KEYS}, or encryption_keys in config.toml, name a file of keys");
        invalid(format!("there is no key: {names} (see docs/encryption.md)"))
    };
    let keys = config.encryption()?.ok_or_else(none)?;
    let mut line = Line::new("encrypting", notes);
    block_on(async {
        let builder = Engine::builder().model(Offline::new()).memory(store.open_bare(notes).await?);
        let engine = builder.encryption(keys).build();
        let written = engine.reseal(|done| line.show(Progress { done, total: None })).await;
        engine.close(Duration::ZERO).await?;
        drop(line);
        notes.say(format_args!("encrypted with the newest key: {} records were written", written?));
        Ok(Exit::Ok)
    })
}
