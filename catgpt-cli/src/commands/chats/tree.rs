//! The branches of a chat: listed, shown, made a chat of their own.

use std::io::Write;

use catgpt_core::{Branch, SessionId, User};

use super::{local, utc};
use crate::args::{Branches, Fork, Select};
use crate::exit::{Exit, Failure};
use crate::out::Out;
use crate::refs;

pub(super) async fn branches(user: &User, options: &Branches, out: &mut Out) -> Result<Exit, Failure> {
    let branches = refs::find(user, &options.chat).await?.branches().await?;
    if options.json {
        branches.iter().try_for_each(|branch| out.json(branch))?;
    } else {
        let time = if out.terminal { local } else { utc };
        out.rows(&branches.iter().map(|branch| columns(branch, time)).collect::<Vec<_>>())?;
    }
    Ok(Exit::Ok)
}

/// Its newest message, when that was made, how many messages it has, where it leaves another one.
fn columns(branch: &Branch, time: fn(i64) -> String) -> [String; 4] {
    let fork = branch.fork.map(|seq| format!("from {seq}"));
    let active = branch.active.then(|| "shown".to_owned());
    let remark = [fork, active].into_iter().flatten().collect::<Vec<_>>().join(", ");
    [branch.head.to_string(), time(branch.updated_ms), branch.messages.to_string(), remark]
}

pub(super) async fn select(user: &User, options: &Select) -> Result<Exit, Failure> {
    refs::find(user, &options.chat).await?.select_through(options.message).await?;
    Ok(Exit::Ok)
}

/// Says how the copy is called.
pub(super) async fn fork(user: &User, options: &Fork, out: &mut Out) -> Result<Exit, Failure> {
    let session = refs::find(user, &options.chat).await?;
    let name = options.name.as_deref().map_or_else(|| Ok(SessionId::fresh()), SessionId::new)?;
    let fork = session.fork(name, options.at.or(options.message)).await?;
    writeln!(out.to, "{}", fork.id())?;
    Ok(Exit::Ok)
}
