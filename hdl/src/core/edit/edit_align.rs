// SPDX-License-Identifier: MIT OR Apache-2.0
//! First stage of the header editor: takes the frame apart and puts the step's numbers into wire order.

use super::edit_meta::EditMeta;
use super::edit_types::Aligned;
use crate::base::{ByteSwap, Dff};
use crate::core::types::{BODY_BITS, EditJob, MAC_BITS, TAG_BITS, WINDOW_BITS};
use rust_hdl_core::prelude::*;

/// One clock from `job` to `aligned`.
///
/// In a job `vlan_pop` is at most `vlans`, and `vlan_push` at most 2.
#[millrace_hdl::block]
pub struct EditAlign<const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub job: Signal<In, EditJob<QUEUES, NOTE_BITS>>,
    /// The first 128 bytes of its frame as received.
    pub hdr: Signal<In, Bits<WINDOW_BITS>>,
    pub aligned: Signal<Out, Aligned<QUEUES, NOTE_BITS>>,
    stage: Dff<Aligned<QUEUES, NOTE_BITS>>,
    meta: EditMeta<QUEUES, NOTE_BITS>,
    nw_src: ByteSwap<128>,
    nw_dst: ByteSwap<128>,
    mac: ByteSwap<128>,
    tags_and_ports: ByteSwap<128>,
}

#[millrace_hdl::block]
impl<const QUEUES: usize, const NOTE_BITS: usize> EditAlign<QUEUES, NOTE_BITS> {
    fn update(&mut self) {
        let step = self.job.edits;

        self.nw_src.inp = step.nw_src;
        self.nw_dst.inp = step.nw_dst;
        self.mac.inp = (cast::<128>(step.dl_dst) << 80) | (cast::<128>(step.dl_src) << 32);
        self.tags_and_ports.inp = (cast::<128>(step.push0_tpid) << 112)
            | (cast::<128>(step.push0_tci) << 96)
            | (cast::<128>(step.push1_tpid) << 80)
            | (cast::<128>(step.push1_tci) << 64)
            | (cast::<128>(step.tp_src) << 48)
            | (cast::<128>(step.tp_dst) << 32);
        self.stage.nw_src = self.nw_src.out;
        self.stage.nw_dst = self.nw_dst.out;
        self.stage.ports = self.tags_and_ports.out.get_bits::<32>(64);

        comment!("MAC addresses");
        let dl_dst = if step.set_dl_dst { self.mac.out.get_bits::<48>(0) } else { self.hdr.get_bits::<48>(0) };
        let dl_src = if step.set_dl_src { self.mac.out.get_bits::<48>(48) } else { self.hdr.get_bits::<48>(48) };
        self.stage.mac = cast::<96>(dl_dst) | (cast::<96>(dl_src) << 48);

        comment!("outgoing tags: those pushed, then the innermost of those received");
        let kept = self.job.layout.vlans - step.vlan_pop;
        let inner = if self.job.layout.vlans == 2 { self.hdr.get_bits::<32>(128) } else { self.hdr.get_bits::<32>(96) };
        let first_push = self.tags_and_ports.out.get_bits::<32>(0);
        let last_push = if step.vlan_push == 2 { self.tags_and_ports.out.get_bits::<32>(32) } else { first_push };
        let mut slot1 = first_push;
        let mut slot2 = first_push;
        let mut slot3 = last_push;
        if kept == 1 {
            slot2 = last_push;
            slot3 = inner;
        } else if kept == 2 {
            slot1 = last_push;
            slot2 = self.hdr.get_bits::<32>(96);
            slot3 = inner;
        }
        self.stage.tags = cast::<128>(first_push)
            | (cast::<128>(slot1) << 32)
            | (cast::<128>(slot2) << 64)
            | (cast::<128>(slot3) << 96);
        self.stage.tag_count = cast::<3>(kept) + cast::<3>(step.vlan_push);

        comment!("what follows the tags");
        if self.job.layout.vlans == 2 {
            self.stage.body = self.hdr.get_bits::<BODY_BITS>(MAC_BITS + 2 * TAG_BITS);
        } else if self.job.layout.vlans == 1 {
            self.stage.body = self.hdr.get_bits::<BODY_BITS>(MAC_BITS + TAG_BITS);
        } else {
            self.stage.body = self.hdr.get_bits::<BODY_BITS>(MAC_BITS);
        }

        self.stage.ipv4 = self.job.layout.l3 == 1;
        self.stage.ipv6 = self.job.layout.l3 == 2;
        self.stage.l4 = self.job.layout.l4;
        self.stage.l4_words = self.job.layout.l4_words;
        self.stage.set_nw_src = step.set_nw_src;
        self.stage.set_nw_dst = step.set_nw_dst;
        self.stage.set_tp_src = step.set_tp_src;
        self.stage.set_tp_dst = step.set_tp_dst;
        self.stage.set_nw_ttl = step.set_nw_ttl;
        self.stage.nw_tos = step.nw_tos;
        self.stage.nw_tos_mask = step.nw_tos_mask;
        self.stage.nw_ttl = step.nw_ttl;
        self.stage.ttl_dec = step.ttl_dec;
        self.meta.job = self.job;
        self.stage.meta = self.meta.edited;
        self.aligned = self.stage;
    }
}
