//! The HTTP API's reading: every route, every refusal, and that nothing a client sends can break it.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::id::{SessionId, TurnId};
use crate::memory::{Cursor, GroupBy};
use crate::tools::Decision;
use crate::wire::Command;

const TURN: &str = "07070707-0707-0707-0707-070707070707";

fn request(method: &str, path: &str, query: &str, body: &str) -> Request {
    let (method, path, query) = (method.into(), path.into(), query.into());
    Request { method, path, query, body: body.into(), ..Request::default() }
}

fn asked(method: &str, path: &str, query: &str, body: &str) -> Ask {
    read(&request(method, path, query, body)).unwrap_or_else(|refusal| panic!("{method} {path}: {}", told(&refusal)))
}

fn told(response: &Response) -> String {
    match &response.body {
        Body::Whole(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Body::Stream(_) => panic!("a refusal is no stream"),
    }
}

fn refused(method: &str, path: &str, query: &str, body: &str) -> u16 {
    read(&request(method, path, query, body)).expect_err("refused").status
}

fn id(session: &str) -> SessionId {
    SessionId::new(session).unwrap()
}

/// A request and what it is read as.
type Example = (&'static str, &'static str, &'static str, &'static str, Ask);

fn metadata() -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_str(r#"{"a":1}"#).unwrap()
}

/// Each row of the table that is about all sessions.
fn of_an_owner() -> Vec<Example> {
    let (s, title) = (|| id("a b"), Some("T".to_owned()));
    let usage =
        Ask::Usage { by: vec![GroupBy::Day, GroupBy::Model], from_ms: Some(-1), to_ms: Some(2), session: Some(s()) };
    let made = Ask::Create { id: Some(s()), title, metadata: Some(metadata()) };
    let search = Ask::Search { question: "temples in Kyōto".into(), after: Some("x".into()), limit: 5 };
    let listed = Ask::Sessions { limit: 7, after: None, archived: true };
    let chosen = Ask::DeleteMany { sessions: vec![s(), id("c")] };
    vec![
        ("GET", "/sessions", "limit=7&archived=true", "", listed),
        ("POST", "/sessions", "", r#"{"id":"a b","title":"T","metadata":{"a":1}}"#, made),
        ("POST", "/sessions/delete", "", r#"{"sessions":["a b","c"]}"#, chosen),
        ("DELETE", "/sessions/empty", "", "", Ask::DeleteEmpty),
        ("GET", "/export", "", "", Ask::Export { session: None, format: None }),
        ("GET", "/turns", "", "", Ask::Turns),
        ("GET", "/search", "q=temples+in+Ky%C5%8Dto&after=x&limit=5", "", search),
        ("GET", "/usage", "by=day,model&from_ms=-1&to_ms=2&session=a%20b", "", usage),
        ("GET", "/models", "", "", Ask::Models),
        ("GET", "/feed", "after=17", "", Ask::Feed { after: Some(17), format: Format::Sse }),
    ]
}

/// Each row that is about one session or one turn.
fn of_a_session() -> Vec<Example> {
    let (s, turn) = (|| id("a b"), TURN.parse::<TurnId>().unwrap());
    let send = Command::Send { session: s(), text: "Hi".into(), after: Some(2), key: Some("k".into()) };
    let (title, metadata) = (Some("T".into()), Some(metadata()));
    let changed = Ask::Change { session: s(), title, pinned: Some(true), archived: Some(false), metadata };
    let change = r#"{"title":"T","pinned":true,"archived":false,"metadata":{"a":1}}"#;
    let shown = Ask::Messages { session: s(), last: 20, head: Some(9) };
    let copied = Ask::Fork { session: s(), id: Some(id("c")), upto: Some(4) };
    let said = Ask::Turn { command: send, format: Format::Sse };
    let exported = Ask::Export { session: Some(s()), format: Some("markdown".into()) };
    let watched = Ask::Turn { command: Command::Attach { turn, offset: 3 }, format: Format::Sse };
    vec![
        ("GET", "/sessions/a%20b", "", "", Ask::Info { session: s() }),
        ("PATCH", "/sessions/a%20b", "", change, changed),
        ("DELETE", "/sessions/a%20b", "", "", Ask::Delete { session: s() }),
        ("GET", "/sessions/a%20b/messages", "last=20&head=9", "", shown),
        ("POST", "/sessions/a%20b/select", "", r#"{"seq":3}"#, Ask::Select { session: s(), seq: 3 }),
        ("POST", "/sessions/a%20b/fork", "", r#"{"id":"c","upto":4}"#, copied),
        ("POST", "/sessions/a%20b/turns", "", r#"{"text":"Hi","after":2,"key":"k"}"#, said),
        ("POST", "/sessions/a%20b/title", "", "", Ask::MakeTitle { session: s() }),
        ("POST", "/sessions/a%20b/summary", "", r#"{"upto":4}"#, Ask::Summarize { session: s(), upto: Some(4) }),
        ("GET", "/sessions/a%20b/summaries", "", "", Ask::Summaries { session: s() }),
        ("PUT", "/sessions/a%20b/summary", "", r#"{"summary":5}"#, Ask::SetSummary { session: s(), summary: Some(5) }),
        ("GET", "/sessions/a%20b/export", "format=markdown", "", exported),
        ("GET", "/turns/07070707-0707-0707-0707-070707070707", "offset=3", "", watched),
        ("POST", "/turns/07070707-0707-0707-0707-070707070707/cancel", "", "{}", Ask::Cancel { turn }),
    ]
}

#[test]
fn every_route_is_read() {
    let mut reached = HashSet::new();
    for (method, path, query, body, ask) in of_an_owner().into_iter().chain(of_a_session()) {
        assert!(asked(method, path, query, body) == ask, "{method} {path}");
        let here = path.replace("/a%20b", "/{session}").replace(TURN, "{turn}");
        assert!(reached.insert((method, here)));
    }
    let all: HashSet<_> = ROUTES.iter().map(|route| (route.method, route.path.to_owned())).collect();
    assert!(reached == all && all.len() == ROUTES.len());
}

#[test]
fn the_contract_has_the_same_routes() {
    let contract = include_str!("../../../../docs/http.md");
    let written: Vec<_> = contract
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| row.split('`').next().unwrap().split_once(' ').unwrap())
        .collect();
    let known: Vec<_> = ROUTES.iter().map(|route| (route.method, route.path)).collect();
    assert_eq!(written, known);
    for route in &ROUTES {
        let row =
            contract.lines().find(|line| line.starts_with(&format!("| `{} {}`", route.method, route.path))).unwrap();
        for name in route.query {
            assert!(row.contains(&format!("{name}=")), "{}: {name}", route.path);
        }
    }
}

#[test]
fn what_a_turn_begins_with_is_a_command_of_this_session() {
    let command = |body: &str| match asked("POST", "/sessions/s/turns", "", body) {
        Ask::Turn { command, .. } => command,
        other => panic!("{other:?}"),
    };
    let session = || id("s");
    let (key, text) = (None, || "Hi".to_owned());
    assert!(command(r#"{"text":"Hi"}"#) == Command::Send { session: session(), text: text(), after: None, key: None });
    let edit = command(r#"{"type":"edit","seq":1,"text":"Hi"}"#);
    assert!(edit == Command::Edit { session: session(), seq: 1, text: text(), key });
    let again = Command::Regenerate { session: session(), seq: None, key: Some("k".into()) };
    assert!(command(r#"{"type":"regenerate","key":"k"}"#) == again);
    let on = Command::Continue { session: session(), seq: Some(2), key: None };
    assert!(command(r#"{"type":"continue","seq":2}"#) == on);
    let decisions = vec![Decision::approve("a"), Decision::deny("b", "no")];
    let decide = Command::Decide { session: session(), decisions, key: Some("k".into()) };
    let body = r#"{"type":"decide","decisions":[{"id":"a","approve":true},{"id":"b","deny":"no"}],"key":"k"}"#;
    assert!(command(body) == decide);
    for body in [
        "",
        "{}",
        "[]",
        r#"{"text":7}"#,
        r#"{"text":"Hi","session":"t"}"#,
        r#"{"text":"Hi","owner":"bob"}"#,
        r#"{"type":"cancel","turn":"07070707-0707-0707-0707-070707070707"}"#,
        r#"{"type":7,"text":"Hi"}"#,
        r#"{"type":"decide","decisions":[{"id":"a"}]}"#,
    ] {
        assert_eq!(refused("POST", "/sessions/s/turns", "", body), 400, "{body}");
    }
}

#[test]
fn who_comes_back_goes_on_where_he_was() {
    let attach = |last: &str| {
        let request =
            Request { last_event_id: Some(last.into()), ..request("GET", &format!("/turns/{TURN}"), "offset=3", "") };
        match read(&request).unwrap() {
            Ask::Turn { command: Command::Attach { offset, .. }, .. } => offset,
            other => panic!("{other:?}"),
        }
    };
    let other = TURN.replace('7', "8");
    assert_eq!([&format!("{TURN}:9"), &format!("{other}:9"), "9", ""].map(attach), [9, 3, 3, 3]);
    let news = |last: &str| {
        let request = Request { last_event_id: Some(last.into()), ..request("GET", "/feed", "after=3", "") };
        match read(&request).unwrap() {
            Ask::Feed { after, .. } => after,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(["9", "x"].map(news), [Some(9), Some(3)]);
}

#[test]
fn json_lines_are_for_those_who_name_them() {
    let format = |accept: &str| {
        let request = Request { accept: Some(accept.into()), ..request("GET", "/feed", "", "") };
        match read(&request).unwrap() {
            Ask::Feed { format, .. } => format,
            other => panic!("{other:?}"),
        }
    };
    let named = ["application/x-ndjson", "text/html, application/x-ndjson;q=0.9"];
    assert_eq!(named.map(format), [Format::Ndjson; 2]);
    assert_eq!(["", "*/*", "text/event-stream", "application/json"].map(format), [Format::Sse; 4]);
}

#[test]
fn a_cursor_leads_back_and_says_nothing() {
    let cursor = Cursor { pinned: true, updated_ms: -7, session: id("ключ&=") };
    let text = spelled(&cursor);
    assert!(text.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char)), "{text}");
    let page = asked("GET", "/sessions", &format!("after={text}"), "");
    assert!(page == Ask::Sessions { limit: 50, after: Some(cursor), archived: false });
    for bad in ["x", "", "e30", "%20"] {
        assert_eq!(refused("GET", "/sessions", &format!("after={bad}"), ""), 400, "{bad}");
    }
}

#[test]
fn what_is_wrong_is_told_without_what_was_said() {
    assert_eq!(refused("GET", "/", "", ""), 404);
    assert_eq!(refused("GET", "/sessions/", "", ""), 404);
    assert_eq!(refused("GET", "/sessions/s/messages/1", "", ""), 404);
    assert_eq!(refused("POST", "/sessions/%00/title", "", ""), 400);
    assert_eq!(refused("GET", "/sessions/%ff", "", ""), 400);
    assert_eq!(refused("GET", "/turns/7", "", ""), 400);
    assert_eq!(refused("PUT", "/sessions/s/summary", "", "{}"), 400);
    for query in ["limit=x", "limit=-1", "archived=maybe"] {
        assert_eq!(refused("GET", "/sessions", query, ""), 400, "{query}");
    }
    let refusal = read(&request("PUT", "/sessions/empty", "", "")).unwrap_err();
    let allow = refusal.headers.iter().find(|(name, _)| *name == "allow").map(|(_, value)| value.clone());
    assert_eq!((refusal.status, allow.as_deref()), (405, Some("DELETE, GET, PATCH")));
    let large = read(&request("POST", "/sessions/s/turns", "", &" ".repeat(MAX_BODY + 1))).unwrap_err();
    assert!(large.status == 413 && told(&large).contains(r#""kind":"invalid_input""#));
    for body in [r#"{"text":"secret""#, r#"{"seq":"secret"}"#, r#"{"secret":1}"#, r#"{"type":"secret"}"#, "secret"] {
        for (method, path) in [("POST", "/sessions/s/turns"), ("PATCH", "/sessions/s"), ("POST", "/sessions/s/select")]
        {
            let refusal = told(&read(&request(method, path, "", body)).unwrap_err());
            assert!(!refusal.contains("secret"), "{path} {refusal}");
        }
    }
    let shown = format!("{:?}", request("GET", "/search", "q=secret", "secret"));
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn an_error_says_when_to_come_again() {
    let wait = |ms| {
        let after = Some(std::time::Duration::from_millis(ms));
        Response::error(&Error::new(ErrorKind::Limited, "later").with_retry_after(after))
    };
    let retry = |response: &Response| response.headers.iter().find(|(name, _)| *name == "retry-after").cloned();
    let seconds = |ms| retry(&wait(ms)).map(|(_, value)| value.into_owned());
    assert_eq!([0, 1, 1000, 1001].map(seconds), ["1", "1", "1", "2"].map(|text| Some(text.to_owned())));
    assert_eq!((wait(1).status, retry(&Response::error(&Error::not_found("session")))), (429, None));
}

fn escaped(id: &str) -> String {
    id.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn nothing_panics(
        method in "GET|POST|PUT|PATCH|DELETE|\\PC*",
        route in any::<prop::sample::Index>(),
        path in "\\PC*",
        at in "[^/]*",
        query in "(limit|last|head|after|by|offset|q|format|archived|from_ms|\\PC*)=[%+&\\PC]*",
        body in "\\PC*|\\{\"(text|seq|type|upto|sessions)\":\\PC*\\}",
        last_event_id in any::<Option<String>>(),
    ) {
        let known = ROUTES[route.index(ROUTES.len())];
        let there = known.path.replace("{session}", &at).replace("{turn}", &at);
        for (method, path) in [(method.as_str(), path), (known.method, there)] {
            let request = Request { last_event_id: last_event_id.clone(), ..request(method, &path, &query, &body) };
            if let Err(refusal) = read(&request) {
                let kind = serde_json::from_str::<serde_json::Value>(&told(&refusal)).unwrap()["error"]["kind"].clone();
                prop_assert!((400..500).contains(&refusal.status) && kind.is_string());
            }
        }
    }

    #[test]
    fn every_id_has_a_path(name in "[^\\p{Cc}]{1,32}") {
        let ask = asked("GET", &format!("/sessions/{}", escaped(&name)), "", "");
        let info = Ask::Info { session: id(&name) };
        prop_assert!(ask == info);
    }
}
