//! A memory that misbehaves as it is told, around one that does not.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use catgpt_core::memory::{
    Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Op, Query, Read, Sealed, Swept, View,
};
use catgpt_core::{Error, ErrorKind, InMemory, Memory, OpId, Owner, Result};
use tokio::sync::Semaphore;

/// A method of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Begin,
    Checkpoint,
    Finish,
    Apply,
    Read,
    Query,
    Sweep,
    Close,
}

/// What goes wrong with one call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing is done, and it says so.
    Fails(ErrorKind),
    /// Nothing is done, and no answer comes.
    Hangs,
    /// It is done, but the answer is an error.
    Lost,
    /// It is done, but no answer comes.
    LostHangs,
    Panics,
    /// It waits at the door, then it is done.
    Before(Door),
    /// It is done, then the answer waits at the door.
    After(Door),
}

/// Where a call waits until the test lets it go on.
#[derive(Clone, Debug)]
pub struct Door(Arc<(Semaphore, Semaphore)>);

impl Door {
    pub fn new() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// Waits until a call stands there.
    pub async fn reached(&self) {
        self.0.0.acquire().await.unwrap().forget();
    }

    pub fn open(&self) {
        self.0.1.add_permits(1);
    }

    async fn pass(&self) {
        self.0.0.add_permits(1);
        self.0.1.acquire().await.unwrap().forget();
    }
}

#[derive(Debug, Default)]
struct Plan {
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

/// The memory.
#[derive(Default)]
pub struct Hostile {
    inner: InMemory,
    plans: Mutex<HashMap<Call, Plan>>,
    begun: Mutex<Vec<(Owner, Begin)>>,
    /// What the memory inside would not do.
    refused: Mutex<Vec<(Call, ErrorKind)>>,
}

impl Hostile {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    fn plan<T>(&self, call: Call, change: impl FnOnce(&mut Plan) -> T) -> T {
        change(self.plans.lock().unwrap().entry(call).or_default())
    }

    /// The next calls go wrong like this.
    pub fn next(&self, call: Call, faults: impl IntoIterator<Item = Fault>) {
        self.plan(call, |plan| plan.next.extend(faults));
    }

    /// All calls go wrong like this.
    pub fn always(&self, call: Call, fault: Fault) {
        self.plan(call, |plan| plan.always = Some(fault));
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.plans.lock().unwrap().clear();
    }

    /// How many planned faults have not come yet.
    pub fn left(&self, call: Call) -> usize {
        self.plan(call, |plan| plan.next.len())
    }

    pub fn refused(&self) -> Vec<(Call, ErrorKind)> {
        self.refused.lock().unwrap().clone()
    }

    /// Lets the leases of all turns run out now.
    pub async fn outlive(&self) {
        let begun = self.begun.lock().unwrap().clone();
        for (owner, mut begin) in begun {
            // A repeated begin gives its turn a new lease, here one without length.
            begin.lease = Duration::ZERO;
            self.inner.begin_turn(&owner, begin).await.unwrap();
        }
    }

    async fn call<T>(&self, call: Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        let work = async { work.await.inspect_err(|error| self.refused.lock().unwrap().push((call, error.kind()))) };
        let lost = |_| Err(Error::new(ErrorKind::Store, "the answer was lost"));
        match self.plan(call, |plan| plan.next.pop_front().or_else(|| plan.always.clone())) {
            None => work.await,
            Some(Fault::Fails(kind)) => Err(Error::new(kind, "this memory does not want to")),
            Some(Fault::Hangs) => pending().await,
            Some(Fault::Lost) => work.await.and_then(lost),
            Some(Fault::LostHangs) => {
                work.await?;
                pending().await
            }
            Some(Fault::Panics) => panic!("the memory panics, as the test wants it"),
            Some(Fault::Before(door)) => {
                door.pass().await;
                work.await
            }
            Some(Fault::After(door)) => {
                let done = work.await;
                door.pass().await;
                done
            }
        }
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl Memory for Hostile {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        let begun = async {
            let answer = self.inner.begin_turn(owner, begin.clone()).await?;
            if matches!(answer, Begun::Started(_)) {
                self.begun.lock().unwrap().push((owner.clone(), begin));
            }
            Ok(answer)
        };
        self.call(Call::Begin, begun).await
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        self.call(Call::Checkpoint, self.inner.checkpoint(owner, checkpoint)).await
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        self.call(Call::Finish, self.inner.finish_turn(owner, finish)).await
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.call(Call::Apply, self.inner.apply(owner, op_id, ops)).await
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.call(Call::Read, self.inner.read(owner, read)).await
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        self.call(Call::Query, self.inner.query(owner, query)).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.call(Call::Sweep, self.inner.sweep(limit)).await
    }
    fn caps(&self) -> Caps {
        self.inner.caps()
    }
    async fn close(&self) -> Result<()> {
        self.call(Call::Close, self.inner.close()).await
    }
}
