//! The commands of a conversation: each asks the engine one thing, and tells what came of it.

use catgpt_core::{
    ChatModel, Content, Error, ErrorKind, Message, NewSession, Part, Result, Role, Send, SessionId, SessionInfo,
};

use super::words::{self, Word};
use super::{Next, Repl, draft};
use crate::args::Ask;
use crate::chat::Chat;
use crate::commands::{index, local};
use crate::config::{Model, known_personas};
use crate::exit::{Exit, Failure, invalid, told};
use crate::notes::{OFFLINE, tell};
use crate::refs::{self, short};
use crate::render::visible;
use crate::said::Said;
use crate::signals::{Caught, Signals};

/// How many chats and hits are listed.
const LISTED: u32 = 20;
/// How much of a message is looked back for first, in messages.
const BACK: [u32; 2] = [4, u32::MAX];

impl Repl<'_> {
    /// Does what the line says. An error is told, and the conversation goes on.
    pub(super) async fn obey(&mut self, word: Word<'_>, signals: &mut Signals) -> Result<Next, Failure> {
        let send = match word {
            Word::Quit => return Ok(Next::Leave(Exit::Ok)),
            Word::Say(text) => self.said(text).map(Some),
            Word::Retry => Ok(Some(self.chat.session.regenerate(None))),
            Word::Continue => Ok(Some(self.chat.session.continue_reply(None))),
            Word::Edit => self.rewritten(signals).await,
            Word::Search(words) => tokio::select! {
                done = self.search(words) => done.map(|()| None),
                caught = signals.next() => match caught {
                    Caught::Interrupt => Err(invalid("the search was stopped")),
                    caught => return Ok(Next::Leave(caught.exit())),
                }
            },
            word => self.manage(word).await.map(|()| None),
        };
        match send {
            Ok(Some(send)) => return self.turn(send, signals).await,
            Ok(None) => {}
            Err(error) => tell(told(&error)),
        }
        Ok(Next::Ask)
    }

    /// What sends nothing.
    async fn manage(&mut self, word: Word<'_>) -> Result<()> {
        match word {
            Word::New(name) => self.new_chat(name).await?,
            Word::Open(chat) => self.open(chat).await?,
            Word::List => self.list().await?,
            Word::Rename(title) => self.rename(title).await?,
            Word::Fork(name) => self.fork(name).await?,
            Word::Undo => self.undo().await?,
            Word::Persona(name) => self.choose_persona(name).await?,
            Word::Model(name) => self.choose_model(name).await?,
            Word::File(path) => self.add_file(path)?,
            Word::Help => self.print(&words::help()),
            Word::Wrong(why) => tell(why),
            Word::Nothing | Word::Quit => {}
            // What is said, and what can be stopped, is done before.
            Word::Say(_) | Word::Retry | Word::Continue | Word::Edit | Word::Search(_) => {}
        }
        Ok(())
    }

    fn said(&self, text: &str) -> Result<Send> {
        let (session, content) = (&self.chat.session, self.content(text)?);
        Ok(match self.instead {
            Some(first) => session.edit(first, content),
            None => session.send(content),
        })
    }

    /// What is said, with the files that were named before.
    fn content(&self, text: &str) -> Result<Content> {
        let (prompt, files) = (vec![text.to_owned()], self.files.clone());
        let said = Said::read(&Ask { prompt, files, no_stdin: true, ..Ask::default() }, None, self.notes)?;
        Ok(said.map(|said| said.content).unwrap_or_default())
    }

    fn add_file(&mut self, path: &str) -> Result<()> {
        if path == "-" {
            return Err(invalid("name a file: what you type is your message already"));
        }
        let files = vec![path.to_owned()];
        Said::read(&Ask { files, no_stdin: true, ..Ask::default() }, None, self.notes)?;
        self.files.push(path.to_owned());
        self.notes.say(format_args!("{} goes with your next message", path.escape_debug()));
        Ok(())
    }

    async fn new_chat(&mut self, name: Option<&str>) -> Result<()> {
        let user = self.chat.user.clone();
        let session = match name {
            None => user.new_session(),
            Some(name) => match refs::open(&user, name).await? {
                (session, true) => session,
                _ => return Err(invalid("there is such a chat already: /open goes on with it").with("chat", name)),
            },
        };
        self.go_to(Chat::begin(&user, session, self.ask))?;
        self.notes.say("a new chat begins");
        Ok(())
    }

    async fn open(&mut self, word: &str) -> Result<()> {
        let numbered = word.parse().ok().and_then(|n: usize| self.listed.get(n.checked_sub(1)?));
        let word = numbered.cloned().unwrap_or_else(|| word.to_owned());
        let chat = Chat::open(&self.chat.user, &word, self.notes).await?;
        self.go_to(chat)?;
        self.show_last().await
    }

    /// A chat that keeps its model is not answered by another one; if that cannot be asked, this chat goes on.
    fn go_to(&mut self, chat: Chat) -> Result<()> {
        let asked = self.answers.is_some();
        self.turn_to(chat.kept.model.as_deref())?;
        if asked && self.answers.is_none() {
            self.notes.say(OFFLINE);
        }
        self.chat = chat;
        (self.persona, self.instead) = (None, None);
        Ok(())
    }

    async fn list(&mut self) -> Result<()> {
        let chats = self.chat.user.sessions(None, LISTED).await?.sessions;
        if chats.is_empty() {
            self.notes.say("there are no chats yet");
        }
        self.listed = chats.iter().map(|info| info.id.to_string()).collect();
        let row = |(n, info): (usize, &SessionInfo)| {
            let here = if &info.id == self.chat.session.id() { ">" } else { " " };
            let name = short(info.id.as_str()).replace(char::is_control, " ");
            let title = info.title.as_deref().unwrap_or_default().replace(char::is_control, " ");
            [format!("{here}{n:>2}"), local(info.updated_ms), info.messages.to_string(), format!("{name}  {title}")]
        };
        for [n, when, count, name] in (1..).zip(&chats).map(row) {
            self.print(&format!("{n}  {when}  {count:>4}  {name}\n"));
        }
        Ok(())
    }

    async fn search(&mut self, question: &str) -> Result<()> {
        index(&self.chat.user, self.notes).await?;
        let page = self.chat.user.search(question, None, LISTED).await?;
        if page.hits.is_empty() {
            self.notes.say("nothing has all of these words");
        }
        self.listed = page.hits.iter().map(|hit| hit.session.id.to_string()).collect();
        for (n, hit) in (1..).zip(&page.hits) {
            let snippet: String = hit.snippet.iter().map(|piece| piece.text.as_str()).collect();
            let snippet = snippet.replace(char::is_control, " ");
            let name = short(hit.session.id.as_str()).replace(char::is_control, " ");
            self.print(&format!(" {n:>2}  {name}  {}  {snippet}\n", local(hit.at_ms)));
        }
        Ok(())
    }

    async fn rename(&mut self, title: &str) -> Result<()> {
        let session = &self.chat.session;
        if self.chat.is_new() {
            session.create(NewSession { title: Some(title.to_owned()), ..NewSession::default() }).await?;
            return self.chat.settle().await;
        }
        session.rename(title).await
    }

    async fn fork(&mut self, name: Option<&str>) -> Result<()> {
        let name = name.map_or_else(|| Ok(SessionId::fresh()), SessionId::new)?;
        let copy = self.chat.session.fork(name, None).await.map_err(nothing_yet)?;
        let chat = Chat::open(&self.chat.user, copy.id().as_str(), self.notes).await?;
        self.notes.say(format_args!("going on in the copy {}", short(copy.id().as_str()).escape_debug()));
        self.go_to(chat)
    }

    /// What was undone stays on a branch of its own.
    async fn undo(&mut self) -> Result<()> {
        if self.instead.is_some() {
            return Err(invalid("this chat is back at its beginning"));
        }
        let last = self.last_said().await?;
        match last.parent {
            Some(before) => self.chat.session.select(before, None).await?,
            // No branch ends before the first message, but another one can stand beside it.
            None => self.instead = Some(last.seq),
        }
        let text = last.text();
        let line = visible(text.lines().next().unwrap_or_default()).into_owned();
        self.notes.say(format_args!("back to before: {line}"));
        Ok(())
    }

    /// The last message of the user, otherwise; `None` if it was left as it is.
    async fn rewritten(&mut self, signals: &mut Signals) -> Result<Option<Send>> {
        let last = self.last_said().await?;
        let before = last.text();
        let after = draft::edit(before.clone()).await;
        // Ctrl-C was meant for the editor.
        signals.forget();
        let after = after?;
        if after.trim().is_empty() || after.trim_end() == before.trim_end() {
            tell("nothing was changed, and nothing was sent");
            return Ok(None);
        }
        let images = last.content.parts().iter().filter_map(|part| match part {
            Part::Image(image) => Some(image.clone()),
            _ => None,
        });
        let content = images.fold(Content::from(after), Content::image);
        Ok(Some(self.chat.session.edit(last.seq, content)))
    }

    async fn last_said(&self) -> Result<Message> {
        for last in BACK {
            let history = self.chat.session.history(last).await.map_err(nothing_yet)?;
            if let Some(said) = history.into_iter().rfind(|message| message.role == Role::User) {
                return Ok(said);
            }
        }
        Err(invalid(NOTHING_YET))
    }

    async fn choose_persona(&mut self, name: Option<&str>) -> Result<()> {
        let Some(name) = name else {
            self.print(&(known_personas().join("\n") + "\n"));
            return Ok(());
        };
        let ask = Ask { persona: Some(name.to_owned()), ..Ask::default() };
        let Some(persona) = self.config.persona(&ask)? else { return Ok(()) };
        if self.chat.is_new() {
            self.persona = Some(persona.clone());
        } else {
            self.chat.session.set_persona(&persona).await?;
        }
        self.notes.say(format_args!("{} answers from now on", persona.name.escape_debug()));
        Ok(())
    }

    async fn choose_model(&mut self, name: Option<&str>) -> Result<()> {
        let Some(name) = name else {
            let current = self.answers.as_deref().map(|name| self.models.in_full(name));
            for model in self.models.models().await? {
                let mark = if current.as_deref() == Some(&*model.id) { "> " } else { "  " };
                self.print(&format!("{mark}{}\n", visible(&model.id)));
            }
            return Ok(());
        };
        self.turn_to(Some(name))?;
        self.chat.set_model(Some(name.to_owned()));
        self.notes.say(format_args!("{} answers in this chat from now on", name.escape_debug()));
        Ok(())
    }
}

impl Repl<'_> {
    /// Has this model answer, any provider's, or the usual one.
    fn turn_to(&mut self, name: Option<&str>) -> Result<()> {
        let usual = || self.ask.model.as_deref().filter(|name| !name.is_empty());
        let model = Model::choose(&self.config, name.or_else(usual))?;
        let settings = &self.config.settings;
        if matches!(model, Model::Offline) && (settings.titles || settings.summaries) {
            let sentence = "the offline cat would answer, who makes neither titles nor summaries: leave, and say \
                            catgpt chat -m offline";
            return Err(invalid(sentence));
        }
        self.answers = self.models.turn_to(model);
        Ok(())
    }
}

const NOTHING_YET: &str = "nothing was said here yet";

/// A chat that is not there is one in which nobody has spoken.
fn nothing_yet(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound { invalid(NOTHING_YET) } else { error }
}
