//! `catgpt config`: what holds without options, and who says it. Shows no key and no password.

use std::fs;
use std::path::Path;

use catgpt_core::model::Protocol;
use catgpt_core::{Params, Prices, Result};
use serde_json::json;

use crate::args::{Common, ConfigureAction};
use crate::config::keys::{self, Provider};
use crate::config::{self, Config, ENCRYPTION_KEYS, FILE, Folders, Said, Shown, Store, private};
use crate::editor;
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::out::Out;

const DEFAULT: &str = "default";

pub(crate) fn config(action: ConfigureAction, common: &Common) -> Result<Exit, Failure> {
    let path = Folders::find()?.config;
    match action {
        ConfigureAction::Show { json } => show(&Config::load(common)?, json),
        ConfigureAction::Path => {
            let mut out = Out::stdout();
            let done = out.line(&path.display().to_string());
            out.end(done.map(|()| Exit::Ok).map_err(Failure::from))
        }
        ConfigureAction::Edit => edit(&path, Notes::new(common)).map_err(Failure::from),
        ConfigureAction::Set { setting, value } => {
            put(&path, &setting, &value)?;
            Ok(Exit::Ok)
        }
    }
}

/// Changes one value of the user's file, which is made if it is not there.
pub(super) fn put(path: &Path, setting: &str, value: &str) -> Result<()> {
    let text = config::text(path)?.unwrap_or_default();
    private::write(path, &config::set(&text, setting, value, path)?)
}

fn edit(path: &Path, notes: Notes) -> Result<Exit> {
    let new = !path.exists();
    if new {
        private::write(path, config::TEMPLATE)?;
    }
    let edited = editor::open(path);
    let text = config::text(path)?.unwrap_or_default();
    if new && text == config::TEMPLATE {
        let _ = fs::remove_file(path);
        notes.say("nothing was written");
        return edited.map(|()| Exit::Ok);
    }
    edited?;
    config::check(&text, path).map(|_| Exit::Ok)
}

fn show(config: &Config, json: bool) -> Result<Exit, Failure> {
    let mut out = Out::stdout();
    let rows = rows(config)?;
    if json {
        for [setting, value, by] in &rows {
            out.json(&json!({ "setting": setting, "value": value, "from": by }))?;
        }
    } else {
        out.rows(&rows)?;
    }
    out.end(Ok(Exit::Ok))
}

/// Setting, value, and who says it.
fn rows(config: &Config) -> Result<Vec<[String; 3]>> {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String, by: &str| rows.push([name.to_owned(), value, by.to_owned()]);
    let mut said = |name: &str, said: Option<Said<String>>, otherwise: &str| match said {
        Some(said) => row(name, without_password(&said.value), said.by),
        None => row(name, otherwise.to_owned(), DEFAULT),
    };
    let settings = &config.settings;
    let own = |value: &Option<String>| value.clone().map(|value| Said::new(value, FILE));
    let model = config.model(None);
    let (protocol, _) = Protocol::of(model.as_ref().map_or("", |said| &said.value));
    let endpoint = config.base_url(protocol);
    let is_model = endpoint.is_some() || keys::source(config, Provider::of(protocol))?.is_some();
    said("model", model, if is_model { "gpt-4o-mini" } else { "the offline cat" });
    said("base_url", endpoint, protocol.base_url());
    said("persona", own(&settings.persona), "cat");
    said("owner", config.owner(), "the user of this computer");
    let store = Store::choose(config)?;
    let shown = Shown::choose(config, &store).map(|Shown(url, by)| Said::new(url, by));
    match store {
        Store::Url(url, by) => said("memory", Some(Said::new(url, by)), ""),
        Store::File(path) => said("memory", None, &format!("sqlite:{}", path.display())),
    }
    said("live", shown, "none");
    // What the variable says may be the keys themselves.
    let keys = config.encryption_keys().map(|said| match said.by {
        ENCRYPTION_KEYS => Said::new("(never shown)".to_owned(), ENCRYPTION_KEYS),
        _ => said,
    });
    said("encryption_keys", keys, "none");
    for provider in Provider::ALL {
        let source = keys::source(config, provider)?.map_or_else(|| "none".to_owned(), |source| source.to_string());
        row(&format!("key of {}", provider.name()), "(never shown)".to_owned(), &source);
    }
    for (name, value) in options(&settings.options) {
        row(&format!("options.{name}"), value, FILE);
    }
    for (name, on) in [("titles", settings.titles), ("summaries", settings.summaries)] {
        row(name, on.to_string(), if on { FILE } else { DEFAULT });
    }
    for (name, set) in [("prices", settings.prices != Prices::new()), ("limits", !settings.limits.is_empty())] {
        row(name, if set { "set" } else { "none" }.to_owned(), if set { FILE } else { DEFAULT });
    }
    Ok(rows)
}

/// The options that are set, by name.
fn options(params: &Params) -> Vec<(String, String)> {
    let value = serde_json::to_value(params).unwrap_or_default();
    let set = value.as_object().into_iter().flatten();
    set.map(|(name, value)| (name.clone(), value.to_string())).collect()
}

/// A URL that can be looked at. What cannot be told apart from a password is left out.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if path.contains('@') {
        return format!("{scheme}://…");
    }
    let place = match authority.rsplit_once('@') {
        Some((who, host)) => format!("{}@{host}", who.split(':').next().unwrap_or_default()),
        None => authority.to_owned(),
    };
    match path.split_once(['?', '#']) {
        Some((path, _)) => format!("{scheme}://{place}{path}?…"),
        None => format!("{scheme}://{place}{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_what_may_be_a_password() {
        for (url, shown) in [
            ("sqlite:chat.db", "sqlite:chat.db"),
            ("postgres://me:hunter2@host:5432/db", "postgres://me@host:5432/db"),
            ("postgres://host/db?password=hunter2", "postgres://host/db?…"),
            ("postgres://me:hunt/er2@host/db", "postgres://…"),
            ("redis://:hunter2@host", "redis://@host"),
            ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }
}
