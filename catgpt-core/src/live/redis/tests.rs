//! The suite over a scratch server, and what is Redis' own: its keys, its refusals, its ways to be gone.

use std::sync::{LazyLock, Mutex};

use catgpt_scratch::Redis as Scratch;
use tokio::time::timeout;

use super::*;
use crate::live::conformance::{Harness, Server};

static WHOSE: LazyLock<Owner> = LazyLock::new(Owner::local);

mod killed {
    use super::*;
    struct Killed;

    #[async_trait]
    impl Harness for Killed {
        async fn open(&self) -> Box<dyn Server> {
            Box::new(Mortal(Mutex::new(Scratch::start().unwrap())))
        }
    }

    /// A server that is gone when it is killed.
    struct Mortal(Mutex<Scratch>);

    #[async_trait]
    impl Server for Mortal {
        async fn handle(&self) -> Arc<dyn Live> {
            let url = self.0.lock().unwrap().url();
            Arc::new(Redis::open(&url).await.unwrap())
        }
        async fn wipe(&self) {
            self.0.lock().unwrap().wipe();
        }
        async fn set_gone(&self, gone: bool) {
            let mut server = self.0.lock().unwrap();
            match gone {
                true => server.kill(),
                false => server.restart().unwrap(),
            }
        }
    }

    crate::live_tests!(Killed);
}

mod paused {
    use super::*;

    struct Paused(Scratch);

    #[async_trait]
    impl Server for Paused {
        async fn handle(&self) -> Arc<dyn Live> {
            Arc::new(Redis::open(&self.0.url()).await.unwrap())
        }
        async fn wipe(&self) {
            self.0.wipe();
        }
        async fn set_gone(&self, gone: bool) {
            match gone {
                true => self.0.pause(),
                false => self.0.resume(),
            }
        }
    }

    struct Standstill;

    #[async_trait]
    impl Harness for Standstill {
        async fn open(&self) -> Box<dyn Server> {
            Box::new(Paused(Scratch::start().unwrap()))
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_outage_is_told_and_passes() {
        crate::live::conformance::check(&Standstill, "an_outage_is_told_and_passes").await;
    }
}

fn frame(end: Offset, last: bool) -> Frame {
    Frame { end, body: b"x".to_vec(), last }
}

#[tokio::test]
async fn a_stream_goes_by_itself_and_stays_short() {
    let server = Scratch::start().unwrap();
    let (live, turn) = (Redis::open(&server.url()).await.unwrap(), TurnId::fresh());
    for end in 1..=u64::from(MAX_FRAMES) * 3 / 2 {
        live.append(&WHOSE, turn, frame(end, false)).await.unwrap();
    }
    let mut pipe = Pipeline::new();
    pipe.cmd("PTTL").arg(key(turn)).cmd("XLEN").arg(key(turn));
    let answers = live.0.link.ask(&pipe).await.unwrap();
    let [Value::Int(ttl), Value::Int(length)] = answers[..] else { panic!("{answers:?}") };
    assert!((1..=600_000).contains(&ttl), "{ttl}");
    // Redis trims whole blocks.
    assert!((4096..=4096 + 200).contains(&length), "{length}");
}

#[tokio::test]
async fn a_password_is_sent_and_a_wrong_one_is_told_and_never_shown() {
    let server = Scratch::with_password("hunter2").unwrap();
    let live = Redis::open(&server.url()).await.unwrap();
    live.append(&WHOSE, TurnId::fresh(), frame(1, true)).await.unwrap();
    assert!(!format!("{live:?}").contains("hunter2"));
    for wrong in [server.url().replace("hunter2", "hunter3"), server.url().replace(":hunter2@", "")] {
        let error = Redis::open(&wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error:?}");
        assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let mut server = Scratch::start().unwrap();
    server.kill();
    let live = Redis::open(&server.url()).await.unwrap();
    assert!(live.append(&WHOSE, TurnId::fresh(), frame(1, true)).await.unwrap_err().is_retryable());
    server.restart().unwrap();
    let come_back = async {
        while live.append(&WHOSE, TurnId::fresh(), frame(1, true)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), come_back).await.unwrap();
}

#[tokio::test]
async fn what_somebody_else_put_under_our_key_is_an_error() {
    let server = Scratch::start().unwrap();
    let (live, turn) = (Redis::open(&server.url()).await.unwrap(), TurnId::fresh());
    let mut pipe = Pipeline::new();
    pipe.cmd("SET").arg(key(turn)).arg("x");
    live.0.link.ask(&pipe).await.unwrap();
    assert_eq!(live.append(&WHOSE, turn, frame(1, false)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(live.tail(&WHOSE, turn, 0).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_reader_who_is_not_polled_holds_up_nobody() {
    // The password makes a connection wait for an answer.
    let server = Scratch::with_password("hunter2").unwrap();
    server.pause();
    let live = Redis::open(&server.url()).await.unwrap();
    // They begin to connect, and then nobody looks at them any more.
    let mut readers: Vec<_> = (0..100).map(|_| live.follow(&WHOSE, TurnId::fresh(), 0)).collect();
    for reader in &mut readers {
        while timeout(Duration::from_millis(5), reader.next()).await.is_ok() {
            *reader = live.follow(&WHOSE, TurnId::fresh(), 0);
            tokio::task::yield_now().await;
        }
    }
    server.resume();
    let write = async {
        while live.append(&WHOSE, TurnId::fresh(), frame(1, true)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), write).await.expect("they hold what the writer waits for");
}

/// The task that waits for news must not outlive the runtime that it was begun in as a mere belief.
#[test]
fn a_runtime_that_ends_takes_no_follower_of_another_with_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = Scratch::start().unwrap();
    let (first, second, turn) = (runtime(), runtime(), TurnId::fresh());
    let live = first.block_on(Redis::open(&server.url())).unwrap();
    let mut frames = live.follow(&WHOSE, turn, 0);
    first.block_on(async {
        live.append(&WHOSE, turn, frame(1, false)).await.unwrap();
        assert_eq!(frames.next().await.unwrap().unwrap().end, 1);
        // It waits now, in a task of this runtime.
        assert!(timeout(Duration::from_millis(50), frames.next()).await.is_err());
    });
    drop(first);
    second.block_on(async {
        let write = async {
            while live.append(&WHOSE, turn, frame(2, true)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // Its old place was lost with the runtime; an error sends the follower back here.
            loop {
                match frames.next().await {
                    Some(Ok(frame)) => break frame,
                    Some(Err(_)) | None => frames = live.follow(&WHOSE, turn, 1),
                }
            }
        };
        assert_eq!(timeout(Duration::from_secs(20), write).await.unwrap(), frame(2, true));
    });
}
