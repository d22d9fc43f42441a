//! A chat as it is, in memory: what happens there leaves no trace.

use std::path::Path;
use std::sync::Arc;

use catgpt_core::{Engine, Error, ErrorKind, ExportFormat, InMemory, Memory, Offline, Result, Session, Source, User};

use crate::chat::Chat;
use crate::config::Store;

/// An engine to look with.
pub(crate) fn looking(memory: &Arc<dyn Memory>) -> Engine {
    Engine::builder().model(Offline::new()).memory(Arc::clone(memory)).build()
}

/// A store that is forgotten.
pub(crate) fn nowhere() -> Arc<dyn Memory> {
    Arc::new(InMemory::new())
}

/// Whether there is a store: looking into one makes it.
pub(crate) fn is_there(store: &Store) -> bool {
    store.file().is_none_or(Path::exists)
}

/// Copies the chat, to a user of another store. A chat that begins now is as new there.
pub(crate) async fn copy(chat: &Chat, to: &User) -> Result<()> {
    if chat.is_new() {
        return Ok(());
    }
    let summary = chat.session.info().await?.summary;
    let report = to.import(Source::bytes(whole(&chat.session).await?)).await?;
    if report.refused > 0 {
        return Err(Error::new(ErrorKind::Unexpected, "the chat cannot be copied; please report this"));
    }
    match summary {
        Some(_) => to.session(chat.session.id().as_str())?.set_summary(summary).await,
        None => Ok(()),
    }
}

/// All of it, every branch.
async fn whole(session: &Session) -> Result<Vec<u8>> {
    let (mut text, mut mark) = (Vec::new(), None);
    loop {
        let page = session.export_page(ExportFormat::Jsonl, mark).await?;
        text.extend_from_slice(page.text.as_bytes());
        mark = page.next;
        if mark.is_none() {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_copy_is_the_chat_with_its_branches_and_its_summary_and_is_not_the_chat() {
        let engine = looking(&nowhere());
        let session = engine.local().session("trip").unwrap();
        for said in ["one", "two", "three"] {
            session.send(said).await.unwrap().result().await.unwrap();
        }
        session.regenerate(None).await.unwrap().result().await.unwrap();
        session.summarize(2).await.unwrap();
        let (chat, there) = (Chat::of(engine.local(), session.clone()), looking(&nowhere()).local());
        copy(&chat, &there).await.unwrap();
        let copied = there.session("trip").unwrap();
        let (there, here) = (copied.info().await.unwrap(), session.info().await.unwrap());
        assert_eq!((there.messages, there.head, there.summary), (here.messages, here.head, here.summary));
        assert!(there.summary.is_some() && there.title == here.title && there.persona == here.persona);
        copied.send("four").await.unwrap().result().await.unwrap();
        assert_eq!(session.info().await.unwrap(), here);
    }
}
