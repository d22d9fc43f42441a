//! What answers used, and what they cost.

use std::fs;

use serde_json::Value;

use crate::support::{Home, Server};

fn configure(home: &Home, text: &str) {
    let folder = home.path().join("config/catgpt");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("config.toml"), text).expect("a file");
}

fn lines(text: &str) -> Vec<Vec<&str>> {
    text.lines().map(|line| line.split('\t').collect()).collect()
}

#[test]
fn what_was_used_is_summed_up() {
    let (home, server) = (Home::new(), Server::start());
    configure(&home, "[prices.'mock*']\ninput = 1\noutput = 10\n");
    let ran = server.run(&home, "mock,n=4", &["-s", "trip", "-u", "hi"]).expect(0);
    assert!(ran.err.contains(" tokens in, ") && ran.err.contains(" out, cost 0.000"), "{}", ran.err);
    let ran = server.run(&home, "mock,n=8", &["-s", "notes", "--json", "hi"]).expect(0);
    let answer: Value = serde_json::from_slice(&ran.out).unwrap();
    let cost = answer["cost"].as_u64().unwrap();
    let number = |name: &str| answer["usage"][name].as_u64().unwrap();
    assert_eq!(cost, number("input_tokens") + 10 * number("output_tokens"));

    let ran = home.run(&["usage"]).expect(0);
    let [day] = &lines(ran.text())[..] else { panic!("{}", ran.text()) };
    assert!(day.len() == 5 && day[0].len() == "2026-01-31".len() && day[1] == "2", "{day:?}");
    let ran = home.run(&["usage", "--by", "model,session"]).expect(0);
    let rows = lines(ran.text());
    assert_eq!(
        rows.iter().map(|row| &row[..3]).collect::<Vec<_>>(),
        [["mock,n=4", "trip", "1"], ["mock,n=8", "notes", "1"]]
    );
    let ran = home.run(&["usage", "-s", "notes", "--since", "2d", "--json"]).expect(0);
    let spent: Value = serde_json::from_slice(&ran.out).unwrap();
    assert_eq!((spent["cost"].as_u64(), spent["calls"].as_u64()), (Some(cost), Some(1)));
    let ran = home.run(&["usage", "--since", "2900-01-01"]).expect(0);
    assert_eq!((ran.text(), ran.err.as_str()), ("", "catgpt: nothing was used yet\n"));
    assert!(home.run(&["usage", "--since", "soon"]).expect(2).err.contains("a day is expected"));
}

#[test]
fn a_limit_of_ones_own_stops_before_the_model_is_asked() {
    let (home, server) = (Home::new(), Server::start());
    configure(&home, "[[limits]]\nname = 'ever'\nunit = 'turns'\nmax = 1\nwindow_ms = 3153600000000\n");
    server.run(&home, "mock,n=4", &["hi"]).expect(0);
    let ran = server.run(&home, "mock,n=4", &["hi"]).expect(5);
    assert!(ran.err.contains("(limit: ever, 1 turns)"), "{}", ran.err);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wrong_configuration_is_told_before_anything_is_asked() {
    let (home, server) = (Home::new(), Server::start());
    for wrong in ["\n[prices.mock]\ninput = -1\noutput = 1\n", "\ncolour = 'red'\n", "\n[prices\n"] {
        configure(&home, wrong);
        let ran = server.run(&home, "mock,n=4", &["hi"]).expect(2);
        assert!(ran.err.contains("config.toml") && ran.err.contains("(line: 2)"), "{wrong}: {}", ran.err);
    }
    assert!(server.requests().is_empty() && !home.db().exists());
}
