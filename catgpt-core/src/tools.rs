//! Tools: what a model may ask for, and the application's own code that does it.
//!
//! The model's calls run in a bounded loop inside one turn: call and result are parts of one reply, each result is stored
//! in the same commit as its call, and a call without a result never reaches a model again. A call that needs an approval
//! ends the turn as `paused`; `Session::decide` goes on from there, from any process.

mod function;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::id::{Owner, SessionId, TurnAt, TurnId};
use crate::model::ToolSpec;

#[cfg(feature = "schemars")]
pub use function::typed;
pub use function::{Function, function};

/// How long a tool may take where it does not say.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How a tool is to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToolRules {
    /// Somebody has to agree before it is called: the turn ends as `paused`.
    pub approval: bool,
    /// It may run beside other calls of the same step; else the calls run one after the other.
    pub parallel: bool,
    /// How long one call may take; then it is dropped, and the model is told.
    pub timeout: Duration,
}

impl Default for ToolRules {
    fn default() -> Self {
        Self { approval: false, parallel: false, timeout: TIMEOUT }
    }
}

/// Which call a tool serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallAt {
    /// Whose it is.
    pub owner: Owner,
    /// Its session.
    pub session: SessionId,
    /// The turn that runs it; of a call that was approved, not the one that asked for it.
    pub turn: TurnId,
    /// The call's id, as in its `tool_call` and `tool_result`. Models count anew: it is unique in its turn only.
    pub id: String,
    /// An idempotency key for what must not happen twice: the text of a UUID that no other call of the store has. It stays
    /// the same whoever runs the call, however often somebody decides about it.
    pub key: String,
}

impl CallAt {
    /// `asked` names the reply that asks for it, in a way that outlives the turn which runs it.
    pub(crate) fn new(at: TurnAt, asked: &str, id: &str) -> Self {
        let hash = Sha256::new().chain_update(asked).chain_update([0]).chain_update(id).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        let key = uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string();
        Self { owner: at.owner, session: at.session, turn: at.turn, id: id.to_owned(), key }
    }
}

/// Something that a model may ask for.
#[async_trait]
pub trait Tool: fmt::Debug + Send + Sync + 'static {
    /// What the model is told of it. Asked once, when the engine is built.
    fn spec(&self) -> ToolSpec;

    /// How it is to be called. Asked once, when the engine is built.
    fn rules(&self) -> ToolRules {
        ToolRules::default()
    }

    /// Does it. `arguments` is what the model wrote: usually an object that fits the schema, but nobody has checked that.
    ///
    /// # Errors
    /// The model is told what the error says, as the call's result, and the turn goes on.
    async fn call(&self, at: &CallAt, arguments: Value) -> Result<Value>;
}

#[async_trait]
impl<T: Tool + ?Sized> Tool for Arc<T> {
    fn spec(&self) -> ToolSpec {
        (**self).spec()
    }
    fn rules(&self) -> ToolRules {
        (**self).rules()
    }
    async fn call(&self, at: &CallAt, arguments: Value) -> Result<Value> {
        (**self).call(at, arguments).await
    }
}

/// What becomes of one call that a paused turn waits with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The call's id, as in `finished.pending`.
    pub id: String,
    /// What is decided.
    #[serde(flatten)]
    pub verdict: DecisionKind,
}

/// What is decided about a call. Its JSON is one key: `{"approve": true}`, `{"deny": "why"}`, `{"output": …}`,
/// `{"error": "…"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecisionKind {
    /// `true`: call it. `false`: the model is told that it was denied.
    Approve(bool),
    /// The model is told that it was denied, and why.
    Deny(String),
    /// It was done elsewhere, and gave this.
    Output(Value),
    /// It was tried elsewhere, and failed so.
    Error(String),
}

impl Decision {
    /// Call it.
    pub fn approve(id: impl Into<String>) -> Self {
        Self { id: id.into(), verdict: DecisionKind::Approve(true) }
    }

    /// Do not, and tell the model why.
    pub fn deny(id: impl Into<String>, why: impl Into<String>) -> Self {
        Self { id: id.into(), verdict: DecisionKind::Deny(why.into()) }
    }

    /// It was done elsewhere: this is its result.
    pub fn output(id: impl Into<String>, output: impl Into<Value>) -> Self {
        Self { id: id.into(), verdict: DecisionKind::Output(output.into()) }
    }

    /// It was tried elsewhere, and failed so.
    pub fn error(id: impl Into<String>, error: impl Into<String>) -> Self {
        Self { id: id.into(), verdict: DecisionKind::Error(error.into()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_is_one_word_about_one_call() {
        let all = [
            (json!({ "id": "a", "approve": true }), Decision::approve("a")),
            (json!({ "id": "a", "deny": "no" }), Decision::deny("a", "no")),
            (json!({ "id": "a", "output": [1, null] }), Decision::output("a", json!([1, null]))),
            (json!({ "id": "a", "error": "gone" }), Decision::error("a", "gone")),
        ];
        for (json, decision) in all {
            assert_eq!(serde_json::to_value(&decision).unwrap(), json);
            assert_eq!(serde_json::from_value::<Decision>(json).unwrap(), decision);
        }
        for wrong in [
            json!({ "id": "a" }),
            json!({ "approve": true }),
            json!({ "id": "a", "approve": "yes" }),
            json!({ "id": "a", "approve": true, "deny": "no" }),
            json!({ "id": "a", "approve": true, "owner": "bob" }),
        ] {
            assert!(serde_json::from_value::<Decision>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
