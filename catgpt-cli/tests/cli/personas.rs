//! `personas`: listed, shown, written.

use std::fs;

use serde_json::Value;

use crate::config::{configure, editor, mode};
use crate::support::{Home, Server, finish, on_terminal};

#[test]
fn built_in_and_own_ones_are_listed_and_the_broken_too() {
    let home = Home::new();
    home.persona("pirate", "+++\nname = \"pirate\"\nversion = 3\n+++\nYou are a\u{1b}[2J pirate.\nArr.");
    home.persona("broken", "+++\nname = 7\n+++\nArr");
    configure(&home, "persona = 'pirate'\n");
    let ran = home.run(&["personas"]).expect(0);
    insta::assert_snapshot!(ran.text().replace('\t', " | "), @r"
    cat | built in | You are CatGPT: a knowledgeable, careful assistant that happens to be a…
    plain | built in | You are a helpful assistant. Answer in the language of the user's latest…
    broken | own | PROBLEM: the persona's settings: invalid type: integer `7`, expected a s…
    pirate | own | You are a␛[2J pirate.
    ");
    let (_, shown) = on_terminal(home.command(&["personas", "list"]), [false, true, false], "");
    assert!(shown.contains("* pirate  own       You are a␛[2J pirate.\n"), "{shown:?}");
    let ran = home.run(&["personas", "--json"]).expect(0);
    let last: Value = serde_json::from_str(ran.text().lines().last().unwrap()).unwrap();
    assert_eq!((&last["name"], &last["origin"], &last["version"]), (&"pirate".into(), &"own".into(), &3.into()));
    assert!(home.run(&["personas", "path"]).expect(0).text().ends_with("config/catgpt/personas\n"));
}

#[test]
fn what_a_persona_is_told_is_shown_and_can_be_read_again() {
    let home = Home::new();
    let text = "+++\nname = \"pirate\"\n# a comment\n+++\nArr";
    home.persona("pirate", text);
    assert_eq!(home.run(&["personas", "show", "pirate"]).expect(0).text(), text);
    let ran = home.run(&["personas", "show", "cat"]).expect(0);
    assert!(ran.text().contains("You are CatGPT"), "{}", ran.text());
    fs::write(home.path().join("copy.md"), &ran.out).unwrap();
    home.run(&["-p", "copy.md", "hi"]).expect(0);
    assert!(home.run(&["personas", "show", "pirat"]).expect(3).err.contains("cat, plain, pirate"));
    home.run(&["personas", "show", "../config"]).expect(3);
}

#[test]
fn one_is_written_in_an_editor_and_looked_at_after() {
    let (home, server) = (Home::new(), Server::start());
    let path = home.path().join("config/catgpt/personas/gruff.md");
    let edit = |script: &str| finish(editor(&home, &["personas", "edit", "gruff"], script));
    assert!(edit("true").expect(0).err.contains("nothing was written") && !path.exists());
    edit("sed -i 's/^You are.*/Be gruff./' \"$1\"").expect(0);
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    server.run(&home, "mock,n=2", &["-p", "gruff", "hi"]).expect(0);
    assert_eq!(server.asked()[0].1, "Be gruff.");
    let ran = edit("echo 'Hm {{' >> \"$1\"").expect(2);
    assert!(ran.err.contains("gruff.md"), "{}", ran.err);
    assert!(fs::read_to_string(&path).unwrap().contains("Hm {{"), "what was written stays");
    for bad in ["../evil", "", "Big"] {
        finish(editor(&home, &["personas", "edit", bad], "true")).expect(2);
    }
    finish(editor(&home, &["personas", "edit", "cat"], "sed -i 's/^You are CatGPT.*/You are my cat./' \"$1\""))
        .expect(0);
    server.run(&home, "mock,n=2", &["hi"]).expect(0);
    assert!(server.asked()[0].1.starts_with("You are my cat."), "one's own cat goes before the built-in one");
}
