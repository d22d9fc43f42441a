//! The words of one turn.

use clap::{Args, ValueEnum};

use super::options::{Block, Setting};

/// One turn.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// What to say; text on stdin goes before it
    #[arg(value_name = "PROMPT")]
    pub(crate) prompt: Vec<String>,
    /// Go on with the chat used last
    #[arg(short, long = "continue", conflicts_with = "session", help_heading = CHAT)]
    pub(crate) continue_last: bool,
    /// Go on with this chat (a name, an id's beginning, @ or @N), or begin one with this name [env: CATGPT_SESSION]
    #[arg(short, long, value_name = "CHAT", help_heading = CHAT)]
    pub(crate) session: Option<String>,
    /// Begin no chat: one that is not there is an error
    #[arg(long, help_heading = CHAT)]
    pub(crate) must_exist: bool,
    /// Keep nothing: what is said is forgotten, and a chat that is named stays as it is
    #[arg(long, conflicts_with = "live", help_heading = CHAT)]
    pub(crate) no_save: bool,
    /// Have the model make a title, if this begins a chat; else the first line is the title
    #[arg(long, help_heading = CHAT)]
    pub(crate) title: bool,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Who answers from now on: a persona's name or a file (NAME.md)
    #[arg(short, long, value_name = "NAME|FILE", conflicts_with = "system", help_heading = WHO)]
    pub(crate) persona: Option<String>,
    /// A system prompt instead of a persona, from now on
    #[arg(long, value_name = "TEXT|@FILE", help_heading = WHO)]
    pub(crate) system: Option<String>,
    /// Which model answers in this chat from now on; "" for the usual one again [env: OPENAI_MODEL]
    #[arg(short, long, help_heading = WHO)]
    pub(crate) model: Option<String>,
    /// How it answers in this chat from now on: temperature, top_p, max_tokens, seed, stop; K= takes one back
    #[arg(short, long = "option", value_name = "K=V", help_heading = WHO)]
    pub(crate) options: Vec<Setting>,
    /// Put a text or a picture before the prompt, - for stdin; may be given several times
    #[arg(short, long = "file", value_name = "PATH", help_heading = WHAT)]
    pub(crate) files: Vec<String>,
    /// Show a picture: a PNG, JPEG, GIF or WebP file, or a URL; may be given several times
    #[arg(short, long, value_name = "FILE|URL", help_heading = WHAT)]
    pub(crate) image: Vec<String>,
    /// A text file that the answer can lean on and cites; may be given several times
    #[arg(long, value_name = "FILE", help_heading = WHAT)]
    pub(crate) context: Vec<String>,
    /// Do not read stdin
    #[arg(long, help_heading = WHAT)]
    pub(crate) no_stdin: bool,
    /// Show the request that would be sent, without the key, and send and keep nothing
    #[arg(long, help_heading = WHAT)]
    pub(crate) dry_run: bool,
    /// What stdout gets: the text, one JSON object, or an event a line
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = OUT)]
    format: Option<Format>,
    /// The same as --format json
    #[arg(long, conflicts_with = "format", help_heading = OUT)]
    json: bool,
    /// The same as --format plain: the text as it is, also on a terminal
    #[arg(long, conflicts_with_all = ["format", "json"], help_heading = OUT)]
    raw: bool,
    /// Only what stands in a fenced code block: the first, the last, or the Nth; without one exit 1
    #[arg(short = 'x', long, value_name = "first|last|N", num_args = 0..=1, require_equals = true, default_missing_value = "first", conflicts_with = "json", help_heading = OUT)]
    pub(crate) extract: Option<Block>,
    /// Show the answer once it is whole
    #[arg(long, help_heading = OUT)]
    pub(crate) no_stream: bool,
    /// Show on stderr what the model thinks, if it tells
    #[arg(long, help_heading = OUT)]
    pub(crate) show_reasoning: bool,
    /// Tell on stderr what the answer used, and what it cost
    #[arg(short, long, help_heading = OUT)]
    pub(crate) usage: bool,
    /// Stop the answer after this long
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), help_heading = OUT)]
    pub(crate) timeout: Option<u32>,
}

const CHAT: &str = "Which chat";
const WHO: &str = "Who answers";
const WHAT: &str = "What is said";
const OUT: &str = "What is shown";

/// Where in the chat it belongs, if not at its end; without --session in the chat used last.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct Place {
    /// Go on with an answer that was cut off: message N, or the newest
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, conflicts_with_all = SAYING, help_heading = CHAT)]
    pub(crate) continue_reply: Option<Option<u64>>,
    /// Ask for another answer in the place of message N, or of the newest
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, conflicts_with_all = SAYING, help_heading = CHAT)]
    pub(crate) regenerate: Option<Option<u64>>,
    /// Say this instead of message N, which stays on a branch of its own
    #[arg(long, value_name = "N", help_heading = CHAT)]
    pub(crate) edit: Option<u64>,
    /// Say this after message N, as a new branch
    #[arg(long, value_name = "N", help_heading = CHAT)]
    pub(crate) after: Option<u64>,
}

/// What says something, and does not go with options that say nothing.
const SAYING: [&str; 3] = ["prompt", "image", "files"];

impl Place {
    /// Whether it is about what was said before, so that a new chat makes no sense.
    pub(crate) fn is_given(&self) -> bool {
        self.says_nothing() || self.edit.is_some() || self.after.is_some()
    }

    /// Whether nothing new is said.
    pub(crate) fn says_nothing(&self) -> bool {
        self.continue_reply.is_some() || self.regenerate.is_some()
    }
}

impl Ask {
    /// Whether nothing of this may be kept.
    pub(crate) fn forgets(&self) -> bool {
        self.no_save || self.dry_run
    }

    /// The user's own format, unless the command line says another.
    pub(crate) fn or_format(&mut self, own: Option<Format>) {
        if self.extract.is_none() {
            self.format = self.format.or(own);
        }
    }

    pub(crate) fn format(&self) -> Format {
        match (self.json, self.raw) {
            (true, _) => Format::Json,
            (_, true) => Format::Plain,
            _ => self.format.unwrap_or_default(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Auto,
    Plain,
    Json,
    Jsonl,
}
