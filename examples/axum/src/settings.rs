//! What the environment, `.env` or an option says, and the engine that follows from it.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use catgpt_core::{
    ByName, ChatModel, Engine, Error, ErrorKind, Images, Limit, Offline, OpenAi, Persona, Result, Send, memory,
};
use clap::Parser;

const FEATURES: &str =
    "edit regenerate branches rename pin delete delete-empty batch-delete search usage summary export sounds";

/// A cat on the web. Each option is a variable, too. The model is OPENAI_API_KEY, OPENAI_BASE_URL and OPENAI_MODEL; with
/// neither a key nor an endpoint the built-in cat answers.
#[derive(Clone, Debug, Parser)]
pub struct Settings {
    /// Models that the page offers beside it.
    #[arg(long, env, value_delimiter = ',')]
    pub models: Vec<String>,
    /// Where chats are kept: memory:, sqlite:catgpt.db, postgres://…
    #[arg(long, env, hide_env_values = true, default_value = "memory:")]
    database_url: String,
    /// Seconds after which a chat goes that nobody uses. In memory a day, in a database never.
    #[arg(long, env)]
    session_ttl: Option<u64>,
    /// How many messages an address may send.
    #[arg(long, env, value_delimiter = ',', value_parser = |rate: &str| limit("messages", rate), default_value = "20/minute")]
    rate_limit: Vec<Limit>,
    /// With a key, who draws when a picture is asked for, or none.
    #[arg(long, env, default_value = "gpt-image-1")]
    image_model: String,
    /// How many pictures an address may ask for. Each is a message, too.
    #[arg(long, env, value_delimiter = ',', value_parser = |rate: &str| limit("pictures", rate), default_value = "10/hour")]
    image_rate_limit: Vec<Limit>,
    #[arg(skip = std::env::var("OPENAI_API_KEY").is_ok_and(|key| !key.trim().is_empty()))]
    key: bool,
    /// The header in which the proxy in front says who it is.
    #[arg(long, env)]
    pub client_ip_header: Option<HeaderName>,
    /// Pages on other hosts that may ask.
    #[arg(long, env, value_delimiter = ',')]
    pub allowed_origins: Vec<HeaderValue>,
    /// Where the built page is.
    #[arg(long, env, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/dist"))]
    pub web_dist: PathBuf,
    /// The address to listen on.
    #[arg(long, env, default_value = "127.0.0.1")]
    pub host: String,
    /// The port; 0 for any.
    #[arg(long, env, default_value_t = 8000)]
    pub port: u16,
    /// How long answers may go on when it is told to stop. Docker kills after ten.
    #[arg(long, env, default_value_t = 8)]
    pub shutdown_seconds: u64,
}

impl Settings {
    /// The engine of this application.
    pub async fn engine(&self, model: impl ChatModel) -> Result<Engine> {
        let in_memory = self.database_url.starts_with("memory:").then_some(86_400);
        let ttl = self.session_ttl.or(in_memory).map(Duration::from_secs);
        let engine = Engine::builder().model(model).persona(Persona::cat()).session_ttl(ttl);
        let engine = engine.memory(memory::open(&self.database_url).await?);
        Ok(self.rate_limit.iter().cloned().fold(engine, |engine, limit| engine.limit(limit)).build())
    }

    /// What the page may offer.
    pub fn features(&self) -> Vec<&'static str> {
        FEATURES.split(' ').chain(self.draws().then_some("images")).collect()
    }

    /// Whether there are pictures: they need a key.
    fn draws(&self) -> bool {
        self.key && self.image_model != "none"
    }

    /// What answers.
    pub fn model(&self) -> Result<ByName> {
        let models = ByName::new();
        let endpoint = match OpenAi::from_env() {
            Err(error) if error.kind() == ErrorKind::Unauthorized => return Ok(models.with("*", Offline::new())),
            endpoint => endpoint?,
        };
        let drawing = Images::new(endpoint.clone()).model(self.image_model.as_str());
        Ok(if self.draws() { models.with("image", drawing) } else { models }.with("*", endpoint))
    }

    /// Who answers, and how often: the bill is not the visitor's, so it is one of those that are offered.
    pub fn chosen(&self, send: Send, model: Option<String>, image: bool) -> Result<Send> {
        let refused = |kind, why: &'static str| Err(Error::new(kind, why));
        match model {
            _ if image && !self.draws() => refused(ErrorKind::Unsupported, "pictures take a key, and here is none"),
            _ if image => Ok(send.model("image").limits([&self.rate_limit[..], &self.image_rate_limit].concat())),
            None => Ok(send),
            Some(model) if self.models.contains(&model) => Ok(send.model(model)),
            Some(_) => refused(ErrorKind::InvalidInput, "this model is not offered: see `models` of /capabilities"),
        }
    }
}

/// So many for each address.
fn limit(thing: &str, rate: &str) -> Result<Limit> {
    Ok(Limit::rate(thing, rate)?.per_key("ip"))
}
