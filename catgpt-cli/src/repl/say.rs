//! A turn of the conversation: asked, shown, stopped if somebody wants that. Whatever happens, the conversation goes on.

use std::pin::pin;
use std::time::Duration;

use catgpt_core::{Busy, Error, FinishReason, Finished, Reply, Send, Status, ToolCall};
use tokio::time::timeout;

use super::{Next, Repl};
use crate::exit::Failure;
use crate::notes::tell;
use crate::screen::{Screen, Shown};
use crate::signals::{Caught, Signals};
use crate::turn::{self, LAST_WORDS};

impl Repl<'_> {
    /// Sends it and shows the answer; what went wrong is told.
    pub(super) async fn turn(&mut self, send: Send, signals: &mut Signals) -> Result<Next, Failure> {
        let quiet = self.terminal.quiet();
        let begun = tokio::select! {
            begun = turn::begin(self.with_options(send), &self.chat.session, self.notes) => begun,
            caught = signals.next() => {
                if caught != Caught::Interrupt {
                    return Ok(Next::Leave(caught.exit()));
                }
                tell("the wait is over: Up has your message again");
                return Ok(Next::Ask);
            }
        };
        let reply = match begun {
            Ok(reply) => reply,
            Err(error) => {
                tell(format_args!("{error}; nothing was sent, and Up has your message again"));
                return Ok(Next::Ask);
            }
        };
        (self.persona, self.instead) = (None, None);
        self.files.clear();
        if let Err(error) = self.chat.settle().await {
            self.notes.say(format_args!("what was said of the model holds for this answer only: {error}"));
        }
        self.print("\n");
        let next = self.show(reply, signals).await;
        drop(quiet);
        next
    }

    /// Who answers, and how.
    fn with_options(&self, send: Send) -> Send {
        let send = send.busy(Busy::queue()).params(self.chat.kept.options.clone());
        let send = self.answers.clone().into_iter().fold(send, Send::model);
        self.persona.clone().into_iter().fold(send, Send::persona)
    }

    async fn show(&mut self, reply: Reply, signals: &mut Signals) -> Result<Next, Failure> {
        let turn = reply.turn();
        let mut show = pin!(Screen::new(self.ask, self.common).show(reply));
        let mut stopped = false;
        let shown = loop {
            tokio::select! {
                shown = &mut show => break shown?,
                caught = signals.next() => match caught {
                    Caught::Interrupt if !stopped => {
                        stopped = true;
                        self.chat.user.cancel(turn).await?;
                    }
                    // Whoever asks twice does not want to wait.
                    Caught::Interrupt => return Ok(Next::Ask),
                    caught => {
                        self.engine.close(Duration::ZERO).await?;
                        let _ = timeout(LAST_WORDS, &mut show).await;
                        return Ok(Next::Leave(caught.exit()));
                    }
                },
            }
        };
        let Shown { finished, .. } = shown;
        turn::account(&finished, self.ask.usage, self.notes);
        if let Some(told) = judge(finished, stopped) {
            tell(told);
        }
        self.print("\n");
        Ok(Next::Ask)
    }
}

/// What waits, and what somebody here can do.
pub(super) fn paused(calls: &[ToolCall]) -> String {
    format!("{}; what you say now goes on without that call, /retry asks again", turn::waiting(calls))
}

/// What has to be said about the end of an answer.
fn judge(finished: Finished, stopped: bool) -> Option<String> {
    let said = match (finished.error, finished.status, finished.finish_reason) {
        (Some(error), ..) => return Some(format!("{}; /retry asks again", Error::from(error))),
        (None, Status::Complete, Some(FinishReason::Length)) => {
            "the answer reached the model's limit of tokens and is cut; /continue goes on"
        }
        (None, Status::Complete, Some(FinishReason::ContentFilter)) => {
            "the provider's filter stopped the answer; what came is kept"
        }
        (None, Status::Complete, _) => return None,
        (None, Status::Cancelled, _) if stopped => "stopped; what came is kept, and /continue goes on",
        (None, Status::Cancelled, _) => "the answer was stopped from elsewhere; what came is kept",
        (None, Status::Paused, _) => return Some(paused(&finished.pending)),
        _ => "the answer ended before it was whole; what came is kept: /retry, or /continue",
    };
    Some(said.to_owned())
}
