//! Answers that lean on a folder of Markdown, and say where they have it from: a hook looks the question up in an index
//! of SQLite, gives the model the best sections to read, and shows them as citations before the answer.
//!
//! ```sh
//! cargo run -p examples --example retrieval
//! ```

mod index;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use catgpt_core::hooks::{Source, TurnAt};
use catgpt_core::{Engine, Error, ErrorKind, Event, Hook, Message, Part, Persona, Result, Scripted};

use crate::index::Index;

/// How many sections the model is given.
const TOP: u32 = 3;

/// Looks each question up.
struct Retrieval(Arc<Index>);

#[async_trait]
impl Hook for Retrieval {
    async fn before_prompt(&self, _: &TurnAt, branch: &[Message]) -> Result<Vec<Source>> {
        let question = branch.last().map(Message::text).unwrap_or_default();
        let index = Arc::clone(&self.0);
        // SQLite blocks, and a hook shares its thread with everybody's turns.
        let found = tokio::task::spawn_blocking(move || index.search(&question, TOP));
        let failed = || Error::new(ErrorKind::Unavailable, "the documents cannot be searched now");
        let found =
            found.await.map_err(|error| failed().caused_by(error))?.map_err(|error| failed().caused_by(error))?;
        Ok(found.into_iter().map(|hit| Source::cited(hit.text, hit.url, Some(hit.title))).collect())
    }
}

impl fmt::Debug for Retrieval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Retrieval")
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("retrieval/docs");
    let index = Index::of(&folder)?;
    // A model that needs no key, and says what it was told to say. With a key: `OpenAi::from_env()?`.
    let model = Scripted::reply("When they are content, but also when they are hurt or afraid [1].");
    let engine =
        Engine::builder().model(model.clone()).persona(Persona::cat()).hook(Retrieval(Arc::new(index))).build();

    let question = "Why do cats purr?";
    println!("> {question}\n");
    let session = engine.user("alice")?.session("cats")?;
    let mut reply = session.send(question).await?;
    let (mut number, mut text) = (0, String::new());
    while let Some(event) = reply.next().await {
        match event {
            // The citations come first, each with its number in the answer.
            Event::Part { part: Part::Citation { url, title }, .. } => {
                number += 1;
                println!("[{number}] {} ({url})", title.unwrap_or_default());
            }
            Event::Text { text: more, .. } => text.push_str(&more),
            _ => {}
        }
    }
    println!("\n{text}\n");

    // They are a part of the reply, and so are kept with it; the next prompt does not have them again.
    let kept = session.history(1).await?.remove(0).content;
    println!("stored: {} parts", kept.parts().len());
    let prompt = model.requests().remove(0).messages.remove(0).content.text();
    let sources = prompt.find("What follows").map(|at| &prompt[at..]).unwrap_or_default();
    println!("what the model was given after the persona's prompt:\n\n{sources}");
    engine.close(Duration::from_secs(5)).await?;
    Ok(())
}
