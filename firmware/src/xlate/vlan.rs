// SPDX-License-Identifier: MIT OR Apache-2.0
//! VLAN tags during translation: a stack of new tags on what is left of the packet's own.
//!
//! The key shows the outer two tags of the edited packet. Bits that are looked at there belong, where the tag is one of
//! the packet's own, to a place in the packet's key that moves as tags come and go.

use super::{Tag, VlanEdit, Xlate};
use crate::openflow::field::ETH_TYPE_VLAN;
use crate::openflow::key::{VLAN_CFI, VLAN_PCP_MASK, VLAN_VID_MASK};
use crate::openflow::{FlowKey, slot};

/// The word that holds both tags, the outer one in the low half, and nothing else.
const WORD: usize = slot::VLAN_TCI0.word as usize;
const HALF: u64 = 0xffff_ffff;
const CFI: u64 = VLAN_CFI as u64;

/// What became of the tags.
#[derive(Clone, Copy, Default)]
pub(super) struct Stack {
    /// Tags of the packet that are gone.
    popped: u8,
    /// New tags, the outer one first.
    push: [Tag; 2],
    pushed: u8,
}

const fn tag(half: u64) -> Tag {
    Tag { tpid: (half >> 16) as u16, tci: half as u16 }
}

const fn half(tag: Tag) -> u64 {
    (tag.tpid as u64) << 16 | tag.tci as u64
}

/// Tag `n` of a key, as a half word; 0 past the second.
const fn own(key: &FlowKey, n: u8) -> u64 {
    if n < 2 { key.0[WORD] >> (32 * n) & HALF } else { 0 }
}

impl Stack {
    fn insert(&mut self, tag: Tag) {
        self.push = [tag, self.push[0]];
        self.pushed = (self.pushed + 1).min(2);
    }

    /// The edit that makes the packet's tags what they are now.
    pub(super) fn edit(&self, xlate: &mut Xlate<'_>) -> VlanEdit {
        let present = self.push[..usize::from(self.pushed)].iter().take_while(|t| t.tci & VLAN_CFI != 0).count() as u8;
        // A TCI without its CFI bit is no tag, and hides those below it.
        let pop = if present < self.pushed { 2 } else { self.popped };
        // Two stands for all: which one the innermost new tag replaces has to be known.
        let pop = if pop == 2 && present > 0 { xlate.own_tags() } else { pop };
        let mut edit = VlanEdit { pop, push: self.push, pushed: present };
        // A tag that is the same as the one it replaces is left where it is, with its DEI bit, which is in no key.
        while edit.pop > 0 && edit.pushed > 0 {
            let new = half(edit.push[usize::from(edit.pushed) - 1]);
            if !xlate.own_tag_is(edit.pop - 1, new) {
                break;
            }
            edit.pop -= 1;
            edit.pushed -= 1;
        }
        edit
    }

    /// The edit that leaves only the outer of two tags, for `normal` does not put out an inner one that says nothing.
    pub(super) fn outer_only(xlate: &mut Xlate<'_>) -> VlanEdit {
        // It may have to be written again.
        xlate.looked.0[WORD] |= HALF;
        let outer = tag(xlate.key.0[WORD] & HALF);
        // All tags that the packet came with go, also one that a new tag has moved out of the key.
        Stack { popped: 2, push: [outer, Tag::default()], pushed: 1 }.edit(xlate)
    }
}

impl Xlate<'_> {
    /// Whether the edited packet has a tag.
    pub(super) fn tagged(&mut self) -> bool {
        self.looked.0[WORD] |= CFI;
        self.key.0[WORD] & CFI != 0
    }

    /// How many tags the packet came with, as far as they are in its key.
    fn own_tags(&mut self) -> u8 {
        self.wc.0[WORD] |= CFI | CFI << 32;
        (0..2).take_while(|n| own(self.original, *n) & CFI != 0).count() as u8
    }

    /// Whether the packet's own tag `n`, which it has, is this one. Looks at all of it, or at a bit in which it differs.
    fn own_tag_is(&mut self, n: u8, tag: u64) -> bool {
        let difference = own(self.original, n) ^ tag;
        let looked = if difference == 0 { HALF } else { 1 << difference.ilog2() };
        self.wc.0[WORD] |= looked << (32 * n);
        difference == 0
    }

    /// Books what was looked at in the key's tags under the packet's own.
    pub(super) fn settle_vlans(&mut self) {
        let looked = self.looked.0[WORD] & !self.written.0[WORD];
        for n in 0..2u8 {
            let bits = looked >> (32 * n) & HALF;
            if let Some(below) = n.checked_sub(self.vlan.pushed)
                && self.vlan.popped + below < 2
            {
                self.wc.0[WORD] |= bits << (32 * (self.vlan.popped + below));
            }
        }
        self.looked.0[WORD] = self.written.0[WORD];
    }

    /// Changes the stack, then shows the outer two tags in the key.
    fn restack(&mut self, change: impl FnOnce(&mut Stack)) {
        self.settle_vlans();
        change(&mut self.vlan);
        let (mut key, mut written) = (0, 0);
        for n in 0..2u8 {
            let (bits, known) = match n.checked_sub(self.vlan.pushed) {
                None => (half(self.vlan.push[usize::from(n)]), HALF),
                // The packet's own; what lies below the second is not in the key, and 0 there for every packet.
                Some(below) => {
                    let n = self.vlan.popped + below;
                    (own(self.original, n), if n < 2 { 0 } else { HALF })
                }
            };
            key |= bits << (32 * n);
            written |= known << (32 * n);
        }
        self.key.0[WORD] = key;
        self.written.0[WORD] = written;
        self.looked.0[WORD] = written;
        self.edited = true;
    }

    pub(super) fn pop_vlan(&mut self) {
        if !self.tagged() {
            return;
        }
        self.restack(|stack| match stack.pushed {
            0 => stack.popped += 1,
            _ => {
                stack.push[0] = stack.push[1];
                stack.pushed -= 1;
            }
        });
    }

    pub(super) fn push_vlan(&mut self, tpid: u16) {
        let new = Tag { tpid, tci: VLAN_CFI };
        if self.tagged() {
            self.looked.0[WORD] |= CFI << 32;
            if self.key.0[WORD] >> 32 & CFI != 0 {
                // Only two tags are kept: the inner one is lost, the outer one becomes the inner.
                self.looked.0[WORD] |= HALF;
                let outer = tag(self.key.0[WORD]);
                self.restack(|stack| *stack = Stack { popped: 2, push: [new, outer], pushed: 2 });
                return;
            }
        } else if self.vlan.pushed > 0 {
            // A TCI of 0 was written over a tag: it and what it hid are lost.
            self.restack(|stack| *stack = Stack { popped: 2, push: [new, Tag::default()], pushed: 1 });
            return;
        }
        self.restack(|stack| stack.insert(new));
    }

    /// `mod_vlan_vid`, `mod_vlan_pcp`: `push` adds a tag where there is none.
    pub(super) fn set_tci(&mut self, value: u16, mask: u16, push: bool) {
        if self.tagged() || push {
            self.set_vlan_bits(value | VLAN_CFI, mask | VLAN_CFI);
        }
    }

    /// Writes bits of the outer TCI, whether there is a tag or not.
    pub(super) fn set_vlan_bits(&mut self, value: u16, mask: u16) {
        let present = self.tagged();
        if present {
            // The other bits, and the TPID, are written again too.
            self.looked.0[WORD] |= HALF;
        }
        let old = tag(self.key.0[WORD]);
        let tci = old.tci & !mask | value & mask;
        let new = match (old.tpid, tci) {
            (_, 0) => Tag::default(),
            (0, tci) => Tag { tpid: ETH_TYPE_VLAN, tci },
            (tpid, tci) => Tag { tpid, tci },
        };
        self.restack(|stack| match stack.pushed {
            0 if !present && new == Tag::default() => {}
            0 => {
                stack.popped += u8::from(present);
                stack.insert(new);
            }
            _ => stack.push[0] = new,
        });
    }

    /// The VLAN of the edited packet as `normal` sees it: VID of the outer tag, 0 if there is none.
    pub(super) fn vid(&mut self) -> u16 {
        self.looked.0[WORD] |= u64::from(VLAN_VID_MASK | VLAN_CFI);
        self.key.vlan_tci0() & VLAN_VID_MASK
    }

    /// Whether the outer tag says nothing: VID 0, priority 0. `normal` does not put such a tag out.
    pub(super) fn null_tag(&mut self) -> bool {
        if !self.tagged() || self.vid() != 0 {
            return false;
        }
        self.looked.0[WORD] |= u64::from(VLAN_PCP_MASK);
        self.key.vlan_tci0() & VLAN_PCP_MASK == 0
    }

    /// Whether there is an inner tag that says nothing. Looks at all of it, or at a bit that says something.
    pub(super) fn null_inner_tag(&mut self) -> bool {
        if !self.tagged() {
            return false;
        }
        self.looked.0[WORD] |= CFI << 32;
        if self.key.0[WORD] >> 32 & CFI == 0 {
            return false;
        }
        let says = self.key.0[WORD] >> 32 & u64::from(VLAN_VID_MASK | VLAN_PCP_MASK);
        let looked = if says == 0 { u64::from(VLAN_VID_MASK | VLAN_PCP_MASK) } else { 1 << says.ilog2() };
        self.looked.0[WORD] |= looked << 32;
        says == 0
    }
}
