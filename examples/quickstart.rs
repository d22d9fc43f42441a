//! Say something, watch the answer come, look away, and watch it again from the middle.
//!
//! ```sh
//! cargo run -p examples --example quickstart
//! ```

use std::io::{Write, stdout};
use std::time::Duration;

use catgpt_core::{Engine, Event, Offline, Persona, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    // The offline cat needs no key. With one: `.model(OpenAi::from_env()?)`.
    let model = Offline::new().paced(Duration::from_millis(20));
    let engine = Engine::builder().model(model).persona(Persona::cat()).build();

    // A handle costs nothing. The session begins with the first message.
    let session = engine.user("alice")?.session("purring")?;

    // Once this is awaited the message is committed, and the turn runs whether or not anybody watches.
    let mut reply = session.send("Why do cats purr?").await?;
    let mut seen = 0;
    while let Some(event) = reply.next().await {
        if let Event::Text { text, offset } = event {
            print!("{text}");
            let _ = stdout().flush();
            seen = offset;
        }
        if seen > 40 {
            break;
        }
    }

    // Letting go of a reply is not stopping it: `cancel` does that. Whoever knows the turn may watch it again, from the
    // place where they stopped, in this process or in another.
    let turn = reply.turn();
    drop(reply);
    println!("\n\n[looked away at byte {seen}, and back again]\n");
    println!("{}\n", session.attach(turn, seen).await?.text().await?);

    for message in session.history(10).await? {
        println!("{:>9}: {} bytes, {}", message.role.as_str(), message.text().len(), message.status);
    }
    engine.close(Duration::from_secs(5)).await
}
