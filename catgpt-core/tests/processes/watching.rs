//! Watching and stopping a turn that runs in another process.

use std::time::Duration;

use catgpt_core::{Event, Scripted, Status};

use super::ME;
use super::common::{all, text_of, until_text};
use super::other::{LONG, session, shared, soon, whole};

#[tokio::test]
async fn a_turn_is_watched_from_another_process_at_any_offset() {
    let store = shared();
    let mut other = store.other(LONG).await;
    let turn = other.send("a", "trip", "cued").await;
    other.tell("speak a Hello ").await;
    let engine = store.engine(&Scripted::reply("never asked")).await;
    let alice = engine.user(ME).unwrap();
    let mut first = alice.attach(turn, 0).await.unwrap();
    let Some(Event::Started(started)) = first.next().await else { panic!("it begins with its beginning") };
    assert_eq!((started.turn, started.user_seq, started.reply_seq), (turn, Some(1), 2));
    soon("the first word", until_text(&mut first, "Hello ")).await;

    let middle = session(&engine, "trip").attach(turn, 3).await.unwrap();
    let ahead = alice.attach(turn, 8).await.unwrap();
    drop(alice.attach(turn, 0).await.unwrap());
    other.tell("speak a wörld\nstop a").await;
    assert_eq!(other.end("a").await, ("complete".to_owned(), 12));
    let late = alice.attach(turn, 0).await.unwrap();
    // Offset 8 is inside the ö, which counts as not seen.
    for (reply, expect) in [(first, "wörld"), (middle, "lo wörld"), (ahead, "örld"), (late, "Hello wörld")] {
        let events = soon("the end", all(reply)).await;
        assert_eq!(text_of(&events), expect);
        assert!(
            matches!(&events.last(), Some(Event::Finished(end))
            if (end.status, end.stored, end.offset) == (Status::Complete, 12, 12)),
            "{events:?}"
        );
        assert_eq!(events.iter().filter(|event| matches!(event, Event::Finished(_))).count(), 1);
    }
}

#[tokio::test]
async fn a_watcher_sees_every_byte_once_however_the_pieces_fall() {
    let store = shared();
    let mut other = store.other(LONG).await;
    let turn = other.send("a", "trip", "pour-700-1").await;
    let engine = store.engine(&Scripted::reply("never asked")).await;
    let mut reply = engine.user(ME).unwrap().attach(turn, 0).await.unwrap();
    let (mut seen, mut stopped) = (String::new(), None);
    while let Some(event) = soon("an event", reply.next()).await {
        match event {
            Event::Text { text, offset } => {
                seen.push_str(&text);
                assert_eq!(offset, seen.len() as u64);
            }
            Event::Finished(end) => stopped = Some(*end),
            _ => {}
        }
        if seen.len() > 100_000 && stopped.is_none() {
            reply.cancel().await.unwrap();
        }
    }
    let end = stopped.unwrap();
    assert_eq!((end.status, end.stored), (Status::Cancelled, seen.len() as u64));
    assert_eq!(other.end("a").await, ("cancelled".to_owned(), end.stored));
    assert!(seen == super::child::poured(seen.len()), "something is missing, or twice there");
}

#[tokio::test]
async fn cancel_from_another_process_stops_the_model_and_keeps_the_text() {
    let store = shared();
    let mut other = store.other(LONG).await;
    let engine = store.engine(&Scripted::reply("never asked")).await;
    for (who, words) in [("a", ""), ("b", "Half a")] {
        let turn = other.send(who, who, "cued").await;
        other.hear(who, &["asked"]).await;
        if !words.is_empty() {
            other.tell(format!("speak {who} {words}")).await;
            other.hear(who, &["text"]).await;
        }
        engine.user(ME).unwrap().cancel(turn).await.unwrap();
        other.hear(who, &["dropped"]).await;
        let end = ("cancelled".to_owned(), words.len() as u64);
        assert_eq!(other.end(who).await, end);
        let stored = &whole(&session(&engine, who)).await[1];
        assert_eq!((stored.status, stored.text().as_str()), (Status::Cancelled, words));
        // Stopping what has ended changes nothing.
        engine.user(ME).unwrap().cancel(turn).await.unwrap();
        assert_eq!(whole(&session(&engine, who)).await[1].status, Status::Cancelled);
    }
    engine.close(Duration::ZERO).await.unwrap();
}
