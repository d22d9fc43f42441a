//! The HTTP API, route by route, on each memory that lives in one process: what a page does with it from the first word
//! to the last, what others find of it, and how it is refused.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use catgpt_core::memory::Unit;
use catgpt_core::model::{Gate, Step};
use catgpt_core::wire::rest::{Body, ROUTES, Request, Response};
use catgpt_core::{Engine, Limit, Scripted, Send, User};
use common::{Store, all, engine, eventually, in_memory};
use futures_util::StreamExt;
use serde_json::{Value, json};

on_each_memory! {
    a_chat_is_had_from_the_first_word_to_the_last
    branches_are_shown_and_paged
    a_list_goes_on_where_it_ended
    sessions_are_made_changed_and_let_go
    a_turn_is_watched_stopped_and_gone_on_with
    a_client_that_goes_away_ends_no_turn
    the_same_key_is_the_same_turn
    a_feed_tells_and_goes_on
    all_can_be_taken_out
    what_was_used_and_found_is_told
    others_find_nothing
}

fn daily(max: u64) -> Limit {
    Limit::new("daily", Unit::Turns, max, Duration::from_secs(86_400))
}

fn of(engine: &Engine, name: &str) -> User {
    engine.user(name).unwrap()
}

fn request(method: &str, target: &str, body: Value) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Request { method: method.into(), path: path.into(), query: query.into(), body, ..Request::default() }
}

async fn answer(user: &User, request: Request) -> Response {
    user.serve(request, |send| send).await
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
}

async fn text(response: Response) -> String {
    let bytes = match response.body {
        Body::Whole(bytes) => bytes,
        Body::Stream(pieces) => pieces.map(Result::unwrap).collect::<Vec<_>>().await.concat(),
    };
    String::from_utf8(bytes).unwrap()
}

/// The status, and the body as JSON; of a stream each line that is.
async fn ask(user: &User, method: &str, target: &str, body: Value) -> (u16, Value) {
    let response = answer(user, request(method, target, body)).await;
    let (status, stream) = (response.status, matches!(response.body, Body::Stream(_)));
    let text = text(response).await;
    let value = match (stream, text.as_str()) {
        (true, _) => text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line.trim_start_matches("data: ")).ok())
            .collect(),
        (false, "") => Value::Null,
        (false, json) => serde_json::from_str(json).unwrap(),
    };
    (status, value)
}

async fn get(user: &User, target: &str) -> Value {
    let (status, value) = ask(user, "GET", target, Value::Null).await;
    assert_eq!(status, 200, "{target}: {value}");
    value
}

async fn say(user: &User, session: &str, body: Value) -> Value {
    let (status, events) = ask(user, "POST", &format!("/sessions/{session}/turns"), body).await;
    assert_eq!(status, 200, "{events}");
    events
}

fn kind((status, body): (u16, Value)) -> (u16, String) {
    (status, body["error"]["kind"].as_str().unwrap_or_default().to_owned())
}

fn seqs(page: &Value) -> Vec<u64> {
    page["messages"].as_array().unwrap().iter().map(|message| message["seq"].as_u64().unwrap()).collect()
}

async fn a_chat_is_had_from_the_first_word_to_the_last(store: Store) {
    let ann = of(&engine(&Scripted::reply("Meow"), &store), "ann");
    let events = say(&ann, "a%20b", json!({ "text": "Hi" })).await;
    let types: Vec<_> = events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["started", "text", "finished"]);
    assert_eq!((&events[0]["session"], &events[1]["text"]), (&json!("a b"), &json!("Meow")));
    let page = get(&ann, "/sessions/a%20b/messages").await;
    assert_eq!((seqs(&page), &page["running"], &page["more"]), (vec![1, 2], &Value::Null, &json!(false)));
    assert_eq!(get(&ann, "/sessions/a%20b").await["title"], "Hi");
    assert_eq!(get(&ann, "/sessions").await["sessions"][0]["id"], "a b");
    assert_eq!(ask(&ann, "DELETE", "/sessions/a%20b", Value::Null).await, (204, Value::Null));
    assert_eq!(get(&ann, "/sessions").await, json!({ "sessions": [], "next": null }));
}

async fn branches_are_shown_and_paged(store: Store) {
    let ann = of(&engine(&Scripted::reply("Meow"), &store), "ann");
    for text in ["one", "two", "three"] {
        say(&ann, "s", json!({ "text": text })).await;
    }
    say(&ann, "s", json!({ "type": "edit", "seq": 3, "text": "zwei" })).await;
    say(&ann, "s", json!({ "type": "regenerate" })).await;
    let page = get(&ann, "/sessions/s/messages").await;
    assert_eq!((seqs(&page), &page["siblings"]), (vec![1, 2, 7, 9], &json!({ "7": [3, 7], "9": [8, 9] })));
    assert_eq!(ask(&ann, "POST", "/sessions/s/select", json!({ "seq": 3 })).await, (204, Value::Null));
    let newest = get(&ann, "/sessions/s/messages?last=3").await;
    assert_eq!((seqs(&newest), &newest["siblings"]), (vec![4, 5, 6], &json!({})));
    assert_eq!((&newest["more"], &newest["messages"][0]["parent"]), (&json!(true), &json!(3)));
    let older = get(&ann, "/sessions/s/messages?last=3&head=3").await;
    assert_eq!((seqs(&older), &older["siblings"]), (vec![1, 2, 3], &json!({ "3": [3, 7] })));
    assert_eq!(older["more"], false);
    say(&ann, "s", json!({ "type": "edit", "seq": 1, "text": "eins" })).await;
    let first = get(&ann, "/sessions/s/messages").await;
    assert_eq!(first["siblings"], json!({ "10": [1, 10] }));
    let (status, copy) = ask(&ann, "POST", "/sessions/s/fork", json!({ "id": "copy", "upto": 2 })).await;
    assert_eq!((status, &copy["id"], &copy["messages"]), (201, &json!("copy"), &json!(2)));
    assert_eq!(ask(&ann, "POST", "/sessions/s/fork", Value::Null).await.0, 201);
    assert_eq!(kind(ask(&ann, "GET", "/sessions/s/messages?head=99", Value::Null).await).0, 404);
    assert_eq!(kind(ask(&ann, "POST", "/sessions/s/select", json!({ "seq": 99 })).await).0, 404);
}

async fn a_list_goes_on_where_it_ended(store: Store) {
    let ann = of(&engine(&Scripted::reply("Meow"), &store), "ann");
    for session in ["a", "b", "c"] {
        assert_eq!(ask(&ann, "POST", "/sessions", json!({ "id": session })).await.0, 201);
    }
    ask(&ann, "PATCH", "/sessions/a", json!({ "pinned": true })).await;
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let page = get(&ann, &format!("/sessions?limit=1{next}")).await;
        found.push(page["sessions"][0]["id"].as_str().unwrap().to_owned());
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("&after={cursor}");
    }
    found[1..].sort();
    assert_eq!(found, ["a", "b", "c"]);
}

async fn sessions_are_made_changed_and_let_go(store: Store) {
    let ann = of(&engine(&Scripted::reply("Meow"), &store), "ann");
    let (status, made) = ask(&ann, "POST", "/sessions", json!({ "title": "T", "metadata": { "a": 1 } })).await;
    assert_eq!((status, &made["title"], &made["metadata"]), (201, &json!("T"), &json!({ "a": 1 })));
    let fresh = made["id"].as_str().unwrap();
    let changes = json!({ "title": " New \n title", "pinned": true, "archived": true, "metadata": {} });
    let (_, changed) = ask(&ann, "PATCH", &format!("/sessions/{fresh}"), changes).await;
    assert_eq!((&changed["title"], &changed["pinned"]), (&json!("New title"), &json!(true)));
    assert_eq!(get(&ann, "/sessions?archived=true").await["sessions"][0]["id"], fresh);
    assert!(get(&ann, "/sessions").await["sessions"].as_array().unwrap().is_empty());

    let half = json!({ "pinned": false, "title": "" });
    assert_eq!(kind(ask(&ann, "PATCH", &format!("/sessions/{fresh}"), half).await), (400, "invalid_input".into()));
    assert_eq!(get(&ann, &format!("/sessions/{fresh}")).await["pinned"], true, "all or nothing is changed");
    assert_eq!(ask(&ann, "PATCH", &format!("/sessions/{fresh}"), json!({})).await.0, 200);
    assert_eq!(kind(ask(&ann, "PATCH", "/sessions/none", json!({ "pinned": true })).await).0, 404);

    say(&ann, "talk", json!({ "text": "Hi" })).await;
    assert_eq!(ask(&ann, "DELETE", "/sessions/empty", Value::Null).await, (200, json!({ "deleted": 1 })));
    let chosen = json!({ "sessions": ["talk", "none"] });
    assert_eq!(ask(&ann, "POST", "/sessions/delete", chosen).await, (200, json!({ "deleted": 1 })));
}

async fn a_turn_is_watched_stopped_and_gone_on_with(store: Store) {
    let gate = Gate::new();
    let model =
        Scripted::script([Step::text("Hello "), Step::gate(&gate), Step::stop()]).then(Scripted::reply("world"));
    let engine = engine(&model, &store);
    let ann = of(&engine, "ann");
    let Body::Stream(mut watched) =
        answer(&ann, request("POST", "/sessions/s/turns", json!({ "text": "Hi" }))).await.body
    else {
        panic!("events are a stream")
    };
    let first = String::from_utf8(watched.next().await.unwrap().unwrap()).unwrap();
    let turn = get(&ann, "/turns").await["turns"][0]["turn"].as_str().unwrap().to_owned();
    assert!(first.starts_with(&format!("id: {turn}:0\ndata: {{\"type\":\"started\"")), "{first}");
    assert_eq!(get(&ann, "/sessions/s/messages").await["running"], turn.as_str());

    let busy = ask(&ann, "POST", "/sessions/s/turns", json!({ "text": "Hi again" })).await;
    assert_eq!((busy.0, &busy.1["error"]["turn"]), (409, &json!(turn)));
    assert_eq!(ask(&ann, "POST", &format!("/turns/{turn}/cancel"), Value::Null).await, (204, Value::Null));
    let rest: Vec<_> = watched.map(|piece| String::from_utf8(piece.unwrap()).unwrap()).collect().await;
    assert!(rest.concat().contains("\"status\":\"cancelled\""), "{rest:?}");

    let again =
        Request { last_event_id: Some(format!("{turn}:4")), ..request("GET", &format!("/turns/{turn}"), Value::Null) };
    let again = Request { accept: Some("application/x-ndjson".into()), ..again };
    let response = answer(&ann, again).await;
    assert_eq!(header(&response, "content-type"), Some("application/x-ndjson; charset=utf-8"));
    let lines = text(response).await;
    assert!(lines.starts_with("{\"type\":\"text\",\"text\":\"o \",\"offset\":6}\n{\"type\":\"finished\""), "{lines}");

    let more = say(&ann, "s", json!({ "type": "continue" })).await;
    assert_eq!((&more[0]["user_seq"], &more[1]["text"]), (&json!(2), &json!("world")));
    assert_eq!(get(&ann, &format!("/turns/{turn}?offset=6")).await[0]["status"], "cancelled");
}

async fn a_client_that_goes_away_ends_no_turn(store: Store) {
    let gate = Gate::new();
    let model = Scripted::script([Step::text("Hello "), Step::gate(&gate), Step::text("world"), Step::stop()]);
    let ann = of(&engine(&model, &store), "ann");
    let Body::Stream(mut watched) =
        answer(&ann, request("POST", "/sessions/s/turns", json!({ "text": "Hi" }))).await.body
    else {
        panic!("events are a stream")
    };
    watched.next().await.unwrap().unwrap();
    drop(watched);
    gate.open();
    eventually("the whole reply", async || {
        get(&ann, "/sessions/s/messages").await["messages"][1]["content"][0]["text"] == "Hello world"
    })
    .await;
}

async fn the_same_key_is_the_same_turn(store: Store) {
    let model = Scripted::reply("Meow");
    let ann = of(&engine(&model, &store), "ann");
    let once = say(&ann, "s", json!({ "text": "Hi", "key": "k" })).await;
    let again = say(&ann, "s", json!({ "text": "Hi", "key": "k" })).await;
    assert_eq!((&once[0]["turn"], model.asked()), (&again[0]["turn"], 1));
    let other = ask(&ann, "POST", "/sessions/s/turns", json!({ "text": "Ho", "key": "k" })).await;
    assert_eq!(kind(other), (409, "conflict".into()));
}

async fn a_feed_tells_and_goes_on(store: Store) {
    let engine = engine(&Scripted::reply("Meow"), &store);
    let ann = of(&engine, "ann");
    let open = async |target: &str, last: Option<&str>| {
        let request = Request { last_event_id: last.map(str::to_owned), ..request("GET", target, Value::Null) };
        let response = answer(&ann, request).await;
        assert_eq!(header(&response, "content-type"), Some("text/event-stream; charset=utf-8"));
        let Body::Stream(pieces) = response.body else { panic!("a feed is a stream") };
        pieces.map(|piece| String::from_utf8(piece.unwrap()).unwrap())
    };
    let mut feed = open("/feed", None).await;
    assert_eq!(feed.next().await.unwrap(), "id: 0\n\n");
    ask(&ann, "POST", "/sessions", json!({ "id": "s", "title": "T" })).await;
    let news = feed.next().await.unwrap();
    assert!(news.starts_with("id: 1\ndata: {\"n\":1,") && news.contains("\"title\":\"T\""), "{news}");
    ask(&ann, "PATCH", "/sessions/s", json!({ "title": "Other" })).await;
    let mut back = open("/feed?after=0", Some("1")).await;
    assert_eq!(back.next().await.unwrap(), "id: 1\n\n");
    assert!(back.next().await.unwrap().starts_with("id: 2\n"));
    engine.close(Duration::ZERO).await.unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(20), back.collect::<Vec<_>>()).await;
    assert!(rest.unwrap().is_empty(), "a feed ends with its engine");
}

async fn all_can_be_taken_out(store: Store) {
    let ann = of(&engine(&Scripted::reply("Meow"), &store), "ann");
    assert_eq!(text(answer(&ann, request("GET", "/export", Value::Null)).await).await, "");
    for session in ["a", "b"] {
        say(&ann, session, json!({ "text": "Hi" })).await;
    }
    let all = answer(&ann, request("GET", "/export?format=jsonl", Value::Null)).await;
    assert_eq!(header(&all, "content-disposition"), Some("attachment; filename=\"chats.jsonl\""));
    assert_eq!(text(all).await.lines().filter(|line| line.contains("\"type\":\"session\"")).count(), 2);
    let one = answer(&ann, request("GET", "/sessions/a/export?format=markdown", Value::Null)).await;
    assert_eq!(header(&one, "content-type"), Some("text/markdown; charset=utf-8"));
    assert!(text(one).await.contains("## Assistant"));
    assert_eq!(ask(&ann, "GET", "/export?format=pdf", Value::Null).await.0, 400);
    assert_eq!(kind(ask(&ann, "GET", "/sessions/none/export", Value::Null).await).0, 404);
}

async fn what_was_used_and_found_is_told(store: Store) {
    let model = Scripted::reply("Meow in Kyoto");
    let ann = of(&engine(&model, &store), "ann");
    say(&ann, "s", json!({ "text": "Hi" })).await;
    let hits = get(&ann, "/search?q=ky%C5%8Dto").await;
    assert_eq!((&hits["hits"][0]["seq"], &hits["next"], &hits["complete"]), (&json!(2), &Value::Null, &json!(true)));
    assert_eq!(kind(ask(&ann, "GET", "/search", Value::Null).await), (400, "invalid_input".into()));
    let usage = get(&ann, "/usage?by=session&session=s").await;
    assert_eq!((&usage["usage"][0]["session"], &usage["limits"]), (&json!("s"), &json!([])));
    let plan = |send: Send| send.limits(vec![daily(9)]);
    let planned = ann.serve(request("GET", "/usage", Value::Null), plan).await;
    assert!(text(planned).await.contains("\"name\":\"daily\""));

    let (status, title) = ask(&ann, "POST", "/sessions/s/title", Value::Null).await;
    assert_eq!((status, &title["title"]), (200, &json!("Meow in Kyoto")));
    let (status, summary) = ask(&ann, "POST", "/sessions/s/summary", json!({})).await;
    assert_eq!((status, &summary["upto"]), (200, &json!(2)));
    assert_eq!(get(&ann, "/sessions/s/summaries").await["summaries"][0]["active"], true);
    assert_eq!(ask(&ann, "PUT", "/sessions/s/summary", json!({ "summary": null })).await, (204, Value::Null));
    assert_eq!(get(&ann, "/sessions/s/summaries").await["summaries"][0]["active"], false);
    let page = get(&ann, "/sessions/s/messages").await;
    assert_eq!((seqs(&page), &page["siblings"]), (vec![1, 2], &json!({})), "a summary stands beside nobody");
}

async fn others_find_nothing(store: Store) {
    let gate = Gate::new();
    let model = Scripted::script([Step::text("Secret"), Step::gate(&gate), Step::stop()]);
    let engine = engine(&model, &store);
    let (ann, bob) = (of(&engine, "ann"), of(&engine, "bob"));
    let reply = ann.session("s").unwrap().send("Hi").await.unwrap();
    let before = get(&ann, "/sessions/s").await;
    let named = ROUTES.iter().filter(|route| route.path.contains('{'));
    for route in named {
        let path = route.path.replace("{session}", "s").replace("{turn}", &reply.turn().to_string());
        let body = match (route.method, route.path) {
            (_, "/sessions/{session}/turns") => json!({ "type": "edit", "seq": 1, "text": "Mine" }),
            (_, "/sessions/{session}/select") => json!({ "seq": 1 }),
            ("PUT", _) => json!({ "summary": null }),
            ("PATCH", _) => json!({ "pinned": true }),
            _ => Value::Null,
        };
        let refused = kind(ask(&bob, route.method, &path, body).await);
        assert_eq!(refused, (404, "not_found".into()), "{} {path}", route.method);
    }
    assert_eq!(ask(&bob, "POST", "/sessions/delete", json!({ "sessions": ["s"] })).await.1["deleted"], 0);
    for target in ["/sessions", "/turns", "/search?q=hi", "/usage?session=s", "/export"] {
        let seen = text(answer(&bob, request("GET", target, Value::Null)).await).await;
        assert!(!seen.contains("Secret") && !seen.contains("\"s\""), "{target}: {seen}");
    }
    assert_eq!(get(&ann, "/sessions/s").await, before);
    gate.open();
}

#[tokio::test]
async fn what_is_refused_is_told_as_the_kind_it_is() {
    let ann = of(&engine(&Scripted::reply("Meow"), &in_memory()), "ann");
    assert_eq!(kind(ask(&ann, "GET", "/nothing", Value::Null).await), (404, "not_found".into()));
    assert_eq!(kind(ask(&ann, "PUT", "/feed", Value::Null).await), (405, "unsupported".into()));
    assert!(get(&ann, "/models").await["models"].is_array());
    let busy = daily(0);
    let refused =
        ann.serve(request("POST", "/sessions/s/turns", json!({ "text": "Hi" })), |send| send.limits(vec![busy])).await;
    assert_eq!((refused.status, header(&refused, "cache-control")), (429, Some("no-store")));
    assert!(header(&refused, "retry-after").unwrap().parse::<u64>().unwrap() > 0);
    all(ann.session("s").unwrap().send("Hi").await.unwrap()).await;
    // What a model makes counts as a turn does: by the limits that the application gives a send.
    for path in ["/sessions/s/title", "/sessions/s/summary"] {
        let post = || request("POST", path, json!({}));
        let made = async |max| ann.serve(post(), |send| send.limits(vec![daily(max)])).await.status;
        assert_eq!((made(0).await, made(100).await), (429, 200), "{path}");
    }
}
