//! Options of what takes chats in and out.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Which chats: names, ids' beginnings, @ or @N; without one all
    #[arg(value_name = "CHAT")]
    pub(crate) chats: Vec<String>,
    /// Everything as JSON Lines, or what a chat shows as Markdown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Written,
    /// Into this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Written {
    #[default]
    Jsonl,
    Md,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// A file, the folder of an export, or - for stdin
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What it is, if that cannot be told from it
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Found>,
    /// Only say what would become of each chat
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Found {
    Jsonl,
    Md,
    Chatgpt,
    #[value(name = "chat.db")]
    ChatDb,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The new file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}
