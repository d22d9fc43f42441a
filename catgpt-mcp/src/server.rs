//! A server, how to reach it, and what it offers.

use std::ffi::OsStr;
use std::fmt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{Error, ErrorKind, Result, Tool, ToolRules, ToolSpec};
use rmcp::model::{ClientCapabilities, ClientConfig, Implementation};
use rmcp::service::{RoleClient, RunningService, ServiceExt};
use rmcp::transport::{IntoTransport, TokioChildProcess};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;
use tokio::time::timeout;

use crate::called::{McpTool, failed};

/// How long a server may take to start and to say what it offers.
const CONNECT: Duration = Duration::from_secs(30);
/// The longest name that a model can be told.
const LONGEST: usize = 64;

type Judge = Arc<dyn Fn(&Offered) -> bool + Send + Sync>;

/// A tool as its server describes it. What it says of itself are hints: believe those of servers that you trust.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offered {
    /// Its name at the server.
    pub name: String,
    /// It says that it changes nothing.
    pub read_only: bool,
    /// It does not say that what it changes can be undone. Means something only if it is not `read_only`.
    pub destructive: bool,
    /// It does not say that it stays inside of its server: it may reach the web, or other people.
    pub open_world: bool,
}

/// How a server is reached, and how its tools are to be called.
pub struct McpServer {
    prefix: String,
    timeout: Option<Duration>,
    connect_timeout: Duration,
    offers: Judge,
    approval: Judge,
}

impl Default for McpServer {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            timeout: None,
            connect_timeout: CONNECT,
            offers: Arc::new(|_| true),
            approval: Arc::new(|tool| !tool.read_only),
        }
    }
}

impl McpServer {
    /// All its tools under their own names; those that don't say that they change nothing wait for an approval.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts this before each tool's name, as `files_`: two servers may have a tool of the same name.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Only these tools.
    #[must_use]
    pub fn only(mut self, offers: impl Fn(&Offered) -> bool + Send + Sync + 'static) -> Self {
        self.offers = Arc::new(offers);
        self
    }

    /// Which of them wait for an approval.
    #[must_use]
    pub fn approval(mut self, approval: impl Fn(&Offered) -> bool + Send + Sync + 'static) -> Self {
        self.approval = Arc::new(approval);
        self
    }

    /// How long one call may take; left out: as for any [`Tool`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long the server may take to start and to say what it offers (30 s).
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Starts a program that speaks MCP on its standard input and output. What it writes to standard error goes where this
    /// program's goes. It ends with the last of its tools.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub async fn run<A: AsRef<OsStr>>(
        self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Result<McpTools> {
        let mut command = Command::new(program);
        command.args(args);
        self.spawn(command, Stdio::inherit()).await
    }

    /// Starts this command, and sends what it writes to standard error to `stderr`.
    ///
    /// # Errors
    /// `NotFound` if there is no such program; `Timeout`, `Unavailable` if it does not say what it offers; `InvalidInput`
    /// if two of its tools would have one name.
    pub async fn spawn(self, command: Command, stderr: Stdio) -> Result<McpTools> {
        let spawned = TokioChildProcess::builder(command).stderr(stderr).spawn();
        let (process, _) = spawned.map_err(|error| {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            let kind = if missing { ErrorKind::NotFound } else { ErrorKind::Unavailable };
            Error::new(kind, "the MCP server cannot be started: check its program's path").caused_by(error)
        })?;
        self.connect(process).await
    }

    /// Speaks with a server over any two streams: a socket, a pipe.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn).
    pub async fn over<R, W>(self, read: R, write: W) -> Result<McpTools>
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        self.connect((read, write)).await
    }

    async fn connect<T, E, A>(self, transport: T) -> Result<McpTools>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let late = |_| Error::new(ErrorKind::Timeout, "the MCP server did not say in time what it offers");
        timeout(self.connect_timeout, self.listed(transport)).await.map_err(late)?
    }

    async fn listed<T, E, A>(&self, transport: T) -> Result<McpTools>
    where
        T: IntoTransport<RoleClient, E, A>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let refused = |error| Error::new(ErrorKind::Unavailable, "this is no MCP server, or it ended").caused_by(error);
        let us = Implementation::new("catgpt", env!("CARGO_PKG_VERSION"));
        let us = ClientConfig::new(ClientCapabilities::default(), us);
        let running = Box::pin(us.serve(transport)).await.map_err(refused)?;
        let offered = running.list_all_tools().await.map_err(|error| failed(&error))?;
        let connection = Arc::new(Connection { running });
        let mut tools: Vec<Arc<dyn Tool>> = Vec::new();
        for tool in offered {
            let hints = hints(&tool);
            if !(self.offers)(&hints) {
                continue;
            }
            let spec = self.spec(&tool);
            if tools.iter().any(|known| known.spec().name == spec.name) {
                let twice = "two tools of this MCP server would have one name: leave one out with `only`";
                return Err(Error::new(ErrorKind::InvalidInput, twice).with("tool", spec.name));
            }
            let rules = self.rules(&hints);
            tools.push(Arc::new(McpTool { name: hints.name, spec, rules, connection: Arc::clone(&connection) }));
        }
        Ok(McpTools { tools, connection })
    }

    /// Names of servers may have what a model's may not: dots, slashes.
    fn spec(&self, tool: &rmcp::model::Tool) -> ToolSpec {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
        let name = self.prefix.chars().chain(tool.name.chars()).map(plain).take(LONGEST).collect();
        let description = tool.description.as_deref().unwrap_or_default().to_owned();
        ToolSpec { name, description, parameters: tool.schema_as_json_value() }
    }

    fn rules(&self, tool: &Offered) -> ToolRules {
        let usual = ToolRules::default();
        ToolRules {
            approval: (self.approval)(tool),
            parallel: tool.read_only,
            timeout: self.timeout.unwrap_or(usual.timeout),
        }
    }
}

fn hints(tool: &rmcp::model::Tool) -> Offered {
    let said = tool.annotations.as_ref();
    Offered {
        name: tool.name.to_string(),
        read_only: said.and_then(|said| said.read_only_hint).unwrap_or(false),
        destructive: said.and_then(|said| said.destructive_hint).unwrap_or(true),
        open_world: said.and_then(|said| said.open_world_hint).unwrap_or(true),
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The connection that the tools of one server share. Dropping it ends the server.
pub(crate) struct Connection {
    pub(crate) running: RunningService<RoleClient, ClientConfig>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

/// What a server offers, each a [`Tool`] for [`EngineBuilder::tools`](catgpt_core::EngineBuilder::tools). The server runs
/// until the last of them is dropped.
#[derive(Clone, Debug)]
pub struct McpTools {
    tools: Vec<Arc<dyn Tool>>,
    connection: Arc<Connection>,
}

impl McpTools {
    /// The tools.
    pub fn tools(&self) -> &[Arc<dyn Tool>] {
        &self.tools
    }

    /// Whether the server has ended, or cannot be reached any more: calls fail then. Connect again to have new tools.
    pub fn is_closed(&self) -> bool {
        self.connection.running.is_closed() || self.connection.running.is_transport_closed()
    }
}

impl IntoIterator for McpTools {
    type Item = Arc<dyn Tool>;
    type IntoIter = std::vec::IntoIter<Arc<dyn Tool>>;

    fn into_iter(self) -> Self::IntoIter {
        self.tools.into_iter()
    }
}
