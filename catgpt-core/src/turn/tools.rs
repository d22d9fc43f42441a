//! What tools change about a turn: the model's calls are run between two of its steps, once they are on disk, and those
//! that need an approval end the turn as paused.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Effect, Phase, Turn};
use crate::error::{Error, ErrorKind};
use crate::message::{Part, Status, ToolCall, ToolResult};
use crate::tools::ToolRules;

/// What a turn knows of the tools that are offered to its model, by name.
pub(crate) type Rulebook = BTreeMap<String, ToolRules>;

/// A call of an earlier reply, and what became of it: its result, or nothing if it was approved and is to be run now.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) call: ToolCall,
    /// The name of the reply that asks for it, the same for all who decide about it.
    pub(crate) asked: String,
    pub(crate) parallel: bool,
    pub(crate) result: Option<ToolResult>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// The model speaks.
    #[default]
    Speaking,
    /// What it said is brought to disk, so that a call that was made is known to have been made.
    Keeping,
    /// Calls run.
    Calling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    NeedsApproval,
    Runs,
    Answered,
}

#[derive(Debug)]
struct Open {
    call: ToolCall,
    parallel: bool,
    fate: Fate,
}

/// The calls of a turn.
#[derive(Debug, Default)]
pub(super) struct Tools {
    /// Without one nobody here runs calls: whoever reads the turn's end does.
    rules: Option<Arc<Rulebook>>,
    stage: Stage,
    /// How often the model was asked, retries not counted.
    steps: u32,
    /// The calls of this step, in their order.
    open: Vec<Open>,
    /// The ids of all calls.
    ids: HashSet<String>,
}

impl Tools {
    pub(super) fn new(rules: Option<Arc<Rulebook>>) -> Self {
        Self { rules, steps: 1, ..Self::default() }
    }

    /// Whether the model has nothing more to say in this step.
    pub(super) fn are_on(&self) -> bool {
        self.stage != Stage::Speaking
    }

    pub(super) fn is_keeping(&self) -> bool {
        self.stage == Stage::Keeping
    }

    /// Whether there is a call without a result.
    pub(super) fn are_asked(&self) -> bool {
        self.open.iter().any(|open| open.fate != Fate::Answered)
    }

    /// The calls without a result.
    pub(super) fn pending(&self) -> Vec<ToolCall> {
        self.open.iter().filter(|open| open.fate != Fate::Answered).map(|open| open.call.clone()).collect()
    }

    /// Takes a call down, under an id that no other call of the turn has: some models begin to count anew with each step.
    pub(super) fn add(&mut self, call: &mut ToolCall) {
        let given = if call.id.is_empty() { "call" } else { &call.id };
        let others = (2..).map(|n| format!("{given}_{n}"));
        let free = std::iter::once(given.to_owned()).chain(others).find(|id| !self.ids.contains(id));
        call.id = free.unwrap_or_default();
        self.ids.insert(call.id.clone());
        // One that there is not is answered at once, and so beside any other.
        let rules = self.rules.as_ref().and_then(|rules| rules.get(&call.name));
        let (approval, parallel) = rules.map_or((false, true), |rules| (rules.approval, rules.parallel));
        let fate = if approval { Fate::NeedsApproval } else { Fate::Waits };
        self.open.push(Open { call: call.clone(), parallel, fate });
    }

    fn has(&self, fate: Fate) -> bool {
        self.open.iter().any(|open| open.fate == fate)
    }

    /// The calls that may begin now: one on its own, or several that stand together and may run together.
    fn begin(&mut self) -> Vec<ToolCall> {
        let mut begun: Vec<ToolCall> = Vec::new();
        for open in self.open.iter_mut().filter(|open| open.fate == Fate::Waits) {
            if !begun.is_empty() && !open.parallel {
                break;
            }
            open.fate = Fate::Runs;
            begun.push(open.call.clone());
            if !open.parallel {
                break;
            }
        }
        begun
    }

    /// Whether this is the result of a call that runs.
    fn answer(&mut self, id: &str) -> bool {
        let open = self.open.iter_mut().find(|open| open.fate == Fate::Runs && open.call.id == id);
        open.map(|open| open.fate = Fate::Answered).is_some()
    }

    /// The model's provider has run a call itself.
    pub(super) fn answered(&mut self, id: &str) {
        let calls = self.open.iter_mut().filter(|open| open.call.id == id);
        calls.for_each(|open| open.fate = Fate::Answered);
    }
}

impl Turn {
    /// With the tools that are offered, and what was decided about the calls that an earlier turn waited with.
    pub(crate) fn with_tools(mut self, rules: Option<Arc<Rulebook>>, decided: Vec<Decided>) -> Self {
        self.tools = Tools::new(rules);
        if decided.is_empty() {
            return self;
        }
        self.tools.ids = decided.iter().map(|decided| decided.call.id.clone()).collect();
        self.decided = decided;
        if self.hooked.is_none() {
            self.effects.clear();
            self.begin_step();
        }
        self
    }

    /// The first thing after the hooks: what was decided, or else the model.
    pub(super) fn begin_step(&mut self) {
        let decided = std::mem::take(&mut self.decided);
        if decided.is_empty() {
            return self.ask();
        }
        // The model of this turn was not asked yet.
        self.tools.steps = 0;
        for Decided { call, parallel, result, .. } in decided {
            let fate = if result.is_some() { Fate::Answered } else { Fate::Waits };
            self.tools.open.push(Open { call, parallel, fate });
            if let Some(result) = result {
                self.show(Part::ToolResult(result));
            }
        }
        if matches!(self.phase, Phase::Running) {
            self.keep_first();
        }
    }

    fn ask(&mut self) {
        self.step_from = self.end;
        self.effects.push_back(Effect::Ask { shrink: self.shrunk });
    }

    /// The model has said all of this step, and the hooks have let it pass.
    pub(super) fn step_over(&mut self) {
        let nobody = self.tools.rules.is_none() || !self.tools.has(Fate::Waits);
        match self.tools.stage {
            Stage::Speaking if !self.tools.are_asked() => self.close(Status::Complete, None),
            Stage::Speaking if nobody => self.close(Status::Paused, None),
            Stage::Speaking if self.tools.steps >= self.rules.max_steps => {
                let sentence = "the model asked for tools each time that it may be asked in one turn: raise max_steps";
                let error = Error::new(ErrorKind::Truncated, sentence).with("max_steps", self.rules.max_steps);
                self.close(Status::Interrupted, Some(error.with_retryable(false).info()));
            }
            Stage::Speaking => {
                self.effects.push_back(Effect::Hush);
                self.keep_first();
            }
            Stage::Keeping => {}
            Stage::Calling if self.tools.has(Fate::NeedsApproval) => self.close(Status::Paused, None),
            Stage::Calling => self.next_step(),
        }
    }

    /// Brings everything to disk, then calls.
    fn keep_first(&mut self) {
        if !self.tools.has(Fate::Waits) {
            self.tools.stage = Stage::Calling;
            return self.complete();
        }
        self.tools.stage = Stage::Keeping;
        self.keep();
    }

    /// A write was answered; `synced` says up to where everything is on disk, if it said so.
    pub(super) fn kept_first(&mut self, synced: Option<u64>) {
        if synced == Some(self.end) {
            self.tools.stage = Stage::Calling;
            self.call();
        } else {
            self.keep();
        }
    }

    fn call(&mut self) {
        self.effects.extend(self.tools.begin().into_iter().map(Effect::Call));
    }

    /// A call was answered.
    pub(super) fn result(&mut self, result: ToolResult) {
        if self.tools.stage != Stage::Calling || !self.tools.answer(&result.id) {
            return;
        }
        self.show(Part::ToolResult(result));
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        // What a tool has done is worth more than what a model can say again.
        self.keep();
        if self.tools.has(Fate::Runs) {
            return;
        }
        self.call();
        if !self.tools.has(Fate::Runs) {
            self.complete();
        }
    }

    fn next_step(&mut self) {
        self.effects.push_back(Effect::StepOver { usage: self.usage.take() });
        self.tools.open.clear();
        self.tools.stage = Stage::Speaking;
        self.tools.steps += 1;
        (self.finish, self.attempts, self.waited) = (None, 1, std::time::Duration::ZERO);
        self.ask();
    }
}
