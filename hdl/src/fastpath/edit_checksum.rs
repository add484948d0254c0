// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incremental checksums of the header editor: RFC 1624, equation 3, over the words that change.

use super::edit_types::{ChecksumFlips, ChecksumWords};
use crate::base::{Dff, Tag};
use crate::{comment, wire_struct};
use rust_hdl_core::prelude::*;

wire_struct! {
    /// What goes along beside the sums.
    pub struct Received {
        pub ip_checksum: Bits<16>,
        pub l4_checksum: Bits<16>,
        pub ipv4: Bit,
        pub l4: Bit,
        pub udp: Bit,
        pub ip_at: Bits<4>,
        pub l4_at: Bits<6>,
    }
}

/// Six clocks from `words` to `flips`.
///
/// `HC' = ~(~HC + sum of (~m + m'))`: the sum is taken over plain numbers and folded to 16 bits at the end, which gives the same
/// as folding after every addition, zero and 0xffff included. All words are in wire order; one's complement sums do not care which
/// byte comes first (RFC 1071 §2 (B)).
#[derive(LogicBlock, Default)]
pub struct EditChecksum {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub words: Signal<In, ChecksumWords>,
    pub flips: Signal<Out, ChecksumFlips>,
    /// ~m + m' of each word that changes, 0 of the others.
    change: Vec<Dff<Bits<17>>>,
    changed: Dff<Bits<20>>,
    /// Sums of four changes: the address words that IPv4 has, and the others.
    address4: Dff<Bits<19>>,
    address_a: Dff<Bits<19>>,
    address_b: Dff<Bits<19>>,
    address_c: Dff<Bits<19>>,
    /// Ports, TOS and TTL, each with the checksum they are under.
    ports: Dff<Bits<19>>,
    tos_ttl: Dff<Bits<19>>,
    ip_sum: Dff<Bits<20>>,
    l4_part: Dff<Bits<20>>,
    l4_rest: Dff<Bits<20>>,
    l4_ports: Dff<Bits<19>>,
    ip_total: Dff<Bits<20>>,
    l4_total: Dff<Bits<22>>,
    ip_fold: Dff<Bits<17>>,
    l4_fold: Dff<Bits<17>>,
    result: Dff<ChecksumFlips>,
    received: Vec<Dff<Received>>,
    /// A word under the checksum changes, from the second clock on.
    ip_touched: Vec<Dff<Bit>>,
    l4_touched: Vec<Dff<Bit>>,
    old: Signal<Local, Bits<320>>,
    new: Signal<Local, Bits<320>>,
    m: Signal<Local, Bits<16>>,
    n: Signal<Local, Bits<16>>,
    term: Signal<Local, Bits<17>>,
    touches: Signal<Local, Bits<20>>,
    ip_new: Signal<Local, Bits<16>>,
    l4_new: Signal<Local, Bits<16>>,
    ip_flips: Signal<Local, Bits<16>>,
    l4_flips: Signal<Local, Bits<16>>,
    last: Signal<Local, Received>,
    ip_here: Signal<Local, Bits<15>>,
    l4_here: Signal<Local, Bits<48>>,
    inverted_ip: Signal<Local, Bits<16>>,
    inverted_l4: Signal<Local, Bits<16>>,
}

impl EditChecksum {
    /// The block. (`Default` has no registers: use this.)
    pub fn new() -> Self {
        Self {
            change: (0..20).map(|_| Dff::default()).collect(),
            received: (0..5).map(|_| Dff::default()).collect(),
            ip_touched: (0..4).map(|_| Dff::default()).collect(),
            l4_touched: (0..4).map(|_| Dff::default()).collect(),
            ..Default::default()
        }
    }
}

impl Logic for EditChecksum {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, changed, address4, address_a, address_b, address_c, ports, tos_ttl, ip_sum, l4_part);
        clock!(self, clock, l4_rest, l4_ports, ip_total, l4_total, ip_fold, l4_fold, result);
        for i in 0..5 {
            self.received[i].clock.next = self.clock.val();
        }
        for i in 0..4 {
            self.ip_touched[i].clock.next = self.clock.val();
            self.l4_touched[i].clock.next = self.clock.val();
        }

        comment!("clock 1: what each word adds");
        self.old.next = self.words.val().old;
        self.new.next = self.words.val().new;
        self.touches.next = 0.into();
        for i in 0..20 {
            self.change[i].clock.next = self.clock.val();
            self.m.next = self.old.val().get_bits::<16>(i * 16);
            self.n.next = self.new.val().get_bits::<16>(i * 16);
            self.term.next = 0.into();
            if self.m.val() != self.n.val() {
                self.term.next = bit_cast::<17, 16>(!self.m.val()) + bit_cast::<17, 16>(self.n.val());
            }
            self.change[i].d.next = self.term.val();
            self.touches.next = self.touches.val().replace_bit(i, self.m.val() != self.n.val());
        }
        self.changed.d.next = self.touches.val();
        self.received[0].d.next.ip_checksum = self.words.val().ip_checksum;
        self.received[0].d.next.l4_checksum = self.words.val().l4_checksum;
        self.received[0].d.next.ipv4 = self.words.val().ipv4;
        self.received[0].d.next.l4 = self.words.val().l4;
        self.received[0].d.next.udp = self.words.val().udp;
        self.received[0].d.next.ip_at = self.words.val().ip_at;
        self.received[0].d.next.l4_at = self.words.val().l4_at;
        for i in 0..4 {
            self.received[i + 1].d.next = self.received[i].q.val();
        }

        comment!("clock 2: sums of four");
        self.address4.d.next = (bit_cast::<19, 17>(self.change[0].q.val())
            + bit_cast::<19, 17>(self.change[1].q.val()))
            + (bit_cast::<19, 17>(self.change[8].q.val()) + bit_cast::<19, 17>(self.change[9].q.val()));
        self.address_a.d.next = (bit_cast::<19, 17>(self.change[2].q.val())
            + bit_cast::<19, 17>(self.change[3].q.val()))
            + (bit_cast::<19, 17>(self.change[4].q.val()) + bit_cast::<19, 17>(self.change[5].q.val()));
        self.address_b.d.next = (bit_cast::<19, 17>(self.change[6].q.val())
            + bit_cast::<19, 17>(self.change[7].q.val()))
            + (bit_cast::<19, 17>(self.change[10].q.val()) + bit_cast::<19, 17>(self.change[11].q.val()));
        self.address_c.d.next = (bit_cast::<19, 17>(self.change[12].q.val())
            + bit_cast::<19, 17>(self.change[13].q.val()))
            + (bit_cast::<19, 17>(self.change[14].q.val()) + bit_cast::<19, 17>(self.change[15].q.val()));
        self.inverted_l4.next = !self.received[0].q.val().l4_checksum;
        self.inverted_ip.next = !self.received[0].q.val().ip_checksum;
        self.ports.d.next = (bit_cast::<19, 17>(self.change[16].q.val()) + bit_cast::<19, 17>(self.change[17].q.val()))
            + bit_cast::<19, 16>(self.inverted_l4.val());
        self.tos_ttl.d.next = (bit_cast::<19, 17>(self.change[18].q.val())
            + bit_cast::<19, 17>(self.change[19].q.val()))
            + bit_cast::<19, 16>(self.inverted_ip.val());
        self.ip_touched[0].d.next = self.received[0].q.val().ipv4
            & (self.changed.q.val().get_bits::<2>(0).any()
                | self.changed.q.val().get_bits::<2>(8).any()
                | self.changed.q.val().get_bits::<2>(18).any());
        self.l4_touched[0].d.next = self.received[0].q.val().l4 & self.changed.q.val().get_bits::<18>(0).any();
        for i in 0..3 {
            self.ip_touched[i + 1].d.next = self.ip_touched[i].q.val();
            self.l4_touched[i + 1].d.next = self.l4_touched[i].q.val();
        }

        comment!("clocks 3 and 4: the totals");
        self.ip_sum.d.next = bit_cast::<20, 19>(self.address4.q.val()) + bit_cast::<20, 19>(self.tos_ttl.q.val());
        self.l4_part.d.next = bit_cast::<20, 19>(self.address4.q.val()) + bit_cast::<20, 19>(self.address_a.q.val());
        self.l4_rest.d.next = bit_cast::<20, 19>(self.address_b.q.val()) + bit_cast::<20, 19>(self.address_c.q.val());
        self.l4_ports.d.next = self.ports.q.val();
        self.ip_total.d.next = self.ip_sum.q.val();
        self.l4_total.d.next = (bit_cast::<22, 20>(self.l4_part.q.val()) + bit_cast::<22, 20>(self.l4_rest.q.val()))
            + bit_cast::<22, 19>(self.l4_ports.q.val());

        comment!("clock 5: add what runs over 16 bits");
        self.ip_fold.d.next = bit_cast::<17, 16>(self.ip_total.q.val().get_bits::<16>(0))
            + bit_cast::<17, 4>(self.ip_total.q.val().get_bits::<4>(16));
        self.l4_fold.d.next = bit_cast::<17, 16>(self.l4_total.q.val().get_bits::<16>(0))
            + bit_cast::<17, 6>(self.l4_total.q.val().get_bits::<6>(16));

        comment!("clock 6: once more, and UDP's rules for zero");
        self.last.next = self.received[4].q.val();
        self.ip_new.next =
            !(self.ip_fold.q.val().get_bits::<16>(0) + bit_cast::<16, 1>(self.ip_fold.q.val().get_bits::<1>(16)));
        self.l4_new.next =
            !(self.l4_fold.q.val().get_bits::<16>(0) + bit_cast::<16, 1>(self.l4_fold.q.val().get_bits::<1>(16)));
        if self.last.val().udp & !self.l4_new.val().any() {
            self.l4_new.next = !self.l4_new.val();
        }
        self.ip_flips.next = 0.into();
        if self.ip_touched[3].q.val() {
            self.ip_flips.next = self.ip_new.val() ^ self.last.val().ip_checksum;
        }
        self.l4_flips.next = 0.into();
        if self.l4_touched[3].q.val() & (!self.last.val().udp | self.last.val().l4_checksum.any()) {
            self.l4_flips.next = self.l4_new.val() ^ self.last.val().l4_checksum;
        }
        self.result.d.next.ip = self.ip_flips.val();
        self.result.d.next.l4 = self.l4_flips.val();
        self.ip_here.next = 0.into();
        for k in 6..15 {
            self.ip_here.next = self.ip_here.val().replace_bit(k, self.last.val().ip_at == k.to_bits::<4>());
        }
        self.l4_here.next = 0.into();
        for k in 14..48 {
            self.l4_here.next = self.l4_here.val().replace_bit(k, self.last.val().l4_at == k.to_bits::<6>());
        }
        self.result.d.next.ip_here = self.ip_here.val();
        self.result.d.next.l4_here = self.l4_here.val();
        self.flips.next = self.result.q.val();
    }
}
