//! The user's own file, `config.toml`: what it may say, how it is read, and how one value of it is changed.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind::NotFound;
use std::path::Path;

use catgpt_core::{EngineBuilder, Error, Limit, Params, Prices, Result, Summaries, Titles};
use clap::ValueEnum;
use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::Folders;
use super::encryption::key_file;
use super::keys::KeyCommand;
use crate::args::{Format, When};
use crate::exit::invalid;

/// What a new file begins as.
pub(crate) const TEMPLATE: &str = include_str!("template.toml");

/// What stands at the top of the file and is one value, so that it can be set by name.
pub(crate) const SETTINGS: [&str; 12] = [
    "model",
    "base_url",
    "persona",
    "memory",
    "live",
    "owner",
    "encryption_keys",
    "format",
    "color",
    "key_command",
    "titles",
    "summaries",
];

/// How far a name may be from the one that was meant.
const NEAR: f64 = 0.75;

/// The file. What it does not say is as the engine has it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) model: Option<String>,
    pub(crate) base_url: Option<String>,
    pub(crate) persona: Option<String>,
    pub(crate) memory: Option<String>,
    pub(crate) live: Option<String>,
    pub(crate) owner: Option<String>,
    /// The file of the keys with which chats are encrypted.
    #[serde(deserialize_with = "key_file")]
    pub(crate) encryption_keys: Option<String>,
    #[serde(deserialize_with = "one_of")]
    pub(crate) format: Option<Format>,
    #[serde(deserialize_with = "one_of")]
    pub(crate) color: Option<When>,
    /// Whose output is the key.
    pub(crate) key_command: Option<KeyCommand>,
    /// How to answer, where the persona does not say it.
    pub(crate) options: Params,
    /// By model: `[prices."gpt-4o*"]`.
    pub(crate) prices: Prices,
    /// Each under `[[limits]]`.
    pub(crate) limits: Vec<Limit>,
    /// Whether a model makes titles.
    pub(crate) titles: bool,
    /// Whether a model sums up long chats.
    pub(crate) summaries: bool,
}

impl Settings {
    /// A file that is not there says nothing; one that cannot be read is an error.
    pub(super) fn read() -> Result<Self> {
        let Ok(folders) = Folders::find() else { return Ok(Self::default()) };
        match text(&folders.config)? {
            Some(text) => check(&text, &folders.config),
            None => Ok(Self::default()),
        }
    }

    /// The same, but nobody is asked for titles or summaries: what the offline cat says is neither.
    pub(crate) fn ask_no_model(&mut self) {
        (self.titles, self.summaries) = (false, false);
    }

    pub(crate) fn apply<M>(&self, builder: EngineBuilder<M>) -> EngineBuilder<M> {
        let builder = if self.titles { builder.titles(Titles::default()) } else { builder };
        let builder = if self.summaries { builder.summaries(Summaries::default()) } else { builder };
        self.limits.iter().cloned().fold(builder.prices(self.prices.clone()), EngineBuilder::limit)
    }
}

/// A file's text; `None` if there is no file.
pub(crate) fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == NotFound => Ok(None),
        Err(error) => {
            let sentence = "your configuration cannot be read as UTF-8 text";
            Err(invalid(sentence).with("path", path.display()).caused_by(error))
        }
    }
}

/// What a text says. An error names the line, and the setting that was probably meant.
pub(crate) fn check(text: &str, path: &Path) -> Result<Settings> {
    let wrong = |sentence: String, line: usize| invalid(sentence).with("path", path.display()).with("line", line);
    let settings: Settings = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or_default();
        let line = text[..span.start.min(text.len())].matches('\n').count() + 1;
        wrong(explain(error.message()), line)
    })?;
    settings.options.validate().map_err(|error| {
        let field = error.context("field").unwrap_or_default().to_owned();
        invalid(error.message().to_owned()).with("path", path.display()).with("setting", format!("options.{field}"))
    })?;
    Ok(settings)
}

/// What is wrong, with the name that was probably meant. The parser quotes names in backticks, the wrong one first.
fn explain(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = match names.next() {
        Some(name) if message.starts_with("unknown field") => name.escape_debug().to_string(),
        _ => return format!("your configuration is wrong: {message}"),
    };
    let known: Vec<&str> = names.collect();
    let begin = format!("your configuration has a setting \"{unknown}\" that is not known");
    match nearest(&unknown, &known) {
        Some(name) => format!("{begin}; is it \"{name}\"?"),
        None => format!("{begin}; known are {}", known.join(", ")),
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|known| (strsim::jaro_winkler(name, known), *known));
    let best = near.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(near, _)| *near >= NEAR).map(|(_, known)| known)
}

/// A word that the command line takes too.
fn one_of<'de, D: Deserializer<'de>, T: ValueEnum>(from: D) -> std::result::Result<Option<T>, D::Error> {
    let word = String::deserialize(from)?;
    T::from_str(&word, false).map(Some).map_err(|_| {
        let known: Vec<_> = T::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
        let known: Vec<_> = known.iter().map(clap::builder::PossibleValue::get_name).collect();
        de::Error::custom(format_args!("one of {} is expected", known.join(", ")))
    })
}

/// The file's text with another value for a setting at its top; comments and the rest stay as they are.
pub(crate) fn set(text: &str, name: &str, value: &str, path: &Path) -> Result<String> {
    // As it stands it must be right, or it is not known what would be changed.
    check(text, path)?;
    let there: BTreeMap<String, Spanned<toml::Value>> = toml::from_str(text).map_err(|_| unexpected(path))?;
    let put = |value: &str| match there.get(name) {
        Some(old) => format!("{}{value}{}", &text[..old.span().start], &text[old.span().end..]),
        None => format!("{name} = {value}\n{text}"),
    };
    let word = quoted(value);
    // A list or a number is one only where a word is not taken.
    let new = match check(&put(&word), path) {
        Ok(_) => put(&word),
        Err(first) => check(&put(value), path).map(|_| put(value)).map_err(|_| first)?,
    };
    Ok(new)
}

/// A TOML string.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn unexpected(path: &Path) -> Error {
    invalid("your configuration cannot be changed in place: edit it").with("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        check(text, Path::new("config.toml")).unwrap_err().to_string()
    }

    #[test]
    fn the_template_says_nothing() {
        check(TEMPLATE, Path::new("x")).unwrap();
        let said: Vec<_> = TEMPLATE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(said, [] as [&str; 0]);
        // Each line that could be one is right as soon as its mark is taken away.
        let all: String =
            TEMPLATE.lines().filter_map(|line| line.strip_prefix("#: ")).map(|line| line.to_owned() + "\n").collect();
        let settings = check(&all, Path::new("x")).unwrap();
        assert!(settings.model.is_some() && settings.key_command.is_some() && settings.limits.len() == 1);
    }

    #[test]
    fn an_unknown_setting_is_told_with_its_line_and_the_one_that_was_meant() {
        for (text, line, part) in [
            ("\nmodle = \"x\"", 2, "\"modle\" that is not known; is it \"model\"?"),
            ("[options]\ntemprature = 1", 2, "is it \"temperature\"?"),
            ("titles = true\n\n[prices.mock]\ninptu = 1", 4, "is it \"input\"?"),
            ("zzz = 1", 1, "known are model, base_url"),
            ("format = \"html\"", 1, "one of auto, plain"),
            ("key_command = \"pass openai\"", 1, "a list of words"),
            ("model = 7", 1, "expected a string"),
            ("[model", 1, "configuration is wrong"),
        ] {
            let error = wrong(text);
            assert!(error.contains(part) && error.contains(&format!("line: {line}")), "{text}: {error}");
        }
        assert!(wrong("[options]\ntemperature = 3").contains("options.temperature"));
    }

    #[test]
    fn a_value_is_changed_in_place() {
        let path = Path::new("config.toml");
        let text = "# mine\nmodel = 'a' # now\n[prices.a]\ninput = 1\noutput = 2\n";
        assert_eq!(
            set(text, "model", "b\"\\", path).unwrap(),
            "# mine\nmodel = \"b\\\"\\\\\" # now\n[prices.a]\ninput = 1\noutput = 2\n"
        );
        assert_eq!(set(text, "titles", "true", path).unwrap(), format!("titles = true\n{text}"));
        assert_eq!(set("", "persona", "plain", path).unwrap(), "persona = \"plain\"\n");
        for (name, value) in [("titles", "perhaps"), ("colour", "red"), ("model = 1\nx", "a"), ("format", "html")] {
            assert!(set(text, name, value, path).is_err(), "{name}");
        }
        assert!(set("[broken", "model", "a", path).is_err());
    }
}
