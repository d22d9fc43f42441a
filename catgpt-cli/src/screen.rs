//! A reply as it comes: its events on stdout, and beside them on stderr what a person likes to see.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use catgpt_core::{Error, ErrorKind, Event, Finished, Part, Reply};
use futures_util::FutureExt;
use tokio::io::{AsyncWriteExt, Stdout};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::args::{Ask, Common};
use crate::color;
use crate::exit::Failure;
use crate::notes::Notes;
use crate::render::{Render, visible};
use crate::spinner::{self, Spinner};

/// How much is collected before it is written.
const BATCH: usize = 64 << 10;

/// Shows events. It writes stdout beside the runtime: a reader that does not read must not stop the turn.
pub(crate) struct Screen {
    render: Render,
    stdout: Stdout,
    notes: Notes,
    spinner: Spinner,
    thoughts: Option<Thoughts>,
    /// Files that were given and are not cited yet.
    uncited: Vec<String>,
}

/// A reply that was shown.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) finished: Finished,
    /// There was no code block in it, and nothing else was wanted.
    pub(crate) missing: bool,
}

impl Screen {
    pub(crate) fn new(ask: &Ask, common: &Common) -> Self {
        let notes = Notes::new(common);
        let render = Render::new(ask.format(), io::stdout().is_terminal());
        Self {
            render: render.whole(ask.no_stream).block(ask.extract),
            stdout: tokio::io::stdout(),
            notes,
            spinner: Spinner::new(notes),
            thoughts: ask.show_reasoning.then(|| Thoughts::new(common)),
            uncited: ask.context.clone(),
        }
    }

    pub(crate) async fn show(mut self, mut reply: Reply) -> Result<Shown, Failure> {
        let mut bytes = Vec::new();
        let mut clock = clock();
        let mut next = self.wait(&mut reply, &mut clock).await;
        while let Some(event) = next {
            self.take(&event, &mut bytes);
            let last = match event {
                Event::Finished(finished) => Some(finished),
                _ => None,
            };
            let ready = if last.is_none() && bytes.len() < BATCH { reply.next().now_or_never() } else { None };
            if ready.is_none() && !bytes.is_empty() {
                self.spinner.end();
                self.stdout.write_all(&bytes).await?;
                self.stdout.flush().await?;
                bytes.clear();
            }
            if let Some(finished) = last {
                return Ok(Shown { finished: *finished, missing: self.render.is_missing() });
            }
            next = match ready {
                Some(event) => event,
                None => self.wait(&mut reply, &mut clock).await,
            };
        }
        Err(Error::new(ErrorKind::Unexpected, "the answer had no end; please report this").into())
    }

    /// The next event, with a sign of life until it comes.
    async fn wait(&mut self, reply: &mut Reply, clock: &mut Interval) -> Option<Event> {
        while self.spinner.is_wanted() {
            tokio::select! {
                biased;
                event = reply.next() => return event,
                _ = clock.tick() => self.spinner.draw(),
            }
        }
        reply.next().await
    }

    fn take(&mut self, event: &Event, bytes: &mut Vec<u8>) {
        if let Some(thoughts) = &mut self.thoughts {
            thoughts.hear(event, &mut self.spinner);
        }
        match event {
            Event::Started(started) => {
                let (session, persona, model) = (&started.session, &started.persona, &started.model);
                self.spinner.clear();
                self.notes.detail(format_args!("chat {session}, persona {persona}, model {model}"));
            }
            Event::Retrying { attempt, after_ms, error, .. } => {
                let seconds = Duration::from_millis(*after_ms).as_secs_f32();
                self.spinner.clear();
                self.notes.say(format_args!("{}; attempt {attempt} follows in {seconds:.1} s", error.message));
            }
            Event::Part { part: Part::Citation { url, .. }, .. } => self.uncited.retain(|path| path != url),
            Event::Text { .. } => {
                for path in self.uncited.drain(..) {
                    self.spinner.clear();
                    self.notes.say(format_args!("{path} was left out: it is longer than what the model is sent"));
                }
            }
            // Whatever is told of the end has its line to itself.
            Event::Finished(_) => self.spinner.end(),
            _ => {}
        }
        self.render.event(event, bytes);
    }
}

fn clock() -> Interval {
    let mut clock = interval_at(Instant::now() + spinner::EVERY, spinner::EVERY);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}

/// What a model thinks, on stderr, paler than the rest where there are colours.
struct Thoughts {
    terminal: bool,
    pale: bool,
    line_open: bool,
}

impl Thoughts {
    fn new(common: &Common) -> Self {
        let stderr = io::stderr();
        Self { terminal: stderr.is_terminal(), pale: color::enabled(common.color, &stderr), line_open: false }
    }

    fn hear(&mut self, event: &Event, spinner: &mut Spinner) {
        // Nobody may be there to read it.
        match event {
            Event::Reasoning { text, .. } => {
                spinner.end();
                let shown = if self.terminal { visible(text) } else { text.into() };
                let _ = match self.pale {
                    true => write!(io::stderr(), "\x1b[2m{shown}\x1b[0m"),
                    false => write!(io::stderr(), "{shown}"),
                };
                self.line_open = !text.ends_with('\n');
            }
            _ if std::mem::take(&mut self.line_open) => {
                let _ = writeln!(io::stderr());
            }
            _ => {}
        }
    }
}
