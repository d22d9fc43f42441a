//! A model that plays what a test wrote down: its texts, its pauses, its failures.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::sync::watch;

use super::{ChatModel, ModelEvent, ModelInfo, ModelRequest, Provider};
use crate::error::{Error, ErrorInfo, ErrorKind, Result};
use crate::message::{FinishReason, Part, ToolCall, Usage};

/// A deterministic [`ChatModel`] for tests and docs: one script a call, and a record of what it was asked.
///
/// Each call plays the next script; the last one repeats. Clones share scripts and record.
///
/// ```
/// use catgpt_core::model::{Scripted, Step};
/// use catgpt_core::ErrorKind;
///
/// // Fails once, then answers "Hello world" word by word.
/// let model = Scripted::script([Step::fails(ErrorKind::Unavailable)]).then(Scripted::reply("Hello world"));
/// assert_eq!(model.asked(), 0);
/// ```
#[derive(Clone)]
pub struct Scripted {
    name: Arc<str>,
    images: bool,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    counts: watch::Sender<Counts>,
}

struct State {
    scripts: VecDeque<Arc<[Step]>>,
    requests: Vec<ModelRequest>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    asked: usize,
    dropped: usize,
}

/// One step of a script. A script that ends without [`Step::stop`] or another finish is an answer that was cut off.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Step {
    /// Yields this.
    Event(ModelEvent),
    /// Fails with this, which ends the stream.
    Error(ErrorInfo),
    /// Sleeps, by tokio's clock: a paused one makes it instant.
    Delay(Duration),
    /// Waits until the gate is open.
    Gate(Gate),
    /// Never yields again.
    Hang,
    /// Panics.
    Panic,
}

impl Step {
    /// A piece of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Event(ModelEvent::Text(text.into()))
    }

    /// A piece of reasoning.
    pub fn reasoning(text: impl Into<String>) -> Self {
        Self::Event(ModelEvent::Reasoning(text.into()))
    }

    /// A tool call.
    pub fn call(call: ToolCall) -> Self {
        Self::Event(ModelEvent::ToolCall(call))
    }

    /// Any other part: a picture, a citation.
    pub fn part(part: Part) -> Self {
        Self::Event(ModelEvent::Part(part))
    }

    /// What it used so far.
    pub fn usage(input_tokens: u64, output_tokens: u64) -> Self {
        Self::Event(ModelEvent::Usage(Usage { input_tokens, output_tokens, ..Usage::default() }))
    }

    /// Finishes.
    pub fn finish(reason: FinishReason) -> Self {
        Self::Event(ModelEvent::Finish(reason))
    }

    /// Finishes because everything is said.
    pub fn stop() -> Self {
        Self::finish(FinishReason::Stop)
    }

    /// Fails with this error. Its facts become part of its text; its cause is lost.
    pub fn error(error: Error) -> Self {
        Self::Error(error.info())
    }

    /// Fails with an error of this kind.
    pub fn fails(kind: ErrorKind) -> Self {
        Self::error(Error::new(kind, "a scripted error"))
    }

    /// Waits for `gate`, which the test keeps a clone of.
    pub fn gate(gate: &Gate) -> Self {
        Self::Gate(gate.clone())
    }
}

/// Holds a script back until the test opens it, so that no test needs to sleep. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<GateState>>);

#[derive(Clone, Copy, Debug, Default)]
struct GateState {
    open: bool,
    arrived: bool,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(GateState::default())))
    }

    /// Opens it, for good.
    pub fn open(&self) {
        self.0.send_modify(|gate| gate.open = true);
    }

    /// Waits until a script has come as far as this gate.
    pub async fn reached(&self) {
        self.until(|gate| gate.arrived).await;
    }

    /// Waits until it is open, as a script does.
    pub async fn pass(&self) {
        self.0.send_modify(|gate| gate.arrived = true);
        self.until(|gate| gate.open).await;
    }

    async fn until(&self, is: impl FnMut(&GateState) -> bool) {
        // It fails only without a sender, and `self` is one.
        let _ = self.0.subscribe().wait_for(is).await;
    }
}

impl Scripted {
    /// Answers `text` word by word and stops.
    pub fn reply(text: impl AsRef<str>) -> Self {
        Self::words(text.as_ref().split_inclusive(char::is_whitespace))
    }

    /// Answers exactly these pieces and stops.
    pub fn words<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::script(words.into_iter().map(Step::text).chain([Step::stop()]))
    }

    /// Asks for these tools to be called.
    pub fn calls(calls: impl IntoIterator<Item = ToolCall>) -> Self {
        Self::script(calls.into_iter().map(Step::call).chain([Step::finish(FinishReason::ToolCalls)]))
    }

    /// Plays exactly these steps.
    pub fn script(steps: impl IntoIterator<Item = Step>) -> Self {
        let state = State { scripts: VecDeque::from([steps.into_iter().collect()]), requests: Vec::new() };
        let shared = Shared { state: Mutex::new(state), counts: watch::Sender::new(Counts::default()) };
        Self { name: "scripted".into(), images: true, shared: Arc::new(shared) }
    }

    /// Plays the scripts of `next` in the calls after those that are written already.
    #[must_use]
    pub fn then(self, next: Scripted) -> Self {
        let scripts = next.state().scripts.clone();
        self.state().scripts.extend(scripts);
        self
    }

    /// Gives this handle, and clones made of it from now on, another [`name`](ChatModel::name).
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// Makes this handle, and clones made of it from now on, a model that [takes no
    /// pictures](ChatModel::takes_images).
    #[must_use]
    pub fn without_images(mut self) -> Self {
        self.images = false;
        self
    }

    /// What it was asked, in order. A stream that was never polled has asked nothing.
    pub fn requests(&self) -> Vec<ModelRequest> {
        self.state().requests.clone()
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.shared.counts.borrow().asked
    }

    /// How many streams were dropped before their last step: what a cancel must do.
    pub fn dropped(&self) -> usize {
        self.shared.counts.borrow().dropped
    }

    /// Waits until it was asked `times` times.
    pub async fn until_asked(&self, times: usize) {
        self.until(|counts| counts.asked >= times).await;
    }

    /// Waits until `times` streams were dropped before their last step.
    pub async fn until_dropped(&self, times: usize) {
        self.until(|counts| counts.dropped >= times).await;
    }

    async fn until(&self, is: impl FnMut(&Counts) -> bool) {
        // It fails only without a sender, and `self` holds one.
        let _ = self.shared.counts.subscribe().wait_for(is).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code of ours panics under this lock.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, request: ModelRequest) -> (Arc<[Step]>, Playing) {
        let mut state = self.state();
        state.requests.push(request);
        let last = if state.scripts.len() > 1 { state.scripts.pop_front() } else { state.scripts.front().cloned() };
        drop(state);
        self.shared.counts.send_modify(|counts| counts.asked += 1);
        (last.unwrap_or_default(), Playing { shared: self.shared.clone(), ended: false })
    }
}

/// Notices that a stream goes away before its end.
struct Playing {
    shared: Arc<Shared>,
    ended: bool,
}

impl Drop for Playing {
    fn drop(&mut self) {
        if !self.ended {
            self.shared.counts.send_modify(|counts| counts.dropped += 1);
        }
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { asked, dropped } = *self.shared.counts.borrow();
        f.debug_struct("Scripted")
            .field("name", &self.name)
            .field("asked", &asked)
            .field("dropped", &dropped)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl ChatModel for Scripted {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let scripted = self.clone();
        Box::pin(async_stream::stream! {
            let (steps, mut playing) = scripted.begin(request);
            for (at, step) in steps.iter().enumerate() {
                // The last step is the end: a reader that has it need not poll once more.
                playing.ended = match step {
                    Step::Event(_) => at + 1 == steps.len(),
                    Step::Error(_) | Step::Panic => true,
                    Step::Delay(_) | Step::Gate(_) | Step::Hang => false,
                };
                match step {
                    Step::Event(event) => yield Ok(event.clone()),
                    Step::Error(info) => {
                        yield Err(Error::from(info.clone()));
                        return;
                    }
                    Step::Delay(pause) => tokio::time::sleep(*pause).await,
                    Step::Gate(gate) => gate.pass().await,
                    Step::Hang => std::future::pending().await,
                    Step::Panic => panic!("a scripted panic"),
                }
            }
            playing.ended = true;
        })
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn takes_images(&self) -> bool {
        self.images
    }

    async fn models(&self) -> Result<Vec<ModelInfo>> {
        Ok(vec![ModelInfo::new(&*self.name)])
    }

    fn provider(&self) -> Provider {
        Provider { name: "scripted".into(), ..Provider::default() }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};
    use serde_json::json;

    use super::*;
    use crate::message::Role;
    use crate::model::PromptMessage;

    async fn play(model: &Scripted) -> Vec<Result<ModelEvent>> {
        model.stream(ModelRequest::default()).collect().await
    }

    async fn events(model: &Scripted) -> Vec<ModelEvent> {
        play(model).await.into_iter().map(|event| event.expect("no error is scripted")).collect()
    }

    fn text(text: &str) -> ModelEvent {
        ModelEvent::Text(text.into())
    }

    const STOP: ModelEvent = ModelEvent::Finish(FinishReason::Stop);

    #[tokio::test]
    async fn a_reply_comes_word_by_word_and_loses_no_byte() {
        assert_eq!(
            events(&Scripted::reply("Hello  wide\nworld")).await,
            [text("Hello "), text(" "), text("wide\n"), text("world"), STOP]
        );
    }

    #[tokio::test]
    async fn each_call_has_its_script_and_the_last_one_repeats() {
        let model = Scripted::reply("a").then(Scripted::words(["b"])).then(Scripted::reply("c"));
        for expect in ["a", "b", "c", "c"] {
            assert_eq!(events(&model).await, [text(expect), STOP]);
        }
    }

    #[tokio::test]
    async fn every_kind_of_event_can_be_scripted() {
        let call = ToolCall { id: "1".into(), name: "time".into(), arguments: json!({}) };
        assert_eq!(
            events(&Scripted::calls([call.clone()])).await,
            [ModelEvent::ToolCall(call), ModelEvent::Finish(FinishReason::ToolCalls)]
        );
        let cut = events(&Scripted::script([Step::reasoning("hm"), Step::usage(3, 1)])).await;
        assert!(matches!(cut[..], [ModelEvent::Reasoning(_), ModelEvent::Usage(Usage { input_tokens: 3, .. })]));
    }

    #[tokio::test]
    async fn an_error_ends_the_stream() {
        let error = Error::new(ErrorKind::RateLimited, "slow").with_retry_after(Some(Duration::from_secs(2)));
        let model = Scripted::script([Step::text("a"), Step::error(error), Step::text("never")]);
        let played = play(&model).await;
        assert_eq!(played.len(), 2);
        let error = played[1].as_ref().expect_err("the second step");
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::RateLimited, Some(Duration::from_secs(2))));
        assert_eq!(model.dropped(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_keeps_to_the_clock_of_the_test() {
        let hour = Duration::from_secs(3600);
        let before = tokio::time::Instant::now();
        assert_eq!(events(&Scripted::script([Step::Delay(hour), Step::stop()])).await, [STOP]);
        assert!(before.elapsed() >= hour);
    }

    #[tokio::test]
    async fn a_gate_holds_until_it_is_opened() {
        let gate = Gate::new();
        let model = Scripted::script([Step::text("a"), Step::gate(&gate), Step::stop()]);
        let mut stream = model.stream(ModelRequest::default());
        assert!(stream.next().await.is_some());
        assert!(gate.reached().now_or_never().is_none());
        assert!(stream.next().now_or_never().is_none());
        gate.reached().await;
        gate.open();
        assert_eq!(stream.next().await.and_then(Result::ok), Some(STOP));
        assert!(stream.next().await.is_none());
        assert_eq!(model.dropped(), 0);
    }

    #[tokio::test]
    async fn a_stream_that_is_dropped_early_is_noticed_from_elsewhere() {
        let model = Scripted::script([Step::text("a"), Step::Hang]);
        let watcher = tokio::spawn({
            let model = model.clone();
            async move { model.until_dropped(1).await }
        });
        let mut stream = model.stream(ModelRequest::default());
        assert!(stream.next().await.is_some());
        assert!(stream.next().now_or_never().is_none());
        assert_eq!(model.dropped(), 0);
        drop(stream);
        watcher.await.expect("the watcher ends");
        assert_eq!(model.dropped(), 1);
    }

    #[tokio::test]
    async fn having_the_last_step_is_having_all() {
        let model = Scripted::reply("a").then(Scripted::script([Step::Delay(Duration::ZERO)]));
        let stream = model.stream(ModelRequest::default());
        assert_eq!(stream.take(2).count().await, 2);
        assert!(play(&model).await.is_empty());
        assert_eq!((model.asked(), model.dropped()), (2, 0));
    }

    #[tokio::test]
    async fn a_panic_is_a_panic_and_not_a_drop() {
        let model = Scripted::script([Step::Panic]);
        let task = tokio::spawn({
            let model = model.clone();
            async move { play(&model).await.len() }
        });
        assert!(task.await.expect_err("it panics").is_panic());
        assert_eq!((model.asked(), model.dropped()), (1, 0));
    }

    #[tokio::test]
    async fn what_it_is_asked_is_kept_once_it_is_polled() {
        let model = Scripted::reply("a").named("gpt-meow");
        let request = ModelRequest { messages: vec![PromptMessage::new(Role::User, "hi")], ..ModelRequest::default() };
        drop(model.stream(request.clone()));
        assert_eq!((model.asked(), model.dropped()), (0, 0));
        assert_eq!(model.stream(request.clone()).count().await, 2);
        model.until_asked(1).await;
        assert_eq!(model.requests(), [request]);
        assert_eq!(model.name(), "gpt-meow");
    }
}
