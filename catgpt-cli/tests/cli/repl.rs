//! Conversations at a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use catgpt_core::testkit::{Fault, Script};
use rustix::process::Signal;

use crate::config::configure;
use crate::support::{Home, Server, end, signal, told, until};
use crate::terminal::{PROMPT, Terminal};

const MODEL: &str = "mock,n=4";
/// Long enough that no test sees its end.
const SLOW: &str = "mock,n=100000,d=10";
/// What was typed, in the home of its owner.
const HISTORY: &str = ".local/state/catgpt/history";

/// A conversation with a model of the server, at its first prompt.
fn talk(server: &Server, home: &Home, model: &str, words: &[&str]) -> Terminal {
    let mut terminal = Terminal::run(&server.command(home, model, words));
    terminal.see(PROMPT);
    terminal
}

/// Who said what, of the branch that is shown.
fn said(home: &Home, chat: &str) -> Vec<String> {
    home.messages(chat).iter().map(|message| told(message).2).collect()
}

#[test]
fn three_pasted_lines_are_one_message() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.press("\x1b[200~one\rtwo\rthree\x1b[201~").see("three");
    assert_eq!(server.requests().len(), 0);
    terminal.say("");
    assert_eq!(server.asked().last().unwrap().1, "one\ntwo\nthree");
    terminal.press("\x1b[200~four\nfive\n\x1b[201~").see("five").say("six");
    assert_eq!(server.asked().last().unwrap().1, "four\nfive\nsix");
    assert_eq!(server.requests().len(), 2);
    terminal.press("\x04");
    terminal.end(0);
    assert_eq!(said(&home, "trip").len(), 4);
}

#[test]
fn a_paste_while_an_answer_is_shown_is_one_message_of_the_next_prompt() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, SLOW, &["chat", "-s", "trip"]);
    terminal.type_line("hi").see("the quick").press("\x1b[200~one\rtwo\x1b[201~").press("\x03");
    server.next("Done.");
    terminal.see("stopped").see(PROMPT).see("two").say("");
    assert_eq!(server.asked().last().unwrap().1, "one\ntwo");
    assert_eq!(server.requests().len(), 2);
    terminal.type_line("/quit");
    terminal.end(0);
}

#[test]
fn lines_typed_while_an_answer_is_shown_are_said_one_after_another() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, SLOW, &["chat", "-s", "trip"]);
    terminal.type_line("hi").see("the quick");
    server.next("Done.");
    server.next("Done too.");
    terminal.type_line("one").type_line("two").press("\x03");
    terminal.see("stopped").see("Done.").see("Done too.").see(PROMPT).press("\x04");
    terminal.end(0);
    let said = said(&home, "trip");
    assert_eq!(said[2..], ["one", "Done.", "two", "Done too."]);
}

#[test]
fn alt_enter_and_ctrl_j_begin_a_new_line() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &[]);
    terminal.press("one\x1b\rtwo\nthree").see("three").say("");
    assert_eq!(server.asked().last().unwrap().1, "one\ntwo\nthree");
}

#[test]
fn ctrl_c_stops_the_answer_and_keeps_it() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, SLOW, &["chat", "-s", "trip"]);
    terminal.type_line("hi").see("the quick").press("\x03").see("stopped; what came is kept").see(PROMPT);
    server.hung_up(0);
    let messages = home.messages("trip");
    let (role, status, text) = told(&messages[1]);
    assert_eq!((role, status), ("assistant", "cancelled"));
    assert!(text.starts_with(" the quick"));
    server.next("And more.");
    terminal.say("/continue").type_line("/quit");
    assert!(terminal.end(0).contains("And more."));
    assert_eq!(said(&home, "trip").len(), 3);
}

#[test]
fn what_is_not_utf8_is_told_and_the_conversation_goes_on() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.press(b"caf\xe9 au lait\rtwo\r").see("not UTF-8").see(PROMPT);
    terminal.say("hi");
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.asked().last().unwrap().1, "hi");
    terminal.press("\x04");
    terminal.end(0);
}

#[test]
fn ctrl_c_clears_the_line_and_ctrl_d_leaves() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.press("never said").see("said").press("\x03").see(PROMPT).say("said").press("\x04");
    terminal.end(0);
    assert_eq!(said(&home, "trip")[0], "said");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn catgpt_alone_on_a_terminal_is_a_conversation() {
    let home = Home::new();
    let mut terminal = Terminal::run(&home.command(&[]));
    terminal.see("the offline cat answers").see("chats are kept in ~/data/catgpt/catgpt.db; /help").see(PROMPT);
    assert!(!home.db().exists() || home.run(&["chats"]).expect(0).text().is_empty(), "nothing was said");
    terminal.say("Why do cats purr?").say("").type_line("/quit");
    terminal.end(0);
    let mut terminal = Terminal::run(&home.command(&["-c", "-q"]));
    // What was said last.
    terminal.see("> Why do cats purr?").see("(offline cat:").see(PROMPT).type_line("/quit");
    terminal.end(0);
    assert_eq!(said(&home, "@").len(), 2);
}

#[test]
fn a_first_message_can_stand_on_the_command_line() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip", "hello", "there"]);
    assert_eq!(server.asked().last().unwrap().1, "hello there");
    terminal.say("//etc?").press("\x04");
    terminal.end(0);
    assert_eq!(server.asked().last().unwrap().1, "/etc?");
}

#[test]
fn what_is_no_command_is_told_and_not_sent() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.type_line("/Undo").see("there is no command /Undo").see(PROMPT);
    terminal.type_line("/undo").see("nothing was said here yet").see(PROMPT);
    terminal.type_line("/open nowhere").see("there are no chats yet").see(PROMPT);
    terminal.type_line("/rename").see("/rename TITLE").see(PROMPT);
    terminal.type_line("/help").see("/search WORDS").see(PROMPT).press("\x04");
    terminal.end(0);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn chats_are_listed_opened_searched_renamed_and_copied() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, MODEL, &["-s", "food", "What to eat in Kyoto?"]).expect(0);
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.say("Three days").type_line("/list").see("> 1").see("trip").see(" 2").see("food").see(PROMPT);
    terminal.type_line("/open 2").see("> What to eat in Kyoto?").see(PROMPT).say("And to drink?");
    terminal.type_line("/search three").see(" 1  trip").see(PROMPT).say("/open 1").say("/rename Three days in Kyoto");
    terminal.say("/fork copy").say("Four days").say("/new other").say("/rename Another one").say("hi").press("\x04");
    terminal.end(0);
    assert_eq!(["food", "trip", "copy", "other"].map(|chat| said(&home, chat).len()), [4, 2, 4, 2]);
    let list = home.run(&["chats"]).expect(0);
    for (chat, title) in [("trip", "Three days in Kyoto"), ("copy", "Three days in Kyoto"), ("other", "Another one")] {
        let found = list.text().lines().any(|line| line.starts_with(chat) && line.ends_with(title));
        assert!(found, "{chat}: {}", list.text());
    }
}

#[test]
fn undo_goes_back_and_deletes_nothing() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.say("one").say("two").type_line("/undo").see("back to before: two").see(PROMPT);
    assert_eq!(said(&home, "trip")[0], "one");
    assert_eq!(said(&home, "trip").len(), 2);
    terminal.say("three").say("/undo").type_line("/undo").see("back to before: one").see(PROMPT);
    terminal.type_line("/undo").see("back at its beginning").see(PROMPT).say("four").press("\x04");
    terminal.end(0);
    assert_eq!(said(&home, "trip")[0], "four");
    let branches = home.run(&["chats", "branches", "trip"]).expect(0);
    assert_eq!(branches.text().lines().count(), 3, "{}", branches.text());
    assert_eq!(server.asked().iter().filter(|(role, _)| role == "user").count(), 1);
}

#[test]
fn retry_asks_again_beside_the_answer() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    server.next("First.");
    server.next("Second.");
    terminal.say("one").say("/retry").press("\x04");
    assert!(terminal.end(0).contains("Second."));
    assert_eq!(said(&home, "trip"), ["one", "Second."]);
    assert_eq!(home.run(&["chats", "branches", "trip"]).expect(0).text().lines().count(), 2);
}

#[test]
fn edit_opens_the_last_message_in_the_editor() {
    let (home, server) = (Home::new(), Server::start());
    let script = home.path().join("editor.sh");
    fs::write(&script, "stat -c %a \"$1\" > mode\ncp \"$1\" before\nprintf 'edited\\n' > \"$1\"\n").unwrap();
    let mut command = server.command(&home, MODEL, &["chat", "-s", "trip"]);
    command.env("EDITOR", format!("sh {}", script.display())).env("PATH", "/usr/bin:/bin").env("TMPDIR", home.path());
    let mut terminal = Terminal::run(&command);
    terminal.see(PROMPT).say("one").say("/edit");
    fs::write(&script, "true\n").unwrap();
    terminal.type_line("/edit").see("nothing was changed").see(PROMPT);
    fs::write(&script, "exit 3\n").unwrap();
    terminal.type_line("/edit").see("your editor ended with an error").see(PROMPT).press("\x04");
    terminal.end(0);
    assert_eq!(fs::read_to_string(home.path().join("before")).unwrap(), "one");
    assert_eq!(fs::read_to_string(home.path().join("mode")).unwrap(), "600\n");
    assert_eq!(said(&home, "trip")[0], "edited\n");
    assert_eq!(server.requests().len(), 2);
    let left = fs::read_dir(home.path()).unwrap().flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("catgpt-")));
}

#[test]
fn files_personas_and_models_are_chosen_on_the_way() {
    let (home, server) = (Home::new(), Server::start());
    home.persona("pirate", "+++\nname = \"pirate\"\n+++\nYou are a pirate.");
    fs::write(home.path().join("notes.txt"), "Buy fish.").unwrap();
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.type_line("/persona").see("plain\npirate").see(PROMPT);
    terminal.say("/persona pirate").type_line("/file none.txt").see("cannot be read").see(PROMPT);
    terminal.say("/file notes.txt").say("Sum up").say("/model mock,n=3").say("Again").press("\x04");
    terminal.end(0);
    let requests = server.requests();
    let texts = server.asked();
    assert_eq!(
        (texts[0].1.as_str(), texts[1].1.as_str()),
        ("You are a pirate.", "notes.txt:\n```\nBuy fish.\n```\n\nSum up")
    );
    assert_eq!(texts.last().unwrap().1, "Again");
    assert_eq!((&requests[0].body["model"], &requests[1].body["model"]), (&MODEL.into(), &"mock,n=3".into()));
    // Both stay with the chat.
    server.run(&home, "mock,n=5", &["-s", "trip", "And now?"]).expect(0);
    assert_eq!(server.requests().last().unwrap().body["model"], "mock,n=3");
    assert_eq!(server.asked()[0].1, "You are a pirate.");
}

#[test]
fn another_providers_model_answers_as_soon_as_it_is_wanted() {
    let (home, server) = (Home::new(), Server::start());
    let mut command = server.command(&home, MODEL, &["chat", "-s", "trip"]);
    command.env("OPENAI_API_KEY", "sk-one").env("ANTHROPIC_API_KEY", "sk-two").env("ANTHROPIC_BASE_URL", server.url());
    let mut terminal = Terminal::run(&command);
    terminal.see(PROMPT).say("Three days").type_line("/model anthropic:mock,n=3").see("anthropic:mock,n=3 answers");
    terminal.see(PROMPT).say("And the food?").type_line("/model").see("anthropic:").see(PROMPT);
    // A new chat is the usual one's, and who goes back to the other finds its own.
    terminal.say("/new other").say("hi").say("/open trip").say("And the drinks?");
    terminal.say("/model responses:mock,n=2").say("And the way?").type_line("/quit");
    terminal.end(0);
    let asked: Vec<_> = server.requests().into_iter().filter(|request| request.body["model"].is_string()).collect();
    let last = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let told: Vec<_> = asked.iter().map(|it| (last(&it.path), it.body["model"].as_str().unwrap())).collect();
    let told: Vec<_> = told.iter().map(|(path, model)| (path.as_str(), *model)).collect();
    let (claude, usual) = (("messages", "mock,n=3"), ("completions", MODEL));
    assert_eq!(told, [usual, claude, usual, claude, ("responses", "mock,n=2")]);
    let key = |n: usize| asked[n].headers.iter().find(|(_, value)| value.contains("sk-")).unwrap().1.clone();
    assert_eq!((key(0), key(1)), ("Bearer sk-one".to_owned(), "sk-two".to_owned()));
    assert!(asked[1].body.to_string().contains("Three days") && asked[4].body.to_string().contains("And the drinks?"));
    assert_eq!((said(&home, "trip").len(), said(&home, "other").len()), (8, 2));
}

#[test]
fn a_model_that_cannot_be_asked_is_told_and_the_one_before_goes_on() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal
        .type_line("/model anthropic:claude")
        .see("set ANTHROPIC_API_KEY")
        .see("catgpt keys set anthropic")
        .see(PROMPT);
    terminal.say("hi").say("/model offline").type_line("and now?").see("whisker").see(PROMPT).type_line("/quit");
    terminal.end(0);
    assert_eq!(server.requests().len(), 1);
    configure(&home, "titles = true\n");
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "food"]);
    terminal.type_line("/open trip").see("who makes neither titles").see(PROMPT).type_line("/model offline");
    terminal.see("who makes neither titles").see(PROMPT).type_line("/quit");
    terminal.end(0);
}

#[test]
fn an_error_is_told_and_the_conversation_goes_on() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    server.next(Fault::BadKey);
    terminal.type_line("one").see("catgpt: ").see("key").see(PROMPT);
    server.next(Script::text(["half an", " answer"]).fault(Fault::Cut).at(1));
    terminal.type_line("two").see("half an").see("/retry").see(PROMPT);
    // Up brings back what was typed.
    terminal.press("\x1b[A").see("two").say("").press("\x04");
    terminal.end(0);
    assert_eq!(server.asked().last().unwrap().1, "two");
}

#[test]
fn a_chat_that_another_process_uses_is_waited_for_and_ctrl_c_ends_the_wait() {
    let (home, server) = (Home::new(), Server::start());
    let other = server.command(&home, SLOW, &["-s", "trip", "hi"]).spawn().unwrap();
    until("a turn of the other one", || !server.requests().is_empty());
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip"]);
    terminal.type_line("me too").see("another turn runs in this chat").press("\x03").see("Up has your message");
    terminal.see(PROMPT);
    signal(&other, Signal::INT);
    end(other).expect(130);
    terminal.press("\x1b[A").see("me too").say("").press("\x04");
    terminal.end(0);
    assert_eq!(said(&home, "trip")[2], "me too");
    assert_eq!(said(&home, "trip").len(), 4);
}

#[test]
fn signals_end_the_conversation_and_store_the_answer() {
    for (name, sent, code) in [("term", Signal::TERM, 143), ("hup", Signal::HUP, 129)] {
        let (home, server) = (Home::new(), Server::start());
        let mut terminal = talk(&server, &home, SLOW, &["chat", "-s", name]);
        terminal.type_line("hi").see("the quick");
        signal(terminal.child(), sent);
        terminal.end(code);
        let messages = home.messages(name);
        assert_eq!(told(messages.last().unwrap()).1, "interrupted");

        let terminal = talk(&server, &home, SLOW, &["chat", "-s", name]);
        signal(terminal.child(), sent);
        let shown = terminal.end(code);
        assert!(shown.contains("> hi"), "{shown}");
    }
}

#[test]
fn what_was_typed_is_remembered_for_its_owner_alone() {
    let home = Home::new();
    let mut terminal = Terminal::run(&home.command(&["chat", "-q"]));
    terminal.see(PROMPT).say("one").say("/list").say(" a secret").press("\x04");
    terminal.end(0);
    let file = home.path().join(HISTORY);
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_to_string(&file).unwrap(), "#V2\none\n/list\n");
    let mut terminal = Terminal::run(&home.command(&["chat", "-q"]));
    terminal.see(PROMPT).press("\x1b[A\x1b[A").see("one").say("").press("\x04");
    terminal.end(0);
    assert_eq!(home.run(&["chats"]).expect(0).text().lines().count(), 2);
}

#[test]
fn tab_completes_commands_chats_personas_and_models() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, MODEL, &["-s", "kyoto", "hi"]).expect(0);
    let mut terminal = talk(&server, &home, MODEL, &["chat"]);
    terminal.press("/op\tky\t").see("/open kyoto").say("").press("/pers\tpl\t").see("/persona plain").say("");
    terminal.press("/mod\tfake-\t").see("/model fake-mini").say("").press("\x04");
    terminal.end(0);
    let titles = home.run(&["chats", "--json"]).expect(0);
    assert!(titles.text().contains("\"persona\":\"plain\""), "{}", titles.text());
}

#[test]
fn nothing_is_kept_if_nothing_may_be() {
    let (home, server) = (Home::new(), Server::start());
    let mut terminal = Terminal::run(&server.command(&home, MODEL, &["chat", "--no-save"]));
    terminal.see("nothing is kept").see(PROMPT).say("one").say("two").press("\x04");
    terminal.end(0);
    assert_eq!(server.asked().iter().filter(|(role, _)| role == "user").count(), 2);
    assert!(!home.db().exists() && !home.path().join(HISTORY).exists());
}

#[test]
fn what_is_typed_is_not_kept_in_plain_text_where_chats_are_encrypted() {
    let home = Home::new();
    fs::write(home.path().join("keys"), "k r1RUsX0b7pDkjIh0BHzWCG2CIPfBLpZ6XMKnGMKVtEk=\n").unwrap();
    fs::set_permissions(home.path().join("keys"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut command = home.command(&["chat", "-q"]);
    command.env("CATGPT_ENCRYPTION_KEYS", home.path().join("keys"));
    let mut terminal = Terminal::run(&command);
    // Up has the line all the same, as long as the conversation lasts.
    terminal.see(PROMPT).say("a zebra").press("\x1b[A").see("a zebra").say("").press("\x04");
    terminal.end(0);
    assert!(home.db().exists() && !home.path().join(HISTORY).exists());
}

#[test]
fn a_conversation_begins_with_what_a_pipe_brings() {
    let (home, server) = (Home::new(), Server::start());
    let program = server.command(&home, MODEL, &[]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg("printf 'a diff\\n' | \"$0\" chat -s trip 'what is wrong?'").arg(program.get_program());
    shell.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(home.path());
    let mut terminal = Terminal::run(&shell);
    terminal.see("the quick").see(PROMPT);
    assert_eq!(server.asked().last().unwrap().1, "a diff\n\nwhat is wrong?");
    terminal.say("and now?").press("\x04");
    terminal.end(0);
    assert_eq!(said(&home, "trip").len(), 4);
}

#[test]
fn without_a_terminal_there_is_no_conversation() {
    let home = Home::new();
    let ran = home.run(&["chat"]).expect(2);
    assert!(ran.err.contains("needs a terminal"), "{}", ran.err);
    let ran = home.run(&["chat", "--no-input"]).expect(2);
    assert!(ran.err.contains("needs a terminal"), "{}", ran.err);
}

#[test]
fn answers_are_rendered_and_steer_nothing() {
    let (home, server) = (Home::new(), Server::start());
    let text = "# Title\n\n- **one** \x1b]0;evil\x07\n- two\n";
    let mut terminal = talk(&server, &home, MODEL, &["chat", "-s", "trip", "--color", "never"]);
    server.next(text);
    terminal.say("hi").press("\x04");
    let shown = terminal.end(0);
    assert!(shown.contains("# Title\n\n• one ␛]0;evil␇\n• two\n"), "{shown:?}");
    assert_eq!(said(&home, "trip")[1], text);
}
