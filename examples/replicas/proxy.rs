//! A round-robin proxy for TCP, as plain as they come: it keeps nothing, and prefers no replica for any client.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

/// Listens at a place, and gives each connection to the next replica that takes it.
pub async fn start(place: &str, replicas: Vec<SocketAddr>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(place).await?;
    let at = listener.local_addr()?;
    tokio::spawn(async move {
        let mut next = 0;
        while let Ok((client, _)) = listener.accept().await {
            let mut turns = replicas.clone();
            turns.rotate_left(next % replicas.len());
            next += 1;
            tokio::spawn(carry(client, turns));
        }
    });
    Ok(at)
}

async fn carry(mut client: TcpStream, replicas: Vec<SocketAddr>) {
    for replica in replicas {
        if let Ok(mut replica) = TcpStream::connect(replica).await {
            // Either side may go away at any time: that is what turns outlive.
            let _ = copy_bidirectional(&mut client, &mut replica).await;
            return;
        }
    }
}
