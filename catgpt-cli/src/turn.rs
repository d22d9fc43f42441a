//! One turn: asked, shown as it comes, stopped if somebody wants that, and stored in every case.

use std::future::pending;
use std::io::{self, IsTerminal};
use std::pin::pin;
use std::time::Duration;

use catgpt_core::{
    Busy, Content, Engine, Error, ErrorKind, Event, FinishReason, Finished, Part, Persona, Reply, Send, Session,
    Status, TurnId, User,
};
use futures_util::FutureExt;
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::time::{sleep, timeout};

use crate::args::{Ask, Place};
use crate::exit::{Exit, Failure};
use crate::notes::{Notes, tell};
use crate::refs;
use crate::render::{Render, money};
use crate::signals::{Caught, Signals};

/// How long a turn that was stopped may take to be stored.
const STORING: Duration = Duration::from_secs(10);
/// How long somebody who reads slowly may take for the last words of an answer that was stopped.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// After which time of silence a busy chat is told about.
const BUSY_AFTER: Duration = Duration::from_secs(1);
/// How much is collected before it is written.
const BATCH: usize = 64 << 10;

/// What is said, and to whom.
pub(crate) struct Said {
    /// Nothing if an answer is wanted anew, or gone on with.
    pub(crate) content: Content,
    /// Who answers from now on, if somebody else than before.
    pub(crate) persona: Option<Persona>,
}

/// Why a turn ends before its time.
enum Stop {
    Caught(Caught),
    Late,
    Output(Failure),
}

/// Asks and shows the answer.
pub(crate) async fn run(
    engine: &Engine,
    user: &User,
    ask: &Ask,
    said: Said,
    signals: &mut Signals,
    notes: Notes,
) -> Result<Exit, Failure> {
    let session = session(user, ask, notes).await?;
    let mut send = send(&session, &ask.place, said.content).busy(Busy::queue());
    if let Some(persona) = said.persona {
        send = send.persona(persona);
    }
    let mut late = pin!(deadline(ask.timeout));
    let reply = tokio::select! {
        begun = begin(send, &session, notes) => begun?,
        caught = signals.next() => {
            // Nothing is stored yet, or the turn began in this moment: then it is ended.
            engine.close(Duration::ZERO).await?;
            return Ok(caught.exit());
        }
        () = &mut late => {
            engine.close(Duration::ZERO).await?;
            return Err(Error::new(ErrorKind::Busy, "the chat was busy until the time limit: try again later").into());
        }
    };
    let turn = reply.turn();
    let mut show = pin!(Screen::new(ask, notes).show(reply));
    let stop = tokio::select! {
        shown = &mut show => match shown {
            Ok(finished) => {
                account(&finished, ask.usage, notes);
                return judge(finished, notes);
            }
            Err(failure) => Stop::Output(failure),
        },
        caught = signals.next() => Stop::Caught(caught),
        () = &mut late => Stop::Late,
    };
    tokio::select! {
        ended = end_early((engine, user), turn, &stop, show) => ended?,
        // Whoever asks twice does not want to wait.
        caught = signals.next() => return Ok(caught.exit()),
    }
    stop.verdict()
}

/// Ends the turn early and waits until it is stored.
async fn end_early(
    (engine, user): (&Engine, &User),
    turn: TurnId,
    stop: &Stop,
    show: impl Future<Output = Result<Finished, Failure>>,
) -> Result<(), Failure> {
    if let Stop::Caught(Caught::Terminate | Caught::Hangup) = stop {
        engine.close(Duration::ZERO).await?;
    } else {
        user.cancel(turn).await?;
        engine.close(STORING).await?;
    }
    if let Stop::Output(_) = stop {
        return Ok(());
    }
    match timeout(LAST_WORDS, show).await {
        Ok(Ok(Finished { error: Some(error), .. })) if Exit::of(error.kind) == Exit::Store => {
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

/// Where in the chat it belongs.
fn send(session: &Session, place: &Place, content: Content) -> Send {
    match (place.continue_reply, place.regenerate, place.edit, place.after) {
        (Some(seq), ..) => session.continue_reply(seq),
        (_, Some(seq), ..) => session.regenerate(seq),
        (_, _, Some(seq), _) => session.edit(seq, content),
        (.., Some(seq)) => session.send_after(seq, content),
        _ => session.send(content),
    }
}

/// Which chat it is about.
async fn session(user: &User, ask: &Ask, notes: Notes) -> Result<Session, Error> {
    match &ask.session {
        Some(word) if ask.place.is_given() => refs::find(user, word).await,
        Some(word) => {
            let (session, new) = refs::open(user, word).await?;
            if new {
                notes.say(format_args!("a new chat: {}", session.id()));
            }
            Ok(session)
        }
        None if ask.continue_last || ask.place.is_given() => refs::find(user, "@").await,
        None => Ok(user.new_session()),
    }
}

async fn deadline(seconds: Option<u32>) {
    match seconds {
        Some(seconds) => sleep(Duration::from_secs(seconds.into())).await,
        None => pending().await,
    }
}

/// Waits for the turn to begin, and says so if another one holds the chat.
async fn begin(send: Send, session: &Session, notes: Notes) -> Result<Reply, Error> {
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

/// Shows events on stdout. It writes beside the runtime: a reader that does not read must not stop the turn.
struct Screen {
    render: Render,
    stdout: Stdout,
    notes: Notes,
    /// Files that were given and are not cited yet.
    uncited: Vec<String>,
}

impl Screen {
    fn new(ask: &Ask, notes: Notes) -> Self {
        let render = Render::new(ask.format(), io::stdout().is_terminal());
        Self { render, stdout: tokio::io::stdout(), notes, uncited: ask.context.clone() }
    }

    async fn show(mut self, mut reply: Reply) -> Result<Finished, Failure> {
        let mut bytes = Vec::new();
        let mut next = reply.next().await;
        while let Some(event) = next {
            self.take(&event, &mut bytes);
            let last = match event {
                Event::Finished(finished) => Some(finished),
                _ => None,
            };
            let ready = if last.is_none() && bytes.len() < BATCH { reply.next().now_or_never() } else { None };
            if ready.is_none() && !bytes.is_empty() {
                self.stdout.write_all(&bytes).await?;
                self.stdout.flush().await?;
                bytes.clear();
            }
            if let Some(finished) = last {
                return Ok(*finished);
            }
            next = match ready {
                Some(event) => event,
                None => reply.next().await,
            };
        }
        Err(Error::new(ErrorKind::Unexpected, "the answer had no end; please report this").into())
    }

    fn take(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        match event {
            Event::Started(started) => {
                let (session, persona, model) = (&started.session, &started.persona, &started.model);
                self.notes.detail(format_args!("chat {session}, persona {persona}, model {model}"));
            }
            Event::Retrying { attempt, after_ms, error, .. } => {
                let seconds = Duration::from_millis(*after_ms).as_secs_f32();
                self.notes.say(format_args!("{}; attempt {attempt} follows in {seconds:.1} s", error.message));
            }
            Event::Part { part: Part::Citation { url, .. }, .. } => self.uncited.retain(|path| path != url),
            Event::Text { .. } => {
                for path in self.uncited.drain(..) {
                    self.notes.say(format_args!("{path} was left out: it is longer than what the model is sent"));
                }
            }
            _ => {}
        }
        self.render.event(event, bytes);
    }
}

/// What a turn used: for those who asked, and for the curious.
fn account(finished: &Finished, asked: bool, notes: Notes) {
    let Some(usage) = finished.usage else { return };
    let about = if usage.estimated { "about " } else { "" };
    let cost = finished.cost.map(|cost| format!(", cost {}", money(cost))).unwrap_or_default();
    let line = format!("{about}{} tokens in, {} out{cost}", usage.input_tokens, usage.output_tokens);
    if asked { tell(line) } else { notes.detail(line) }
}

/// What the end of a turn means for the shell.
fn judge(finished: Finished, notes: Notes) -> Result<Exit, Failure> {
    let fail = |kind, sentence| Err(Error::new(kind, sentence).into());
    match (finished.error, finished.status, finished.finish_reason) {
        // What was shown last may be lost with the store.
        (Some(error), ..) if Exit::of(error.kind) == Exit::Store => {
            Err(Error::from(error).with("kept_bytes", finished.stored).into())
        }
        (Some(error), ..) => Err(Error::from(error).into()),
        (None, Status::Complete, Some(FinishReason::Length)) => {
            notes.say("the answer reached the model's limit of tokens and is cut; catgpt --continue-reply goes on");
            Ok(Exit::Ok)
        }
        (None, Status::Complete, Some(FinishReason::ContentFilter)) => {
            fail(ErrorKind::Refused, "the provider's filter stopped the answer; what came is kept")
        }
        (None, Status::Complete, _) => Ok(Exit::Ok),
        (None, Status::Cancelled, _) => {
            fail(ErrorKind::Closed, "the answer was stopped from elsewhere; what came is kept")
        }
        (None, status, _) => {
            let sentence =
                "the answer ended before it was whole; what came is kept: ask again, or go on with --continue-reply";
            Err(Error::new(ErrorKind::Truncated, sentence).with("status", status).into())
        }
    }
}
