//! The frames of an answer, whole and broken.

use std::ops::Range;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::script::TOKENS;
use super::{Fault, Script, http, refusal};

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
pub(super) fn faulty(script: &Script, usage: bool) -> (Vec<Vec<u8>>, Ending) {
    let fault = script.fault;
    let mut frames = vec![dress(chunk(fault, &json!({ "role": "assistant", "content": "" }), None), fault)];
    if fault == Some(Fault::Bom) {
        frames[0].splice(..0, *b"\xEF\xBB\xBF");
    }
    for n in 0..=script.chunks() {
        if n == script.place()
            && let Some((last, ending)) = breaks(script, n)
        {
            frames.extend((!last.is_empty()).then_some(last));
            return (frames, ending);
        }
        if n < script.chunks() {
            frames.push(text(script, n));
        }
    }
    let finish = if fault == Some(Fault::UnknownFinish) { "eos" } else { "stop" };
    let mut last = dress(chunk(fault, &json!({}), Some(finish)), fault);
    if usage {
        last.extend(dress(usage_frame(script.chunks()), fault));
    }
    last.extend_from_slice(match fault {
        Some(Fault::NoDone) => b"",
        Some(Fault::DoneNoNewline) => b"data: [DONE]",
        Some(Fault::Cr) => b"data: [DONE]\r\r",
        _ => b"data: [DONE]\n\n",
    });
    frames.push(last);
    (frames, Ending::Whole)
}

/// The last bytes and the ending, if the fault ends the answer here.
fn breaks(script: &Script, n: usize) -> Option<(Vec<u8>, Ending)> {
    let fault = script.fault?;
    let error = || format!("data: {}\n\ndata: [DONE]\n\n", json!({ "error": refusal::complaint(fault) })).into_bytes();
    Some(match fault {
        Fault::Cut => (Vec::new(), Ending::Close),
        Fault::CutFrame => {
            let whole = content(if n < script.chunks() { script.chunk(n) } else { "more" }, false);
            (whole.as_bytes()[..whole.len() / 2].to_vec(), Ending::Close)
        }
        Fault::Reset => (Vec::new(), Ending::Reset),
        Fault::Silence => (Vec::new(), Ending::Silence),
        Fault::NoFinish => (Vec::new(), Ending::Whole),
        Fault::DoneOnly => (b"data: [DONE]\n\n".to_vec(), Ending::Whole),
        Fault::BadJson => (b"data: {\"choices\":[{\"delta\":{\"con\n\ndata: [DONE]\n\n".to_vec(), Ending::Whole),
        Fault::ErrorFrame | Fault::ErrorNumber => (error(), Ending::Whole),
        _ => return None,
    })
}

/// The frame of text `n`.
fn text(script: &Script, n: usize) -> Vec<u8> {
    const MARK: &str = "BAD-BYTE";
    let fault = script.fault;
    if fault != Some(Fault::BadText) || n != script.place() {
        return dress(chunk(fault, &json!({ "content": script.chunk(n) }), None), fault);
    }
    let frame = dress(chunk(fault, &json!({ "content": format!("{MARK}{}", script.chunk(n)) }), None), fault);
    let at = frame.windows(MARK.len()).position(|window| window == MARK.as_bytes()).unwrap_or(0);
    [&frame[..at], b"\xFF", &frame[at + MARK.len()..]].concat()
}

/// A chunk in the fault's dialect.
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
fn dress(frame: Value, fault: Option<Fault>) -> Vec<u8> {
    let event = match fault {
        Some(Fault::NoSpace) => format!("data:{frame}\n\n"),
        Some(Fault::MultiLine) => {
            let lines: String = format!("{frame:#}").lines().map(|line| format!("data: {line}\n")).collect();
            lines + "\n"
        }
        Some(Fault::Comments) => format!(": keep-alive\n\n: before\ndata: {frame}\n: after\n\n"),
        Some(Fault::Fields) => format!("event: message\nid: 7\nretry: 3000\ndata: {frame}\n\n"),
        Some(Fault::Null) => format!("data: {frame}\n\ndata: null\n\n"),
        Some(Fault::CrLf) => format!("data: {frame}\r\n\r\n"),
        Some(Fault::Cr) => format!("data: {frame}\r\r"),
        _ => format!("data: {frame}\n\n"),
    };
    event.into_bytes()
}
