//! An engine, and calls on their way.

use std::sync::Arc;

use catgpt_core::bridge::{Bridge, DeskAsks, DeskCaps, DeskHook, DeskMemory, DeskTool, DeskToolSpec, Ticket};
use catgpt_core::memory::Memory;
use napi_derive::napi;
use serde::Deserialize;

use crate::desk::Desk;
use crate::hub::Hub;
use crate::models::Models;
use crate::{Id, read, thrown, write};

/// What the application has written itself, besides models.
#[derive(Deserialize)]
struct Own {
    memory: Option<DeskCaps>,
    hooks: Vec<DeskAsks>,
    tools: Vec<DeskToolSpec>,
}

/// An engine; making one does no I/O.
#[napi]
#[derive(Debug)]
pub struct Engine(Arc<Bridge>);

#[napi]
impl Engine {
    /// `own` says what of it is asked at the desk.
    #[napi(constructor)]
    pub fn new(config: String, models: &Models, desk: &Desk, own: String) -> napi::Result<Self> {
        let own: Own = read(&own)?;
        let kept = |caps| Arc::new(DeskMemory::new(desk.shared(), caps)) as Arc<dyn Memory>;
        let bridge = Bridge::new(&config, &models.all(), own.memory.map(kept)).map_err(thrown)?;
        let bridge = bridge.hooks(DeskHook::each(&desk.shared(), own.hooks));
        Ok(Self(Arc::new(bridge.tools(DeskTool::each(&desk.shared(), own.tools)).map_err(thrown)?)))
    }

    /// Begins a call. Its answer comes to the hub.
    #[napi]
    pub fn call(&self, hub: &Hub, call: String) -> napi::Result<Call> {
        self.0.call(&hub.shared(), &call).map(Call).map_err(thrown)
    }
}

/// A call on its way.
#[napi]
#[derive(Debug)]
pub struct Call(Ticket);

#[napi]
impl Call {
    /// The number under which its answer comes.
    #[napi(getter)]
    pub fn id(&self) -> Id {
        self.0.id.cast_signed()
    }

    /// The number that comes when there is news of how far it is.
    #[napi(getter)]
    pub fn watch(&self) -> Id {
        self.0.watch().cast_signed()
    }

    /// How far it is, as JSON, if there is news of it.
    #[napi]
    pub fn progress(&self) -> Option<String> {
        self.0.progress().map(|progress| write(&progress))
    }

    /// Nobody waits for the answer any more.
    #[napi]
    pub fn abandon(&self) {
        self.0.abandon();
    }
}
