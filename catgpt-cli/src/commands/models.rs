//! `catgpt models`: what can be chosen with `--model`, and what is chosen without it.

use catgpt_core::ModelInfo;

use super::{block_on, config::put};
use crate::args::{Common, ModelsAction};
use crate::config::{Config, DEFAULT_ENDPOINT, FILE, Folders, Model, host, private};
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::out::Out;

pub(crate) fn models(action: ModelsAction, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    match action {
        ModelsAction::List { json } => list(&Config::load(common)?, json, notes),
        ModelsAction::Default { model: Some(model) } => choose(&model, common, notes),
        ModelsAction::Default { model: None } => tell(&Config::load(common)?, notes),
    }
}

/// Asks the endpoint; it needs no store.
fn list(config: &Config, json: bool, notes: Notes) -> Result<Exit, Failure> {
    let model = Model::choose(config, None)?;
    let is_offline = matches!(model, Model::Offline);
    if is_offline {
        notes.say("no endpoint is configured; for its models set OPENAI_API_KEY or OPENAI_BASE_URL");
    }
    block_on(async {
        let models = model.build(false).models().await?;
        if !is_offline && let Err(error) = cache(config, &models) {
            notes.detail(error);
        }
        let mut out = if json { Out::stdout() } else { Out::paged() };
        let show = |info: &ModelInfo| if json { out.json(info) } else { out.line(&info.id) };
        let done = models.iter().try_for_each(show);
        out.end(done.map(|()| Exit::Ok).map_err(Failure::from))
    })
}

/// Keeps the names, for a shell that completes them.
fn cache(config: &Config, models: &[ModelInfo]) -> catgpt_core::Result<()> {
    let lines: String = models.iter().map(|info| info.id.clone() + "\n").collect();
    private::write(&Folders::find()?.cache.join(file(config)), &lines)
}

/// The names that an endpoint had when it was asked last.
pub(super) fn cached(config: &Config) -> Vec<String> {
    let path = Folders::find().map(|folders| folders.cache.join(file(config)));
    let text = path.ok().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// A file for each endpoint, called by its host.
fn file(config: &Config) -> String {
    let url = config.base_url().map_or_else(|| DEFAULT_ENDPOINT.to_owned(), |url| url.value);
    let (host, port) = host(&url).unwrap_or(("unknown", 0));
    let host: String = host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    format!("models-{host}-{port}.txt")
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
