//! The suite, and what only this backend promises: that it stays small.

use std::sync::Arc;

use async_trait::async_trait;

use super::{InMemory, Limits};
use crate::memory::Memory;
use crate::memory::conformance::{self, Harness, Lacks, Store};

struct Here;
struct One(Arc<InMemory>);

#[async_trait]
impl Harness for Here {
    async fn open(&self) -> Box<dyn Store> {
        Box::new(One(Arc::new(InMemory::new())))
    }
}

#[async_trait]
impl Store for One {
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
    async fn set_full(&self, full: bool) -> Result<(), Lacks> {
        let mut state = self.0.lock();
        state.limits.bytes = if full { state.shelf.bytes() } else { Limits::default().bytes };
        Ok(())
    }
    async fn set_read_only(&self, _: bool) -> Result<(), Lacks> {
        Err(Lacks("it can always be written"))
    }
}

crate::conformance_tests!(Here);

#[tokio::test]
async fn it_differs_where_it_says_so_and_nowhere_else() {
    let report = conformance::run(&Here).await;
    let differences: Vec<_> = report.differences.iter().map(|(name, _)| *name).collect();
    let declared = [
        "outage::what_was_answered_survives_a_reopen",
        "outage::what_was_answered_survives_a_crash",
        "outage::a_read_only_store_says_so_and_recovers",
    ];
    assert_eq!(differences, declared, "{report}");
    assert!(report.failed.is_empty() && report.passed.len() + 3 == conformance::ALL.len(), "{report}");
}
