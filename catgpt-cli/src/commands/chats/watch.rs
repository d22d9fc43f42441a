//! `catgpt chats watch`: what happens to the chats, as it happens.

use std::io::{self, Write};

use catgpt_core::{News, User};
use futures_util::StreamExt;

use super::{local, utc};
use crate::args::Watch;
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::refs::short;
use crate::render::visible;
use crate::signals::Signals;

/// Until a signal, or until nobody reads.
pub(super) async fn watch(user: &User, options: &Watch, out: &mut Out) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    let mut feed = user.feed(options.after);
    loop {
        tokio::select! {
            news = feed.next() => match news {
                Some(news) => tell(&news?, options, out)?,
                None => return Ok(Exit::Ok),
            },
            caught = signals.next() => return Ok(caught.exit()),
        }
    }
}

/// Number, time, what happened, chat, title.
fn tell(news: &News, options: &Watch, out: &mut Out) -> io::Result<()> {
    let change = &news.change;
    if options.json {
        out.json(news)?;
        return out.to.flush();
    }
    let kind = serde_json::to_value(change.kind)?.as_str().unwrap_or_default().replace('_', " ");
    let title = news.info.as_ref().and_then(|info| info.title.as_deref()).unwrap_or_default();
    let title = visible(title).replace(['\n', '\t'], " ");
    let id = change.session.as_str();
    match out.terminal {
        true => writeln!(out.to, "{}  {}  {kind:10}  {}  {title}", change.n, local(change.at_ms), short(id))?,
        false => writeln!(out.to, "{}\t{}\t{kind}\t{id}\t{title}", change.n, utc(change.at_ms))?,
    }
    out.to.flush()
}
