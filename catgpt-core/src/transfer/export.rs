//! Taking conversations out: page by page, so that memory stays flat.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use super::transcript::Heading;
use super::{OnProgress, Progress, jsonl, markdown};
use crate::body::{decode_meta, decode_title, messages};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Owner, Seq, SessionId};
use crate::memory::{Answer, Cursor, Limit, Memory, Query, Read, SessionRow, View};
use crate::persona::Persona;
use crate::runner::Runner;

/// How much is read at once.
const PAGE: Limit = Limit { messages: 500, bytes: 1 << 20 };

/// How conversations are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportFormat {
    /// JSON Lines: everything, every branch. Importing it gives the same conversations.
    #[default]
    Jsonl,
    /// Markdown: the active branch, for people to read.
    Markdown,
}

/// A piece of an export.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The text.
    pub text: String,
    /// Where the next piece begins; `None` if this was the last of its conversation.
    pub next: Option<Mark>,
}

/// Where an export of one conversation goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// After this message, up to the last that was there when the export began.
    Tree {
        /// The last message that was written.
        after: Seq,
        /// The last message that will be.
        upto: Seq,
    },
    /// The rest of the branch, in pieces: the last message of each and how many it has, the oldest piece last.
    Branch(Vec<(Seq, u32)>),
}

/// Conversations on their way out.
#[must_use = "nothing is exported until its stream is read"]
pub struct Export {
    runner: Arc<Runner>,
    owner: Owner,
    format: ExportFormat,
    only: Option<Vec<SessionId>>,
    on_progress: Option<OnProgress>,
}

impl Export {
    pub(crate) fn new(runner: Arc<Runner>, owner: Owner, format: ExportFormat) -> Self {
        Self { runner, owner, format, only: None, on_progress: None }
    }

    /// Only these sessions, in this order. One that is not there is `NotFound`.
    pub fn only(mut self, sessions: impl IntoIterator<Item = SessionId>) -> Self {
        self.only = Some(sessions.into_iter().collect());
        self
    }

    /// Hears how far it has come, after each session.
    pub fn on_progress(mut self, on_progress: impl FnMut(Progress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(on_progress));
        self
    }

    /// The text, in pieces of whole lines of about a megabyte at most (a longer message is one piece).
    pub fn stream(self) -> BoxStream<'static, Result<String>> {
        let Self { runner, owner, format, only, mut on_progress } = self;
        let stream = async_stream::try_stream! {
            let all = only.is_none();
            let sessions = match only {
                Some(sessions) => sessions,
                None => list(&runner, &owner).await?,
            };
            let total = Some(sessions.len() as u64);
            for (done, session) in (1..).zip(sessions) {
                let mut mark = None;
                loop {
                    let page = match page(&runner, &owner, &session, format, mark).await {
                        // It was deleted since it was listed.
                        Err(error) if all && error.kind() == ErrorKind::NotFound => break,
                        page => page?,
                    };
                    yield page.text;
                    mark = page.next;
                    if mark.is_none() {
                        break;
                    }
                }
                if let Some(hear) = &mut on_progress {
                    hear(Progress { done, total });
                }
            }
        };
        stream.boxed()
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export").field("owner", &self.owner).field("format", &self.format).finish_non_exhaustive()
    }
}

/// Every session of an owner, put away or not. One that changes while it is listed moves to the front, where we have been
/// already; so the front is looked at again, until nothing has moved.
pub(crate) async fn list(runner: &Runner, owner: &Owner) -> Result<Vec<SessionId>> {
    let (mut all, mut known) = (Vec::new(), HashSet::new());
    loop {
        let before = all.len();
        for archived in [false, true] {
            let mut after = None;
            loop {
                let (rows, more) = sessions(runner, owner, after, archived).await?;
                let fresh = rows.iter().map(|row| row.id.clone()).filter(|id| known.insert(id.clone()));
                all.extend(fresh);
                after = rows.last().filter(|_| more).map(|row| Cursor {
                    pinned: row.pinned,
                    updated_ms: row.updated_ms,
                    session: row.id.clone(),
                });
                if after.is_none() {
                    break;
                }
            }
        }
        if all.len() == before {
            return Ok(all);
        }
    }
}

async fn sessions(
    runner: &Runner,
    owner: &Owner,
    after: Option<Cursor>,
    archived: bool,
) -> Result<(Vec<SessionRow>, bool)> {
    match runner.memory.query(owner, Query::Sessions { after, limit: 500, archived }).await? {
        Answer::Sessions { rows, more } => Ok((rows, more)),
        _ => Err(Error::new(ErrorKind::Unexpected, "the memory answered another question than it was asked")),
    }
}

/// A piece of one conversation, from its beginning or from where the last one ended.
pub(crate) async fn page(
    runner: &Runner,
    owner: &Owner,
    session: &SessionId,
    format: ExportFormat,
    mark: Option<Mark>,
) -> Result<Page> {
    let read = Reader { runner, owner, session };
    match (format, mark) {
        (ExportFormat::Jsonl, None) => read.tree(0, None).await,
        (ExportFormat::Jsonl, Some(Mark::Tree { after, upto })) => read.tree(after, Some(upto)).await,
        (ExportFormat::Markdown, None) => read.branch().await,
        (ExportFormat::Markdown, Some(Mark::Branch(pieces))) => read.pieces(String::new(), pieces).await,
        _ => Err(Error::invalid("this mark belongs to an export in another format")),
    }
}

struct Reader<'a> {
    runner: &'a Runner,
    owner: &'a Owner,
    session: &'a SessionId,
}

impl Reader<'_> {
    async fn tree(&self, after: Seq, upto: Option<Seq>) -> Result<Page> {
        let read = Read::Tree { session: self.session.clone(), after, limit: PAGE, bodies: true };
        let view = self.runner.memory.read(self.owner, read).await?;
        let mut text = String::new();
        if upto.is_none() {
            text += &jsonl::first(&heading(&view.session)?, view.session.messages);
        }
        let upto = upto.unwrap_or(view.session.messages);
        let more = view.more;
        let mut last = after;
        for mut message in messages(view)?.into_iter().filter(|message| message.seq <= upto) {
            last = message.seq;
            // Knowing a turn's id entitles to write.
            message.turn = None;
            text += &jsonl::next(&message);
        }
        Ok(Page { text, next: Some(Mark::Tree { after: last, upto }).filter(|_| more && last < upto) })
    }

    /// Walks up the active branch to find its pieces, then writes the oldest.
    async fn branch(&self) -> Result<Page> {
        let mut pieces = Vec::new();
        let mut view = self.up(None, PAGE).await?;
        let front = markdown::front(&heading(&view.session)?);
        while let Some(newest) = view.rows.last().map(|row| row.seq) {
            pieces.push((newest, u32::try_from(view.rows.len()).unwrap_or(u32::MAX)));
            match view.rows[0].parent {
                Some(parent) => view = self.up(Some(parent), PAGE).await?,
                None => break,
            }
        }
        self.pieces(front, pieces).await
    }

    async fn pieces(&self, mut text: String, mut pieces: Vec<(Seq, u32)>) -> Result<Page> {
        if let Some((newest, count)) = pieces.pop() {
            // As many as were counted, however long they have become.
            let limit = Limit { messages: count, bytes: u64::MAX };
            let view = self.up(Some(newest), limit).await?;
            messages(view)?.iter().for_each(|message| text += &markdown::message(message));
        }
        Ok(Page { text, next: Some(Mark::Branch(pieces)).filter(|next| *next != Mark::Branch(Vec::new())) })
    }

    async fn up(&self, head: Option<Seq>, limit: Limit) -> Result<View> {
        let read = Read::Branch { session: self.session.clone(), head, limit };
        self.runner.memory.read(self.owner, read).await
    }
}

fn heading(row: &SessionRow) -> Result<Heading> {
    let title = row.title.as_deref().map(decode_title).transpose()?;
    let (title, titled_by) = title.unzip();
    Ok(Heading {
        title,
        titled_by,
        persona: row.pin.as_deref().map(Persona::decode).transpose()?,
        head: row.head,
        archived: row.archived,
        pinned: row.pinned,
        metadata: row.meta.as_deref().map(decode_meta).transpose()?.unwrap_or_default(),
        created_ms: row.created_ms,
        updated_ms: row.updated_ms,
        ..Heading::new(row.id.clone())
    })
}
