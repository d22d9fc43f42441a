//! Chats in a list and as trees: found, renamed, pinned, put away, deleted, branched, watched.

use std::io::{BufRead, BufReader};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Home, Server, end, on_terminal, signal, told};

fn home_with(chats: &[&str]) -> Home {
    let home = Home::new();
    for chat in chats {
        home.run(&["-s", chat, &format!("hi from {chat}")]).expect(0);
    }
    home
}

/// The first column of what a command tells programs.
fn first(home: &Home, words: &[&str]) -> Vec<String> {
    let ran = home.run(words).expect(0);
    ran.text().lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// Times and ids differ.
fn same_times(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let is = |pattern: &str| {
            let fits = |(a, b): (char, char)| if b == '9' { a.is_ascii_digit() } else { a == b };
            word.len() == pattern.len() && word.chars().zip(pattern.chars()).all(fits)
        };
        if is("9999-99-99") {
            "DATE"
        } else if is("99:99") {
            "TIME"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_pinned_stand_first_and_the_archived_elsewhere() {
    let home = home_with(&["a", "b", "c"]);
    home.run(&["chats", "pin", "a"]).expect(0);
    home.run(&["chats", "archive", "b"]).expect(0);
    assert_eq!(first(&home, &["chats"]), ["a", "c"]);
    assert_eq!(first(&home, &["chats", "--archived"]), ["b"]);
    let (_, list) = on_terminal(home.command(&["chats"]), [true, true, false], "");
    insta::assert_snapshot!(same_times(list.trim_end()), @r"
    * a  DATE TIME  2  hi from a
    c    DATE TIME  2  hi from c
    ");
    assert_eq!(home.latest().unwrap()["seq"], 2);
    assert_eq!(told(&home.messages("@")[0]).2, "hi from c", "the chat used last is not the pinned one");
    home.run(&["chats", "rename", "b", "The", "second"]).expect(0);
    home.run(&["chats", "unarchive", "b"]).expect(0);
    home.run(&["chats", "unpin", "a"]).expect(0);
    assert_eq!(first(&home, &["chats"]), ["b", "c", "a"]);
    assert!(home.run(&["chats"]).expect(0).text().contains("\tThe second\n"));
    let ran = home.run(&["chats", "pin", "c", "none"]).expect(3);
    assert!(ran.err.contains("no chat \"none\""), "{}", ran.err);
    assert_eq!(first(&home, &["chats"]), ["b", "c", "a"], "all or nothing");
}

#[test]
fn what_cannot_be_undone_is_asked_for() {
    let home = home_with(&["a", "b", "c"]);
    let ran = home.run(&["chats", "delete", "a", "b"]).expect(2);
    assert_eq!(ran.err, "catgpt: this would delete a, b: say --yes\n");
    assert_eq!(first(&home, &["chats"]).len(), 3);
    let (ran, shown) = on_terminal(home.command(&["chats", "delete", "a"]), [true, false, true], "n\n");
    ran.expect(1);
    assert_eq!(shown, "n\ncatgpt: delete a? [y/N] ");
    let (ran, _) = on_terminal(home.command(&["--no-input", "chats", "delete", "a"]), [true, false, false], "y\n");
    assert_eq!(ran.expect(2).err, "catgpt: this would delete a: say --yes\n");
    let (ran, shown) = on_terminal(home.command(&["chats", "delete", "a", "a"]), [true, false, true], "y\n");
    ran.expect(0);
    assert_eq!(shown, "y\ncatgpt: delete a? [y/N] catgpt: deleted 1 chat\n");
    assert_eq!(home.run(&["chats", "delete", "--empty"]).expect(0).err, "catgpt: deleted 0 chats\n");
    home.run(&["chats", "delete", "none", "--yes"]).expect(3);
    home.run(&["chats", "delete"]).expect(2);

    home.run(&["chats", "delete", "--all", "b"]).expect(2);
    assert_eq!(home.run(&["chats", "delete", "--all"]).expect(2).text(), "");
    assert_eq!(home.run(&["chats", "delete", "--all", "--yes"]).expect(0).err, "catgpt: deleted 2 chats\n");
    assert_eq!(home.run(&["chats"]).expect(0).err, "catgpt: there are no chats yet\n");
    let bytes = std::fs::read(home.db()).unwrap();
    assert!(!bytes.windows(7).any(|window| window == b"hi from"), "no word of it is left in the file");
}

#[test]
fn words_are_found_and_shown() {
    let home = Home::new();
    home.run(&["-s", "trip", "Plan three\tdays in Kyōto"]).expect(0);
    home.run(&["-s", "work", "Write the report"]).expect(0);
    home.run(&["chats", "rename", "trip", "Japan"]).expect(0);
    let ran = home.run(&["chats", "search", "kyoto", "three"]).expect(0);
    // The answer repeats the question.
    let found: Vec<Vec<_>> = ran.text().lines().map(|line| line.split('\t').collect()).collect();
    let said = found.iter().find(|columns| columns[1] == "1").unwrap();
    assert_eq!((found.len(), said[0], said[3]), (2, "trip", "Plan three days in Kyōto"));
    let (_, shown) = on_terminal(home.command(&["chats", "search", "-n", "1", "kyoto"]), [true, true, false], "");
    assert!(shown.contains("\u{1b}[1mKyōto\u{1b}[0m"), "{shown:?}");
    let mut plain = home.command(&["chats", "search", "japan"]);
    plain.env("NO_COLOR", "1");
    let (_, shown) = on_terminal(plain, [true, true, false], "");
    insta::assert_snapshot!(same_times(shown.trim_end()), @"trip  DATE TIME  title  Japan");
    let ran = home.run(&["chats", "search", "--json", "report"]).expect(0);
    let hit: Value = serde_json::from_str(ran.text().lines().last().unwrap()).unwrap();
    assert_eq!((&hit["session"]["id"], &hit["snippet"][1]["hit"]), (&"work".into(), &true.into()));
    assert_eq!(home.run(&["chats", "search", "nowhere"]).expect(1).text(), "");
    home.run(&["chats", "search", "?!"]).expect(2);
}

#[test]
fn branches_are_listed_shown_and_copied() {
    let home = home_with(&["trip"]);
    home.run(&["-s", "trip", "--edit", "1", "hello instead"]).expect(0);
    home.run(&["-s", "trip", "--regenerate"]).expect(0);
    home.run(&["-s", "trip", "--after", "2", "and then?"]).expect(0);
    let (_, shown) = on_terminal(home.command(&["chats", "branches", "trip"]), [true, true, false], "");
    insta::assert_snapshot!(same_times(shown.trim_end()), @r"
    4  DATE TIME  2
    5  DATE TIME  2  from 3
    7  DATE TIME  4  shown
    ");
    home.run(&["chats", "select", "trip", "3"]).expect(0);
    let seqs = |chat: &str| home.messages(chat).iter().map(|one| one["seq"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(seqs("trip"), [3, 5]);
    assert_eq!(home.run(&["chats", "fork", "trip", "4", "--name", "copy"]).expect(0).text(), "copy\n");
    assert_eq!((seqs("copy"), told(&home.messages("copy")[0]).2), (vec![1, 2], "hello instead".to_owned()));
    let fresh = home.run(&["chats", "fork", "trip"]).expect(0);
    assert_eq!(seqs(fresh.text().trim()), [1, 2]);
    home.run(&["chats", "fork", "trip", "--name", "copy"]).expect(1);
    home.run(&["chats", "select", "trip", "99"]).expect(3);
    let ran = home.run(&["chats", "branches", "trip", "--json"]).expect(0);
    assert_eq!(ran.text().lines().count(), 3);
}

#[test]
fn a_cut_answer_is_gone_on_with() {
    let (home, server) = (Home::new(), Server::start());
    server.run(&home, "mock,n=8,f=cut,k=4", &["-s", "trip", "hi"]).expect(6);
    server.run(&home, "mock,n=4", &["--continue-reply"]).expect(0);
    let asked = server.asked();
    assert_eq!((asked[asked.len() - 2].0.as_str(), asked.last().unwrap().0.as_str()), ("assistant", "user"));
    let roles: Vec<_> = home.messages("trip").iter().map(|one| told(one).0.to_owned()).collect();
    assert_eq!(roles, ["user", "assistant", "assistant"]);
    let ran = Home::new().run(&["--regenerate"]).expect(3);
    assert!(ran.err.contains("no chats yet"), "{}", ran.err);
    home.run(&["-s", "none", "--edit", "1", "x"]).expect(3);
}

#[test]
fn what_happens_is_told_until_ctrl_c() {
    let home = home_with(&["a"]);
    let mut child = home.command(&["chats", "watch", "--after", "2", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kinds = Vec::new();
    let mut next = |count: usize| {
        while kinds.len() < count {
            let news: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            kinds.push((news["kind"].as_str().unwrap().to_owned(), news["info"]["title"].as_str().map(str::to_owned)));
        }
        kinds.clone()
    };
    assert_eq!(next(1)[0].0, "turn_ended");
    home.run(&["chats", "rename", "a", "Greetings"]).expect(0);
    home.run(&["chats", "delete", "a", "--yes"]).expect(0);
    let told = next(3);
    assert_eq!(told.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), ["turn_ended", "renamed", "deleted"]);
    signal(&child, Signal::INT);
    end(child).expect(130);
}
