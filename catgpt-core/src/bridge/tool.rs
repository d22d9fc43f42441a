//! Tools that are written in the host's language.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desk::Desk;
use super::{json, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ToolSpec;
use crate::tools::{CallAt, Tool, ToolRules};

/// What a tool of the host's is like; what is left out is as [`ToolRules`] has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeskToolSpec {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    #[serde(default)]
    pub description: String,
    /// A JSON Schema of its arguments; left out: it takes none.
    pub parameters: Option<Value>,
    /// Whether somebody has to agree to each call.
    pub approval: Option<bool>,
    /// Whether it may run beside other calls.
    pub parallel: Option<bool>,
    /// Milliseconds that one call may take.
    pub timeout_ms: Option<u64>,
    /// There is no code for it here: each call waits for a decision, which brings its output.
    #[serde(default)]
    pub elsewhere: bool,
}

/// A [`Tool`] that asks a [`Desk`]. The question `tool` bears its number, which call it serves (a [`CallAt`]) and the
/// `arguments`; its answer is the output as JSON. No answer is `null`.
pub struct DeskTool {
    desk: Arc<Desk>,
    number: usize,
    spec: DeskToolSpec,
}

impl DeskTool {
    /// The tools that one desk answers for, numbered from 0.
    pub fn each(desk: &Arc<Desk>, specs: Vec<DeskToolSpec>) -> Vec<Arc<dyn Tool>> {
        let tool = |(number, spec)| Arc::new(Self { desk: Arc::clone(desk), number, spec }) as Arc<dyn Tool>;
        specs.into_iter().enumerate().map(tool).collect()
    }
}

#[derive(Serialize)]
struct Question<'a> {
    tool: usize,
    #[serde(flatten)]
    at: &'a CallAt,
    arguments: Value,
}

#[async_trait]
impl Tool for DeskTool {
    fn spec(&self) -> ToolSpec {
        let none = || serde_json::json!({ "type": "object", "properties": {} });
        ToolSpec {
            name: self.spec.name.clone(),
            description: self.spec.description.clone(),
            parameters: self.spec.parameters.clone().unwrap_or_else(none),
        }
    }

    fn rules(&self) -> ToolRules {
        let usual = ToolRules::default();
        ToolRules {
            approval: self.spec.elsewhere || self.spec.approval.unwrap_or(usual.approval),
            parallel: self.spec.parallel.unwrap_or(usual.parallel),
            timeout: self.spec.timeout_ms.map_or(usual.timeout, Duration::from_millis),
        }
    }

    async fn call(&self, at: &CallAt, arguments: Value) -> Result<Value> {
        if self.spec.elsewhere {
            let text = "this tool is not called here: decide with its output, not with an approval";
            return Err(Error::new(ErrorKind::Unsupported, text).with("tool", &self.spec.name));
        }
        let mut asked = self.desk.ask("tool", json(&Question { tool: self.number, at, arguments }))?;
        match asked.next().await {
            Some(answer) => parse("answer of a tool", &answer?),
            None => Ok(Value::Null),
        }
    }
}

impl fmt::Debug for DeskTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeskTool").field("name", &self.spec.name).finish_non_exhaustive()
    }
}
