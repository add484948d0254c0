// SPDX-License-Identifier: MIT OR Apache-2.0
//! First stage of the header editor: takes the frame apart and puts the step's numbers into wire order.

use super::edit_meta::EditMeta;
use super::edit_types::Aligned;
use super::types::{EditJob, Step};
use crate::base::{ByteSwap, Dff, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// One clock from `job` to `aligned`.
///
/// In a job `vlan_pop` is at most `vlans`, and `vlan_push` at most 2.
#[derive(LogicBlock, Default)]
pub struct EditAlign {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub job: Signal<In, EditJob>,
    /// The first 128 bytes of its frame as received.
    pub hdr: Signal<In, Bits<1024>>,
    pub aligned: Signal<Out, Aligned>,
    stage: Dff<Aligned>,
    meta: EditMeta,
    nw_src: ByteSwap<128>,
    nw_dst: ByteSwap<128>,
    mac: ByteSwap<128>,
    tags_and_ports: ByteSwap<128>,
    step: Signal<Local, Step>,
    kept: Signal<Local, Bits<2>>,
    inner: Signal<Local, Bits<32>>,
    first_push: Signal<Local, Bits<32>>,
    last_push: Signal<Local, Bits<32>>,
    slot1: Signal<Local, Bits<32>>,
    slot2: Signal<Local, Bits<32>>,
    slot3: Signal<Local, Bits<32>>,
    dl_dst: Signal<Local, Bits<48>>,
    dl_src: Signal<Local, Bits<48>>,
}

impl Logic for EditAlign {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, stage);
        self.step.next = self.job.val().step;

        self.nw_src.inp.next = self.step.val().nw_src;
        self.nw_dst.inp.next = self.step.val().nw_dst;
        self.mac.inp.next =
            (bit_cast::<128, 48>(self.step.val().dl_dst) << 80) | (bit_cast::<128, 48>(self.step.val().dl_src) << 32);
        self.tags_and_ports.inp.next = (bit_cast::<128, 16>(self.step.val().push0_tpid) << 112)
            | (bit_cast::<128, 16>(self.step.val().push0_tci) << 96)
            | (bit_cast::<128, 16>(self.step.val().push1_tpid) << 80)
            | (bit_cast::<128, 16>(self.step.val().push1_tci) << 64)
            | (bit_cast::<128, 16>(self.step.val().tp_src) << 48)
            | (bit_cast::<128, 16>(self.step.val().tp_dst) << 32);
        self.stage.d.next.nw_src = self.nw_src.out.val();
        self.stage.d.next.nw_dst = self.nw_dst.out.val();
        self.stage.d.next.ports = self.tags_and_ports.out.val().get_bits::<32>(64);

        comment!("MAC addresses");
        self.dl_dst.next = self.hdr.val().get_bits::<48>(0);
        if self.step.val().set_dl_dst {
            self.dl_dst.next = self.mac.out.val().get_bits::<48>(0);
        }
        self.dl_src.next = self.hdr.val().get_bits::<48>(48);
        if self.step.val().set_dl_src {
            self.dl_src.next = self.mac.out.val().get_bits::<48>(48);
        }
        self.stage.d.next.mac = bit_cast::<96, 48>(self.dl_dst.val()) | (bit_cast::<96, 48>(self.dl_src.val()) << 48);

        comment!("outgoing tags: those pushed, then the innermost of those received");
        self.kept.next = self.job.val().vlans - self.step.val().vlan_pop;
        self.inner.next = self.hdr.val().get_bits::<32>(96);
        if self.job.val().vlans == 2 {
            self.inner.next = self.hdr.val().get_bits::<32>(128);
        }
        self.first_push.next = self.tags_and_ports.out.val().get_bits::<32>(0);
        self.last_push.next = self.first_push.val();
        if self.step.val().vlan_push == 2 {
            self.last_push.next = self.tags_and_ports.out.val().get_bits::<32>(32);
        }
        self.slot1.next = self.first_push.val();
        self.slot2.next = self.first_push.val();
        self.slot3.next = self.last_push.val();
        if self.kept.val() == 1 {
            self.slot2.next = self.last_push.val();
            self.slot3.next = self.inner.val();
        } else if self.kept.val() == 2 {
            self.slot1.next = self.last_push.val();
            self.slot2.next = self.hdr.val().get_bits::<32>(96);
            self.slot3.next = self.inner.val();
        }
        self.stage.d.next.tags = bit_cast::<128, 32>(self.first_push.val())
            | (bit_cast::<128, 32>(self.slot1.val()) << 32)
            | (bit_cast::<128, 32>(self.slot2.val()) << 64)
            | (bit_cast::<128, 32>(self.slot3.val()) << 96);
        self.stage.d.next.tag_count = bit_cast::<3, 2>(self.kept.val()) + bit_cast::<3, 2>(self.step.val().vlan_push);

        comment!("what follows the tags");
        if self.job.val().vlans == 2 {
            self.stage.d.next.body = self.hdr.val().get_bits::<864>(160);
        } else if self.job.val().vlans == 1 {
            self.stage.d.next.body = self.hdr.val().get_bits::<864>(128);
        } else {
            self.stage.d.next.body = self.hdr.val().get_bits::<864>(96);
        }

        self.stage.d.next.ipv4 = self.job.val().l3 == 1;
        self.stage.d.next.ipv6 = self.job.val().l3 == 2;
        self.stage.d.next.l4 = self.job.val().l4;
        self.stage.d.next.l4_words = self.job.val().l4_words;
        self.stage.d.next.set_nw_src = self.step.val().set_nw_src;
        self.stage.d.next.set_nw_dst = self.step.val().set_nw_dst;
        self.stage.d.next.set_tp_src = self.step.val().set_tp_src;
        self.stage.d.next.set_tp_dst = self.step.val().set_tp_dst;
        self.stage.d.next.set_nw_ttl = self.step.val().set_nw_ttl;
        self.stage.d.next.nw_tos = self.step.val().nw_tos;
        self.stage.d.next.nw_tos_mask = self.step.val().nw_tos_mask;
        self.stage.d.next.nw_ttl = self.step.val().nw_ttl;
        self.stage.d.next.ttl_dec = self.step.val().ttl_dec;
        self.meta.job.next = self.job.val();
        self.stage.d.next.meta = self.meta.edited.val();
        self.aligned.next = self.stage.q.val();
    }
}
