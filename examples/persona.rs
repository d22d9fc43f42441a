//! Who answers: a built-in persona, one from a file, its variables, and how a session keeps the one it began with.
//!
//! ```sh
//! cargo run -p examples --example persona
//! ```

use std::time::Duration;

use catgpt_core::{Engine, Persona, Result, Scripted, memory};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!("Built in: {}\n", Persona::BUILTIN.join(", "));

    // TOML between two lines `+++`, then the system prompt with its {{ variables }}.
    let pirate = Persona::load(concat!(env!("CARGO_MANIFEST_DIR"), "/persona.md"))?;
    println!("{} says: {}\n", pirate.name, pirate.greeting.as_deref().unwrap_or("nothing yet"));

    // This model answers what we tell it to, and remembers what it was asked. That is what we look at.
    let model = Scripted::reply("Arr!");
    let memory = memory::open("memory:").await?;

    let engine = Engine::builder().model(model.clone()).memory(memory.clone()).persona(pirate).build();
    let session = engine.user("alice")?.session("at-sea")?;
    session.send("Where are we?").await?.result().await?;
    show("the persona's own variables", &model);

    session.send("And now?").var("ship", "Flying Dutchman").await?.result().await?;
    show("a variable for one turn", &model);

    // Another release, another persona. The session has its own copy of the one that it began with.
    let engine = Engine::builder().model(model.clone()).memory(memory).persona(Persona::plain()).build();
    let session = engine.user("alice")?.session("at-sea")?;
    session.send("Still you?").await?.result().await?;
    show("an old session, a new engine", &model);

    session.set_persona(&Persona::cat()).await?;
    session.send("And you?").await?.result().await?;
    show("pinned to another one", &model);
    engine.close(Duration::from_secs(5)).await
}

/// The beginning of the system prompt that the model was sent last.
fn show(what: &str, model: &Scripted) {
    let requests = model.requests();
    let system = requests.last().map(|request| request.messages[0].content.text()).unwrap_or_default();
    println!("{what}:\n    {}", system.lines().next().unwrap_or_default());
}
