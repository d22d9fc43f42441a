//! The text frames of a web socket: JSON objects with a `type`, any number of turns at once.
//!
//! | from the client | |
//! | --- | --- |
//! | `{"type": "send", "request": "r1", "session": "s", "text": "…", "key": "…"}` | and the other [`Command`]s |
//!
//! | from the server | |
//! | --- | --- |
//! | `{"type": "text", …, "turn": "…", "session": "s", "request": "r1"}` | an event of a turn |
//! | `{"type": "done", "request": "r2"}` | a `cancel` was heard |
//! | `{"type": "pong", "request": "r3"}` | the answer to `ping` |
//! | `{"type": "error", "request": "r4", "error": {…}}` | the command was refused; the socket stays open |
//! | `{"type": "keep_alive"}` | after a silence |
//!
//! `request` is the client's own name for what it asks: it comes back on every frame that answers it, so that prompts that
//! run at the same time never mix. What is not a [`Command`] is refused as `unsupported`, which leaves room for an
//! application's own frames, such as a fresh token: look at them before, or answer them where this refuses.

use serde::Serialize;
use serde_json::{Map, Value};

use super::command::Command;
use super::json;
use crate::error::{Error, ErrorInfo, ErrorKind, Result};
use crate::event::Event;
use crate::id::{SessionId, TurnId};

/// The most bytes that a client's frame may have: the longest message, each byte escaped, would be longer.
pub const MAX_FRAME: usize = 16 << 20;
/// The most bytes of a client's name for a request.
pub const MAX_REQUEST: usize = 128;
/// How many turns one socket may watch at the same time.
pub const MAX_OPEN: usize = 256;
/// What is sent after a silence. The protocol's own pings are the server's, and not all servers send them.
pub const KEEP_ALIVE: &[u8] = br#"{"type":"keep_alive"}"#;

/// The events of one turn as frames.
#[derive(Debug)]
pub struct Events {
    turn: TurnId,
    session: SessionId,
    request: Option<String>,
}

#[derive(Serialize)]
struct Frame<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<TurnId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
}

impl Events {
    /// For this turn, as the answer to `request`.
    pub fn new(turn: TurnId, session: &SessionId, request: Option<String>) -> Self {
        Self { turn, session: session.clone(), request }
    }

    /// Appends the event's frame.
    pub fn write(&self, event: &Event, out: &mut Vec<u8>) {
        // `started` says both by itself.
        let place = (!matches!(event, Event::Started(_))).then_some((self.turn, &self.session));
        let (turn, session) = place.unzip();
        json::value(&Frame { event, turn, session, request: self.request.as_deref() }, out);
    }
}

/// Reads a client's frame: its name for the request, if it has one, and the command, or why it is none.
pub fn parse(frame: &str) -> (Option<String>, Result<Command>) {
    if frame.len() > MAX_FRAME {
        let refused = Error::invalid(format!("a frame may have at most {MAX_FRAME} bytes; send the text in parts"));
        return (None, Err(refused.with("bytes", frame.len())));
    }
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(frame) else {
        return (None, Err(Error::invalid("this frame is not a JSON object")));
    };
    match fields.remove("request") {
        None | Some(Value::Null) => (None, Command::read(fields)),
        Some(Value::String(request)) if request.len() <= MAX_REQUEST => (Some(request), Command::read(fields)),
        Some(_) => (None, Err(Error::invalid(format!("`request` must be a text of at most {MAX_REQUEST} bytes")))),
    }
}

/// Whether a socket that watches `open` turns may be given one more by this command.
///
/// # Errors
/// `RateLimited` if there are [`MAX_OPEN`] of them. What stops a turn is never refused.
pub fn room(command: &Command, open: usize) -> Result<()> {
    match command {
        Command::Cancel { .. } | Command::Ping {} => Ok(()),
        _ if open < MAX_OPEN => Ok(()),
        _ => Err(Error::new(ErrorKind::RateLimited, "this socket watches too many turns; wait for one to end")),
    }
}

/// That a command without an answer of its own was done.
pub fn done(request: Option<&str>) -> String {
    plain("done", request, None)
}

/// The answer to a ping.
pub fn pong(request: Option<&str>) -> String {
    plain("pong", request, None)
}

/// That a command was refused.
pub fn error(request: Option<&str>, error: &ErrorInfo) -> String {
    plain("error", request, Some(error))
}

#[derive(Serialize)]
struct Plain<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorInfo>,
}

fn plain(r#type: &str, request: Option<&str>, error: Option<&ErrorInfo>) -> String {
    serde_json::to_string(&Plain { r#type, request, error }).expect("plain data has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EVENT_VERSION, Started};

    fn refusal(frame: &str) -> (Option<String>, ErrorKind) {
        let (request, command) = parse(frame);
        (request, command.expect_err("refused").kind())
    }

    #[test]
    fn commands_are_read_with_the_clients_name_for_them() {
        let (request, command) = parse(r#"{"type":"send","request":"r1","session":"s","text":"Hi","key":"k"}"#);
        let session = SessionId::new("s").unwrap();
        let send = Command::Send { session, text: "Hi".into(), after: None, key: Some("k".into()) };
        assert!(request.as_deref() == Some("r1") && command.unwrap() == send);
        assert!(parse(r#"{"type":"ping"}"#).1.unwrap() == Command::Ping {});
    }

    #[test]
    fn every_name_is_a_command() {
        for name in Command::NAMES {
            let fields =
                r#""session":"s","text":"x","turn":"07070707-0707-0707-0707-070707070707","seq":1,"decisions":[]"#;
            let needed: Map<String, Value> = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
            let wanted: &[&str] = match name {
                "send" => &["session", "text"],
                "edit" => &["session", "text", "seq"],
                "regenerate" | "continue" => &["session"],
                "decide" => &["session", "decisions"],
                "cancel" | "attach" => &["turn"],
                _ => &[],
            };
            let mut frame: Map<String, Value> =
                wanted.iter().map(|key| ((*key).into(), needed[*key].clone())).collect();
            frame.insert("type".into(), name.into());
            assert!(parse(&Value::Object(frame.clone()).to_string()).1.is_ok(), "{name}");
            frame.insert("owner".into(), "bob".into());
            assert_eq!(refusal(&Value::Object(frame).to_string()).1, ErrorKind::InvalidInput, "{name}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused_and_keeps_its_name() {
        let unknown = r#"{"type":"refresh","request":"r2","token":"secret"}"#;
        assert_eq!(refusal(unknown), (Some("r2".into()), ErrorKind::Unsupported));
        assert!(!format!("{:?}", parse(unknown).1.err().unwrap()).contains("secret"));
        for frame in
            ["", "7", "[]", "{", r#"{"type":"send","session":"","text":"x"}"#, r#"{"type":"ping","request":7}"#]
        {
            assert_eq!(refusal(frame), (None, ErrorKind::InvalidInput), "{frame}");
        }
        let long = "r".repeat(MAX_REQUEST + 1);
        assert_eq!(refusal(&format!(r#"{{"type":"ping","request":"{long}"}}"#)).1, ErrorKind::InvalidInput);
        assert_eq!(refusal(&" ".repeat(MAX_FRAME + 1)).1, ErrorKind::InvalidInput);
    }

    #[test]
    fn a_full_socket_takes_what_empties_it() {
        let read = |frame: &str| parse(frame).1.unwrap();
        let attach = read(r#"{"type":"attach","turn":"07070707-0707-0707-0707-070707070707"}"#);
        let cancel = read(r#"{"type":"cancel","turn":"07070707-0707-0707-0707-070707070707"}"#);
        assert!(room(&attach, MAX_OPEN - 1).is_ok() && room(&cancel, MAX_OPEN).is_ok());
        assert_eq!(room(&attach, MAX_OPEN).unwrap_err().kind(), ErrorKind::RateLimited);
    }

    #[test]
    fn frames_say_to_which_request_and_turn_they_belong() {
        let (turn, session) = (TurnId::from_bytes([7; 16]), SessionId::new("chat").unwrap());
        let frames = Events::new(turn, &session, Some("r1".into()));
        let started = Started {
            v: EVENT_VERSION,
            turn,
            session: session.clone(),
            user_seq: Some(1),
            reply_seq: 2,
            persona: "cat".into(),
            model: "m".into(),
            offset: 0,
        };
        let mut lines = Vec::new();
        for event in [Event::Started(Box::new(started)), Event::Text { text: "a\nb".into(), offset: 3 }] {
            frames.write(&event, &mut lines);
            lines.push(b'\n');
        }
        let info = Error::new(ErrorKind::Busy, "wait").with_turn(turn).info();
        let plain = [done(Some("r2")), pong(None), error(Some("r3"), &info)].join("\n");
        insta::assert_snapshot!(String::from_utf8(lines).unwrap() + &plain, @r#"
        {"type":"started","v":1,"turn":"07070707-0707-0707-0707-070707070707","session":"chat","user_seq":1,"reply_seq":2,"persona":"cat","model":"m","offset":0,"request":"r1"}
        {"type":"text","text":"a\nb","offset":3,"turn":"07070707-0707-0707-0707-070707070707","session":"chat","request":"r1"}
        {"type":"done","request":"r2"}
        {"type":"pong"}
        {"type":"error","request":"r3","error":{"kind":"busy","message":"wait (turn: 07070707-0707-0707-0707-070707070707)","retryable":true,"turn":"07070707-0707-0707-0707-070707070707"}}
        "#);
    }
}
