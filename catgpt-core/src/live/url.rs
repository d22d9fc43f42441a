//! Which live log a URL means.

use std::sync::Arc;

use super::Live;
#[cfg(not(feature = "redis"))]
use crate::error::ErrorKind;
use crate::error::{Error, Result};

/// The schemes that mean a Redis, or a Valkey.
const REDIS: [&str; 4] = ["redis://", "rediss://", "valkey://", "valkeys://"];

/// Opens the live log that `url` names: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://…` for TLS
/// (feature `redis`).
///
/// # Errors
/// `InvalidInput` for what is no such URL, `Unauthorized` for one whose server refuses us. A server that cannot be
/// reached now is no error: it is tried again, and until then replies are followed through the store.
pub async fn open(url: &str) -> Result<Arc<dyn Live>> {
    check(url)?;
    #[cfg(feature = "redis")]
    return Ok(Arc::new(super::Redis::open(url).await?));
    #[cfg(not(feature = "redis"))]
    Err(Error::new(ErrorKind::Unsupported, "this build has no Redis: build it with the feature `redis`"))
}

/// Whether `url` names a live log, as far as can be told without opening it. Never shows the URL in an error: there may
/// be a password in it.
pub(crate) fn check(url: &str) -> Result<()> {
    if REDIS.iter().any(|scheme| url.starts_with(scheme)) {
        return Ok(());
    }
    Err(Error::invalid(
        "this is not the URL of a live log: use redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS",
    ))
}

#[cfg(test)]
mod tests {
    use super::open;
    use crate::error::ErrorKind;

    #[tokio::test]
    async fn a_wrong_url_lists_the_forms_and_shows_no_password() {
        for url in ["", "redis", "redis:hunter2@h", "http://u:hunter2@h", "postgres://u:hunter2@h/d"] {
            let error = open(url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(error.to_string().contains("redis://"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
