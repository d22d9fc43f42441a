//! What the command line, the environment and the user's folders say: which model, which persona, which store.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catgpt_core::{
    ChatModel, Encryption, Error, ErrorKind, Live, LocalKeys, Memory, Offline, OpenAi, Persona, Result, Sqlite, live,
    memory,
};
use etcetera::BaseStrategy;

use crate::args::{Ask, Common};
use crate::exit::invalid;

/// How long the offline cat pauses between words on a terminal, so that it is seen to stream.
const PACE: Duration = Duration::from_millis(25);

/// An environment variable that says something.
pub(crate) fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// The user's folders.
#[derive(Debug)]
pub(crate) struct Folders {
    /// Personas, one file each.
    pub(crate) personas: PathBuf,
    /// Chats.
    pub(crate) data: PathBuf,
    /// The user's own file.
    pub(crate) config: PathBuf,
}

impl Folders {
    pub(crate) fn find() -> Result<Self> {
        let base = etcetera::choose_base_strategy().map_err(|error| {
            invalid("your home folder is not known: set HOME, or name a store with --memory").caused_by(error)
        })?;
        let config = base.config_dir().join("catgpt");
        let (personas, data) = (config.join("personas"), base.data_dir().join("catgpt"));
        Ok(Self { personas, data, config: config.join("config.toml") })
    }
}

/// Which model answers, and whether it is one.
#[derive(Debug)]
pub(crate) enum Model {
    OpenAi(Box<OpenAi>),
    /// Nothing is configured: the built-in cat.
    Offline,
}

impl Model {
    /// Touches no network.
    pub(crate) fn choose(named: Option<&str>) -> Result<Self> {
        match OpenAi::from_env() {
            Ok(model) => Ok(Self::OpenAi(Box::new(match named {
                Some(name) => model.model(name),
                None => model,
            }))),
            Err(error) if error.kind() != ErrorKind::Unauthorized => Err(error),
            Err(_) => match named.map(str::to_owned).or_else(|| var("OPENAI_MODEL")) {
                Some(name) => Err(keyless(&name)),
                None => Ok(Self::Offline),
            },
        }
    }

    /// As the engine takes it.
    pub(crate) fn build(self, paced: bool) -> Arc<dyn ChatModel> {
        match self {
            Self::OpenAi(model) => Arc::new(*model),
            Self::Offline if paced => Arc::new(Offline::new().paced(PACE)),
            Self::Offline => Arc::new(Offline::new()),
        }
    }
}

fn keyless(model: &str) -> Error {
    let sentence = "this model needs a key: set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint without one, such \
                    as http://127.0.0.1:11434/v1";
    Error::new(ErrorKind::Unauthorized, sentence).with("model", model)
}

/// The persona that was asked for, if any was.
pub(crate) fn persona(ask: &Ask) -> Result<Option<Persona>> {
    match (&ask.system, &ask.persona) {
        (Some(system), _) => adhoc(system).map(Some),
        (None, Some(name)) => find(name).map(Some),
        (None, None) => Ok(None),
    }
}

fn adhoc(system: &str) -> Result<Persona> {
    let text = match system.strip_prefix('@') {
        Some(path) => fs::read_to_string(path).map_err(|error| {
            let sentence = "the file of the system prompt cannot be read as UTF-8 text";
            invalid(sentence).with("path", path).caused_by(error)
        })?,
        None => system.to_owned(),
    };
    // Plain words, not a template.
    Persona::new("custom", text.replace("{{", "{{{{"))
}

fn find(name: &str) -> Result<Persona> {
    if name.contains(std::path::MAIN_SEPARATOR) || name.ends_with(".md") {
        return Persona::load(name);
    }
    if let Some(persona) = Persona::builtin(name) {
        return Ok(persona);
    }
    let folder = Folders::find()?.personas;
    let file = folder.join(format!("{name}.md"));
    if file.is_file() {
        return Persona::load(file);
    }
    let known = Persona::BUILTIN.iter().map(|&name| name.to_owned()).chain(personas(&folder));
    Err(Error::new(ErrorKind::NotFound, format!("there is no persona \"{}\"", name.escape_debug()))
        .with("there are", known.collect::<Vec<_>>().join(", "))
        .with("or put it into", folder.display()))
}

/// The names of the user's own personas.
pub(crate) fn personas(folder: &Path) -> Vec<String> {
    let name = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".md").map(str::to_owned);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.filter_map(name).collect();
    names.sort();
    names
}

/// Where chats are kept.
#[derive(Debug)]
pub(crate) enum Store {
    /// A URL, and who said so.
    Url(String, &'static str),
    /// The user's own file.
    File(PathBuf),
}

impl Store {
    pub(crate) fn choose(common: &Common) -> Result<Self> {
        if let Some(url) = &common.memory {
            return Ok(Self::Url(url.clone(), "--memory"));
        }
        match var("DATABASE_URL") {
            Some(url) => Ok(Self::Url(url, "DATABASE_URL")),
            None => Ok(Self::File(Folders::find()?.data.join("catgpt.db"))),
        }
    }

    /// As a URL.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Url(url, _) => url.clone(),
            Self::File(path) => format!("sqlite:{}", path.display()),
        }
    }

    /// Opens it, and makes it if it is not there; what goes into it is encrypted if there are keys.
    pub(crate) async fn open(&self) -> Result<Arc<dyn Memory>> {
        let store = self.open_bare().await?;
        Ok(match encryption()? {
            Some(keys) => Arc::new(memory::Encrypted::new(store, keys)),
            None => store,
        })
    }

    /// Opens it without the keys.
    pub(crate) async fn open_bare(&self) -> Result<Arc<dyn Memory>> {
        match self {
            Self::Url(url, source) => memory::open(url).await.map_err(|error| error.with("from", source)),
            Self::File(path) => {
                make_folder(path)?;
                Ok(Arc::new(Sqlite::open(path).await?))
            }
        }
    }
}

/// Where answers are shown to other machines as they grow: a URL, and who said so.
#[derive(Debug)]
pub(crate) struct Shown(String, pub(crate) &'static str);

impl Shown {
    pub(crate) fn choose(common: &Common, store: &Store) -> Option<Self> {
        if let Some(url) = &common.live {
            return Some(Self(url.clone(), "--live"));
        }
        match store {
            Store::Url(..) => var("REDIS_URL").map(|url| Self(url, "REDIS_URL")),
            // It is nobody else's, so nothing of it goes where a variable happens to point.
            Store::File(_) => None,
        }
    }

    pub(crate) async fn open(&self) -> Result<Arc<dyn Live>> {
        let open = live::open(&self.0).await.map_err(|error| error.with("from", self.1))?;
        Ok(match encryption()? {
            Some(keys) => Arc::new(live::Encrypted::new(open, keys)),
            None => open,
        })
    }
}

/// Where the keys come from. Never from the command line, which others can read.
const KEYS: &str = "CATGPT_ENCRYPTION_KEYS";

/// With which keys chats are encrypted: those of the file that the variable names, or that stand in it.
pub(crate) fn encryption() -> Result<Option<Encryption>> {
    let open = |keys: String| LocalKeys::open(&keys).map(Encryption::new).map_err(|error| error.with("from", KEYS));
    var(KEYS).map(open).transpose()
}

/// Only its owner may look into a folder of chats.
fn make_folder(file: &Path) -> Result<()> {
    let Some(folder) = file.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
        let sentence = "the folder for the chats cannot be made: name another store with --memory";
        Error::new(ErrorKind::Store, sentence).with("path", folder.display()).caused_by(error)
    })
}
