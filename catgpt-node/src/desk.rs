//! Where models and stores that are written in JavaScript answer.

use std::sync::Arc;

use catgpt_core::bridge::{self, Heard, Said};
use napi_derive::napi;

use crate::Id;
use crate::hub::Hub;

/// Where questions to the application are answered by their number.
#[napi]
#[derive(Debug)]
pub struct Desk(Arc<bridge::Desk>);

#[napi]
impl Desk {
    /// Questions go to this hub.
    #[napi(constructor)]
    pub fn new(hub: &Hub) -> Self {
        let desk = bridge::Desk::new();
        desk.serve(&hub.shared());
        Self(desk)
    }

    /// The number that its questions bear.
    #[napi(getter)]
    pub fn id(&self) -> Id {
        self.0.id().cast_signed()
    }

    /// A piece of an answer. Like all that is said here, it gives `taken`, `wait` or `gone`.
    #[napi]
    pub fn say(&self, question: Id, json: String) -> &'static str {
        self.heard(question, Said::Json(json))
    }

    /// That was all.
    #[napi]
    pub fn end(&self, question: Id) -> &'static str {
        self.heard(question, Said::End)
    }

    /// It failed, and says how.
    #[napi]
    pub fn fail(&self, question: Id, error: String) -> &'static str {
        self.heard(question, Said::error(&error))
    }

    /// It failed with something of the application's own.
    #[napi]
    pub fn raised(&self, question: Id, name: String) -> &'static str {
        self.heard(question, Said::Raised(name))
    }

    /// Nothing is asked any more.
    #[napi]
    pub fn leave(&self) {
        self.0.leave();
    }

    pub(crate) fn shared(&self) -> Arc<bridge::Desk> {
        Arc::clone(&self.0)
    }

    fn heard(&self, question: Id, said: Said) -> &'static str {
        match self.0.say(question.cast_unsigned(), said) {
            Heard::Taken => "taken",
            Heard::Wait => "wait",
            Heard::Gone => "gone",
        }
    }
}

/// The object ends with its loop: what is asked then must fail, not wait.
impl Drop for Desk {
    fn drop(&mut self) {
        self.0.leave();
    }
}
