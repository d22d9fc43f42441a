//! The program itself: what it says when it starts, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ended when the test ends, however it does.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts it, and gives its address.
fn start(env: &[(&str, &str)]) -> (Program, SocketAddr) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_catgpt-axum-example"));
    for outside in ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "DATABASE_URL", "REDIS_URL"] {
        command.env_remove(outside);
    }
    command.env("PORT", "0").envs(env.iter().copied());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("http://").parse().unwrap();
    (Program(child), address)
}

/// Says something, and gives the answer to read.
fn say(address: SocketAddr) -> TcpStream {
    ask(address, r#"{"sessionId": "trip", "message": "Hi"}"#)
}

fn ask(address: SocketAddr, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /chat HTTP/1.1\r\nhost: cat\r\nconnection: close\r\ncontent-type: application/json\r\n";
    write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream
}

/// Reads until these words came.
fn until(stream: &mut TcpStream, words: &str) -> String {
    let mut seen = String::new();
    while !seen.contains(words) {
        let mut bytes = [0; 4096];
        let read = stream.read(&mut bytes).unwrap();
        assert!(read > 0, "{words} never came: {seen}");
        seen += &String::from_utf8_lossy(&bytes[..read]);
    }
    seen
}

/// An endpoint that answers everything with this, once its question has these words in it, and goes on saying nothing.
fn upstream(words: &'static str, answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // An answer before its question would be a fault of another kind.
            until(&mut stream, words);
            stream.write_all(answer.as_bytes()).unwrap();
            held.push(stream);
        }
    });
    url
}

#[test]
fn without_a_key_the_cat_answers_and_nothing_is_needed() {
    let (_program, address) = start(&[]);
    assert!(until(&mut say(address), r#""status":"complete""#).contains("Meow"));
}

#[test]
fn told_to_stop_it_stores_what_it_has_ends_each_answer_in_words_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("chat.db").display());
    let model = upstream(
        r#""stream":true"#,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"Once upon\"}}]}\n\n"
            .into(),
    );
    let env = [("OPENAI_BASE_URL", &*model), ("DATABASE_URL", &store), ("SHUTDOWN_SECONDS", "0")];
    let (mut program, address) = start(&env);
    let mut answer = say(address);
    until(&mut answer, "Once upon");
    let kill = Command::new("kill").args(["-TERM", &program.0.id().to_string()]).status().unwrap();
    assert!(kill.success());
    until(&mut answer, r#""status":"interrupted""#);
    assert!(program.0.wait().unwrap().success());
}

#[test]
fn pictures_take_a_key_and_have_a_limit_of_their_own() {
    let png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let body = format!(r#"{{"created": 1, "data": [{{"b64_json": "{png}"}}]}}"#);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    let url = upstream("A cat on the moon", head + &body);
    let (_program, address) =
        start(&[("OPENAI_BASE_URL", &url), ("OPENAI_API_KEY", "x"), ("IMAGE_RATE_LIMIT", "1/day")]);
    let cat = r#"{"sessionId": "trip", "message": "A cat on the moon", "image": true}"#;
    let seen = until(&mut ask(address, cat), r#""status":"#);
    assert!(seen.contains("data:image/png;base64,") && seen.contains(r#""status":"complete""#), "{seen}");
    until(&mut ask(address, cat), "pictures a day");
    let (_without, address) = start(&[]);
    until(&mut ask(address, cat), r#""kind":"unsupported""#);
}
