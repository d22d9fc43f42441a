//! `catgpt chats title` and `catgpt chats summarize`: what a model is asked about a chat, beside its turns.

use std::sync::Arc;

use catgpt_core::{ChatModel, Error, ErrorKind, Result, User};

use crate::args::{ChatsAction, Summarize, Title};
use crate::config::{Config, Model};
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
