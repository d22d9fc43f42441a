//! `catgpt chats search`: where something was said.

use std::io::{self, Write};

use catgpt_core::{Progress, Result, SearchHit, User};

use super::{local, utc};
use crate::args::Search;
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::out::Out;
use crate::progress::Line;
use crate::refs::short;
use crate::render::visible;

/// Until all of it is shown, or until Ctrl-C.
pub(super) async fn search(user: &User, options: &Search, out: &mut Out, notes: Notes) -> Result<Exit, Failure> {
    tokio::select! {
        done = find(user, options, out, notes) => done,
        Ok(()) = tokio::signal::ctrl_c() => Ok(Exit::Interrupt),
    }
}

/// Makes findable what is not yet, and shows how many messages that were. Whoever ends it loses nothing: the next one
/// goes on from there.
pub(crate) async fn index(user: &User, notes: Notes) -> Result<()> {
    let (mut line, mut steps) = (Line::new("indexing", notes), 0);
    let show = |done| {
        steps += 1;
        // What takes one step only is over before anybody has read of it.
        if steps > 1 {
            line.show(Progress { done, total: None });
        }
    };
    user.index(show).await
}

/// Who finds nothing is told by an exit code, as `grep` does.
async fn find(user: &User, options: &Search, out: &mut Out, notes: Notes) -> Result<Exit, Failure> {
    index(user, notes).await?;
    let question = options.words.join(" ");
    let (mut after, mut left) = (None, options.limit);
    loop {
        let page = user.search(&question, after, left.min(100)).await?;
        for hit in &page.hits {
            if options.json { out.json(hit)? } else { line(hit, out)? }
        }
        left -= u32::try_from(page.hits.len()).unwrap_or(left);
        if page.next.is_none() || left == 0 {
            if !page.complete {
                notes.say("not everything could be looked at yet; search again");
            }
            return Ok(if left == options.limit { Exit::Failed } else { Exit::Ok });
        }
        after = page.next;
    }
}

/// Chat, message, time, and the part where the words are; on a terminal with the words in bold.
fn line(hit: &SearchHit, out: &mut Out) -> io::Result<()> {
    let id = hit.session.id.as_str();
    let seq = hit.seq.map_or_else(|| "title".to_owned(), |seq| seq.to_string());
    let bold = out.bold;
    let piece = |text: &str, hit: bool| {
        let text = visible(text).replace(['\n', '\t'], " ");
        if hit && bold { format!("\x1b[1m{text}\x1b[0m") } else { text }
    };
    let snippet: String = hit.snippet.iter().map(|part| piece(&part.text, part.hit)).collect();
    match out.terminal {
        true => writeln!(out.to, "{}  {}  {seq:>5}  {snippet}", short(id), local(hit.at_ms)),
        false => writeln!(out.to, "{id}\t{seq}\t{}\t{snippet}", utc(hit.at_ms)),
    }
}
