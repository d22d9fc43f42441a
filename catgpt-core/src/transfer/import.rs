//! Bringing conversations in: each is compared with what is there, and what is missing is written.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::report::{Entry, ImportReport, Outcome};
use super::source::Meter;
use super::transcript::{Heading, LeftOut, Transcript};
use super::{Flow, Found, OnProgress, Progress, Source, What};
use crate::body::{Body, TitleSource, encode_meta, encode_title, message};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq};
use crate::memory::{Answer, Imported, Limit, Memory, Op, Query, Read, Row, SessionRow};
use crate::message::Message;
use crate::persona::Persona;
use crate::runner::Runner;

/// How many conversations are written at the same time, so that they share commits.
const AT_ONCE: usize = 8;
/// How much one write brings.
const PART: Limit = Limit { messages: 1_000, bytes: 8 << 20 };
/// How often a conversation is looked at again that somebody else changes meanwhile.
const TRIES: usize = 3;

/// Conversations on their way in. Await it for the [`ImportReport`].
///
/// Importing the same again changes nothing, and what was added to the source since is added here. A session that has
/// become another one here, or was never the same, is refused and left as it is. An import that was cut short is begun
/// anew and goes on where it was.
#[must_use = "nothing is imported until it is awaited"]
pub struct Import {
    runner: Arc<Runner>,
    owners: Owners,
    source: Source,
    dry_run: bool,
    on_progress: Option<OnProgress>,
}

/// To whom conversations go.
enum Owners {
    One(Owner),
    /// To whom the source says; where it says nothing, to this one.
    Each(Option<Owner>),
}

impl Import {
    pub(crate) fn to(runner: Arc<Runner>, owner: Owner, source: Source) -> Self {
        Self { runner, owners: Owners::One(owner), source, dry_run: false, on_progress: None }
    }

    pub(crate) fn adopt(runner: Arc<Runner>, source: Source, otherwise: Option<Owner>) -> Self {
        Self { runner, owners: Owners::Each(otherwise), source, dry_run: false, on_progress: None }
    }

    /// Whether to only say what would become of each conversation, and write nothing.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Hears how far it has come, after each conversation.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(on_progress));
        self
    }

    async fn run(self) -> Result<ImportReport> {
        let meter = Meter::default();
        let mut reading = Reading::begin(self.source, meter.clone())?;
        let (runner, owners, dry_run) = (&self.runner, &self.owners, self.dry_run);
        let mut report = ImportReport::default();
        let mut on_progress = self.on_progress;
        {
            let found = stream::poll_fn(|cx| reading.found.poll_recv(cx));
            let mut entries = found.map(|found| entry(runner, owners, found, dry_run)).buffered(AT_ONCE).boxed();
            while let Some(entry) = entries.next().await {
                report.add(entry?);
                if let Some(hear) = &mut on_progress {
                    hear(meter.progress());
                }
            }
        }
        reading.end().await.map(|()| report)
    }
}

impl IntoFuture for Import {
    type Output = Result<ImportReport>;
    type IntoFuture = BoxFuture<'static, Result<ImportReport>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("source", &self.source).field("dry_run", &self.dry_run).finish_non_exhaustive()
    }
}

/// A thread that reads the source. It waits while nobody takes what it found, and ends when nobody will.
struct Reading {
    found: mpsc::Receiver<Found>,
    end: tokio::sync::oneshot::Receiver<Result<()>>,
}

impl Reading {
    fn begin(source: Source, meter: Meter) -> Result<Self> {
        let (sender, found) = mpsc::channel(2);
        let (done, end) = tokio::sync::oneshot::channel();
        let read = move || {
            let mut take = |found| if sender.blocking_send(found).is_ok() { Flow::On } else { Flow::Stop };
            // Who has gone away need not be told.
            let _ = done.send(source.read(&meter, &mut take));
        };
        let thread = std::thread::Builder::new().name("catgpt-import".into()).spawn(read);
        thread
            .map_err(|e| Error::new(ErrorKind::Unexpected, "the system gives no thread to read with").caused_by(e))?;
        Ok(Self { found, end })
    }

    async fn end(self) -> Result<()> {
        let defect = || Error::new(ErrorKind::Unexpected, "reading the source panicked: please report this");
        self.end.await.unwrap_or_else(|_| Err(defect()))
    }
}

/// What becomes of what was found. An error is one that ends the import: the store's.
async fn entry(runner: &Runner, owners: &Owners, found: Found, dry_run: bool) -> Result<Entry> {
    let owner = match owners {
        Owners::One(owner) => Ok(owner.clone()),
        Owners::Each(otherwise) => owner(found.owner, otherwise),
    };
    let named = owner.as_ref().ok().filter(|_| matches!(owners, Owners::Each(_))).map(|owner| owner.to_string());
    let (id, title, outcome) = match found.what {
        What::Refused { id, title, error } => (id, title, Err(error)),
        What::Transcript(transcript, left_out) => {
            let (id, title) = (transcript.heading.id.to_string(), transcript.heading.title.clone());
            let placed = match (owner, transcript.settle()) {
                (Ok(owner), Ok(transcript)) => place(runner, &owner, transcript, dry_run).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            (Some(id), title, placed.map(|written| (written, left_out)))
        }
    };
    let (messages, outcome) = match outcome {
        Ok((None, _)) => (0, Outcome::Unchanged),
        Ok((Some(messages), left_out)) => (messages, kept(left_out)),
        Err(error) if of_the_store(error.kind()) => return Err(error),
        Err(error) => (0, Outcome::Refused { error: error.info() }),
    };
    Ok(Entry { session: id, title, owner: named, messages, outcome })
}

fn kept(left_out: LeftOut) -> Outcome {
    if left_out.is_empty() { Outcome::Imported } else { Outcome::Partly { left_out } }
}

fn owner(named: Option<String>, otherwise: &Option<Owner>) -> Result<Owner> {
    match (named, otherwise) {
        (Some(name), _) => Owner::new(name),
        (None, Some(owner)) => Ok(owner.clone()),
        (None, None) => Err(Error::invalid("nobody owns this chat: say who shall")),
    }
}

/// Whether it is not one conversation that is wrong.
fn of_the_store(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::InvalidInput | ErrorKind::Conflict | ErrorKind::Busy | ErrorKind::NotFound | ErrorKind::Truncated
    )
}

/// Writes what is missing of a conversation, and says how many messages that were; `None` if nothing is missing.
async fn place(runner: &Runner, owner: &Owner, transcript: Transcript, dry_run: bool) -> Result<Option<u64>> {
    let mut tries = 0;
    loop {
        let here = session(runner, owner, &transcript).await?;
        let known = match &here {
            Some(row) => common(runner, owner, row, &transcript).await?,
            None => 0,
        };
        let missing = transcript.messages.len() as u64 - known;
        if here.is_some() && missing == 0 {
            return Ok(None);
        }
        if dry_run {
            return Ok(Some(missing));
        }
        match write(runner, owner, here, &transcript, known).await {
            // Somebody else has brought it, or added to it.
            Err(error) if error.kind() == ErrorKind::Conflict && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
            Ok(()) => return Ok(Some(missing)),
        }
    }
}

async fn session(runner: &Runner, owner: &Owner, transcript: &Transcript) -> Result<Option<SessionRow>> {
    let query = Query::Session { session: transcript.heading.id.clone() };
    match runner.memory.query(owner, query).await {
        Ok(Answer::Sessions { rows, .. }) => Ok(rows.into_iter().next()),
        Ok(_) => Err(Error::new(ErrorKind::Unexpected, "the memory answered another question than it was asked")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How many messages of a conversation are here. All that both have must be the same.
async fn common(runner: &Runner, owner: &Owner, here: &SessionRow, transcript: &Transcript) -> Result<Seq> {
    let differs = |seq: Seq| {
        let text = "a session of this id is here with other messages: delete or keep it, it is left as it is";
        Error::new(ErrorKind::Conflict, text).with("session", &here.id).with("message", seq)
    };
    let mut known: Seq = 0;
    loop {
        let limit = Limit { messages: 500, bytes: PART.bytes };
        let read = Read::Tree { session: here.id.clone(), after: known, limit, bodies: true };
        let view = runner.memory.read(owner, read).await?;
        let (more, last) = (view.more, view.rows.last().map(|row| row.seq));
        for row in view.rows {
            let Some(message) = transcript.messages.get(usize::try_from(row.seq - 1).unwrap_or(usize::MAX)) else {
                // It went on here, which is no difference.
                return Ok(transcript.messages.len() as u64);
            };
            if !same(&self::message(row, &[])?, message) {
                return Err(differs(message.seq));
            }
        }
        known = last.unwrap_or(known);
        if !more {
            return Ok(known);
        }
    }
}

/// Whether it is the same message. When it was made does not matter: not every format tells.
fn same(here: &Message, there: &Message) -> bool {
    (here.seq, here.parent, here.role, here.status) == (there.seq, there.parent, there.role, there.status)
        && here.content == there.content
        && here.model == there.model
}

/// Writes the messages after number `known`, in parts. What is interrupted between two of them goes on with the next import.
async fn write(
    runner: &Runner,
    owner: &Owner,
    here: Option<SessionRow>,
    transcript: &Transcript,
    known: Seq,
) -> Result<()> {
    let mut session = match here {
        Some(row) => grown(row, &transcript.heading),
        None => imported(&transcript.heading),
    };
    let rows: Vec<&Message> = transcript.messages.iter().skip(usize::try_from(known).unwrap_or(usize::MAX)).collect();
    let mut after = known;
    let mut left = rows.as_slice();
    loop {
        let (part, rest) = part(left);
        let last = after + part.len() as u64;
        session.head = if rest.is_empty() { transcript.heading.head } else { Some(last) };
        let op = Op::Import { session: Box::new(session.clone()), after, rows: part };
        runner.apply(owner, vec![op]).await?;
        if rest.is_empty() {
            return Ok(());
        }
        (after, left) = (last, rest);
    }
}

/// As many messages as one write may bring, and the rest.
fn part<'a, 'b>(left: &'b [&'a Message]) -> (Vec<Row>, &'b [&'a Message]) {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for message in left.iter().take(PART.messages as usize) {
        let row = row(message);
        bytes += row.body.len() as u64;
        if bytes > PART.bytes && !rows.is_empty() {
            break;
        }
        rows.push(row);
    }
    let rest = &left[rows.len()..];
    (rows, rest)
}

fn row(message: &Message) -> Row {
    let mut body = Body::new(&message.content);
    body.finish_reason.clone_from(&message.finish_reason);
    body.error.clone_from(&message.error);
    body.cost = message.cost;
    Row {
        seq: message.seq,
        parent: message.parent,
        turn: None,
        role: message.role,
        status: message.status,
        body: body.encode(),
        model: message.model.clone(),
        usage: message.usage,
        created_ms: message.created_ms,
    }
}

fn imported(heading: &Heading) -> Imported {
    let by = heading.titled_by.unwrap_or(TitleSource::User);
    Imported {
        id: heading.id.clone(),
        title: heading.title.as_ref().map(|title| encode_title(title, by)),
        pin: heading.persona.as_ref().map(Persona::encode),
        meta: Some(&heading.metadata).filter(|meta| !meta.is_empty()).map(encode_meta),
        pinned: heading.pinned,
        archived: heading.archived,
        head: heading.head,
        created_ms: heading.created_ms,
        updated_ms: heading.updated_ms,
    }
}

/// A session that is here keeps what its owner has made of it.
fn grown(row: SessionRow, heading: &Heading) -> Imported {
    Imported {
        id: row.id,
        title: row.title,
        pin: row.pin,
        meta: row.meta,
        pinned: row.pinned,
        archived: row.archived,
        head: heading.head,
        created_ms: row.created_ms,
        updated_ms: row.updated_ms.max(heading.updated_ms),
    }
}
