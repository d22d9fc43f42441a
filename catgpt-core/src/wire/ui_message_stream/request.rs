//! What the AI SDK's transport posts, read as a [`Command`].

use serde::Deserialize;
use serde_json::Value;

use super::parse_message_id;
use crate::error::{Error, ErrorKind, Result};
use crate::id::SessionId;
use crate::wire::command::Command;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    /// The chat's id.
    id: String,
    #[serde(default)]
    messages: Vec<UiMessage>,
    /// The newest message alone, as applications send it that keep the history on the server.
    message: Option<UiMessage>,
    trigger: Option<Trigger>,
    message_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Trigger {
    #[default]
    SubmitMessage,
    RegenerateMessage,
}

#[derive(Deserialize)]
struct UiMessage {
    id: Option<String>,
    role: String,
    #[serde(default)]
    parts: Vec<Value>,
}

/// Reads the body of a request: `{id, messages, trigger, messageId}`, or `{id, message}`. The session is the chat's id,
/// and all that is taken of the messages is the newest one: the history is the engine's. A new message's id is its
/// idempotency key, so a request that is made twice is one turn.
///
/// # Errors
/// `InvalidInput` for what is not such a request; `Unsupported` for one that wants what cannot be done yet.
pub fn command(body: &str) -> Result<Command> {
    let bad = |_| Error::invalid("this is not a request of the AI SDK: a JSON object with `id` and `messages`");
    let request: Request = serde_json::from_str(body).map_err(bad)?;
    let session = SessionId::new(&request.id)?;
    match request.trigger.unwrap_or_default() {
        Trigger::RegenerateMessage => {
            let seq = request.message_id.as_deref().map(known).transpose()?;
            Ok(Command::Regenerate { session, seq, key: None })
        }
        Trigger::SubmitMessage => submit(session, request.messages, request.message, request.message_id),
    }
}

fn submit(
    session: SessionId,
    mut messages: Vec<UiMessage>,
    message: Option<UiMessage>,
    replaced: Option<String>,
) -> Result<Command> {
    let newest = message.or_else(|| messages.pop()).filter(|newest| newest.role == "user");
    let newest = newest.ok_or_else(|| Error::invalid("the newest message must be the user's"))?;
    let text = text(&newest.parts)?;
    let Some(replaced) = replaced else {
        return Ok(Command::Send { session, text, after: None, key: newest.id });
    };
    // The message of this id was said before: this is something else instead of it. A message that was sent since the
    // page was loaded bears an id that only its page knows, so its place is told by the one before it.
    match (parse_message_id(&replaced), messages.last()) {
        (Some(seq), _) => Ok(Command::Edit { session, seq, text, key: None }),
        (None, None) => Ok(Command::Edit { session, seq: 1, text, key: None }),
        (None, Some(before)) => {
            let after = Some(known(before.id.as_deref().unwrap_or_default())?);
            Ok(Command::Send { session, text, after, key: None })
        }
    }
}

fn known(id: &str) -> Result<u64> {
    let unknown = "this message has no id of ours; give `useChat` the messages and ids that the engine gave";
    parse_message_id(id).ok_or_else(|| Error::invalid(unknown))
}

/// All text of a message. What would be lost is refused instead.
fn text(parts: &[Value]) -> Result<String> {
    let mut texts = Vec::new();
    for part in parts {
        match (part["type"].as_str().unwrap_or_default(), part["text"].as_str()) {
            ("text", Some(text)) => texts.push(text),
            ("file", _) => return Err(Error::new(ErrorKind::Unsupported, "files in messages cannot be sent yet")),
            _ => {}
        }
    }
    Ok(texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: &str = "07070707-0707-0707-0707-070707070707";

    fn session() -> SessionId {
        SessionId::new("chat").unwrap()
    }

    fn user(id: &str, text: &str) -> Value {
        serde_json::json!({ "id": id, "role": "user", "parts": [{ "type": "text", "text": text }] })
    }

    fn reply(seq: u64) -> Value {
        serde_json::json!({ "id": format!("{TURN}-{seq}"), "role": "assistant", "parts": [] })
    }

    fn read(messages: &[Value], trigger: &str, message_id: Option<&str>) -> Result<Command> {
        let body = serde_json::json!({
            "id": "chat", "messages": messages, "trigger": trigger, "messageId": message_id, "model": "theirs",
        });
        command(&body.to_string())
    }

    #[test]
    fn a_submit_is_the_newest_message_and_its_id_the_key() {
        let send = |text: &str, key: &str| Command::Send {
            session: session(),
            text: text.into(),
            after: None,
            key: Some(key.into()),
        };
        let history = [user("a", "Hi"), reply(2), user("b", "And now?")];
        assert!(read(&history, "submit-message", None).unwrap() == send("And now?", "b"));
        let alone = serde_json::json!({ "id": "chat", "message": user("c", "Well?") });
        assert!(command(&alone.to_string()).unwrap() == send("Well?", "c"));
    }

    #[test]
    fn a_message_that_is_replaced_is_an_edit_wherever_its_id_comes_from() {
        let edit = |seq, text: &str| Command::Edit { session: session(), seq, text: text.into(), key: None };
        let ours = format!("{TURN}-3");
        let stored = [user("x", "Hi"), reply(2), user(&ours, "Other")];
        assert!(read(&stored, "submit-message", Some(&ours)).unwrap() == edit(3, "Other"));
        assert!(read(&[user("a", "Other")], "submit-message", Some("a")).unwrap() == edit(1, "Other"));
        let fresh = [user("a", "Hi"), reply(2), user("b", "Other")];
        let after = Command::Send { session: session(), text: "Other".into(), after: Some(2), key: None };
        assert!(read(&fresh, "submit-message", Some("b")).unwrap() == after);
    }

    #[test]
    fn regenerate_names_the_reply_or_means_the_newest() {
        let again = |seq| Command::Regenerate { session: session(), seq, key: None };
        let left = [user("a", "Hi")];
        assert!(read(&left, "regenerate-message", None).unwrap() == again(None));
        assert!(read(&left, "regenerate-message", Some(&format!("{TURN}-2"))).unwrap() == again(Some(2)));
        assert_eq!(read(&left, "regenerate-message", Some("abc")).err().unwrap().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn what_cannot_be_done_is_refused_and_nothing_is_left_out() {
        let kind = |body: &str| command(body).err().unwrap().kind();
        for body in ["", "{}", r#"{"id":""}"#, r#"{"id":"chat","messages":[]}"#, r#"{"id":"chat","trigger":"other"}"#] {
            assert_eq!(kind(body), ErrorKind::InvalidInput, "{body}");
        }
        assert_eq!(read(&[reply(2)], "submit-message", None).err().unwrap().kind(), ErrorKind::InvalidInput);
        let file = r#"{"id":"chat","message":{"id":"a","role":"user","parts":[{"type":"file","url":"data:,x"}]}}"#;
        assert_eq!(kind(file), ErrorKind::Unsupported);
    }
}
