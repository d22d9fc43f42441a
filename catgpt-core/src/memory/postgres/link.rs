//! The connections, and the one way to ask: a deadline for each try, and another try where the outcome is not known.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod};
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::Row as Record;
use tokio_postgres::types::{ToSql, Type};

use super::fault::Fault;
use super::schema;
use super::target::Target;
use super::tls::Connector;
use crate::error::{Error, ErrorKind, Result};

/// How long things may take: less than half a lease, after which nobody waits any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// One try.
    pub(super) one_try: Duration,
    /// A call with all its tries.
    pub(super) call: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { one_try: Duration::from_secs(5), call: Duration::from_secs(7) }
    }
}

/// How long to wait before the second retry; the first is made at once.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// How often an opening is tried.
const OPENING_TRIES: u32 = 5;
/// How long the schema may take to become new: an index of many sessions is built, or somebody else builds it.
const MIGRATING: Duration = Duration::from_secs(600);
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(60);

/// A value and its type: what [`tokio_postgres::Client::query_typed`] takes. It asks in one message group without a
/// named statement, so any server behind a pooler can answer.
pub(super) type Given<'a> = (&'a (dyn ToSql + Sync), Type);

/// The pool of connections to one database.
pub(super) struct Link {
    pool: Pool,
    connector: Connector,
    deadlines: Deadlines,
}

impl Link {
    /// Connects to nothing yet.
    pub(super) fn new(target: Target, deadlines: Deadlines) -> Result<Self> {
        let connector = Connector::new(&target.trust)?;
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(target.config, connector.clone(), recycle);
        let pool = Pool::builder(manager).max_size(target.connections).build();
        let pool = pool.map_err(|e| Error::new(ErrorKind::Unexpected, "the pool cannot be made").caused_by(e))?;
        Ok(Self { pool, connector, deadlines })
    }

    /// Makes the first connection and brings the schema to the newest version. A pooler may hand out connections that
    /// broke long ago, so what may pass is tried again; not for long, since a URL may be wrong.
    pub(super) async fn prepare(&self) -> Result<()> {
        let mut pause = Duration::ZERO;
        for _ in 1..OPENING_TRIES {
            match self.prepare_once().await {
                Err(fault) if fault.may_pass() => sleep(pause).await,
                prepared => return prepared.map_err(Fault::into_error),
            }
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
        self.prepare_once().await.map_err(Fault::into_error)
    }

    async fn prepare_once(&self) -> Result<(), Fault> {
        let look = async {
            let client = self.pool.get().await?;
            Ok::<_, Fault>((schema::is_old(&client).await?, client))
        };
        let (old, mut client) = timeout(self.deadlines.call, look).await.unwrap_or(Err(Fault::Late))?;
        match old {
            true => timeout(MIGRATING, schema::migrate(&mut client)).await.unwrap_or(Err(Fault::Late)),
            false => Ok(()),
        }
    }

    /// Asks once more, within the call's deadline, whenever another try may bring an answer: every statement may be repeated.
    pub(super) async fn ask(&self, sql: &'static str, given: &[Given<'_>]) -> Result<Vec<Record>> {
        let end = Instant::now() + self.deadlines.call;
        let mut pause = Duration::ZERO;
        let mut read_only = false;
        loop {
            let fault = match self.try_once(sql, given).await {
                Ok(records) => return Ok(records),
                Err(fault) => fault,
            };
            // Once: a server that was replaced is left, one that may not be written stays so.
            let again = fault.may_pass() || (fault.is_read_only() && !std::mem::replace(&mut read_only, true));
            if !again || Instant::now() + pause >= end {
                return Err(fault.into_error());
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        }
    }

    /// Asks for exactly one row.
    pub(super) async fn ask_one(&self, sql: &'static str, given: &[Given<'_>]) -> Result<Record> {
        let mut records = self.ask(sql, given).await?;
        match (records.pop(), records.is_empty()) {
            (Some(record), true) => Ok(record),
            _ => Err(Error::new(ErrorKind::Unexpected, "the store did not answer with one row: please report this")),
        }
    }

    async fn try_once(&self, sql: &'static str, given: &[Given<'_>]) -> Result<Vec<Record>, Fault> {
        let client = timeout(self.deadlines.one_try, self.pool.get()).await.map_err(|_| Fault::Late)??;
        let mut asking = Asking { client: Some(client), link: self };
        let answer = asking.ask(sql, given).await?;
        let client = asking.client.take();
        if answer.as_ref().is_err_and(Fault::spoils_connection) {
            drop(client.map(Object::take));
        }
        answer
    }

    /// Closes connections that nobody has used for a while.
    pub(super) fn let_idle_go(&self) {
        self.pool.retain(|_, metrics| metrics.last_used() < IDLE);
    }

    pub(super) fn close(&self) {
        self.pool.close();
    }
}

/// A connection with a question on it. Dropped before the answer, the server is told to stop and the connection is never
/// used again: the next to use it would wait for what nobody wants.
struct Asking<'a> {
    client: Option<Object>,
    link: &'a Link,
}

impl Asking<'_> {
    /// The outer error: no answer in time.
    async fn ask(&self, sql: &'static str, given: &[Given<'_>]) -> Result<Result<Vec<Record>, Fault>, Fault> {
        let client = self.client.as_ref().ok_or(Fault::Closed)?;
        let answer = timeout(self.link.deadlines.one_try, client.query_typed(sql, given)).await;
        answer.map(|answer| answer.map_err(Fault::from)).map_err(|_| Fault::Late)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let (token, connector) = (client.cancel_token(), self.link.connector.clone());
        drop(Object::take(client));
        // Without a runtime the connection is gone too.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(self.link.deadlines.one_try, async move {
                // Whether it was heard cannot be known; the statement may be repeated either way.
                let _ = token.cancel_query(connector).await;
            }));
        }
    }
}
