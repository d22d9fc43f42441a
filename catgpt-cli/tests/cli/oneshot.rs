//! One turn said whole: files, what is only tried, what is kept for the next turn, and what stderr shows meanwhile.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::support::{Home, Server, finish, finish_with, on_terminal};

/// As much of a PNG as tells what it is.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

fn last_said(server: &Server) -> Value {
    server.requests().pop().unwrap().body["messages"].as_array().unwrap().last().unwrap()["content"].clone()
}

#[test]
fn files_go_before_the_prompt_by_name_and_as_they_are() {
    let (home, server) = (Home::new(), Server::start());
    fs::write(home.path().join("a.md"), "# A\r\n```\ncode\n```").unwrap();
    fs::write(home.path().join("cat.txt"), PNG).unwrap();
    let words = ["-f", "a.md", "-f", "-", "-f", "cat.txt", "compare"];
    finish_with(server.command(&home, "mock", &words), "b ü".as_bytes()).expect(0);
    let said = last_said(&server);
    let text = "a.md:\n````\n# A\r\n```\ncode\n```\n````\n\nstdin:\n```\nb ü\n```\n\ncompare";
    assert_eq!(said[0]["text"], text);
    assert!(said[1]["image_url"]["url"].as_str().unwrap().starts_with("data:image/png;base64,"));
    let shown = home.run(&["chats", "show", "@"]).expect(0);
    assert!(shown.text().contains("compare\n[image: cat.txt]\n"), "{}", shown.text());
    // Text on stdin still goes right before the prompt, and a file alone is something to say.
    finish_with(server.command(&home, "mock", &["-f", "a.md", "compare"]), b"late").expect(0);
    assert!(last_said(&server).as_str().unwrap().ends_with("````\n\nlate\n\ncompare"));
    server.run(&home, "mock", &["-f", "a.md"]).expect(0);
    assert!(last_said(&server).as_str().unwrap().starts_with("a.md:\n"));
}

#[test]
fn a_picture_can_come_by_stdin() {
    let (home, server) = (Home::new(), Server::start());
    finish_with(server.command(&home, "mock", &["-f", "-", "what is this?"]), PNG).expect(0);
    let said = last_said(&server);
    assert_eq!((&said[0]["text"], &said[1]["type"]), (&json!("what is this?"), &json!("image_url")));
}

#[test]
fn what_is_neither_text_nor_picture_is_refused_with_its_place() {
    let (home, server) = (Home::new(), Server::start());
    let write = |name: &str, bytes: &[u8]| fs::write(home.path().join(name), bytes).unwrap();
    write("bad.txt", b"abc\xff");
    write("empty.txt", b"");
    write("nul.txt", b"a\0b");
    write("long.txt", &vec![b'a'; (16 << 20) + 1]);
    write("large.png", &[PNG, &vec![0; 12 << 20]].concat());
    for (path, why) in [
        ("bad.txt", "byte: 3"),
        ("empty.txt", "empty"),
        ("nul.txt", "NUL"),
        ("long.txt", "in parts"),
        ("large.png", "make it smaller"),
        ("none.txt", "cannot be read"),
        (".", "cannot be read"),
        ("https://example.org/a.md", "no URLs"),
    ] {
        let ran = server.run(&home, "mock", &["-f", path, "look"]).expect(2);
        assert!(ran.err.contains(why), "{path}: {}", ran.err);
    }
    let picture = finish_with(server.command(&home, "mock", &["look"]), PNG).expect(2);
    assert!(picture.err.contains("--file -"), "{}", picture.err);
    assert!(server.requests().is_empty() && home.latest().is_none());
}

#[test]
fn a_persona_takes_what_stdin_brings_where_its_prompt_says_so_and_keeps_it() {
    let (home, server) = (Home::new(), Server::start());
    home.persona("reader", "+++\nname = \"reader\"\n+++\nYou have read: {{ input }}.");
    let run = |words: &[&str], stdin: &str| {
        finish_with(server.command(&home, "mock", words), stdin.as_bytes()).expect(0);
        let mut asked = server.asked();
        (asked.remove(0).1, asked.pop().unwrap().1)
    };
    let told = |system: &str, said: &str| (system.to_owned(), said.to_owned());
    assert_eq!(run(&["-p", "reader", "sum up"], "{{notes}}\n"), told("You have read: {{notes}}\n.", "sum up"));
    assert_eq!(run(&["-c", "and?"], ""), told("You have read: {{notes}}\n.", "and?"));
    assert_eq!(run(&["-c", "and?"], "more"), told("You have read: {{notes}}\n.", "more\n\nand?"));
    let asks = |words: &[&str], stdin: &[u8]| finish_with(server.command(&home, "mock", words), stdin).expect(2).err;
    assert!(asks(&["-p", "reader"], b"notes").contains("say something to it too"));
    assert!(asks(&["-p", "reader", "--no-stdin", "hi"], b"").contains("variable: input"));
}

#[test]
fn a_rehearsal_shows_the_request_and_sends_and_stores_nothing() {
    let (home, server) = (Home::new(), Server::start());
    fs::write(home.path().join("rules.md"), "Check-out is at 11.").unwrap();
    let rehearse = |words: &[&str]| {
        let mut command = server.command(&home, "mock", &[words, &["--dry-run"]].concat());
        command.env("OPENAI_API_KEY", "sk-very-secret");
        let ran = finish(command).expect(0);
        assert!(!format!("{ran:?}").contains("sk-very"), "{ran:?}");
        serde_json::from_slice::<Value>(&ran.out).unwrap()
    };
    let shown = rehearse(&["-o", "temperature=0.7", "-s", "new", "--context", "rules.md", "when?"]);
    assert!(!home.db().exists() && server.requests().is_empty());
    assert!(shown["url"].as_str().unwrap().ends_with("/v1/chat/completions"), "{shown}");
    let messages = &shown["body"]["messages"];
    assert!(messages[0]["content"].as_str().unwrap().ends_with("[1] Check-out is at 11."), "{shown}");
    assert_eq!((&messages[1]["content"], &shown["body"]["temperature"]), (&json!("when?"), &json!(0.7)));

    for said in ["one", "two", "three"] {
        server.run(&home, "mock,n=1", &["-q", "-s", "trip", said]).expect(0);
    }
    let before = home.messages("trip");
    for words in [&["-c", "four"][..], &["--edit", "3", "four"], &["--regenerate"], &["-s", "trip", "-m", "other", "x"]]
    {
        let shown = rehearse(words)["body"].clone();
        assert_eq!(home.messages("trip"), before);
        server.run(&home, "mock,n=1", &[words, &["--no-save"]].concat()).expect(0);
        let sent = server.requests().pop().unwrap().body;
        assert_eq!((&shown["messages"], before.len()), (&sent["messages"], home.messages("trip").len()), "{words:?}");
    }
    assert_eq!(home.run(&["-s", "none", "--must-exist", "--dry-run", "hi"]).expect(3).text(), "");
    let cat = home.run(&["--dry-run", "hi"]).expect(0);
    assert_eq!(serde_json::from_slice::<Value>(&cat.out).unwrap()["messages"][1]["content"][0]["text"], "hi");
}

#[test]
fn what_is_not_saved_leaves_no_trace() {
    let (home, server) = (Home::new(), Server::start());
    let ran = server.run(&home, "mock,n=3", &["--no-save", "hi"]).expect(0);
    assert_eq!(ran.text(), " the quick b");
    assert!(!home.path().join("data").exists() && !home.path().join("config").exists());
    assert!(server.run(&home, "mock", &["--no-save", "-c", "hi"]).expect(3).err.contains("no chats yet"));
    assert!(!home.path().join("data").exists());
    // A chat that is there is gone on with, and stays as it was.
    server.run(&home, "mock,n=1", &["-s", "trip", "one"]).expect(0);
    let before = home.run(&["chats", "--json"]).expect(0).out;
    server.run(&home, "mock,n=1", &["--no-save", "-c", "-m", "mock,n=2", "two"]).expect(0);
    assert_eq!(server.asked()[1..], [("user", "one"), ("assistant", " the"), ("user", "two")].map(own));
    assert_eq!(home.run(&["chats", "--json"]).expect(0).out, before);
}

fn own((role, text): (&str, &str)) -> (String, String) {
    (role.to_owned(), text.to_owned())
}

#[test]
fn a_shell_can_have_a_chat_of_its_own() {
    let home = Home::new();
    let pinned = |words: &[&str]| {
        let mut command = home.command(words);
        command.env("CATGPT_SESSION", "mine");
        finish(command).expect(0)
    };
    assert!(pinned(&["hi"]).err.contains("a new chat: mine"));
    pinned(&["hi again"]);
    assert_eq!(home.messages("mine").len(), 4);
    pinned(&["-s", "other", "hi"]);
    assert_eq!((home.messages("mine").len(), home.messages("other").len()), (4, 2));
    pinned(&["-c", "hi"]);
    assert_eq!((home.messages("mine").len(), home.messages("other").len()), (4, 4));
    pinned(&["--regenerate"]);
    assert_eq!((home.messages("mine").len(), home.messages("other").len()), (4, 4));
    let branches = home.run(&["chats", "branches", "mine"]).expect(0);
    assert_eq!(branches.text().lines().count(), 2, "{}", branches.text());
}

#[test]
fn a_stdin_that_is_closed_or_no_stream_brings_nothing() {
    let (home, server) = (Home::new(), Server::start());
    for redirect in ["<&-", "</dev/null", "<."] {
        let ours = server.command(&home, "mock", &[]);
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &format!("exec \"$0\" hi {redirect}")]).arg(ours.get_program()).current_dir(home.path());
        shell.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        assert_eq!(finish(shell).expect(0).err, "");
        assert_eq!(last_said(&server), "hi", "{redirect}");
    }
}

#[test]
fn help_has_colours_where_they_are_wanted() {
    let home = Home::new();
    for (words, terminal, colours) in [
        (&["--color", "never", "-h"][..], true, false),
        (&["-h", "--color=always"], false, true),
        (&["-h"], false, false),
    ] {
        let (ran, shown) = on_terminal(home.command(words), [false, terminal, false], "");
        let text = if terminal { shown } else { ran.expect(0).text().to_owned() };
        assert_eq!((text.contains("Usage:"), text.contains('\u{1b}')), (true, colours), "{words:?}");
    }
}

#[test]
fn a_wrong_option_is_named_and_nothing_is_sent() {
    let (home, server) = (Home::new(), Server::start());
    for (option, hint) in [
        ("temperature=3", "temperature"),
        ("temprature=1", "top_p"),
        ("max_tokens=0", "max_tokens"),
        ("seed", "K=V"),
        ("stop=", ""),
    ] {
        let code = if option == "stop=" { 0 } else { 2 };
        let ran = server.run(&home, "mock", &["-o", option, "hi"]).expect(code);
        assert!(ran.err.contains(hint), "{option}: {}", ran.err);
    }
    assert!(home.run(&["-x", "--format", "jsonl", "hi"]).expect(2).err.contains("--extract"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn what_a_chat_keeps_stands_beside_what_others_keep_with_it() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock", &["-s", "trip", "-m", "mock,n=2", "-o", "temperature=0.7", "hi"]).expect(0);
    let listed: Value = serde_json::from_slice(&home.run(&["chats", "--json"]).expect(0).out).unwrap();
    let kept = json!({ "catgpt.cli": { "model": "mock,n=2", "options": { "temperature": 0.7 } } });
    assert_eq!(listed["metadata"], kept);
    let model = |words: &[&str]| {
        server.run(&home, "mock", words).expect(0);
        server.requests().pop().unwrap().body["model"].clone()
    };
    assert_eq!(model(&["--regenerate"]), "mock,n=2");
    assert_eq!(model(&["-c", "--no-save", "-m", "mock,n=1", "hi"]), "mock,n=1");
    assert_eq!(model(&["-c", "hi"]), "mock,n=2");
}

#[test]
fn an_answer_is_shown_at_once_if_that_is_wanted() {
    let (home, server) = (Home::new(), Server::start());
    let whole = server.run(&home, "mock,n=30", &["hi"]).expect(0);
    for words in [&["--no-stream", "hi"][..], &["--raw", "hi"], &["--format", "plain", "hi"]] {
        assert_eq!(server.run(&home, "mock,n=30", words).expect(0).out, whole.out, "{words:?}");
    }
    let (_, shown) = on_terminal(server.command(&home, "mock,n=3", &["--no-stream", "hi"]), [true, true, false], "");
    assert_eq!(shown, " the quick b\n");
}

#[test]
fn a_person_sees_a_sign_of_life_and_which_chat_goes_on_and_a_script_does_not() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock", &["-s", "trip", "Kyoto?"]).expect(0);
    let slow = |words: &[&str]| server.command(&home, "mock,n=3,d=300", words);
    let (ran, shown) = on_terminal(slow(&["-c", "hi"]), [false, false, true], "");
    assert_eq!(ran.expect(0).text(), " the quick b");
    let (told, signs) = shown.split_once('\n').unwrap();
    assert_eq!(told, "catgpt: going on with trip: Kyoto?");
    assert!(signs.starts_with("\r|") && signs.ends_with("\r \r"), "{signs:?}");
    assert_eq!(finish(slow(&["-c", "hi"])).expect(0).err, "");
    for (name, value, words) in [("TERM", "dumb", &["hi"][..]), ("TERM", "xterm", &["-q", "-c", "hi"])] {
        let mut command = slow(words);
        command.env(name, value);
        assert_eq!(on_terminal(command, [false, false, true], "").1, "", "{words:?}");
    }
}

/// A model that thinks before it speaks, once.
fn thinker(home: &Home, words: &[&str]) -> (std::process::Command, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut command = home.command(words);
    command.env("OPENAI_BASE_URL", format!("http://{}/v1", listener.local_addr().unwrap()));
    let delta = |delta: Value, finish: Value| json!({ "choices": [{ "delta": delta, "finish_reason": finish }] });
    let frames = [
        delta(json!({ "reasoning_content": "Hm,\u{1b}[2J " }), Value::Null),
        delta(json!({ "reasoning_content": "cats." }), Value::Null),
        delta(json!({ "content": "Meow!" }), Value::Null),
        delta(json!({}), json!("stop")),
    ];
    let body: String = frames.iter().map(|frame| format!("data: {frame}\n\n")).collect();
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let serve = move || {
        let (mut socket, _) = listener.accept().unwrap();
        let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
        while !request.ends_with(b"}") {
            let count = socket.read(&mut buffer).unwrap();
            request.extend_from_slice(&buffer[..count]);
        }
        socket.write_all(answer.as_bytes()).unwrap();
    };
    (command, std::thread::spawn(serve))
}

#[test]
fn thoughts_are_shown_on_stderr_if_they_are_wanted_and_pale_where_there_are_colours() {
    let home = Home::new();
    let run = |words: &[&str], vars: &[(&str, &str)], terminal: bool| {
        let (mut command, served) = thinker(&home, words);
        command.envs(vars.iter().copied());
        let (ran, shown) = on_terminal(command, [false, false, terminal], "");
        served.join().unwrap();
        assert_eq!((ran.code, ran.text()), (0, "Meow!"), "{}", ran.err);
        if terminal { shown } else { ran.err }
    };
    assert_eq!(run(&["hi"], &[], false), "");
    let (raw, safe) = ("Hm,\u{1b}[2J cats.\n", "Hm,␛[2J cats.\n");
    assert_eq!(run(&["--show-reasoning", "hi"], &[], false), raw);
    assert_eq!(run(&["--show-reasoning", "hi"], &[("NO_COLOR", "yes")], true), safe);
    assert_eq!(run(&["--show-reasoning", "--color", "never", "hi"], &[("CLICOLOR_FORCE", "1")], true), safe);
    for (words, vars, terminal) in [
        (&["--show-reasoning", "hi"][..], &[][..], true),
        (&["--show-reasoning", "hi"], &[("CLICOLOR_FORCE", "1")], false),
        (&["--show-reasoning", "--color", "always", "hi"], &[("NO_COLOR", "1")], false),
    ] {
        let shown = run(words, vars, terminal);
        assert!(shown.contains("\u{1b}[2m") && shown.ends_with("\u{1b}[0m\n"), "{words:?}: {shown:?}");
    }
    assert_eq!(home.run(&["chats", "show", "@", "last"]).expect(0).text(), "Meow!");
}

#[test]
fn the_readme_names_every_option_and_every_exit_code() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let help = Home::new().run(&["ask", "--help"]).expect(0);
    let lines = help.text().lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', ',', '[', '=']).take(3).collect::<Vec<_>>());
    let options: Vec<_> = words.filter(|word| word.starts_with("--") && *word != "--help").collect();
    assert!(options.len() > 30, "{options:?}");
    for option in options {
        assert!(["`", " ", "["].iter().any(|end| readme.contains(&format!("`{option}{end}"))), "{option}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "129, 130, 141, 143"] {
        assert!(readme.contains(&format!("| {code} |")), "{code}");
    }
}
