//! A memory of your own: here one that counts what reaches the store behind it, and passes the contract's own tests.
//!
//! ```sh
//! cargo run -p examples --example custom_memory
//! cargo test -p examples --example custom_memory      # the conformance suite
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use catgpt_core::memory::{
    Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Op, Query, Read, Sealed, Swept, View,
};
use catgpt_core::{Engine, InMemory, Memory, Offline, OpId, Owner, Result};

/// Counts the calls to another memory. An audit log, a cache or a quota would stand in the same place.
#[derive(Debug, Default)]
struct Counted<M> {
    inner: M,
    calls: Mutex<BTreeMap<&'static str, u64>>,
}

impl<M> Counted<M> {
    fn count(&self, call: &'static str) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(call).or_default() += 1;
    }

    fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl<M: Memory> Memory for Counted<M> {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        self.count("begin_turn");
        self.inner.begin_turn(owner, begin).await
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        self.count("checkpoint");
        self.inner.checkpoint(owner, checkpoint).await
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        self.count("finish_turn");
        self.inner.finish_turn(owner, finish).await
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.count("apply");
        self.inner.apply(owner, op_id, ops).await
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.count("read");
        self.inner.read(owner, read).await
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        self.count("query");
        self.inner.query(owner, query).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.count("sweep");
        self.inner.sweep(limit).await
    }

    // These two have defaults, which would speak for this memory and not for the one behind it.
    fn caps(&self) -> Caps {
        self.inner.caps()
    }
    async fn close(&self) -> Result<()> {
        self.inner.close().await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let memory = Arc::new(Counted::<InMemory>::default());
    let engine =
        Engine::builder().model(Offline::new().paced(Duration::from_millis(60))).memory(memory.clone()).build();

    let session = engine.local().session("counting")?;
    println!("{}\n", session.send("How much work am I?").await?.text().await?);
    session.rename("A small conversation").await?;
    println!("{} messages are kept.\n", session.history(10).await?.len());

    // One turn is one begin, one checkpoint every half second, and one finish.
    for (call, times) in memory.counts() {
        println!("{times:>3} x {call}");
    }
    engine.close(Duration::from_secs(5)).await
}

/// Every behaviour of the contract becomes one test. `Lacks` declares what a backend cannot do.
#[cfg(test)]
mod conformance {
    use catgpt_core::memory::conformance::{Harness, Lacks, Store};

    use super::*;

    struct Mine;

    struct MyStore(Arc<Counted<InMemory>>);

    #[async_trait]
    impl Harness for Mine {
        async fn open(&self) -> Box<dyn Store> {
            Box::new(MyStore(Arc::default()))
        }
    }

    #[async_trait]
    impl Store for MyStore {
        fn memory(&self) -> Arc<dyn Memory> {
            self.0.clone()
        }
        async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
            Ok(self.0.clone())
        }
        async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
            Err(Lacks("what is in it goes with the process"))
        }
        async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
            Err(Lacks("what is in it goes with the process"))
        }
        async fn set_full(&self, _: bool) -> Result<(), Lacks> {
            Err(Lacks("nothing outside takes its room away"))
        }
        async fn set_read_only(&self, _: bool) -> Result<(), Lacks> {
            Err(Lacks("it can always be written"))
        }
    }

    catgpt_core::conformance_tests!(Mine);
}
