//! From a decision about a paused turn's calls to the turn that goes on: what may be decided, and only once.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::Runner;
use super::begin::{Ask, busy};
use super::tools::{Toolbox, bounded};
use crate::body::message;
use crate::error::{Error, ErrorKind, Result};
use crate::memory::{Limit, Memory, Parent, Read, View};
use crate::message::{Message, Role, Status, ToolCall, ToolResult};
use crate::reply::Reply;
use crate::tools::{Decision, DecisionKind};
use crate::turn::Decided;

/// A version that no session has: with it only a call that was made before is answered.
const NEVER: u64 = u64::MAX;

impl Runner {
    /// Goes on from the paused reply that is the session's newest message, if all of its calls are decided. What was read
    /// is guarded by the session's version, so of two decisions at once one finds that it comes too late.
    pub(super) async fn decide(self: &Arc<Self>, mut ask: Ask) -> Result<Reply> {
        let limit = Limit { messages: 1, bytes: u64::MAX };
        let read = Read::Branch { session: ask.session.clone(), head: None, limit };
        let mut view = self.memory.read(&ask.owner, read.clone()).await?;
        if let Some(turn) = view.session.running.filter(|_| view.session.expired) {
            self.bury_if_dead(&ask.owner, turn).await?;
            view = self.memory.read(&ask.owner, read).await?;
        }
        let version = view.session.version;
        let decisions = ask.decisions.iter().flatten();
        let decided = waiting(view)
            .and_then(|reply| Ok((reply.seq, decided(decisions, &reply, &asked(&ask, &reply), &self.tools)?)));
        match decided {
            Ok((seq, decided)) => {
                ask.parent = Parent::Under(seq);
                ask.options.if_version.get_or_insert(version);
                self.order(self.ordered(ask, decided)?).await
            }
            Err(error) if ask.options.key.is_none() => Err(error),
            // Perhaps because this very decision was made before.
            Err(error) => {
                ask.options.if_version = Some(NEVER);
                let replay = self.once(self.ordered(ask, Vec::new())?).await;
                replay.map_err(|refused| if refused.kind() == ErrorKind::Conflict { error } else { refused })
            }
        }
    }
}

/// The reply that waits for a decision.
fn waiting(mut view: View) -> Result<Message> {
    let error = || Error::new(ErrorKind::Conflict, "the session's newest message waits for no decision: read it again");
    let row = view.rows.pop().ok_or_else(error)?;
    match (row.turn, row.status) {
        (Some(turn), Status::Running) => Err(busy(turn)),
        (_, Status::Paused) if row.role == Role::Assistant => message(row, &[]),
        (_, status) => Err(error().with("head", row.seq).with("status", status)),
    }
}

/// Names the reply whose calls are decided about, for their keys. A copy, as of a fork, has no turn.
fn asked(ask: &Ask, reply: &Message) -> String {
    let place = || format!("{}\0{}\0{}\0{}", ask.owner, ask.session, reply.seq, reply.created_ms);
    reply.turn.map_or_else(place, |turn| turn.to_string())
}

/// What becomes of the calls, in their order; each must be decided, once.
fn decided<'a>(
    decisions: impl Iterator<Item = &'a Decision>,
    reply: &Message,
    asked: &str,
    tools: &Toolbox,
) -> Result<Vec<Decided>> {
    let (decisions, pending): (Vec<_>, _) = (decisions.collect(), reply.pending());
    let calls: BTreeSet<_> = pending.iter().map(|call| call.id.as_str()).collect();
    let ids: BTreeSet<_> = decisions.iter().map(|decision| decision.id.as_str()).collect();
    let listed = |ids: Vec<&str>| ids.join(", ");
    let missing = listed(calls.difference(&ids).copied().collect());
    let unknown = listed(ids.difference(&calls).copied().collect());
    if !missing.is_empty() || !unknown.is_empty() || ids.len() < decisions.len() {
        let error = Error::invalid("each call that waits takes one decision, and nothing else does: decide about all");
        let facts = [("undecided", missing), ("unknown", unknown)].into_iter().filter(|(_, ids)| !ids.is_empty());
        return Err(facts.fold(error, |error, (fact, ids)| error.with(fact, ids)));
    }
    let verdict = |call: &ToolCall| decisions.iter().find(|decision| decision.id == call.id).map(|it| &it.verdict);
    let calls = pending.iter().filter_map(|call| Some((call, verdict(call)?)));
    calls.map(|(call, verdict)| one(call, asked, verdict, tools)).collect()
}

fn one(call: &ToolCall, asked: &str, verdict: &DecisionKind, tools: &Toolbox) -> Result<Decided> {
    let told = |output, is_error| Some(ToolResult { id: call.id.clone(), output, is_error });
    let failed = |text: String| told(Value::String(text), true);
    let result = match verdict {
        DecisionKind::Approve(true) => None,
        DecisionKind::Approve(false) => failed("the call was denied".to_owned()),
        DecisionKind::Deny(why) => told(bounded(Value::String(format!("the call was denied: {why}")))?, true),
        DecisionKind::Output(output) => told(bounded(output.clone())?, false),
        DecisionKind::Error(text) => told(bounded(Value::String(text.clone()))?, true),
    };
    let rules = tools.rules(&call.name);
    if result.is_none() && rules.is_none() {
        let error = "this engine has no such tool, so nothing can be approved: decide with an output, or deny it";
        return Err(Error::invalid(error).with("tool", &call.name));
    }
    Ok(Decided {
        call: call.clone(),
        asked: asked.to_owned(),
        parallel: rules.is_some_and(|rules| rules.parallel),
        result,
    })
}
