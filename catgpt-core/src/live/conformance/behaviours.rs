//! What every live log must do.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use tokio::time::{Instant, sleep, timeout};

use super::Server;
use crate::error::{ErrorKind, Result};
use crate::id::{Owner, TurnId};
use crate::live::{Frame, Live};
use crate::message::Offset;

/// Who asks.
static WHOSE: LazyLock<Owner> = LazyLock::new(Owner::local);
/// Within what nothing may hang.
const DEADLINE: Duration = Duration::from_secs(20);

fn frame(end: Offset, body: &str) -> Frame {
    Frame { end, body: body.into(), last: false }
}

fn last(end: Offset) -> Frame {
    Frame { end, body: Vec::new(), last: true }
}

type Frames = BoxStream<'static, Result<Frame>>;

async fn next(frames: &mut Frames) -> Option<Result<Frame>> {
    timeout(DEADLINE, frames.next()).await.expect("it neither brought a frame nor failed nor ended")
}

/// The frames to the end, which is the last one.
async fn all(mut frames: Frames) -> Vec<Frame> {
    let mut seen: Vec<Frame> = Vec::new();
    while let Some(frame) = next(&mut frames).await {
        seen.push(frame.unwrap());
    }
    assert!(seen.last().is_some_and(|frame| frame.last), "it ended without a last frame");
    seen
}

async fn write(live: &Arc<dyn Live>, turn: TurnId, frames: &[Frame]) {
    for frame in frames {
        live.append(&WHOSE, turn, frame.clone()).await.unwrap();
    }
}

/// A short reply.
fn reply() -> Vec<Frame> {
    vec![frame(5, "Hello"), frame(6, " "), frame(11, "world"), last(11)]
}

pub(super) async fn frames_come_in_order_to_the_last(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()).await;
    assert_eq!(all(live.follow(&WHOSE, turn, 0)).await, reply());
    assert_eq!(all(server.handle().await.follow(&WHOSE, turn, 0)).await, reply(), "another process");
}

pub(super) async fn bytes_come_back_as_they_went(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let frames = [
        Frame { end: 1, body: bytes, last: false },
        Frame { end: 1 << 62, body: b"\r\n$-1\r\n\0".to_vec(), last: false },
        Frame { end: 1 << 62, body: "♥".into(), last: true },
    ];
    write(&live, turn, &frames).await;
    assert_eq!(all(live.follow(&WHOSE, turn, 0)).await, frames);
}

pub(super) async fn who_comes_first_waits(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let mut frames = server.handle().await.follow(&WHOSE, turn, 0);
    assert!(timeout(Duration::from_millis(300), frames.next()).await.is_err(), "there is nothing yet");
    for expected in reply() {
        live.append(&WHOSE, turn, expected.clone()).await.unwrap();
        assert_eq!(next(&mut frames).await.unwrap().unwrap(), expected);
    }
    assert!(next(&mut frames).await.is_none());
}

pub(super) async fn who_comes_late_gets_what_there_was(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()[..2]).await;
    let mut frames = server.handle().await.follow(&WHOSE, turn, 0);
    for expected in &reply()[..2] {
        assert_eq!(next(&mut frames).await.unwrap().unwrap(), *expected);
    }
    write(&live, turn, &reply()[2..]).await;
    assert_eq!(all(frames).await, reply()[2..]);
}

pub(super) async fn who_comes_in_the_middle_gets_the_rest(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()).await;
    for (after, rest) in [(0, 0), (1, 0), (4, 0), (5, 1), (6, 2), (7, 2), (10, 2)] {
        assert_eq!(all(live.follow(&WHOSE, turn, after)).await, reply()[rest..], "after {after}");
        assert_eq!(live.tail(&WHOSE, turn, after).await.unwrap(), reply()[rest..], "after {after}");
    }
}

pub(super) async fn who_has_seen_everything_gets_the_end(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()[..3]).await;
    let frames = live.follow(&WHOSE, turn, 11);
    live.append(&WHOSE, turn, last(11)).await.unwrap();
    assert_eq!(all(frames).await, [last(11)]);
    assert_eq!(all(live.follow(&WHOSE, turn, 11)).await, [last(11)]);
    let empty = TurnId::fresh();
    live.append(&WHOSE, empty, last(0)).await.unwrap();
    assert_eq!(all(live.follow(&WHOSE, empty, 0)).await, [last(0)], "a reply without a word");
}

pub(super) async fn a_repeated_frame_is_one(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    for frame in reply() {
        write(&live, turn, &[frame.clone(), frame]).await;
    }
    assert_eq!(all(live.follow(&WHOSE, turn, 0)).await, reply());
}

pub(super) async fn what_comes_after_the_last_does_not_count(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()).await;
    write(&live, turn, &[frame(20, "a zombie"), last(20)]).await;
    assert_eq!(all(live.follow(&WHOSE, turn, 0)).await, reply());
    assert_eq!(live.tail(&WHOSE, turn, 0).await.unwrap(), reply());
}

pub(super) async fn turns_do_not_meet(server: &dyn Server) {
    let (live, one, other) = (server.handle().await, TurnId::fresh(), TurnId::fresh());
    write(&live, one, &reply()).await;
    assert_eq!(live.tail(&WHOSE, other, 0).await.unwrap(), []);
    write(&live, other, &[frame(2, "No"), last(2)]).await;
    assert_eq!(all(live.follow(&WHOSE, one, 0)).await, reply());
    assert_eq!(all(live.follow(&WHOSE, other, 0)).await, [frame(2, "No"), last(2)]);
}

pub(super) async fn many_followers_see_the_same(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let other = server.handle().await;
    let followers: Vec<_> =
        (0..40).map(|n| [&live, &other][n % 2].follow(&WHOSE, turn, 0)).map(all).map(tokio::spawn).collect();
    write(&live, turn, &reply()).await;
    for seen in join_all(followers).await {
        assert_eq!(seen.unwrap(), reply());
    }
}

pub(super) async fn followers_of_one_turn_may_be_at_different_places(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let other = server.handle().await;
    let whole: Vec<Frame> = (1..=200).map(|n| frame(n, &n.to_string())).chain([last(200)]).collect();
    let mut followers = Vec::new();
    for (n, frame) in whole.iter().enumerate() {
        if n % 10 == 0 {
            // From where the stream stands now, and from half way.
            for after in [n, n / 2] {
                let follower = all(other.follow(&WHOSE, turn, after as Offset));
                followers.push((after, tokio::spawn(follower)));
            }
        }
        live.append(&WHOSE, turn, frame.clone()).await.unwrap();
    }
    for (after, follower) in followers {
        assert_eq!(follower.await.unwrap(), whole[after..], "after {after}");
    }
}

pub(super) async fn many_turns_are_followed_at_once(server: &dyn Server) {
    let (live, other) = (server.handle().await, server.handle().await);
    let turns: Vec<_> = (0..64).map(|_| TurnId::fresh()).collect();
    let followers: Vec<_> = turns.iter().map(|turn| tokio::spawn(all(other.follow(&WHOSE, *turn, 0)))).collect();
    for frame in reply() {
        for appended in join_all(turns.iter().map(|turn| live.append(&WHOSE, *turn, frame.clone()))).await {
            appended.unwrap();
        }
    }
    for seen in join_all(followers).await {
        assert_eq!(seen.unwrap(), reply());
    }
}

pub(super) async fn who_is_slow_misses_nothing(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let other = server.handle().await;
    let (mut slow, mut quick) = (other.follow(&WHOSE, turn, 0), other.follow(&WHOSE, turn, 0));
    let whole: Vec<Frame> = (1..=1000).map(|n| frame(n, "x")).chain([last(1000)]).collect();
    live.append(&WHOSE, turn, whole[0].clone()).await.unwrap();
    assert_eq!(next(&mut slow).await.unwrap().unwrap(), whole[0]);
    for frame in &whole[1..] {
        live.append(&WHOSE, turn, frame.clone()).await.unwrap();
        assert_eq!(next(&mut quick).await.unwrap().unwrap().end, frame.end - u64::from(!frame.last));
    }
    assert_eq!(all(slow).await, whole[1..]);
}

pub(super) async fn who_goes_away_disturbs_nobody(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let (mut goes, mut stays) = (live.follow(&WHOSE, turn, 0), live.follow(&WHOSE, turn, 0));
    live.append(&WHOSE, turn, frame(1, "a")).await.unwrap();
    for frames in [&mut goes, &mut stays] {
        assert_eq!(next(frames).await.unwrap().unwrap().end, 1);
    }
    drop(goes);
    write(&live, turn, &[frame(2, "b"), last(2)]).await;
    assert_eq!(all(stays).await, [frame(2, "b"), last(2)]);
}

pub(super) async fn a_tail_does_not_wait(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    assert_eq!(live.tail(&WHOSE, turn, 0).await.unwrap(), []);
    write(&live, turn, &reply()[..2]).await;
    assert_eq!(live.tail(&WHOSE, turn, 0).await.unwrap(), reply()[..2]);
    assert_eq!(live.tail(&WHOSE, turn, Offset::MAX).await.unwrap(), []);
}

pub(super) async fn what_was_forgotten_shows_as_a_gap(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()[..2]).await;
    let mut frames = server.handle().await.follow(&WHOSE, turn, 6);
    server.wipe().await;
    write(&live, turn, &reply()[2..3]).await;
    assert_eq!(next(&mut frames).await.unwrap().unwrap(), reply()[2], "who had seen the rest goes on");
    assert_eq!(live.tail(&WHOSE, turn, 0).await.unwrap(), [reply()[2].clone()]);
}

pub(super) async fn an_outage_is_told_and_passes(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    write(&live, turn, &reply()[..1]).await;
    let mut frames = live.follow(&WHOSE, turn, 5);
    assert!(timeout(Duration::from_millis(50), frames.next()).await.is_err());
    server.set_gone(true).await;
    let told = next(&mut frames).await.expect("an end is not an error").unwrap_err();
    assert!(told.is_retryable(), "{told:?}");
    assert!(next(&mut frames).await.is_none(), "it ends with its error");
    for error in [
        timeout(DEADLINE, live.append(&WHOSE, turn, frame(6, " "))).await.expect("it hangs").unwrap_err(),
        timeout(DEADLINE, live.tail(&WHOSE, turn, 0)).await.expect("it hangs").unwrap_err(),
    ] {
        assert!(error.is_retryable(), "{error:?}");
    }
    server.set_gone(false).await;
    let begun = Instant::now();
    while let Err(error) = live.append(&WHOSE, turn, frame(11, "world")).await {
        assert!(begun.elapsed() < DEADLINE, "it does not come back: {error:?}");
        sleep(Duration::from_millis(20)).await;
    }
    live.append(&WHOSE, turn, last(11)).await.unwrap();
    assert_eq!(all(live.follow(&WHOSE, turn, 6)).await, [frame(11, "world"), last(11)]);
}

pub(super) async fn a_closed_handle_says_so(server: &dyn Server) {
    let (live, turn) = (server.handle().await, TurnId::fresh());
    let other = server.handle().await;
    let mut frames = live.follow(&WHOSE, turn, 0);
    live.append(&WHOSE, turn, frame(1, "a")).await.unwrap();
    assert_eq!(next(&mut frames).await.unwrap().unwrap().end, 1);
    live.close().await.unwrap();
    live.close().await.unwrap();
    assert_eq!(next(&mut frames).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(live.append(&WHOSE, turn, frame(2, "b")).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(live.tail(&WHOSE, turn, 0).await.unwrap_err().kind(), ErrorKind::Closed);
    other.append(&WHOSE, turn, last(1)).await.unwrap();
    assert_eq!(all(other.follow(&WHOSE, turn, 0)).await, [frame(1, "a"), last(1)]);
}
