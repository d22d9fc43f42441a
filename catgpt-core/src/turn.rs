//! One turn as a pure state machine: inputs go in, effects come out. No waiting, no clock, no I/O, no content: it counts
//! offsets and decides. Whatever a turn can live through is a list of inputs, and so a test.

mod hooked;
mod kept;
mod tools;

use std::collections::VecDeque;
use std::mem::{self, Discriminant};
use std::time::Duration;

use self::hooked::Hooked;
use self::kept::Write;
use self::tools::Tools;
pub(crate) use self::tools::{Decided, Rulebook};
use crate::body::encoded_len;
use crate::error::{Error, ErrorInfo, ErrorKind};
use crate::event::{Event, Finished};
use crate::memory::Kept;
use crate::message::{FinishReason, Offset, Part, Status, ToolCall, ToolResult, Usage};
use crate::model::{ModelEvent, RetryPolicy};

/// What a turn lives by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) retry: RetryPolicy,
    /// Unwritten content that makes a checkpoint due at once; otherwise each tick makes one.
    pub(crate) checkpoint_bytes: u64,
    /// Where an answer that does not end is cut off: its bytes as they are stored.
    pub(crate) max_stored: u64,
    /// How long the store may refuse to take anything before the turn gives up.
    pub(crate) patience: Duration,
    /// How long usage may come after the model has finished.
    pub(crate) grace: Duration,
    /// How often the model may be asked, retries not counted.
    pub(crate) max_steps: u32,
}

/// Why a turn is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody asked for it.
    Cancel,
    /// The engine closes.
    Shutdown,
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// The hooks have prepared the prompt, and want this to be shown first.
    Prepared(Vec<Part>),
    /// A hook refuses the turn.
    Refused(Error),
    /// The hooks let pass what they were given to check.
    Checked,
    /// The model said something.
    Model(ModelEvent),
    /// The model's stream is over. `jitter` is uniform in 0..1.
    ModelOver { error: Option<Error>, jitter: f64 },
    /// A tool answered, or could not.
    Result(ToolResult),
    /// A pause is over.
    Resume,
    /// Half a second has passed; `now` counts from the turn's beginning.
    Tick { now: Duration },
    /// A checkpoint was answered.
    Kept(Result<Kept, Error>),
    /// Somebody wants it to stop.
    Stop(Stop),
    /// The end was answered: how the turn stands in the store, ended by this or by somebody before.
    Sealed(Result<Box<Finished>, Error>),
}

/// What to do about it, in order.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Ask the hooks what comes before the prompt.
    Prepare,
    /// Let the hooks see the content between two offsets.
    Check { from: Offset, to: Offset },
    /// Ask the model; with `shrink`, with half of the conversation.
    Ask { shrink: bool },
    /// Call a tool; what is called is on disk.
    Call(ToolCall),
    /// The model's part of this step is over, and used this, if it said so.
    StepOver { usage: Option<Usage> },
    /// Let go of the model, which ends the request, of what the hooks are asked, and of the tools that run.
    Hush,
    /// Come back with `Resume` after this.
    Pause(Duration),
    /// Show content.
    Show(Part),
    /// Show an event without weight.
    Note(Event),
    /// Write the content between two offsets; nothing between them still renews the lease. With `sync`, to disk.
    Keep { from: Offset, to: Offset, sync: bool },
    /// Write the end.
    Seal(Box<Finished>),
    /// Show the end. Nothing comes after it.
    End(Box<Finished>),
}

#[derive(Debug)]
enum Phase {
    /// The model is asked, or will be after a pause.
    Running,
    /// The end is being written.
    Closing {
        finished: Box<Finished>,
        sealing: bool,
        since: Duration,
        tries: u32,
    },
    Over,
}

/// A turn.
#[derive(Debug)]
pub(crate) struct Turn {
    rules: Rules,
    phase: Phase,
    now: Duration,
    /// The offset after what was shown, after what is written, and what is being written.
    end: Offset,
    kept: Offset,
    write: Option<Write>,
    /// How many bytes the content is as it is stored, and the kind of its last part.
    stored: u64,
    last: Option<Discriminant<Part>>,
    attempts: u32,
    waited: Duration,
    shrunk: bool,
    finish: Option<(FinishReason, Duration)>,
    usage: Option<Usage>,
    /// Where the model's part of this step begins.
    step_from: Offset,
    tools: Tools,
    decided: Vec<Decided>,
    hooked: Option<Hooked>,
    effects: VecDeque<Effect>,
}

impl Turn {
    /// A turn that has just been committed.
    pub(crate) fn new(rules: Rules, hooked: bool) -> Self {
        Self {
            rules,
            phase: Phase::Running,
            now: Duration::ZERO,
            end: 0,
            kept: 0,
            write: None,
            stored: 0,
            last: None,
            attempts: 1,
            waited: Duration::ZERO,
            shrunk: false,
            finish: None,
            usage: None,
            step_from: 0,
            tools: Tools::new(None),
            decided: Vec::new(),
            hooked: hooked.then(Hooked::default),
            effects: VecDeque::from([if hooked { Effect::Prepare } else { Effect::Ask { shrink: false } }]),
        }
    }

    /// The next thing to do.
    pub(crate) fn effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The offset up to which the store is known to have everything.
    pub(crate) fn kept(&self) -> Offset {
        self.kept
    }

    /// Takes one input.
    pub(crate) fn on(&mut self, input: Input) {
        match (&mut self.phase, input) {
            (Phase::Running, Input::Prepared(parts)) if self.end == 0 => self.prepared(parts),
            (Phase::Running, Input::Refused(error)) => self.close(Status::Failed, Some(error.info())),
            (Phase::Running, Input::Checked) => self.checked(),
            (Phase::Running, Input::Model(event)) => self.model(event),
            (Phase::Running, Input::ModelOver { error, jitter }) => self.model_over(error, jitter),
            (Phase::Running, Input::Result(result)) => self.result(result),
            (Phase::Running, Input::Resume) => self.resume(),
            (Phase::Running, Input::Tick { now }) => self.tick(now),
            (Phase::Running, Input::Kept(answer)) => self.kept_answer(answer),
            (Phase::Running, Input::Stop(stop)) => self.stop(stop),
            (Phase::Closing { .. }, Input::Resume) => self.seal(),
            (Phase::Closing { .. }, Input::Tick { now }) => self.now = now,
            (Phase::Closing { .. }, Input::Kept(Ok(Kept::Renewed { .. }))) => _ = self.written(),
            (Phase::Closing { .. }, Input::Sealed(answer)) => self.sealed(answer),
            // What comes too late changes nothing.
            _ => {}
        }
    }

    fn model(&mut self, event: ModelEvent) {
        if self.is_last() {
            return;
        }
        match event {
            ModelEvent::Text(text) => self.show(Part::Text { text }),
            ModelEvent::Reasoning(text) => self.show(Part::Reasoning { text }),
            ModelEvent::ToolCall(mut call) | ModelEvent::Part(Part::ToolCall(mut call)) => {
                self.tools.add(&mut call);
                self.show(Part::ToolCall(call));
            }
            ModelEvent::Part(Part::ToolResult(result)) => {
                self.tools.answered(&result.id);
                self.show(Part::ToolResult(result));
            }
            ModelEvent::Part(part) => self.show(part),
            ModelEvent::Usage(usage) => self.usage = Some(usage),
            // The first one counts: a model that says it again and again still runs out of grace.
            ModelEvent::Finish(reason) => {
                self.finish.get_or_insert((reason, self.now));
            }
        }
        if self.unpassed() >= self.rules.checkpoint_bytes && matches!(self.phase, Phase::Running) {
            self.check();
        }
    }

    fn show(&mut self, part: Part) {
        if part.weight() == 0 {
            return;
        }
        self.stored += encoded_len(&part, self.last.replace(mem::discriminant(&part)));
        if self.stored > self.rules.max_stored {
            // What could not be written would never end: not here, and not where a dead turn is buried.
            let error =
                Error::new(ErrorKind::Truncated, "the answer grew too long and was cut off").with_retryable(false);
            return self.close(Status::Interrupted, Some(error.info()));
        }
        self.end += part.weight();
        self.effects.push_back(Effect::Show(part));
        if self.end - self.kept >= self.rules.checkpoint_bytes {
            self.keep();
        }
    }

    fn tick(&mut self, now: Duration) {
        self.now = now;
        match self.finish {
            Some((_, since)) if now.saturating_sub(since) >= self.rules.grace && !self.is_last() => self.complete(),
            _ => {
                self.keep();
                self.check();
            }
        }
    }

    fn stop(&mut self, stop: Stop) {
        let status = match (stop, &self.finish) {
            (_, Some(_)) if self.unpassed() == 0 && !self.tools.are_asked() => Status::Complete,
            (Stop::Cancel, _) => Status::Cancelled,
            (Stop::Shutdown, _) => Status::Interrupted,
        };
        self.close(status, None);
    }

    fn model_over(&mut self, error: Option<Error>, jitter: f64) {
        if self.is_last() {
            return;
        }
        if self.finish.is_some() {
            return self.complete();
        }
        let error = error.unwrap_or_else(|| {
            Error::new(ErrorKind::Truncated, "the model's answer ended before the model said that it had finished")
        });
        if self.has_spoken() {
            let cut = matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Timeout);
            let status = if cut { Status::Interrupted } else { Status::Failed };
            return self.close(status, Some(error.info()));
        }
        let pause = match error.kind() {
            ErrorKind::ContextTooLong if !self.shrunk => {
                self.shrunk = true;
                Some(Duration::ZERO)
            }
            _ => self.rules.retry.pause(&error, self.attempts, self.waited, jitter),
        };
        match pause {
            Some(pause) => self.again(pause, &error),
            None => self.close(Status::Failed, Some(error.info())),
        }
    }

    fn again(&mut self, pause: Duration, error: &Error) {
        self.attempts += 1;
        self.waited = self.waited.saturating_add(pause);
        self.usage = None;
        let after_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        let note = Event::Retrying { attempt: self.attempts, after_ms, error: error.info(), offset: self.end };
        self.effects.extend([Effect::Hush, Effect::Note(note), Effect::Pause(pause)]);
    }

    fn resume(&mut self) {
        if !self.is_last() {
            self.effects.push_back(Effect::Ask { shrink: self.shrunk });
        }
    }

    fn close(&mut self, status: Status, error: Option<ErrorInfo>) {
        let finished = Box::new(Finished {
            status,
            finish_reason: self.finish.take().map(|(reason, _)| reason),
            usage: self.usage,
            cost: None,
            stored: self.end,
            pending: if status == Status::Paused { self.tools.pending() } else { Vec::new() },
            error,
            offset: self.end,
        });
        self.phase = Phase::Closing { finished, sealing: false, since: self.now, tries: 0 };
        self.effects.push_back(Effect::Hush);
        self.seal();
    }

    fn seal(&mut self) {
        if let Phase::Closing { finished, sealing, .. } = &mut self.phase
            && !*sealing
        {
            *sealing = true;
            self.effects.push_back(Effect::Seal(finished.clone()));
        }
    }

    fn sealed(&mut self, answer: Result<Box<Finished>, Error>) {
        let Phase::Closing { sealing, since, tries, .. } = &mut self.phase else { return };
        *sealing = false;
        match answer {
            Ok(finished) => self.end_with(finished),
            Err(error) => {
                let may_pass = error.is_retryable() || error.kind() == ErrorKind::StoreFull;
                if may_pass && self.now.saturating_sub(*since) < self.rules.patience {
                    *tries += 1;
                    let pause = Duration::from_millis(20 << (*tries).min(6));
                    self.effects.push_back(Effect::Pause(pause));
                } else {
                    self.give_up(&error);
                }
            }
        }
    }

    /// The end could not be written: what is stored is what the last checkpoint wrote, and whoever looks next finds a
    /// turn that died. Of a turn that was deleted with its session, nothing is stored.
    fn give_up(&mut self, error: &Error) {
        if error.kind() == ErrorKind::NotFound {
            self.kept = 0;
        }
        let finished = Finished {
            status: Status::Interrupted,
            finish_reason: None,
            usage: self.usage,
            cost: None,
            stored: self.kept,
            pending: Vec::new(),
            error: Some(error.info()),
            offset: self.kept,
        };
        self.end_with(Box::new(finished));
    }

    fn end_with(&mut self, finished: Box<Finished>) {
        self.phase = Phase::Over;
        self.effects.push_back(Effect::End(finished));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RULES: Rules = Rules {
        retry: RetryPolicy {
            attempts: 3,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            budget: Duration::from_secs(30),
        },
        checkpoint_bytes: 10,
        max_stored: 1000,
        patience: Duration::from_secs(5),
        grace: Duration::from_secs(2),
        max_steps: 3,
    };

    fn text(text: &str) -> Input {
        Input::Model(ModelEvent::Text(text.into()))
    }

    fn finish() -> Input {
        Input::Model(ModelEvent::Finish(FinishReason::Stop))
    }

    fn over() -> Input {
        Input::ModelOver { error: None, jitter: 1.0 }
    }

    fn failed(kind: ErrorKind) -> Input {
        Input::ModelOver { error: Some(Error::new(kind, "no")), jitter: 1.0 }
    }

    fn renewed(cancel: bool) -> Input {
        Input::Kept(Ok(Kept::Renewed { cancel }))
    }

    fn tick(ms: u64) -> Input {
        Input::Tick { now: Duration::from_millis(ms) }
    }

    fn unwritable() -> Error {
        Error::new(ErrorKind::Store, "locked")
    }

    /// Replays inputs; the store answers an end as it was given. Returns what happened, a word each.
    fn replay(inputs: Vec<Input>) -> Vec<String> {
        replay_turn(Turn::new(RULES, false), inputs)
    }

    fn told(finished: &Finished) -> String {
        let pending = finished.pending.iter().map(|call| format!(" {}", call.id)).collect::<String>();
        format!("{} {}{pending}", finished.status, finished.stored)
    }

    fn replay_turn(mut turn: Turn, inputs: Vec<Input>) -> Vec<String> {
        let mut seen = vec![];
        let drain = |turn: &mut Turn, seen: &mut Vec<String>| {
            let mut sealing = None;
            while let Some(effect) = turn.effect() {
                seen.push(match effect {
                    Effect::Prepare => "prepare".into(),
                    Effect::Check { from, to } => format!("check {from}..{to}"),
                    Effect::Ask { shrink: false } => "ask".into(),
                    Effect::Ask { shrink: true } => "ask shrunk".into(),
                    Effect::Hush => "hush".into(),
                    Effect::Pause(pause) => format!("pause {}", pause.as_millis()),
                    Effect::Show(part) => format!("show {}", part.weight()),
                    Effect::Note(event) => event.name().into(),
                    Effect::Call(call) => format!("call {}", call.id),
                    Effect::StepOver { .. } => "step over".into(),
                    Effect::Keep { from, to, sync: false } => format!("keep {from}..{to}"),
                    Effect::Keep { from, to, sync: true } => format!("sync {from}..{to}"),
                    Effect::Seal(finished) => {
                        let word = format!("seal {}", told(&finished));
                        sealing = Some(finished);
                        word
                    }
                    Effect::End(finished) => format!("end {}", told(&finished)),
                });
            }
            sealing
        };
        let mut sealing = drain(&mut turn, &mut seen);
        for input in inputs {
            // An answer about an end stands for whatever end was asked for.
            let input = match (input, &sealing) {
                (Input::Sealed(Ok(_)), Some(finished)) => Input::Sealed(Ok(finished.clone())),
                (input, _) => input,
            };
            turn.on(input);
            sealing = drain(&mut turn, &mut seen).or(sealing);
        }
        seen
    }

    fn sealed() -> Input {
        let (status, stored) = (Status::Complete, 0);
        Input::Sealed(Ok(Box::new(Finished {
            status,
            finish_reason: None,
            usage: None,
            cost: None,
            stored,
            pending: vec![],
            error: None,
            offset: stored,
        })))
    }

    fn check(inputs: Vec<Input>, expect: &[&str]) {
        assert_eq!(replay(inputs), expect);
    }

    #[test]
    fn an_answer_is_shown_then_sealed_then_ended() {
        check(
            vec![text("Hello"), finish(), over(), sealed()],
            &["ask", "show 5", "hush", "seal complete 5", "end complete 5"],
        );
    }

    #[test]
    fn a_tick_or_enough_text_makes_a_checkpoint_and_never_two_at_once() {
        check(
            vec![text("abc"), tick(500), text("0123456789"), renewed(false), tick(1000), renewed(false), tick(1500)],
            &["ask", "show 3", "keep 0..3", "show 10", "keep 3..13", "keep 13..13"],
        );
    }

    #[test]
    fn a_model_that_fails_before_it_spoke_is_asked_again() {
        check(
            vec![
                failed(ErrorKind::Unavailable),
                Input::Resume,
                failed(ErrorKind::RateLimited),
                Input::Resume,
                over(),
                sealed(),
            ],
            &[
                "ask",
                "hush",
                "retrying",
                "pause 500",
                "ask",
                "hush",
                "retrying",
                "pause 1000",
                "ask",
                "hush",
                "seal failed 0",
                "end failed 0",
            ],
        );
    }

    #[test]
    fn a_model_that_fails_after_it_spoke_is_not() {
        check(
            vec![text("Hi"), failed(ErrorKind::Unavailable), sealed()],
            &["ask", "show 2", "hush", "seal failed 2", "end failed 2"],
        );
    }

    #[test]
    fn an_answer_without_an_end_is_interrupted() {
        for cut in [over(), failed(ErrorKind::Truncated), failed(ErrorKind::Timeout)] {
            check(
                vec![text("Hi"), cut, sealed()],
                &["ask", "show 2", "hush", "seal interrupted 2", "end interrupted 2"],
            );
        }
    }

    #[test]
    fn what_cannot_be_retried_fails_at_once() {
        check(vec![failed(ErrorKind::Unauthorized), sealed()], &["ask", "hush", "seal failed 0", "end failed 0"]);
    }

    #[test]
    fn too_long_a_context_is_shrunk_once() {
        check(
            vec![failed(ErrorKind::ContextTooLong), Input::Resume, failed(ErrorKind::ContextTooLong), sealed()],
            &["ask", "hush", "retrying", "pause 0", "ask shrunk", "hush", "seal failed 0", "end failed 0"],
        );
    }

    #[test]
    fn a_stop_before_the_first_word_and_after_it_keeps_what_there_is() {
        check(vec![Input::Stop(Stop::Cancel), sealed()], &["ask", "hush", "seal cancelled 0", "end cancelled 0"]);
        check(
            vec![text("Hi"), Input::Stop(Stop::Cancel), text("late"), sealed()],
            &["ask", "show 2", "hush", "seal cancelled 2", "end cancelled 2"],
        );
        check(
            vec![text("Hi"), Input::Stop(Stop::Shutdown), sealed()],
            &["ask", "show 2", "hush", "seal interrupted 2", "end interrupted 2"],
        );
        check(
            vec![text("Hi"), finish(), Input::Stop(Stop::Cancel), sealed()],
            &["ask", "show 2", "hush", "seal complete 2", "end complete 2"],
        );
    }

    #[test]
    fn a_stop_while_the_model_is_to_be_asked_again_stops() {
        check(
            vec![failed(ErrorKind::Unavailable), Input::Stop(Stop::Cancel), Input::Resume, sealed()],
            &["ask", "hush", "retrying", "pause 500", "hush", "seal cancelled 0", "end cancelled 0"],
        );
    }

    #[test]
    fn a_stop_from_elsewhere_comes_with_the_checkpoint() {
        check(
            vec![text("Hi"), tick(500), renewed(true), sealed()],
            &["ask", "show 2", "keep 0..2", "hush", "seal cancelled 2", "end cancelled 2"],
        );
    }

    #[test]
    fn a_refused_checkpoint_asks_how_the_turn_ended() {
        check(
            vec![text("Hi"), tick(500), Input::Kept(Ok(Kept::Refused)), sealed()],
            &["ask", "show 2", "keep 0..2", "hush", "seal interrupted 2", "end interrupted 2"],
        );
    }

    #[test]
    fn a_store_that_fails_for_a_moment_costs_nothing() {
        check(
            vec![text("Hi"), tick(500), Input::Kept(Err(unwritable())), tick(1000), renewed(false)],
            &["ask", "show 2", "keep 0..2", "keep 0..2"],
        );
    }

    #[test]
    fn a_piece_of_unknown_outcome_is_written_again_as_it_was() {
        let lost = || Input::Kept(Err(unwritable()));
        check(
            vec![
                text("Hi"),
                tick(500),
                lost(),
                text("there"),
                tick(1000),
                lost(),
                tick(1500),
                renewed(false),
                tick(2000),
            ],
            &["ask", "show 2", "keep 0..2", "show 5", "keep 0..2", "keep 0..2", "keep 2..7"],
        );
    }

    #[test]
    fn pieces_that_the_store_lost_are_written_again() {
        let gap = |stored: u64| Input::Kept(Err(Error::new(ErrorKind::Conflict, "a gap").with("stored", stored)));
        check(
            vec![text("Hi"), tick(500), renewed(false), text("there"), tick(1000), gap(0), renewed(false), tick(1500)],
            &["ask", "show 2", "keep 0..2", "show 5", "keep 2..7", "keep 0..7", "keep 7..7"],
        );
        // A store that says so and has them is not believed for ever.
        check(
            vec![text("Hi"), tick(500), gap(0), tick(1000), gap(0), tick(5500), gap(0), sealed()],
            &[
                "ask",
                "show 2",
                "keep 0..2",
                "keep 0..2",
                "keep 0..2",
                "hush",
                "seal interrupted 2",
                "end interrupted 2",
            ],
        );
    }

    #[test]
    fn a_store_that_stays_unwritable_ends_the_turn_with_what_it_has() {
        let lost = || Input::Kept(Err(unwritable()));
        check(
            vec![
                text("Hi"),
                tick(500),
                renewed(false),
                text("there"),
                tick(1000),
                lost(),
                tick(6000),
                lost(),
                Input::Sealed(Err(unwritable())),
                Input::Resume,
                tick(12000),
                Input::Sealed(Err(unwritable())),
            ],
            &[
                "ask",
                "show 2",
                "keep 0..2",
                "show 5",
                "keep 2..7",
                "keep 2..7",
                "hush",
                "seal interrupted 7",
                "pause 40",
                "seal interrupted 7",
                "end interrupted 2",
            ],
        );
    }

    #[test]
    fn a_model_that_has_finished_but_keeps_the_line_is_not_waited_for() {
        check(
            vec![text("Hi"), finish(), tick(500), tick(2500), sealed()],
            &["ask", "show 2", "keep 0..2", "hush", "seal complete 2", "end complete 2"],
        );
    }

    #[test]
    fn an_endless_answer_is_cut_off() {
        let seen = replay((0..200).map(|_| text("0123456789")).chain([sealed()]).collect());
        assert_eq!(seen.last().map(String::as_str), Some("end interrupted 960"));
        // What grows when it is stored is cut off earlier.
        let seen = replay((0..200).map(|_| text("\u{1}\u{2}\u{3}")).chain([sealed()]).collect());
        assert_eq!(seen.last().map(String::as_str), Some("end interrupted 159"));
    }

    fn cited(n: usize) -> Input {
        Input::Prepared(vec![Part::Citation { url: "a:b".into(), title: None }; n])
    }

    fn refused() -> Input {
        Input::Refused(Error::new(ErrorKind::RateLimited, "no"))
    }

    /// The same for a turn with hooks.
    fn check_hooked(inputs: Vec<Input>, expect: &[&str]) {
        assert_eq!(replay_turn(Turn::new(RULES, true), inputs), expect);
    }

    #[test]
    fn what_hooks_prepare_is_shown_before_the_model_is_asked() {
        check_hooked(
            vec![tick(500), renewed(false), cited(2), text("Hi"), finish(), over(), Input::Checked, sealed()],
            &[
                "prepare",
                "keep 0..0",
                "show 1",
                "show 1",
                "ask",
                "show 2",
                "check 2..4",
                "hush",
                "seal complete 4",
                "end complete 4",
            ],
        );
    }

    #[test]
    fn a_turn_that_is_stopped_or_refused_while_hooks_prepare_asks_no_model() {
        for (input, status) in [
            (Input::Stop(Stop::Cancel), "cancelled"),
            (Input::Stop(Stop::Shutdown), "interrupted"),
            (renewed(true), "cancelled"),
            (Input::Kept(Ok(Kept::Refused)), "interrupted"),
            (refused(), "failed"),
        ] {
            check_hooked(
                vec![input, cited(1), refused(), sealed()],
                &["prepare", "hush", &format!("seal {status} 0"), &format!("end {status} 0")],
            );
        }
    }

    #[test]
    fn a_retry_asks_the_model_again_and_prepares_nothing_again() {
        check_hooked(
            vec![cited(1), failed(ErrorKind::Unavailable), Input::Resume, text("Hi"), failed(ErrorKind::Unavailable)],
            &["prepare", "show 1", "ask", "hush", "retrying", "pause 500", "ask", "show 2", "hush", "seal failed 3"],
        );
    }

    #[test]
    fn a_refusal_is_never_tried_again() {
        check_hooked(vec![cited(0), refused(), sealed()], &["prepare", "ask", "hush", "seal failed 0", "end failed 0"]);
        check_hooked(
            vec![cited(0), text("Hi"), refused(), text("more"), sealed()],
            &["prepare", "ask", "show 2", "hush", "seal failed 2", "end failed 2"],
        );
    }

    #[test]
    fn hooks_look_at_one_piece_at_a_time_and_at_all_of_it() {
        check_hooked(
            vec![
                cited(0),
                text("abc"),
                tick(500),
                renewed(false),
                text("0123456789"),
                renewed(false),
                Input::Checked,
                Input::Checked,
                text("end"),
                finish(),
                over(),
                Input::Checked,
                sealed(),
            ],
            &[
                "prepare",
                "ask",
                "show 3",
                "keep 0..3",
                "check 0..3",
                "show 10",
                "keep 3..13",
                "check 3..13",
                "show 3",
                "check 13..16",
                "hush",
                "seal complete 16",
                "end complete 16",
            ],
        );
    }

    #[test]
    fn a_turn_is_complete_only_when_hooks_have_let_all_of_it_pass() {
        let said = || vec![cited(0), text("Hi"), finish(), over(), text("late"), over()];
        let seen = ["prepare", "ask", "show 2", "check 0..2"];
        for (input, status) in [
            (refused(), "failed"),
            (Input::Stop(Stop::Cancel), "cancelled"),
            (Input::Stop(Stop::Shutdown), "interrupted"),
            (Input::Checked, "complete"),
        ] {
            let inputs = said().into_iter().chain([input, sealed()]).collect();
            let end = ["hush".to_owned(), format!("seal {status} 2"), format!("end {status} 2")];
            check_hooked(inputs, &seen.into_iter().chain(end.iter().map(String::as_str)).collect::<Vec<_>>());
        }
        // A model that keeps the line open after it has finished is not waited for, but the hooks are.
        check_hooked(
            vec![cited(0), text("Hi"), finish(), tick(2500), tick(5000), Input::Checked, sealed()],
            &["prepare", "ask", "show 2", "check 0..2", "keep 0..2", "hush", "seal complete 2", "end complete 2"],
        );
    }

    fn call(id: &str, name: &str) -> Input {
        let call = ToolCall { id: id.into(), name: name.into(), arguments: serde_json::json!({}) };
        Input::Model(ModelEvent::ToolCall(call))
    }

    fn result(id: &str) -> Input {
        Input::Result(tool_result(id))
    }

    fn tool_result(id: &str) -> ToolResult {
        ToolResult { id: id.into(), output: "done".into(), is_error: false }
    }

    /// One tool that runs alone, one that may run beside others, one that needs an approval.
    fn rulebook() -> Option<std::sync::Arc<Rulebook>> {
        use crate::tools::ToolRules;
        let alone = ToolRules::default();
        let rules = [
            ("alone", alone),
            ("beside", ToolRules { parallel: true, ..alone }),
            ("ask", ToolRules { approval: true, ..alone }),
        ];
        Some(std::sync::Arc::new(rules.map(|(name, rules)| (name.to_owned(), rules)).into()))
    }

    fn tooled(hooked: bool, decided: &[(&str, bool)]) -> Turn {
        let decided = decided.iter().map(|(id, approved)| Decided {
            call: ToolCall { id: (*id).into(), name: "ask".into(), arguments: serde_json::json!({}) },
            asked: String::new(),
            parallel: false,
            result: (!approved).then(|| tool_result(id)),
        });
        let decided = decided.collect();
        Turn::new(RULES, hooked).with_tools(rulebook(), decided)
    }

    fn check_tooled(inputs: Vec<Input>, expect: &[&str]) {
        assert_eq!(replay_turn(tooled(false, &[]), inputs), expect);
    }

    #[test]
    fn calls_are_on_disk_before_they_run_and_the_model_goes_on_with_their_results() {
        check_tooled(
            vec![
                text("Hm"),
                call("a", "alone"),
                finish(),
                over(),
                renewed(false),
                result("a"),
                text("So"),
                finish(),
                over(),
                sealed(),
            ],
            &[
                "ask",
                "show 2",
                "show 1",
                "hush",
                "sync 0..3",
                "call a",
                "show 1",
                "keep 3..4",
                "step over",
                "ask",
                "show 2",
                "hush",
                "seal complete 6",
                "end complete 6",
            ],
        );
        // What is being written, or was without `sync`, does not count.
        check_tooled(
            vec![call("a", "alone"), tick(500), finish(), over(), renewed(false), renewed(false)],
            &["ask", "show 1", "keep 0..1", "hush", "sync 1..1", "call a"],
        );
        let lost = || Input::Kept(Err(unwritable()));
        check_tooled(
            vec![call("a", "alone"), finish(), over(), lost(), tick(500), renewed(false)],
            &["ask", "show 1", "hush", "sync 0..1", "sync 0..1", "call a"],
        );
    }

    #[test]
    fn calls_run_in_their_order_and_beside_each_other_where_they_may() {
        let calls =
            [("a", "beside"), ("b", "beside"), ("c", "alone"), ("d", "alone"), ("e", "nobody"), ("f", "beside")];
        let mut inputs: Vec<_> = calls.into_iter().map(|(id, name)| call(id, name)).collect();
        let answers = ["b", "a", "x", "a", "c", "d", "f", "e"].map(result);
        inputs.extend([finish(), over(), renewed(false)].into_iter().chain(answers));
        let seen = replay_turn(tooled(false, &[]), inputs);
        let told: Vec<_> = seen.iter().skip_while(|word| !word.starts_with("sync")).map(String::as_str).collect();
        assert_eq!(
            told,
            [
                "sync 0..6",
                "call a",
                "call b",
                "show 1",
                "keep 6..7",
                "show 1",
                "call c",
                "show 1",
                "call d",
                "show 1",
                "call e",
                "call f",
                "show 1",
                "show 1",
                "step over",
                "ask",
            ]
        );
    }

    #[test]
    fn a_call_that_needs_an_approval_ends_the_turn_after_the_others_have_run() {
        check_tooled(
            vec![
                call("a", "ask"),
                call("b", "alone"),
                finish(),
                over(),
                renewed(false),
                result("a"),
                result("b"),
                sealed(),
            ],
            &[
                "ask",
                "show 1",
                "show 1",
                "hush",
                "sync 0..2",
                "call b",
                "show 1",
                "keep 2..3",
                "hush",
                "seal paused 3 a",
                "end paused 3 a",
            ],
        );
        check_tooled(
            vec![call("a", "ask"), finish(), over(), sealed()],
            &["ask", "show 1", "hush", "seal paused 1 a", "end paused 1 a"],
        );
        // Nobody here runs anything.
        check(
            vec![call("a", "alone"), finish(), over(), sealed()],
            &["ask", "show 1", "hush", "seal paused 1 a", "end paused 1 a"],
        );
    }

    #[test]
    fn a_resumed_turn_begins_with_what_was_decided() {
        let run = |turn, inputs| replay_turn(turn, inputs);
        assert_eq!(run(tooled(false, &[("a", false)]), vec![]), ["show 1", "step over", "ask"]);
        let seen =
            run(tooled(false, &[("a", true), ("b", false)]), vec![renewed(false), result("a"), call("a", "alone")]);
        assert_eq!(seen, ["show 1", "sync 0..1", "call a", "show 1", "keep 1..2", "step over", "ask", "show 1"]);
        // Hooks come first: what they refuse is not run.
        assert_eq!(run(tooled(true, &[("a", true)]), vec![refused()]), ["prepare", "hush", "seal failed 0"]);
        let seen = run(tooled(true, &[("a", true)]), vec![cited(1), renewed(false), result("a"), Input::Checked]);
        let expect =
            ["prepare", "show 1", "sync 0..1", "call a", "show 1", "keep 1..2", "check 1..2", "step over", "ask"];
        assert_eq!(seen, expect);
    }

    #[test]
    fn no_two_calls_of_a_turn_have_one_id() {
        let mut turn = tooled(false, &[("a", false)]);
        for input in [call("a", "alone"), call("", "alone"), call("", "ask"), finish(), over()] {
            turn.on(input);
        }
        let shown = std::iter::from_fn(|| turn.effect()).filter_map(|effect| match effect {
            Effect::Show(Part::ToolCall(call)) => Some(call.id),
            _ => None,
        });
        assert_eq!(shown.collect::<Vec<_>>(), ["a_2", "call", "call_2"]);
    }

    #[test]
    fn a_model_that_always_asks_for_tools_is_stopped() {
        let step = |id| vec![call(id, "alone"), finish(), over(), renewed(false), result(id), renewed(false)];
        let inputs = ["a", "b", "c"].into_iter().flat_map(step).chain([sealed()]).collect();
        let seen = replay_turn(tooled(false, &[]), inputs);
        assert_eq!(seen.iter().filter(|word| word.starts_with("call")).count(), 2);
        assert_eq!(seen.last().map(String::as_str), Some("end interrupted 5"));
    }

    #[test]
    fn a_turn_that_stops_while_tools_run_leaves_their_calls_unanswered() {
        for (input, status) in [
            (Input::Stop(Stop::Cancel), "cancelled"),
            (Input::Stop(Stop::Shutdown), "interrupted"),
            (refused(), "failed"),
        ] {
            let calling = vec![call("a", "alone"), finish(), over(), renewed(false)];
            let seen =
                replay_turn(tooled(false, &[]), calling.into_iter().chain([input, result("a"), sealed()]).collect());
            let end = ["hush".to_owned(), format!("seal {status} 1"), format!("end {status} 1")];
            assert_eq!(seen[5..], end, "{seen:?}");
        }
        // Somebody stopped it from elsewhere before anything ran.
        let seen = replay_turn(tooled(false, &[]), vec![call("a", "alone"), finish(), over(), renewed(true)]);
        assert!(!seen.iter().any(|word| word.starts_with("call")));
    }

    #[test]
    fn a_model_is_asked_again_in_each_step_until_it_has_spoken() {
        let first = vec![text("Hi"), call("a", "alone"), finish(), over(), renewed(false), result("a"), renewed(false)];
        let second = vec![failed(ErrorKind::Unavailable), Input::Resume, text("So"), failed(ErrorKind::Unavailable)];
        let seen = replay_turn(tooled(false, &[]), first.into_iter().chain(second).collect());
        assert_eq!(
            seen[8..],
            ["step over", "ask", "hush", "retrying", "pause 500", "ask", "show 2", "hush", "seal failed 6"]
        );
    }

    #[test]
    fn hooks_see_results_before_the_model_does_and_the_line_that_stays_open_is_not_waited_for() {
        let inputs = vec![
            cited(0),
            call("a", "alone"),
            finish(),
            tick(2500),
            Input::Checked,
            renewed(false),
            tick(9000),
            renewed(false),
            result("a"),
            renewed(false),
            Input::Checked,
            text("So"),
            finish(),
            over(),
            Input::Checked,
        ];
        assert_eq!(
            replay_turn(tooled(true, &[]), inputs),
            [
                "prepare",
                "ask",
                "show 1",
                "check 0..1",
                "hush",
                "sync 0..1",
                "call a",
                "keep 1..1",
                "show 1",
                "keep 1..2",
                "check 1..2",
                "step over",
                "ask",
                "show 2",
                "check 2..4",
                "hush",
                "seal complete 4",
            ]
        );
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            "[a-z]{0,12}".prop_map(|t| text(&t)),
            Just(()).prop_map(|()| finish()),
            Just(()).prop_map(|()| over()),
            prop::sample::select(&ErrorKind::ALL[..]).prop_map(failed),
            Just(()).prop_map(|()| Input::Resume),
            (0u64..20_000).prop_map(tick),
            any::<bool>().prop_map(renewed),
            Just(()).prop_map(|()| Input::Kept(Ok(Kept::Refused))),
            Just(()).prop_map(|()| Input::Kept(Err(unwritable()))),
            (0u64..40).prop_map(|end| Input::Kept(Err(Error::new(ErrorKind::Conflict, "a gap").with("stored", end)))),
            Just(()).prop_map(|()| Input::Stop(Stop::Cancel)),
            Just(()).prop_map(|()| sealed()),
            Just(()).prop_map(|()| Input::Sealed(Err(unwritable()))),
            (0..3usize).prop_map(cited),
            Just(()).prop_map(|()| Input::Checked),
            Just(()).prop_map(|()| refused()),
            ("[ab]", prop::sample::select(vec!["alone", "beside", "ask", "nobody"]))
                .prop_map(|(id, name)| call(&id, name)),
            "[ab](_[23])?".prop_map(|id| result(&id)),
        ]
    }

    /// As most turns go: a few steps with calls in them, each of whose parts may be missing, late or said twice.
    fn likely_inputs() -> impl Strategy<Value = Vec<Input>> {
        let part = (0..12usize, any_input(), 0..8u8);
        prop::collection::vec(part, 0..40).prop_map(|parts| {
            let usual = |n: usize| match n % 12 {
                0 => call("a", "alone"),
                1 => call("b", "beside"),
                2 => finish(),
                3 => over(),
                4 => Input::Checked,
                5 | 9 => renewed(false),
                6 => result("a"),
                7 => result("b"),
                8 => call("a", "ask"),
                10 => result("a_2"),
                _ => tick(500 * n as u64),
            };
            parts
                .into_iter()
                .enumerate()
                .map(|(n, (at, any, odd))| if odd == 0 { any } else { usual(n + at / 11) })
                .collect()
        })
    }

    /// Before a call, all that was shown is on disk, which the store has said; and no call begins twice.
    fn only_what_is_on_disk_is_called_and_once(seen: &[String]) -> Result<(), TestCaseError> {
        let (mut shown, mut synced, mut calls) = (0u64, None, std::collections::HashSet::new());
        for word in seen {
            let number = |text: &str| text.parse::<u64>().unwrap();
            match word.split_once(' ') {
                Some(("show", weight)) => shown += number(weight),
                Some(("sync", range)) => synced = range.split_once("..").map(|(_, to)| number(to)),
                Some(("call", id)) => {
                    // Those that run after others follow only results, which the first ones had not.
                    prop_assert!(synced.is_some_and(|synced| synced <= shown), "{seen:?}");
                    prop_assert!(!calls.is_empty() || synced == Some(shown), "{seen:?}");
                    prop_assert!(calls.insert(id.to_owned()), "{seen:?}");
                }
                _ => {}
            }
        }
        Ok(())
    }

    proptest! {
        /// Whatever happens in whatever order: at most one end, nothing after it, nothing shown after the end is being
        /// written, and no gap between checkpoints.
        #[test]
        fn no_order_of_things_breaks_a_turn(
            hooked in any::<bool>(),
            tools in any::<bool>(),
            decided in any::<bool>(),
            inputs in prop_oneof![prop::collection::vec(any_input(), 0..60), likely_inputs()],
        ) {
            let turn = match (tools, decided) {
                (true, true) => tooled(hooked, &[("a", true), ("b", false)]),
                (true, false) => tooled(hooked, &[]),
                (false, _) => Turn::new(RULES, hooked),
            };
            let seen = replay_turn(turn, inputs);
            let word = |s: &str| s.split(' ').next().unwrap().to_owned();
            let at = |word: &str| seen.iter().position(|s| s.starts_with(word));
            prop_assert!(seen.iter().filter(|s| s.starts_with("end")).count() <= 1);
            if let Some(end) = at("end") {
                prop_assert_eq!(end, seen.len() - 1);
                prop_assert!(at("seal").is_some_and(|seal| seal < end));
            }
            if let Some(seal) = at("seal") {
                prop_assert!(!seen[seal..].iter().any(|s| ["show", "keep", "sync", "check", "ask", "call"].contains(&word(s).as_str())));
            }
            let mut end = 0;
            let kept = |s: &String| s.strip_prefix("keep ").or_else(|| s.strip_prefix("sync ")).map(str::to_owned);
            for keep in seen.iter().filter_map(kept) {
                let (from, to) = keep.split_once("..").unwrap();
                let (from, to): (u64, u64) = (from.parse().unwrap(), to.parse().unwrap());
                prop_assert!(from <= end && from <= to);
                end = to;
            }
            only_what_is_on_disk_is_called_and_once(&seen)?;
            // Without hooks nothing is asked of them; with hooks nothing is complete that they have not let pass.
            let checks = || seen.iter().filter_map(|s| s.strip_prefix("check "));
            prop_assert!(hooked || checks().next().is_none());
            let complete = seen.iter().find_map(|s| s.strip_prefix("seal complete "));
            if let (true, Some(end)) = (hooked, complete) {
                let shown: Vec<_> = checks().filter_map(|check| check.split_once("..")).collect();
                prop_assert!(shown.last().is_none_or(|(_, to)| *to == end));
                prop_assert!(shown.windows(2).all(|two| two[0].1 == two[1].0));
            }
        }
    }
}
