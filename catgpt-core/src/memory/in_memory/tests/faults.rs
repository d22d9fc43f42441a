//! That the suite finds what is broken.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;

use super::super::InMemory;
use crate::error::Result;
use crate::id::{OpId, Owner};
use crate::memory::conformance::{self, Harness, Lacks, Store};
use crate::memory::{
    Answer, Begin, Begun, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View,
};

/// A backend with a fault, to see that the suite finds it.
#[derive(Debug)]
struct Faulty(InMemory, Fault);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    KnowsOneOwner,
    ForgetsKeys,
    BuriesTheLiving,
    DoesItAgain,
    WritesOverTitles,
    ForgetsLimits,
    GivesNothingBack,
    SpendsInSecret,
    ShowsWhatIsPutAway,
    ClaimsFromItself,
}

#[async_trait]
impl Memory for Faulty {
    async fn begin_turn(&self, owner: &Owner, mut begin: Begin) -> Result<Begun> {
        if self.1 == Fault::ForgetsKeys {
            begin.key = None;
        }
        if self.1 == Fault::ForgetsLimits {
            begin.reserve.clear();
        }
        self.0.begin_turn(&self.of(owner), begin).await
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        self.0.checkpoint(&self.of(owner), checkpoint).await
    }
    async fn finish_turn(&self, owner: &Owner, mut finish: Finish) -> Result<Sealed> {
        finish.if_expired &= self.1 != Fault::BuriesTheLiving;
        match self.1 {
            Fault::GivesNothingBack => finish.settle.clear(),
            Fault::SpendsInSecret => finish.cost = 0,
            _ => {}
        }
        self.0.finish_turn(&self.of(owner), finish).await
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, mut ops: Vec<Op>) -> Result<Vec<Done>> {
        for op in &mut ops {
            match op {
                Op::SetTitle { over, .. } if self.1 == Fault::WritesOverTitles => *over = None,
                Op::Claim { from } if self.1 == Fault::ClaimsFromItself => from.clone_from(owner),
                _ => {}
            }
        }
        let op_id = if self.1 == Fault::DoesItAgain { OpId::fresh() } else { op_id };
        self.0.apply(&self.of(owner), op_id, ops).await
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.0.read(&self.of(owner), read).await
    }
    async fn query(&self, owner: &Owner, mut query: Query) -> Result<Answer> {
        if let (Fault::ShowsWhatIsPutAway, Query::Sessions { archived, .. }) = (self.1, &mut query) {
            *archived = false;
        }
        self.0.query(&self.of(owner), query).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.0.sweep(limit).await
    }
}

impl Faulty {
    fn of(&self, owner: &Owner) -> Owner {
        if self.1 == Fault::KnowsOneOwner { Owner::local() } else { owner.clone() }
    }
}

#[async_trait]
impl Harness for Fault {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(Broken(Arc::new(Faulty(InMemory::new(), *self))))
    }
}

struct Broken(Arc<Faulty>);

#[async_trait]
impl Store for Broken {
    fn memory(&self) -> Arc<dyn Memory> {
        self.0.clone()
    }
    async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Err(Lacks("it is broken"))
    }
    async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Err(Lacks("it is broken"))
    }
    async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Err(Lacks("it is broken"))
    }
    async fn set_full(&self, _: bool) -> Result<(), Lacks> {
        Err(Lacks("it is broken"))
    }
    async fn set_read_only(&self, _: bool) -> Result<(), Lacks> {
        Err(Lacks("it is broken"))
    }
}

#[tokio::test]
async fn the_suite_finds_what_is_broken() {
    let found = [
        (Fault::KnowsOneOwner, "isolation::what_is_foreign_answers_as_if_it_were_not_there"),
        (Fault::ForgetsKeys, "begin::a_key_replays_its_turn_running_or_not"),
        (Fault::BuriesTheLiving, "takeover::a_live_turn_is_not_buried"),
        (Fault::DoesItAgain, "apply::a_retried_call_is_one"),
        (Fault::WritesOverTitles, "titles::a_title_that_was_changed_meanwhile_stays"),
        (Fault::ForgetsLimits, "limits::one_of_64_begins_passes_the_last_place"),
        (Fault::GivesNothingBack, "limits::it_is_settled_once"),
        (Fault::SpendsInSecret, "ledger::every_end_is_counted"),
        (Fault::ShowsWhatIsPutAway, "organize::the_pinned_come_first_page_by_page"),
        (Fault::ClaimsFromItself, "claim::all_of_it_goes_along"),
    ];
    for (fault, name) in found {
        let checked = AssertUnwindSafe(conformance::check(&fault, name)).catch_unwind().await;
        assert!(checked.is_err(), "{fault:?} is not found by {name}");
    }
    // And a whole report says so.
    let report = conformance::run(&Fault::ForgetsKeys).await;
    assert!(report.failed.iter().any(|(failed, _)| *failed == "begin::a_key_replays_its_turn_running_or_not"));
}
