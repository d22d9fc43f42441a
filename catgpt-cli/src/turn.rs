//! One turn: asked, shown as it comes, stopped if somebody wants that, and stored in every case.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use catgpt_core::{
    Busy, Engine, Error, ErrorKind, FinishReason, Finished, Reply, Send, Session, Status, ToolCall, TurnId,
};
use tokio::time::{sleep, timeout};

use crate::args::{Ask, Common};
use crate::chat::Chat;
use crate::exit::{Exit, Failure};
use crate::notes::{Notes, tell};
use crate::render::money;
use crate::said::Said;
use crate::screen::{Screen, Shown};
use crate::signals::{Caught, Signals};

/// How long a turn that was stopped may take to be stored.
const STORING: Duration = Duration::from_secs(10);
/// How long somebody who reads slowly may take for the last words of an answer that was stopped.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(100);
/// After which time of silence a busy chat is told about.
const BUSY_AFTER: Duration = Duration::from_secs(1);
/// Why a turn ends before its time.
enum Stop {
    Caught(Caught),
    Late,
    Output(Failure),
}

/// Asks and shows the answer.
pub(crate) async fn run(
    engine: &Engine,
    chat: &Chat,
    (ask, common): (&Ask, &Common),
    said: Said,
    signals: &mut Signals,
) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    let send = send(chat, ask, said);
    let mut late = pin!(deadline(ask.timeout));
    let reply = tokio::select! {
        begun = begin(send, &chat.session, notes) => begun?,
        caught = signals.next() => {
            // Nothing is stored yet, or the turn began in this moment: then it is ended.
            let again = unless_asked_again(engine.close(Duration::ZERO), signals).await?;
            return Ok(again.unwrap_or(caught.exit()));
        }
        () = &mut late => {
            if let Some(exit) = unless_asked_again(engine.close(Duration::ZERO), signals).await? {
                return Ok(exit);
            }
            return Err(Error::new(ErrorKind::Busy, "the chat was busy until the time limit: try again later").into());
        }
    };
    let turn = reply.turn();
    if let Err(error) = chat.keep().await {
        notes.say(format_args!("what -m and -o say holds for this answer only: {error}"));
    }
    let mut show = pin!(Screen::new(ask, common).show(reply));
    let stop = tokio::select! {
        shown = &mut show => match shown {
            Ok(Shown { finished, missing }) => {
                account(&finished, ask.usage, notes);
                return judge(finished, missing, notes);
            }
            Err(failure) => Stop::Output(failure),
        },
        caught = signals.next() => Stop::Caught(caught),
        () = &mut late => Stop::Late,
    };
    match unless_asked_again(end_early(engine, chat, turn, &stop, show), signals).await? {
        Some(exit) => Ok(exit),
        None => stop.verdict(),
    }
}

/// Waits until the turn has ended; but whoever asks twice does not want to wait, and leaves with this.
async fn unless_asked_again<E>(
    ended: impl Future<Output = Result<(), E>>,
    signals: &mut Signals,
) -> Result<Option<Exit>, E> {
    tokio::select! {
        ended = ended => ended.map(|()| None),
        caught = signals.next() => Ok(Some(caught.exit())),
    }
}

/// Ends the turn early and waits until it is stored.
async fn end_early(
    engine: &Engine,
    chat: &Chat,
    turn: TurnId,
    stop: &Stop,
    show: impl Future<Output = Result<Shown, Failure>>,
) -> Result<(), Failure> {
    if let Stop::Caught(Caught::Terminate | Caught::Hangup) = stop {
        engine.close(Duration::ZERO).await?;
    } else {
        chat.user.cancel(turn).await?;
        engine.close(STORING).await?;
    }
    if let Stop::Output(_) = stop {
        return Ok(());
    }
    match timeout(LAST_WORDS, show).await {
        Ok(Ok(Shown { finished: Finished { error: Some(error), .. }, .. })) if Exit::of(error.kind) == Exit::Store => {
            Err(Error::from(error).into())
        }
        _ => Ok(()),
    }
}

impl Stop {
    fn verdict(self) -> Result<Exit, Failure> {
        let late = "the answer was stopped at the time limit; what came is kept";
        match self {
            Self::Caught(caught) => Ok(caught.exit()),
            Self::Late => Err(Error::new(ErrorKind::Timeout, late).into()),
            Self::Output(failure) => Err(failure),
        }
    }
}

/// What is said, where in the chat it belongs, and by whom it is answered.
pub(crate) fn send(chat: &Chat, ask: &Ask, said: Said) -> Send {
    let (session, place, content) = (&chat.session, &ask.place, said.content);
    let send = match (place.continue_reply, place.regenerate, place.edit, place.after) {
        (Some(seq), ..) => session.continue_reply(seq),
        (_, Some(seq), ..) => session.regenerate(seq),
        (_, _, Some(seq), _) => session.edit(seq, content),
        (.., Some(seq)) => session.send_after(seq, content),
        _ => session.send(content),
    };
    let send = send.busy(Busy::queue()).params(chat.kept.options.clone());
    said.persona.into_iter().fold(send, Send::persona)
}

async fn deadline(seconds: Option<u32>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds.into())).await,
        None => pending().await,
    }
}

/// Waits for the turn to begin, and says so if another one holds the chat.
pub(crate) async fn begin(send: Send, session: &Session, notes: Notes) -> Result<Reply, Error> {
    let mut begun = send.into_future();
    if let Ok(begun) = timeout(BUSY_AFTER, &mut begun).await {
        return begun;
    }
    let busy = session.info().await.is_ok_and(|info| info.running.is_some());
    if busy {
        notes.say("another turn runs in this chat; waiting for its end");
    }
    begun.await
}

/// What a turn used: for those who asked, and for the curious.
pub(crate) fn account(finished: &Finished, asked: bool, notes: Notes) {
    let Some(usage) = finished.usage else { return };
    let about = if usage.estimated { "about " } else { "" };
    let cost = finished.cost.map(|cost| format!(", cost {}", money(cost))).unwrap_or_default();
    let line = format!("{about}{} tokens in, {} out{cost}", usage.input_tokens, usage.output_tokens);
    if asked { tell(line) } else { notes.detail(line) }
}

/// What the end of a turn means for the shell.
fn judge(finished: Finished, missing: bool, notes: Notes) -> Result<Exit, Failure> {
    let fail = |kind, sentence| Err(Error::new(kind, sentence).into());
    match (finished.error, finished.status, finished.finish_reason) {
        // What was shown last may be lost with the store.
        (Some(error), ..) if Exit::of(error.kind) == Exit::Store => {
            Err(Error::from(error).with("kept_bytes", finished.stored).into())
        }
        (Some(error), ..) => Err(Error::from(error).into()),
        (None, Status::Complete, Some(FinishReason::Length)) => {
            notes.say("the answer reached the model's limit of tokens and is cut; catgpt --continue-reply goes on");
            if missing { Err(blockless()) } else { Ok(Exit::Ok) }
        }
        (None, Status::Complete, Some(FinishReason::ContentFilter)) => {
            fail(ErrorKind::Refused, "the provider's filter stopped the answer; what came is kept")
        }
        (None, Status::Complete, _) if missing => Err(blockless()),
        (None, Status::Complete, _) => Ok(Exit::Ok),
        (None, Status::Cancelled, _) => {
            fail(ErrorKind::Closed, "the answer was stopped from elsewhere; what came is kept")
        }
        (None, Status::Paused, _) => {
            let waiting = waiting(&finished.pending);
            tell(format_args!(
                "{waiting}; catgpt -c PROMPT goes on without that call, catgpt -c --regenerate asks again"
            ));
            Err(Failure::Told(Exit::Failed))
        }
        (None, status, _) => {
            let sentence =
                "the answer ended before it was whole; what came is kept: ask again, or go on with --continue-reply";
            Err(Error::new(ErrorKind::Truncated, sentence).with("status", status).into())
        }
    }
}

/// What a paused answer waits for. There are no tools here, so nobody here can agree to a call of one.
pub(crate) fn waiting(calls: &[ToolCall]) -> String {
    let names: Vec<_> = calls.iter().map(|call| call.name.escape_debug().to_string()).collect();
    let names = names.join(", ");
    format!(
        "the answer waits until a call of {names} is decided, by the application that has this tool; what came is kept"
    )
}

fn blockless() -> Failure {
    tell("the answer has no such code block that is whole");
    Failure::Told(Exit::Failed)
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn a_second_signal_leaves_also_while_a_store_lets_nobody_end_the_turn() {
        let mut signals = Signals::catch().unwrap();
        kill_process(getpid(), Signal::INT).unwrap();
        assert_eq!(signals.next().await, Caught::Interrupt);
        kill_process(getpid(), Signal::INT).unwrap();
        let left = unless_asked_again(pending::<Result<(), Error>>(), &mut signals).await;
        assert_eq!(left.unwrap(), Some(Exit::Interrupt));
        let ended = unless_asked_again(async { Ok::<_, Error>(()) }, &mut signals).await;
        assert_eq!(ended.unwrap(), None);
    }
}
