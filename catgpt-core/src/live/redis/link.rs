//! One connection to the server: made when it is needed, let go of when it fails, made again after a pause.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind as Kind, Pipeline, RedisError, ServerError, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::target::Target;
use crate::error::{Error, ErrorKind, Result};

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection that comes back.
pub(super) struct Link {
    target: Arc<Target>,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Which connection it is, so that nobody lets go of another one than that which failed.
    number: u64,
    failures: u32,
    not_before: Option<Instant>,
}

impl Link {
    /// Touches nothing yet. Each answer must come within `patience`.
    pub(super) fn new(target: Arc<Target>, patience: Duration) -> Self {
        Self { target, patience, state: Mutex::default() }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Sends commands and gives what each answered. While a pause lasts it fails at once.
    pub(super) async fn ask(&self, pipe: &Pipeline) -> Result<Vec<Value>> {
        let (mut connection, number) = self.connection().await?;
        let answers = connection.send_packed_commands(pipe, 0, pipe.len()).await;
        let lost = match &answers {
            Ok(answers) => answers.iter().any(|answer| matches!(answer, Value::ServerError(error) if is_wrong(error))),
            Err(_) => true,
        };
        if lost {
            self.failed(number).await;
        }
        answers.map_err(|error| unreachable(&error))
    }

    async fn connection(&self) -> Result<(MultiplexedConnection, u64)> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.number));
        }
        if state.not_before.is_some_and(|then| Instant::now() < then) {
            return Err(Error::new(ErrorKind::Unavailable, "Redis cannot be reached; it will be tried again"));
        }
        match self.target.connect(self.patience).await {
            Ok(connection) => {
                if state.failures > 0 {
                    tracing::info!(redis = ?self.target, "Redis is back");
                }
                (state.failures, state.not_before) = (0, None);
                state.number += 1;
                state.connection = Some(connection.clone());
                Ok((connection, state.number))
            }
            Err(error) => {
                let error = unreachable(&error);
                if state.failures == 0 {
                    tracing::warn!(%error, redis = ?self.target, "Redis cannot be reached; replies are followed through the store");
                }
                state.pause();
                Err(error)
            }
        }
    }

    async fn failed(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state.number == number && state.connection.take().is_some() {
            state.not_before = Some(Instant::now() + FIRST_PAUSE);
        }
    }

    /// Lets go of the connection.
    pub(super) async fn give_up(&self) {
        self.state.lock().await.connection = None;
    }
}

impl State {
    fn pause(&mut self) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.failures += 1;
        // A whole fleet should not come back at the same moment.
        self.not_before = Some(Instant::now() + pause.mul_f64(0.5 + fastrand::f64() / 2.0));
    }
}

/// Whether the server itself is the wrong one, or not ready; other refusals are about the command.
fn is_wrong(error: &ServerError) -> bool {
    matches!(error.code(), "READONLY" | "MASTERDOWN" | "LOADING" | "NOAUTH" | "CLUSTERDOWN")
}

fn unreachable(error: &RedisError) -> Error {
    let unauthorized = error.kind() == Kind::AuthenticationFailed || error.code().is_some_and(is_unauthorized);
    match unauthorized {
        true => not_allowed(),
        // What the crate says may quote the server, so only its kind is told.
        false => Error::new(ErrorKind::Unavailable, "Redis cannot be reached").with("cause", error.category()),
    }
}

/// What the server says no to.
pub(super) fn refused(error: &ServerError) -> Error {
    match is_unauthorized(error.code()) {
        true => not_allowed(),
        false => Error::new(ErrorKind::Unavailable, "Redis refused a command").with("code", error.code()),
    }
}

fn is_unauthorized(code: &str) -> bool {
    matches!(code, "NOAUTH" | "WRONGPASS" | "NOPERM")
}

fn not_allowed() -> Error {
    let message = "Redis refused the user or the password, or does not allow this user streams under catgpt:*";
    Error::new(ErrorKind::Unauthorized, message)
}
