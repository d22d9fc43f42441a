//! What a turn asks the model with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::body::message;
use crate::error::{Error, ErrorKind, Result};
use crate::hooks::Source;
use crate::memory::Row;
use crate::message::{Content, Message, Role, Status};
use crate::model::{ModelRequest, Params, PromptMessage, Secret, ToolSpec};
use crate::persona::Persona;
use crate::prompt::Prompt;
use crate::runner::Runner;
use crate::runner::begin::Order;

/// Everything that a request is made of.
pub(super) struct Material {
    persona: Persona,
    vars: BTreeMap<String, String>,
    pub(super) branch: Arc<[Message]>,
    pub(super) summary: Option<Message>,
    /// What hooks have added.
    pub(super) context: Vec<String>,
    params: Params,
    model: Option<String>,
    credentials: Option<Secret>,
    /// It was answered before, and another answer is wanted.
    fresh: bool,
    tools: Arc<[ToolSpec]>,
}

impl Material {
    pub(super) fn new(persona: Persona, order: &Order, (window, summary): (Vec<Row>, Option<Row>)) -> Result<Self> {
        let options = &order.ask.options;
        let branch: Result<Vec<_>> = window.into_iter().map(|row| message(row, &[])).collect();
        Ok(Self {
            persona,
            vars: options.vars.clone(),
            branch: branch?.into(),
            summary: summary.map(|row| message(row, &[])).transpose()?,
            context: Vec::new(),
            params: options.params.clone(),
            model: options.model.clone(),
            credentials: options.credentials.clone(),
            fresh: order.ask.content.is_none() && order.decided.is_empty(),
            tools: Arc::clone(&order.offer.specs),
        })
    }

    fn prompt<'a>(&'a self, runner: &'a Runner, system: &'a str, branch: &'a [Message]) -> Prompt<'a> {
        let (window, counter) = (runner.window, runner.counter.as_ref());
        let (context, summary) = (&self.context, self.summary.as_ref());
        Prompt { persona: &self.persona, system, context, branch, summary, window, counter }
    }

    /// The branch with what this reply has said so far.
    fn with(&self, said: Content) -> Vec<Message> {
        let last = self.branch.last().cloned();
        let reply = last.map(|last| Message {
            seq: last.seq + 1,
            parent: Some(last.seq),
            role: Role::Assistant,
            status: Status::Complete,
            content: said,
            error: None,
            ..last
        });
        self.branch.iter().cloned().chain(reply).collect()
    }

    /// The sources for which there is room.
    pub(super) fn afford(&self, runner: &Runner, sources: Vec<Source>) -> Vec<Source> {
        self.prompt(runner, "", &self.branch).afford(sources)
    }

    /// `said` is what the reply holds, if tools have answered in it.
    pub(super) fn request(&self, runner: &Runner, shrink: bool, said: Option<Content>) -> Result<ModelRequest> {
        let system = &self.persona.render(&self.vars)?;
        let branch = said.map_or(Cow::Borrowed(&*self.branch), |said| Cow::Owned(self.with(said)));
        let prompt = self.prompt(runner, system, &branch);
        let mut request = match shrink {
            false => prompt.build(),
            true => prompt.shrunk().ok_or_else(|| {
                Error::new(ErrorKind::ContextTooLong, "the newest message alone is too long for the model's context")
            })?,
        };
        request.params = self.params.clone().over(&self.persona.params);
        request.model.clone_from(&self.model);
        request.credentials.clone_from(&self.credentials);
        request.fresh = self.fresh;
        request.tools = Arc::clone(&self.tools);
        if !runner.chosen(self.model.as_deref())?.takes_images() {
            request.messages.iter_mut().for_each(PromptMessage::hide_images);
        }
        Ok(request)
    }
}
