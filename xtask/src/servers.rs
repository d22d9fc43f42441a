//! The servers that tests need, and the variables that tell where they are.

use std::process::Command;

use catgpt_scratch::{Durability, PgBouncer, Postgres, Redis};

use crate::run;

/// The servers of one run.
pub(crate) struct Servers {
    // In this order they end.
    pgbouncer: PgBouncer,
    postgres: Postgres,
    redis: Redis,
}

impl Servers {
    /// Starts all of them.
    pub(crate) fn start(durability: Durability) -> Result<Self, String> {
        let postgres = Postgres::start(durability)?;
        Ok(Self { pgbouncer: PgBouncer::start(&postgres)?, postgres, redis: Redis::start()? })
    }

    /// Tells a command where they are: what tests ask for, and what programs do.
    pub(crate) fn tell<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let (postgres, redis) = (self.postgres.url(), self.redis.url());
        command.env("DATABASE_URL", format!("{postgres}/postgres")).env("CATGPT_TEST_POSTGRES", postgres);
        command.env("REDIS_URL", &redis).env("CATGPT_TEST_REDIS", redis);
        command.env("CATGPT_TEST_PGBOUNCER", self.pgbouncer.url())
    }
}

/// Runs a command of one's own beside them, as in `cargo xtask servers --disk cargo bench --bench postgres`.
pub(crate) fn beside(words: &[&str]) -> Result<(), String> {
    let (durability, words) = match words {
        ["--disk", words @ ..] => (Durability::Disk, words),
        words => (Durability::None, words),
    };
    let (program, args) = words.split_first().ok_or("give the command to run beside the servers")?;
    let servers = Servers::start(durability)?;
    let mut command = Command::new(program);
    servers.tell(command.args(args));
    run::show(&mut command)
}
