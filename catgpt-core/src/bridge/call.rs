//! What a host may ask of an engine, as data. Each call is one method of [`User`](crate::User) or
//! [`Session`](crate::Session) with its defaults; `run` makes it.

use std::path::PathBuf;

use serde::Deserialize;

use super::given::{Line, Place, Who, Words};
use super::options::SendOptions;
use super::transfer::ImportOptions;
use crate::id::{Seq, SessionId, TurnId};
use crate::limits::{Limit, LimitKeys};
use crate::memory::{Cursor, GroupBy};
use crate::message::Offset;
use crate::reply::OnDrop;
use crate::session::Metadata;
use crate::tools::Decision;
use crate::transfer::{ExportFormat, Mark};
use crate::wire::Encoding;
use crate::wire::rest::Request;

/// One call. `owner: null` is the one owner of a single-user program.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is the method of its name, and the fields are its arguments")]
pub enum Call {
    /// Opens the store now, to hear at once if it cannot be used.
    Open,
    Send {
        owner: Option<String>,
        session: SessionId,
        content: Words,
        #[serde(default)]
        options: SendOptions,
    },
    Edit {
        owner: Option<String>,
        session: SessionId,
        seq: Seq,
        content: Words,
        #[serde(default)]
        options: SendOptions,
    },
    Regenerate {
        owner: Option<String>,
        session: SessionId,
        seq: Option<Seq>,
        #[serde(default)]
        options: SendOptions,
    },
    SendAfter {
        owner: Option<String>,
        session: SessionId,
        seq: Seq,
        content: Words,
        #[serde(default)]
        options: SendOptions,
    },
    ContinueReply {
        owner: Option<String>,
        session: SessionId,
        seq: Option<Seq>,
        #[serde(default)]
        options: SendOptions,
    },
    /// Decides about all the calls that the newest reply waits with, and goes on.
    Decide {
        owner: Option<String>,
        session: SessionId,
        decisions: Vec<Decision>,
        #[serde(default)]
        options: SendOptions,
    },
    /// With a session: only a turn of that session.
    Attach {
        owner: Option<String>,
        session: Option<SessionId>,
        turn: TurnId,
        #[serde(default)]
        offset: Offset,
        #[serde(default)]
        on_drop: OnDrop,
    },
    /// `null` if no turn runs there.
    Resume {
        owner: Option<String>,
        session: SessionId,
        #[serde(default)]
        on_drop: OnDrop,
    },
    /// A request of the AI SDK, as it came.
    Chat {
        owner: Option<String>,
        body: String,
        #[serde(default)]
        options: SendOptions,
    },
    /// A frame of a web socket, as it came. `open`: how many turns the socket watches already.
    Frame {
        owner: Option<String>,
        frame: String,
        #[serde(default)]
        open: usize,
        #[serde(default)]
        options: SendOptions,
        #[serde(default)]
        encoding: Encoding,
    },
    /// A request of the HTTP API, as it came.
    Serve {
        owner: Option<String>,
        request: Request,
        #[serde(default)]
        options: SendOptions,
    },
    Cancel {
        owner: Option<String>,
        turn: TurnId,
    },
    History {
        owner: Option<String>,
        session: SessionId,
        #[serde(default = "page")]
        last: u32,
    },
    Page {
        owner: Option<String>,
        session: SessionId,
        head: Option<Seq>,
        #[serde(default = "page")]
        last: u32,
    },
    /// The history as the AI SDK's messages.
    UiMessages {
        owner: Option<String>,
        session: SessionId,
        #[serde(default = "page")]
        last: u32,
    },
    Tree {
        owner: Option<String>,
        session: SessionId,
        #[serde(default)]
        after: Seq,
        #[serde(default = "page")]
        limit: u32,
    },
    Outline {
        owner: Option<String>,
        session: SessionId,
    },
    Branches {
        owner: Option<String>,
        session: SessionId,
    },
    Info {
        owner: Option<String>,
        session: SessionId,
    },
    Create {
        owner: Option<String>,
        session: SessionId,
        title: Option<String>,
        persona: Option<Who>,
        metadata: Option<Metadata>,
        ttl_ms: Option<u64>,
    },
    /// Without `after`: after the newest message of the branch that is shown; `"start"`: before all.
    Append {
        owner: Option<String>,
        session: SessionId,
        messages: Vec<Line>,
        #[serde(default)]
        after: Place,
        if_version: Option<u64>,
        metadata: Option<Metadata>,
    },
    Rename {
        owner: Option<String>,
        session: SessionId,
        title: String,
    },
    /// Counted by these limits; left out: the engine's.
    MakeTitle {
        owner: Option<String>,
        session: SessionId,
        limits: Option<Vec<Limit>>,
        limit_keys: Option<LimitKeys>,
    },
    Summaries {
        owner: Option<String>,
        session: SessionId,
    },
    Summarize {
        owner: Option<String>,
        session: SessionId,
        upto: Option<Seq>,
        limits: Option<Vec<Limit>>,
        limit_keys: Option<LimitKeys>,
    },
    /// `summary: null` is none.
    SetSummary {
        owner: Option<String>,
        session: SessionId,
        summary: Option<Seq>,
    },
    SetPinned {
        owner: Option<String>,
        session: SessionId,
        pinned: bool,
    },
    SetArchived {
        owner: Option<String>,
        session: SessionId,
        archived: bool,
    },
    SetMetadata {
        owner: Option<String>,
        session: SessionId,
        metadata: Metadata,
    },
    /// Without `ttl_ms`: it stays for ever.
    SetTtl {
        owner: Option<String>,
        session: SessionId,
        ttl_ms: Option<u64>,
    },
    SetPersona {
        owner: Option<String>,
        session: SessionId,
        persona: Who,
    },
    Select {
        owner: Option<String>,
        session: SessionId,
        head: Seq,
        if_version: Option<u64>,
    },
    SelectThrough {
        owner: Option<String>,
        session: SessionId,
        seq: Seq,
    },
    /// Answers with the id of the copy: `into`, or a fresh one.
    Fork {
        owner: Option<String>,
        session: SessionId,
        into: Option<SessionId>,
        upto: Option<Seq>,
    },
    Delete {
        owner: Option<String>,
        session: SessionId,
        if_version: Option<u64>,
    },
    DeleteMany {
        owner: Option<String>,
        sessions: Vec<SessionId>,
    },
    DeleteEmpty {
        owner: Option<String>,
    },
    /// With `watch`, the ticket tells how far it has come.
    Erase {
        owner: Option<String>,
        #[serde(default)]
        watch: bool,
    },
    Claim {
        owner: Option<String>,
        from: String,
        #[serde(default = "ten_seconds_ms")]
        wait_ms: u64,
    },
    Sessions {
        owner: Option<String>,
        after: Option<Cursor>,
        #[serde(default = "page")]
        limit: u32,
        #[serde(default)]
        archived: bool,
    },
    Search {
        owner: Option<String>,
        question: String,
        after: Option<String>,
        #[serde(default = "page")]
        limit: u32,
    },
    /// With `watch`, the ticket tells how far it has come.
    Index {
        owner: Option<String>,
        #[serde(default)]
        watch: bool,
    },
    Reseal {
        owner: Option<String>,
        #[serde(default)]
        watch: bool,
    },
    Turns {
        owner: Option<String>,
    },
    Changes {
        owner: Option<String>,
        #[serde(default)]
        after: u64,
        #[serde(default = "page")]
        limit: u32,
    },
    /// Ends when there is news after number `after`, or at once without one: `{"after": n, "news": […]}`, where the next
    /// call goes on after `n`. With an encoding it also ends when its time for a sign of life has come, and the news are
    /// one `text`.
    News {
        owner: Option<String>,
        after: Option<u64>,
        #[serde(default = "page")]
        limit: u32,
        encoding: Option<Encoding>,
    },
    /// What the owner has used; [`UsageQuery`](crate::UsageQuery) has the fields.
    Usage {
        owner: Option<String>,
        session: Option<SessionId>,
        from_ms: Option<i64>,
        to_ms: Option<i64>,
        #[serde(default)]
        by: Vec<GroupBy>,
    },
    /// How far the owner has come with these limits; left out: the engine's.
    Limits {
        owner: Option<String>,
        limits: Option<Vec<Limit>>,
        limit_keys: Option<LimitKeys>,
    },
    /// Which models there are to choose from.
    Models,
    /// With `watch`, the ticket tells how far it has come.
    Import {
        owner: Option<String>,
        source: ImportOptions,
        #[serde(default)]
        watch: bool,
    },
    /// Without `otherwise`, chats that nobody owns are refused.
    Adopt {
        path: PathBuf,
        otherwise: Option<String>,
        #[serde(default)]
        dry_run: bool,
        #[serde(default)]
        watch: bool,
    },
    /// The sessions that an export of all has, in its order.
    ExportList {
        owner: Option<String>,
    },
    /// A piece of an export, and where the next begins.
    ExportPage {
        owner: Option<String>,
        session: SessionId,
        #[serde(default)]
        format: ExportFormat,
        mark: Option<Mark>,
        /// One that was listed and is gone meanwhile has nothing to say.
        #[serde(default)]
        listed: bool,
    },
    /// Of the store that the config names; the engine need not be open.
    Backup {
        path: PathBuf,
        #[serde(default)]
        watch: bool,
    },
    ResealAll {
        #[serde(default)]
        watch: bool,
    },
    Sweep,
    /// This and the next two answer also where the store cannot be opened.
    Health,
    Metrics,
    /// [`Metrics`](Self::Metrics) as Prometheus reads them.
    Prometheus,
    Close {
        #[serde(default = "ten_seconds_ms")]
        deadline_ms: u64,
    },
}

/// How many of anything are listed where nobody says.
fn page() -> u32 {
    100
}

/// How long a close waits where nobody says, and a claim: a guest who signs in may have a reply that is still being written.
fn ten_seconds_ms() -> u64 {
    10_000
}
