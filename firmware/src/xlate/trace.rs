// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is told of a translation, in the form of `ofproto/trace` (Open vSwitch, ofproto/ofproto-dpif-trace.c).

use super::{List, Xlate, XlateError};
use crate::openflow::field::{ETH_TYPE_IP, ETH_TYPE_IPV6};
use crate::openflow::{Action, Flow, list};
use std::fmt::Write;

/// Things told of one translation; the others are counted, so that a text has an end.
const MAX_NODES: usize = 1024;

/// What a thing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A table that the packet is looked up in, with the flow that it finds.
    Table,
    /// A bucket of a group.
    Bucket,
    /// An action.
    Action,
    /// What an action came to.
    Detail,
    /// Something that the writer of the flows may not have meant.
    Warning,
    /// The translation ends here.
    Error,
}

/// Something told, with what belongs to it.
struct Node {
    kind: Kind,
    text: String,
    below: Vec<u32>,
}

/// What is told of a translation.
pub struct Trace {
    /// The first is all of it.
    nodes: Vec<Node>,
    left_out: usize,
}

/// The node that all others belong to.
pub(super) const ROOT: u32 = 0;

impl Default for Trace {
    fn default() -> Self {
        Trace { nodes: vec![Node { kind: Kind::Table, text: String::new(), below: vec![] }], left_out: 0 }
    }
}

impl Trace {
    fn add(&mut self, parent: u32, kind: Kind, text: String) -> u32 {
        if self.nodes.len() == MAX_NODES {
            self.left_out += 1;
            return parent;
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { kind, text, below: vec![] });
        self.nodes[parent as usize].below.push(node);
        node
    }

    /// The text, in lines.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write_below(ROOT, 0, &mut text);
        if self.left_out > 0 {
            _ = writeln!(text, "     >> {} more are left out", self.left_out);
        }
        text
    }

    /// What is last at its level goes no deeper, unless it is an action or said of one: so tables that follow each other stand below each
    /// other.
    fn write_below(&self, parent: u32, level: usize, text: &mut String) {
        let below = &self.nodes[parent as usize].below;
        for node in below {
            let Node { kind, text: own, .. } = &self.nodes[*node as usize];
            let deeper = usize::from(*kind != Kind::Table || below.last() != Some(node));
            _ = write!(text, "{:1$}", "", 4 * (level + deeper));
            _ = match kind {
                Kind::Table | Kind::Bucket | Kind::Action => writeln!(text, "{own}"),
                Kind::Detail => writeln!(text, " -> {own}"),
                Kind::Warning => writeln!(text, " >> {own}"),
                Kind::Error => writeln!(text, " >>>> {own} <<<<"),
            };
            self.write_below(*node, level + 2 * deeper, text);
        }
    }
}

impl Xlate<'_> {
    /// Tells something of the list that is being carried out, if somebody listens.
    #[inline]
    pub(super) fn tell(&mut self, kind: Kind, text: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let text = text(self);
            let parent = self.frames.last().map_or(ROOT, |frame| frame.node);
            self.add_node(parent, kind, text);
        }
    }

    fn add_node(&mut self, parent: u32, kind: Kind, text: String) -> u32 {
        self.trace.as_mut().map_or(ROOT, |trace| trace.add(parent, kind, text))
    }

    /// Tells of a lookup; gives where what its flow does is told.
    pub(super) fn tell_table(&mut self, table: u8, flow: Option<u32>) -> u32 {
        if self.trace.is_none() {
            return ROOT;
        }
        let parent = self.frames.last().map_or(ROOT, |frame| frame.node);
        let flow = flow.map(|flow| self.pipeline.flow(flow));
        let node = self.add_node(parent, Kind::Table, format!("{table:2}. {}", flow.map_or("No match.".into(), found)));
        if flow.is_none_or(|flow| flow.actions.is_empty()) {
            self.add_node(node, Kind::Action, "drop".into());
        }
        node
    }

    /// Tells of a bucket; gives where what it does is told.
    pub(super) fn tell_bucket(&mut self, id: u32) -> u32 {
        if self.trace.is_none() {
            return ROOT;
        }
        let parent = self.frames.last().map_or(ROOT, |frame| frame.node);
        self.add_node(parent, Kind::Bucket, format!("bucket {id}"))
    }

    /// Tells of the action that comes next in a list.
    pub(super) fn tell_action(&mut self, of: List, next: u32) {
        if self.trace.is_none() {
            return;
        }
        let actions = match of {
            List::Flow(flow) => &self.pipeline.flow(flow).actions[next as usize..],
            List::Bucket(group, bucket) => &self.bucket(group, bucket).actions[next as usize..],
            List::Buckets(_) => return,
        };
        let count = match actions[0] {
            Action::Clone { actions } => 1 + actions as usize,
            _ => 1,
        };
        self.tell(Kind::Action, |_| list(&actions[..count.min(actions.len())]));
    }

    /// Tells that a packet's TTL is too low.
    pub(super) fn tell_expired(&mut self) {
        self.tell(Kind::Warning, |xlate| {
            let version = match xlate.key.dl_type() {
                ETH_TYPE_IP => "IPv4",
                ETH_TYPE_IPV6 => "IPv6",
                _ => unreachable!("only IP has a TTL"),
            };
            format!("{version} decrement TTL exception")
        });
    }

    /// Tells of what ends the translation, or a bucket.
    pub(super) fn tell_error(&mut self) {
        if let Some(error) = self.out.error {
            self.tell(Kind::Error, |_| error.to_string());
        }
    }
}

/// A flow that a packet finds.
fn found(flow: &Flow) -> String {
    let matches = flow.matches.to_string();
    let comma = if matches.is_empty() { "" } else { ", " };
    let cookie = if flow.cookie == 0 { String::new() } else { format!(", cookie {:#x}", flow.cookie) };
    format!("{matches}{comma}priority {}{cookie}", flow.priority)
}

impl std::fmt::Display for XlateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            XlateError::TooDeep => "over max translation depth 64",
            XlateError::TooManyResubmits => "over 4096 resubmit actions",
            XlateError::TooManyActions => "over 262144 actions",
            XlateError::TooManyCopies => "over 4096 copies",
        })
    }
}
