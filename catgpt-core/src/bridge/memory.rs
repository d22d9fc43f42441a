//! A store that is written in the host's language.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::desk::Desk;
use super::{json, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{OpId, Owner};
use crate::memory::{
    Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View,
};

/// What the host's store is like; what is left out is as [`Caps`] has it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeskCaps {
    /// Whether it survives the process.
    pub durable: bool,
    /// Whether other processes use it at the same time.
    pub shared: bool,
    /// Milliseconds that a running turn is believed alive without a checkpoint.
    pub lease_ms: Option<u64>,
    /// Milliseconds between two looks for news of a turn that runs elsewhere.
    pub poll_ms: Option<u64>,
    /// Milliseconds that one call may take.
    pub timeout_ms: Option<u64>,
}

/// A [`Memory`] that asks a [`Desk`]. Each question bears the method's name and its arguments by their names; encoded
/// bodies are strings of base64, which the host keeps as they are.
pub struct DeskMemory {
    desk: Arc<Desk>,
    caps: Caps,
    patience: Duration,
}

impl DeskMemory {
    /// A store with these properties.
    pub fn new(desk: Arc<Desk>, caps: DeskCaps) -> Self {
        let usual = Caps::default();
        let ms = |ms: Option<u64>, usual| ms.map_or(usual, Duration::from_millis);
        Self {
            desk,
            caps: Caps {
                durable: caps.durable,
                shared: caps.shared,
                lease: ms(caps.lease_ms, usual.lease),
                poll: ms(caps.poll_ms, usual.poll),
                ..usual
            },
            patience: ms(caps.timeout_ms, Duration::from_secs(10)),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, method: &'static str, args: impl Serialize) -> Result<T> {
        let mut asked = self.desk.ask(method, json(&args))?;
        let late = |_| Error::new(ErrorKind::Store, "the application's own store took too long").with("method", method);
        let answer = timeout(self.patience, asked.next()).await.map_err(late)?;
        let silent =
            || Error::new(ErrorKind::Store, "the application's own store gave no answer").with("method", method);
        parse("answer of a store", &answer.ok_or_else(silent)??)
    }
}

#[derive(Serialize)]
struct Args<'a, T> {
    owner: &'a Owner,
    #[serde(flatten)]
    rest: T,
}

#[async_trait]
impl Memory for DeskMemory {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        self.ask("begin_turn", Args { owner, rest: begin }).await
    }
    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        self.ask("checkpoint", Args { owner, rest: checkpoint }).await
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        self.ask("finish_turn", Args { owner, rest: finish }).await
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.ask("apply", serde_json::json!({ "owner": owner, "op_id": op_id, "ops": ops })).await
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.ask("read", serde_json::json!({ "owner": owner, "read": read })).await
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        self.ask("query", serde_json::json!({ "owner": owner, "query": query })).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.ask("sweep", serde_json::json!({ "limit": limit })).await
    }
    fn caps(&self) -> Caps {
        self.caps
    }
    async fn close(&self) -> Result<()> {
        self.ask("close", serde_json::json!({})).await
    }
}

impl fmt::Debug for DeskMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeskMemory").field("caps", &self.caps).finish_non_exhaustive()
    }
}
