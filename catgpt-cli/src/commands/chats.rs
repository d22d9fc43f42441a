//! `catgpt chats`: what there is, and what was said.

mod organize;
mod search;
mod tree;
mod watch;

use std::io::{self, Write};
use std::sync::Arc;

use catgpt_core::{
    ChatModel, Engine, EngineBuilder, Error, ErrorKind, Message, Offline, Part, Role, SessionInfo, Status, User,
};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::transfer::{export, import};
use super::{block_on, jobs};
use crate::args::{ChatsAction, Common, List, Search, Show, Which};
use crate::config::{Config, Store};
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::out::Out;
use crate::refs::{self, Chats};
use crate::render::{picture, visible};
use organize::Mark;
pub(crate) use search::index;

pub(crate) fn chats(action: ChatsAction, common: &Common) -> Result<Exit, Failure> {
    let notes = Notes::new(common);
    if let ChatsAction::Reseal = action {
        return jobs::reseal(common, notes);
    }
    // What models cost matters only where one is asked.
    let config = Config::load(common)?;
    let builder = match jobs::model(&action, &config)? {
        Some(model) => config.settings.apply(Engine::builder().model(model)),
        None => Engine::builder().model(Offline::new()),
    };
    let out = match &action {
        ChatsAction::List(List { json: false, .. })
        | ChatsAction::Show(Show { json: false, .. })
        | ChatsAction::Search(Search { json: false, .. }) => Out::paged().colored(&config.colored(common)),
        _ => Out::stdout(),
    };
    with_store(&config, notes, builder, out, async |user, out| match action {
        ChatsAction::List(options) => list(user, &options, out, notes).await,
        ChatsAction::Show(options) => show(user, &options, out).await,
        ChatsAction::Search(options) => search::search(user, &options, out, notes).await,
        ChatsAction::Rename(options) => organize::rename(user, &options).await,
        ChatsAction::Pin(these) => organize::mark(user, &these, Mark::Pinned(true)).await,
        ChatsAction::Unpin(these) => organize::mark(user, &these, Mark::Pinned(false)).await,
        ChatsAction::Archive(these) => organize::mark(user, &these, Mark::Archived(true)).await,
        ChatsAction::Unarchive(these) => organize::mark(user, &these, Mark::Archived(false)).await,
        ChatsAction::Delete(options) => organize::delete(user, &options, notes).await,
        ChatsAction::Branches(options) => tree::branches(user, &options, out).await,
        ChatsAction::Select(options) => tree::select(user, &options).await,
        ChatsAction::Fork(options) => tree::fork(user, &options, out).await,
        ChatsAction::Watch(options) => watch::watch(user, &options, out).await,
        ChatsAction::Export(options) => export(user, &options, out, notes).await.map(|()| Exit::Ok),
        ChatsAction::Import(options) => import(user, &options, out, notes).await,
        // It needs no chat, and the store without its keys.
        ChatsAction::Reseal => Ok(Exit::Ok),
        ChatsAction::Title(options) => {
            out.line(&jobs::title(user, &options).await?)?;
            Ok(Exit::Ok)
        }
        ChatsAction::Summarize(options) => {
            match jobs::summarize(user, &options).await? {
                Some(summary) => out.line(&summary)?,
                None => notes.say("the chat goes on without a summary"),
            }
            Ok(Exit::Ok)
        }
    })
}

/// Does it with the store opened, what dead processes left behind told as it is, and stdout at hand.
fn with_store(
    config: &Config,
    notes: Notes,
    builder: EngineBuilder<Arc<dyn ChatModel>>,
    mut out: Out,
    work: impl AsyncFnOnce(&User, &mut Out) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let store = Store::choose(config)?;
    block_on(async {
        let engine = builder.memory(store.open(config, notes).await?).build();
        // What a process that died left behind is told as it is: interrupted.
        if let Err(error) = engine.sweep().await {
            notes.detail(error);
        }
        let done = match config.user(&engine) {
            Ok(user) => work(&user, &mut out).await,
            Err(error) => Err(error.into()),
        };
        let exit = out.end(done)?;
        // Who pressed Ctrl-C does not want to wait for what is being written: the store keeps all of it or nothing.
        if exit != Exit::Interrupt {
            engine.close(std::time::Duration::ZERO).await?;
        }
        Ok(exit)
    })
}

async fn list(user: &User, options: &List, out: &mut Out, notes: Notes) -> Result<Exit, Failure> {
    let mut chats = Chats::new(user, options.archived);
    let (mut rows, mut found) = (Vec::new(), false);
    for _ in 0..options.limit.unwrap_or(u32::MAX) {
        let Some(info) = chats.next().await? else { break };
        found = true;
        if options.json {
            out.json(&info)?;
            continue;
        }
        rows.push(columns(&info, out.terminal));
        // Programs need not wait for the widest column.
        if !out.terminal {
            out.rows(&rows)?;
            rows.clear();
        }
    }
    if !found {
        notes.say(if options.archived { "no chat is put away" } else { "there are no chats yet" });
    }
    out.rows(&rows)?;
    Ok(Exit::Ok)
}

/// Name, time, number of messages, title; on a terminal for people, else for programs.
fn columns(info: &SessionInfo, terminal: bool) -> [String; 4] {
    let id = info.id.as_str();
    let title: String = info.title.as_deref().unwrap_or_default().replace(char::is_control, " ");
    match terminal {
        true => {
            let mark = if info.pinned { "* " } else { "" };
            [format!("{mark}{}", refs::short(id)), local(info.updated_ms), info.messages.to_string(), title]
        }
        false => [id.to_owned(), utc(info.updated_ms), info.messages.to_string(), title],
    }
}

async fn show(user: &User, options: &Show, out: &mut Out) -> Result<Exit, Failure> {
    let session = refs::find(user, &options.chat).await?;
    let history = session.history(u32::MAX).await?;
    let messages = match options.message {
        None => history,
        Some(Which::Last) => history.into_iter().next_back().into_iter().collect(),
        Some(Which::Number(seq)) => vec![by_number(&session, seq).await?],
    };
    for (n, message) in messages.iter().enumerate() {
        if options.json {
            out.json(message)?;
        } else if options.message.is_some() {
            one(message, out)?;
        } else {
            let gap = if n > 0 { "\n" } else { "" };
            writeln!(out.to, "{gap}{}", heading(message))?;
            let text = in_words(message);
            out.text(&text)?;
            if !text.ends_with('\n') {
                out.to.write_all(b"\n")?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// A message of any branch.
async fn by_number(session: &catgpt_core::Session, seq: u64) -> Result<Message, Error> {
    let found = match seq {
        0 => None,
        seq => session.tree(seq - 1, 1).await?.into_iter().find(|message| message.seq == seq),
    };
    found.ok_or_else(|| Error::new(ErrorKind::NotFound, "this chat has no such message").with("message", seq))
}

/// What was said, with words where a picture is.
fn in_words(message: &Message) -> String {
    let mut said = String::new();
    for part in message.content.parts() {
        match part {
            Part::Text { text } => said.push_str(text),
            Part::Image(image) => {
                said.push_str(if said.is_empty() || said.ends_with('\n') { "" } else { "\n" });
                said.push_str(&picture(image));
                said.push('\n');
            }
            _ => {}
        }
    }
    said
}

/// One message's text and nothing else; how it ended is told beside it.
fn one(message: &Message, out: &mut Out) -> io::Result<()> {
    let text = message.text();
    out.text(&text)?;
    if out.terminal && !text.ends_with('\n') {
        out.to.write_all(b"\n")?;
    }
    if message.status != Status::Complete {
        out.to.flush()?;
        crate::notes::tell(format_args!("this message is {}", ending(message)));
    }
    Ok(())
}

fn heading(message: &Message) -> String {
    let who = match message.role {
        Role::User => "you",
        Role::Assistant => message.model.as_deref().unwrap_or("assistant"),
        other => other.as_str(),
    };
    let state = match message.status {
        Status::Complete => String::new(),
        _ => format!(" · {}", ending(message)),
    };
    format!("── {} · {} · {}{state}", message.seq, visible(who), local(message.created_ms))
}

fn ending(message: &Message) -> String {
    let waits: Vec<_> = message.pending().into_iter().map(|call| visible(&call.name).replace('\n', " ")).collect();
    match &message.error {
        Some(error) => format!("{} ({})", message.status, error.kind),
        None if !waits.is_empty() => format!("{} (waits for {})", message.status, waits.join(", ")),
        None => message.status.to_string(),
    }
}

pub(crate) fn local(ms: i64) -> String {
    let zoned = Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M").to_string()
}

fn utc(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}
