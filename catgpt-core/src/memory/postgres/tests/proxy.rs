//! A wire that counts round trips and breaks where it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use catgpt_scratch::Database;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Stands between a store and its server.
pub(super) struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Default)]
struct Wire(Mutex<State>);

#[derive(Default)]
struct State {
    /// How often the client spoke after the server had.
    trips: u64,
    server_spoke: bool,
    /// Bytes that went either way.
    bytes: u64,
    /// How many may still go before the wire breaks, once.
    left: Option<u64>,
}

impl Proxy {
    pub(super) async fn before(database: &Database) -> Self {
        Self::at("127.0.0.1", database).await
    }

    /// One that listens on another address of this machine.
    pub(super) async fn at(host: &str, database: &Database) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let (address, wire) = (listener.local_addr().unwrap(), Arc::new(Wire::default()));
        let (shared, server) = (wire.clone(), database.address());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (client, server) = (client.into_split(), server.into_split());
                let (broken, _) = watch::channel(false);
                tokio::spawn(carry(client.0, server.1, shared.clone(), false, broken.clone()));
                tokio::spawn(carry(server.0, client.1, shared.clone(), true, broken));
            }
        });
        Self { address, wire }
    }

    /// The URL of the database behind it.
    pub(super) fn url(&self, database: &Database) -> String {
        database.url().replace(&database.address(), &self.address.to_string())
    }

    /// Breaks the wire that is in use once this many more bytes have gone over it.
    pub(super) fn cut_after(&self, bytes: u64) {
        self.wire.0.lock().unwrap().left = Some(bytes);
    }

    /// Whether the last cut is still to come; it is called off.
    pub(super) fn spare(&self) -> bool {
        self.wire.0.lock().unwrap().left.take().is_some()
    }

    /// Round trips and bytes so far.
    pub(super) fn count(&self) -> (u64, u64) {
        let state = self.wire.0.lock().unwrap();
        (state.trips, state.bytes)
    }
}

impl Wire {
    /// How much of what was read may go on.
    fn pass(&self, read: usize, from_server: bool) -> usize {
        let mut state = self.0.lock().unwrap();
        if !from_server && std::mem::take(&mut state.server_spoke) {
            state.trips += 1;
        }
        state.server_spoke |= from_server;
        let most = state.left.map_or(read, |left| usize::try_from(left).unwrap().min(read));
        state.bytes += most as u64;
        match state.left {
            Some(_) if most < read => state.left = None,
            Some(left) => state.left = Some(left - most as u64),
            None => {}
        }
        most
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    wire: Arc<Wire>,
    from_server: bool,
    broken: watch::Sender<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    let mut hears = broken.subscribe();
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = hears.wait_for(|broken| *broken) => 0,
        };
        let passed = wire.pass(read, from_server);
        if to.write_all(&buffer[..passed]).await.is_err() || read == 0 || passed < read {
            // Both ends see the other one gone.
            broken.send_replace(true);
            return;
        }
    }
}
