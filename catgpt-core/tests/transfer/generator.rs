//! Exports as ChatGPT writes them, of any size, the same for the same seed.

use std::io::{self, Write};

use fastrand::Rng;
use serde_json::{Map, Value, json};

/// What was written, to be compared with what is read.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) conversations: u64,
    pub(crate) bytes: u64,
    /// Conversations of which something cannot be kept.
    pub(crate) odd: u64,
    /// Conversations that cannot be read.
    pub(crate) broken: u64,
}

/// Writes a list of conversations until it has so many bytes.
pub(crate) fn export(seed: u64, bytes: u64, out: &mut dyn Write) -> io::Result<Written> {
    let mut rng = Rng::with_seed(seed);
    let mut written = Written::default();
    out.write_all(b"[")?;
    while written.bytes < bytes {
        let n = written.conversations;
        let (mut one, odd) = conversation(&mut rng, n);
        if n % 97 == 96 {
            // A disk has lost a quote.
            one = one.replacen("\"mapping\":", "\"mapping:", 1);
            written.broken += 1;
        } else {
            written.odd += u64::from(odd);
        }
        let piece = format!("{}{one}", if n == 0 { "" } else { ", " });
        out.write_all(piece.as_bytes())?;
        written.bytes += piece.len() as u64;
        written.conversations += 1;
    }
    out.write_all(b"]")?;
    Ok(written)
}

/// A conversation, and whether something of it cannot be kept.
fn conversation(rng: &mut Rng, n: u64) -> (String, bool) {
    let began = 1_700_000_000.0 + n as f64 * 1_000.0;
    let mut nodes = Map::new();
    let mut ends = vec!["root".to_owned()];
    nodes.insert("root".into(), json!({ "id": "root", "parent": null, "children": [], "message": null }));
    let turns = if n % 50 == 49 { 400 } else { rng.u64(2..40) };
    let mut odd = false;
    for turn in 0..turns {
        // Now and then an older message is answered again: a branch.
        let parent = if rng.u8(0..6) == 0 { rng.choice(&ends).cloned() } else { ends.last().cloned() };
        let at = began + turn as f64 * 10.0;
        let asks = format!("q{turn}");
        nodes.insert(asks.clone(), node(parent.as_deref(), &asks, says(rng, "user", at)));
        let answers = format!("a{turn}");
        nodes.insert(answers.clone(), node(Some(&asks), &answers, says(rng, "assistant", at + 5.0)));
        ends.push(answers);
        if rng.u16(0..2_000) == 0 {
            odd = true;
            nodes.insert(format!("x{turn}"), "no node at all".into());
        }
    }
    let mapping = Value::Object(nodes);
    let current = ends.last().map_or("root", String::as_str);
    // The title comes first, as in the real ones.
    let text = format!(
        "{{\"title\":{},\"create_time\":{began},\"update_time\":{},\"mapping\":{mapping},\"current_node\":{},\
         \"conversation_id\":\"{n:08x}-0000-4000-8000-000000000000\",\"is_archived\":{},\"default_model_slug\":\"gpt-4o\"}}",
        json!(words(rng, 4)),
        began + 9_999.0,
        json!(current),
        n.is_multiple_of(9),
    );
    (text, odd)
}

fn node(parent: Option<&str>, name: &str, message: Value) -> Value {
    json!({ "id": name, "parent": parent, "children": [], "message": message })
}

fn says(rng: &mut Rng, role: &str, at: f64) -> Value {
    let content = match rng.u8(0..20) {
        0 => json!({ "content_type": "multimodal_text", "parts": [
            { "content_type": "image_asset_pointer", "asset_pointer": format!("file-service://file-{:x}", rng.u32(..)), "width": 9 },
            words(rng, 20),
        ] }),
        1 if role == "assistant" => {
            json!({ "content_type": "thoughts", "thoughts": [{ "summary": words(rng, 3), "content": words(rng, 40) }] })
        }
        2 => json!({ "content_type": "hologram", "size": rng.u8(..) }),
        3 => {
            json!({ "content_type": "tether_quote", "url": "https://example.com", "title": words(rng, 3), "text": words(rng, 40) })
        }
        _ => json!({ "content_type": "text", "parts": [words(rng, if role == "user" { 30 } else { 150 })] }),
    };
    let at = if rng.u8(0..10) == 0 { Value::Null } else { at.into() };
    let metadata = if role == "user" { Value::Null } else { json!({ "model_slug": "gpt-4o", "request_id": "r" }) };
    json!({ "id": format!("m{:x}", rng.u32(..)), "author": { "role": role, "name": null, "metadata": {} }, "create_time": at,
            "content": content, "status": "finished_successfully", "weight": 1.0, "metadata": metadata, "recipient": "all" })
}

fn words(rng: &mut Rng, most: usize) -> String {
    const WORDS: [&str; 12] = [
        "cat",
        "purr",
        "Kyoto",
        "train",
        "## User",
        "\"quoted\"",
        "{brace",
        "né",
        "猫",
        "🐈",
        "line\nbreak",
        "back\\slash",
    ];
    let count = rng.usize(1..=most);
    (0..count).map(|_| WORDS[rng.usize(0..WORDS.len())]).collect::<Vec<_>>().join(" ")
}
