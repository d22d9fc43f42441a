//! The command line: its words, its options, and which of them go together.

mod ask;
mod chat;
mod manage;
mod options;
mod organize;
mod transfer;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{
    ArgMatches, Args, ColorChoice, Command as Clap, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
};

pub(crate) use ask::{Ask, Format};
pub(crate) use chat::Chat;
pub(crate) use manage::{
    Completions, Configure, ConfigureAction, Given, Keys, KeysAction, Models, ModelsAction, Personas, PersonasAction,
    Target,
};
pub(crate) use options::{Block, Setting};
pub(crate) use organize::{Branches, Delete, Fork, Rename, Search, Select, These, Watch};
pub(crate) use transfer::{Backup, Export, Found, Import, Written};

/// Chat with a model from the shell. Every chat is remembered.
#[derive(Debug, Parser)]
#[command(name = "catgpt", version, disable_help_subcommand = true, after_help = EXAMPLES, after_long_help = LONG)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) ask: Ask,
    #[command(flatten)]
    pub(crate) common: Common,
}

macro_rules! examples {
    () => {
        "\
Examples:
  catgpt \"Why do cats purr?\"
  catgpt -c \"and in one line?\"               go on with the chat used last
  cat notes.md | catgpt -s notes summarise   a chat by name, about a file
  catgpt -f a.rs -x \"add tests\" > tests.rs   a file is read, only the code comes out
  catgpt -i cat.png \"what is this?\"          about a picture
  catgpt -- chats are fun                    a prompt that begins with a command's name"
    };
}

const EXAMPLES: &str = examples!();
const LONG: &str = concat!(
    examples!(),
    "

Environment:
  OPENAI_API_KEY    the key of the model's endpoint
  OPENAI_BASE_URL   another endpoint; without a key it is one that wants none
  OPENAI_MODEL      which model, unless --model says it
  DATABASE_URL      where chats are kept, unless --memory says it
  CATGPT_SESSION    the chat of this shell, unless --session or --continue says it
  CATGPT_ENCRYPTION_KEYS   a file of keys, with which chats are kept encrypted; else encryption_keys in config.toml
  REDIS_URL         where answers are shown as they grow, unless --live says it; only if one of the former is set

Exit codes:
  0  answered                             5    rate limit or quota: try later
  1  another failure                      6    provider or network does not answer, or not to the end
  2  wrong usage, configuration, input    7    refused by the provider, or too long for the model
  3  no such chat, persona or model       8    the store cannot be used, or the chat is busy
  4  key missing or refused               129, 130, 141, 143  hung up, Ctrl-C, reader gone, terminated"
);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask something; the same as without a command, for scripts
    Ask(Box<Ask>),
    /// Talk: what you type is answered until /quit; the same as `catgpt` alone on a terminal
    Chat(Box<Chat>),
    /// List the chats, search, show and change them
    Chats(Chats),
    /// List who can answer with --persona, show and change them
    Personas(Personas),
    /// List the models that can be chosen with --model, or choose the one for always
    Models(Models),
    /// Keep the keys of models
    Keys(Keys),
    /// Show and change what holds without options
    Config(Configure),
    /// Sum up what answers used, and what they cost
    Usage(Usage),
    /// Copy all chats into a new file, while they are in use
    Backup(Backup),
    /// Show which model, store and files are used, and whether they work
    Doctor,
    /// Write what completes words in a shell, or the manual
    Completions(Completions),
    /// What can stand at the end of a line
    #[command(name = "__complete", hide = true)]
    Complete(Given),
}

/// What goes with every command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Common {
    /// Where chats are kept: sqlite:PATH, postgres://… or memory: [env: DATABASE_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) memory: Option<String>,
    /// Where answers are shown to other machines as they grow: redis://… [env: REDIS_URL]
    #[arg(long, value_name = "URL", global = true)]
    pub(crate) live: Option<String>,
    /// A file whose first line is the model's key
    #[arg(long, value_name = "PATH", global = true)]
    pub(crate) key_file: Option<PathBuf>,
    /// Whose chats these are, in a store that several use; else those of this computer's user
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) owner: Option<String>,
    /// Never ask anything
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Whether there are colours: auto looks at NO_COLOR, CLICOLOR_FORCE, and whether it is a terminal
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub(crate) color: When,
    /// No notices on stderr; errors are still told
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Tell on stderr which chat, persona and model answer, and what it cost
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Chats {
    #[command(subcommand)]
    action: Option<ChatsAction>,
    #[command(flatten)]
    list: List,
}

impl Chats {
    pub(crate) fn action(self) -> ChatsAction {
        self.action.unwrap_or(ChatsAction::List(self.list))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ChatsAction {
    /// List the chats, the pinned ones first, then the one used last
    List(List),
    /// Show a chat, or one message of it exactly as it is stored
    Show(Show),
    /// Find messages and titles that have all of these words
    Search(Search),
    /// Give a chat another title
    Rename(Rename),
    /// Let chats stand before the others in the list
    Pin(These),
    /// Let them stand among the others again
    Unpin(These),
    /// Put chats away
    Archive(These),
    /// Take them out again
    Unarchive(These),
    /// Delete chats with all that was said
    Delete(Delete),
    /// List the branches of a chat: what edits and other answers have left behind
    Branches(Branches),
    /// Show the branch through this message from now on
    Select(Select),
    /// Copy a chat, whole or up to a message, into a new one
    Fork(Fork),
    /// Tell what happens to the chats, in any process, until Ctrl-C
    Watch(Watch),
    /// Write chats as text that can be read again: to stdout, or into a file
    Export(Export),
    /// Take in chats: what `export` wrote, ChatGPT's export (zip, folder or JSON), or another program's chat.db
    Import(Import),
    /// Have a model make a title of a chat's first message
    Title(Title),
    /// Have a model sum up a chat, which from then on goes on with that; nothing is deleted
    Summarize(Summarize),
    /// Encrypt all chats of the store with the first of your keys (CATGPT_ENCRYPTION_KEYS), whatever they were stored with before
    Reseal,
}

#[derive(Debug, Args)]
pub(crate) struct Usage {
    /// What is told apart
    #[arg(long, value_enum, value_delimiter = ',', default_value = "day")]
    pub(crate) by: Vec<By>,
    /// From this day on (UTC): 2026-01-31, or 7d for the last seven days
    #[arg(long, value_name = "DAY", value_parser = crate::commands::day)]
    pub(crate) since: Option<i64>,
    /// Only this chat
    #[arg(short, long, value_name = "CHAT")]
    pub(crate) session: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

/// By what usage is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Day,
    Model,
    #[value(alias = "session")]
    Chat,
    Purpose,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Those that are put away
    #[arg(long)]
    pub(crate) archived: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// A name, an id's beginning (4 characters or more), @ for the chat used last, @N for the Nth last
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// Only this message: its number, or `last`
    #[arg(value_name = "MESSAGE")]
    pub(crate) message: Option<Which>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Title {
    /// A name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// Which model is asked [env: OPENAI_MODEL]
    #[arg(short, long)]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Summarize {
    /// A name, an id's beginning, @ or @N
    #[arg(value_name = "CHAT")]
    pub(crate) chat: String,
    /// Up to this message's turn; else up to the newest one
    #[arg(long, value_name = "MESSAGE", conflicts_with = "undo")]
    pub(crate) upto: Option<u64>,
    /// Take the summary back: go on with the one before it, or without one
    #[arg(long, conflicts_with = "model")]
    pub(crate) undo: bool,
    /// Which model is asked [env: OPENAI_MODEL]
    #[arg(short, long)]
    pub(crate) model: Option<String>,
}

/// One message of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Number(u64),
    Last,
}

impl std::str::FromStr for Which {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "last" => Ok(Self::Last),
            _ => text.parse().map(Self::Number).map_err(|_| "a message's number is expected, or `last`"),
        }
    }
}

/// Reads the command line. The error is clap's: also `--help` and `--version` are one.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let words: Vec<_> = words.into_iter().collect();
    let matches = Cli::command().color(color(&words)).try_get_matches_from(words)?;
    refuse_stray_options(&matches)?;
    Cli::from_arg_matches(&matches)
}

/// Whether help has colours. It is shown before all words are read, so they are looked through here.
fn color(words: &[OsString]) -> ColorChoice {
    let mut words = words.iter().map_while(|word| word.to_str().filter(|word| *word != "--"));
    let mut chosen = When::Auto;
    while let Some(word) = words.next() {
        let value = if word == "--color" { words.next() } else { word.strip_prefix("--color=") };
        chosen = value.and_then(|value| When::from_str(value, false).ok()).unwrap_or(chosen);
    }
    match chosen {
        When::Auto => ColorChoice::Auto,
        When::Always => ColorChoice::Always,
        When::Never => ColorChoice::Never,
    }
}

/// The short help, for those who said nothing.
pub(crate) fn help() -> String {
    Cli::command().render_help().to_string()
}

/// `catgpt -s trip chats list` could be meant as a prompt or as a command: neither is done.
fn refuse_stray_options(matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(command) = matches.subcommand_name() else { return Ok(()) };
    let given = |id: &clap::Id| matches.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let asks = Ask::augment_args(Clap::new("ask"));
    if !asks.get_arguments().any(|arg| given(arg.get_id())) {
        return Ok(());
    }
    let hint = format!(
        "`{command}` is a command, and what stands before it belongs to a prompt\n\n  \
         put its own options after it:            catgpt {command} …\n  \
         or say `--` before it if it is a prompt: catgpt … -- {command} …"
    );
    Err(Cli::command().error(clap::error::ErrorKind::ArgumentConflict, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        parse(std::iter::once("catgpt").chain(line.split_whitespace()).map(OsString::from))
    }

    fn prompt(line: &str) -> Option<Vec<String>> {
        let cli = read(line).ok()?;
        match cli.command {
            None => Some(cli.ask.prompt),
            Some(Command::Ask(ask)) => Some(ask.prompt),
            Some(_) => None,
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_and_options_stand_in_any_order() {
        for line in [
            "hi there -s x",
            "-s x hi there",
            "-i a.png hi -i b.png there",
            "hi -s x there",
            "ask hi there -s x",
            "ask -s x -- hi there",
        ] {
            assert_eq!(prompt(line).unwrap(), ["hi", "there"], "{line}");
        }
    }

    #[test]
    fn a_commands_name_is_a_prompt_after_two_dashes_or_another_word() {
        for line in ["-- chats list", "-s x -- chats list", "ask chats list"] {
            assert_eq!(prompt(line).unwrap(), ["chats", "list"], "{line}");
        }
        assert_eq!(prompt("why doctor").unwrap(), ["why", "doctor"]);
        assert_eq!(prompt("help me list chats").unwrap(), ["help", "me", "list", "chats"]);
    }

    #[test]
    fn an_option_before_a_command_is_refused_and_never_sent() {
        for line in
            ["-s foo chats list", "-c doctor", "--json chats", "-m x ask hi", "-i a.png models", "hello -q chats"]
        {
            let error = read(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains("--"), "{line}: {error}");
        }
        assert!(matches!(read("--memory memory: -q chats list").unwrap().command, Some(Command::Chats(_))));
    }

    #[test]
    fn help_has_colours_as_it_is_told() {
        let chosen = |line: &str| color(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(chosen("catgpt --color never --help"), ColorChoice::Never);
        assert_eq!(chosen("catgpt -h --color=never --color=always"), ColorChoice::Always);
        for line in ["catgpt hi", "catgpt -- --color never", "catgpt --color", "catgpt --color=blue"] {
            assert_eq!(chosen(line), ColorChoice::Auto, "{line}");
        }
    }

    #[test]
    fn what_excludes_each_other_is_refused() {
        for line in
            ["-c -s x hi", "-p cat --system x hi", "--json --format plain hi", "-q -v hi", "--format laid-out hi"]
        {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn what_says_nothing_takes_no_prompt() {
        for line in [
            "--continue-reply hi",
            "--regenerate=2 -i a.png",
            "--regenerate -f a.md",
            "--continue-reply --regenerate",
            "--edit 1 --after 2 x",
        ] {
            assert_eq!(read(line).unwrap_err().exit_code(), 2, "{line}");
        }
        let place = |line| read(line).unwrap().ask.place;
        assert_eq!(place("--continue-reply").continue_reply, Some(None));
        assert_eq!(place("-s trip --regenerate=4").regenerate, Some(Some(4)));
        assert!(place("--edit 3 something else").is_given() && !place("hi").is_given());
    }

    #[test]
    fn chats_lists_unless_told_otherwise() {
        let action = |line| match read(line).unwrap().command {
            Some(Command::Chats(chats)) => chats.action(),
            _ => panic!("{line}"),
        };
        assert!(matches!(action("chats"), ChatsAction::List(List { json: false, .. })));
        assert!(matches!(
            action("chats --json -n 3"),
            ChatsAction::List(List { json: true, limit: Some(3), archived: false })
        ));
        assert!(matches!(action("chats show @2 last"), ChatsAction::Show(Show { message: Some(Which::Last), .. })));
    }
}
