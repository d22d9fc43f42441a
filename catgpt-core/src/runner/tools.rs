//! Tools are foreign code: what one says of itself is checked, each call has a deadline and a bound for its result, and
//! its panic is a result that tells the model so.

use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::time::timeout;
use tracing::Span;
use tracing::field::Empty;

use crate::error::{Error, ErrorKind, Result};
use crate::message::{ToolCall, ToolResult};
use crate::model::ToolSpec;
use crate::tools::{CallAt, Tool, ToolRules};
use crate::turn::Rulebook;

/// The longest result, in bytes of JSON.
const MAX_RESULT: usize = 1 << 20;
/// The longest name of a tool, in bytes.
const MAX_NAME: usize = 64;

/// The tools of an engine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toolbox {
    specs: Vec<ToolSpec>,
    tools: BTreeMap<String, (Arc<dyn Tool>, ToolRules)>,
}

/// What a turn offers to its model.
#[derive(Clone, Debug, Default)]
pub(super) struct Offer {
    pub(super) specs: Arc<[ToolSpec]>,
    /// Without one this engine has no tools.
    pub(super) rules: Option<Arc<Rulebook>>,
}

impl Toolbox {
    pub(crate) fn add(&mut self, tool: Arc<dyn Tool>) -> Result<()> {
        let (spec, rules) = (tool.spec(), tool.rules());
        check(&spec)?;
        if self.tools.contains_key(&spec.name) {
            return Err(
                Error::invalid("there is a tool of this name already: give each its own").with("tool", spec.name)
            );
        }
        self.tools.insert(spec.name.clone(), (tool, rules));
        self.specs.push(spec);
        Ok(())
    }

    pub(super) fn rules(&self, name: &str) -> Option<ToolRules> {
        self.tools.get(name).map(|(_, rules)| *rules)
    }

    /// Those of these names, or all.
    pub(super) fn offer(&self, only: Option<&[String]>) -> Result<Offer> {
        if let Some(name) = only.into_iter().flatten().find(|name| !self.tools.contains_key(*name)) {
            let error = Error::invalid("the engine has no tool of this name: name one of its own, or give it this one");
            return Err(error.with("tool", name));
        }
        let chosen = |spec: &&ToolSpec| only.is_none_or(|only| only.contains(&spec.name));
        let specs: Arc<[_]> = self.specs.iter().filter(chosen).cloned().collect();
        let rules = || specs.iter().filter_map(|spec| Some((spec.name.clone(), self.rules(&spec.name)?))).collect();
        let rules = (!self.tools.is_empty()).then(|| Arc::new(rules()));
        Ok(Offer { specs, rules })
    }

    /// Calls a tool, of the `offered` ones. Whatever happens is a result.
    pub(super) async fn call(&self, at: CallAt, call: ToolCall, offered: HashSet<String>) -> ToolResult {
        let ToolCall { id, name, arguments } = call;
        let answer = match self.tools.get(&name).filter(|_| offered.contains(&name)) {
            Some((tool, rules)) => answered(tool, *rules, &at, arguments).await.and_then(bounded),
            None => Err(unknown(&name, offered)),
        };
        Span::current().record("error.type", answer.as_ref().err().map(|error| error.kind().as_str()));
        Span::current().record("otel.status_code", answer.as_ref().err().map(|_| "ERROR"));
        match answer {
            Ok(output) => ToolResult { id, output, is_error: false },
            Err(error) => ToolResult { id, output: told(&error), is_error: true },
        }
    }
}

/// The span of a call, in that of its turn.
pub(super) fn span(turn: &Span, call: &ToolCall, arguments: bool) -> Span {
    tracing::info_span!(
        parent: turn,
        "execute_tool",
        otel.name = format_args!("execute_tool {}", call.name),
        otel.kind = "internal",
        otel.status_code = Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = call.name,
        gen_ai.tool.type = "function",
        gen_ai.tool.call.id = call.id,
        gen_ai.tool.call.arguments = arguments.then(|| call.arguments.to_string()),
        "error.type" = Empty,
    )
}

async fn answered(tool: &Arc<dyn Tool>, rules: ToolRules, at: &CallAt, arguments: Value) -> Result<Value> {
    // The call itself stands in the future: foreign code may panic before it gives its own.
    let mut call = Box::pin(AssertUnwindSafe(async { tool.call(at, arguments).await }).catch_unwind());
    let answer = timeout(rules.timeout, &mut call).await;
    // It may panic even when it is let go of.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(call)));
    match answer {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::new(ErrorKind::Unexpected, "the tool panicked; this is a defect of its code")),
        Err(_) => {
            let late = Error::new(ErrorKind::Timeout, "the tool did not answer in time and was stopped");
            Err(late.with("waited_ms", rules.timeout.as_millis()))
        }
    }
}

/// What a model is told of an error, which is no longer than a result.
fn told(error: &Error) -> Value {
    bounded(Value::String(error.to_string())).unwrap_or_else(|long| Value::String(long.to_string()))
}

/// A result, unless it is too long.
pub(super) fn bounded(output: Value) -> Result<Value> {
    let bytes = serde_json::to_vec(&output).map_or(0, |json| json.len());
    if bytes <= MAX_RESULT {
        return Ok(output);
    }
    let error = Error::invalid("the tool's result is too long to be used: ask for less of it");
    Err(error.with("bytes", bytes).with("most", MAX_RESULT))
}

fn unknown(name: &str, offered: HashSet<String>) -> Error {
    let mut names: Vec<_> = offered.into_iter().collect();
    names.sort_unstable();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Error::new(ErrorKind::NotFound, format!("there is no tool \"{name}\"; those that there are: {names}"))
}

fn check(spec: &ToolSpec) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let error = if spec.name.is_empty() || spec.name.len() > MAX_NAME || !spec.name.chars().all(fits) {
        "a tool's name is 1 to 64 letters, digits, _ and -"
    } else if spec.parameters["type"] != "object" {
        "a tool's parameters are a JSON Schema whose type is object"
    } else {
        return Ok(());
    };
    Err(Error::invalid(error).with("tool", &spec.name))
}
