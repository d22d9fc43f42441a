//! Shapes that exports really have, and some that a broken disk or a careless exporter makes of them.

use serde_json::{Value, json};

use super::super::testing::found;
use super::super::{Flow, Found, What};
use super::*;
use crate::message::{Message, Part, Role, Status};

/// A node: its name, its parent, and what it says.
fn node(name: &str, parent: Option<&str>, message: Value) -> (String, Value) {
    (name.to_owned(), json!({ "id": name, "parent": parent, "children": [], "message": message }))
}

fn says(role: &str, at: f64, content: Value) -> Value {
    json!({ "id": format!("m{at}"), "author": { "role": role }, "create_time": at, "content": content,
            "status": "finished_successfully", "recipient": "all", "metadata": {} })
}

fn text(text: &str) -> Value {
    json!({ "content_type": "text", "parts": [text] })
}

fn conversation_of(nodes: Vec<(String, Value)>, current: &str) -> Value {
    json!({ "title": "Kyoto", "create_time": 1.5, "update_time": 9.0, "conversation_id": "c-1", "current_node": current,
            "default_model_slug": "gpt-4o", "mapping": nodes.into_iter().collect::<serde_json::Map<_, _>>() })
}

/// A greeting after the two empty nodes with which every conversation begins.
fn plain() -> Value {
    conversation_of(
        vec![
            node("root", None, Value::Null),
            node("sys", Some("root"), says("system", 1.0, text(""))),
            node("q", Some("sys"), says("user", 2.0, text("Hi"))),
            node("a", Some("q"), says("assistant", 3.25, text("Hello"))),
        ],
        "a",
    )
}

/// A conversation, and what was left out of it.
fn read_one(conversation: &Value, assets: &[&str]) -> (Transcript, LeftOut) {
    let mut known = Assets::default();
    assets.iter().for_each(|path| known.add(path));
    let mut all = Vec::new();
    let export = json!([conversation]).to_string();
    let mut take = |one: Found| {
        if let What::Transcript(transcript, left_out) = one.what {
            all.push((transcript.settle().unwrap(), left_out));
        }
        Flow::On
    };
    each(&mut export.as_bytes(), &known, &mut take).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn told(messages: &[Message]) -> Vec<(u64, Option<u64>, Role, String)> {
    messages.iter().map(|message| (message.seq, message.parent, message.role, message.text())).collect()
}

fn whole(conversation: &Value) -> Transcript {
    let (transcript, left_out) = read_one(conversation, &[]);
    assert_eq!(left_out, LeftOut::new());
    transcript
}

#[test]
fn a_plain_conversation_comes_with_its_times_and_models() {
    let one = whole(&plain());
    assert_eq!(one.heading.id.as_str(), "chatgpt:c-1");
    assert_eq!((one.heading.created_ms, one.heading.updated_ms), (1_500, 9_000));
    assert_eq!((one.heading.title.as_deref(), one.heading.head), (Some("Kyoto"), Some(2)));
    assert_eq!(
        told(&one.messages),
        [(1, None, Role::User, "Hi".into()), (2, Some(1), Role::Assistant, "Hello".into())]
    );
    assert_eq!((one.messages[1].created_ms, one.messages[1].model.as_deref()), (3_250, Some("gpt-4o")));
    assert_eq!(one.messages[0].model, None);
}

#[test]
fn a_branch_stays_a_branch_and_the_shown_one_is_the_head() {
    let mut nodes = vec![
        node("q", None, says("user", 2.0, text("Hi"))),
        node("a1", Some("q"), says("assistant", 3.0, text("one"))),
        node("a2", Some("q"), says("assistant", 5.0, text("two"))),
        node("q2", Some("a1"), says("user", 4.0, text("more"))),
    ];
    nodes[0].1["children"] = json!(["a1", "a2"]);
    let one = whole(&conversation_of(nodes, "a2"));
    let shape: Vec<_> = one.messages.iter().map(|m| (m.seq, m.parent, m.text())).collect();
    assert_eq!(
        shape,
        [
            (1, None, "Hi".into()),
            (2, Some(1), "one".into()),
            (3, Some(2), "more".into()),
            (4, Some(1), "two".to_owned())
        ]
    );
    assert_eq!(one.heading.head, Some(4));
}

#[test]
fn a_reply_of_many_nodes_is_one_message() {
    let mut call =
        says("assistant", 4.0, json!({ "content_type": "code", "language": "python", "text": "print(6*7)" }));
    call["recipient"] = "python".into();
    let mut search = says("assistant", 6.0, text("{\"query\": \"cats\"}"));
    search["recipient"] = "web.run".into();
    let thoughts = json!({ "content_type": "thoughts", "thoughts": [{ "summary": "Hm", "content": "let me see" }] });
    let mut answer = says("assistant", 8.0, text("It is 42."));
    answer["metadata"] = json!({ "model_slug": "o3", "finish_details": { "type": "max_tokens" },
        "content_references": [{ "url": "https://c.at", "title": "Cats" }, { "url": "https://c.at" }, { "type": "hidden" }] });
    let nodes = vec![
        node("q", None, says("user", 2.0, text("6*7?"))),
        node("t", Some("q"), says("assistant", 3.0, thoughts)),
        node("c", Some("t"), call),
        node("r", Some("c"), says("tool", 5.0, json!({ "content_type": "execution_output", "text": "42" }))),
        node("s", Some("r"), search),
        node(
            "e",
            Some("s"),
            says("tool", 7.0, json!({ "content_type": "system_error", "name": "Timeout", "text": "late" })),
        ),
        node("a", Some("e"), answer),
    ];
    let one = whole(&conversation_of(nodes, "a"));
    assert_eq!(one.messages.len(), 2);
    let reply = &one.messages[1];
    assert_eq!(
        json!(reply.content),
        json!([
            { "type": "reasoning", "text": "Hm\nlet me see" },
            { "type": "tool_call", "id": "m4", "name": "python", "arguments": { "input": "print(6*7)" } },
            { "type": "tool_result", "id": "m4", "output": "42" },
            { "type": "tool_call", "id": "m6", "name": "web_run", "arguments": { "query": "cats" } },
            { "type": "tool_result", "id": "m6", "output": "Timeout\n\nlate", "is_error": true },
            { "type": "text", "text": "It is 42." },
            { "type": "citation", "url": "https://c.at", "title": "Cats" },
        ])
    );
    assert_eq!((reply.model.as_deref(), reply.created_ms), (Some("o3"), 3_000));
    assert_eq!(reply.finish_reason, Some(crate::message::FinishReason::Length));
    assert_eq!(one.heading.head, Some(2));
}

#[test]
fn pictures_sounds_and_files_are_links_into_the_export() {
    let pointer = |kind: &str, at: &str| json!({ "content_type": kind, "asset_pointer": at });
    let parts = json!({ "content_type": "multimodal_text", "parts": [
        pointer("image_asset_pointer", "file-service://file-Cat1"),
        "What is this?",
        pointer("image_asset_pointer", "sediment://file_gone"),
        { "content_type": "audio_transcription", "text": "purr" },
        { "content_type": "real_time_user_audio_video_asset_pointer", "audio_asset_pointer": pointer("audio_asset_pointer", "sediment://file_a1") },
        { "content_type": "hologram", "size": 3 }, null, 7,
    ] });
    let mut question = says("user", 2.0, parts);
    question["metadata"] =
        json!({ "attachments": [{ "id": "file-Cat1", "name": "cat.png" }, { "id": "file-Doc1", "name": "a.pdf" }] });
    let assets = ["x/file-Cat1-cat.png", "file_a1-voice.wav"];
    let (one, left_out) = read_one(&conversation_of(vec![node("q", None, question)], "q"), &assets);
    assert_eq!(left_out, LeftOut::new());
    assert_eq!(
        json!(one.messages[0].content),
        json!([
            { "type": "image", "url": "x/file-Cat1-cat.png", "media_type": "image/png" },
            { "type": "text", "text": "What is this?" },
            { "type": "image", "url": "sediment://file_gone" },
            { "type": "text", "text": "purr\n[recording](<file_a1-voice.wav>)" },
            { "type": "chatgpt", "content": { "content_type": "hologram", "size": 3 } },
            { "type": "text", "text": "7\n\n[a.pdf](<file-Doc1>)" },
        ])
    );
}

#[test]
fn what_is_hidden_is_an_instruction_or_a_thought() {
    let context =
        json!({ "content_type": "user_editable_context", "user_profile": "I purr", "user_instructions": "Be brief" });
    let mut hidden = says("assistant", 4.0, text("psst"));
    hidden["metadata"]["is_visually_hidden_from_conversation"] = true.into();
    let nodes = vec![
        node("u", None, says("user", 1.0, context)),
        node("q", Some("u"), says("user", 2.0, text("Hi"))),
        node("h", Some("q"), hidden),
        node("a", Some("h"), says("assistant", 5.0, text("Hello"))),
    ];
    let one = whole(&conversation_of(nodes, "a"));
    assert_eq!(told(&one.messages)[0], (1, None, Role::System, "I purr\n\nBe brief".into()));
    assert_eq!(one.messages[2].content.parts()[0], Part::Reasoning { text: "psst".into() });
    assert_eq!(one.messages[2].text(), "Hello");
}

/// Newer exports leave out metadata, times and children, and whole fields are null or of another type.
#[test]
fn what_is_missing_or_of_another_type_is_not_relied_on() {
    let bare = |role: &str, says: &str| json!({ "author": { "role": role }, "content": { "parts": [says] } });
    let mut broken = conversation_of(
        vec![
            ("q".into(), json!({ "message": bare("user", "Hi") })),
            ("a".into(), json!({ "parent": "q", "message": bare("assistant", "Hello"), "children": null })),
            ("x".into(), json!({ "parent": 7, "message": "nonsense" })),
            ("y".into(), json!("nonsense")),
            ("z".into(), json!({ "parent": "gone", "message": bare("user", "orphan") })),
        ],
        "nowhere",
    );
    broken["title"] = 7.into();
    broken["create_time"] = "2023-11-14T22:13:20Z".into();
    broken["update_time"] = Value::Null;
    broken["is_archived"] = "yes".into();
    let (one, left_out) = read_one(&broken, &[]);
    assert_eq!(left_out, LeftOut::from([("messages that cannot be read".into(), 1)]));
    let texts: Vec<_> = one.messages.iter().map(|m| (m.parent, m.text())).collect();
    assert_eq!(texts, [(None, "Hi".into()), (Some(1), "Hello".into()), (None, "orphan".to_owned())]);
    assert_eq!((one.heading.title, one.heading.created_ms, one.heading.archived), (None, 1_700_000_000_000, false));
    assert!(one.messages.iter().all(|message| message.created_ms == 1_700_000_000_000));
}

#[test]
fn a_list_of_children_stands_in_for_a_missing_parent() {
    let mut nodes =
        vec![node("q", None, says("user", 2.0, text("Hi"))), node("a", None, says("assistant", 3.0, text("Hello")))];
    nodes[0].1["children"] = json!(["a", "gone"]);
    assert_eq!(whole(&conversation_of(nodes, "a")).messages[1].parent, Some(1));
}

#[test]
fn a_circle_is_left_out_and_said() {
    let nodes = vec![
        node("q", None, says("user", 2.0, text("Hi"))),
        node("x", Some("y"), says("user", 2.0, text("x"))),
        node("y", Some("x"), says("user", 2.0, text("y"))),
    ];
    let (one, left_out) = read_one(&conversation_of(nodes, "x"), &[]);
    assert_eq!(left_out, LeftOut::from([("messages that follow themselves".into(), 2)]));
    assert_eq!((one.messages.len(), one.heading.head), (1, Some(1)));
}

#[test]
fn a_chain_of_any_depth_is_read() {
    let name = |n: usize| format!("n{n}");
    let nodes = (0..20_000).map(|n| {
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        let above = (n > 0).then(|| name(n - 1));
        node(&name(n), above.as_deref(), says(role, 1.0, text("x")))
    });
    let one = whole(&conversation_of(nodes.collect(), &name(19_999)));
    assert_eq!((one.messages.len(), one.heading.head), (20_000, Some(20_000)));
}

#[test]
fn an_interrupted_answer_is_known_as_one() {
    let mut cut = says("assistant", 3.0, text("Hel"));
    cut["status"] = "in_progress".into();
    let mut stopped = says("assistant", 4.0, text("Hello, I"));
    stopped["metadata"]["finish_details"] = json!({ "type": "interrupted" });
    let nodes =
        vec![node("q", None, says("user", 2.0, text("Hi"))), node("a", Some("q"), cut), node("b", Some("q"), stopped)];
    let one = whole(&conversation_of(nodes, "a"));
    assert_eq!((one.messages[1].status, one.messages[2].status), (Status::Interrupted, Status::Cancelled));
}

fn ids(export: &[u8]) -> (Vec<String>, usize) {
    let (all, refused) = found(|take| read(&mut &*export, take));
    (all.iter().map(|one| one.heading.id.to_string()).collect(), refused.len())
}

/// Three conversations, of which the second is spoiled.
fn spoiled(spoil: impl FnOnce(String) -> String) -> (Vec<String>, usize) {
    let named = |id: &str| {
        let mut one = plain();
        one["conversation_id"] = id.into();
        // As ChatGPT writes it, the title comes first.
        let rest = one.to_string();
        format!(
            "{{\"title\":\"T\",{}",
            &rest[1..].replace("\"title\":\"Kyoto\",", "").replace(",\"title\":\"Kyoto\"", "")
        )
    };
    ids(format!("[{},{},{}]", named("one"), spoil(named("two")), named("three")).as_bytes())
}

#[test]
fn a_broken_conversation_costs_no_other() {
    let others = (vec!["chatgpt:one".to_owned(), "chatgpt:three".to_owned()], 1);
    assert_eq!(spoiled(|two| two.replace("\"Hi\"", "Hi")), others, "a value that is none");
    assert_eq!(spoiled(|two| two.replacen('}', "", 1)), others, "a bracket too few");
    assert_eq!(spoiled(|two| two.replace("\"Hi\"", "\"Hi")), others, "a quote too few");
    assert_eq!(spoiled(|two| two.replace("\"mapping\"", "\"maps\"")), others, "no messages");
    assert_eq!(spoiled(|_| "null,17,\"x\"".into()), (others.0, 0), "no conversation at all");
}

#[test]
fn half_a_character_is_no_reason_to_lose_a_text() {
    let export = json!([plain()]).to_string().replace("Hello", "Hello \\ud83d");
    let (all, refused) = found(|take| read(&mut export.as_bytes(), take));
    assert_eq!((all[0].messages[1].text().as_str(), refused.len()), ("Hello \u{fffd}", 0));
    let mut bytes = json!([plain()]).to_string().replace("Hello", "Hello ~").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'~').unwrap();
    bytes[at] = 0xff;
    let (all, _) = found(|take| read(&mut &bytes[..], take));
    assert_eq!(all[0].messages[1].text(), "Hello \u{fffd}");
}

#[test]
fn a_file_that_ends_early_keeps_what_came_before() {
    let export = json!([plain(), plain()]).to_string();
    let (all, refused) = found(|take| read(&mut &export.as_bytes()[..export.len() - 20], take));
    assert_eq!((all.len(), refused.len()), (1, 1));
    assert_eq!(refused[0].1.kind(), crate::error::ErrorKind::Truncated);
    assert_eq!(ids(plain().to_string().as_bytes()).0, ["chatgpt:c-1"], "one conversation without a list");
}

#[test]
fn one_without_an_id_gets_the_same_every_time() {
    let mut one = plain();
    one.as_object_mut().unwrap().remove("conversation_id");
    let first = whole(&one).heading.id;
    assert_eq!(first, whole(&one).heading.id);
    one["title"] = "other".into();
    assert_ne!(first, whole(&one).heading.id);
}
