//! A store in a PostgreSQL database, shared by any number of processes on any number of machines.

mod fault;
mod journal;
mod ledger;
mod link;
mod ops;
mod query;
mod read;
mod row;
mod schema;
mod search;
mod target;
#[cfg(test)]
pub(super) mod tests;
mod tls;
mod turn;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use self::link::{Deadlines, Link};
use self::target::Target;
use super::{Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Memory, Op, Query, Read, Sealed, Swept, View};
use crate::error::{Error, Result};
use crate::id::{OpId, Owner};

/// Conversations in a PostgreSQL database (14 or newer), in the schema `catgpt`.
///
/// Each step of a turn is one call of a function in the database: one round trip and one transaction, so a pooler in
/// transaction mode may stand between. A connection that breaks is made again and the call repeated, as every call may
/// be; the database's clock is the only one.
///
/// A search finds a message by its first tens of thousands of different words (1 MB of them), and a word by its first 256
/// characters. The first to open a store that an older version wrote brings its schema to the newest, for which it must
/// own it; replicas of the older version go on meanwhile and afterwards.
pub struct Postgres {
    link: Link,
    /// Where it is, without a password.
    place: String,
}

impl Postgres {
    /// Opens the store in the database that `url` names, and brings its schema to the newest version.
    ///
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE&…`, with any part percent-encoded. A folder as host
    /// (`%2Frun%2Fpostgresql`, or `?host=/run/postgresql`) is a Unix socket. Options:
    ///
    /// - `sslmode`: `disable`; `prefer` (the default: encrypted if the server can, whoever it is); `require`,
    ///   `verify-ca` and `verify-full` (all three: encrypted, and the server is who it says).
    /// - `sslrootcert`: a file of certificates (PEM) to trust instead of the system's.
    /// - `connection_limit`: how many connections at most (8).
    /// - `application_name`, `channel_binding`, `connect_timeout`, `dbname`, `host`, `options`, `password`, `port`,
    ///   `target_session_attrs`, `user`: as in PostgreSQL itself. `pgbouncer` may stand there and changes nothing.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_within(url, Deadlines::default()).await
    }

    async fn open_within(url: &str, deadlines: Deadlines) -> Result<Self> {
        let target = Target::parse(url)?;
        let place = target.place();
        let open = async {
            let link = Link::new(target, deadlines)?;
            link.prepare().await?;
            Ok(link)
        };
        match open.await {
            Ok(link) => Ok(Self { link, place }),
            Err(error) => Err(Error::with(error, "database", place)),
        }
    }
}

#[async_trait]
impl Memory for Postgres {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        begin.check()?;
        turn::begin(&self.link, owner, &begin).await
    }

    async fn checkpoint(&self, owner: &Owner, checkpoint: Checkpoint) -> Result<Kept> {
        checkpoint.check()?;
        turn::checkpoint(&self.link, owner, &checkpoint).await
    }

    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        finish.check()?;
        turn::finish(&self.link, owner, &finish).await
    }

    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        ops::apply(&self.link, owner, op_id, &ops).await
    }

    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        read::read(&self.link, owner, &read).await
    }

    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        query::query(&self.link, owner, &query).await
    }

    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.link.let_idle_go();
        query::sweep(&self.link, limit).await
    }

    fn caps(&self) -> Caps {
        Caps {
            durable: true,
            shared: true,
            lease: Duration::from_secs(15),
            poll: Duration::from_millis(250),
            schema: u32::try_from(schema::newest()).ok(),
            ..Caps::default()
        }
    }

    async fn close(&self) -> Result<()> {
        self.link.close();
        Ok(())
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).finish_non_exhaustive()
    }
}
