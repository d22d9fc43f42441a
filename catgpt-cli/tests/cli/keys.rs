//! Keys: where they come from, in which order, and that nobody sees them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::config::{configure, mode};
use crate::support::{Home, Server, finish, finish_with};

fn kept(home: &Home) -> PathBuf {
    home.path().join("config/catgpt/keys.toml")
}

fn keep(home: &Home, name: &str, key: &str) {
    let ran = finish_with(home.command(&["keys", "set", name]), key.as_bytes()).expect(0);
    assert!(!format!("{}{}", ran.text(), ran.err).contains(key.trim()));
}

/// The header that the last request came with.
fn sent(server: &Server) -> Option<String> {
    let request = server.requests().pop().unwrap();
    request
        .headers
        .iter()
        .find(|(name, _)| name.as_str().eq_ignore_ascii_case("authorization"))
        .map(|(_, key)| key.clone())
}

#[test]
fn the_first_source_that_has_a_key_counts() {
    let (home, server) = (Home::new(), Server::start());
    let command = |words: &[&str]| server.command(&home, "mock,n=2", words);
    let ask = |mut command: Command| {
        command.env("PATH", "/usr/bin:/bin").arg("hi");
        let ran = finish(command).expect(0);
        assert!(!ran.err.contains("sk-"), "{}", ran.err);
        sent(&server)
    };
    assert_eq!(ask(command(&[])), None, "a base URL without a key is an endpoint that wants none");
    keep(&home, "openai", "sk-kept\n");
    assert_eq!(ask(command(&[])).unwrap(), "Bearer sk-kept");
    configure(&home, "key_command = ['sh', '-c', 'echo sk-command; echo second line']\n");
    assert_eq!(ask(command(&[])).unwrap(), "Bearer sk-command");
    let mut by_variable = command(&[]);
    by_variable.env("OPENAI_API_KEY", "sk-variable");
    assert_eq!(ask(by_variable).unwrap(), "Bearer sk-variable");
    fs::write(home.path().join("key"), "sk-file\r\nnotes\n").unwrap();
    fs::set_permissions(home.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut by_option = command(&["--key-file", "key"]);
    by_option.env("OPENAI_API_KEY", "sk-variable");
    assert_eq!(ask(by_option).unwrap(), "Bearer sk-file");
}

#[test]
fn a_source_that_gives_none_is_told_and_no_other_is_taken() {
    let (home, server) = (Home::new(), Server::start());
    keep(&home, "openai", "sk-kept");
    let ask = |words: &[&str]| {
        let mut command = server.command(&home, "mock", words);
        command.env("PATH", "/usr/bin:/bin");
        finish(command).expect(4).err
    };
    for (command, told) in [
        ("['false']", "key_command failed"),
        ("['no-such-program']", "cannot be started"),
        ("['true']", "there is no key"),
        ("['echo', 'two words']", "this is no key"),
        ("[]", "names no program"),
    ] {
        configure(&home, &format!("key_command = {command}\n"));
        let err = ask(&["hi"]);
        assert!(err.contains(told) && !err.contains("two words"), "{command}: {err}");
    }
    assert!(ask(&["--key-file", "none", "hi"]).contains("--key-file"));
    assert!(server.requests().is_empty() && !home.db().exists());
}

#[test]
fn a_file_that_others_may_read_is_refused_or_warned_of() {
    let (home, server) = (Home::new(), Server::start());
    keep(&home, "openai", "sk-kept");
    fs::set_permissions(kept(&home), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = server.run(&home, "mock", &["hi"]).expect(2);
    assert!(ran.err.contains(&format!("chmod 600 {}", kept(&home).display())), "{}", ran.err);
    assert!(home.run(&["doctor"]).expect(1).text().contains("chmod 600"));
    finish_with(home.command(&["keys", "set"]), b"sk-new").expect(2);
    assert!(fs::read_to_string(kept(&home)).unwrap().contains("sk-kept"));

    fs::write(home.path().join("key"), "sk-file").unwrap();
    fs::set_permissions(home.path().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = server.run(&home, "mock,n=2", &["--key-file", "key", "hi"]).expect(0);
    assert!(ran.err.contains("chmod 600 key"), "{}", ran.err);
}

#[test]
fn keys_are_kept_listed_and_forgotten() {
    let home = Home::new();
    insta::assert_snapshot!(home.run(&["keys"]).expect(0).text().replace('\t', " | "), @r"
    openai | none
    anthropic | none
    ");
    keep(&home, "openai", "sk-one\n");
    keep(&home, "anthropic", "sk-two");
    assert_eq!((mode(&kept(&home)), mode(kept(&home).parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_to_string(kept(&home)).unwrap(), "openai = \"sk-one\"\nanthropic = \"sk-two\"\n");
    let mut command = home.command(&["keys", "list"]);
    command.env("OPENAI_API_KEY", "sk-three");
    let ran = finish(command).expect(0);
    assert_eq!(ran.text(), format!("openai\tOPENAI_API_KEY\nanthropic\t{}\n", kept(&home).display()));
    let ran = home.run(&["keys", "list", "--json"]).expect(0);
    assert!(ran.text().lines().count() == 2 && !ran.text().contains("sk-"), "{}", ran.text());
    home.run(&["keys", "remove", "openai"]).expect(0);
    home.run(&["keys", "remove", "openai"]).expect(3);
    assert_eq!(fs::read_to_string(kept(&home)).unwrap(), "anthropic = \"sk-two\"\n");
    for stdin in ["", "\n", "two words", "a\nb"] {
        finish_with(home.command(&["keys", "set", "openai"]), stdin.as_bytes()).expect(2);
    }
    home.run(&["keys", "set", "openai", "sk-argument"]).expect(2);
    home.run(&["keys", "set", "gopher"]).expect(2);
    let ran = home.run(&["chats"]).expect(0);
    assert!(!ran.err.contains("sk-"));
}

/// util-linux gives the terminal on stdin to the program as its own.
#[test]
fn a_key_is_typed_unseen() {
    let home = Home::new();
    let mut command = Command::new("setsid");
    let program = home.command(&["keys", "set", "anthropic"]);
    command.args(["--ctty", "--wait"]).arg(program.get_program()).args(program.get_args());
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let (ran, shown) = crate::support::on_terminal(command, [true, true, true], "sk-typed\n");
    ran.expect(0);
    assert!(shown.contains("catgpt: the key of anthropic: "), "{shown}");
    assert_eq!(fs::read_to_string(kept(&home)).unwrap(), "anthropic = \"sk-typed\"\n");
}

#[test]
fn a_model_that_needs_a_key_is_not_asked_without_one() {
    let home = Home::new();
    for (model, variable, provider) in [
        ("gpt-4o", "OPENAI_API_KEY", "openai"),
        ("responses:gpt-5", "OPENAI_API_KEY", "openai"),
        ("anthropic:claude", "ANTHROPIC_API_KEY", "anthropic"),
    ] {
        let by_option = home.run(&["-m", model, "hi"]).expect(4).err;
        configure(&home, &format!("model = '{model}'\n"));
        let by_file = home.run(&["hi"]).expect(4).err;
        for err in [by_option, by_file] {
            for part in [variable, &format!("catgpt keys set {provider}"), "http://127.0.0.1:11434/v1"] {
                assert!(err.contains(part), "{model}: {err}");
            }
        }
        configure(&home, "");
    }
    assert!(!home.db().exists());
    assert!(home.run(&["hi"]).expect(0).text().starts_with("(offline cat"), "nothing is configured");
    assert!(home.run(&["-m", "offline", "hi"]).expect(0).text().starts_with("(offline cat"));
}

#[test]
fn each_provider_gets_its_own_key() {
    let (home, server) = (Home::new(), Server::start());
    keep(&home, "openai", "sk-one");
    keep(&home, "anthropic", "sk-two");
    let mut command = server.command(&home, "anthropic:mock,n=2", &["hi"]);
    command.env("ANTHROPIC_BASE_URL", server.url());
    finish(command).expect(0);
    let request = server.requests().pop().unwrap();
    assert!(request.path.ends_with("/messages"), "{}", request.path);
    let keys: Vec<_> = request.headers.iter().filter(|(_, value)| value.contains("sk-")).collect();
    assert!(keys.len() == 1 && keys[0].1 == "sk-two", "{keys:?}");
}
