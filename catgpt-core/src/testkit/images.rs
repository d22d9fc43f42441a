//! One picture, and what goes wrong with it.

use std::future::pending;
use std::io;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::WriteHalf;
use tokio::time::sleep;

use super::frames::Ending;
use super::{Fault, Script, http};

/// A cat of 64 by 64 points, as a PNG.
const CAT: &str = "iVBORw0KGgoAAAANSUhEUgAAAEAAAABAAgMAAADXB5lNAAAADFBMVEX99OPuljw8KB7wjJZ3jUOAAAAATElEQVR42s3Tuw0AIAgEUJZkSZZU\
    I4qfjsMEryDwOkIg+iZ8t35gNtEWA7Y5ACupIGOSLnnwaLlSoiBWMFBpsasDQMdqIEzaf8gPsVRfedHZPqo3FAAAAABJRU5ErkJggg==";

/// In which form a picture is given.
#[derive(Clone, Copy)]
pub(super) enum Given {
    Bytes,
    /// OpenAI's older models give its address, unless they are asked for the bytes.
    Address,
}

impl Given {
    pub(super) fn of(body: &Value) -> Self {
        let older = body["model"].as_str().is_some_and(|model| model.starts_with("dall-e"));
        if older && body["response_format"] != "b64_json" { Self::Address } else { Self::Bytes }
    }
}

/// Draws. A pause comes before the whole: a picture is one chunk.
pub(super) async fn write(to: &mut WriteHalf<'_>, script: &Script, given: Given) -> io::Result<Ending> {
    sleep(script.delay).await;
    let whole = http::response(200, "application/json", "x-request-id: req_fake\r\n", &document(script.fault, given));
    let ending = match script.fault {
        Some(Fault::Silence) => pending().await,
        Some(Fault::Cut | Fault::CutFrame) => Ending::Close,
        Some(Fault::Reset) => Ending::Reset,
        _ => Ending::Whole,
    };
    let sent = if matches!(ending, Ending::Whole) { whole.len() } else { whole.len() / 2 };
    to.write_all(&whole[..sent]).await?;
    to.flush().await?;
    Ok(ending)
}

fn document(fault: Option<Fault>, given: Given) -> String {
    let picture = match (fault, given) {
        (Some(Fault::BadJson), _) => return "{\"data\":[".to_owned(),
        (Some(Fault::WrongTypes), _) => json!({ "b64_json": 7, "url": [] }),
        (_, Given::Bytes) => json!({ "b64_json": CAT }),
        (_, Given::Address) => json!({ "url": "https://images.example/cat.png", "revised_prompt": "A cat" }),
    };
    let usage = json!({ "input_tokens": 12, "output_tokens": 272, "total_tokens": 284 });
    json!({ "created": 1_757_600_000, "data": [picture], "usage": usage }).to_string()
}
