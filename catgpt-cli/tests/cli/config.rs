//! `config`: what holds without options, who says it, and how it is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Home, Server, finish};

pub(crate) fn file(home: &Home) -> PathBuf {
    home.path().join("config/catgpt/config.toml")
}

pub(crate) fn configure(home: &Home, text: &str) {
    fs::create_dir_all(file(home).parent().unwrap()).unwrap();
    fs::write(file(home), text).unwrap();
}

pub(crate) fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

/// An editor that does this to the file that it is given.
pub(crate) fn editor(home: &Home, words: &[&str], script: &str) -> std::process::Command {
    let path = home.path().join("editor.sh");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.command(words);
    command.env("EDITOR", path).env("PATH", "/usr/bin:/bin");
    command
}

#[test]
fn what_is_unknown_is_told_with_its_line_and_what_was_meant() {
    let home = Home::new();
    configure(&home, "titles = true\nmodle = 'x'\n");
    for words in [&["hi"][..], &["chats"], &["config"], &["models", "default"], &["usage"]] {
        let ran = home.run(words).expect(2);
        for part in ["\"modle\"", "is it \"model\"?", "config.toml", "line: 2"] {
            assert!(ran.err.contains(part), "{words:?}: {}", ran.err);
        }
    }
    assert!(!home.db().exists());
    let ran = home.run(&["doctor"]).expect(1);
    assert!(ran.text().contains("config    PROBLEM: ") && ran.text().contains("store "), "{}", ran.text());
}

#[test]
fn an_option_goes_before_a_variable_and_that_before_the_file() {
    let (home, server) = (Home::new(), Server::start());
    let url = server.url();
    configure(
        &home,
        &format!("model = 'mock,n=2'\nbase_url = '{url}'\npersona = 'plain'\n[options]\ntemperature = 0.5\n"),
    );
    let asked = |words: &[&str], variable: Option<&str>| {
        let mut command = home.command(words);
        variable.into_iter().for_each(|model| {
            command.env("OPENAI_MODEL", model);
        });
        finish(command).expect(0);
        server.requests().pop().unwrap().body
    };
    assert_eq!(asked(&["hi"], None)["model"], "mock,n=2");
    assert_eq!(asked(&["hi"], Some("mock,n=3"))["model"], "mock,n=3");
    let body = asked(&["-m", "mock,n=4", "hi"], Some("mock,n=3"));
    assert_eq!((&body["model"], &body["temperature"]), (&"mock,n=4".into(), &0.5.into()));
    assert!(body["messages"][0]["content"].as_str().unwrap().starts_with("You are a helpful assistant."));
    assert_eq!(asked(&["-o", "temperature=1", "hi"], None)["temperature"], 1.0);
    assert!(asked(&["-p", "cat", "hi"], None)["messages"][0]["content"].as_str().unwrap().contains("CatGPT"));

    configure(&home, "memory = 'sqlite:own.db'\nformat = 'json'\nbase_url = 'http://127.0.0.1:9'\n");
    let mut command = home.command(&["hi"]);
    command.env("OPENAI_BASE_URL", &url).env("OPENAI_MODEL", "mock,n=2");
    let answer: Value = serde_json::from_slice(&finish(command).expect(0).out).unwrap();
    assert!(answer["text"].is_string() && home.path().join("own.db").exists());
    home.run(&["--memory", "sqlite:other.db", "chats"]).expect(0);
    assert!(home.path().join("other.db").exists());
    configure(&home, "color = 'always'\n");
    home.run(&["-q", "-s", "x", "kyoto"]).expect(0);
    assert!(home.run(&["chats", "search", "kyoto"]).expect(0).text().contains("\u{1b}[1m"));
    assert!(!home.run(&["--color", "never", "chats", "search", "kyoto"]).expect(0).text().contains('\u{1b}'));
}

#[test]
fn a_project_says_nothing() {
    let home = Home::new();
    for name in ["config.toml", "catgpt.toml", ".catgpt.toml", "catgpt/config.toml"] {
        let path = home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "base_url = 'http://127.0.0.1:9'\nmodel = 'x'\n").unwrap();
    }
    fs::write(home.path().join(".env"), "OPENAI_BASE_URL=http://127.0.0.1:9\nOPENAI_MODEL=x\n").unwrap();
    assert!(home.run(&["hi"]).expect(0).text().starts_with("(offline cat"));
}

#[test]
fn what_holds_is_shown_with_who_says_it_and_no_secret() {
    let home = Home::new();
    configure(
        &home,
        "model = 'gpt-4o'\nmemory = 'postgres://me:hunter2@host/db?password=hunter2'\ntitles = true\n\
         key_command = ['pass', 'show', 'hunter2']\n[options]\nmax_tokens = 9\n",
    );
    let mut command = home.command(&["config"]);
    command.env("ANTHROPIC_API_KEY", "sk-hunter2").env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1");
    let ran = finish(command).expect(0);
    assert!(!ran.text().contains("hunter2"));
    insta::assert_snapshot!(ran.text().replace('\t', " | "), @r"
    model | gpt-4o | config.toml
    base_url | http://127.0.0.1:9/v1 | OPENAI_BASE_URL
    persona | cat | default
    owner | the user of this computer | default
    memory | postgres://me@host/db?… | config.toml
    live | none | default
    encryption_keys | none | default
    key of openai | (never shown) | key_command (pass)
    key of anthropic | (never shown) | ANTHROPIC_API_KEY
    options.max_tokens | 9 | config.toml
    titles | true | config.toml
    summaries | false | default
    prices | none | default
    limits | none | default
    ");
    let ran = home.run(&["config", "show", "--json", "--live", "redis://:hunter2@host"]).expect(0);
    let lines: Vec<Value> = ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let live = lines.iter().find(|line| line["setting"] == "live").unwrap();
    assert_eq!((&live["value"], &live["from"]), (&"redis://@host".into(), &"--live".into()));
    assert!(!home.db().exists());
}

#[test]
fn one_value_is_set_and_the_rest_stays() {
    let home = Home::new();
    assert_eq!(home.run(&["config", "path"]).expect(0).text(), format!("{}\n", file(&home).display()));
    home.run(&["config", "set", "persona", "plain"]).expect(0);
    assert_eq!((mode(&file(&home)), mode(file(&home).parent().unwrap())), (0o600, 0o700));
    configure(&home, "# mine\npersona = 'plain' # dull\n\n[prices.mock]\ninput = 1\noutput = 1\n");
    home.run(&["models", "default", "gpt-4o"]).expect(0);
    home.run(&["config", "set", "persona", "cat"]).expect(0);
    home.run(&["config", "set", "titles", "true"]).expect(0);
    let text = fs::read_to_string(file(&home)).unwrap();
    assert_eq!(
        text,
        "titles = true\nmodel = \"gpt-4o\"\n# mine\npersona = \"cat\" # dull\n\n[prices.mock]\ninput = 1\noutput = 1\n"
    );
    assert_eq!(home.run(&["models", "default"]).expect(0).text(), "gpt-4o\n");
    for words in [["config", "set", "colour", "red"], ["config", "set", "titles", "maybe"]] {
        assert!(home.run(&words).expect(2).err.contains("config.toml"));
    }
    assert_eq!(fs::read_to_string(file(&home)).unwrap(), text, "what is wrong is not written");
    let mut command = home.command(&["models", "default", "gpt-5"]);
    command.env("OPENAI_MODEL", "other");
    assert!(finish(command).expect(0).err.contains("OPENAI_MODEL is set, and goes before it"));
}

#[test]
fn the_file_is_edited_from_examples_and_looked_at_after() {
    let home = Home::new();
    let ran = finish(editor(&home, &["config", "edit"], "true")).expect(0);
    assert!(ran.err.contains("nothing was written") && !file(&home).exists(), "{}", ran.err);
    finish(editor(&home, &["config", "edit"], "echo 'persona = \"plain\"' >> \"$1\"")).expect(0);
    let text = fs::read_to_string(file(&home)).unwrap();
    assert!(text.contains("#: model = ") && text.ends_with("persona = \"plain\"\n"), "{text}");
    assert_eq!(mode(&file(&home)), 0o600);
    let ran = finish(editor(&home, &["config", "edit"], "echo 'persn = 1' > \"$1\"")).expect(2);
    assert!(ran.err.contains("is it \"persona\"?"), "{}", ran.err);
    finish(editor(&home, &["config", "edit"], "exit 3")).expect(1);
    assert!(home.run(&["config", "edit"]).expect(2).err.contains("set VISUAL or EDITOR"));
}
