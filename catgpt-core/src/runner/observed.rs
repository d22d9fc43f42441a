//! What an operator sees of one turn. It hears the same inputs and effects as the turn does, and changes neither.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::field::{Empty, debug};
use tracing::{Level, Span};

use super::begin::Order;
use super::{Runner, Running};
use crate::error::ErrorKind;
use crate::event::{Event, Finished};
use crate::memory::Kept;
use crate::message::{Content, FinishReason, Status, Usage};
use crate::model::{ChatModel, ModelEvent, ModelRequest, Params, Provider};
use crate::observe::{Labels, Meter, Of, input, output};
use crate::turn::{Effect, Input};

/// One turn, as it is told.
pub(super) struct Observed {
    meter: Arc<Meter>,
    running: Arc<Running>,
    content: bool,
    provider: Provider,
    model: String,
    span: Span,
    call: Option<Call>,
    /// When it was sent; how long it waited.
    asked: Instant,
    waited: Duration,
    attempts: u32,
    /// From the send to the first thing shown.
    first: Option<Duration>,
    checkpoints: u32,
    /// Since when a checkpoint is on its way, and the slowest one.
    keeping: Option<Instant>,
    lag: Duration,
    refused: bool,
    ended: bool,
}

/// One call of the model.
struct Call {
    span: Span,
    labels: Labels,
    begun: Instant,
    first: Option<Duration>,
    usage: Option<Usage>,
    finish: Option<FinishReason>,
}

impl Observed {
    pub(super) fn new(runner: &Runner, running: &Arc<Running>, order: &Order) -> Self {
        let (meter, waited) = (Arc::clone(&runner.meter), order.asked.elapsed());
        meter.time(Of::QueueWait, waited);
        meter.add(Of::Running, Labels::new(), 1);
        Self {
            meter,
            running: Arc::clone(running),
            content: runner.record_content,
            provider: runner
                .chosen(order.ask.options.model.as_deref())
                .map_or_else(|_| Provider::default(), ChatModel::provider),
            model: order.model.clone(),
            span: turn_span(running, order),
            call: None,
            asked: order.asked,
            waited,
            attempts: 0,
            first: None,
            checkpoints: 0,
            keeping: None,
            lag: Duration::ZERO,
            refused: false,
            ended: false,
        }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The model is about to be asked this.
    pub(super) fn asked(&mut self, request: &ModelRequest) {
        self.attempts += 1;
        let span = self.call_span(&request.params);
        if self.content {
            let messages = input(&request.messages);
            tracing::event!(name: "gen_ai.client.inference.operation.details", parent: &span, Level::INFO, { gen_ai.input.messages = messages }, "what the model is asked");
        }
        let labels = vec![
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.provider.name", self.provider.name.clone()),
            ("gen_ai.request.model", self.meter.model(&self.model)),
        ];
        self.call = Some(Call { span, labels, begun: Instant::now(), first: None, usage: None, finish: None });
    }

    pub(super) fn input(&mut self, input: &Input) {
        match input {
            Input::Model(event) => self.said(event),
            Input::ModelOver { error, .. } => self.over(error.as_ref().map(|error| error.kind().as_str())),
            Input::Kept(Ok(Kept::Renewed { .. })) => self.kept(),
            Input::Kept(Ok(Kept::Refused)) => {
                self.meter.count(Of::LeasesLost);
                tracing::warn!(turn = %self.running.turn, "this turn was ended by somebody else; its lease is lost");
            }
            Input::Kept(Err(error)) | Input::Sealed(Err(error)) if !self.refused => {
                self.refused = true;
                let kind = error.kind();
                tracing::warn!(turn = %self.running.turn, "error.type" = %kind, %error, "the store did not take a write");
            }
            _ => {}
        }
    }

    pub(super) fn effect(&mut self, effect: &Effect) {
        match effect {
            Effect::Hush => self.hushed(),
            Effect::Note(Event::Retrying { error, attempt, .. }) => self.again(error.kind, *attempt),
            Effect::Keep { .. } => _ = self.keeping.get_or_insert_with(Instant::now),
            Effect::End(finished) => self.ended(finished),
            _ => {}
        }
    }

    fn said(&mut self, event: &ModelEvent) {
        let Some(call) = &mut self.call else { return };
        match event {
            ModelEvent::Usage(usage) => call.usage = Some(*usage),
            ModelEvent::Finish(reason) => _ = call.finish.get_or_insert_with(|| reason.clone()),
            _ if call.first.is_none() => {
                call.first = Some(call.begun.elapsed());
                self.first.get_or_insert_with(|| self.asked.elapsed());
            }
            _ => {}
        }
    }

    /// We hang up: no failure if the model had finished.
    fn hushed(&mut self) {
        let finished = self.call.as_ref().is_some_and(|call| call.finish.is_some());
        self.over((!finished).then_some("cancelled"));
    }

    fn over(&mut self, error: Option<&'static str>) {
        let Some(call) = self.call.take() else { return };
        // A stream that just ends was cut off.
        let cut = call.finish.is_none().then_some(ErrorKind::Truncated.as_str());
        let error = error.or(cut);
        call.record(error);
        call.measure(&self.meter, error);
        if self.content {
            let said = self.running.log.content(Content::clone);
            let messages = output(&said, call.finish.as_ref());
            tracing::event!(name: "gen_ai.client.inference.operation.details", parent: &call.span, Level::INFO, { gen_ai.output.messages = messages }, "what it said");
        }
    }

    fn again(&self, kind: ErrorKind, attempt: u32) {
        self.meter.add(Of::Retries, vec![("error.type", kind.as_str().into())], 1);
        let turn = self.running.turn;
        tracing::debug!(%turn, "error.type" = %kind, attempt, "the model failed and is asked again");
    }

    fn kept(&mut self) {
        self.refused = false;
        let Some(since) = self.keeping.take() else { return };
        let lag = since.elapsed();
        self.checkpoints += 1;
        self.lag = self.lag.max(lag);
        self.meter.time(Of::CheckpointLag, lag);
    }

    /// The turn is over, as its readers are told.
    pub(super) fn ended(&mut self, finished: &Finished) {
        self.hushed();
        self.ended = true;
        self.meter.add(Of::Turns, vec![("status", finished.status.as_str().into())], 1);
        let error = finished.error.as_ref().map(|error| error.kind.as_str());
        let (span, first) = (&self.span, self.first.map(|first| first.as_secs_f64()));
        span.record("catgpt.turn.status", finished.status.as_str());
        span.record("catgpt.turn.attempts", self.attempts);
        span.record("catgpt.time_to_first_token", first);
        span.record("catgpt.stored", finished.stored);
        span.record("catgpt.checkpoints", self.checkpoints);
        span.record("catgpt.checkpoint.lag.max", self.lag.as_secs_f64());
        span.record("error.type", error);
        span.record("otel.status_code", error.map(|_| "ERROR"));
        macro_rules! tell {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    parent: span,
                    turn = %self.running.turn,
                    session = %self.running.session,
                    status = finished.status.as_str(),
                    "error.type" = error,
                    attempts = self.attempts,
                    waited = self.waited.as_secs_f64(),
                    first_token = first,
                    took = self.asked.elapsed().as_secs_f64(),
                    stored = finished.stored,
                    input_tokens = finished.usage.map(|usage| usage.input_tokens),
                    output_tokens = finished.usage.map(|usage| usage.output_tokens),
                    $text
                )
            };
        }
        match finished.status {
            Status::Failed | Status::Interrupted => tell!(warn, "a turn failed or was cut off"),
            _ => tell!(debug, "a turn ended"),
        }
    }

    fn call_span(&self, params: &Params) -> Span {
        let Provider { name, address, port } = &self.provider;
        tracing::info_span!(
            parent: &self.span,
            "chat",
            otel.name = format_args!("chat {}", self.model),
            otel.kind = "client",
            otel.status_code = Empty,
            gen_ai.operation.name = "chat",
            gen_ai.provider.name = &**name,
            gen_ai.request.model = self.model,
            gen_ai.request.stream = true,
            gen_ai.request.temperature = params.temperature.map(f64::from),
            gen_ai.request.top_p = params.top_p.map(f64::from),
            gen_ai.request.max_tokens = params.max_tokens,
            gen_ai.conversation.id = %self.running.session,
            server.address = address.as_deref(),
            server.port = port,
            catgpt.attempt = self.attempts,
            gen_ai.response.time_to_first_chunk = Empty,
            gen_ai.response.finish_reasons = Empty,
            gen_ai.usage.input_tokens = Empty,
            gen_ai.usage.output_tokens = Empty,
            gen_ai.usage.cache_read.input_tokens = Empty,
            gen_ai.usage.reasoning.output_tokens = Empty,
            "error.type" = Empty,
        )
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.meter.add(Of::Running, Labels::new(), -1);
    }
}

impl Call {
    fn record(&self, error: Option<&'static str>) {
        let span = &self.span;
        span.record("gen_ai.response.time_to_first_chunk", self.first.map(|first| first.as_secs_f64()));
        if let Some(reason) = &self.finish {
            let reason = String::from(reason.clone());
            span.record("gen_ai.response.finish_reasons", debug([reason]));
        }
        if let Some(usage) = self.usage {
            let some = |tokens: u64| (tokens > 0).then_some(tokens);
            span.record("gen_ai.usage.input_tokens", usage.input_tokens);
            span.record("gen_ai.usage.output_tokens", usage.output_tokens);
            span.record("gen_ai.usage.cache_read.input_tokens", some(usage.cached_tokens));
            span.record("gen_ai.usage.reasoning.output_tokens", some(usage.reasoning_tokens));
        }
        span.record("error.type", error);
        span.record("otel.status_code", error.map(|_| "ERROR"));
    }

    fn measure(&self, meter: &Meter, error: Option<&'static str>) {
        let with = |more: Option<(&'static str, &'static str)>| {
            let more = more.map(|(name, value)| (name, value.into()));
            self.labels.iter().cloned().chain(more).collect::<Labels>()
        };
        let failed = error.map(|error| ("error.type", error));
        meter.observe(Of::Duration, with(failed), self.begun.elapsed().as_secs_f64());
        if let Some(first) = self.first {
            meter.observe(Of::FirstChunk, with(None), first.as_secs_f64());
        }
        for (kind, tokens) in self.usage.iter().flat_map(|u| [("input", u.input_tokens), ("output", u.output_tokens)]) {
            // Tokens of one call are far fewer than a float can count.
            let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
            meter.observe(Of::Tokens, with(Some(("gen_ai.token.type", kind))), f64::from(tokens));
        }
    }
}

/// The span of a turn. It outlives its caller's, so it is no child of that one but follows from it.
fn turn_span(running: &Running, order: &Order) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "catgpt.turn",
        otel.status_code = Empty,
        catgpt.turn.id = %running.turn,
        gen_ai.conversation.id = %running.session,
        catgpt.queue.wait = order.asked.elapsed().as_secs_f64(),
        catgpt.turn.status = Empty,
        catgpt.turn.attempts = Empty,
        catgpt.time_to_first_token = Empty,
        catgpt.stored = Empty,
        catgpt.checkpoints = Empty,
        catgpt.checkpoint.lag.max = Empty,
        "error.type" = Empty,
    );
    span.follows_from(&order.caller);
    span
}
