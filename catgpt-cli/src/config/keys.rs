//! Keys: where they are looked for, and the file that keeps them. A key is never shown, and never an argument.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::PoisonError;

use catgpt_core::model::Protocol;
use catgpt_core::{Error, ErrorKind, Result, Secret};
use clap::ValueEnum;
use serde::Deserialize;

use super::{Config, Folders, private, var};
use crate::exit::invalid;
use crate::notes::tell;

/// The longest key. What is longer is something else, such as a private key.
const LONGEST: usize = 4096;

/// Who wants a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Provider {
    Openai,
    Anthropic,
}

impl Provider {
    pub(crate) const ALL: [Self; 2] = [Self::Openai, Self::Anthropic];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
        }
    }

    /// Whose models speak this protocol.
    pub(crate) fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Anthropic => Self::Anthropic,
            _ => Self::Openai,
        }
    }

    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::Openai => Protocol::OpenAi,
            Self::Anthropic => Protocol::Anthropic,
        }
    }

    pub(crate) fn variable(self) -> &'static str {
        self.protocol().key_variable()
    }
}

/// A program whose output is a key: OpenAI's, or a provider's each.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "key_command is a list of words, [\"pass\", \"show\", \"openai\"], or one for each provider; for a shell \
                 write [\"sh\", \"-c\", \"…\"]"
)]
pub(crate) enum KeyCommand {
    One(Vec<String>),
    Each(BTreeMap<Provider, Vec<String>>),
}

impl KeyCommand {
    pub(crate) fn of(&self, provider: Provider) -> Option<&[String]> {
        match self {
            Self::One(words) => (provider == Provider::Openai).then_some(words),
            Self::Each(each) => each.get(&provider).map(Vec::as_slice),
        }
    }
}

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `--key-file`.
    Option(PathBuf),
    Variable(&'static str),
    /// The program of `key_command`.
    Command(String),
    /// The key file.
    Kept(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(path) => write!(f, "--key-file ({})", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Command(program) => write!(f, "key_command ({program})"),
            Self::Kept(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Where the key of a provider would be taken from. It is not looked at, and nothing is run.
pub(crate) fn source(config: &Config, provider: Provider) -> Result<Option<Source>> {
    if let Some(path) = &config.key_file {
        return Ok(Some(Source::Option(path.clone())));
    }
    if var(provider.variable()).is_some() {
        return Ok(Some(Source::Variable(provider.variable())));
    }
    if let Some(words) = config.settings.key_command.as_ref().and_then(|command| command.of(provider)) {
        return Ok(Some(Source::Command(words.first().cloned().unwrap_or_default())));
    }
    let Ok(folders) = Folders::find() else { return Ok(None) };
    let is_kept = kept(&folders.keys)?.contains_key(&provider);
    Ok(is_kept.then_some(Source::Kept(folders.keys)))
}

/// The key of a provider, if there is one. A source that was named and gives none is an error, not a reason to go on.
pub(crate) fn find(config: &Config, provider: Provider) -> Result<Option<Secret>> {
    if let Some(key) = config.found.lock().unwrap_or_else(PoisonError::into_inner).get(&provider) {
        return Ok(Some(key.clone()));
    }
    let Some(source) = source(config, provider)? else { return Ok(None) };
    let key = match &source {
        Source::Option(path) => from_file(path)?,
        Source::Variable(name) => var(name).unwrap_or_default(),
        Source::Command(_) => {
            let command = config.settings.key_command.as_ref().and_then(|command| command.of(provider));
            run(command.unwrap_or_default())?
        }
        Source::Kept(path) => kept(path)?.remove(&provider).unwrap_or_default(),
    };
    let key = read(&key).map_err(|error| error.with("from", source))?;
    config.found.lock().unwrap_or_else(PoisonError::into_inner).insert(provider, key.clone());
    Ok(Some(key))
}

/// A key as a header can carry it. It is not quoted in the error.
pub(crate) fn read(text: &str) -> Result<Secret> {
    let key = text.trim();
    let fail = |sentence: &'static str| Err(Error::new(ErrorKind::Unauthorized, sentence));
    if key.is_empty() {
        return fail("there is no key: it is empty");
    }
    if key.len() > LONGEST || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return fail("this is no key: one is a line of letters, digits and signs, without spaces");
    }
    Ok(Secret::new(key))
}

/// The first line of a file, which may be a pipe: `--key-file <(pass show openai)`.
fn from_file(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| {
        let sentence = "the file of --key-file cannot be read";
        Error::new(ErrorKind::Unauthorized, sentence).with("path", path.display()).caused_by(error)
    })?;
    // The system that mounts a secret chooses its mode, so that is no reason to do nothing.
    if let Some(mode) = private::open_to_others(path).filter(|_| path.is_file()) {
        let path = path.display();
        tell(format_args!("others may read the key in {path} (mode {mode:o}): chmod 600 {path}"));
    }
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The first line that the program writes. What it asks, it asks on the terminal.
fn run(words: &[String]) -> Result<String> {
    let fail = |sentence: &'static str| Error::new(ErrorKind::Unauthorized, sentence);
    let Some((program, rest)) = words.split_first() else { return Err(fail("key_command names no program")) };
    let output = Command::new(program).args(rest).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| {
        fail("the program of key_command cannot be started").with("program", program).caused_by(error)
    })?;
    if !output.status.success() {
        return Err(fail("key_command failed").with("program", program).with("status", output.status));
    }
    let text = String::from_utf8(output.stdout).map_err(|_| fail("key_command wrote what is no text"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The keys of the key file. One that others may read is refused: it has been read already, perhaps.
fn kept(path: &Path) -> Result<BTreeMap<Provider, String>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(invalid("your keys cannot be read").with("path", path.display()).caused_by(error)),
    };
    if let Some(mode) = private::open_to_others(path) {
        let sentence = format!("others may read your keys: chmod 600 {}", path.display());
        return Err(invalid(sentence).with("mode", format!("{mode:o}")));
    }
    // The parser's own words may quote a key.
    toml::from_str(&text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = text[..at].matches('\n').count() + 1;
        let sentence = "your keys cannot be read: a line is openai = \"…\" or anthropic = \"…\"";
        invalid(sentence).with("path", path.display()).with("line", line)
    })
}

/// The names of the keys in the key file.
pub(crate) fn names(path: &Path) -> Result<Vec<Provider>> {
    Ok(kept(path)?.into_keys().collect())
}

/// Keeps a key, instead of the one that is there.
pub(crate) fn keep(path: &Path, provider: Provider, key: &Secret) -> Result<()> {
    let mut keys = kept(path)?;
    keys.insert(provider, key.expose().to_owned());
    write(path, &keys)
}

/// Forgets a key; whether there was one.
pub(crate) fn forget(path: &Path, provider: Provider) -> Result<bool> {
    let mut keys = kept(path)?;
    let was = keys.remove(&provider).is_some();
    if was {
        write(path, &keys)?;
    }
    Ok(was)
}

fn write(path: &Path, keys: &BTreeMap<Provider, String>) -> Result<()> {
    let line = |(provider, key): (&Provider, &String)| format!("{} = {}\n", provider.name(), super::file::quoted(key));
    private::write(path, &keys.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keys_are_kept_by_name_and_read_by_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("catgpt/keys.toml");
        assert_eq!(names(&path).unwrap(), []);
        keep(&path, Provider::Anthropic, &Secret::new("a\"\\")).unwrap();
        keep(&path, Provider::Openai, &Secret::new("sk-1")).unwrap();
        keep(&path, Provider::Openai, &Secret::new("sk-2")).unwrap();
        assert_eq!(kept(&path).unwrap().into_values().collect::<Vec<_>>(), ["sk-2", "a\"\\"]);
        assert!(forget(&path, Provider::Openai).unwrap() && !forget(&path, Provider::Openai).unwrap());
        assert_eq!(names(&path).unwrap(), [Provider::Anthropic]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(names(&path).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn no_key_is_quoted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("keys.toml");
        for text in ["openai = sk-hunter2", "openia = 'sk-hunter2'", "openai = ['sk-hunter2']", "sk-hunter2"] {
            private::write(&path, text).unwrap();
            let error = names(&path).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        for text in ["", " ", "two words", "sk-\u{e9}", "-----BEGIN KEY-----\nabc", &"x".repeat(5000)] {
            assert_eq!(read(text).unwrap_err().kind(), ErrorKind::Unauthorized, "{text}");
        }
        assert_eq!(read(" sk-1\r\n").unwrap().expose(), "sk-1");
    }
}
