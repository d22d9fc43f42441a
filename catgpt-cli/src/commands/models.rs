//! `catgpt models`: what can be chosen with `--model`.

use std::io::{self, BufWriter, Write};

use catgpt_core::{ChatModel, ModelInfo};

use super::block_on;
use crate::args::{Common, Models};
use crate::config::Model;
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::render::visible;

/// Asks the endpoint; it needs no store.
pub(crate) fn models(options: &Models, common: &Common) -> Result<Exit, Failure> {
    let model = Model::choose(None)?;
    if matches!(model, Model::Offline) {
        Notes::new(common).say("no endpoint is configured; for its models set OPENAI_API_KEY or OPENAI_BASE_URL");
    }
    block_on(async {
        let mut out = BufWriter::new(io::stdout());
        for info in model.build(false).models().await? {
            show(&info, options.json, &mut out)?;
        }
        out.flush()?;
        Ok(Exit::Ok)
    })
}

fn show(info: &ModelInfo, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, info)?;
        return out.write_all(b"\n");
    }
    writeln!(out, "{}", visible(&info.id))
}
