//! The list of models, and what goes wrong with it.

use std::io;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Dialect, Fault, Script, http, refusal};

/// Gives the list. An error ends the connection.
pub(super) async fn give(stream: &mut TcpStream, script: &Script) -> io::Result<()> {
    let list = http::response(200, "application/json", "", &document(script.fault));
    match script.fault {
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Cut | Fault::CutFrame | Fault::Reset) => {
            stream.write_all(&list[..list.len() / 2]).await?;
            Err(io::ErrorKind::Other.into())
        }
        _ => stream.write_all(&refusal::response(script, Dialect::ChatCompletions).unwrap_or(list)).await,
    }
}

/// Not in order, so that somebody has to sort it.
fn document(fault: Option<Fault>) -> String {
    let model = |id: &str| json!({ "id": id, "object": "model", "created": 1_757_600_000, "owned_by": "catgpt" });
    let data = match fault {
        Some(Fault::BadJson) => return "{\"object\":\"list\",\"data\":[".to_owned(),
        Some(Fault::WrongTypes) => json!([null, 7, { "id": 1 }, { "id": "fake", "created": "soon", "owned_by": [] }]),
        Some(Fault::Bare) => return json!(["fake-mini", "fake"]).to_string(),
        _ => Value::from(vec![model("fake-mini"), model("fake")]),
    };
    json!({ "object": "list", "data": data }).to_string()
}
