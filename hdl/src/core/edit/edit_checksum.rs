// SPDX-License-Identifier: MIT OR Apache-2.0
//! Incremental checksums of the header editor: RFC 1624, equation 3, over the words that change.

use super::edit_types::{ChecksumFlips, ChecksumWords};
use crate::base::Dff;
use crate::wire_struct;
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
#[millrace_hdl::block]
pub struct EditChecksum {
    pub clock: Signal<In, Clock>,
    pub words: Signal<In, ChecksumWords>,
    pub flips: Signal<Out, ChecksumFlips>,
    /// ~m + m' of each word that changes, 0 of the others.
    change: Vec<Dff<Bits<17>>>,
    /// Which words change.
    changed: Dff<Bits<20>>,
    /// Sum of four changes: the address words that IPv4 has.
    address4: Dff<Bits<19>>,
    /// Sums of four changes each, of the other address words.
    address_a: Dff<Bits<19>>,
    address_b: Dff<Bits<19>>,
    address_c: Dff<Bits<19>>,
    /// Changes of the ports, and the L4 checksum.
    ports: Dff<Bits<19>>,
    /// Changes of TOS and TTL, and the checksum of IPv4.
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
    /// A word under the checksum of IPv4 changes, from the second clock on.
    ip_touched: Vec<Dff<Bit>>,
    /// A word under the checksum of L4 changes, from the second clock on.
    l4_touched: Vec<Dff<Bit>>,
}

#[millrace_hdl::block]
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

    fn update(&mut self) {
        comment!("clock 1: what each word adds");
        let old = self.words.old;
        let new = self.words.new;
        let mut touches: Bits<20> = 0;
        for i in 0..20 {
            let m = old.get_bits::<16>(i * 16);
            let n = new.get_bits::<16>(i * 16);
            let mut term: Bits<17> = 0;
            if m != n {
                term = cast::<17>(!m) + cast::<17>(n);
            }
            self.change[i] = term;
            touches.set_bit(i, m != n);
        }
        self.changed = touches;
        self.received[0].ip_checksum = self.words.ip_checksum;
        self.received[0].l4_checksum = self.words.l4_checksum;
        self.received[0].ipv4 = self.words.ipv4;
        self.received[0].l4 = self.words.l4;
        self.received[0].udp = self.words.udp;
        self.received[0].ip_at = self.words.ip_at;
        self.received[0].l4_at = self.words.l4_at;
        for i in 0..4 {
            self.received[i + 1] = self.received[i];
        }

        comment!("clock 2: sums of four");
        self.address4 = (cast::<19>(self.change[0]) + cast::<19>(self.change[1]))
            + (cast::<19>(self.change[8]) + cast::<19>(self.change[9]));
        self.address_a = (cast::<19>(self.change[2]) + cast::<19>(self.change[3]))
            + (cast::<19>(self.change[4]) + cast::<19>(self.change[5]));
        self.address_b = (cast::<19>(self.change[6]) + cast::<19>(self.change[7]))
            + (cast::<19>(self.change[10]) + cast::<19>(self.change[11]));
        self.address_c = (cast::<19>(self.change[12]) + cast::<19>(self.change[13]))
            + (cast::<19>(self.change[14]) + cast::<19>(self.change[15]));
        let inverted_l4 = !self.received[0].l4_checksum;
        let inverted_ip = !self.received[0].ip_checksum;
        self.ports = (cast::<19>(self.change[16]) + cast::<19>(self.change[17])) + cast::<19>(inverted_l4);
        self.tos_ttl = (cast::<19>(self.change[18]) + cast::<19>(self.change[19])) + cast::<19>(inverted_ip);
        self.ip_touched[0] = self.received[0].ipv4
            & (self.changed.get_bits::<2>(0).any()
                | self.changed.get_bits::<2>(8).any()
                | self.changed.get_bits::<2>(18).any());
        self.l4_touched[0] = self.received[0].l4 & self.changed.get_bits::<18>(0).any();
        for i in 0..3 {
            self.ip_touched[i + 1] = self.ip_touched[i];
            self.l4_touched[i + 1] = self.l4_touched[i];
        }

        comment!("clocks 3 and 4: the totals");
        self.ip_sum = cast::<20>(self.address4) + cast::<20>(self.tos_ttl);
        self.l4_part = cast::<20>(self.address4) + cast::<20>(self.address_a);
        self.l4_rest = cast::<20>(self.address_b) + cast::<20>(self.address_c);
        self.l4_ports = self.ports;
        self.ip_total = self.ip_sum;
        self.l4_total = (cast::<22>(self.l4_part) + cast::<22>(self.l4_rest)) + cast::<22>(self.l4_ports);

        comment!("clock 5: add what runs over 16 bits");
        self.ip_fold = cast::<17>(self.ip_total.get_bits::<16>(0)) + cast::<17>(self.ip_total.get_bits::<4>(16));
        self.l4_fold = cast::<17>(self.l4_total.get_bits::<16>(0)) + cast::<17>(self.l4_total.get_bits::<6>(16));

        comment!("clock 6: once more, and UDP's rules for zero");
        let last = self.received[4];
        let ip_new = !(self.ip_fold.get_bits::<16>(0) + cast::<16>(self.ip_fold.get_bits::<1>(16)));
        let mut l4_new = !(self.l4_fold.get_bits::<16>(0) + cast::<16>(self.l4_fold.get_bits::<1>(16)));
        if last.udp & !l4_new.any() {
            l4_new = !l4_new;
        }
        let mut ip_flips: Bits<16> = 0;
        if self.ip_touched[3] {
            ip_flips = ip_new ^ last.ip_checksum;
        }
        let mut l4_flips: Bits<16> = 0;
        if self.l4_touched[3] & (!last.udp | last.l4_checksum.any()) {
            l4_flips = l4_new ^ last.l4_checksum;
        }
        self.result.ip = ip_flips;
        self.result.l4 = l4_flips;
        let mut ip_here: Bits<15> = 0;
        for k in 6..15 {
            ip_here.set_bit(k, last.ip_at == k);
        }
        let mut l4_here: Bits<48> = 0;
        for k in 14..48 {
            l4_here.set_bit(k, last.l4_at == k);
        }
        self.result.ip_here = ip_here;
        self.result.l4_here = l4_here;
        self.flips = self.result;
    }
}
