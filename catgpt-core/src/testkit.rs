//! A server of models that goes wrong on purpose, in Chat Completions, Messages and Responses, and draws one picture: for this crate's tests, for those of other languages, and as
//! the upstream of benchmarks.
//!
//! What it does next is said by the test ([`FakeServer::next`]) or by the request itself, in its model's name
//! (`mock,n=100,f=cut,k=5`; the knobs stand at [`Script::parse`]). What a right client makes of it is [`Script::outcome`].

mod answer;
mod dialect;
mod fault;
mod frames;
mod http;
mod images;
mod list;
mod refusal;
mod script;

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use dialect::Dialect;
pub use fault::Fault;
pub use script::{End, Outcome, Script};

/// How many requests are remembered.
const MAX_LOG: usize = 10_000;
/// How long a test waits for what should happen at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// The server, on a free port of the loopback. It ends when it is dropped.
#[derive(Debug)]
pub struct FakeServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server was asked, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Received {
    /// The path.
    pub path: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; null if it was not JSON.
    pub body: Value,
    /// How far the answer has come.
    pub progress: Progress,
}

impl Received {
    /// A header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Progress {
    /// It is being given.
    Answering,
    /// It was given, with all that was to go wrong.
    Answered,
    /// The client hung up before its end.
    HungUp,
}

#[derive(Debug, Default)]
struct Shared {
    log: watch::Sender<Vec<Received>>,
    next: Mutex<VecDeque<Script>>,
    /// How often each model's name has failed, for the knob `r`.
    failed: Mutex<HashMap<String, u32>>,
    requests: AtomicU64,
    chunks: AtomicU64,
}

impl FakeServer {
    /// Starts on a free port.
    ///
    /// # Panics
    /// If the loopback has no free port.
    pub async fn start() -> Self {
        Self::start_on(0).await.expect("the loopback has a free port")
    }

    /// Starts on this port; 0 is any free one.
    pub async fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// The base URL, for `OPENAI_BASE_URL`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Says how one of the next requests is answered; each is used once, in order. Then the model's name decides.
    pub fn next(&self, script: impl Into<Script>) -> &Self {
        lock(&self.shared.next).push_back(script.into());
        self
    }

    /// What came so far.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.log.borrow().clone()
    }

    /// Waits until `count` requests have come.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub async fn received(&self, count: usize) {
        self.wait("no more requests came", |log| log.len() >= count).await;
    }

    /// Waits until the client of request `n` (the first one is 0) has hung up before its answer's end.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub async fn hung_up(&self, n: usize) {
        self.wait("the client did not hang up", |log| log.get(n).is_some_and(|it| it.progress == Progress::HungUp))
            .await;
    }

    /// Ends when the server does, which is never by itself.
    pub async fn run(mut self) {
        let _ = (&mut self.task).await;
    }

    async fn wait(&self, problem: &str, done: impl Fn(&Vec<Received>) -> bool) {
        let mut log = self.shared.log.subscribe();
        let waited = tokio::time::timeout(PATIENCE, log.wait_for(done)).await;
        assert!(waited.is_ok(), "{problem}");
    }
}

impl Drop for FakeServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address on which nothing listens.
///
/// # Panics
/// If the loopback has no free port.
pub fn refused_url() -> String {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback has a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    format!("http://{address}/v1")
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                connections.spawn(serve(stream, Arc::clone(&shared)));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection. It ends with the first error, which is often the point of the exercise.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(4096);
    while let Ok(Some(request)) = http::read(&mut stream, &mut buffer).await {
        let served = match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) if Dialect::of(path).is_some() || path.ends_with("/images/generations") => {
                answer(&mut stream, &mut buffer, &shared, request).await
            }
            ("GET", path) if path.split('?').next().is_some_and(|path| path.ends_with("/models")) => {
                models(&mut stream, &shared, request).await
            }
            _ => {
                let body = control(&shared, &request).to_string();
                stream.write_all(&http::response(200, "application/json", "", &body)).await
            }
        };
        if served.is_err() {
            return;
        }
    }
}

async fn answer(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    shared: &Shared,
    request: http::Request,
) -> std::io::Result<()> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let asked = answer::Asked::of(&request.path, &body);
    let script = shared.script(body["model"].as_str().unwrap_or_default());
    let n =
        shared.begin(Received { path: request.path, headers: request.headers, body, progress: Progress::Answering });
    let given = answer::give(stream, buffer, &script, asked).await;
    shared.chunks.fetch_add(script.chunks() as u64, Ordering::Relaxed);
    let progress = match &given {
        Err(error) if answer::is_hang_up(error) => Progress::HungUp,
        _ => Progress::Answered,
    };
    shared.log.send_modify(|log| {
        if let Some(entry) = log.get_mut(n) {
            entry.progress = progress;
        }
    });
    given
}

/// The list of models. Which fault it has is only said by the test: the request names no model.
async fn models(stream: &mut TcpStream, shared: &Shared, request: http::Request) -> std::io::Result<()> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let script = lock(&shared.next).pop_front().unwrap_or_default();
    let (body, progress) = (Value::Null, Progress::Answered);
    shared.begin(Received { path: request.path, headers: request.headers, body, progress });
    list::give(stream, &script).await
}

/// What can be asked about the server itself.
fn control(shared: &Shared, request: &http::Request) -> Value {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/requests") => json!(*shared.log.borrow()),
        ("DELETE", "/requests") => {
            shared.log.send_modify(Vec::clear);
            json!({})
        }
        ("POST", "/next") => {
            let script = Script::parse(&String::from_utf8_lossy(&request.body));
            lock(&shared.next).push_back(script);
            json!({})
        }
        ("GET", "/faults") => Fault::ALL
            .iter()
            .map(|fault| {
                let outcome = Script::from(*fault).outcome();
                json!({ "name": fault.name(), "text": outcome.text, "end": outcome.end })
            })
            .collect(),
        ("GET", "/refused") => json!({ "url": refused_url() }),
        ("GET", "/stats") => json!({
            "mock": true,
            "requests": shared.requests.load(Ordering::Relaxed),
            "chunks": shared.chunks.load(Ordering::Relaxed),
        }),
        _ => {
            json!({ "error": "POST /v1/chat/completions, /v1/messages, /v1/responses, /v1/images/generations, /next; GET /v1/models, /requests, /faults, /refused, /stats; DELETE /requests" })
        }
    }
}

impl Shared {
    fn script(&self, model: &str) -> Script {
        if let Some(script) = lock(&self.next).pop_front() {
            return script;
        }
        let mut script = Script::parse(model);
        if let Some(times) = script.times {
            let mut failed = lock(&self.failed);
            let count = failed.entry(model.to_owned()).or_default();
            *count += 1;
            script.fault = script.fault.filter(|_| *count <= times);
        }
        script
    }

    fn begin(&self, received: Received) -> usize {
        let mut n = 0;
        self.log.send_modify(|log| {
            n = log.len();
            if n < MAX_LOG {
                log.push(received);
            }
        });
        n
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
