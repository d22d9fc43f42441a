//! Tools: what a model may ask for. One that is simply run, and one that somebody has to agree to.
//!
//! ```sh
//! cargo run -p examples --example tools
//! ```

use std::time::Duration;

use catgpt_core::{Decision, Engine, Event, Result, Scripted, Status, ToolCall, tools};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// What the model is told of the arguments are these types and their comments.
#[derive(Deserialize, JsonSchema)]
struct Route {
    /// Where from, in English.
    from: String,
    /// Where to, in English.
    to: String,
}

#[derive(Deserialize, JsonSchema)]
struct Booking {
    train: String,
    /// At most 9.
    seats: u8,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let trains = tools::typed("trains", "The next trains.", |_at, Route { from, to }| async move {
        Ok(json!([{ "train": "Hikari 503", "from": from, "to": to, "leaves": "09:03" }]))
    });
    let book = tools::typed("book", "Books seats. It costs money.", |at, Booking { train, seats }| async move {
        // The key is this call's alone and stays the same however often somebody decides about it: a railway that is told
        // of it books once.
        println!("  [booking {seats} seats on {train} for {}, key {}]", at.owner.as_str(), at.key);
        Ok(json!({ "booked": true }))
    });
    let engine = Engine::builder()
        .model(pretended()) // or OpenAi::from_env()?
        .tool(trains.parallel().timeout(Duration::from_secs(10)))?
        .tool(book.approval())?
        .build();

    let session = engine.local().session("trip")?;
    let mut reply = session.send("Two seats to Kyoto, please").await?;
    let mut pending = Vec::new();
    while let Some(event) = reply.next().await {
        if let Event::Finished(finished) = &event
            && finished.status == Status::Paused
        {
            pending.clone_from(&finished.pending);
        }
        show(&event);
    }

    // The session is free, and the process may end here: any other that opens the store can decide.
    for call in &pending {
        println!("{} {} waits for somebody to agree. Yes!", call.name, call.arguments);
    }
    let mut reply = session.decide(pending.into_iter().map(|call| Decision::approve(call.id))).await?;
    while let Some(event) = reply.next().await {
        show(&event);
    }
    engine.close(Duration::from_secs(5)).await
}

fn show(event: &Event) {
    match event {
        Event::Text { text, .. } => print!("{text}"),
        Event::ToolCall { call, .. } => println!("  [{} {}]", call.name, call.arguments),
        Event::ToolResult { result, .. } => println!("  [{}]", result.output),
        Event::Finished(finished) => println!("\n({})", finished.status),
        _ => {}
    }
}

/// Asks for both tools, as a model would, so that the example needs neither a key nor a network.
fn pretended() -> Scripted {
    let call = |id: &str, name: &str, arguments| ToolCall { id: id.into(), name: name.into(), arguments };
    Scripted::calls([call("1", "trains", json!({ "from": "Tokyo", "to": "Kyoto" }))])
        .then(Scripted::calls([call("2", "book", json!({ "train": "Hikari 503", "seats": 2 }))]))
        .then(Scripted::reply("Two seats on the Hikari 503 at 09:03. Have a good trip!"))
}
