// SPDX-License-Identifier: MIT OR Apache-2.0
//! Translation: carries a packet through the flow tables and finds out what becomes of it and of which of its bits that
//! is a consequence (the megaflow).
//!
//! The semantics are those of Open vSwitch's ofproto/ofproto-dpif-xlate.c. The megaflow may be wider than its: a field that is only
//! written is not looked at, `dec_ttl` does not look at the TTL where the hardware's own check does the same, and
//! removing a tag does not look at its VID.

mod actions;
mod clone;
mod finish;
mod group;
mod normal;
mod pipeline;
mod trace;
mod translation;
mod vlan;

pub use normal::is_reserved_multicast;
pub use pipeline::Pipeline;
pub use trace::Trace;
pub use translation::{Tag, Translation, Ttl, Version, VlanEdit, XlateError};

use crate::mac::MacTable;
use crate::openflow::key::NW_FRAG_ANY;
use crate::openflow::{FlowKey, FlowMask, Slot, WORDS, slot};
use smallvec::SmallVec;
use trace::Kind;

/// Depth of `resubmit` to the same or an earlier table (`MAX_DEPTH`).
const MAX_DEPTH: u16 = 64;
/// Lookups of one packet after the first (`MAX_RESUBMITS`).
const MAX_RESUBMITS: u16 = 4096;
/// Copies of one packet: whoever has to put them out does nothing else meanwhile.
const MAX_COPIES: u32 = 4096;
/// Actions carried out for one packet, all lists together: four lists of the greatest length.
const MAX_STEPS: u32 = 1 << 18;
/// The word of the L4 ports.
const PORTS_WORD: usize = WORDS - 1;

/// Finds out what becomes of a packet. `key` is its key as it came in (metadata and registers 0). The result is a
/// function of `pipeline`, the stations in `macs` and the bits of `key` in the result's mask.
pub fn translate(pipeline: &Pipeline, macs: &MacTable, key: &FlowKey, out: &mut Translation) {
    out.clear();
    Xlate::new(pipeline, macs, key, out, None).translate();
}

/// As [`translate`], and tells how it comes about. Gives the packet as it is at the end.
pub fn explain(
    pipeline: &Pipeline,
    macs: &MacTable,
    key: &FlowKey,
    out: &mut Translation,
    trace: &mut Trace,
) -> FlowKey {
    out.clear();
    Xlate::new(pipeline, macs, key, out, Some(trace)).translate()
}

/// Where actions stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Flow(u32),
    /// Of a group at this place, in this bucket.
    Bucket(u32, u32),
    /// Of a group at this place: all of its buckets, one after the other.
    Buckets(u32),
}

/// A list of actions that is being carried out: a flow's, the part of it that is in a clone, a bucket's.
#[derive(Clone, Copy)]
struct Frame {
    list: List,
    /// Next action.
    next: u32,
    /// Action behind the last.
    end: u32,
    table: u8,
    depth: u16,
    /// The end of the list undoes its edits.
    clone: bool,
    /// Where what it does is told.
    node: u32,
}

/// The state of a translation.
struct Xlate<'a> {
    pipeline: &'a Pipeline,
    macs: &'a MacTable,
    out: &'a mut Translation,
    /// As received.
    original: &'a FlowKey,
    /// As edited so far.
    key: FlowKey,
    /// Bits of `key` that edits wrote: they say nothing of the packet.
    written: FlowMask,
    /// Bits of `key` that were looked at. Where `written` is set this means nothing.
    looked: FlowMask,
    /// Bits of `original` that were looked at before they were written.
    wc: FlowMask,
    vlan: vlan::Stack,
    ttl: Ttl,
    /// The packet was edited since the last output.
    edited: bool,
    frames: SmallVec<[Frame; 8]>,
    /// What the packet was before each clone that is being carried out.
    saved: Vec<clone::Saved>,
    resubmits: u16,
    copies: u32,
    steps: u32,
    /// Who listens.
    trace: Option<&'a mut Trace>,
}

impl<'a> Xlate<'a> {
    fn new(
        pipeline: &'a Pipeline,
        macs: &'a MacTable,
        key: &'a FlowKey,
        out: &'a mut Translation,
        trace: Option<&'a mut Trace>,
    ) -> Xlate<'a> {
        let mut written = FlowMask::default();
        // Metadata and registers are 0 for every packet.
        written.0[..slot::IN_PORT.word as usize].fill(u64::MAX);
        Xlate {
            pipeline,
            macs,
            out,
            original: key,
            key: *key,
            looked: written,
            written,
            wc: FlowMask::default(),
            vlan: vlan::Stack::default(),
            ttl: Ttl::Keep,
            edited: true,
            frames: SmallVec::new(),
            saved: Vec::new(),
            resubmits: 0,
            copies: 0,
            steps: 0,
            trace,
        }
    }

    /// Carries the packet through the tables; the packet as it is at the end.
    fn translate(mut self) -> FlowKey {
        self.enter(0, 0, None);
        self.run();
        self.finish();
        self.key
    }

    /// The packet's future depends on these bits of a field.
    #[inline]
    fn look(&mut self, s: Slot, bits: u128) {
        self.looked.set(s, self.looked.get(s) | bits);
    }

    /// Reads bits of a field.
    #[inline]
    fn read(&mut self, s: Slot, bits: u128) -> u128 {
        self.look(s, bits);
        self.key.get(s) & bits
    }

    /// Writes bits of a field other than VLAN tags.
    fn write(&mut self, s: Slot, value: u128, bits: u128) {
        if s == slot::NW_TTL {
            self.forget_decrement();
            self.ttl = Ttl::Set;
        }
        let before = self.looked.get(s) & !self.written.get(s) & bits;
        self.wc.set(s, self.wc.get(s) | before);
        self.written.set(s, self.written.get(s) | bits);
        self.look(s, bits);
        self.key.set(s, self.key.get(s) & !bits | value & bits);
        self.edited = true;
    }

    /// Looks up the packet, as edited so far, in a table and goes on with the flow found.
    fn enter(&mut self, table: u8, depth: u16, in_port: Option<u16>) {
        let found = self.lookup(table, in_port);
        let node = self.tell_table(table, found);
        let Some(flow) = found else { return };
        self.out.flows.push(flow);
        // A list that is at its end needs no place to come back to.
        while self.frames.last().is_some_and(|f| f.next >= f.end && !f.clone) {
            self.frames.pop();
        }
        let end = self.pipeline.flow(flow).actions.len() as u32;
        self.frames.push(Frame { list: List::Flow(flow), next: 0, end, table, depth, clone: false, node });
    }

    /// Goes no further in the list that is being carried out.
    fn leave(&mut self) {
        if self.frames.pop().is_some_and(|frame| frame.clone) {
            self.undo_clone();
        }
    }

    fn lookup(&mut self, table: u8, in_port: Option<u16>) -> Option<u32> {
        let classifier = self.pipeline.table(table)?;
        let own_port = self.key.in_port();
        if let Some(port) = in_port {
            self.key.set_in_port(port);
        }
        let found = if self.key.nw_frag() & NW_FRAG_ANY != 0 {
            // Fragments have no ports as far as flow tables are concerned (OFPC_FRAG_NORMAL). `nw_frag` is always looked at.
            let ports = std::mem::take(&mut self.key.0[PORTS_WORD]);
            let looked = self.looked.0[PORTS_WORD];
            let found = classifier.lookup(&self.key, &mut self.looked);
            (self.key.0[PORTS_WORD], self.looked.0[PORTS_WORD]) = (ports, looked);
            found
        } else {
            classifier.lookup(&self.key, &mut self.looked)
        };
        self.key.set_in_port(own_port);
        found
    }

    /// Carries out actions until none is left.
    fn run(&mut self) {
        while let Some(frame) = self.frames.last_mut() {
            if frame.next >= frame.end {
                self.leave();
                continue;
            }
            let (list, next) = (frame.list, frame.next);
            frame.next += 1;
            self.steps += 1;
            if self.steps > MAX_STEPS {
                self.out.error = Some(XlateError::TooManyActions);
            } else {
                self.tell_action(list, next);
                match list {
                    List::Flow(flow) => self.act(&self.pipeline.flow(flow).actions[next as usize]),
                    List::Bucket(group, bucket) => self.act(&self.bucket(group, bucket).actions[next as usize]),
                    List::Buckets(group) => self.enter_bucket(group, next),
                }
            }
            self.tell_error();
            // What Open vSwitch limits in a bucket ends that alone.
            let of_bucket = matches!(self.out.error, Some(XlateError::TooDeep | XlateError::TooManyResubmits));
            if self.out.error.is_some() && !(of_bucket && self.leave_bucket()) {
                // A packet with a smaller TTL may not get this far, and keep what was put out before.
                self.forget_decrement();
                self.out.versions.clear();
                return;
            }
        }
    }

    /// Whether nothing can follow the action that is being carried out but the rest of its own list.
    fn only_list(&self) -> bool {
        self.frames.len() == 1
    }

    /// Puts the packet, as edited so far, out to a port (OpenFlow number) that may not exist.
    fn output(&mut self, port: u16) {
        if !self.pipeline.ports().contains(port) {
            self.tell(Kind::Warning, |_| "Nonexistent output port".into());
            return;
        }
        self.count_copy();
        let bit = 1 << (port - 1);
        if !self.edited
            && let Some(last) = self.out.versions.last_mut()
            && last.outputs & bit == 0
        {
            last.outputs |= bit;
            return;
        }
        let stack = self.vlan;
        let vlan = stack.edit(self);
        let version = Version { outputs: bit, key: self.key, written: self.written, vlan, ttl: self.ttl };
        self.out.versions.push(version);
        self.edited = false;
    }

    /// One more copy, or what costs as much.
    fn count_copy(&mut self) {
        self.copies += 1;
        if self.copies > MAX_COPIES {
            self.out.error = Some(XlateError::TooManyCopies);
        }
    }

    /// Puts the packet out to every port but the one it came in on.
    fn flood(&mut self) {
        let in_port = self.key.in_port();
        for port in self.pipeline.ports().numbers().filter(|&port| port != in_port) {
            self.output(port);
        }
    }
}

#[cfg(test)]
mod tests;
