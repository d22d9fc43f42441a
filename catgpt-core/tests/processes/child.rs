//! The other process: this test program again, which finds a store in its environment, does what it reads, line by
//! line, and says what happens to it.
//!
//! It reads `send WHO SESSION BUSY SCRIPT TEXT…`, `decide WHO SESSION SCRIPT CALL`, which approves it, `flood SESSION COUNT`,
//! `speak WHO TEXT…` and `stop WHO`; the end of its input closes the engine. WHO names a send in both directions. It writes lines of `told MICROSECONDS WHO WHAT …`.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use catgpt_core::memory::{
    Answer, Begin, Begun, Caps, Checkpoint, Done, Finish, Kept, Op, Query, Read, Sealed, Swept, View,
};
use catgpt_core::tools::{Function, function};
use catgpt_core::{
    Busy, ChatModel, Decision, Engine, ErrorKind, Event, FinishReason, Memory, ModelEvent, ModelRequest, OpId, Owner,
    Part, Result, Send, Sqlite, ToolCall, ToolSpec,
};
use futures_util::stream::BoxStream;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::ME;

/// Where the other process finds its store, and how long its leases are, in milliseconds.
pub const STORE: &str = "CATGPT_TEST_STORE";
pub const LEASE: &str = "CATGPT_TEST_LEASE_MS";
/// Where it finds its live log, if it has one.
pub const LIVE: &str = "CATGPT_TEST_LIVE";

/// What everybody in the process who has nothing to do with one send is called.
pub const NOBODY: &str = "-";

/// Says something. It is written at once, so that it can be read whatever comes next.
fn tell(who: &str, what: &str) {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let mut out = std::io::stdout().lock();
    // The test harness leaves its own line open, so ours begins with a new one.
    let line = format!("\ntold {} {who} {what}\n", BEGUN.elapsed().as_micros());
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
}

/// The first `len` bytes of what a model says that pours.
pub fn poured(len: usize) -> String {
    let mut text: String = (0..=len / 16).map(|n| format!("{n:015} ")).collect();
    text.truncate(len);
    text
}

/// Runs until the input ends.
pub async fn run(store: &Path) {
    let lease = Duration::from_millis(std::env::var(LEASE).unwrap().parse().unwrap());
    let (stage, memory) = (Stage::default(), Telling(Sqlite::open(store).await.unwrap()));
    let mut engine = Engine::builder().model(stage.clone()).memory(memory).lease(lease);
    if let Ok(url) = std::env::var(LIVE) {
        engine = engine.live(catgpt_core::live::open(&url).await.unwrap());
    }
    // The first two never come back; the last one does, and they all tell that they run.
    let tools = [tool("work", false), tool("pay", false).approval(), tool("paid", true).approval()];
    let engine = engine.tools(tools).unwrap().build();
    let (lines, mut read) = unbounded_channel();
    std::thread::spawn(move || std::io::stdin().lines().map_while(|line| line.ok()).try_for_each(|l| lines.send(l)));
    tell(NOBODY, "ready");
    while let Some(line) = read.recv().await {
        obey(&engine, &stage, &line);
    }
    engine.close(Duration::ZERO).await.unwrap();
    tell(NOBODY, "closed");
}

fn tool(name: &str, answers: bool) -> Function {
    let parameters = json!({ "type": "object" });
    function(ToolSpec { name: name.into(), description: String::new(), parameters }, move |at, _| async move {
        tell("tool", &format!("ran {} {}", at.id, at.key));
        if answers { Ok(json!("done there")) } else { std::future::pending().await }
    })
}

fn obey(engine: &Engine, stage: &Stage, line: &str) {
    let (what, rest) = line.split_once(' ').unwrap();
    let session = |id: &str| engine.user(ME).unwrap().session(id).unwrap();
    match what {
        "send" => {
            let [who, id, busy, script, text] = rest.splitn(5, ' ').collect::<Vec<_>>().try_into().unwrap();
            stage.open(who);
            let send = session(id).send(text).busy(busy_of(busy)).model(format!("{who}/{script}"));
            tokio::spawn(watch(send, who.to_owned()));
        }
        "decide" => {
            let [who, id, script, call] = rest.splitn(4, ' ').collect::<Vec<_>>().try_into().unwrap();
            stage.open(who);
            let send = session(id).decide([Decision::approve(call)]).model(format!("{who}/{script}"));
            tokio::spawn(watch(send, who.to_owned()));
        }
        "flood" => {
            let (id, count) = rest.split_once(' ').unwrap();
            for n in 0..count.parse().unwrap() {
                let (who, text) = (format!("flood-{n}"), format!("question {n} of {}", std::process::id()));
                let send = session(id).send(text).busy(Busy::queue()).model(format!("{who}/echo"));
                tokio::spawn(watch(send, who));
            }
        }
        "speak" => {
            let (who, text) = rest.split_once(' ').unwrap();
            stage.cue(who, Cue::Speak(text.to_owned()));
        }
        "stop" => stage.cue(rest, Cue::Stop),
        _ => panic!("what is {line}?"),
    }
}

fn busy_of(word: &str) -> Busy {
    match word {
        "reject" => Busy::Reject,
        "queue" => Busy::queue(),
        _ => panic!("what is {word}?"),
    }
}

async fn watch(send: Send, who: String) {
    let mut reply = match send.await {
        Ok(reply) => reply,
        Err(error) if error.kind() == ErrorKind::Busy && error.turn().is_some() => {
            return tell(&who, &format!("busy {}", error.turn().unwrap()));
        }
        Err(error) => return tell(&who, &format!("error {error:?}")),
    };
    tell(&who, &format!("sent {}", reply.turn()));
    while let Some(event) = reply.next().await {
        match event {
            Event::Text { offset, .. } => tell(&who, &format!("text {offset}")),
            Event::Finished(end) => tell(&who, &format!("finished {} {}", end.status, end.stored)),
            _ => {}
        }
    }
}

enum Cue {
    Speak(String),
    Stop,
}

/// A model that says what it is told to. Its name for a turn is `WHO/SCRIPT`: `cued` waits for every word, `echo`
/// repeats the question at once, `pour-BYTES-MILLISECONDS` speaks without end, `call-TOOL` asks for a tool once.
#[derive(Clone, Debug, Default)]
struct Stage(Arc<Mutex<HashMap<String, Wing>>>);

#[derive(Debug)]
struct Wing {
    cues: UnboundedSender<Cue>,
    waiting: Option<UnboundedReceiver<Cue>>,
}

impl std::fmt::Debug for Cue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cue")
    }
}

impl Stage {
    fn open(&self, who: &str) {
        let (cues, waiting) = unbounded_channel();
        self.0.lock().unwrap().insert(who.to_owned(), Wing { cues, waiting: Some(waiting) });
    }

    fn cue(&self, who: &str, cue: Cue) {
        // A turn that was stopped does not listen any more.
        let _ = self.0.lock().unwrap()[who].cues.send(cue);
    }
}

/// Tells when the model is asked, and when its stream goes away before its end.
struct Speaking {
    who: String,
    whole: bool,
}

impl Drop for Speaking {
    fn drop(&mut self) {
        if !self.whole {
            tell(&self.who, "dropped");
        }
    }
}

impl ChatModel for Stage {
    fn stream(&self, request: ModelRequest) -> BoxStream<'static, Result<ModelEvent>> {
        let name = request.model.clone().unwrap();
        let (who, script) = name.split_once('/').map(|(who, script)| (who.to_owned(), script.to_owned())).unwrap();
        let stage = self.clone();
        Box::pin(async_stream::stream! {
            let mut speaking = Speaking { who, whole: false };
            tell(&speaking.who, "asked");
            match script.split('-').collect::<Vec<_>>()[..] {
                ["cued"] => {
                    let mut cues = stage.0.lock().unwrap().get_mut(&speaking.who).unwrap().waiting.take().unwrap();
                    while let Some(Cue::Speak(text)) = cues.recv().await {
                        yield Ok(ModelEvent::Text(text));
                    }
                }
                ["echo"] => yield Ok(ModelEvent::Text(format!("re: {}", request.messages.last().unwrap().content.text()))),
                ["call", name] => {
                    let last = request.messages.last().unwrap().content.parts().last();
                    match last {
                        Some(Part::ToolResult(_)) => yield Ok(ModelEvent::Text("Done.".to_owned())),
                        _ => yield Ok(ModelEvent::ToolCall(ToolCall { id: "a".into(), name: name.into(), arguments: json!({}) })),
                    }
                }
                ["pour", bytes, pause] => {
                    let (bytes, pause) = (bytes.parse::<usize>().unwrap(), Duration::from_millis(pause.parse().unwrap()));
                    for n in 0.. {
                        tokio::time::sleep(pause).await;
                        yield Ok(ModelEvent::Text(poured((n + 1) * bytes)[n * bytes..].to_owned()));
                    }
                }
                _ => panic!("what is {script}?"),
            }
            speaking.whole = true;
            yield Ok(ModelEvent::Finish(FinishReason::Stop));
        })
    }
}

/// Tells of every piece before it is written and after.
#[derive(Debug)]
struct Telling(Sqlite);

#[async_trait]
impl Memory for Telling {
    async fn begin_turn(&self, owner: &Owner, begin: Begin) -> Result<Begun> {
        self.0.begin_turn(owner, begin).await
    }
    async fn checkpoint(&self, owner: &Owner, piece: Checkpoint) -> Result<Kept> {
        let (turn, to) = (piece.turn.to_string(), piece.to);
        tell(&turn, &format!("writing {to}"));
        let kept = self.0.checkpoint(owner, piece).await;
        match &kept {
            Ok(Kept::Renewed { .. }) => tell(&turn, &format!("written {to}")),
            Ok(Kept::Refused) => tell(&turn, "refused"),
            Err(error) => tell(&turn, &format!("error {error:?}")),
        }
        kept
    }
    async fn finish_turn(&self, owner: &Owner, finish: Finish) -> Result<Sealed> {
        self.0.finish_turn(owner, finish).await
    }
    async fn apply(&self, owner: &Owner, op_id: OpId, ops: Vec<Op>) -> Result<Vec<Done>> {
        self.0.apply(owner, op_id, ops).await
    }
    async fn read(&self, owner: &Owner, read: Read) -> Result<View> {
        self.0.read(owner, read).await
    }
    async fn query(&self, owner: &Owner, query: Query) -> Result<Answer> {
        self.0.query(owner, query).await
    }
    async fn sweep(&self, limit: u32) -> Result<Swept> {
        self.0.sweep(limit).await
    }
    fn caps(&self) -> Caps {
        self.0.caps()
    }
    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}
