//! Replies that are followed from another process through Redis, and what becomes of them when it is killed, restarted,
//! wiped or stands still, and when the writer is killed.

use std::time::Duration;

use catgpt_core::{Engine, Event, Reply, Scripted, Sqlite, Status};
use catgpt_scratch::Redis;

use super::child::poured;
use super::common::{all, text_of};
use super::other::{LONG, SHORT, Shared, session, shared, soon, undamaged, whole};
use super::{ME, rounds};

async fn engine(store: &Shared, redis: &Redis) -> Engine {
    let memory = Sqlite::open(&store.path).await.unwrap();
    let live = catgpt_core::live::open(&redis.url()).await.unwrap();
    Engine::builder().model(Scripted::reply("Fine")).memory(memory).live(live).lease(SHORT).build()
}

/// Reads on until so much was shown; returns where it ends.
async fn until(reply: &mut Reply, offset: u64) -> u64 {
    soon("more of the reply", async {
        loop {
            match reply.next().await.expect("it ended without an end") {
                Event::Text { offset: end, .. } if end >= offset => return end,
                Event::Finished(end) => panic!("it ended too early: {end:?}"),
                _ => {}
            }
        }
    })
    .await
}

/// What happens to Redis in the midst of a reply.
type Strike = fn(&mut Redis);
const FATES: [(&str, Strike); 4] = [
    ("killed", |redis| redis.kill()),
    ("restarted", |redis| redis.restart().unwrap()),
    ("wiped", |redis| redis.wipe()),
    ("paused", |redis| redis.pause()),
];

async fn survive(what: &str, strike: Strike) {
    let (store, mut redis) = (shared(), Redis::start().unwrap());
    let mut other = store.shown(LONG, &redis.url()).await;
    let turn = other.send("a", "trip", "pour-16-3").await;
    let here = engine(&store, &redis).await;
    let alice = here.user(ME).unwrap();
    let mut first = alice.attach(turn, 0).await.unwrap();
    let seen = until(&mut first, 1000).await;
    let middle = tokio::spawn(all(alice.attach(turn, 500).await.unwrap()));

    strike(&mut redis);
    let late = tokio::spawn(all(alice.attach(turn, 0).await.unwrap()));
    // Through the store; and the writer goes on without it.
    let seen = until(&mut first, seen + 3000).await;
    match what {
        "killed" => redis.restart().unwrap(),
        "paused" => redis.resume(),
        _ => {}
    }
    let seen = until(&mut first, seen + 3000).await;
    let newest = tokio::spawn(all(alice.attach(turn, seen - 100).await.unwrap()));
    first.cancel().await.unwrap();

    let rest = soon("the end", all(first)).await;
    let Some(Event::Finished(end)) = rest.last() else { panic!("{rest:?}") };
    assert_eq!(end.status, Status::Cancelled, "{what}");
    assert_eq!(other.end("a").await, ("cancelled".to_owned(), end.stored));
    let stored = whole(&session(&here, "trip")).await[1].text();
    assert!(stored == poured(stored.len()) && stored.len() as u64 == end.stored, "{what}: the text is torn");
    for (from, follower) in [(500, middle), (0, late), (seen - 100, newest)] {
        let events = soon("every end", follower).await.unwrap();
        let from = usize::try_from(from).unwrap();
        assert!(text_of(&events) == stored[from..], "{what}: something is missing, or there twice");
        assert!(matches!(&events.last(), Some(Event::Finished(last)) if last == end), "{what}");
    }
    undamaged(&store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_redis_every_follower_ends_with_the_stored_text() {
    for (what, strike) in FATES {
        survive(what, strike).await;
    }
}

/// What anybody was shown is stored, though its writer was killed between two checkpoints.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_writer_leaves_all_that_was_shown_elsewhere() {
    let (store, redis) = (shared(), Redis::start().unwrap());
    let here = engine(&store, &redis).await;
    let mut worst = 0;
    for round in 0..rounds("CATGPT_KILL_ROUNDS", 4) {
        let mut other = store.shown(SHORT, &redis.url()).await;
        let room = format!("trip-{round}");
        let turn = other.send("a", &room, "pour-16-3").await;
        let mut reply = here.user(ME).unwrap().attach(turn, 0).await.unwrap();
        let seen = until(&mut reply, fastrand::u64(300..3000)).await;
        let heard = other.kill().await;
        let said = heard.iter().filter(|line| line.is("a", "text")).map(|line| line.offset()).max().unwrap_or(0);
        let written = heard.iter().filter(|line| line.what == "written").map(|line| line.offset()).max().unwrap_or(0);
        let rest = soon("the burial", all(reply)).await;
        let Some(Event::Finished(end)) = rest.last() else { panic!("{rest:?}") };
        assert_eq!(end.status, Status::Interrupted);
        assert!(end.stored >= seen.max(written), "{seen} were shown, {written} written, {} are stored", end.stored);
        let stored = whole(&session(&here, &room)).await[1].text();
        assert!(stored == poured(stored.len()) && stored.len() as u64 == end.stored, "the text is torn");
        worst = worst.max(said.saturating_sub(end.stored));
        assert_eq!(session(&here, &room).send("Go on").await.unwrap().text().await.unwrap(), "Fine");
    }
    println!("at most {worst} bytes lost, of 16 each 3 ms");
    here.close(Duration::from_secs(1)).await.unwrap();
    undamaged(&store);
}
