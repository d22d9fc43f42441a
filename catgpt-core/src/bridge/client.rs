//! What an application's own clients ask for, passed through as it came: requests of the AI SDK, frames of a web socket.

use std::sync::Arc;

use super::hub::Hub;
use super::options::SendOptions;
use super::subscription::Subscription;
use super::{Answer, json};
use crate::error::Result;
use crate::user::User;
use crate::wire::{Command, Encoding, Format, ui_message_stream, ws};

/// Begins the turn that a request of the AI SDK asks for.
pub(super) async fn chat(user: User, body: &str, options: SendOptions, hub: &Arc<Hub>) -> Result<Answer> {
    let command = ui_message_stream::command(body)?;
    let reply = user.perform(command, options.ready()?).await?;
    Ok(reply
        .map_or_else(|| Answer::Json("null".into()), |reply| Answer::Reply(Box::new(Subscription::new(reply, hub)))))
}

/// Does what a client's frame says. The answer is a subscription that gives frames, or one frame as a JSON string. A
/// command that is refused is a frame too, and not an error: the socket stays open.
pub(super) async fn frame(
    user: User,
    frame: &str,
    open: usize,
    options: SendOptions,
    encoding: Encoding,
    hub: &Arc<Hub>,
) -> Result<Answer> {
    let (request, command) = ws::parse(frame);
    let answer = match command.and_then(|command| ws::room(&command, open).map(|()| command)) {
        Ok(command) => obey(user, command, options, Encoding { request: request.clone(), ..encoding }, hub).await,
        Err(error) => Err(error),
    };
    answer.or_else(|error| Ok(Answer::Json(json(&ws::error(request.as_deref(), &error.info())))))
}

async fn obey(
    user: User,
    command: Command,
    options: SendOptions,
    encoding: Encoding,
    hub: &Arc<Hub>,
) -> Result<Answer> {
    let (request, on_drop) = (encoding.request.clone(), options.on_drop);
    let plain = if matches!(command, Command::Ping {}) { ws::pong } else { ws::done };
    match user.perform(command, options.ready()?).await? {
        None => Ok(Answer::Json(json(&plain(request.as_deref())))),
        Some(reply) => {
            let frames = Subscription::new(reply.on_drop(on_drop), hub);
            frames.into_bytes(Encoding { format: Format::Ws, ..encoding })?;
            Ok(Answer::Reply(Box::new(frames)))
        }
    }
}
