// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cuts frames into segments.

use crate::checksum_sum::big;
use crate::types::{BEAT_BITS, BEAT_BYTES, NetHeader, Offloads, Piece, SentBeat};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Snk, Src};
use millrace_hdl::wire_struct;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::{SEGMENT_HEADER, net_header};
use rust_hdl_core::prelude::*;

const TCP: u64 = 6;
const UDP: u64 = 17;
const TCP_HEADER: u64 = 20;
const UDP_HEADER: u64 = 8;
/// Where TCP and UDP have their checksum.
const TCP_CHECKSUM: u64 = 16;
const UDP_CHECKSUM: u64 = 6;
const IPV4: u64 = 0x0800;
const IPV6: u64 = 0x86dd;
const IPV6_HEADER: u64 = 40;
const NEEDS_CSUM: usize = net_header::NEEDS_CSUM.trailing_zeros() as usize;
const ECN: usize = net_header::GSO_ECN.trailing_zeros() as usize;
const TCPV4: u64 = net_header::GSO_TCPV4 as u64;
const TCPV6: u64 = net_header::GSO_TCPV6 as u64;
const UDP_L4: u64 = net_header::GSO_UDP_L4 as u64;
/// The last place that the first byte of a checksum can have.
const LAST_PLACE: u64 = MAX_FRAME as u64 - 2;
const LONGEST: u64 = MAX_FRAME as u64;
const LONGEST_HEADER: u64 = SEGMENT_HEADER as u64;

wire_struct! {
    /// What is done with a frame. Places are numbers of 16-bit words of it.
    pub struct Plan {
        /// It is dropped: what is asked for does not fit it.
        pub drop: Bit,
        /// A checksum is made, over what begins at `start`.
        pub sums: Bit,
        pub start: Bits<13>,
        pub checksum: Bits<13>,
        pub udp: Bit,
        /// It is cut into segments with this many bytes behind the header.
        pub cut: Bit,
        pub gso_size: Bits<16>,
        /// The IP header's place; whether it is that of IPv6.
        pub ip: Bits<4>,
        pub v6: Bit,
        /// Of IPv4; of TCP: data offset and flags, and sequence number.
        pub id: Bits<16>,
        pub flags: Bits<16>,
        pub sequence: Bits<32>,
    }
}

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum SliceState {
    /// What is held passes as it is, unless it begins a frame that is cut.
    Pass,
    /// Where its headers are; all of them are put aside; where they end.
    Look,
    Collect,
    Measure,
    Complete,
    /// A segment's header, and what lies behind it.
    Header,
    Payload,
    /// A frame that is dropped.
    Refuse,
    Swallow,
}

/// Gives out frames and segments as `pieces` that [`Packer`](crate::packer::Packer) makes frames of. Bit 0 of their `pair` tells with `last` that no segment of the same frame follows. `plan` has an
/// entry for each frame, there with its first piece or before. A frame that is not cut passes at a beat a clock; of one that is each segment takes a clock for each beat that its header or its payload lies in.
///
/// Of a frame that is refused there is one piece. `TAG_BITS` = PAIR_BITS + 1.
#[millrace_hdl::block]
pub struct Slicer<const PAIR_BITS: usize, const TAG_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<SentBeat<PAIR_BITS>>,
    pub pieces: Src<Piece<TAG_BITS>>,
    pub plan: Src<Plan>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    state: DffR<SliceState>,
    held: DffE<SentBeat<PAIR_BITS>>,
    held_valid: DffR<Bit>,
    held_first: DffE<Bit>,
    /// The next beat is not a frame's first.
    within: DffR<Bit>,

    /// Of the frame that is cut: what is asked for, what is known of its headers.
    header: DffE<NetHeader>,
    offloads: DffE<Offloads>,
    fits: DffE<Bit>,
    ip: DffE<Bits<4>>,
    v6: DffE<Bit>,
    udp: DffE<Bit>,
    id: DffE<Bits<16>>,
    flags: DffE<Bits<16>>,
    sequence: DffE<Bits<32>>,
    /// Beat of the frame that is held; the headers' bytes, and the beats that they lie in.
    beat: DffE<Bits<2>>,
    length: DffE<Bits<8>>,
    template: LutRam<Bits<BEAT_BITS>, 2>,
    /// Beat of the header that goes out next; whether the segment is the first.
    turn: DffE<Bits<2>>,
    opens: DffE<Bit>,
    /// Where in the beat held the payload goes on; bytes that are missing in the segment.
    from: DffE<Bits<6>>,
    left: DffE<Bits<16>>,
    plans: LutFifo<Plan, 3, 4>,
}

/// Word `word` of a beat.
#[millrace_hdl::function]
fn word_of(data: Bits<BEAT_BITS>, word: Bits<5>) -> Bits<16> {
    big((data >> (cast::<10>(word) << 4)).get_bits::<16>(0))
}

#[millrace_hdl::function]
fn is_tag(ethertype: Bits<16>) -> Bit {
    (ethertype == 0x8100) | (ethertype == 0x88a8)
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const TAG_BITS: usize> Slicer<PAIR_BITS, TAG_BITS> {
    fn update(&mut self) {
        let frame = self.held.frame;
        let data = frame.data;
        let mut gives = false;
        let mut opens = false;
        let mut consumes = false;
        let no_more: Bit = true;
        let mut piece: Piece<TAG_BITS> = Piece {
            data,
            from: 0,
            count: frame.bytes,
            pair: concat::<TAG_BITS>(frame.pair, no_more),
            function: frame.function,
            offloads: Offloads::default(),
            last: frame.last,
            error: frame.error,
        };

        comment!("a frame that is not cut: where its checksum is");
        let asked = self.held.header;
        let looks = frame.function.any() & frame.offloads.csum;
        let cuts = self.held_valid & self.held_first & looks & asked.gso_type.any();
        let place = cast::<17>(asked.csum_start) + cast::<17>(asked.csum_offset);
        let odd = asked.csum_start.get_bit(0) | asked.csum_offset.get_bit(0);
        let sums = looks & asked.flags.get_bit(NEEDS_CSUM);
        let mut plan: Plan = Plan {
            drop: sums & (odd | (place > LAST_PLACE)),
            sums,
            start: asked.csum_start.get_bits::<13>(1),
            checksum: place.get_bits::<13>(1),
            udp: asked.csum_offset == UDP_CHECKSUM,
            cut: false,
            gso_size: 0,
            ip: 0,
            v6: false,
            id: 0,
            flags: 0,
            sequence: 0,
        };

        comment!("a frame that is cut: its headers");
        let header = self.header;
        let start = header.csum_start;
        let kind = header.gso_type.get_bits::<7>(0);
        let udp = kind == UDP_L4;
        let protocol: Bits<8> = if udp { UDP } else { TCP };
        let granted =
            ((kind == TCPV4) & self.offloads.tso4) | ((kind == TCPV6) & self.offloads.tso6) | (udp & self.offloads.uso);
        let ecn_fits = !header.gso_type.get_bit(ECN) | (!udp & self.offloads.ecn);
        let shortest: Bits<17> = if udp { UDP_HEADER } else { TCP_HEADER };
        let offset: Bits<16> = if udp { UDP_CHECKSUM } else { TCP_CHECKSUM };
        let at_checksum = header.csum_offset == offset;
        let plain = header.flags.get_bit(NEEDS_CSUM) & granted & ecn_fits & at_checksum;
        let short = cast::<17>(start) + shortest <= LONGEST_HEADER;
        let outer = big(data.get_bits::<16>(96));
        let middle = big(data.get_bits::<16>(128));
        let inner = big(data.get_bits::<16>(160));
        let one_tag = is_tag(outer);
        let two_tags = one_tag & is_tag(middle);
        let mut ip: Bits<4> = 7;
        let mut ethertype = outer;
        let mut packet = data.get_bits::<80>(112);
        if one_tag {
            ip = 9;
            ethertype = middle;
            packet = data.get_bits::<80>(144);
        }
        if two_tags {
            ip = 11;
            ethertype = inner;
            packet = data.get_bits::<80>(176);
        }
        let version = packet.get_bits::<4>(4);
        let words = packet.get_bits::<4>(0);
        let ip_place = cast::<16>(ip) << 1;
        let is_v4 = (ethertype == IPV4) & (kind != TCPV6) & (version == 4) & (words >= 5);
        let v4_ends = start == ip_place + (cast::<16>(words) << 2);
        let fits_v4 = is_v4 & v4_ends & (packet.get_bits::<8>(72) == protocol);
        let is_v6 = (ethertype == IPV6) & (kind != TCPV4) & (version == 6);
        let fixed_end = ip_place + IPV6_HEADER;
        let v6_ends = (start > fixed_end) | ((start == fixed_end) & (packet.get_bits::<8>(48) == protocol));
        let fits_v6 = is_v6 & v6_ends & !start.get_bit(0);

        comment!("words of TCP's header in the beat");
        let word = start.get_bits::<7>(1);
        let high = word + 2;
        let low = word + 3;
        let flags = word + 6;
        let last_word = if self.udp { low } else { flags };
        let all_here = last_word.get_bits::<2>(5) == self.beat;
        let data_offset = cast::<16>(self.flags.get_bits::<4>(12)) << 2;
        let total = start + (if self.udp { cast::<16>(shortest) } else { data_offset });
        let has_offset = self.udp | (data_offset >= TCP_HEADER);
        let whole = cast::<17>(total) + cast::<17>(header.gso_size);
        let measured = has_offset & (total <= LONGEST_HEADER) & header.gso_size.any() & (whole <= LONGEST);

        comment!("what a beat adds to a segment");
        let here = frame.bytes - cast::<7>(self.from);
        let enough = cast::<16>(here) >= self.left;
        let count = if enough { cast::<7>(self.left) } else { here };
        let ends_beat = count == here;
        let ends_frame = ends_beat & frame.last;
        let ends_segment = ends_frame | enough;
        let of_header = cast::<9>(self.length) - (cast::<9>(self.turn) << 6);
        let header_ends = of_header <= BEAT_BYTES;
        self.template.raddr = self.turn;
        self.template.waddr = self.beat;
        self.template.wdata = data;
        self.template.we = false;
        let cut_plan: Plan = Plan {
            drop: false,
            sums: true,
            start: start.get_bits::<13>(1),
            checksum: cast::<13>(if self.udp { low } else { word + 8 }),
            udp: self.udp,
            cut: true,
            gso_size: header.gso_size,
            ip: self.ip,
            v6: self.v6,
            id: self.id,
            flags: self.flags,
            sequence: self.sequence,
        };
        let drop_plan: Plan = Plan { drop: true, ..cut_plan };
        let mut state = self.state;
        let moves = self.pieces.ready & self.plans.inp.ready;
        match self.state {
            SliceState::Pass => {
                gives = self.held_valid & !cuts;
                opens = self.held_first;
                consumes = gives & moves;
                self.header = asked;
                self.offloads = frame.offloads;
                if cuts {
                    state = SliceState::Look;
                }
            }
            SliceState::Look => {
                self.fits = plain & short & (fits_v4 | fits_v6);
                self.ip = ip;
                self.v6 = is_v6;
                self.udp = udp;
                self.id = big(packet.get_bits::<16>(32));
                self.beat = 0;
                state = SliceState::Collect;
            }
            SliceState::Collect => {
                self.template.we = self.held_valid;
                if high.get_bits::<2>(5) == self.beat {
                    self.sequence = concat::<32>(word_of(data, high.get_bits::<5>(0)), self.sequence.get_bits::<16>(0));
                }
                if low.get_bits::<2>(5) == self.beat {
                    self.sequence = concat::<32>(
                        if high.get_bits::<2>(5) == self.beat {
                            word_of(data, high.get_bits::<5>(0))
                        } else {
                            self.sequence.get_bits::<16>(16)
                        },
                        word_of(data, low.get_bits::<5>(0)),
                    );
                }
                self.flags = word_of(data, flags.get_bits::<5>(0));
                if self.held_valid {
                    if !self.fits | (!all_here & frame.last) {
                        state = SliceState::Refuse;
                    } else if all_here {
                        state = SliceState::Measure;
                    } else {
                        consumes = true;
                        self.beat += 1;
                    }
                }
            }
            SliceState::Measure => {
                self.length = cast::<8>(total);
                state = if measured { SliceState::Complete } else { SliceState::Refuse };
            }
            SliceState::Complete => {
                self.template.we = self.held_valid;
                self.turn = 0;
                self.opens = true;
                self.from = self.length.get_bits::<6>(0);
                if self.held_valid {
                    if self.length.get_bits::<2>(6) == self.beat {
                        let more = frame.bytes > cast::<7>(self.length.get_bits::<6>(0));
                        state = if more { SliceState::Header } else { SliceState::Refuse };
                    } else if frame.last {
                        state = SliceState::Refuse;
                    } else {
                        consumes = true;
                        self.beat += 1;
                    }
                }
            }
            SliceState::Header => {
                gives = true;
                opens = self.opens & !self.turn.any();
                plan = cut_plan;
                piece.data = self.template.rdata;
                piece.count = if header_ends { cast::<7>(of_header) } else { BEAT_BYTES };
                piece.last = false;
                piece.error = false;
                self.left = header.gso_size;
                if moves {
                    self.turn += 1;
                    if header_ends {
                        state = SliceState::Payload;
                    }
                }
            }
            SliceState::Payload => {
                gives = self.held_valid;
                self.turn = 0;
                self.opens = false;
                piece.from = self.from;
                piece.count = count;
                piece.pair = concat::<TAG_BITS>(frame.pair, ends_frame);
                piece.last = ends_segment;
                piece.error = ends_frame & frame.error;
                if gives & moves {
                    self.from = if ends_beat { 0 } else { self.from + cast::<6>(count) };
                    self.left = self.left - cast::<16>(count);
                    consumes = ends_beat;
                    if ends_frame {
                        state = SliceState::Pass;
                    } else if ends_segment {
                        state = SliceState::Header;
                    }
                }
            }
            SliceState::Refuse => {
                // Of a frame that is damaged there is nothing to refuse.
                let damaged = frame.last & frame.error;
                gives = !damaged;
                opens = true;
                plan = drop_plan;
                piece.count = 1;
                piece.last = true;
                piece.error = false;
                if damaged | moves {
                    consumes = true;
                    state = if frame.last { SliceState::Pass } else { SliceState::Swallow };
                }
            }
            SliceState::Swallow => {
                consumes = self.held_valid;
                if self.held_valid & frame.last {
                    state = SliceState::Pass;
                }
            }
        }
        self.state = state;

        comment!("out");
        self.pieces.valid = gives & self.plans.inp.ready;
        self.pieces.data = piece;
        self.plans.inp.valid = gives & opens & self.pieces.ready;
        self.plans.inp.data = plan;
        link(self.plan, self.plans.out);

        comment!("in");
        let free = !self.held_valid | consumes;
        self.inp.ready = free;
        self.held_valid = self.inp.valid | !free;
        if free {
            self.held = self.inp.data;
            self.held_first = !self.within;
        }
        self.within = if free & self.inp.valid { !self.inp.data.frame.last } else { self.within };
        self.idle = !(self.held_valid | self.inp.valid | (self.plans.out.valid & self.plan.ready));
    }
}
