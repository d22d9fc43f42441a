//! Which server, and how it is reached: plainly or by TLS, each step with a deadline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisResult,
};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::error::{Error, ErrorKind, Result};

/// How long a connection may take to stand, with TLS, password and all.
const CONNECT: Duration = Duration::from_secs(2);

/// A server.
pub(super) struct Target {
    host: String,
    port: u16,
    tls: Option<(ServerName<'static>, TlsConnector)>,
    settings: RedisConnectionInfo,
}

impl Target {
    pub(super) fn parse(url: &str) -> Result<Self> {
        // The crate reads the URL, but TLS is ours: its own takes the process's provider, and panics where there are two.
        let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
        let tls = matches!(scheme, "rediss" | "valkeys");
        if !(tls || matches!(scheme, "redis" | "valkey")) || rest.contains('#') {
            return Err(bad());
        }
        let info = format!("redis://{rest}").as_str().into_connection_info().map_err(|_| bad())?;
        let ConnectionAddr::Tcp(host, port) = info.addr().clone() else { return Err(bad()) };
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
        let tls = match tls {
            true => Some((ServerName::try_from(host.clone()).map_err(|_| bad())?, connector()?)),
            false => None,
        };
        Ok(Self { host, port, tls, settings })
    }

    /// A connection whose every answer must come within `patience`.
    pub(super) async fn connect(&self, patience: Duration) -> RedisResult<MultiplexedConnection> {
        let late = |_| std::io::Error::new(std::io::ErrorKind::TimedOut, "the server did not answer in time");
        timeout(CONNECT, async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            match &self.tls {
                Some((name, tls)) => self.shake(tls.connect(name.clone(), stream).await?, patience).await,
                None => self.shake(stream, patience).await,
            }
        })
        .await
        .map_err(late)?
    }

    async fn shake(
        &self,
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        patience: Duration,
    ) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(patience));
        let (connection, driver) = MultiplexedConnection::new_with_config(&self.settings, stream, config).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}

/// TLS with this crate's own provider: a library must not choose one for the whole process.
fn connector() -> Result<TlsConnector> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Verifier::new(Arc::clone(&provider)).map_err(no_tls)?);
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(no_tls)?;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn no_tls(error: rustls::Error) -> Error {
    let message = "no secure connection can be made: does this machine have root certificates?";
    Error::new(ErrorKind::Unavailable, message).with_retryable(false).caused_by(error)
}

/// Never shows the URL, nor what the parser says of it: there may be a password in it.
fn bad() -> Error {
    Error::invalid(
        "this is not the URL of a Redis: use redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS",
    )
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        write!(f, "{scheme}://{}:{}/{}", self.host, self.port, self.settings.db())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_whole() {
        let target = Target::parse("redis://cat:hunter%402@example.com:7000/3").unwrap();
        assert_eq!(format!("{target:?}"), "redis://example.com:7000/3");
        assert_eq!((target.settings.username(), target.settings.password()), (Some("cat"), Some("hunter@2")));
        assert_eq!(format!("{:?}", Target::parse("valkeys://[::1]").unwrap()), "rediss://::1:6379/0");
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_being_shown() {
        for url in
            ["redis:hunter2", "redis://", "rediss://:hunter2@h#insecure", "redis://:hunter2@h/x", "x://:hunter2@h"]
        {
            let error = Target::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
