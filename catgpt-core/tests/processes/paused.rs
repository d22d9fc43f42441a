//! A process that stands still for so long that others take it for dead, and then goes on.

use catgpt_core::{Busy, ErrorKind, Event, Scripted, Status};

use super::ME;
use super::common::{all, until_text};
use super::other::{LONG, SHORT, session, shared, soon, undamaged, whole};

/// What the one who went on finds: its turn has ended as the store says, and the store is as it was.
async fn goes_on_too_late(cues: &str) {
    let store = shared();
    let mut other = store.other(SHORT).await;
    let turn = other.send("a", "trip", "cued").await;
    other.tell("speak a Half ").await;
    let engine = store.engine(&Scripted::reply("Fine")).await;
    let trip = session(&engine, "trip");
    let mut watcher = trip.attach(turn, 0).await.unwrap();
    soon("what is stored", until_text(&mut watcher, "Half ")).await;
    other.pause();
    let events = soon("the burial", all(watcher)).await;
    let Some(Event::Finished(end)) = events.last() else { panic!("{events:?}") };
    assert_eq!((end.status, end.stored), (Status::Interrupted, 5));
    assert_eq!(end.error.as_ref().map(|error| error.kind), Some(ErrorKind::Truncated));
    assert_eq!(trip.send("Again").await.unwrap().text().await.unwrap(), "Fine");
    let before = whole(&trip).await;

    other.tell(cues).await;
    other.go_on();
    assert_eq!(other.end("a").await, ("interrupted".to_owned(), 5));
    assert_eq!(whole(&trip).await, before, "nothing is overwritten");
    // It is as good as new.
    other.send("b", "trip", "echo").await;
    assert_eq!(other.end("b").await, ("complete".to_owned(), 13));
    assert_eq!(whole(&trip).await[..4], before);
    other.leave().await;
    undamaged(&store);
}

#[tokio::test]
async fn who_goes_on_after_its_burial_writes_nothing() {
    goes_on_too_late("speak a and the rest").await;
}

#[tokio::test]
async fn who_ends_after_its_burial_ends_as_it_is_stored() {
    goes_on_too_late("speak a and the rest\nstop a").await;
}

#[tokio::test]
async fn interrupt_takes_the_place_of_one_who_does_not_listen() {
    let store = shared();
    // Nobody can take it for dead: only the interrupt ends it.
    let mut other = store.other(LONG).await;
    let turn = other.send("a", "trip", "cued").await;
    other.tell("speak a Half ").await;
    let model = Scripted::reply("Fine");
    let engine = store.engine(&model).await;
    let trip = session(&engine, "trip");
    let mut watcher = trip.attach(turn, 0).await.unwrap();
    soon("what is stored", until_text(&mut watcher, "Half ")).await;
    other.pause();
    let refused = trip.send("Now me").await.unwrap_err();
    assert_eq!((refused.kind(), refused.turn()), (ErrorKind::Busy, Some(turn)));
    let new = soon("the new turn", async { trip.send("Now me").busy(Busy::Interrupt).await }).await.unwrap();
    assert_eq!(new.text().await.unwrap(), "Fine");
    assert!(model.requests()[0].messages.iter().any(|message| message.content.text() == "Half "));
    let events = soon("the end of the old turn", all(watcher)).await;
    assert!(matches!(events.last(), Some(Event::Finished(end)) if (end.status, end.stored) == (Status::Cancelled, 5)));
    let before = whole(&trip).await;
    assert_eq!((before[1].status, before[1].text().as_str()), (Status::Cancelled, "Half "));

    other.tell("speak a and the rest").await;
    other.go_on();
    assert_eq!(other.end("a").await, ("cancelled".to_owned(), 5));
    assert_eq!(whole(&trip).await, before, "nothing is overwritten");
    assert_eq!(engine.user(ME).unwrap().turns().await.unwrap(), []);
    other.leave().await;
}
