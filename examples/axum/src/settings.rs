//! What the environment and the file `.env` say, and the engine that follows from it.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderValue;
use catgpt_core::memory::Unit;
use catgpt_core::{ChatModel, Engine, Error, ErrorKind, Limit, Offline, OpenAi, Persona, Result, live, memory};

/// How this application runs.
pub struct Settings {
    /// What answers; `offline` is the built-in cat.
    pub model: String,
    pub memory: String,
    pub live: Option<String>,
    pub host: String,
    pub port: u16,
    /// How many messages an address may send in a minute; 0 for any number.
    pub rate_limit: u64,
    /// How many proxies stand in front.
    pub proxies: usize,
    /// How long answers may go on when it is told to stop.
    pub shutdown: Duration,
    pub origins: Vec<HeaderValue>,
    pub dist: PathBuf,
}

impl Settings {
    /// Reads them; an empty variable says nothing.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let configured = var("OPENAI_API_KEY").or_else(|| var("OPENAI_BASE_URL")).is_some();
        let named = || var("OPENAI_MODEL").unwrap_or_else(|| "gpt-4o-mini".into());
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/dist");
        let origins = var("ALLOWED_ORIGINS").unwrap_or_default();
        let origins = origins.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        Ok(Self {
            model: if configured { named() } else { "offline".into() },
            memory: var("DATABASE_URL").unwrap_or_else(|| "memory:".into()),
            live: var("REDIS_URL"),
            host: var("HOST").unwrap_or_else(|| "127.0.0.1".into()),
            port: number("PORT", var("PORT"), 8000)?,
            rate_limit: number("RATE_LIMIT", var("RATE_LIMIT"), 20)?,
            proxies: number("TRUST_PROXY", var("TRUST_PROXY"), 0)?,
            // Under the 10 s that Docker waits before it kills.
            shutdown: Duration::from_secs(number("SHUTDOWN_SECONDS", var("SHUTDOWN_SECONDS"), 8)?),
            origins: origins.map(|o| o.parse().map_err(|_| wrong("ALLOWED_ORIGINS"))).collect::<Result<_>>()?,
            dist: var("WEB_DIST").map_or_else(|| page.into(), PathBuf::from),
        })
    }

    /// The engine of this application.
    pub async fn engine(&self) -> Result<Engine> {
        if self.model == "offline" {
            return self.engine_with(Offline::new()).await;
        }
        self.engine_with(OpenAi::from_env()?.model(self.model.as_str())).await
    }

    /// The same with another model.
    pub async fn engine_with(&self, model: impl ChatModel) -> Result<Engine> {
        let mut engine =
            Engine::builder().model(model).persona(Persona::cat()).memory(memory::open(&self.memory).await?);
        if let Some(url) = &self.live {
            engine = engine.live(live::open(url).await?);
        }
        if self.rate_limit > 0 {
            let minute = Duration::from_secs(60);
            engine = engine.limit(Limit::new("messages a minute", Unit::Turns, self.rate_limit, minute).per_key("ip"));
        }
        Ok(engine.build())
    }
}

fn number<N: std::str::FromStr>(name: &str, value: Option<String>, otherwise: N) -> Result<N> {
    value.map_or(Ok(otherwise), |value| value.parse().map_err(|_| wrong(name)))
}

fn wrong(name: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("{name} cannot be read: see .env.example"))
}
