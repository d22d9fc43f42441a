//! Which database a URL means, and how to get there.
//!
//! We read the URL ourselves: the driver refuses what people paste (`sslmode=verify-full`, `sslrootcert`, `pgbouncer`).

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode, TargetSessionAttrs};

use crate::error::{Error, Result};

/// How many connections a store has at most. A turn holds one for a millisecond.
const CONNECTIONS: usize = 8;

/// A database and the way to it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: Config,
    pub(super) trust: Trust,
    pub(super) connections: usize,
}

/// Whom to believe to be the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Anybody: only the line is protected, and only from who listens.
    Anybody,
    /// Whom the system's certificates vouch for.
    System,
    /// Whom the certificates in this file vouch for.
    File(PathBuf),
}

/// What stands in a URL, decoded.
#[derive(Default)]
struct Parts {
    hosts: Vec<String>,
    ports: Vec<String>,
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
}

impl Target {
    /// Never shows a value of the URL in an error: there may be a password in it.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| bad("the URL of a PostgreSQL store begins with postgres://"))?;
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (place, database) = rest.split_once('/').unwrap_or((rest, ""));
        let mut config = Config::new();
        config
            .application_name("catgpt")
            .connect_timeout(Duration::from_secs(5))
            .keepalives_idle(Duration::from_secs(60));
        let mut target = Self { config, trust: Trust::System, connections: CONNECTIONS };
        let mut parts = Parts::default();
        let hosts = match place.rsplit_once('@') {
            Some((who, hosts)) => {
                let (user, password) =
                    who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
                if !user.is_empty() {
                    target.config.user(decoded(user)?);
                }
                if let Some(password) = password {
                    target.config.password(decoded(password)?);
                }
                hosts
            }
            None => place,
        };
        parts.read_hosts(hosts)?;
        if !database.is_empty() {
            target.config.dbname(decoded(database)?);
        }
        for option in options.split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').ok_or_else(|| bad("an option of the URL has no `=`"))?;
            target.set(name, decoded(value)?, &mut parts)?;
        }
        target.finish(parts)
    }

    fn set(&mut self, name: &str, value: String, parts: &mut Parts) -> Result<()> {
        let wrong = || Error::invalid("an option of the URL has a value that it cannot have").with("option", name);
        match name {
            "application_name" => drop(self.config.application_name(value)),
            "channel_binding" => {
                let binding = match value.as_str() {
                    "disable" => ChannelBinding::Disable,
                    "prefer" => ChannelBinding::Prefer,
                    "require" => ChannelBinding::Require,
                    _ => return Err(wrong()),
                };
                self.config.channel_binding(binding);
            }
            "connect_timeout" => {
                let seconds = value.parse().map_err(|_| wrong())?;
                self.config.connect_timeout(Duration::from_secs(seconds));
            }
            "connection_limit" => {
                self.connections = value.parse().ok().filter(|n| (1..=1000).contains(n)).ok_or_else(wrong)?;
            }
            "dbname" => drop(self.config.dbname(value)),
            "host" => parts.hosts = value.split(',').map(str::to_owned).collect(),
            "options" => drop(self.config.options(value)),
            "password" => drop(self.config.password(value)),
            // What it asks for is how we always talk.
            "pgbouncer" => drop(value.parse::<bool>().map_err(|_| wrong())?),
            "port" => parts.ports = value.split(',').map(str::to_owned).collect(),
            "sslmode" => parts.sslmode = Some(value),
            "sslrootcert" => parts.sslrootcert = Some(value.into()),
            "target_session_attrs" => {
                let wanted = match value.as_str() {
                    "any" => TargetSessionAttrs::Any,
                    "read-write" => TargetSessionAttrs::ReadWrite,
                    _ => return Err(wrong()),
                };
                self.config.target_session_attrs(wanted);
            }
            "user" => drop(self.config.user(value)),
            _ => {
                return Err(
                    Error::invalid("the URL has an option that is not known here: take it away").with("option", name)
                );
            }
        }
        Ok(())
    }

    fn finish(mut self, parts: Parts) -> Result<Self> {
        let (mode, trust) = match parts.sslmode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            None if parts.sslrootcert.is_none() => (SslMode::Prefer, Trust::Anybody),
            Some("prefer" | "allow") => (SslMode::Prefer, Trust::Anybody),
            // Encrypted but to anybody is a promise that nobody should be given; so `require` means all of it.
            None | Some("require" | "verify-ca" | "verify-full") => {
                let named = parts.sslrootcert.filter(|path| path.as_os_str() != "system");
                (SslMode::Require, named.map_or(Trust::System, Trust::File))
            }
            Some(_) => return Err(Error::invalid("sslmode is one of disable, prefer, require and verify-full")),
        };
        self.config.ssl_mode(mode);
        self.trust = trust;
        for host in if parts.hosts.is_empty() { vec!["localhost".to_owned()] } else { parts.hosts } {
            self.config.host(if host.is_empty() { "localhost" } else { &host });
        }
        for port in parts.ports {
            let port = if port.is_empty() { Ok(5432) } else { port.parse() };
            self.config.port(port.map_err(|_| bad("a port of the URL is not a number from 1 to 65535"))?);
        }
        if self.config.get_ports().len() > 1 && self.config.get_ports().len() != self.config.get_hosts().len() {
            return Err(bad("the URL must name one port, or one for each host"));
        }
        Ok(self)
    }

    /// Where it is, for people: no user's password.
    pub(super) fn place(&self) -> String {
        let hosts = self.config.get_hosts().iter().enumerate().map(|(n, host)| match host {
            Host::Tcp(name) => {
                let ports = self.config.get_ports();
                format!("{name}:{}", ports.get(n).or(ports.first()).unwrap_or(&5432))
            }
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<_> = hosts.collect();
        format!("{}/{}", hosts.join(","), self.config.get_dbname().unwrap_or_default())
    }
}

impl Parts {
    /// `host`, `host:port`, `[::1]:port`, several by commas.
    fn read_hosts(&mut self, text: &str) -> Result<()> {
        for place in text.split(',').filter(|_| !text.is_empty()) {
            let after_brackets = place.rfind(']').map_or(0, |at| at + 1);
            let (host, port) = match place[after_brackets..].find(':') {
                Some(at) => (&place[..after_brackets + at], &place[after_brackets + at + 1..]),
                None => (place, ""),
            };
            self.hosts.push(decoded(host.trim_start_matches('[').trim_end_matches(']'))?);
            self.ports.push(port.to_owned());
        }
        Ok(())
    }
}

fn bad(sentence: &'static str) -> Error {
    Error::invalid(sentence)
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Result<String> {
    let wrong = || bad("a part of the URL is not percent-encoded UTF-8: write % as %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let (byte, after) = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |c: &u8| char::from(*c).to_digit(16);
                let code = digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low);
                (code.and_then(|code| u8::try_from(code).ok()).ok_or_else(wrong)?, after)
            }
            (b'%', _) => return Err(wrong()),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn parse(url: &str) -> Target {
        Target::parse(url).unwrap_or_else(|e| panic!("{url}: {e}"))
    }

    #[test]
    fn every_part_is_read_and_decoded() {
        let target = parse(
            "postgres://ann%40x:p%3Aw%2F%25@db.example:6432/my%20db?application_name=web&connect_timeout=9&connection_limit=3&pgbouncer=true&target_session_attrs=read-write&channel_binding=require",
        );
        let config = &target.config;
        assert_eq!((config.get_user(), config.get_password()), (Some("ann@x"), Some(b"p:w/%".as_slice())));
        assert_eq!((config.get_dbname(), config.get_ports()), (Some("my db"), [6432].as_slice()));
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example".into())]);
        assert_eq!(
            (config.get_application_name(), config.get_connect_timeout()),
            (Some("web"), Some(&Duration::from_secs(9)))
        );
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_channel_binding(), ChannelBinding::Require);
        assert_eq!((target.connections, target.place().as_str()), (3, "db.example:6432/my db"));
    }

    #[test]
    fn hosts_may_be_many_or_a_folder_or_left_out() {
        let hosts = |url: &str| {
            let target = parse(url);
            (target.config.get_hosts().to_vec(), target.config.get_ports().to_vec())
        };
        let tcp = |name: &str| Host::Tcp(name.into());
        assert_eq!(hosts("postgres:///d"), (vec![tcp("localhost")], vec![]));
        assert_eq!(hosts("postgresql://a,b:2/d"), (vec![tcp("a"), tcp("b")], vec![5432, 2]));
        assert_eq!(hosts("postgres://u@[::1]:7/d"), (vec![tcp("::1")], vec![7]));
        assert_eq!(hosts("postgres://u@h/d?host=other&port=9"), (vec![tcp("other")], vec![9]));
        #[cfg(unix)]
        for url in ["postgres://u@%2Frun%2Fpg/d", "postgres:///d?host=/run/pg", "postgres:///d?host=%2Frun%2Fpg"] {
            assert_eq!(hosts(url).0, [Host::Unix("/run/pg".into())], "{url}");
        }
    }

    #[test]
    fn each_sslmode_says_whom_to_trust() {
        let file = Trust::File("/ca.pem".into());
        for (query, mode, trust) in [
            ("", SslMode::Prefer, Trust::Anybody),
            ("sslmode=disable", SslMode::Disable, Trust::Anybody),
            ("sslmode=prefer", SslMode::Prefer, Trust::Anybody),
            ("sslmode=require", SslMode::Require, Trust::System),
            ("sslmode=verify-full&sslrootcert=system", SslMode::Require, Trust::System),
            ("sslmode=verify-full&sslrootcert=%2Fca.pem", SslMode::Require, file.clone()),
            ("sslrootcert=/ca.pem", SslMode::Require, file),
        ] {
            let target = parse(&format!("postgres://u@h/d?{query}"));
            assert_eq!((target.config.get_ssl_mode(), target.trust), (mode, trust), "{query}");
        }
    }

    #[test]
    fn a_wrong_url_says_what_and_shows_no_password() {
        for url in [
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h:70000/d",
            "postgres://u:hunter2%@h/d",
            "postgres://u:hunter2%zz@h/d",
            "postgres://u:hunter2%ff@h/d",
            "postgres://u:hunter2@h/d?sslmode=perhaps",
            "postgres://u:hunter2@h/d?password",
            "postgres://h/d?password=hunter2&connection_limit=0",
            "postgres://h/d?password=hunter2&connect_timeout=soon",
            "postgres://h/d?password=hunter2&pgbouncer=perhaps",
            "postgres://h/d?password=hunter2&surprise=1",
            "postgres://a,b/d?password=hunter2&port=1,2,3",
            "mysql://u:hunter2@h/d",
        ] {
            let error = Target::parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{url}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let shown = format!("{:?}", parse("postgres://u:hunter2@h/d?password=hunter2"));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
