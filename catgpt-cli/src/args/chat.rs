//! The words of a conversation.

use clap::Args;

use super::Ask;
use super::options::Setting;

/// What goes with `catgpt chat`.
#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// What to say first; text on stdin goes before it
    #[arg(value_name = "PROMPT")]
    prompt: Vec<String>,
    /// Go on with the chat used last
    #[arg(short, long = "continue", conflicts_with = "session")]
    continue_last: bool,
    /// Go on with this chat (a name, an id's beginning, @ or @N), or begin one with this name [env: CATGPT_SESSION]
    #[arg(short, long, value_name = "CHAT")]
    session: Option<String>,
    /// Begin no chat: one that is not there is an error
    #[arg(long)]
    must_exist: bool,
    /// Keep nothing: what is said is forgotten, and a chat that is named stays as it is
    #[arg(long, conflicts_with = "live")]
    no_save: bool,
    /// Have the model make a title, if this begins a chat; else the first line is the title
    #[arg(long)]
    title: bool,
    /// Who answers from now on: a persona's name or a file (NAME.md)
    #[arg(short, long, value_name = "NAME|FILE", conflicts_with = "system")]
    persona: Option<String>,
    /// A system prompt instead of a persona, from now on
    #[arg(long, value_name = "TEXT|@FILE")]
    system: Option<String>,
    /// Which model answers in this chat from now on; "" for the usual one again [env: OPENAI_MODEL]
    #[arg(short, long)]
    model: Option<String>,
    /// How it answers in this chat from now on: temperature, top_p, max_tokens, seed, stop; K= takes one back
    #[arg(short, long = "option", value_name = "K=V")]
    options: Vec<Setting>,
    /// Put a text or a picture before the first prompt, - for stdin; may be given several times
    #[arg(short, long = "file", value_name = "PATH")]
    files: Vec<String>,
    /// Show a picture first: a PNG, JPEG, GIF or WebP file, or a URL; may be given several times
    #[arg(short, long, value_name = "FILE|URL")]
    image: Vec<String>,
    /// A text file that the answers can lean on and cite; may be given several times
    #[arg(long, value_name = "FILE")]
    context: Vec<String>,
    /// Show the answers as the model writes them, without layout
    #[arg(long)]
    raw: bool,
    /// Show on stderr what the model thinks, if it tells
    #[arg(long)]
    show_reasoning: bool,
    /// Tell on stderr what each answer used, and what it cost
    #[arg(short, long)]
    usage: bool,
}

impl From<Chat> for Ask {
    fn from(chat: Chat) -> Self {
        Self {
            prompt: chat.prompt,
            continue_last: chat.continue_last,
            session: chat.session,
            must_exist: chat.must_exist,
            no_save: chat.no_save,
            title: chat.title,
            persona: chat.persona,
            system: chat.system,
            model: chat.model,
            options: chat.options,
            files: chat.files,
            image: chat.image,
            context: chat.context,
            raw: chat.raw,
            show_reasoning: chat.show_reasoning,
            usage: chat.usage,
            ..Self::default()
        }
    }
}
