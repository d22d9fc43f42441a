//! The bridge as a host uses it: JSON in, notices and batches out.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use catgpt_core::bridge::{
    Answer, Bridge, Desk, DeskAsks, DeskCaps, DeskHook, DeskMemory, DeskModel, DeskTimeouts, DeskTool, Failure, Heard,
    Hub, Notice, Parked, Play, Polled, Said, Subscription,
};
use catgpt_core::wire::Encoding;
use catgpt_core::{ErrorKind, Event, Status};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

/// A host with one thread: it waits for notices and keeps those that it does not want yet.
struct Host {
    hub: Arc<Hub>,
    parked: Parked,
    kept: Vec<Notice>,
}

impl Host {
    fn new() -> Self {
        let (hub, parked) = Hub::parked();
        Self { hub, parked, kept: Vec::new() }
    }

    /// The first notice that `want` takes.
    fn notice<T>(&mut self, want: impl Fn(&Notice) -> bool, take: impl FnOnce(Notice) -> T) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            self.kept.extend(self.hub.drain());
            if let Some(at) = self.kept.iter().position(&want) {
                return take(self.kept.remove(at));
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(self.parked.wait(left) || !left.is_zero(), "no such notice came: {:?}", self.kept);
        }
    }

    fn call(&mut self, bridge: &Arc<Bridge>, call: &Value) -> Result<Answer, Failure> {
        let ticket = bridge.call(&self.hub, &call.to_string()).map_err(Failure::from)?;
        self.answer(ticket.id)
    }

    fn answer(&mut self, ticket: u64) -> Result<Answer, Failure> {
        let mine = |notice: &Notice| matches!(notice, Notice::Done { id, .. } if *id == ticket);
        self.notice(mine, |notice| match notice {
            Notice::Done { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        })
    }

    fn send(&mut self, bridge: &Arc<Bridge>, text: &str) -> Box<Subscription> {
        let call = json!({ "do": "send", "owner": "alice", "session": "chat", "content": text });
        match self.call(bridge, &call).unwrap() {
            Answer::Reply(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    fn json(&mut self, bridge: &Arc<Bridge>, call: &Value) -> Value {
        match self.call(bridge, call).unwrap() {
            Answer::Json(json) => serde_json::from_str(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn wait_for(&mut self, number: u64) {
        self.notice(|notice| matches!(notice, Notice::Ready { id } if *id == number), drop);
    }

    fn asked(&mut self) -> (u64, &'static str, Value) {
        self.notice(
            |notice| matches!(notice, Notice::Ask { .. }),
            |notice| match notice {
                Notice::Ask { id, method, body, .. } => (id, method, serde_json::from_str(&body).unwrap()),
                other => panic!("{other:?}"),
            },
        )
    }

    fn rest(&mut self, reply: &Subscription) -> Vec<Event> {
        self.until(reply, |_| false)
    }

    /// Reads on to where it is enough, at the latest to the end.
    fn until(&mut self, reply: &Subscription, enough: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        while !enough(&events) {
            match reply.poll().unwrap() {
                Polled::Ready(batch) => events.extend(batch),
                Polled::Waiting => self.wait_for(reply.id()),
                Polled::Over => break,
            }
        }
        events
    }
}

fn text_of(events: &[Event]) -> String {
    let texts = events.iter().map(|event| match event {
        Event::Text { text, .. } => text.as_str(),
        _ => "",
    });
    texts.collect()
}

fn status_of(events: &[Event]) -> Status {
    match events.last() {
        Some(Event::Finished(finished)) => finished.status,
        other => panic!("the last event is {other:?}"),
    }
}

/// An engine on the model that is handed over.
const OWN: &str = r#"{"model":{"own":0}}"#;

fn scripted(scripts: &Value) -> (Play, Arc<Bridge>) {
    let play = Play::new(&scripts.to_string()).unwrap();
    let bridge =
        Bridge::new(r#"{"model":{"own":0},"memory":"memory:","retry_base_ms":0}"#, &[play.model()], None).unwrap();
    (play, Arc::new(bridge))
}

fn of_desk(desk: &Arc<Desk>) -> Arc<Bridge> {
    let model = DeskModel::new("mine", Arc::clone(desk), DeskTimeouts::default());
    Arc::new(Bridge::new(OWN, &[Arc::new(model)], None).unwrap())
}

#[test]
fn a_send_is_a_call_and_its_events_come_in_batches() {
    let (play, bridge) =
        scripted(&json!([[{ "text": "Hello " }, { "gate": "g" }, { "text": "world" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let reply = host.send(&bridge, "Hi");
    let mut events = Vec::new();
    while text_of(&events) != "Hello " {
        match reply.poll().unwrap() {
            Polled::Ready(batch) => events.extend(batch),
            Polled::Waiting => host.wait_for(reply.id()),
            Polled::Over => panic!("it ended early"),
        }
    }
    assert_eq!(reply.poll().unwrap(), Polled::Waiting);
    assert!(play.open("g") && !play.open("no such gate"));
    events.extend(host.rest(&reply));
    assert_eq!((text_of(&events).as_str(), status_of(&events)), ("Hello world", Status::Complete));
    assert_eq!(reply.poll().unwrap(), Polled::Over);

    let history = host.json(&bridge, &json!({ "do": "history", "owner": "alice", "session": "chat" }));
    assert_eq!(history[1]["content"], json!([{ "type": "text", "text": "Hello world" }]));
    let asked: Value = serde_json::from_str(&play.requests()).unwrap();
    assert_eq!(asked[0]["messages"][1], json!({ "role": "user", "text": "Hi" }));
}

#[test]
fn what_is_said_may_hold_pictures_and_models_can_be_listed() {
    let (play, bridge) = scripted(&json!([[{ "text": "A cat." }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let image = json!({ "type": "image", "url": "https://example.org/cat.png" });
    let call = json!({ "do": "send", "owner": "alice", "session": "chat", "content": ["What ", "is this?", image] });
    let Answer::Reply(reply) = host.call(&bridge, &call).unwrap() else { panic!("no reply") };
    assert_eq!(status_of(&host.rest(&reply)), Status::Complete);
    let asked: Value = serde_json::from_str(&play.requests()).unwrap();
    let message = json!({ "role": "user", "text": "What is this?", "images": [image["url"]] });
    assert_eq!(asked[0]["messages"][1], message);
    assert_eq!(host.json(&bridge, &json!({ "do": "models" })), json!([{ "id": "scripted" }]));
}

#[test]
fn a_busy_session_is_an_error_that_names_the_turn() {
    let (_, bridge) = scripted(&json!([[{ "text": "One" }, { "hang": true }]]));
    let mut host = Host::new();
    let reply = host.send(&bridge, "Hi");
    let again = json!({ "do": "send", "owner": "alice", "session": "chat", "content": "Hi again" });
    let failure = host.call(&bridge, &again).unwrap_err();
    assert_eq!((failure.info.kind, failure.info.turn), (ErrorKind::Busy, Some(reply.turn())));
    host.json(&bridge, &json!({ "do": "cancel", "owner": "alice", "turn": reply.turn() }));
    assert_eq!(status_of(&host.rest(&reply)), Status::Cancelled);
}

#[test]
fn an_engine_that_was_closed_takes_no_sends_also_if_nobody_had_opened_it() {
    let send = json!({ "do": "send", "owner": "alice", "session": "chat", "content": "Hi" });
    let (play, bridge) = scripted(&json!([[{ "text": "a" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    host.json(&bridge, &json!({ "do": "close" }));
    assert_eq!(host.call(&bridge, &send).unwrap_err().info.kind, ErrorKind::Closed);
    host.json(&bridge, &json!({ "do": "close" }));
    assert_eq!(host.json(&bridge, &json!({ "do": "health" }))["healthy"], false);
    assert_eq!(play.requests(), "[]");
    // Closed while the first call opens it: that one may have come to its end, and no other begins.
    for _ in 0..20 {
        let (_, bridge) = scripted(&json!([[{ "text": "a" }, { "finish": "stop" }]]));
        let first = bridge.call(&host.hub, &send.to_string()).unwrap();
        host.json(&bridge, &json!({ "do": "close" }));
        host.answer(first.id).map_or_else(|failure| assert_eq!(failure.info.kind, ErrorKind::Closed), drop);
        assert_eq!(host.call(&bridge, &send).unwrap_err().info.kind, ErrorKind::Closed);
    }
}

#[test]
fn what_is_not_a_call_is_refused_and_quotes_no_value() {
    let (_, bridge) = scripted(&json!([[]]));
    let host = Host::new();
    for call in [
        json!({ "do": "fly" }),
        json!({ "do": "send", "owner": "alice", "session": "chat" }),
        json!({ "do": "send", "owner": "alice", "session": "chat", "content": "hunter2", "colour": 1 }),
        json!({ "do": "send", "owner": "alice", "session": "chat", "content": { "hunter2": 1 } }),
        json!({ "do": "history", "owner": "alice", "session": "chat", "last": "hunter2" }),
    ] {
        let error = bridge.call(&host.hub, &call.to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{call}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    for (call, says) in [
        (json!({ "do": "send", "owner": "alice", "session": "chat", "content": 7 }), "a message is a text"),
        (json!({ "do": "create", "owner": "alice", "session": "chat", "persona": 7 }), "a persona is the name"),
    ] {
        let error = bridge.call(&host.hub, &call.to_string()).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
    let live = r#"{"live":"postgres://h/d"}"#;
    let models = [r#"{"model":{"own":1}}"#, r#"{"model":{"images":{"colour":1}}}"#, r#"{"model":{"by_name":{}}}"#];
    for config in
        [r#"{"colour":1}"#, r#"{"memory":"mysql:x"}"#, live, r#"{"persona":"dog"}"#, "7"].into_iter().chain(models)
    {
        assert!(Bridge::new(config, &[Play::new("[]").unwrap().model()], None).is_err(), "{config}");
    }
}

#[test]
fn server_sent_events_come_as_bytes() {
    let (_, bridge) = scripted(&json!([[{ "text": "a" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let reply = host.send(&bridge, "Hi");
    reply.into_bytes(Encoding::default()).unwrap();
    assert!(reply.poll().is_err() && reply.into_bytes(Encoding::default()).is_err());
    let mut bytes = Vec::new();
    loop {
        match reply.poll_bytes().unwrap() {
            Polled::Ready(more) => bytes.extend(more),
            Polled::Waiting => host.wait_for(reply.id()),
            Polled::Over => break,
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let ids: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("id: ")).collect();
    assert_eq!(ids.last(), Some(&format!("{}:1", reply.turn()).as_str()), "{text}");
    assert!(text.ends_with("\n\n") && text.contains(r#""type":"finished","status":"complete""#), "{text}");
}

#[test]
fn silence_is_kept_alive_with_comments() {
    let (_, bridge) = scripted(&json!([[{ "hang": true }]]));
    let mut host = Host::new();
    let reply = host.send(&bridge, "Hi");
    reply.into_bytes(Encoding { keep_alive_ms: 1, min_interval_ms: 0, ..Encoding::default() }).unwrap();
    let mut seen = String::new();
    while !seen.contains(": keep-alive\n\n") {
        match reply.poll_bytes().unwrap() {
            Polled::Ready(more) => seen.push_str(std::str::from_utf8(&more).unwrap()),
            Polled::Waiting => host.wait_for(reply.id()),
            Polled::Over => panic!("it ended: {seen}"),
        }
    }
}

/// The frames that a call gave.
fn frames(host: &mut Host, reply: &Subscription) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        match reply.poll_bytes().unwrap() {
            Polled::Ready(frame) => frames.push(serde_json::from_slice(&frame).unwrap()),
            Polled::Waiting => host.wait_for(reply.id()),
            Polled::Over => return frames,
        }
    }
}

#[test]
fn a_clients_frame_is_answered_with_frames_even_if_it_is_refused() {
    let (_, bridge) = scripted(&json!([[{ "text": "Hello" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let frame = |frame: Value| json!({ "do": "frame", "owner": "alice", "frame": frame.to_string() });
    let send = frame(json!({ "type": "send", "request": "r1", "session": "chat", "text": "Hi" }));
    let Answer::Reply(reply) = host.call(&bridge, &send).unwrap() else { panic!("a send gives frames") };
    let got = frames(&mut host, &reply);
    assert!(got.iter().all(|frame| frame["request"] == "r1") && got.last().unwrap()["status"] == "complete");
    for (said, answered) in [
        (json!({ "type": "ping", "request": "r2" }), json!({ "type": "pong", "request": "r2" })),
        (json!({ "type": "cancel", "turn": got[0]["turn"] }), json!({ "type": "done" })),
    ] {
        let answer = host.json(&bridge, &frame(said));
        assert_eq!(serde_json::from_str::<Value>(answer.as_str().unwrap()).unwrap(), answered);
    }
    let refused = host.json(&bridge, &frame(json!({ "type": "dance", "request": "r3" })));
    let refused: Value = serde_json::from_str(refused.as_str().unwrap()).unwrap();
    assert_eq!((&refused["request"], &refused["error"]["kind"]), (&json!("r3"), &json!("unsupported")));
}

#[test]
fn a_request_of_the_http_api_is_a_head_and_a_body_that_is_polled() {
    let (play, bridge) = scripted(&json!([[{ "text": "Hello" }, { "gate": "g" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let mut serve = |method: &str, path: &str, body: &str| {
        let request = json!({ "method": method, "path": path, "body": body });
        let call = json!({ "do": "serve", "owner": "alice", "request": request, "options": { "model": "mine" } });
        let Answer::Served(served) = host.call(&bridge, &call).unwrap() else { panic!("no response") };
        let head: Value = serde_json::from_str(served.head()).unwrap();
        (served, head["status"].as_u64().unwrap(), head["whole"].as_bool().unwrap())
    };
    let (events, status, whole) = serve("POST", "/sessions/s/turns", r#"{"text":"Hi"}"#);
    assert_eq!((status, whole), (200, false));
    let (list, status, whole) = serve("GET", "/sessions", "");
    assert_eq!((status, whole), (200, true));
    let (refusal, status, _) = serve("GET", "/nothing", "");
    let Polled::Ready(error) = refusal.poll_bytes().unwrap() else { panic!("a refusal has a body") };
    assert!(status == 404 && error.starts_with(b"{\"error\":") && refusal.poll_bytes().unwrap() == Polled::Over);
    list.close();
    assert_eq!(list.poll_bytes().unwrap(), Polled::Over);

    let mut seen = String::new();
    play.open("g");
    loop {
        match events.poll_bytes().unwrap() {
            Polled::Ready(more) => seen.push_str(std::str::from_utf8(&more).unwrap()),
            Polled::Waiting => host.wait_for(events.id()),
            Polled::Over => break,
        }
    }
    assert!(seen.contains("\"text\":\"Hello\"") && seen.contains("\"status\":\"complete\""), "{seen}");
}

#[test]
fn a_chat_of_the_ai_sdk_is_sent_resumed_and_read() {
    let (_, bridge) = scripted(&json!([[{ "text": "Hello" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let message = json!({ "id": "m1", "role": "user", "parts": [{ "type": "text", "text": "Hi" }] });
    let body = json!({ "id": "chat", "messages": [message] }).to_string();
    let chat = json!({ "do": "chat", "owner": "alice", "body": body, "options": { "model": "mine" } });
    let Answer::Reply(reply) = host.call(&bridge, &chat).unwrap() else { panic!("a chat gives a reply") };
    assert_eq!(status_of(&host.rest(&reply)), Status::Complete);
    assert_eq!(host.json(&bridge, &json!({ "do": "resume", "owner": "alice", "session": "chat" })), Value::Null);
    let messages = host.json(&bridge, &json!({ "do": "ui_messages", "owner": "alice", "session": "chat" }));
    assert_eq!(messages[1]["metadata"]["model"], "mine");
    assert_eq!(messages[1]["parts"], json!([{ "type": "text", "text": "Hello", "state": "done" }]));
    let bad = json!({ "do": "chat", "owner": "alice", "body": "{}" });
    assert_eq!(host.call(&bridge, &bad).unwrap_err().info.kind, ErrorKind::InvalidInput);
}

#[test]
fn a_hosts_model_streams_and_returning_is_finishing() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let bridge = of_desk(&desk);
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let (id, method, body) = host.asked();
    assert_eq!((method, &body["messages"][1]["content"][0]["text"]), ("stream", &json!("Hi")));
    assert_eq!(body["turn"], json!(reply.turn()));
    assert_eq!(desk.say(id, Said::Json(r#"{"text":"Meow"}"#.into())), Heard::Taken);
    let picture = json!({ "type": "image", "url": "ref:1", "alt": "a cat" });
    assert_eq!(desk.say(id, Said::Json(json!({ "part": picture }).to_string())), Heard::Taken);
    assert_eq!(desk.say(id, Said::End), Heard::Taken);
    let events = host.rest(&reply);
    assert_eq!((text_of(&events).as_str(), status_of(&events)), ("Meow", Status::Complete));
    let shown = events.iter().map(|event| serde_json::to_value(event).unwrap()).find(|event| event["type"] == "part");
    assert_eq!(shown, Some(json!({ "type": "part", "part": picture, "offset": 5 })));
    assert_eq!(desk.say(id, Said::End), Heard::Gone);
}

#[test]
fn one_loop_serves_many_desks_and_is_told_which_is_asked() {
    let (desks, mut host) = ([Desk::new(), Desk::new()], Host::new());
    let bridges = desks.each_ref().map(of_desk);
    for (desk, bridge) in desks.iter().zip(&bridges) {
        desk.serve(&host.hub);
        let reply = host.send(bridge, "Hi");
        let (id, asked) = host.notice(
            |notice| matches!(notice, Notice::Ask { .. }),
            |notice| match notice {
                Notice::Ask { id, desk, .. } => (id, desk),
                other => panic!("{other:?}"),
            },
        );
        assert_eq!((asked, desk.say(id, Said::End)), (desk.id(), Heard::Taken));
        assert_eq!(status_of(&host.rest(&reply)), Status::Complete);
    }
}

#[test]
fn a_hosts_failure_fails_the_turn_without_its_words() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let bridge = of_desk(&desk);
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let (id, ..) = host.asked();
    desk.say(id, Said::Raised("ValueError".into()));
    let events = host.rest(&reply);
    let Some(Event::Finished(finished)) = events.last() else { panic!("{events:?}") };
    let error = finished.error.as_ref().unwrap();
    assert_eq!((finished.status, error.kind), (Status::Failed, ErrorKind::Unexpected));
    assert_eq!(error.message, "the application's own code failed with ValueError");
}

fn hooked(desk: &Arc<Desk>, asks: Vec<DeskAsks>) -> (Play, Arc<Bridge>) {
    let play = Play::new(r#"[[{"text":"So "},{"text":"it is"},{"finish":"stop"}]]"#).unwrap();
    let bridge = Bridge::new(OWN, &[play.model()], None).unwrap().hooks(DeskHook::each(desk, asks));
    (play, Arc::new(bridge))
}

fn able(desk: &Arc<Desk>, specs: &Value) -> Arc<Bridge> {
    let call = |id: &str, name: &str| json!({ "tool_call": { "id": id, "name": name, "arguments": { "n": 1 } } });
    let scripts = json!([
        [call("1", "look"), call("2", "pay"), { "finish": "tool_calls" }],
        [{ "text": "So it is" }, { "finish": "stop" }],
    ]);
    let play = Play::new(&scripts.to_string()).unwrap();
    let tools = DeskTool::each(desk, serde_json::from_value(specs.clone()).unwrap());
    let config = r#"{"model":{"own":0},"max_steps":3}"#;
    Arc::new(Bridge::new(config, &[play.model()], None).unwrap().tools(tools).unwrap())
}

#[test]
fn a_hosts_tools_are_asked_by_their_number_and_those_done_elsewhere_wait() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let bridge = able(&desk, &json!([{ "name": "pay", "elsewhere": true }, { "name": "look", "description": "d" }]));
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let (id, method, body) = host.asked();
    let at = json!({ "owner": "alice", "session": "chat", "turn": reply.turn() });
    assert_eq!((method, &body["tool"], &body["arguments"]), ("tool", &json!(1), &json!({ "n": 1 })));
    assert!(["owner", "session", "turn"].iter().all(|key| body[key] == at[key]), "{body}");
    answer(&desk, id, &json!({ "seen": true }));
    let events = host.rest(&reply);
    let Some(Event::Finished(finished)) = events.last() else { panic!("{events:?}") };
    assert_eq!((finished.status, finished.pending[0].id.as_str()), (Status::Paused, "2"));
    let decide =
        |decision: Value| json!({ "do": "decide", "owner": "alice", "session": "chat", "decisions": [decision] });
    let Answer::Reply(reply) = host.call(&bridge, &decide(json!({ "id": "2", "output": 7 }))).unwrap() else {
        panic!("a decision gives a reply")
    };
    assert_eq!(status_of(&host.rest(&reply)), Status::Complete);
    assert_eq!(host.call(&bridge, &decide(json!({ "id": "2" }))).unwrap_err().info.kind, ErrorKind::InvalidInput);
}

#[test]
fn a_hosts_tool_is_told_to_stop_with_its_turn_and_fails_without_its_words() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let bridge = able(&desk, &json!([{ "name": "pay", "timeout_ms": 60_000 }, { "name": "look", "parallel": true }]));
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let (look, ..) = host.asked();
    desk.say(look, Said::Raised("ValueError".into()));
    let (pay, ..) = host.asked();
    let result = |event: &Event| matches!(event, Event::ToolResult { .. });
    let events = host.until(&reply, |events| events.iter().any(result));
    let Some(Event::ToolResult { result, .. }) = events.iter().find(|event| result(event)) else {
        panic!("{events:?}")
    };
    assert!(result.is_error && result.output == "the application's own code failed with ValueError", "{result:?}");
    host.json(&bridge, &json!({ "do": "cancel", "owner": "alice", "turn": reply.turn() }));
    host.notice(|notice| matches!(notice, Notice::Forget { id } if *id == pay), drop);
    assert_eq!(status_of(&host.rest(&reply)), Status::Cancelled);
}

#[test]
fn tools_that_cannot_be_named_are_refused_before_anything_is_opened() {
    let tools = DeskTool::each(&Desk::new(), serde_json::from_value(json!([{ "name": "no spaces" }])).unwrap());
    let refused = Bridge::new(r#"{"model":"offline"}"#, &[], None).and_then(|bridge| bridge.tools(tools));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
}

const EVERYTHING: DeskAsks =
    DeskAsks { before_prompt: true, before_model: true, on_deltas: true, after_turn: true, timeout_ms: None };

fn answer(desk: &Arc<Desk>, id: u64, said: &Value) {
    assert_eq!(desk.say(id, Said::Json(said.to_string())), Heard::Taken);
    desk.say(id, Said::End);
}

#[test]
fn a_hosts_hook_is_asked_at_each_place_that_it_wants() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let (play, bridge) = hooked(&desk, vec![DeskAsks::default(), EVERYTHING]);
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let at = json!({ "owner": "alice", "session": "chat", "turn": reply.turn(), "hook": 1 });
    let mut asked = |method: &str| {
        let (id, name, mut body) = host.asked();
        let rest = body.as_object_mut().unwrap();
        let known: Value = at.as_object().unwrap().keys().map(|key| (key.clone(), rest.remove(key).unwrap())).collect();
        assert_eq!((name, &known), (method, &at));
        (id, body)
    };
    let (id, body) = asked("before_prompt");
    assert_eq!(body["branch"][0]["content"][0]["text"], "Hi");
    answer(&desk, id, &json!([{ "text": "Cats purr.", "part": { "type": "citation", "url": "cats.md" } }]));
    let (id, body) = asked("before_model");
    assert_eq!((&body["attempt"], &body["request"]["model"]), (&json!(1), &Value::Null));
    let messages = json!([{ "role": "user", "content": [{ "type": "text", "text": "***" }] }]);
    answer(&desk, id, &json!({ "messages": messages, "model": null }));
    let (id, body) = asked("on_deltas");
    assert_eq!(body, json!({ "parts": [{ "type": "text", "text": "So it is" }] }));
    answer(&desk, id, &Value::Null);
    let (id, body) = asked("after_turn");
    assert_eq!((&body["reply"]["status"], &body["reply"]["seq"]), (&json!("complete"), &json!(2)));
    answer(&desk, id, &json!("whatever"));
    let events = host.rest(&reply);
    assert!(matches!(&events[1], Event::Part { offset: 1, .. }), "{events:?}");
    let asked: Value = serde_json::from_str(&play.requests()).unwrap();
    assert_eq!(asked[0]["messages"], json!([{ "role": "user", "text": "***" }]));
}

#[test]
fn a_hosts_hook_refuses_by_failing_and_is_told_when_nobody_waits() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let (_, bridge) = hooked(&desk, vec![DeskAsks { before_prompt: true, ..DeskAsks::default() }]);
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let (id, ..) = host.asked();
    let refusal = json!({ "kind": "refused", "message": "not here", "retryable": false });
    desk.say(id, Said::Error(serde_json::from_value(refusal).unwrap()));
    let events = host.rest(&reply);
    let Some(Event::Finished(finished)) = events.last() else { panic!("{events:?}") };
    let error = finished.error.as_ref().unwrap();
    assert_eq!((finished.status, error.kind, error.message.as_str()), (Status::Failed, ErrorKind::Refused, "not here"));

    let reply = host.send(&bridge, "Hi");
    let (id, ..) = host.asked();
    desk.say(id, Said::Json(r#"[{"txet":""}]"#.into()));
    assert_eq!(status_of(&host.rest(&reply)), Status::Failed);

    let reply = host.send(&bridge, "Hi");
    let (question, ..) = host.asked();
    host.json(&bridge, &json!({ "do": "cancel", "owner": "alice", "turn": reply.turn() }));
    assert_eq!(status_of(&host.rest(&reply)), Status::Cancelled);
    host.notice(|notice| matches!(notice, Notice::Forget { id } if *id == question), drop);
    assert_eq!(desk.say(question, Said::Json("null".into())), Heard::Gone);
}

#[test]
fn a_stopped_turn_tells_the_host_to_stop_and_a_full_desk_to_wait() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let bridge = of_desk(&desk);
    desk.serve(&host.hub);
    let reply = host.send(&bridge, "Hi");
    let (question, ..) = host.asked();
    let mut waited = 0;
    for _ in 0..2_000 {
        match desk.say(question, Said::Json(r#"{"text":"x"}"#.into())) {
            Heard::Taken => {}
            Heard::Wait => {
                waited += 1;
                host.wait_for(question);
            }
            Heard::Gone => panic!("nobody listens"),
        }
    }
    let events = host.until(&reply, |events| text_of(events).len() == 2_000);
    assert_eq!(text_of(&events).len(), 2_000, "waited {waited} times");
    host.json(&bridge, &json!({ "do": "cancel", "owner": "alice", "turn": reply.turn() }));
    host.notice(|notice| matches!(notice, Notice::Forget { id } if *id == question), drop);
    assert_eq!(status_of(&host.rest(&reply)), Status::Cancelled);
}

#[test]
fn a_hosts_store_is_asked_and_its_failure_is_told_apart() {
    let (desk, mut host) = (Desk::new(), Host::new());
    let memory = DeskMemory::new(Arc::clone(&desk), DeskCaps::default());
    let play = Play::new(r#"[[{"text":"x"},{"finish":"stop"}]]"#).unwrap();
    let bridge = Arc::new(Bridge::new(OWN, &[play.model()], Some(Arc::new(memory))).unwrap());
    desk.serve(&host.hub);
    let call = json!({ "do": "send", "owner": "alice", "session": "chat", "content": "Hi" });
    let ticket = bridge.call(&host.hub, &call.to_string()).unwrap();
    let (question, method, body) = host.asked();
    assert_eq!((method, &body["owner"], &body["session"]), ("begin_turn", &json!("alice"), &json!("chat")));
    desk.say(question, Said::Raised("ConnectionError".into()));
    let done = |notice: &Notice| matches!(notice, Notice::Done { id, .. } if *id == ticket.id);
    let failure = host.notice(done, |notice| match notice {
        Notice::Done { outcome, .. } => outcome.unwrap_err(),
        other => panic!("{other:?}"),
    });
    assert_eq!((failure.info.kind, failure.cause), (ErrorKind::Unexpected, Some(question)));
}

#[test]
fn conversations_go_out_and_in_page_by_page_and_tell_how_far_they_are() {
    let (_play, bridge) = scripted(&json!([[{ "text": "Hello" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let reply = host.send(&bridge, "Hi");
    assert_eq!(status_of(&host.rest(&reply)), Status::Complete);
    let list = host.json(&bridge, &json!({ "do": "export_list", "owner": "alice" }));
    assert_eq!(list, json!(["chat"]));
    let page = json!({ "do": "export_page", "owner": "alice", "session": "chat" });
    let page = host.json(&bridge, &page);
    assert!(page["next"].is_null() && page["text"].as_str().unwrap().lines().count() == 3, "{page}");
    let content = base64::engine::general_purpose::STANDARD.encode(page["text"].as_str().unwrap());
    let import = json!({ "do": "import", "owner": "bob", "source": { "content": content }, "watch": true });
    let ticket = bridge.call(&host.hub, &import.to_string()).unwrap();
    host.wait_for(ticket.watch());
    assert_eq!(ticket.progress().unwrap().total, Some(page["text"].as_str().unwrap().len() as u64));
    assert_eq!(ticket.progress(), None);
    let report = host.json(&bridge, &json!({ "do": "import", "owner": "bob", "source": { "content": content } }));
    assert_eq!((&report["unchanged"], &report["entries"][0]["outcome"]), (&json!(1), &json!("unchanged")));
    let foreign = json!({ "do": "export_page", "owner": "eve", "session": "chat" });
    assert_eq!(host.call(&bridge, &foreign).unwrap_err().info.kind, ErrorKind::NotFound);
    let backup = host.call(&bridge, &json!({ "do": "backup", "path": "copy.db" }));
    assert_eq!(backup.unwrap_err().info.kind, ErrorKind::Unsupported);
}

#[test]
fn health_and_metrics_are_data_even_where_nothing_works() {
    let mut host = Host::new();
    let bridge = Arc::new(Bridge::new(r#"{"model":"offline"}"#, &[], None).unwrap());
    host.send(&bridge, "Hello").close();
    let health = host.json(&bridge, &json!({ "do": "health" }));
    assert_eq!(
        (&health["healthy"], &health["store"]["ok"], &health["live"]),
        (&json!(true), &json!(true), &json!(null))
    );
    let metrics = host.json(&bridge, &json!({ "do": "metrics" }));
    let names: Vec<_> = metrics.as_array().unwrap().iter().map(|metric| metric["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"catgpt.turns") && names.contains(&"gen_ai.client.operation.duration"), "{names:?}");
    assert_eq!(metrics[names.iter().position(|name| *name == "catgpt.attaches").unwrap()]["points"][0]["value"], 0);
    let text = host.json(&bridge, &json!({ "do": "prometheus" }));
    assert!(text.as_str().unwrap().contains("# TYPE catgpt_turns_running gauge"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let config = json!({ "model": "offline", "memory": format!("sqlite:{}", folder.path().display()) });
    let broken = Arc::new(Bridge::new(&config.to_string(), &[], None).unwrap());
    let health = host.json(&broken, &json!({ "do": "health" }));
    assert_eq!((&health["healthy"], &health["store"]["error"]["kind"]), (&json!(false), &json!("store")));
    assert_eq!(host.json(&broken, &json!({ "do": "metrics" })).as_array().unwrap().len(), names.len());
    assert_eq!(host.call(&broken, &json!({ "do": "open" })).unwrap_err().info.kind, ErrorKind::Store);
}

#[test]
fn a_feed_is_asked_for_page_by_page_and_an_abandoned_call_is_over() {
    let (_, bridge) = scripted(&json!([[{ "text": "Hi" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    let news = |after: Value| json!({ "do": "news", "owner": "alice", "after": after });
    assert_eq!(host.json(&bridge, &news(Value::Null)), json!({ "after": 0, "news": [] }));
    let ticket = bridge.call(&host.hub, &news(0.into()).to_string()).unwrap();
    let create = |id: &str| json!({ "do": "create", "owner": "alice", "session": id });
    host.json(&bridge, &create("a"));
    let mine = |notice: &Notice| matches!(notice, Notice::Done { id, .. } if *id == ticket.id);
    let page = host.notice(mine, |notice| match notice {
        Notice::Done { outcome: Ok(Answer::Json(page)), .. } => serde_json::from_str::<Value>(&page).unwrap(),
        other => panic!("{other:?}"),
    });
    assert_eq!((&page["after"], &page["news"][0]["info"]["id"]), (&1.into(), &"a".into()));
    let quiet = json!({ "do": "news", "owner": "alice", "after": 1, "encoding": { "keep_alive_ms": 1 } });
    assert_eq!(host.json(&bridge, &quiet), json!({ "after": 1, "text": ": keep-alive\n\n" }));
    let wrong = json!({ "do": "news", "owner": "alice", "encoding": { "format": "ws" } });
    assert_eq!(host.call(&bridge, &wrong).unwrap_err().info.kind, ErrorKind::InvalidInput);
    let abandoned = bridge.call(&host.hub, &news(1.into()).to_string()).unwrap();
    abandoned.abandon();
    host.json(&bridge, &create("b"));
    assert!(!host.kept.iter().any(|notice| matches!(notice, Notice::Done { id, .. } if *id == abandoned.id)));
}

#[test]
fn long_work_is_heard_once_for_any_number_of_steps() {
    let (_, bridge) = scripted(&json!([[{ "text": "Hi" }, { "finish": "stop" }]]));
    let mut host = Host::new();
    for id in 0..150 {
        host.json(&bridge, &json!({ "do": "create", "owner": "alice", "session": format!("s{id}") }));
    }
    let ticket = bridge.call(&host.hub, r#"{"do":"erase","owner":"alice","watch":true}"#).unwrap();
    let mine = |notice: &Notice| matches!(notice, Notice::Done { id, .. } if *id == ticket.id);
    host.notice(mine, |notice| {
        assert!(matches!(notice, Notice::Done { outcome: Ok(Answer::Json(n)), .. } if n == "150"))
    });
    let heard = |notice: &Notice| matches!(notice, Notice::Ready { id } if *id == ticket.watch());
    assert_eq!(host.kept.iter().filter(|notice| heard(notice)).count(), 1, "nobody has looked in between");
    assert_eq!(ticket.progress().map(|progress| (progress.done, progress.total)), Some((150, None)));
    assert_eq!(ticket.progress(), None);
}
