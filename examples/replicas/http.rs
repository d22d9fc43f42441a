//! As much of HTTP/1.1 as this example speaks: a request a connection. Take your framework instead.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The most that a request may have, in bytes.
const MOST: u64 = 1 << 20;

pub struct Request {
    pub method: String,
    pub path: String,
    /// Where a client that comes back was.
    pub last_event_id: Option<String>,
    pub body: String,
}

/// Reads one request.
pub async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut stream = BufReader::new(stream.take(MOST));
    let (first, headers) = head(&mut stream).await?;
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let mut body = String::new();
    stream.take(length).read_to_string(&mut body).await?;
    Ok(Request { method, path, last_event_id: header("last-event-id"), body })
}

/// A first line and the headers after it, their names in lower case.
pub async fn head(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<(String, Vec<(String, String)>)> {
    let mut lines = stream.lines();
    let first = lines.next_line().await?.unwrap_or_default();
    let mut headers = Vec::new();
    while let Some((name, value)) = lines.next_line().await?.as_deref().and_then(|line| line.split_once(':')) {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((first, headers))
}

/// Begins a response, whose end is that of the connection.
pub async fn respond(stream: &mut TcpStream, status: u16, replica: &str, kind: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} {}\r\nx-replica: {replica}\r\ncontent-type: {kind}\r\ncache-control: no-store\r\nconnection: \
         close\r\n\r\n",
        if status < 400 { "OK" } else { "Not OK" },
    );
    stream.write_all(head.as_bytes()).await
}
