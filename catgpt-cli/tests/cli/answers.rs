//! Answers: from the cat, from a model, continued, by name, with a persona, in every format.

use catgpt_core::Event;
use serde_json::{Value, json};

use crate::support::{Home, Server, finish, told};

const MODEL: &str = "mock,n=9";

#[test]
fn without_a_key_the_cat_answers_and_remembers() {
    let home = Home::new();
    let first = home.run(&["Why do cats purr?"]).expect(0);
    assert!(first.text().starts_with("(offline cat: I am a small script"), "{}", first.text());
    assert_eq!(first.err.lines().count(), 1);
    assert!(first.err.contains("OPENAI_API_KEY") && first.err.contains("OPENAI_BASE_URL"), "{}", first.err);

    let second = home.run(&["-q", "-c", "what did I say?"]).expect(0);
    assert!(second.text().contains("Why do cats purr?"), "{}", second.text());
    assert_eq!(second.err, "");
    assert_eq!(home.messages("@").len(), 4);
}

#[test]
fn the_same_question_gets_the_same_answer() {
    let answers = [Home::new(), Home::new()].map(|home| home.run(&["Why do cats purr?"]).expect(0).out);
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_chat_by_name_is_made_once_and_then_remembered() {
    let home = Home::new();
    let first = home.run(&["-s", "trip", "hi"]).expect(0);
    assert!(first.err.contains("a new chat: trip"), "{}", first.err);
    let second = home.run(&["-s", "trip", "hi again"]).expect(0);
    assert!(!second.err.contains("new chat"), "{}", second.err);
    assert_eq!(home.messages("trip").len(), 4);
}

#[test]
fn continue_takes_the_chat_that_was_used_last() {
    let home = Home::new();
    for chat in ["a", "b", "a"] {
        home.run(&["-s", chat, "hi"]).expect(0);
    }
    home.run(&["-c", "go on"]).expect(0);
    assert_eq!((home.messages("a").len(), home.messages("b").len()), (6, 2));
    home.run(&["-s", "@2", "hi"]).expect(0);
    assert_eq!(home.messages("b").len(), 4);
}

#[test]
fn a_pipe_gets_the_models_bytes_and_nothing_else() {
    let (home, server) = (Home::new(), Server::start());
    let ran = server.run(&home, MODEL, &["hi"]).expect(0);
    assert_eq!(ran.text(), " the quick brown fox jumps over.\n");
    assert_eq!(ran.err, "");
    assert_eq!(home.run(&["chats", "show", "@", "last"]).expect(0).out, ran.out);
}

#[test]
fn the_cat_is_the_persona_until_another_is_given_and_then_that_one_stays() {
    let (home, server) = (Home::new(), Server::start());
    home.persona("pirate", "+++\nname = \"pirate\"\n+++\nYou are a pirate.");
    let system = |words: &[&str]| {
        server.run(&home, MODEL, words).expect(0);
        let (role, text) = server.asked().remove(0);
        assert_eq!(role, "system");
        text
    };
    assert!(system(&["-s", "x", "hi"]).contains("cat"));
    assert_eq!(system(&["-s", "x", "-p", "pirate", "hi"]), "You are a pirate.");
    home.persona("pirate", "+++\nname = \"pirate\"\n+++\nYou are a landlubber.");
    assert_eq!(system(&["-c", "hi"]), "You are a pirate.");
    assert_eq!(system(&["-c", "-p", "config/catgpt/personas/pirate.md", "hi"]), "You are a landlubber.");
    assert_eq!(system(&["-c", "--system", "Say {{x}}, {{{{ or {{.", "hi"]), "Say {{x}}, {{{{ or {{.");
    assert_eq!(system(&["-c", "hi"]), "Say {{x}}, {{{{ or {{.");
    std::fs::write(home.path().join("system.txt"), "From a file.\n").unwrap();
    assert_eq!(system(&["-c", "--system", "@system.txt", "hi"]), "From a file.\n");
    assert!(system(&["hi"]).contains("cat"));
}

#[test]
fn the_model_of_the_command_line_goes_before_that_of_the_environment() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock", &["-m", "mock,n=3", "hi"]).expect(0);
    assert_eq!(server.requests()[0].body["model"], "mock,n=3");
}

#[test]
fn json_is_one_object_that_says_how_it_went() {
    let (home, server) = (Home::new(), Server::start());
    let ran = server.run(&home, MODEL, &["--json", "-s", "trip", "hi"]).expect(0);
    let mut object: Value = serde_json::from_slice(&ran.out).unwrap();
    assert!(object["duration_ms"].take().is_u64());
    assert!(object["usage"].take()["output_tokens"].is_u64());
    let expected = json!({
        "v": 1, "chat": "trip", "message": 2, "model": MODEL, "persona": "cat",
        "text": " the quick brown fox jumps over.\n", "finish": "stop", "status": "complete",
        "usage": null, "duration_ms": null,
    });
    assert_eq!(object, expected);

    let ran = server.run(&home, "mock,f=error,n=8,k=4", &["--json", "-s", "trip", "hi"]).expect(6);
    let object: Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!(object["status"], "failed");
    assert_eq!(object["error"]["kind"], "unavailable");
    assert_eq!(object["text"], " the quick brown");
}

#[test]
fn json_lines_are_the_events() {
    let home = Home::new();
    let ran = home.run(&["--format", "jsonl", "hi"]).expect(0);
    let events: Vec<Event> = ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(matches!(events.first(), Some(Event::Started(_))));
    assert!(matches!(events.last(), Some(Event::Finished(_))));
}

#[test]
fn verbose_tells_who_answers_and_what_it_cost() {
    let (home, server) = (Home::new(), Server::start());
    let ran = server.run(&home, MODEL, &["-v", "-s", "trip", "hi"]).expect(0);
    assert!(ran.err.contains("chat trip, persona cat, model mock,n=9"), "{}", ran.err);
    assert!(ran.err.contains("tokens in"), "{}", ran.err);
}

#[test]
fn a_store_can_be_named_by_option_and_by_environment() {
    let home = Home::new();
    home.run(&["--memory", "sqlite:one.db", "hi"]).expect(0);
    let mut command = home.command(&["chats", "--json"]);
    command.env("DATABASE_URL", "sqlite:one.db");
    assert_eq!(finish(command).expect(0).text().lines().count(), 1);
    assert!(!home.db().exists());
    home.run(&["--memory", "memory:", "hi"]).expect(0);
    assert!(!home.db().exists());
}

#[test]
fn new_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.run(&["hi"]).expect(0);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(home.db().parent().unwrap()), mode(&home.db())), (0o700, 0o600));
}

#[test]
fn two_processes_on_one_chat_lose_nothing() {
    let (home, server) = (Home::new(), Server::start());
    let mut children: Vec<_> = (0..4)
        .map(|n| {
            let words = ["-s".to_owned(), "both".to_owned(), format!("prompt {n}")];
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            server.command(&home, "mock,n=16,d=5", &words).spawn().unwrap()
        })
        .collect();
    for child in children.drain(..) {
        crate::support::end(child).expect(0);
    }
    let messages = home.messages("both");
    let mut said: Vec<_> =
        messages.iter().map(told).filter(|(role, ..)| *role == "user").map(|(.., text)| text).collect();
    said.sort();
    assert_eq!(said, ["prompt 0", "prompt 1", "prompt 2", "prompt 3"]);
    let roles: Vec<_> = messages.iter().map(|message| told(message).0).collect();
    assert_eq!(roles, ["user", "assistant"].repeat(4));
    assert!(messages.iter().all(|message| told(message).1 == "complete"));
}
