//! From a map of nodes that name each other to messages that are numbered: branches, order, and what is put together.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use serde_json::value::RawValue;

use super::content::{Said, said};
use super::{Node, Reading, owned, value};
use crate::id::Seq;
use crate::message::{Content, Message, Part, Role};

/// The nodes by their number, from 0, and how they hang together.
struct Nodes<'a> {
    names: HashMap<&'a str, usize>,
    nodes: Vec<Option<Node<'a>>>,
    parents: Vec<Option<usize>>,
    children: Vec<Vec<usize>>,
}

impl<'a> Nodes<'a> {
    fn new(map: &'a BTreeMap<String, &'a RawValue>) -> Self {
        let names: HashMap<_, _> = map.keys().enumerate().map(|(n, name)| (name.as_str(), n)).collect();
        let nodes: Vec<Option<Node<'a>>> = map.values().map(|raw| value(Some(raw))).collect();
        let number = |name: String| names.get(name.as_str()).copied();
        let listed: Vec<Vec<usize>> = nodes
            .iter()
            .map(|node| {
                let children = node.as_ref().and_then(|node| value::<Vec<Value>>(node.children)).unwrap_or_default();
                children.iter().filter_map(|name| number(name.as_str()?.to_owned())).collect()
            })
            .collect();
        let mut parents: Vec<Option<usize>> =
            nodes.iter().map(|node| value(node.as_ref()?.parent).and_then(number)).collect();
        for (parent, children) in listed.iter().enumerate() {
            // A node that does not say whose child it is may still be listed as one.
            for child in children {
                parents[*child].get_or_insert(parent);
            }
        }
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        for (node, parent) in parents.iter().enumerate() {
            if let Some(parent) = parent {
                children[*parent].push(node);
            }
        }
        for (parent, children) in children.iter_mut().enumerate() {
            let place: HashMap<usize, usize> = listed[parent].iter().enumerate().map(|(n, node)| (*node, n)).collect();
            children.sort_by_key(|node| place.get(node).copied().unwrap_or(usize::MAX));
        }
        Self { names, nodes, parents, children }
    }

    /// Every node that can be reached from a root, parents before children.
    fn in_order(&self) -> Vec<usize> {
        let roots = (0..self.nodes.len()).filter(|node| self.parents[*node].is_none());
        let mut open: Vec<usize> = roots.collect();
        open.reverse();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(node) = open.pop() {
            order.push(node);
            open.extend(self.children[node].iter().rev());
        }
        order
    }
}

/// A message that is put together from a chain of nodes.
struct Group {
    parent: Option<usize>,
    said: Said,
    at_ms: i64,
}

/// The messages of a conversation, and the newest of the branch that is shown.
pub(super) fn messages(
    map: &BTreeMap<String, &RawValue>,
    current: Option<&str>,
    model: Option<&str>,
    reading: &mut Reading<'_>,
) -> (Vec<Message>, Option<Seq>) {
    let nodes = Nodes::new(map);
    let order = nodes.in_order();
    for _ in order.len()..nodes.nodes.len() {
        reading.leave_out("messages that follow themselves");
    }
    let mut said = spoken(&nodes, &order, reading);
    let kept: Vec<bool> = said.iter().map(Option::is_some).collect();
    let above = above(&nodes, &order, &kept);
    let (groups, of) = groups(&order, &mut said, &above);
    let (messages, numbers) = numbered(groups, model);
    let shown = current.and_then(|name| nodes.names.get(name));
    let head = shown.and_then(|node| if kept[*node] { Some(*node) } else { above[*node] });
    (messages, head.and_then(|node| of[node]).map(|group| numbers[group]))
}

/// What each node says, if it says something.
fn spoken(nodes: &Nodes<'_>, order: &[usize], reading: &mut Reading<'_>) -> Vec<Option<Said>> {
    let mut all: Vec<Option<Said>> = (0..nodes.nodes.len()).map(|_| None).collect();
    for node in order {
        let Some(read) = &nodes.nodes[*node] else {
            reading.leave_out("messages that cannot be read");
            continue;
        };
        match read.message.map(owned::<Value>) {
            Some(Some(message)) => all[*node] = said(&message, reading),
            Some(None) => reading.leave_out("messages that cannot be read"),
            None => {}
        }
    }
    all
}

/// The nearest node above each that says something.
fn above(nodes: &Nodes<'_>, order: &[usize], kept: &[bool]) -> Vec<Option<usize>> {
    let mut above = vec![None; nodes.nodes.len()];
    for node in order {
        above[*node] = nodes.parents[*node].and_then(|parent| if kept[parent] { Some(parent) } else { above[parent] });
    }
    above
}

/// Puts together what is one reply: what the assistant and its tools say one after the other, until somebody else speaks
/// or the tree branches. Also tells the group of each node.
fn groups(order: &[usize], said: &mut [Option<Said>], above: &[Option<usize>]) -> (Vec<Group>, Vec<Option<usize>>) {
    let mut followers = vec![0; said.len()];
    for node in order.iter().filter(|node| said[**node].is_some()) {
        above[*node].into_iter().for_each(|above| followers[above] += 1);
    }
    let (mut groups, mut of): (Vec<Group>, _) = (Vec::new(), vec![None; said.len()]);
    for node in order {
        let Some(one) = said[*node].take() else { continue };
        let before = above[*node].filter(|before| followers[*before] == 1 && one.role == Role::Assistant);
        let group =
            before.and_then(|before| of[before]).filter(|group: &usize| groups[*group].said.role == Role::Assistant);
        of[*node] = Some(group.unwrap_or(groups.len()));
        match group {
            Some(group) => join(&mut groups[group].said, one),
            None => {
                let parent = above[*node].and_then(|above| of[above]);
                let before = parent.map_or(i64::MIN, |parent| groups[parent].at_ms);
                let at_ms = one.at_ms.unwrap_or(before).max(before);
                groups.push(Group { parent, said: one, at_ms });
            }
        }
    }
    (groups, of)
}

fn join(whole: &mut Said, more: Said) {
    let call = whole.parts.iter().rev().find_map(|part| match part {
        Part::ToolCall(call) => Some(call.id.clone()),
        _ => None,
    });
    for mut part in more.parts {
        if let (Part::ToolResult(result), Some(call)) = (&mut part, &call) {
            result.id.clone_from(call);
        }
        if let (Some(Part::Text { .. }), Part::Text { text })
        | (Some(Part::Reasoning { .. }), Part::Reasoning { text }) = (whole.parts.last(), &mut part)
        {
            text.insert_str(0, "\n\n");
        }
        whole.parts.push(part);
    }
    whole.model = more.model.or(whole.model.take());
    (whole.status, whole.finish_reason) = (more.status, more.finish_reason);
}

/// The messages in the order in which they were said, as far as that is known, parents first; and each group's number.
fn numbered(groups: Vec<Group>, model: Option<&str>) -> (Vec<Message>, Vec<Seq>) {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|group| groups[*group].at_ms);
    let mut numbers: Vec<Seq> = vec![0; groups.len()];
    (1..).zip(&order).for_each(|(seq, group)| numbers[*group] = seq);
    let mut messages: Vec<Message> =
        (1..).zip(groups).map(|(_, group): (Seq, Group)| message(group, &numbers, model)).collect();
    for (message, seq) in messages.iter_mut().zip(&numbers) {
        message.seq = *seq;
    }
    messages.sort_by_key(|message| message.seq);
    (messages, numbers)
}

fn message(group: Group, numbers: &[Seq], model: Option<&str>) -> Message {
    let Said { role, parts, model: own, status, finish_reason, at_ms } = group.said;
    let model = own.or_else(|| model.filter(|_| role == Role::Assistant).map(str::to_owned));
    Message {
        seq: 0,
        parent: group.parent.map(|parent| numbers[parent]),
        turn: None,
        role,
        status,
        content: parts.into_iter().collect::<Content>(),
        model,
        finish_reason,
        usage: None,
        cost: None,
        error: None,
        created_ms: at_ms.unwrap_or(0),
    }
}
