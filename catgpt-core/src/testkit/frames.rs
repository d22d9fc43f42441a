//! The frames of an answer, whole and broken: those of Chat Completions here, the others' in the modules beside.

mod messages;
mod responses;

use std::ops::Range;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::script::TOKENS;
use super::{Dialect, Fault, Script, http, refusal};

/// The bytes of a text that no client should hold as one frame.
const HUGE: usize = 17 << 20;

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should.
    Whole,
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
    /// Not at all.
    Silence,
}

/// What happens with so many frames of content, written down once.
pub(super) struct Block {
    /// The first frame, which only names the role.
    pub(super) role: Vec<u8>,
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

/// The frames of a [`Block`].
pub(super) const BLOCK: usize = 64;

impl Block {
    /// The block with or without `usage: null` in its frames.
    pub(super) fn shared(usage: bool) -> &'static Block {
        static BLOCKS: [OnceLock<Block>; 2] = [OnceLock::new(), OnceLock::new()];
        BLOCKS[usize::from(usage)].get_or_init(|| Block::new(usage))
    }

    fn new(usage: bool) -> Self {
        let mut role = Vec::new();
        http::chunk(&mut role, event(r#"{"role":"assistant","content":"","refusal":null}"#, "null", usage).as_bytes());
        let (mut bytes, mut starts) = (Vec::new(), vec![0]);
        for n in 0..BLOCK {
            http::chunk(&mut bytes, content(TOKENS[n % TOKENS.len()], usage).as_bytes());
            starts.push(bytes.len());
        }
        Self { role, bytes, starts }
    }

    /// The HTTP chunks of these frames.
    pub(super) fn chunks(&self, frames: Range<usize>) -> &[u8] {
        &self.bytes[self.starts[frames.start]..self.starts[frames.end]]
    }
}

/// A frame with the fields and their order that OpenAI sends.
fn event(delta: &str, finish: &str, usage: bool) -> String {
    let usage = if usage { r#","usage":null"# } else { "" };
    format!(
        "data: {{\"id\":\"chatcmpl-CEl0m8Xv2Qe7ZyRr1wq9uQb0nYp3K\",\"object\":\"chat.completion.chunk\",\
         \"created\":1757600000,\"model\":\"gpt-4o-mini-2024-07-18\",\"service_tier\":\"default\",\
         \"system_fingerprint\":\"fp_51db84afab\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\
         \"finish_reason\":{finish}}}]{usage}}}\n\n"
    )
}

/// A frame of text.
pub(super) fn content(text: &str, usage: bool) -> String {
    event(&format!("{{\"content\":{}}}", Value::from(text)), "null", usage)
}

/// What ends a good answer.
pub(super) fn tail(count: usize, usage: bool) -> String {
    let mut tail = event("{}", r#""stop""#, usage);
    if usage {
        tail += &format!("data: {}\n\n", usage_frame(count));
    }
    tail + "data: [DONE]\n\n"
}

fn usage_frame(count: usize) -> Value {
    json!({ "id": "chatcmpl-fake", "object": "chat.completion.chunk", "choices": [], "usage": usage(count) })
}

/// What an answer of so many chunks used.
pub(super) fn usage(count: usize) -> Value {
    json!({
        "prompt_tokens": 10,
        "completion_tokens": count,
        "total_tokens": count + 10,
        "prompt_tokens_details": { "cached_tokens": 4 },
        "completion_tokens_details": { "reasoning_tokens": 1 },
    })
}

/// All frames of a script with a fault, in pieces that go out one by one, and how it ends.
pub(super) fn faulty(script: &Script, dialect: Dialect, usage: bool) -> (Vec<Vec<u8>>, Ending) {
    let fault = script.fault;
    let mut frames: Vec<_> = first(script, dialect).iter().map(|event| dress(event, fault)).collect();
    if fault == Some(Fault::Bom) {
        frames[0].splice(..0, *b"\xEF\xBB\xBF");
    }
    for n in 0..=script.chunks() {
        if n == script.place()
            && let Some((last, ending)) = breaks(script, dialect, n)
        {
            frames.extend((!last.is_empty()).then_some(last));
            return (frames, ending);
        }
        if n < script.chunks() {
            frames.push(text(script, dialect, n));
        }
    }
    frames.extend(last(script, dialect, usage).iter().map(|event| dress(event, fault)));
    let mut end = match (dialect, fault) {
        (Dialect::Responses, _) => dress(&responses::stop(script), fault),
        (_, Some(Fault::NoDone)) => Vec::new(),
        (Dialect::Messages, _) => dress(&messages::stop(), fault),
        (Dialect::ChatCompletions, Some(Fault::Cr)) => b"data: [DONE]\r\r".to_vec(),
        (Dialect::ChatCompletions, _) => b"data: [DONE]\n\n".to_vec(),
    };
    if fault == Some(Fault::DoneNoNewline) {
        end.truncate(end.trim_ascii_end().len());
    }
    frames.push(end);
    (frames, Ending::Whole)
}

/// Everything before the text.
fn first(script: &Script, dialect: Dialect) -> Vec<Value> {
    match dialect {
        Dialect::Messages => messages::first(script),
        Dialect::Responses => responses::first(script),
        Dialect::ChatCompletions => {
            let thought = script.thought.iter().map(|thought| json!({ "reasoning_content": thought }));
            let deltas = [json!({ "role": "assistant", "content": "" })].into_iter().chain(thought);
            deltas.map(|delta| chunk(script.fault, &delta, None)).collect()
        }
    }
}

/// Everything after the text, but for what says that this was all.
fn last(script: &Script, dialect: Dialect, usage: bool) -> Vec<Value> {
    let fault = script.fault;
    match dialect {
        Dialect::Messages => messages::last(script),
        Dialect::Responses => responses::last(script),
        Dialect::ChatCompletions => {
            let calls = (0..)
                .zip(&script.calls)
                .map(|(n, call)| chunk(fault, &json!({ "tool_calls": [called(n, call)] }), None));
            let finish = match fault {
                Some(Fault::UnknownFinish) => "eos",
                _ if !script.calls.is_empty() => "tool_calls",
                _ => "stop",
            };
            let usage = usage.then(|| usage_frame(script.chunks()));
            calls.chain([chunk(fault, &json!({}), Some(finish))]).chain(usage).collect()
        }
    }
}

/// A call, as Chat Completions has it.
pub(super) fn called(n: u64, (name, arguments): &(String, Value)) -> Value {
    let function = json!({ "name": name, "arguments": arguments.to_string() });
    json!({ "index": n, "id": format!("call_fake_{}", n + 1), "type": "function", "function": function })
}

/// A whole answer that is no stream.
pub(super) fn document(script: &Script, dialect: Dialect) -> Option<Value> {
    match dialect {
        Dialect::Messages => Some(messages::document(script)),
        Dialect::Responses => Some(responses::document(script)),
        Dialect::ChatCompletions => None,
    }
}

/// The last bytes and the ending, if the fault ends the answer here.
fn breaks(script: &Script, dialect: Dialect, n: usize) -> Option<(Vec<u8>, Ending)> {
    let fault = script.fault?;
    let done = |event: &[u8]| [event, b"data: [DONE]\n\n"].concat();
    Some(match fault {
        Fault::Cut => (Vec::new(), Ending::Close),
        Fault::CutFrame => {
            let whole = said(script, dialect, if n < script.chunks() { script.chunk(n) } else { "more" });
            let whole = dress(&whole, None);
            (whole[..whole.len() / 2].to_vec(), Ending::Close)
        }
        Fault::Reset => (Vec::new(), Ending::Reset),
        Fault::Silence => (Vec::new(), Ending::Silence),
        Fault::NoFinish => (Vec::new(), Ending::Whole),
        Fault::DoneOnly if dialect == Dialect::Messages => (dress(&messages::stop(), None), Ending::Whole),
        Fault::DoneOnly => (done(b""), Ending::Whole),
        Fault::BadJson => (done(b"data: {\"choices\":[{\"delta\":{\"con\n\n"), Ending::Whole),
        Fault::Huge => (dress(&said(script, dialect, &"x".repeat(HUGE)), None), Ending::Whole),
        Fault::ErrorFrame | Fault::ErrorNumber => (done(&dress(&error(fault, dialect), None)), Ending::Whole),
        _ => return None,
    })
}

/// An error in the middle.
fn error(fault: Fault, dialect: Dialect) -> Value {
    match dialect {
        Dialect::Messages => messages::error(fault),
        Dialect::Responses => responses::error(fault),
        Dialect::ChatCompletions => json!({ "error": refusal::complaint(fault) }),
    }
}

fn said(script: &Script, dialect: Dialect, text: &str) -> Value {
    match dialect {
        Dialect::Messages => messages::text(script, text),
        Dialect::Responses => responses::text(script, text),
        Dialect::ChatCompletions => chunk(script.fault, &json!({ "content": text }), None),
    }
}

/// The frame of text `n`.
fn text(script: &Script, dialect: Dialect, n: usize) -> Vec<u8> {
    const MARK: &str = "BAD-BYTE";
    let frame = |text: &str| dress(&said(script, dialect, text), script.fault);
    if script.fault != Some(Fault::BadText) || n != script.place() {
        return frame(script.chunk(n));
    }
    let frame = frame(&format!("{MARK}{}", script.chunk(n)));
    let at = frame.windows(MARK.len()).position(|window| window == MARK.as_bytes()).unwrap_or(0);
    [&frame[..at], b"\xFF", &frame[at + MARK.len()..]].concat()
}

/// A chunk of Chat Completions, as the fault has it.
fn chunk(fault: Option<Fault>, delta: &Value, finish: Option<&str>) -> Value {
    let finish: Value = match (finish, fault) {
        (None, Some(Fault::EmptyFinish)) => "".into(),
        (finish, _) => finish.into(),
    };
    match fault {
        Some(Fault::Bare) => json!({ "choices": [{ "delta": delta, "finish_reason": finish }] }),
        Some(Fault::WrongTypes) => {
            let content = delta["content"].as_str().map(|text| json!([{ "type": "text", "text": text }]));
            let delta = json!({ "role": null, "content": content, "tool_calls": null, "reasoning": null });
            json!({
                "id": 7, "created": "now", "model": null, "usage": { "prompt_tokens": "10" },
                "choices": [{ "index": "0", "delta": delta, "finish_reason": finish }],
            })
        }
        _ => json!({
            "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_757_600_000, "model": "fake",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }],
        }),
    }
}

/// The frame as an event of the stream, in the fault's dress.
fn dress(frame: &Value, fault: Option<Fault>) -> Vec<u8> {
    let name = frame["type"].as_str().map(|name| format!("event: {name}\n")).unwrap_or_default();
    let event = match fault {
        Some(Fault::NoSpace) => format!("{}data:{frame}\n\n", name.replace(": ", ":")),
        Some(Fault::MultiLine) => {
            let lines: String = format!("{frame:#}").lines().map(|line| format!("data: {line}\n")).collect();
            name + &lines + "\n"
        }
        Some(Fault::Comments) => format!(": keep-alive\n\n{name}: before\ndata: {frame}\n: after\n\n"),
        Some(Fault::Fields) if name.is_empty() => format!("event: message\nid: 7\nretry: 3000\ndata: {frame}\n\n"),
        Some(Fault::Fields) => format!("{name}id: 7\nretry: 3000\ndata: {frame}\n\n"),
        Some(Fault::Garbage) => format!("what is this\n\n{name}garbage\ndatum: 1\ndata: {frame}\n{{\"a\":1}}\n\n"),
        Some(Fault::Pings) => {
            let ping = format!("event: ping\ndata: {}\n\n", json!({ "type": "ping" }));
            ping.repeat(20) + &format!("{name}data: {frame}\n\n")
        }
        Some(Fault::UnknownEvents) => {
            let unknown =
                json!({ "type": "mystery.begun", "object": "mystery", "index": 7, "delta": 1, "response": [] });
            format!("event: mystery.begun\ndata: {unknown}\n\n{name}data: {frame}\n\n")
        }
        Some(Fault::Null) => format!("{name}data: {frame}\n\ndata: null\n\n"),
        Some(Fault::CrLf) => format!("{name}data: {frame}\n\n").replace('\n', "\r\n"),
        Some(Fault::Cr) => format!("{name}data: {frame}\n\n").replace('\n', "\r"),
        _ => format!("{name}data: {frame}\n\n"),
    };
    event.into_bytes()
}
