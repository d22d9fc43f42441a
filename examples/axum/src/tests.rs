//! The routes with a scripted model: what a browser sends, sees, and comes back to.

use std::net::SocketAddr;
use std::sync::Once;
use std::time::{Duration, Instant};

use catgpt_core::model::{Gate, Scripted, Step};
use catgpt_core::wire::guest::Guest;
use catgpt_core::{Engine, Message, Role, Status};
use clap::Parser;
use futures_util::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::app;
use crate::settings::Settings;

/// What TLS is made with has to be named before a client is made, also one that uses none.
fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
    reqwest::Client::new()
}

struct Server {
    engine: Engine,
    url: String,
}

/// The application with a model and options of one's own, until the runtime of the test ends.
async fn serve(model: Scripted, options: &[&str]) -> Server {
    // Whatever database the environment names, each test has chats and counts of its own.
    let alone = ["catgpt", "--database-url", "memory:"];
    let settings = Settings::try_parse_from([&alone[..], options].concat()).unwrap();
    let engine = settings.engine(model).await.unwrap();
    let app = app::router(engine.clone(), settings).into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    Server { engine, url }
}

impl Server {
    fn browser(&self) -> Browser {
        Browser { url: self.url.clone(), client: client(), cookie: String::new(), from: None }
    }
}

/// Keeps its cookie, as browsers do.
struct Browser {
    url: String,
    client: reqwest::Client,
    cookie: String,
    from: Option<&'static str>,
}

impl Browser {
    async fn fetch(&mut self, path: &str, body: Option<&str>) -> Response {
        let url = format!("{}{path}", self.url);
        let mut request = match body {
            Some(body) => self.client.post(url).header("content-type", "application/json").body(body.to_owned()),
            None => self.client.get(url),
        };
        if let Some(from) = self.from {
            request = request.header("fly-client-ip", from);
        }
        let response = request.header("cookie", &self.cookie).send().await.unwrap();
        if let Some(cookie) = response.headers().get("set-cookie") {
            self.cookie = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        response
    }

    async fn chat(&mut self, session: &str, message: &str) -> Response {
        let body = json!({ "sessionId": session, "message": message }).to_string();
        self.fetch("/chat", Some(&body)).await
    }

    async fn get(&mut self, path: &str) -> (u16, Value) {
        answer(self.fetch(path, None).await).await
    }

    /// Whose sessions the engine keeps for it: the cookie itself stands in no store.
    fn owner(&self) -> String {
        Guest::known("catgpt", &self.cookie, false).unwrap().owner.as_str().to_owned()
    }
}

async fn answer(response: Response) -> (u16, Value) {
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// The ids and the events of a whole stream.
async fn events(response: Response) -> Vec<(String, Value)> {
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let text = response.text().await.unwrap();
    let frames = text.split("\n\n").filter_map(|frame| frame.strip_prefix("id: ")?.split_once("\ndata: "));
    frames.map(|(id, data)| (id.to_owned(), serde_json::from_str(data).unwrap())).collect()
}

fn text(events: &[(String, Value)]) -> String {
    events.iter().filter_map(|(_, event)| event["text"].as_str()).collect()
}

/// Says `Hello `, waits, says `world` and has finished.
fn gated() -> (Scripted, Gate) {
    let gate = Gate::new();
    (Scripted::script([Step::text("Hello "), Step::gate(&gate), Step::text("world"), Step::stop()]), gate)
}

async fn history(server: &Server, owner: String) -> Vec<Message> {
    server.engine.user(owner).unwrap().session("trip").unwrap().history(100).await.unwrap()
}

#[tokio::test]
async fn an_answer_comes_as_events_with_ids_its_newlines_whole() {
    let said = "# Cats\n\n```js\nmeow();\n``` 🐈 مواء";
    let seen = events(serve(Scripted::reply(said), &[]).await.browser().chat("trip", "Hi").await).await;
    assert_eq!(text(&seen), said);
    let (first, last) = (&seen[0].1, seen.last().unwrap());
    assert_eq!(
        (&first["type"], &first["session"], &first["persona"]),
        (&json!("started"), &json!("trip"), &json!("cat"))
    );
    assert_eq!(last.1["status"], "complete");
    assert_eq!(last.0, format!("{}:{}", first["turn"].as_str().unwrap(), last.1["offset"]));
}

#[tokio::test]
async fn only_the_newest_message_is_sent_and_the_model_reads_all_of_them() {
    let model = Scripted::reply("Meow.");
    let mut mine = serve(model.clone(), &[]).await.browser();
    events(mine.chat("trip", "My name is Tom.").await).await;
    events(mine.chat("trip", "Who am I?").await).await;
    let roles: Vec<Role> = model.requests()[1].messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
}

#[tokio::test]
async fn a_browser_that_goes_away_loses_nothing() {
    let (model, gate) = gated();
    let server = serve(model, &[]).await;
    let mut mine = server.browser();
    let response = mine.chat("trip", "Hi").await;
    let mut body = response.bytes_stream();
    while !String::from_utf8_lossy(&body.next().await.unwrap().unwrap()).contains("Hello") {}
    drop(body);
    gate.open();
    let until = Instant::now() + Duration::from_secs(20);
    while history(&server, mine.owner()).await[1].status != Status::Complete {
        assert!(Instant::now() < until, "the whole answer never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(history(&server, mine.owner()).await[1].text(), "Hello world");
}

#[tokio::test]
async fn the_same_key_is_the_same_turn() {
    let model = Scripted::reply("Meow.");
    let mut mine = serve(model.clone(), &[]).await.browser();
    let body = json!({ "sessionId": "trip", "message": "Hi", "key": "m1" }).to_string();
    let first = events(mine.fetch("/chat", Some(&body)).await).await;
    let again = events(mine.fetch("/chat", Some(&body)).await).await;
    assert_eq!((&again[0].1["turn"], text(&again), model.asked()), (&first[0].1["turn"], "Meow.".into(), 1));
}

#[tokio::test]
async fn a_cookie_that_no_script_reads_is_the_owner_and_the_others_chats_are_not_there() {
    let server = serve(Scripted::reply("Meow."), &[]).await;
    let (mut mine, mut other) = (server.browser(), server.browser());
    let response = mine.chat("trip", "Hi").await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("catgpt=") && cookie.ends_with("; HttpOnly; SameSite=Lax"), "{cookie}");
    events(response).await;
    let again = mine.chat("trip", "And?").await;
    assert_eq!(again.headers().get("set-cookie"), None);
    events(again).await;
    events(other.chat("trip", "Mine?").await).await;
    assert_ne!(mine.owner(), other.owner());
    assert_eq!((history(&server, mine.owner()).await.len(), history(&server, other.owner()).await.len()), (4, 2));
}

#[tokio::test]
async fn a_busy_session_is_a_409_that_names_its_turn_before_the_first_byte() {
    let (model, gate) = gated();
    let mut mine = serve(model, &[]).await.browser();
    let running = mine.chat("trip", "Hi").await;
    let (status, refused) = answer(mine.chat("trip", "And?").await).await;
    assert_eq!((status, &refused["error"]["kind"]), (409, &json!("busy")));
    gate.open();
    let seen = events(running).await;
    assert_eq!(seen[0].1["turn"], refused["error"]["turn"]);
}

#[tokio::test]
async fn an_address_has_so_many_messages_in_a_time_and_a_header_is_believed_only_where_it_is_named() {
    let limit = ["--rate-limit", "9/hour,2/day"];
    let behind =
        serve(Scripted::reply("Meow."), &[&limit[..], &["--client-ip-header", "fly-client-ip"]].concat()).await;
    let open = serve(Scripted::reply("Meow."), &limit).await;
    let send = async |server: &Server, from| {
        let mut browser = Browser { from: Some(from), ..server.browser() };
        browser.chat("trip", "Hi").await
    };
    for _ in 0..2 {
        events(send(&behind, "2001:db8::1").await).await;
        events(send(&open, "192.0.2.1").await).await;
    }
    let refused = send(&behind, "2001:db8::ffff").await;
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    let (status, refused) = answer(refused).await;
    assert_eq!((status, &refused["error"]["kind"]), (429, &json!("limited")));
    assert_eq!(refused["error"]["limit"]["name"], "messages a day");
    events(send(&behind, "192.0.2.2").await).await;
    assert_eq!(send(&open, "192.0.2.2").await.status(), 429);
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_words_and_nothing_is_asked_of_the_model() {
    let model = Scripted::reply("Meow.");
    let mut mine = serve(model.clone(), &[]).await.browser();
    let bad = ["{", "{}", "[]", r#"{"sessionId":1,"message":"Hi"}"#, r#"{"sessionId":"","message":"Hi"}"#];
    for body in bad {
        let (status, refused) = answer(mine.fetch("/chat", Some(body)).await).await;
        assert_eq!((status, &refused["error"]["kind"]), (400, &json!("invalid_input")), "{body}");
    }
    assert_eq!(model.asked(), 0);
}

#[tokio::test]
async fn capabilities_tell_the_page_what_there_is_and_health_an_operator_how_it_is() {
    let server = serve(Scripted::reply("Meow."), &[]).await;
    let (_, page) = server.browser().get("/capabilities").await;
    assert_eq!((&page["app"], &page["skin"], &page["transport"]), (&json!("axum"), &json!("cat"), &json!("sse")));
    let (status, well) = server.browser().get("/health").await;
    assert_eq!((status, &well["healthy"]), (200, &json!(true)));
    server.engine.close(Duration::ZERO).await.unwrap();
    assert_eq!(server.browser().get("/health").await.0, 503);
}

#[tokio::test]
async fn the_built_page_is_served_where_it_is_there_and_other_origins_are_let_in_by_name() {
    let dist = tempfile::tempdir().unwrap();
    std::fs::write(dist.path().join("index.html"), "<title>CatGPT</title>").unwrap();
    let dist = dist.path().to_str().unwrap();
    let server =
        serve(Scripted::reply("Meow."), &["--web-dist", dist, "--allowed-origins", "http://localhost:5173"]).await;
    let page = server.browser().fetch("/", None).await;
    assert_eq!(page.headers().get("set-cookie"), None);
    assert!(page.text().await.unwrap().contains("CatGPT"));
    for (origin, allowed) in [("http://localhost:5173", true), ("http://evil.example", false)] {
        let request = client().get(format!("{}/capabilities", server.url)).header("origin", origin);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers().contains_key("access-control-allow-origin"), allowed, "{origin}");
    }
}

#[tokio::test]
async fn the_engines_api_is_mounted_and_counts_by_address_too() {
    let (server, limit) = (serve(Scripted::reply("Meow."), &["--rate-limit", "2/day"]).await, "messages a day");
    let mut mine = server.browser();
    events(mine.chat("a trip", "Hi").await).await;
    let (_, page) = mine.get("/api/sessions/a%20trip/messages?last=1").await;
    assert_eq!(page["messages"][0]["content"][0]["text"], "Meow.");
    events(mine.fetch("/api/sessions/a%20trip/turns", Some(r#"{"type": "regenerate"}"#)).await).await;
    let (status, refused) = answer(mine.fetch("/api/sessions/b/turns", Some(r#"{"text": "Hi"}"#)).await).await;
    assert_eq!((status, &refused["error"]["limit"]["name"]), (429, &json!(limit)));
    let (_, usage) = mine.get("/api/usage").await;
    assert_eq!((&usage["limits"][0]["name"], &usage["limits"][0]["used"]), (&json!(limit), &json!(2)));
    assert_eq!(server.browser().get("/api/sessions/a%20trip").await.0, 404);
    assert_eq!(mine.get("/api/nothing").await.0, 404);
}

#[tokio::test]
async fn only_models_that_are_offered_can_be_chosen() {
    let model = Scripted::reply("Meow.");
    let server = serve(model.clone(), &["--models", "gpt-4o,gpt-4o-mini"]).await;
    let mut mine = server.browser();
    assert_eq!(mine.get("/capabilities").await.1["models"], json!(["gpt-4o", "gpt-4o-mini"]));
    let chosen = |model| json!({ "sessionId": "trip", "message": "Hi", "model": model }).to_string();
    events(mine.fetch("/chat", Some(&chosen("gpt-4o"))).await).await;
    let (status, refused) = answer(mine.fetch("/chat", Some(&chosen("o1-pro"))).await).await;
    assert_eq!((status, &refused["error"]["kind"]), (400, &json!("invalid_input")));
    assert_eq!((model.asked(), model.requests()[0].model.as_deref()), (1, Some("gpt-4o")));
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let refused = |option| Settings::try_parse_from(["catgpt", option, "many"]).unwrap_err().to_string();
    assert!(refused("--port").contains("--port"));
    assert!(refused("--rate-limit").contains("20/minute"));
}
