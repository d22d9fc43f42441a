//! Completions, in the shells themselves, and the manual.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::config::mode;
use crate::support::{Home, Ran, Server, finish, on_terminal};

fn home() -> Home {
    let home = Home::new();
    for chat in ["trip-to-kyoto", "notes", "chatgpt:c1", "my chat"] {
        home.run(&["-s", chat, "hi"]).expect(0);
    }
    home.persona("pirate", "Arr");
    home
}

/// A shell that finds the program by its name, and its script in a file.
fn shell(home: &Home, shell: &str, words: &[&str], script: &str) -> Command {
    let written = home.run(&["completions", script]).expect(0);
    fs::write(home.path().join("script"), &written.out).unwrap();
    let mut command = Command::new(shell);
    let program = home.command(&[]);
    command.args(words).current_dir(home.path()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let folder = Path::new(program.get_program()).parent().unwrap();
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

/// What bash would put in the place of the last word.
fn bash(home: &Home, line: &str, part: &str) -> String {
    let code =
        "source ./script; COMP_LINE=$1 COMP_POINT=${#1}; _catgpt catgpt \"$2\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let ran = finish(shell(home, "bash", &["--norc", "-c", code, "bash", line, part], "bash")).expect(0);
    assert_eq!(ran.err, "");
    ran.text().trim_end().replace('\n', " ")
}

#[test]
fn bash_is_offered_commands_options_and_values() {
    let home = home();
    for (line, part, offered) in [
        ("catgpt cha", "cha", "chat chats"),
        ("catgpt chats sh", "sh", "show"),
        ("catgpt chats show tr", "tr", "trip-to-kyoto"),
        ("catgpt -s tr", "tr", "trip-to-kyoto"),
        ("catgpt --session=tr", "tr", "trip-to-kyoto"),
        ("catgpt -s my", "my", "my\\ chat"),
        ("catgpt -s 'my", "my", "my chat"),
        ("catgpt -s \"my", "my", "my chat"),
        ("catgpt -s chatgpt:", "", "c1"),
        ("catgpt chats delete notes tri", "tri", "trip-to-kyoto"),
        ("catgpt -p pi", "pi", "pirate"),
        ("catgpt personas show p", "p", "plain pirate"),
        ("catgpt keys set an", "an", "anthropic"),
        ("catgpt config set per", "per", "persona"),
        ("catgpt completions po", "po", "powershell"),
        ("catgpt --key-file conf", "conf", "config/"),
        ("A=b catgpt --no-std", "--no-std", "--no-stdin"),
        ("catgpt why", "why", ""),
    ] {
        assert_eq!(bash(&home, line, part), offered, "{line}");
    }
    assert_eq!(bash(&home, "catgpt --memory sqlite:none.db -s tr", "tr"), "");
    assert!(!home.path().join("none.db").exists(), "who types makes no store");
}

#[test]
fn a_person_presses_tab_in_bash() {
    let home = home();
    let mut command = shell(&home, "bash", &["--norc", "--noprofile", "-i"], "bash");
    command.env("TERM", "dumb");
    let quoted = ["\"my", "'my", "my"].map(|begun| format!("catgpt chats show {begun}\t 1 >> shown.txt\n")).concat();
    let typed = format!("source ./script\ncatgpt chats show tri\t 1 > shown.txt\n{quoted}exit\n");
    on_terminal(command, [true, true, true], &typed).0.expect(0);
    assert_eq!(fs::read_to_string(home.path().join("shown.txt")).unwrap(), "hihihihi");
}

#[test]
fn other_shells_are_offered_the_same_where_they_are_installed() {
    let home = home();
    let is_there = |name: &str| ["/usr/bin", "/bin"].iter().any(|folder| Path::new(folder).join(name).exists());
    let run = |name: &str, code: &str| -> Option<Ran> {
        let words = if name == "zsh" { vec!["-f", "-c", code] } else { vec!["--no-config", "-c", code] };
        is_there(name).then(|| finish(shell(&home, name, &words, name)).expect(0))
    };
    let zsh =
        "source ./script; _describe() { print -lr -- $described }; words=(catgpt -s chatgpt:); CURRENT=3; _catgpt";
    if let Some(ran) = run("zsh", zsh) {
        assert_eq!((ran.text(), ran.err.as_str()), ("chatgpt\\:c1:hi\n", ""));
    }
    if let Some(ran) = run("fish", "source script; complete -C 'catgpt chats show tri'") {
        assert_eq!((ran.text(), ran.err.as_str()), ("trip-to-kyoto\thi\n", ""));
    }
    for name in ["zsh", "fish", "powershell", "elvish"] {
        let ran = home.run(&["completions", name]).expect(0);
        assert!(ran.text().contains("catgpt") && ran.text().lines().count() > 8, "{name}");
    }
}

#[test]
fn whoever_types_hears_of_no_error() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("config/catgpt")).unwrap();
    fs::write(home.path().join("config/catgpt/config.toml"), "nonsense").unwrap();
    for words in [&["__complete"][..], &["__complete", "--"], &["__complete", "--line=x", "--", "catgpt -s x"]] {
        let ran = home.run(words).expect(0);
        assert_eq!(ran.err, "", "{words:?}");
    }
    let mut command = home.command(&["__complete", "--", "catgpt", "-s", ""]);
    command.env("DATABASE_URL", "postgres://127.0.0.1:1/none");
    let ran = finish(command).expect(0);
    assert_eq!((ran.text(), ran.err.as_str()), ("", ""));
    assert!(!home.db().exists());
}

#[test]
fn models_are_offered_as_they_were_listed_last() {
    let (home, server) = (Home::new(), Server::start());
    let listed = server.run(&home, "mock", &["models"]).expect(0);
    let first = listed.text().lines().next().unwrap();
    let asked = server.requests().len();
    let mut command = home.command(&["__complete", "--", "catgpt", "-m", first]);
    command.env("OPENAI_BASE_URL", server.url());
    assert!(finish(command).expect(0).text().starts_with(&format!("{first}\t\n")));
    assert_eq!(server.requests().len(), asked, "nobody is asked while somebody types");
    let cache = home.path().join(".cache/catgpt");
    let file = fs::read_dir(&cache).unwrap().next().unwrap().unwrap().path();
    assert_eq!((mode(&cache), mode(&file)), (0o700, 0o600));
}

#[test]
fn the_manual_is_one_page_or_one_for_each_command() {
    let home = Home::new();
    let ran = home.run(&["completions", "man"]).expect(0);
    assert!(ran.text().contains(".TH catgpt 1") && !ran.text().contains("__complete"));
    home.run(&["completions", "man", "pages"]).expect(0);
    for page in ["catgpt.1", "catgpt-chats.1", "catgpt-chats-show.1", "catgpt-keys-set.1"] {
        assert!(home.path().join("pages").join(page).exists(), "{page}");
    }
    home.run(&["completions", "bash", "pages"]).expect(2);
}
