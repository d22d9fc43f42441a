//! Gives an answer: turns a script into writes, and notices a client that hangs up.

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{Instant, sleep, sleep_until};

use super::frames::{self, BLOCK, Block, Ending};
use super::http::{self, LAST_CHUNK, STREAM_HEAD};
use super::images::{self, Given};
use super::refusal;
use super::script::Chunks;
use super::{Dialect, Fault, Script};

/// What the request asks for, as far as it matters here.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    dialect: Dialect,
    stream: bool,
    usage: bool,
    /// A picture, and whether its address is enough.
    image: Option<Given>,
}

impl Asked {
    pub(super) fn of(path: &str, body: &Value) -> Self {
        Self {
            dialect: Dialect::of(path).unwrap_or_default(),
            stream: body["stream"] == true,
            usage: body["stream_options"]["include_usage"] == true,
            image: path.ends_with("/images/generations").then(|| Given::of(body)),
        }
    }
}

/// Whether this error means that the client is gone.
pub(super) fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Gives the answer. An error ends the connection.
pub(super) async fn give(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    script: &Script,
    asked: Asked,
) -> io::Result<()> {
    let (mut from, mut to) = stream.split();
    let gone = async {
        // The next request may come early; an end may not.
        while from.read_buf(buffer).await.unwrap_or(0) > 0 {}
    };
    let ending = tokio::select! {
        biased;
        ending = write(&mut to, script, asked) => ending?,
        () = gone => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    match ending {
        Ending::Whole => Ok(()),
        Ending::Reset => {
            stream.set_zero_linger()?;
            Err(io::ErrorKind::Other.into())
        }
        Ending::Close | Ending::Silence => Err(io::ErrorKind::Other.into()),
    }
}

async fn write(to: &mut WriteHalf<'_>, script: &Script, asked: Asked) -> io::Result<Ending> {
    if let Some(response) = refusal::response(script, asked.dialect) {
        to.write_all(&response).await?;
        return Ok(Ending::Whole);
    }
    if let Some(given) = asked.image {
        return images::write(to, script, given).await;
    }
    if !asked.stream {
        to.write_all(&refusal::whole_body(script, asked.dialect)).await?;
        return Ok(Ending::Whole);
    }
    if script.fault == Some(Fault::Silence) && script.place() == 0 {
        std::future::pending::<()>().await;
    }
    let plain = asked.dialect == Dialect::ChatCompletions && script.thought.is_none() && script.calls.is_empty();
    let blocks = script.delay.is_zero() && !script.stamps && script.events_per_chunk == 1;
    match &script.chunks {
        _ if !plain || script.fault.is_some() || script.bytes_per_write.is_some() => by_frame(to, script, asked).await,
        Chunks::Tokens(count) if blocks => fast(to, *count, script.chunks_per_write, asked).await,
        _ => paced(to, script, asked).await,
    }
}

/// A block of frames that were written down once, over and over.
async fn fast(to: &mut WriteHalf<'_>, count: usize, per_write: usize, asked: Asked) -> io::Result<Ending> {
    let block = Block::shared(asked.usage);
    to.write_all(&[STREAM_HEAD, &block.role].concat()).await?;
    let mut n = 0;
    while n < count {
        let at = n % BLOCK;
        let many = per_write.min(count - n).min(BLOCK - at);
        to.write_all(block.chunks(at..at + many)).await?;
        n += many;
    }
    to.write_all(&tail(count, asked)).await?;
    Ok(Ending::Whole)
}

/// Chunks with pauses, several at once, or with the time in them.
async fn paced(to: &mut WriteHalf<'_>, script: &Script, asked: Asked) -> io::Result<Ending> {
    to.write_all(&[STREAM_HEAD, &Block::shared(asked.usage).role].concat()).await?;
    let count = script.chunks();
    let start = Instant::now();
    let per_write = script.events_per_chunk * script.chunks_per_write;
    let (mut out, mut events) = (Vec::new(), Vec::new());
    for (turn, first) in (1u32..).zip((0..count).step_by(per_write)) {
        if !script.delay.is_zero() {
            sleep_until(start + script.delay * turn).await;
        }
        let stamp = script.stamps.then(now_us);
        let last = count.min(first + per_write);
        for from in (first..last).step_by(script.events_per_chunk) {
            for n in from..last.min(from + script.events_per_chunk) {
                let text = stamp.as_deref().unwrap_or(script.chunk(n));
                events.extend_from_slice(frames::content(text, asked.usage).as_bytes());
            }
            http::chunk(&mut out, &events);
            events.clear();
        }
        to.write_all(&out).await?;
        out.clear();
    }
    to.write_all(&tail(count, asked)).await?;
    Ok(Ending::Whole)
}

/// Frame by frame, with a fault among them or in small pieces.
async fn by_frame(to: &mut WriteHalf<'_>, script: &Script, asked: Asked) -> io::Result<Ending> {
    let (frames, ending) = frames::faulty(script, asked.dialect, asked.usage);
    to.write_all(STREAM_HEAD).await?;
    for frame in frames {
        if !script.delay.is_zero() {
            sleep(script.delay).await;
        }
        let mut out = Vec::new();
        for piece in pieces(&frame, script) {
            out.clear();
            http::chunk(&mut out, piece);
            to.write_all(&out).await?;
        }
    }
    match ending {
        Ending::Whole => to.write_all(LAST_CHUNK).await?,
        Ending::Silence => std::future::pending().await,
        Ending::Close | Ending::Reset => to.flush().await?,
    }
    Ok(ending)
}

/// What goes out in one write.
fn pieces<'a>(frame: &'a [u8], script: &Script) -> Vec<&'a [u8]> {
    match (script.bytes_per_write, script.fault) {
        (Some(bytes), _) => frame.chunks(bytes).collect(),
        (None, Some(Fault::OneByte)) => frame.chunks(1).collect(),
        // After the first byte of every character that has several.
        (None, Some(Fault::SplitText)) => frame.split_inclusive(|byte| *byte >= 0xC0).collect(),
        _ => vec![frame],
    }
}

fn tail(count: usize, asked: Asked) -> Vec<u8> {
    let mut out = Vec::new();
    http::chunk(&mut out, frames::tail(count, asked.usage).as_bytes());
    out.extend_from_slice(LAST_CHUNK);
    out
}

/// Microseconds since 1970 in sixteen digits: the same clock in every process of a machine.
fn now_us() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    format!("{:016}", now.as_micros())
}
