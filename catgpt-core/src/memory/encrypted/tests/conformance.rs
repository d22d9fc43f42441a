//! The contract of [`Memory`], sealed, over each store.

use std::sync::Arc;

use async_trait::async_trait;

use crate::encryption::{Encryption, LocalKeys};
use crate::memory::conformance::{Harness, Lacks, Store};
use crate::memory::{Encrypted, Memory};

/// Another store, sealed. Its handles share no more of the keys than two processes do.
struct Over<H>(H);

struct SealedStore {
    store: Box<dyn Store>,
    first: Arc<dyn Memory>,
    keys: String,
}

fn seal(store: Arc<dyn Memory>, keys: &str) -> Arc<dyn Memory> {
    let encryption = Encryption::new(LocalKeys::parse(keys).unwrap()).refuse_plaintext();
    Arc::new(Encrypted::new(store, encryption))
}

#[async_trait]
impl<H: Harness> Harness for Over<H> {
    async fn open(&self) -> Box<dyn Store> {
        let (store, keys) = (self.0.open().await, LocalKeys::fresh_line("k").unwrap());
        Box::new(SealedStore { first: seal(store.memory(), &keys), store, keys })
    }
}

#[async_trait]
impl Store for SealedStore {
    fn memory(&self) -> Arc<dyn Memory> {
        self.first.clone()
    }
    async fn second(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Ok(seal(self.store.second().await?, &self.keys))
    }
    async fn reopen(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Ok(seal(self.store.reopen().await?, &self.keys))
    }
    async fn crash(&self) -> Result<Arc<dyn Memory>, Lacks> {
        Ok(seal(self.store.crash().await?, &self.keys))
    }
    async fn set_full(&self, full: bool) -> Result<(), Lacks> {
        self.store.set_full(full).await
    }
    async fn set_read_only(&self, read_only: bool) -> Result<(), Lacks> {
        self.store.set_read_only(read_only).await
    }
}

mod in_memory {
    use super::*;
    use crate::memory::in_memory::tests::Here;

    crate::conformance_tests!(Over(Here));
}

#[cfg(feature = "sqlite")]
mod sqlite {
    use super::*;
    use crate::memory::sqlite::tests::conformance::Files;

    crate::conformance_tests!(Over(Files));
}

#[cfg(feature = "postgres")]
mod postgres {
    use super::*;
    use crate::memory::postgres::tests::conformance::Way;

    crate::conformance_tests!(Over(Way::Direct));
}
