//! What a turn sets off beside itself: the title of a new session, the summary of a long one.

use std::sync::Arc;

use super::Drive;
use super::material::Material;
use crate::error::Result;
use crate::hooks::TurnAt;
use crate::memory::Opened;
use crate::model::Secret;
use crate::runner::Runner;
use crate::runner::begin::Order;
use crate::runner::titles::Untitled;

/// What is still to be set off.
#[derive(Default)]
pub(super) struct Beside {
    untitled: Option<Untitled>,
    /// The model was asked, so no hook has refused what is to be answered.
    asked: bool,
    /// The branch has outgrown its share of the window.
    due: bool,
    credentials: Option<Secret>,
}

impl Beside {
    pub(super) fn new(runner: &Runner, order: &Order, opened: &Opened) -> Self {
        let credentials = order.ask.options.credentials.clone();
        Self { untitled: runner.untitled(order, opened), credentials, ..Self::default() }
    }

    pub(super) fn asked(&mut self) {
        self.asked = true;
    }

    pub(super) fn measure(&mut self, runner: &Runner, material: &Result<Material>) {
        let due = |material: &Material| runner.is_due(&material.branch, material.summary.as_ref());
        self.due = material.as_ref().is_ok_and(due);
    }
}

impl Drive {
    pub(super) fn at(&self) -> TurnAt {
        TurnAt { owner: self.running.owner.clone(), session: self.running.session.clone(), turn: self.running.turn }
    }

    /// Begins with the title once the model has said something, or nothing to the end: a model that does one thing after
    /// the other does not let the reader wait for a title. What a hook refuses reaches no model.
    pub(super) fn begin_title(&mut self) {
        if let Some(untitled) = self.beside.untitled.take_if(|_| self.beside.asked) {
            let credentials = self.beside.credentials.clone();
            self.runner.begin_title(self.at(), Arc::clone(&self.running.log), untitled, credentials);
        }
    }

    pub(super) fn begin_summary(&mut self) {
        if self.beside.due {
            self.runner.begin_summary(self.at(), self.beside.credentials.take());
        }
    }
}
