// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes the checksums of frames and segments.

use crate::checksum_sum::{ChecksumSum, word_in};
use crate::slicer::Plan;
use crate::types::{BEAT_BITS, BEAT_BYTES, FrameBeat, Offloads};
use millrace_hdl::base::{Dff, DffE, DffR, LutFifo, Reg, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::config::MAX_FRAME;
use rust_hdl_core::prelude::*;

const TCP: u64 = 6;
const UDP: u64 = 17;
/// Bytes of IPv6's fixed header.
const IPV6_HEADER: u64 = 40;
/// The beat that a frame of the greatest length has not.
const TOO_LONG: u64 = (MAX_FRAME / BEAT_BYTES) as u64;
/// TCP's flags without FIN and PSH, without CWR.
const NOT_LAST: u64 = 0xfff6;
const NOT_FIRST: u64 = 0xff7f;
/// Verdicts on their way or waiting, log2.
const VERDICTS_LOG2: usize = 5;

wire_struct! {
    /// What is changed in a frame or segment. Places are numbers of 16-bit words of it.
    pub struct Verdict {
        /// It is dropped.
        pub drop: Bit,
        /// A checksum goes to `place`.
        pub sums: Bit,
        pub place: Bits<13>,
        pub checksum: Bits<16>,
        /// The headers of a segment change: that of IP is at `ip`, that of TCP or UDP at `start`.
        pub cut: Bit,
        pub ip: Bits<4>,
        pub v6: Bit,
        pub start: Bits<13>,
        pub udp: Bit,
        /// Total length of IPv4 or payload length of IPv6.
        pub ip_length: Bits<16>,
        pub id: Bits<16>,
        pub ip_checksum: Bits<16>,
        /// Of UDP.
        pub length: Bits<16>,
        /// Of TCP.
        pub sequence: Bits<32>,
        pub flags: Bits<16>,
    }
}

wire_struct! {
    /// A beat on its way to the sums.
    pub struct Summand {
        /// The first of its frame; the one that gives the verdict, of which all but the sums is known.
        pub first: Bit,
        pub ends: Bit,
        pub verdict: Verdict,
    }
}

/// Passes beats on from `inp` to `out`, and gives a `verdict` for each frame and segment: with its last beat if there is a checksum to make, and some 8 clocks later; with the first otherwise, or when it is too long to have
/// one. A beat in a clock.
///
/// `plan` has an entry for each frame, not later than the frame. `TAG_BITS` = PAIR_BITS + 1: see [`Slicer`](crate::slicer::Slicer).
#[millrace_hdl::block]
pub struct Summer<const PAIR_BITS: usize, const TAG_BITS: usize> {
    pub clock: Signal<In, Clock>,
    /// Of the sums, which frames without a checksum do not need.
    pub clock_sums: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<FrameBeat<TAG_BITS>>,
    pub plan: Snk<Plan>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    pub verdict: Src<Verdict>,
    /// Nothing is held; nothing is summed up.
    pub idle: Signal<Out, Bit>,
    pub idle_sums: Signal<Out, Bit>,

    /// Beat of the segment, 255 for those behind; number of the segment, and bytes of payload before it.
    beat: Reg<Bits<8>>,
    number: Reg<Bits<16>>,
    before: Reg<Bits<32>>,
    /// The beat, and the words of it that are summed up: for TCP's and UDP's checksum, for IPv4's, of the addresses.
    data: DffE<Bits<BEAT_BITS>>,
    l4_words: DffE<Bits<32>>,
    ip_words: DffE<Bits<32>>,
    address_words: DffE<Bits<32>>,
    #[clock(clock_sums)]
    l4: ChecksumSum,
    #[clock(clock_sums)]
    ip: ChecksumSum,
    #[clock(clock_sums)]
    addresses: ChecksumSum,
    summing: DffR<Bits<3>>,
    /// What travels beside them; and what TCP's or UDP's checksum has beside the words of the frame.
    valid: DffR<Bits<7>>,
    #[count(7)]
    summands: Vec<Dff<Summand>>,
    fields: Dff<Bits<19>>,
    extra: Dff<Bits<19>>,
    extra_kept: Dff<Bits<19>>,
    extra_due: Dff<Bits<19>>,
    l4_total: DffE<Bits<32>>,
    ip_total: DffE<Bits<22>>,
    address_total: DffE<Bits<22>>,
    l4_sum: Dff<Bits<23>>,
    ip_sum: Dff<Bits<23>>,
    l4_folded: Dff<Bits<17>>,
    ip_folded: Dff<Bits<17>>,
    owed: Reg<Bits<6>>,
    verdicts: LutFifo<Verdict, VERDICTS_LOG2, 6>,
}

/// The ones' complement sum, but for one carry.
#[millrace_hdl::function]
fn folded(sum: Bits<23>) -> Bits<17> {
    cast::<17>(sum.get_bits::<16>(0)) + cast::<17>(sum.get_bits::<7>(16))
}

/// The complement of what `folded` has given.
#[millrace_hdl::function]
fn complement(sum: Bits<17>) -> Bits<16> {
    !(sum.get_bits::<16>(0) + cast::<16>(sum.get_bit(16)))
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const TAG_BITS: usize> Summer<PAIR_BITS, TAG_BITS> {
    fn update(&mut self) {
        comment!("a beat is taken when there is room for it, and for the verdict");
        let arriving = self.inp.data;
        let plan = self.plan.data;
        let is_final = arriving.pair.get_bit(0);
        let ready = self.plan.valid & !self.owed.get_bit(VERDICTS_LOG2);
        let takes = ready & self.inp.valid & self.out.ready;
        self.inp.ready = ready & self.out.ready;
        self.out.valid = ready & self.inp.valid;
        self.out.data = FrameBeat::<PAIR_BITS> {
            data: arriving.data,
            bytes: arriving.bytes,
            last: arriving.last,
            pair: arriving.pair.get_bits::<PAIR_BITS>(1),
            function: arriving.function,
            offloads: Offloads::default(),
            error: arriving.error,
        };
        self.plan.ready = takes & arriving.last & is_final;
        if takes {
            self.beat = if arriving.last {
                0
            } else if self.beat.all() {
                self.beat
            } else {
                self.beat + 1
            };
            if arriving.last {
                self.number = if is_final { 0 } else { self.number + 1 };
                self.before = if is_final { 0 } else { self.before + cast::<32>(plan.gso_size) };
            }
        }

        comment!("which of its words are summed up: those that a segment changes are not");
        let first = !self.beat.any();
        let all = !Bits::<32>::default();
        let at_start = plan.start.get_bits::<8>(5);
        let from_start = if self.beat > at_start {
            all
        } else if self.beat == at_start {
            all << plan.start.get_bits::<5>(0)
        } else {
            0
        };
        let sequence = word_in(plan.start + 2, self.beat) | word_in(plan.start + 3, self.beat);
        let flags = if plan.udp { 0 } else { word_in(plan.start + 6, self.beat) };
        let changed = sequence | flags | word_in(plan.checksum, self.beat);
        let ip = cast::<5>(plan.ip);
        let three: Bits<32> = 0x26;
        let addresses: Bits<32> = if plan.v6 { 0xf_fff0 } else { 0x3c0 };
        let from_ip = if first { (all << ip) & !(three << ip) } else { all };
        if takes {
            self.data = arriving.data;
            self.l4_words = if plan.cut { from_start & !changed } else { from_start };
            self.ip_words = from_ip & !from_start;
            self.address_words = if first & plan.cut { addresses << ip } else { 0 };
        }

        comment!("what is known without the sums");
        let plain = plan.drop | !plan.sums;
        let length = (cast::<16>(self.beat) << 6) + cast::<16>(arriving.bytes);
        let too_long = self.beat == TOO_LONG;
        let outside = (cast::<16>(plan.checksum) << 1) + 2 > length;
        let ends = if plain { first } else { too_long | (arriving.last & (self.beat < TOO_LONG)) };
        let mut new_flags = plan.flags;
        if !is_final {
            new_flags &= NOT_LAST;
        }
        if self.number.any() {
            new_flags &= NOT_FIRST;
        }
        let ip_place = cast::<16>(plan.ip) << 1;
        let fixed: Bits<16> = if plan.v6 { IPV6_HEADER } else { 0 };
        let verdict: Verdict = Verdict {
            drop: plan.drop | (plan.sums & (too_long | outside)),
            sums: plan.sums,
            place: plan.checksum,
            checksum: 0,
            cut: plan.cut,
            ip: plan.ip,
            v6: plan.v6,
            start: plan.start,
            udp: plan.udp,
            ip_length: length - ip_place - fixed,
            id: plan.id + self.number,
            ip_checksum: 0,
            length: length - (cast::<16>(plan.start) << 1),
            sequence: plan.sequence + self.before,
            flags: new_flags,
        };
        self.summands[0] = Summand { first, ends, verdict };
        for i in 0..6 {
            self.summands[i + 1] = self.summands[i];
        }
        let moved = self.valid << 1;
        self.valid = if takes { moved | 1 } else { moved };
        let summed = self.summing << 1;
        self.summing = if takes & plan.sums { summed | 1 } else { summed };

        comment!("the sums of a beat, three clocks later; the fields that were left out, and the pseudo header, two");
        self.l4.data = self.data;
        self.l4.words = self.l4_words;
        self.ip.data = self.data;
        self.ip.words = self.ip_words;
        self.addresses.data = self.data;
        self.addresses.words = self.address_words;
        let known = self.summands[0].verdict;
        let sequence_sum = cast::<19>(known.sequence.get_bits::<16>(16)) + cast::<19>(known.sequence.get_bits::<16>(0));
        self.fields = if known.udp { cast::<19>(known.length) } else { sequence_sum + cast::<19>(known.flags) };
        let protocol: Bits<19> = if self.summands[1].verdict.udp { UDP } else { TCP };
        let beside = self.fields + cast::<19>(self.summands[1].verdict.length) + protocol;
        self.extra = if self.summands[1].verdict.cut { beside } else { 0 };
        self.extra_kept = self.extra;
        self.extra_due = self.extra_kept;

        comment!("those of a frame");
        if self.valid.get_bit(3) {
            let opens = self.summands[3].first;
            self.l4_total = (if opens { 0 } else { self.l4_total }) + cast::<32>(self.l4.total);
            self.ip_total = (if opens { 0 } else { self.ip_total }) + cast::<22>(self.ip.total);
            self.address_total = (if opens { 0 } else { self.address_total }) + cast::<22>(self.addresses.total);
        }

        comment!("the checksums");
        let done = self.summands[4].verdict;
        let high = cast::<23>(self.l4_total.get_bits::<16>(16));
        let low = cast::<23>(self.l4_total.get_bits::<16>(0));
        let pseudo = cast::<23>(self.address_total) + cast::<23>(self.extra_due);
        self.l4_sum = high + low + (if done.cut { pseudo } else { 0 });
        self.ip_sum = cast::<23>(self.ip_total) + cast::<23>(done.ip_length) + cast::<23>(done.id);
        self.l4_folded = folded(self.l4_sum);
        self.ip_folded = folded(self.ip_sum);
        let made = complement(self.l4_folded);
        let never_zero = self.summands[6].verdict.udp & !made.any();
        self.verdicts.inp.valid = self.valid.get_bit(6) & self.summands[6].ends;
        self.verdicts.inp.data = Verdict {
            checksum: if never_zero { 0xffff } else { made },
            ip_checksum: complement(self.ip_folded),
            ..self.summands[6].verdict
        };
        link(self.verdict, self.verdicts.out);
        let begins = takes & ends;
        let leaves = self.verdict.ready & !self.verdicts.empty;
        if begins ^ leaves {
            self.owed = if begins { self.owed + 1 } else { self.owed - 1 };
        }
        self.idle = !(self.inp.valid | self.owed.any() | self.valid.any());
        self.idle_sums = !self.summing.any();
    }
}
