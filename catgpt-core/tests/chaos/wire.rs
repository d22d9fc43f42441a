//! The wire between one replica and one server: it can be cut, and it can stand still.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of the bytes.
#[derive(Clone, Copy, Default)]
struct Flow {
    /// How often all connections were cut.
    cuts: u64,
    stands: bool,
}

/// A loopback port that leads to another one.
pub struct Wire {
    pub port: u16,
    flow: watch::Sender<Flow>,
}

impl Wire {
    /// One that leads to this port, whether or not anybody listens there now.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, (flow, flows)) = (listener.local_addr().unwrap().port(), watch::channel(Flow::default()));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let flows = flows.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    let (client, server) = (client.into_split(), server.into_split());
                    // One direction that ends takes the other one with it.
                    tokio::select! {
                        () = carry(client.0, server.1, flows.clone()) => {}
                        () = carry(server.0, client.1, flows) => {}
                    }
                });
            }
        });
        Self { port, flow }
    }

    /// Breaks every connection.
    pub fn cut(&self) {
        self.flow.send_modify(|flow| flow.cuts += 1);
    }

    /// Lets connections stand without a byte going over them, or go on.
    pub fn stand(&self, stands: bool) {
        self.flow.send_modify(|flow| flow.stands = stands);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut flow: watch::Receiver<Flow>) {
    let (cuts, mut buffer, mut hears) = (flow.borrow().cuts, vec![0; 1 << 14], flow.clone());
    let goes = async {
        loop {
            let Ok(read @ 1..) = from.read(&mut buffer).await else { return };
            if flow.wait_for(|flow| !flow.stands).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = goes => {}
        _ = hears.wait_for(|flow| flow.cuts != cuts) => {}
    }
}
