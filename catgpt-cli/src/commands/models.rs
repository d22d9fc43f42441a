//! `catgpt models`: what can be chosen with `--model`, and what is chosen without it.

use std::fs;

use catgpt_core::ModelInfo;
use catgpt_core::model::Protocol;

use super::{block_on, config::put};
use crate::args::{Common, ModelsAction};
use crate::config::keys::Provider;
use crate::config::{Config, FILE, Folders, Model, host, prefixed, private};
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::out::Out;

pub(crate) fn models(action: ModelsAction, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    match action {
        ModelsAction::List { of, json } => list(&Config::load(common)?, of, json, notes),
        ModelsAction::Default { model: Some(model) } => choose(&model, common, notes),
        ModelsAction::Default { model: None } => tell(&Config::load(common)?, notes),
    }
}

/// Asks the endpoint of the model that answers, or of this provider; it needs no store.
fn list(config: &Config, of: Option<Provider>, json: bool, notes: Notes) -> Result<Exit, Failure> {
    let prefix = of.map(|provider| format!("{}:", provider.protocol().name()));
    let said = config.model(prefix.as_deref());
    let (protocol, _) = Protocol::of(said.as_ref().map_or("", |said| &said.value));
    let model = Model::choose(config, prefix.as_deref())?;
    let is_offline = matches!(model, Model::Offline);
    if is_offline {
        notes.say("no endpoint is configured; for its models set OPENAI_API_KEY or OPENAI_BASE_URL");
    }
    block_on(async {
        let mut models = model.build(false).models().await?;
        models.iter_mut().for_each(|info| info.id = prefixed(protocol, &info.id));
        if !is_offline && let Err(error) = cache(config, protocol, &models) {
            notes.detail(error);
        }
        let mut out = if json { Out::stdout() } else { Out::paged() };
        let show = |info: &ModelInfo| if json { out.json(info) } else { out.line(&info.id) };
        let done = models.iter().try_for_each(show);
        out.end(done.map(|()| Exit::Ok).map_err(Failure::from))
    })
}

/// Keeps the names, for a shell that completes them.
fn cache(config: &Config, protocol: Protocol, models: &[ModelInfo]) -> catgpt_core::Result<()> {
    let lines: String = models.iter().map(|info| info.id.clone() + "\n").collect();
    private::write(&Folders::find()?.cache.join(file(config, protocol)), &lines)
}

/// The names that the endpoints had when they were asked last.
pub(super) fn cached(config: &Config) -> Vec<String> {
    let Ok(folders) = Folders::find() else { return Vec::new() };
    let read = |protocol| fs::read_to_string(folders.cache.join(file(config, protocol))).unwrap_or_default();
    let texts = Protocol::ALL.map(read);
    texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

/// A file for each protocol and endpoint, called by its host.
fn file(config: &Config, protocol: Protocol) -> String {
    let url = config.base_url(protocol).map_or_else(|| protocol.base_url().to_owned(), |url| url.value);
    let (host, port) = host(&url).unwrap_or(("unknown", 0));
    let host: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("models-{}-{host}-{port}.txt", protocol.name())
}

fn tell(config: &Config, notes: Notes) -> Result<Exit, Failure> {
    let mut out = Out::stdout();
    let done = match config.model(None) {
        Some(model) => {
            notes.detail(format_args!("from {}", model.by));
            out.line(&model.value)
        }
        None => match Model::choose(config, None)? {
            Model::Offline => {
                notes.say("none: the offline cat answers");
                Ok(())
            }
            model => out.line(model.build(false).name()),
        },
    };
    out.end(done.map(|()| Exit::Ok).map_err(Failure::from))
}

fn choose(model: &str, common: &Common, notes: Notes) -> Result<Exit, Failure> {
    put(&Folders::find()?.config, "model", model)?;
    if let Some(said) = Config::load(common)?.model(None)
        && said.by != FILE
    {
        notes.say(format_args!("{} is set, and goes before it", said.by));
    }
    Ok(Exit::Ok)
}
