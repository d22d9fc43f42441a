//! How to send, as data.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::given::{Hidden, Who};
use crate::error::Result;
use crate::limits::{Limit, LimitKeys};
use crate::model::Params;
use crate::reply::OnDrop;
use crate::runner::begin::Busy;
use crate::session::Send;

/// How to send, beside what; what is left out is as [`Send`] has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs, reason = "each is the method of `Send` of its name")]
pub struct SendOptions {
    pub key: Option<String>,
    /// `reject`, `queue` or `interrupt`.
    pub busy: Option<WhenBusy>,
    /// For `queue`: how long to wait.
    pub queue_ms: Option<u64>,
    pub persona: Option<Who>,
    pub vars: BTreeMap<String, String>,
    pub params: Params,
    pub model: Option<String>,
    /// The key for this turn. It is not stored and not shown.
    pub credentials: Option<Hidden>,
    pub if_version: Option<u64>,
    pub on_drop: OnDrop,
    pub limit_keys: LimitKeys,
    pub limits: Option<Vec<Limit>>,
    pub max_running: Option<u32>,
    /// The names of the tools that the model is offered.
    pub tools: Option<Vec<String>>,
}

/// What to do if another turn runs in the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "see `Busy`")]
pub enum WhenBusy {
    Reject,
    Queue,
    Interrupt,
}

impl SendOptions {
    pub(super) fn apply(self, send: Send) -> Result<Send> {
        Ok(self.ready()?(send))
    }

    /// What is done to a send, once all that can be wrong with it was looked at.
    pub(super) fn ready(self) -> Result<impl FnOnce(Send) -> Send> {
        let persona = self.persona.map(Who::read).transpose()?;
        Ok(move |mut send: Send| {
            send = send.params(self.params).on_drop(self.on_drop);
            send = match (self.busy, self.queue_ms) {
                (Some(WhenBusy::Queue), Some(ms)) => send.busy(Busy::Queue { deadline: Duration::from_millis(ms) }),
                (Some(WhenBusy::Queue), None) => send.busy(Busy::queue()),
                (Some(WhenBusy::Interrupt), _) => send.busy(Busy::Interrupt),
                (Some(WhenBusy::Reject) | None, _) => send,
            };
            send = self.vars.into_iter().fold(send, |send, (name, value)| send.var(name, value));
            send = persona.into_iter().fold(send, Send::persona);
            send = self.key.into_iter().fold(send, Send::key);
            send = self.model.into_iter().fold(send, Send::model);
            send = self.limit_keys.into_iter().fold(send, |send, (key, value)| send.limit_key(key, value));
            send = self.limits.into_iter().fold(send, Send::limits);
            send = self.max_running.into_iter().fold(send, Send::max_running);
            send = self.tools.into_iter().fold(send, Send::tools);
            send = self.if_version.into_iter().fold(send, Send::if_version);
            self.credentials.into_iter().fold(send, |send, key| send.credentials(key.0))
        })
    }
}
