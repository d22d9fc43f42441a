//! The words of the commands that search and change chats.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Search {
    /// The words; the last one may be a beginning
    #[arg(value_name = "WORD", required = true)]
    pub(crate) words: Vec<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Rename {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// Its title
    #[arg(value_name = "TITLE", required = true)]
    pub(crate) title: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct These {
    /// Which chats: names, ids' beginnings, @ or @N
    #[arg(value_name = "CHAT", required = true)]
    pub(crate) chats: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Which chats: names, ids' beginnings, @ or @N
    #[arg(value_name = "CHAT", required_unless_present_any = ["empty", "all"])]
    pub(crate) chats: Vec<String>,
    /// Those in which nothing was ever said
    #[arg(long, conflicts_with_all = ["chats", "all"])]
    pub(crate) empty: bool,
    /// All of them, and whatever else is kept of you
    #[arg(long, conflicts_with = "chats")]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Branches {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Select {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// A message of the branch
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Fork {
    /// Which chat: a name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// The last message of the copy
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: Option<u64>,
    /// What the copy is called; else it has an id
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Go on after this number, as it stands in the first column
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u64>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}
