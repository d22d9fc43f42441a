//! Chats that are kept encrypted: nothing readable in any file, and nothing lost on the way there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::config::configure;
use crate::support::{Home, Ran, finish, told};

const KEYS: &str = "2026-11 r1RUsX0b7pDkjIh0BHzWCG2CIPfBLpZ6XMKnGMKVtEk=\n";
const NEWER: &str = "2026-12 u0wEoXGzVjNn0h4RcEUPlcHDLPxXtv1Gvw1E4pCXkpg=\n";

fn keys(home: &Home, lines: &[&str]) -> PathBuf {
    let path = home.path().join("keys");
    fs::write(&path, lines.concat()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn with_keys(home: &Home, words: &[&str]) -> Ran {
    let mut command = home.command(words);
    command.env("CATGPT_ENCRYPTION_KEYS", home.path().join("keys"));
    finish(command)
}

/// Whether these bytes stand in any file of the store.
fn is_readable(home: &Home, word: &str) -> bool {
    let files = fs::read_dir(home.db().parent().unwrap()).unwrap();
    files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .any(|bytes| bytes.windows(word.len()).any(|part| part == word.as_bytes()))
}

#[test]
fn what_is_said_with_keys_is_readable_with_keys_alone() {
    let home = Home::new();
    keys(&home, &[KEYS]);
    with_keys(&home, &["-s", "box", "where is the zebra?"]).expect(0);
    assert!(home.db().exists() && !is_readable(&home, "zebra"));
    assert!(with_keys(&home, &["chats", "show", "box"]).expect(0).text().contains("where is the zebra?"));
    assert!(with_keys(&home, &["doctor"]).expect(0).text().contains("(works, encrypted, schema "));
    assert!(with_keys(&home, &["chats", "search", "zebra"]).expect(8).err.contains("has no search"));
    for words in [&["chats"][..], &["chats", "show", "box"], &["-s", "box", "and now?"]] {
        let ran = home.run(words).expect(8);
        assert!(ran.err.contains("CATGPT_ENCRYPTION_KEYS") && ran.out.is_empty(), "{}", ran.err);
    }
    fs::set_permissions(home.path().join("keys"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(with_keys(&home, &["chats"]).expect(2).err.contains("CATGPT_ENCRYPTION_KEYS"));
}

#[test]
fn chats_from_before_are_sealed_and_keys_change() {
    let home = Home::new();
    home.run(&["-s", "old", "a jar of marmalade"]).expect(0);
    home.run(&["chats", "search", "marmalade"]).expect(0);
    assert!(is_readable(&home, "marmalade"));
    keys(&home, &[KEYS]);
    assert!(with_keys(&home, &["chats", "reseal"]).expect(0).err.contains("encrypted with the newest key"));
    assert!(!is_readable(&home, "marmalade"));
    // A newer key goes before it, and once all is under that one the old one is not needed.
    keys(&home, &[NEWER, KEYS]);
    with_keys(&home, &["chats", "reseal"]).expect(0);
    keys(&home, &[NEWER]);
    let shown = with_keys(&home, &["chats", "show", "old", "--json"]).expect(0);
    let first = serde_json::from_str(shown.text().lines().next().unwrap()).unwrap();
    assert_eq!(told(&first).2, "a jar of marmalade");
    keys(&home, &[KEYS]);
    with_keys(&home, &["chats"]).expect(8);
}

#[test]
fn the_users_file_names_the_keys_and_a_variable_goes_before_it() {
    let home = Home::new();
    configure(&home, "encryption_keys = '~/keys'\n");
    let path = keys(&home, &[KEYS]);
    home.run(&["-s", "box", "where is the zebra?"]).expect(0);
    assert!(home.db().exists() && !is_readable(&home, "zebra"));
    assert!(home.run(&["chats", "show", "box"]).expect(0).text().contains("where is the zebra?"));
    assert!(home.run(&["config"]).expect(0).text().contains("encryption_keys\t~/keys\tconfig.toml\n"));
    let told = home.run(&["doctor"]).expect(0);
    assert!(told.text().contains("encrypted with the keys that config.toml names"), "{}", told.text());
    assert!(told.text().contains("(works, encrypted, schema "), "{}", told.text());

    let other = home.path().join("other");
    fs::rename(&path, &other).unwrap();
    let ran = home.run(&["chats"]).expect(2);
    assert!(ran.err.contains("from: config.toml") && ran.err.contains(path.to_str().unwrap()), "{}", ran.err);
    for variable in [other.to_str().unwrap(), KEYS] {
        let with = |words: &[&str]| {
            let mut command = home.command(words);
            command.env("CATGPT_ENCRYPTION_KEYS", variable);
            finish(command).expect(0)
        };
        assert!(with(&["chats", "show", "box"]).text().contains("zebra"));
        let (shown, told) = (with(&["config"]), with(&["doctor"]));
        assert!(shown.text().contains("encryption_keys\t(never shown)\tCATGPT_ENCRYPTION_KEYS\n"), "{}", shown.text());
        assert!(told.text().contains("with the keys that CATGPT_ENCRYPTION_KEYS names"), "{}", told.text());
        assert!(!shown.text().contains("r1RUsX0b") && !told.text().contains("r1RUsX0b"));
    }
    configure(&home, &format!("encryption_keys = '{}'\n", other.display()));
    home.run(&["chats", "reseal"]).expect(0);
    fs::write(&other, NEWER).unwrap();
    home.run(&["chats"]).expect(8);
}

#[test]
fn keys_themselves_are_refused_in_the_users_file_and_not_repeated() {
    let home = Home::new();
    let (line, key) = (KEYS.trim(), &KEYS[8..52]);
    let slashed = format!("/{}", &key[1..]);
    for said in [line, key, &slashed, &format!("/keys {key}"), &format!("{line}\\n{}", NEWER.trim()), "keys", ""] {
        configure(&home, &format!("titles = false\nencryption_keys = \"{said}\"\n"));
        let ran = home.run(&["chats"]).expect(2);
        assert!(ran.err.contains("is the path of a file of keys") && ran.err.contains("line: 2"), "{}", ran.err);
        assert!(!ran.err.contains(&key[2..12]) && !home.db().exists(), "{}", ran.err);
    }
    configure(&home, "titles = false\n");
    let ran = home.run(&["config", "set", "encryption_keys", line]).expect(2);
    assert!(ran.err.contains("is the path of a file of keys") && !ran.err.contains(&key[2..12]), "{}", ran.err);
    home.run(&["config", "set", "encryption_keys", "~/keys"]).expect(0);
    assert!(home.run(&["chats"]).expect(2).err.contains("the key file cannot be read"));
}
