//! Pictures that are sent and shown, and the list of models.

use std::fs;

use crate::support::{Home, Server, finish};

/// As much of a PNG as tells what it is.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

#[test]
fn pictures_are_sent_from_files_and_from_the_web() {
    let (home, server) = (Home::new(), Server::start());
    fs::write(home.path().join("cat.png"), PNG).unwrap();
    let web = "https://example.org/cat.jpg";
    server.run(&home, "mock", &["-i", "cat.png", "--image", web, "what is this?"]).expect(0);
    let said = server.requests()[0].body["messages"].as_array().unwrap().last().unwrap()["content"].clone();
    let file = said[1]["image_url"]["url"].as_str().unwrap();
    assert_eq!((said[0]["text"].as_str(), said[2]["image_url"]["url"].as_str()), (Some("what is this?"), Some(web)));
    assert!(file.starts_with("data:image/png;base64,iVBORw0KGgo"), "{file}");
    // They are kept, and shown as words where text is shown.
    assert_eq!(home.messages("@")[0]["content"][1]["media_type"], "image/png");
    let shown = home.run(&["chats", "show", "@"]).expect(0);
    let words = format!("what is this?\n[image]\n[image] {web}\n");
    assert!(shown.text().contains(&words), "{}", shown.text());
    assert_eq!(home.run(&["chats", "show", "@", "1"]).expect(0).text(), "what is this?");
}

#[test]
fn a_picture_alone_is_something_to_say() {
    let home = Home::new();
    fs::write(home.path().join("cat.png"), PNG).unwrap();
    let ran = home.run(&["-i", "cat.png"]).expect(0);
    assert!(ran.text().contains("You show me 1 picture"), "{}", ran.text());
}

#[test]
fn what_is_no_picture_is_refused_and_named() {
    let home = Home::new();
    fs::write(home.path().join("notes.txt"), "not a picture").unwrap();
    fs::File::create(home.path().join("huge.png")).unwrap().set_len(1 << 40).unwrap();
    fs::write(home.path().join("large.png"), [PNG, &vec![0; 12 << 20]].concat()).unwrap();
    for (place, why) in [
        ("notes.txt", "give a PNG, JPEG, GIF or WebP"),
        ("huge.png", "give a PNG, JPEG, GIF or WebP"),
        ("large.png", "at most 11534336 bytes"),
        ("nowhere.png", "cannot be read"),
        (".", "cannot be read"),
        ("data:text/plain,x", "data:image/TYPE"),
    ] {
        let ran = home.run(&["-i", place, "what is this?"]).expect(2);
        assert!(ran.err.contains(why), "{place}: {}", ran.err);
    }
    assert!(home.latest().is_none());
}

#[test]
fn a_model_that_takes_no_pictures_says_so() {
    let (home, server) = (Home::new(), Server::start());
    let refused = server.run(&home, "mock,f=noimages", &["-i", "https://example.org/cat.jpg", "look"]).expect(7);
    assert!(refused.err.contains("takes no pictures"), "{}", refused.err);
    server.run(&home, "mock", &["-c", "then just say hello"]).expect(0);
    assert_eq!(server.asked()[1].1, "look\n[image]\n");
}

#[test]
fn the_models_are_listed() {
    let (home, server) = (Home::new(), Server::start());
    assert_eq!(server.run(&home, "mock", &["models"]).expect(0).text(), "fake\nfake-mini\n");
    let listed = server.run(&home, "mock", &["models", "--json"]).expect(0);
    let first: serde_json::Value = serde_json::from_str(listed.text().lines().next().unwrap()).unwrap();
    assert_eq!((first["id"].as_str(), first["owned_by"].as_str()), (Some("fake"), Some("catgpt")));
    let offline = home.run(&["models"]).expect(0);
    assert!(offline.text() == "offline-cat\n" && offline.err.contains("OPENAI_BASE_URL"), "{offline:?}");
    assert!(!home.db().exists(), "it needs no store");
    let nobody = catgpt_core::testkit::refused_url();
    let mut command = home.command(&["models"]);
    command.env("OPENAI_BASE_URL", nobody);
    finish(command).expect(6);
}
