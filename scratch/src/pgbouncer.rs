//! PgBouncer in transaction mode before a server: the pooler that is in every cloud.

use std::fs;
use std::net::TcpStream;

use crate::postgres::Postgres;
use crate::server::{self, Server};

/// A PgBouncer before every database of one server.
#[derive(Debug)]
pub struct PgBouncer(Server);

impl PgBouncer {
    /// Starts it before `postgres`.
    pub fn start(postgres: &Postgres) -> Result<Self, String> {
        let program = server::program("pgbouncer", "pgbouncer")?;
        let folder = server::folder("pgbouncer")?;
        let (port, config) = (server::free_port()?, folder.join("pgbouncer.ini"));
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=cat\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 1000\n\
             server_idle_timeout = 2\nlog_connections = 0\nlog_disconnections = 0\n",
            postgres.port()
        );
        fs::write(&config, text).map_err(|e| format!("cannot write {}: {e}", config.display()))?;
        let ready = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        Server::start(&folder, port, &program, &[&config.to_string_lossy()], ready).map(Self)
    }

    /// Its URL, without a database.
    pub fn url(&self) -> String {
        format!("postgres://cat@127.0.0.1:{}", self.0.port)
    }
}
