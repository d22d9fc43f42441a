//! A model of your own: one method that returns a stream. Dropping the stream ends the request.
//!
//! ```sh
//! cargo run -p examples --example custom_model
//! ```

use std::time::Duration;

use async_stream::stream;
use catgpt_core::{ChatModel, Engine, Error, ErrorKind, Event, FinishReason, ModelEvent, ModelRequest, Result};
use futures_util::stream::BoxStream;

/// Says what it was told, the last word first.
#[derive(Debug)]
struct Backwards;

impl ChatModel for Backwards {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        Box::pin(stream! {
            // Nothing happens before the stream is polled, and all that it holds goes when it is dropped.
            let _request = Request;
            let Some(message) = request.messages.last() else {
                yield Err(Error::new(ErrorKind::InvalidInput, "there is no message to turn around"));
                return;
            };
            for word in message.content.text().split_whitespace().rev() {
                tokio::time::sleep(Duration::from_millis(30)).await;
                yield Ok(ModelEvent::Text(format!("{word} ")));
            }
            // Without this the answer would count as cut off: truncation is never success.
            yield Ok(ModelEvent::Finish(FinishReason::Stop));
        })
    }

    fn name(&self) -> &str {
        "backwards-1"
    }
}

/// What a real model has here: a connection that costs money as long as it is open.
struct Request;

impl Drop for Request {
    fn drop(&mut self) {
        println!("  [request ended]");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let engine = Engine::builder().model(Backwards).build();
    let session = engine.local().session("mirror")?;

    println!("To the end:");
    println!("  {}", session.send("sofa the on sat cat the").await?.text().await?);

    println!("Stopped after the first word:");
    let mut reply = session.send("stop until on and on goes This").await?;
    while let Some(event) = reply.next().await {
        match event {
            Event::Text { text, .. } => {
                println!("  {text}");
                reply.cancel().await?;
            }
            Event::Finished(finished) => println!("  {}, {} bytes kept", finished.status, finished.stored),
            _ => {}
        }
    }
    engine.close(Duration::from_secs(5)).await
}
