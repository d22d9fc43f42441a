//! The tools that a scenario describes.

use catgpt_core::tools::{Function, function};
use catgpt_core::{Error, ErrorKind, Part, ToolSpec};
use serde::Deserialize;
use serde_json::Value;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    name: String,
    #[serde(default)]
    gives: Value,
    fails: Option<String>,
    #[serde(default)]
    tells: bool,
    #[serde(default)]
    approval: bool,
    #[serde(default)]
    parallel: bool,
}

impl Told {
    pub(crate) fn tool(&self) -> Function {
        let (name, told) = (self.name.clone(), self.clone());
        let parameters = serde_json::json!({ "type": "object" });
        let tool = function(ToolSpec { name, description: String::new(), parameters }, move |at, _| {
            let given = match told.fails.clone() {
                Some(text) => Err(Error::new(ErrorKind::Unavailable, text)),
                None if told.tells => Ok(serde_json::json!(at)),
                None => Ok(told.gives.clone()),
            };
            async { given }
        });
        let tool = if self.approval { tool.approval() } else { tool };
        if self.parallel { tool.parallel() } else { tool }
    }
}

/// A call or a result in a request, in a word.
pub(crate) fn word(part: &Part) -> Option<String> {
    match part {
        Part::ToolCall(call) => Some(format!("call {}", call.id)),
        Part::ToolResult(result) => Some(format!("result {}", result.id)),
        _ => None,
    }
}
