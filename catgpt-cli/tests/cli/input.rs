//! What comes in on stdin.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Home, Server, end, finish, finish_with, signal};

fn last_said(server: &Server) -> String {
    server.asked().pop().unwrap().1
}

#[test]
fn stdin_goes_before_the_prompt_byte_for_byte() {
    let (home, server) = (Home::new(), Server::start());
    for (stdin, words, said) in [
        ("a\r\n\tü\u{feff}", &["sum", "up"][..], "a\r\n\tü\u{feff}\n\nsum up"),
        ("a\n", &["sum up"], "a\n\nsum up"),
        ("a\n", &[], "a\n"),
        ("", &["sum up"], "sum up"),
        ("ignored", &["--no-stdin", "sum up"], "sum up"),
    ] {
        finish_with(server.command(&home, "mock", words), stdin.as_bytes()).expect(0);
        assert_eq!(last_said(&server), said);
    }
}

#[test]
fn a_file_is_read_as_a_pipe_is() {
    let (home, server) = (Home::new(), Server::start());
    let path = home.path().join("notes.md");
    std::fs::write(&path, "# Notes\n").unwrap();
    let mut command = server.command(&home, "mock", &["summarise"]);
    command.stdin(std::fs::File::open(path).unwrap());
    finish(command).expect(0);
    assert_eq!(last_said(&server), "# Notes\n\nsummarise");
}

#[test]
fn files_of_context_are_read_by_the_model_and_cited_and_one_that_is_too_long_is_told_about() {
    let (home, server) = (Home::new(), Server::start());
    std::fs::write(home.path().join("a.md"), "Check-out is at 11.").unwrap();
    std::fs::write(home.path().join("b.md"), "Breakfast is at 8.").unwrap();
    std::fs::write(home.path().join("long.md"), "far too long ".repeat(20_000)).unwrap();
    let words = ["--context", "a.md", "--context", "long.md", "--context", "b.md", "--format", "jsonl", "when?"];
    let ran = server.run(&home, "mock", &words).expect(0);
    assert!(server.asked()[0].1.ends_with("[1] Check-out is at 11.\n\n[2] Breakfast is at 8."), "{:?}", server.asked());
    assert_eq!(last_said(&server), "when?");
    assert_eq!(ran.text().matches(r#""type":"citation""#).count(), 2, "{}", ran.text());
    assert!(ran.err.contains("long.md was left out") && ran.err.lines().count() == 1, "{}", ran.err);
}

#[test]
fn a_silent_pipe_is_waited_for_and_told_about() {
    let (home, server) = (Home::new(), Server::start());
    let mut command = server.command(&home, "mock", &["sum up"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut hint = [0; 7];
    // The hint comes by itself: nothing was written yet.
    std::io::Read::read_exact(child.stderr.as_mut().unwrap(), &mut hint).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all("late".as_bytes()).unwrap();
    drop(stdin);
    let ran = end(child).expect(0);
    assert!(ran.err.contains("--no-stdin"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1);
    assert_eq!(last_said(&server), "late\n\nsum up");
}

#[test]
fn a_pipe_that_never_ends_is_not_read_if_it_is_not_wanted() {
    let home = Home::new();
    let mut command = home.command(&["--no-stdin", "hi"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    end(child).expect(0);
    drop(stdin);
}

#[test]
fn a_signal_while_stdin_is_read_ends_it_at_once() {
    let home = Home::new();
    let mut child = home.command(&["hi"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"some").unwrap();
    signal(&child, rustix::process::Signal::INT);
    // A shell says 130 for it.
    end(child).expect(-2);
    drop(stdin);
    assert!(!home.db().exists());
}

#[test]
fn what_is_no_text_is_refused_and_nothing_is_sent() {
    let (home, server) = (Home::new(), Server::start());
    for (stdin, words, hint) in [
        (&b"ab\xffc"[..], &["sum up"][..], "byte: 2"),
        (b"a\0b", &["sum up"], "NUL"),
        (b"", &[], "nothing to say"),
        (b" \n", &[], "nothing to say"),
        (b"", &["  "], "nothing to say"),
    ] {
        let ran = finish_with(server.command(&home, "mock", words), stdin).expect(2);
        assert!(ran.err.starts_with("catgpt: ") && ran.err.contains(hint), "{hint}: {}", ran.err);
        assert_eq!(ran.text(), "");
    }
    server.run(&home, "mock", &[]).expect(2);
    assert_eq!(server.requests().len(), 0);
    assert_eq!(home.run(&["chats"]).expect(0).text(), "");
}

#[test]
fn what_is_too_large_is_refused_and_never_cut() {
    let (home, server) = (Home::new(), Server::start());
    for size in [17 << 20, (16 << 20) - 4] {
        let ran = finish_with(server.command(&home, "mock", &["sum up"]), &vec![b'a'; size]).expect(2);
        assert!(ran.err.contains("in parts"), "{}", ran.err);
    }
    assert_eq!(server.requests().len(), 0);
}
