//! What several test files share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{ChatModel, Engine, Event, InMemory, Memory, Reply, RetryPolicy};

/// A store for one test, and the folder that it may live in.
pub struct Store {
    pub memory: Arc<dyn Memory>,
    pub folder: tempfile::TempDir,
    #[cfg(feature = "postgres")]
    pub database: Option<catgpt_scratch::Database>,
}

impl Store {
    fn new(memory: Arc<dyn Memory>, folder: tempfile::TempDir) -> Self {
        Self {
            memory,
            folder,
            #[cfg(feature = "postgres")]
            database: None,
        }
    }
}

pub fn in_memory() -> Store {
    Store::new(Arc::new(InMemory::default()), tempfile::tempdir().unwrap())
}

#[cfg(feature = "sqlite")]
pub async fn sqlite() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let memory = catgpt_core::Sqlite::open(folder.path().join("chat.db")).await.unwrap();
    Store::new(Arc::new(memory), folder)
}

#[cfg(feature = "postgres")]
pub async fn postgres() -> Store {
    let database = catgpt_scratch::Database::new();
    let memory = catgpt_core::memory::open(&database.url()).await.unwrap();
    Store { database: Some(database), ..Store::new(memory, tempfile::tempdir().unwrap()) }
}

/// Makes one test of a function for each memory.
#[macro_export]
macro_rules! on_each_memory {
    ($($name:ident)*) => {
        mod on_in_memory {
            $(#[tokio::test] async fn $name() { super::$name($crate::common::in_memory()).await })*
        }
        #[cfg(feature = "sqlite")]
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name($crate::common::sqlite().await).await })*
        }
        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(#[tokio::test] async fn $name() { super::$name($crate::common::postgres().await).await })*
        }
    };
}

/// An engine that asks again at once.
pub fn engine(model: &impl CloneModel, store: &Store) -> Engine {
    Engine::builder().model(model.again()).memory(Arc::clone(&store.memory)).retry(eager()).build()
}

pub fn eager() -> RetryPolicy {
    RetryPolicy { base: Duration::ZERO, ..RetryPolicy::default() }
}

pub trait CloneModel {
    fn again(&self) -> Arc<dyn ChatModel>;
}

impl<M: ChatModel + Clone> CloneModel for M {
    fn again(&self) -> Arc<dyn ChatModel> {
        Arc::new(self.clone())
    }
}

/// All events to the end.
pub async fn all(mut reply: Reply) -> Vec<Event> {
    let mut events = vec![];
    while let Some(event) = reply.next().await {
        events.push(event);
    }
    events
}

/// The text of events.
pub fn text_of(events: &[Event]) -> String {
    let texts = events.iter().map(|event| match event {
        Event::Text { text, .. } => text.as_str(),
        _ => "",
    });
    texts.collect()
}

/// Reads on until `text` has been shown.
pub async fn until_text(reply: &mut Reply, text: &str) {
    let mut seen = String::new();
    while !seen.contains(text) {
        match reply.next().await.expect("the reply ended too early") {
            Event::Text { text, .. } => seen.push_str(&text),
            Event::Finished(finished) => panic!("ended with {finished:?} after {seen:?}"),
            _ => {}
        }
    }
}

/// Looks again and again, for at most 20 s, until it is so.
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut is: impl FnMut() -> F) {
    for _ in 0..2000 {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came about: {what}");
}
