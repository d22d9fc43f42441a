//! The scripted model as data, for the tests of hosts and of their users.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::parse;
use crate::error::{ErrorKind, Result};
use crate::message::Part;
use crate::model::{ChatModel, Gate, ModelEvent, PromptMessage, Scripted, Step};

/// A [`Scripted`] model and the gates in its scripts.
#[derive(Clone, Debug)]
pub struct Play {
    model: Scripted,
    gates: HashMap<String, Gate>,
}

/// One step of a script: an object with one key.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Wait(Wait),
    Event(ModelEvent),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wait {
    Error(ErrorKind),
    Gate(String),
    Hang(serde::de::IgnoredAny),
    DelayMs(u64),
}

impl Play {
    /// Reads scripts: a list of lists of steps, one a call; the last one repeats. A step is `{"text": "…"}`,
    /// `{"reasoning": "…"}`, `{"tool_call": {…}}`, `{"part": {…}}`, `{"usage": {…}}`, `{"finish": "stop"}`, `{"error": "unavailable"}`,
    /// `{"gate": "name"}`, `{"delay_ms": 20}` or `{"hang": true}`.
    ///
    /// # Errors
    /// `InvalidInput` for what is not such a list.
    pub fn new(scripts: &str) -> Result<Self> {
        let scripts: Vec<Vec<Line>> = parse("script", scripts)?;
        let mut gates = HashMap::new();
        let mut scripts = scripts.into_iter().map(|lines| {
            let steps: Vec<Step> = lines.into_iter().map(|line| line.step(&mut gates)).collect();
            Scripted::script(steps)
        });
        let first = scripts.next().unwrap_or_else(|| Scripted::script([]));
        let model = scripts.fold(first, Scripted::then);
        Ok(Self { model, gates })
    }

    /// The model.
    pub fn model(&self) -> Arc<dyn ChatModel> {
        Arc::new(self.model.clone())
    }

    /// Opens a gate. Says whether there is one of this name.
    pub fn open(&self, gate: &str) -> bool {
        self.gates.get(gate).map(Gate::open).is_some()
    }

    /// What it was asked, in order, as JSON: a list of `{"messages": [{"role", "text"}], "params", "model"}`. A message
    /// with pictures has their URLs in `images`, one with tools has their calls and results in `tools` (`call a`, `result a`).
    pub fn requests(&self) -> String {
        let requests = self.model.requests().into_iter().map(|request| {
            let messages: Vec<_> = request.messages.iter().map(asked).collect();
            json!({ "messages": messages, "params": request.params, "model": request.model })
        });
        Value::Array(requests.collect()).to_string()
    }

    /// How many of its answers were dropped before their end: what a cancel must do.
    pub fn dropped(&self) -> usize {
        self.model.dropped()
    }
}

fn asked(message: &PromptMessage) -> Value {
    let parts = message.content.parts().iter();
    let url = |part: &Part| if let Part::Image(image) = part { Some(image.url.clone()) } else { None };
    let images: Vec<_> = parts.filter_map(url).collect();
    let mut asked = json!({ "role": message.role, "text": message.content.text() });
    if !images.is_empty() {
        asked["images"] = json!(images);
    }
    let tools: Vec<_> = message.content.parts().iter().filter_map(tool).collect();
    if !tools.is_empty() {
        asked["tools"] = json!(tools);
    }
    asked
}

fn tool(part: &Part) -> Option<String> {
    match part {
        Part::ToolCall(call) => Some(format!("call {}", call.id)),
        Part::ToolResult(result) => Some(format!("result {}", result.id)),
        _ => None,
    }
}

impl Line {
    fn step(self, gates: &mut HashMap<String, Gate>) -> Step {
        match self {
            Self::Event(event) => Step::Event(event),
            Self::Wait(Wait::Error(kind)) => Step::fails(kind),
            Self::Wait(Wait::Gate(name)) => Step::gate(gates.entry(name).or_default()),
            Self::Wait(Wait::Hang(_)) => Step::Hang,
            Self::Wait(Wait::DelayMs(ms)) => Step::Delay(Duration::from_millis(ms)),
        }
    }
}
