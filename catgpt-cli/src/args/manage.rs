//! The words of the commands that manage what stands beside the chats: personas, models, keys, the configuration, and
//! what a shell knows of all this.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::keys::Provider;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Personas {
    #[command(subcommand)]
    action: Option<PersonasAction>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PersonasAction {
    /// List who can answer, built in and your own
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show what a persona is told
    Show {
        /// Its name, or a file (NAME.md)
        #[arg(value_name = "NAME")]
        persona: String,
    },
    /// Open a persona of your own in $VISUAL or $EDITOR; a new one begins as a template
    Edit {
        /// Its name: 1 to 64 of a-z, 0-9, _ and -
        #[arg(value_name = "NAME")]
        persona: String,
    },
    /// Tell in which folder your own are
    Path,
}

impl Personas {
    pub(crate) fn action(self) -> PersonasAction {
        self.action.unwrap_or(PersonasAction::List { json: self.json })
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Models {
    #[command(subcommand)]
    action: Option<ModelsAction>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsAction {
    /// List what the endpoint has
    List {
        /// Whose; else those of the provider whose model answers
        #[arg(value_enum, value_name = "PROVIDER")]
        of: Option<Provider>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Tell which model answers if none is named, or choose it
    Default {
        /// From now on this one
        #[arg(value_name = "NAME")]
        model: Option<String>,
    },
}

impl Models {
    pub(crate) fn action(self) -> ModelsAction {
        self.action.unwrap_or(ModelsAction::List { of: None, json: self.json })
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Keys {
    #[command(subcommand)]
    action: Option<KeysAction>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// List whose keys there are, and where they come from; never a key
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Keep a key: asked for on a terminal, else read from stdin
    Set {
        /// Whose key it is
        #[arg(value_enum, default_value = "openai", value_name = "NAME")]
        name: Provider,
    },
    /// Forget a key
    #[command(visible_alias = "rm")]
    Remove {
        /// Whose key it is
        #[arg(value_enum, value_name = "NAME")]
        name: Provider,
    },
}

impl Keys {
    pub(crate) fn action(self) -> KeysAction {
        self.action.unwrap_or(KeysAction::List { json: self.json })
    }
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Configure {
    #[command(subcommand)]
    action: Option<ConfigureAction>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigureAction {
    /// Show what holds, and who says it; never a key or a password
    Show {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Tell where your file is
    Path,
    /// Open your file in $VISUAL or $EDITOR; a new one begins with examples
    Edit,
    /// Change one value; comments and the rest of the file stay
    Set {
        /// Which, such as model or persona
        #[arg(value_name = "SETTING")]
        setting: String,
        /// What it is from now on
        #[arg(value_name = "VALUE")]
        value: String,
    },
}

impl Configure {
    pub(crate) fn action(self) -> ConfigureAction {
        self.action.unwrap_or(ConfigureAction::Show { json: self.json })
    }
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell; or the manual
    #[arg(value_enum, value_name = "SHELL|man")]
    pub(crate) target: Target,
    /// With man: a page for each command, into this folder
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
    Man,
}

/// A line as far as it is typed.
#[derive(Debug, Args)]
#[command(trailing_var_arg = true)]
pub(crate) struct Given {
    /// The words up to the cursor, the program first; or one line, with --line
    #[arg(allow_hyphen_values = true, value_name = "WORD")]
    pub(crate) words: Vec<String>,
    /// The shell gives one line, and this part of its last word is what it replaces
    #[arg(long, value_name = "PART", allow_hyphen_values = true)]
    pub(crate) line: Option<String>,
}
