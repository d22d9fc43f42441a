//! What goes over the wire: `spec/wire` byte by byte, and clients' requests and frames done.

#![allow(clippy::unwrap_used, reason = "tests")]

#[allow(dead_code, reason = "the scenarios use the rest")]
#[path = "scenarios/kit.rs"]
mod kit;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::model::Gate;
use catgpt_core::model::Step;
use catgpt_core::wire::{Command, Encoding, Format, ui_message_stream, ws};
use catgpt_core::{ChatModel, Engine, ErrorKind, InMemory, Memory, Reply, Scripted, SessionId, Status, User};
use futures_util::StreamExt;
use kit::{Fields, open, scripted, take};
use tokio::time::timeout;

fn alice(model: Scripted) -> User {
    Engine::builder().model(model).build().user("alice").unwrap()
}

/// All writes of a reply, put together; frames of a web socket one a line.
async fn bytes(reply: Reply, format: Format) -> String {
    let end = if format == Format::Ws { "\n" } else { "" };
    let writes = reply.into_bytes(format).map(|write| String::from_utf8(write).unwrap() + end);
    writes.collect::<Vec<_>>().await.concat()
}

#[tokio::test]
async fn a_turn_is_the_same_bytes_in_every_language() {
    let spec = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/wire"));
    let folders = std::fs::read_dir(spec).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let folders: Vec<_> = folders.collect();
    assert!(!folders.is_empty());
    for folder in folders {
        let turn = std::fs::read(folder.join("turn.json")).unwrap();
        let mut turn: Fields = serde_json::from_slice(&turn).unwrap();
        let (model, _) = scripted(vec![take(&mut turn, "model")]);
        let memory: Arc<dyn Memory> = Arc::new(InMemory::new());
        let model: Arc<dyn ChatModel> = Arc::new(model);
        let engine = open(&model, &memory, None, &Default::default());
        let alice = engine.user("alice").unwrap();
        let mut reply = alice.session("chat").unwrap().send(take::<String>(&mut turn, "send")).await.unwrap();
        while reply.next().await.is_some() {}
        for format in Format::ALL {
            let name = serde_json::to_string(&format).unwrap();
            let path = folder.join(name.trim_matches('"')).with_extension("txt");
            let want = std::fs::read_to_string(&path).unwrap_or_default();
            let got = bytes(alice.attach(reply.turn(), 0).await.unwrap(), format).await;
            let got = got.replace(&reply.turn().to_string(), "$turn");
            assert!(got == want, "{}:\n{got}", path.display());
        }
    }
}

#[tokio::test]
async fn resume_is_a_replay_while_a_turn_runs_and_nothing_else() {
    let gate = Gate::new();
    let steps = [Step::text("Hello "), Step::gate(&gate), Step::text("world"), Step::stop()];
    let alice = alice(Scripted::script(steps));
    let session = alice.session("chat").unwrap();
    assert!(session.resume().await.unwrap().is_none());
    let reply = session.send("Hi").await.unwrap();
    let resumed = session.resume().await.unwrap().unwrap();
    assert_eq!(resumed.turn(), reply.turn());
    gate.open();
    assert_eq!(resumed.text().await.unwrap(), "Hello world");
    assert!(session.resume().await.unwrap().is_none());
}

#[tokio::test]
async fn commands_do_what_the_methods_of_their_names_do() {
    let alice = alice(Scripted::reply("Hello"));
    let session = SessionId::new("chat").unwrap();
    let send = Command::Send { session: session.clone(), text: "Hi".into(), after: None, key: Some("k".into()) };
    let first = alice.perform(send.clone(), |send| send).await.unwrap().unwrap();
    let turn = first.turn();
    first.text().await.unwrap();
    let again = alice.perform(send, |send| send.model("other")).await.unwrap().unwrap();
    assert_eq!(again.turn(), turn);
    for command in [
        Command::Edit { session: session.clone(), seq: 1, text: "Hey".into(), key: None },
        Command::Regenerate { session: session.clone(), seq: Some(2), key: None },
        Command::Send { session: session.clone(), text: "More".into(), after: Some(2), key: None },
    ] {
        let reply = alice.perform(command, |send| send.model("mine")).await.unwrap().unwrap();
        assert_eq!(reply.result().await.unwrap().status, Status::Complete);
    }
    let tree = alice.session("chat").unwrap().tree(0, 100).await.unwrap();
    let parents: Vec<_> = tree.iter().map(|message| (message.seq, message.parent)).collect();
    let (first, edited, regenerated) = ([(1, None), (2, Some(1))], [(3, None), (4, Some(3))], [(5, Some(1))]);
    assert_eq!(parents, [&first[..], &edited, &regenerated, &[(6, Some(2)), (7, Some(6))]].concat());
    assert_eq!(tree.last().unwrap().model.as_deref(), Some("mine"));
    let attach = Command::Attach { turn, offset: 2 };
    let watched = alice.perform(attach, |send| send).await.unwrap().unwrap();
    assert_eq!(watched.text().await.unwrap(), "llo");
    assert!(alice.perform(Command::Cancel { turn }, |send| send).await.unwrap().is_none());
    assert!(alice.perform(Command::Ping {}, |send| send).await.unwrap().is_none());
}

#[tokio::test]
async fn what_an_owner_asks_for_reaches_nobody_elses_sessions() {
    let engine = Engine::builder().model(Scripted::reply("Hello")).build();
    let session = engine.user("alice").unwrap().session("chat").unwrap();
    let reply = session.send("Hi").await.unwrap();
    let (turn, bob) = (reply.turn(), engine.user("bob").unwrap());
    reply.text().await.unwrap();
    let id = ui_message_stream::message_id(turn, 2);
    let request = format!(r#"{{"id":"chat","messages":[],"trigger":"regenerate-message","messageId":"{id}"}}"#);
    let regenerate = ui_message_stream::command(&request).unwrap();
    for command in [Command::Attach { turn, offset: 0 }, Command::Cancel { turn }, regenerate] {
        let refused = bob.perform(command, |send| send).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert!(bob.session("chat").unwrap().resume().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn silence_has_its_sign_in_every_format_but_that_of_the_text_alone() {
    for format in Format::ALL {
        let gate = Gate::new();
        let alice = alice(Scripted::script([Step::gate(&gate), Step::text("late"), Step::stop()]));
        let reply = alice.session("chat").unwrap().send("Hi").await.unwrap();
        let mut writes = reply.into_bytes(Encoding { keep_alive_ms: 70, ..format.into() });
        if format == Format::Text {
            assert!(timeout(Duration::from_secs(60), writes.next()).await.is_err());
            gate.open();
            assert_eq!(writes.collect::<Vec<_>>().await, ["late"].map(Vec::from));
            continue;
        }
        writes.next().await.unwrap();
        for _ in 0..2 {
            assert_eq!(writes.next().await.unwrap(), format.keep_alive());
        }
        gate.open();
        assert!(writes.collect::<Vec<_>>().await.concat().windows(4).any(|four| four == b"late"), "{format:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_frame_of_a_socket_is_a_write_and_says_whose_it_is() {
    let alice = alice(Scripted::reply("Hello"));
    let mut reply = alice.session("chat").unwrap().send("Hi").await.unwrap();
    while reply.next().await.is_some() {}
    let stored = alice.attach(reply.turn(), 0).await.unwrap();
    let writes = stored.into_bytes(Encoding { request: Some("r1".into()), ..Format::Ws.into() });
    let frames: Vec<serde_json::Value> = writes.map(|frame| serde_json::from_slice(&frame).unwrap()).collect().await;
    assert_eq!(
        frames.iter().map(|frame| frame["type"].as_str().unwrap()).collect::<Vec<_>>(),
        ["started", "text", "finished"]
    );
    assert!(frames.iter().all(|frame| frame["request"] == "r1" && frame["session"] == "chat"));
    assert!(frames.iter().all(|frame| frame["turn"] == reply.turn().to_string()));
    assert!(ws::KEEP_ALIVE.starts_with(b"{"));
}
