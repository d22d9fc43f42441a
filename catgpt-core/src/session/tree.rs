//! The tree of a session: its shape without its words, its branches, and ways to go on from any point of it.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{Send, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Seq, SessionId};
use crate::memory::{Done, Imported, Limit, Op, Parent, Read, Row, SessionRow, View};
use crate::message::{Role, Status};

/// How many messages are read at once, and how many bytes of them.
const PAGE: Limit = Limit { messages: 1000, bytes: 32 << 20 };

/// A message without its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    /// Its number in the session.
    pub seq: Seq,
    /// The message that it follows.
    pub parent: Option<Seq>,
    /// Who speaks.
    pub role: Role,
    /// How far it has come.
    pub status: Status,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// A branch: the way from the first message to one that nothing follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// Its newest message: what [`Session::select`] takes.
    pub head: Seq,
    /// The newest message that it shares with an older branch.
    pub fork: Option<Seq>,
    /// How many messages it has.
    pub messages: u64,
    /// When its newest message was made, in milliseconds since 1970.
    pub updated_ms: i64,
    /// Whether it is the one that is shown.
    pub active: bool,
}

impl Session {
    /// Goes on with a reply that was cut off, or with any other (`None`: the newest), as a new reply that follows it.
    pub fn continue_reply(&self, reply: impl Into<Option<Seq>>) -> Send {
        self.ask(reply.into().map_or(Parent::Head, Parent::Under), None)
    }

    /// All messages without their words, by number: who builds a tree of them knows each message's siblings.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn outline(&self) -> Result<Vec<Node>> {
        let (_, rows) = self.rows(false).await?;
        Ok(nodes(&rows))
    }

    /// Its branches, the oldest first.
    ///
    /// # Errors
    /// `NotFound` if it is not there.
    pub async fn branches(&self) -> Result<Vec<Branch>> {
        let (session, rows) = self.rows(false).await?;
        Ok(branches(&nodes(&rows), session.head))
    }

    /// Shows the branch through a message that has grown last, as a branch switcher does.
    ///
    /// # Errors
    /// `NotFound` if there is no such message, `Busy` while a turn runs.
    pub async fn select_through(&self, seq: Seq) -> Result<()> {
        let nodes = self.outline().await?;
        let newest = newest_below(&nodes, seq).ok_or_else(|| Error::not_found("message").with("seq", seq))?;
        self.select(newest, None).await
    }

    /// Copies the active branch, or the one that ends at `upto`, into a new session, with its title, persona and
    /// metadata. A reply that runs is left out with what it answers.
    ///
    /// # Errors
    /// `NotFound` if there is no such message, `Conflict` if the other session is there already.
    pub async fn fork(&self, to: SessionId, upto: impl Into<Option<Seq>>) -> Result<Session> {
        let upto = upto.into();
        let (session, rows) = self.rows(true).await?;
        let rows = line(rows, upto.or(session.head))?;
        let into = Session { id: to.clone(), ..self.clone() };
        let mut after = 0;
        for page in pages(rows) {
            let facts = copy_of(&session, to.clone(), after + page.len() as u64);
            let (count, op) = (page.len() as u64, Op::Import { session: Box::new(facts), after, rows: page });
            if let [Done::Nothing] = self.runner.apply(&self.owner, vec![op]).await?[..] {
                return Err(Error::new(ErrorKind::Unexpected, "the store made no copy; this is a defect of the store"));
            }
            after += count;
        }
        Ok(into)
    }

    /// All rows, with their bodies or without.
    pub(super) async fn rows(&self, bodies: bool) -> Result<(SessionRow, Vec<Row>)> {
        self.rows_after(0, bodies).await
    }

    /// All rows after number `first`.
    pub(super) async fn rows_after(&self, first: Seq, bodies: bool) -> Result<(SessionRow, Vec<Row>)> {
        let limit = if bodies { PAGE } else { Limit { messages: 10_000, ..PAGE } };
        let mut rows: Vec<Row> = Vec::new();
        loop {
            let after = rows.last().map_or(first, |row| row.seq);
            let read = Read::Tree { session: self.id.clone(), after, limit, bodies };
            let View { session, rows: page, more, .. } = self.read(read).await?;
            rows.extend(page);
            if !more {
                return Ok((session, rows));
            }
        }
    }
}

fn nodes(rows: &[Row]) -> Vec<Node> {
    let said = rows.iter().filter(|row| row.role != Role::Summary);
    let node = |row: &Row| Node {
        seq: row.seq,
        parent: row.parent,
        role: row.role,
        status: row.status,
        created_ms: row.created_ms,
    };
    said.map(node).collect()
}

fn branches(nodes: &[Node], head: Option<Seq>) -> Vec<Branch> {
    let parents: HashSet<Seq> = nodes.iter().filter_map(|node| node.parent).collect();
    let by_seq: HashMap<Seq, &Node> = nodes.iter().map(|node| (node.seq, node)).collect();
    // How long the way to each message is; a parent stands before its child.
    let mut length: HashMap<Seq, u64> = HashMap::new();
    for node in nodes {
        length.insert(node.seq, 1 + node.parent.and_then(|parent| length.get(&parent)).unwrap_or(&0));
    }
    let (mut seen, mut branches) = (HashSet::new(), Vec::new());
    for leaf in nodes.iter().filter(|node| !parents.contains(&node.seq)) {
        let (mut at, mut active) = (Some(leaf.seq), false);
        // Only what no older branch has is walked, so all walks together see each message once.
        while let Some(seq) = at.filter(|seq| seen.insert(*seq)) {
            active |= head == Some(seq);
            at = by_seq.get(&seq).and_then(|node| node.parent);
        }
        let messages = length.get(&leaf.seq).copied().unwrap_or_default();
        branches.push(Branch { head: leaf.seq, fork: at, messages, updated_ms: leaf.created_ms, active });
    }
    // A head in the middle of the tree is on the branch that saw it first, and on no other.
    branches
}

/// The newest message on a way that leads through `seq`.
fn newest_below(nodes: &[Node], seq: Seq) -> Option<Seq> {
    nodes.iter().find(|node| node.seq == seq)?;
    let mut below = HashSet::from([seq]);
    // A parent stands before its child, so one pass sees everything; the last one seen is the newest.
    let grown =
        nodes.iter().filter(|node| node.parent.is_some_and(|parent| below.contains(&parent)) && below.insert(node.seq));
    Some(grown.last().map_or(seq, |node| node.seq))
}

/// The branch that ends at `head`, numbered anew from 1.
fn line(rows: Vec<Row>, head: Option<Seq>) -> Result<Vec<Row>> {
    let Some(head) = head else { return Ok(Vec::new()) };
    let mut by_seq: HashMap<Seq, Row> = rows.into_iter().map(|row| (row.seq, row)).collect();
    let said = by_seq.get(&head).is_some_and(|row| row.role != Role::Summary);
    if !said {
        return Err(Error::not_found("message").with("seq", head));
    }
    let mut line = Vec::new();
    let mut at = Some(head);
    while let Some(row) = at.and_then(|seq| by_seq.remove(&seq)) {
        at = row.parent;
        line.push(row);
    }
    line.reverse();
    if line.last().is_some_and(|row| row.status == Status::Running) {
        line.pop();
        line.pop_if(|row| row.role == Role::User);
    }
    for (row, seq) in line.iter_mut().zip(1..) {
        (row.seq, row.parent, row.turn) = (seq, (seq > 1).then(|| seq - 1), None);
    }
    Ok(line)
}

/// In pieces that one operation may bring; one empty piece for nothing.
fn pages(rows: Vec<Row>) -> Vec<Vec<Row>> {
    let (mut pages, mut bytes) = (vec![Vec::new()], 0);
    for row in rows {
        bytes += row.body.len() as u64;
        let last = pages.last_mut().filter(|page| page.len() < PAGE.messages as usize && bytes <= PAGE.bytes);
        match last {
            Some(page) => page.push(row),
            None => {
                bytes = row.body.len() as u64;
                pages.push(vec![row]);
            }
        }
    }
    pages
}

fn copy_of(session: &SessionRow, id: SessionId, last: Seq) -> Imported {
    Imported {
        id,
        title: session.title.clone(),
        pin: session.pin.clone(),
        meta: session.meta.clone(),
        pinned: false,
        archived: false,
        head: (last > 0).then_some(last),
        created_ms: session.created_ms,
        updated_ms: session.updated_ms,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(seq: Seq, parent: Option<Seq>) -> Node {
        Node { seq, parent, role: Role::User, status: Status::Complete, created_ms: 0 }
    }

    /// Trees whose messages follow older ones, or none.
    fn trees() -> impl Strategy<Value = Vec<Node>> {
        prop::collection::vec(any::<prop::sample::Index>(), 1..40).prop_map(|parents| {
            let parent = |(seq, at): (u64, prop::sample::Index)| {
                let parent = at.index(usize::try_from(seq).unwrap()) as u64;
                node(seq, (parent > 0).then_some(parent))
            };
            (1..).zip(parents).map(parent).collect()
        })
    }

    fn way(nodes: &[Node], head: Seq) -> Vec<Seq> {
        let parent = |seq: &Seq| nodes[usize::try_from(*seq - 1).unwrap()].parent;
        std::iter::successors(Some(head), parent).collect()
    }

    proptest! {
        #[test]
        fn branches_hold_every_message_and_fork_where_they_part(nodes in trees(), head in any::<prop::sample::Index>()) {
            let head = head.index(nodes.len()) as u64 + 1;
            let found = branches(&nodes, Some(head));
            let all: HashSet<Seq> = found.iter().flat_map(|branch| way(&nodes, branch.head)).collect();
            prop_assert_eq!(all.len(), nodes.len());
            prop_assert_eq!(found.iter().filter(|branch| branch.active).count(), 1);
            for (at, branch) in found.iter().enumerate() {
                let own = way(&nodes, branch.head);
                prop_assert_eq!(branch.messages, own.len() as u64);
                let older: HashSet<Seq> = found[..at].iter().flat_map(|other| way(&nodes, other.head)).collect();
                prop_assert_eq!(branch.fork, own.iter().copied().find(|seq| older.contains(seq)));
                prop_assert!(!branch.active || own.contains(&head));
            }
        }

        #[test]
        fn the_newest_below_a_message_is_on_a_way_through_it(nodes in trees(), seq in any::<prop::sample::Index>()) {
            let seq = seq.index(nodes.len()) as u64 + 1;
            let newest = newest_below(&nodes, seq).unwrap();
            prop_assert!(way(&nodes, newest).contains(&seq));
            for node in nodes.iter().filter(|node| node.seq > newest) {
                prop_assert!(!way(&nodes, node.seq).contains(&seq));
            }
        }
    }
}
