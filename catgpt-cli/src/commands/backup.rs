//! `catgpt backup`: a copy of all chats.

use catgpt_core::{Progress, memory};

use super::block_on;
use crate::args::{Backup, Common};
use crate::config::{Config, Store};
use crate::exit::{Exit, Failure};
use crate::notes::Notes;
use crate::progress::Line;

pub(crate) fn backup(options: &Backup, common: &Common) -> Result<Exit, Failure> {
    let (store, notes) = (Store::choose(&Config::load(common)?)?, Notes::new(common));
    let mut line = Line::new("copying", notes);
    block_on(async {
        let tell = move |done, total| line.show(Progress { done, total: Some(total) });
        memory::backup(&store.url(), &options.file, tell).await?;
        notes.say(format_args!("the chats are copied to {}", options.file.display()));
        Ok(Exit::Ok)
    })
}
