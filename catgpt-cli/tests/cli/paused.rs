//! Answers that wait for somebody to agree to a call of a tool: what is said of them, and how it goes on here.

use catgpt_core::{Engine, Scripted, Sqlite, Status, ToolCall, ToolSpec, tools};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::support::{Home, Server, told};
use crate::terminal::{PROMPT, Terminal};

/// A model that asks for a tool, which is nowhere here.
const ASKS: &str = "mock,n=2,t=book_table";
const WAITS: &str = "waits until a call of book_table is decided, by the application that has this tool";

/// A chat that another application has left waiting.
fn left_waiting(home: &Home) {
    home.run(&["chats"]).expect(0);
    let asked = Runtime::new().unwrap().block_on(async {
        let call = ToolCall { id: "1".into(), name: "book_table".into(), arguments: json!({}) };
        let parameters = json!({ "type": "object" });
        let spec = ToolSpec { name: "book_table".into(), description: "Books.".into(), parameters };
        let engine = Engine::builder()
            .model(Scripted::calls([call]))
            .memory(Sqlite::open(home.db()).await.unwrap())
            .tool(tools::function(spec, |_, _| async { Ok(json!("never")) }).approval())
            .unwrap()
            .build();
        let reply = engine.local().session("dinner").unwrap().send("A table for two").await.unwrap();
        let status = reply.result().await.unwrap().status;
        engine.close(std::time::Duration::ZERO).await.unwrap();
        status
    });
    assert_eq!(asked, Status::Paused);
}

#[test]
fn an_answer_that_waits_says_for_what_and_how_it_goes_on() {
    let (home, server) = (Home::new(), Server::start());
    let ran = server.run(&home, ASKS, &["-s", "dinner", "A table for two"]).expect(1);
    assert!(ran.err.contains(WAITS) && ran.err.contains("catgpt -c PROMPT goes on without"), "{}", ran.err);
    let shown = home.run(&["chats", "show", "dinner"]).expect(0);
    assert!(shown.text().contains(" · paused (waits for book_table)\n"), "{}", shown.text());
    server.run(&home, "mock,n=2", &["-c", "Never mind"]).expect(0);
    let request = server.requests().pop().unwrap().body.to_string();
    assert!(request.contains("Never mind") && !request.contains("book_table"), "{request}");
}

#[test]
fn a_conversation_says_it_too_and_another_answer_can_be_asked_for() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = Terminal::run(&server.command(&home, ASKS, &["chat", "-s", "dinner"]));
    terminal.see(PROMPT).type_line("A table for two").see(WAITS).see("what you say now goes on without").see(PROMPT);
    server.next("By telephone, please.");
    terminal.type_line("/retry").see("By telephone, please.").see(PROMPT).type_line("/quit");
    terminal.end(0);
    assert_eq!(told(&home.latest().unwrap()).1, "complete");
}

#[test]
fn what_another_application_left_waiting_is_told_when_its_chat_is_opened() {
    let (home, server) = (Home::new(), Server::start());
    left_waiting(&home);
    let mut terminal = Terminal::run(&server.command(&home, "mock,n=4", &["chat", "-s", "dinner"]));
    terminal.see("> A table for two").see(WAITS).see(PROMPT).type_line("Never mind").see("the quick").see(PROMPT);
    terminal.type_line("/quit");
    terminal.end(0);
    let request = server.requests().pop().unwrap().body.to_string();
    assert!(request.contains("Never mind") && !request.contains("book_table"), "{request}");
}
