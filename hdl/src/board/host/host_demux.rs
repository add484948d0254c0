// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of the host, to where they belong.

use crate::base::{DffE, DffR, Param, Reg, Snk, Src};
use crate::board::types::{MarkedBeat, RegisterRequest};
use crate::core::types::Beat;
use millrace_regs::host_channel::{HEADER_BYTES, MessageKind};
use millrace_regs::map::MAX_VPORTS;
use rust_hdl_core::prelude::*;
use std::ops::Range;

/// Host to device: takes the header beat off each message of the host channel (`docs/board.md`) and passes its frame on to the
/// vport's receive stream or to packet out, or a register access to `registers`. No clock of latency, a beat per clock.
///
/// `VPORTS` vports, of which some are on this channel; the others' `rx` never has anything. `rx_error` goes with the last beat of whatever frame
/// goes out. Dropped and counted: a message of another kind, of a vport that is not on this channel, with fewer than 8 bytes of header,
/// without a frame where one belongs or with more where none does, or whose `error` comes with the header.
#[millrace_hdl::block]
pub struct HostDemux<const BUS_BITS: usize, const COUNT_BITS: usize, const VPORTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<MarkedBeat<BUS_BITS, COUNT_BITS>>,
    /// A message was lost on its way here: counted with those dropped.
    pub lost: Signal<In, Bit>,
    #[count(VPORTS)]
    pub rx: Vec<Src<Beat<BUS_BITS, COUNT_BITS>>>,
    pub rx_error: Signal<Out, Bit>,
    pub packet_out: Src<Beat<BUS_BITS, COUNT_BITS>>,
    /// Held through the frame.
    pub packet_out_vport: Signal<Out, Bits<8>>,
    pub registers: Src<RegisterRequest>,
    /// Messages dropped or lost, modulo 2^32.
    pub dropped: Signal<Out, Bits<32>>,
    /// The count moves.
    pub moves: Signal<Out, Bit>,

    /// A frame is passing.
    inside: Reg<Bit>,
    /// It passes to a vport.
    to_vport: Reg<Bits<VPORTS>>,
    /// It passes to packet out. (If to neither, to nobody.)
    to_slow_path: Reg<Bit>,
    vport: DffE<Bits<8>>,
    /// A message was dropped in the clock before.
    drops: DffR<Bit>,
    /// A message was lost in the clock before.
    loses: DffR<Bit>,
    dropped_q: Reg<Bits<32>>,
    /// The vports on this channel.
    mine: Param<Bits<VPORTS>>,
    /// There is something behind `registers`.
    has_registers: Param<Bit>,
    #[init(Param::new((MessageKind::Frame as u64).into()))]
    frame_kind: Param<Bits<8>>,
    #[init(Param::new((MessageKind::SlowPath as u64).into()))]
    slow_path_kind: Param<Bits<8>>,
    #[init(Param::new((MessageKind::Register as u64).into()))]
    register_kind: Param<Bits<8>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize, const VPORTS: usize> HostDemux<BUS_BITS, COUNT_BITS, VPORTS> {
    /// A channel that the `vports` are on; without `registers` it has no register access.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(vports: Range<usize>, registers: bool) -> Self {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1)
                && BUS_BITS >= 64
                && VPORTS <= MAX_VPORTS as usize
                && vports.end <= VPORTS,
            "HostDemux<{BUS_BITS}, {COUNT_BITS}, {VPORTS}> for {vports:?}: sizes do not fit each other"
        );
        Self {
            mine: Param::new(vports.fold(0.into(), |mine, vport| mine | Bits::from(1_u64) << vport as u64)),
            has_registers: Param::new(registers),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("what the header says");
        let header = cast::<64>(self.inp.data.data);
        let kind = header.get_bits::<8>(0);
        let operand = header.get_bits::<8>(8);
        let mut addressed: Bits<VPORTS> = 0;
        for i in 0..VPORTS {
            addressed.set_bit(i, (operand == i) & self.mine.get_bit(i));
        }
        let sound = (self.inp.data.bytes >= HEADER_BYTES) & !(self.inp.data.last & self.inp.data.error);
        comment!("`registers` may be waited for before it is known whether the message is sound");
        let for_registers = self.has_registers & (kind == self.register_kind);
        let is_access = for_registers & sound & self.inp.data.last & (operand < 2);
        let is_packet_out = sound & !self.inp.data.last & (kind == self.slow_path_kind);
        let is_frame = sound & !self.inp.data.last & (kind == self.frame_kind) & addressed.any();

        comment!("to whom");
        let mut ready: Bits<VPORTS> = 0;
        for i in 0..VPORTS {
            ready.set_bit(i, self.rx[i].ready);
        }
        let accept = if self.inside {
            !(self.to_vport & !ready).any() & (!self.to_slow_path | self.packet_out.ready)
        } else {
            !for_registers | self.registers.ready
        };
        self.inp.ready = accept;
        let starts = self.inp.valid & accept & !self.inside;
        if self.inp.valid & accept {
            self.inside = !self.inp.data.last;
        }
        if starts {
            self.to_vport = if is_frame { addressed } else { 0 };
            self.to_slow_path = is_packet_out;
            self.vport = operand;
        }

        comment!("what goes out");
        let beat: Beat<BUS_BITS, COUNT_BITS> =
            Beat { data: self.inp.data.data, bytes: self.inp.data.bytes, last: self.inp.data.last };
        for i in 0..VPORTS {
            self.rx[i].data = beat;
            self.rx[i].valid = self.inp.valid & self.inside & self.to_vport.get_bit(i);
        }
        self.rx_error = self.inp.data.error;
        self.packet_out.data = beat;
        self.packet_out.valid = self.inp.valid & self.inside & self.to_slow_path;
        self.packet_out_vport = self.vport;
        self.registers.data = RegisterRequest {
            write: operand.get_bit(0),
            address: header.get_bits::<16>(16),
            data: header.get_bits::<32>(32),
        };
        self.registers.valid = self.inp.valid & !self.inside & is_access;

        comment!("what does not");
        self.drops = starts & !is_access & !is_packet_out & !is_frame;
        self.loses = self.lost;
        if self.drops & self.loses {
            self.dropped_q += 2;
        } else if self.drops | self.loses {
            self.dropped_q += 1;
        }
        self.dropped = self.dropped_q;
        self.moves = self.drops | self.loses;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::random;
    use crate::testing::{assert_lints, beats, bytes, settle, tick};
    use millrace_regs::Field;
    use millrace_regs::host_channel::{ADDRESS, DATA, KIND, VPORT, WRITE, header_words};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// What a message comes to.
    #[derive(Clone, Debug, PartialEq)]
    enum Outcome {
        Frame { vport: usize, frame: Vec<u8>, error: bool },
        PacketOut { vport: u8, frame: Vec<u8>, error: bool },
        Register { write: bool, address: u16, data: u32 },
        Dropped,
    }

    /// The rules of `docs/board.md` for a channel with vports 2 and 3 and registers.
    fn expected(message: &[u8], header_bytes: usize, error: bool) -> Outcome {
        let (header, frame) = message.split_at(header_bytes.min(message.len()));
        let Some(header) = header.first_chunk() else { return Outcome::Dropped };
        if error && frame.is_empty() {
            return Outcome::Dropped;
        }
        let words = header_words(*header);
        let of = |field: Field| field.get(&words) as u32;
        match MessageKind::from_number(of(KIND)) {
            Some(MessageKind::Frame) if !frame.is_empty() && (2..4).contains(&of(VPORT)) => {
                Outcome::Frame { vport: of(VPORT) as usize, frame: frame.into(), error }
            }
            Some(MessageKind::SlowPath) if !frame.is_empty() => {
                Outcome::PacketOut { vport: of(VPORT) as u8, frame: frame.into(), error }
            }
            Some(MessageKind::Register) if frame.is_empty() && of(WRITE) < 2 => {
                Outcome::Register { write: of(WRITE) == 1, address: of(ADDRESS) as u16, data: of(DATA) }
            }
            _ => Outcome::Dropped,
        }
    }

    fn run<const BUS_BITS: usize, const COUNT_BITS: usize>(seed: u64, fill: f64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut messages = vec![];
        for _ in 0..200 {
            let frame = rng.random_range(0..60) * usize::from(rng.random_bool(0.7));
            let mut message = random(BUS_BITS / 8 + frame, &mut rng);
            message[0] = rng.random_range(0..4);
            message[1] = rng.random_range(0..6) >> rng.random_range(0..3);
            if rng.random_bool(0.1) {
                message.truncate(rng.random_range(1..BUS_BITS / 8));
            }
            messages.push((message, rng.random_bool(0.1)));
        }
        let mut stream = messages
            .iter()
            .flat_map(|(message, error)| {
                beats::<BUS_BITS, COUNT_BITS>(message).into_iter().map(|b| MarkedBeat {
                    data: b.data,
                    bytes: b.bytes,
                    last: b.last,
                    error: b.last && *error,
                })
            })
            .peekable();
        let mut demux = Box::new(HostDemux::<BUS_BITS, COUNT_BITS, 4>::new(2..4, true));
        demux.connect_all();
        demux.reset.next = true;
        tick(&mut *demux, |d| &mut d.clock);
        demux.reset.next = false;
        let (mut got, mut partial, mut lost, mut held, mut rest) = (vec![], vec![], 0, false, 30);
        while rest > 0 {
            held = stream.peek().is_some() && (held || rng.random_bool(fill));
            demux.inp.valid.next = held;
            demux.inp.data.next = stream.peek().copied().unwrap_or_default();
            for rx in &mut demux.rx {
                rx.ready.next = rng.random_bool(drain);
            }
            demux.packet_out.ready.next = rng.random_bool(drain);
            demux.registers.ready.next = rng.random_bool(drain);
            demux.lost.next = rest > 2 && rng.random_bool(0.05);
            settle(&mut *demux);
            lost += u64::from(demux.lost.val());
            let error = demux.rx_error.val();
            for vport in 0..4 {
                let rx = &demux.rx[vport];
                if rx.valid.val() && rx.ready.val() {
                    partial.extend(bytes(rx.data.val().data, rx.data.val().bytes));
                    if rx.data.val().last {
                        got.push(Outcome::Frame { vport, frame: std::mem::take(&mut partial), error });
                    }
                }
            }
            let out = &demux.packet_out;
            if out.valid.val() && out.ready.val() {
                partial.extend(bytes(out.data.val().data, out.data.val().bytes));
                if out.data.val().last {
                    let vport = demux.packet_out_vport.val().to_u64() as u8;
                    got.push(Outcome::PacketOut { vport, frame: std::mem::take(&mut partial), error });
                }
            }
            let request = demux.registers.data.val();
            if demux.registers.valid.val() && demux.registers.ready.val() {
                let (address, data) = (request.address.to_u64() as u16, request.data.to_u64() as u32);
                got.push(Outcome::Register { write: request.write, address, data });
            }
            if held && demux.inp.ready.val() {
                stream.next();
                held = false;
            }
            rest -= i32::from(stream.peek().is_none());
            tick(&mut *demux, |d| &mut d.clock);
        }
        let all: Vec<_> = messages.iter().map(|(message, error)| expected(message, BUS_BITS / 8, *error)).collect();
        let (dropped, passed): (Vec<_>, Vec<_>) = all.into_iter().partition(|outcome| *outcome == Outcome::Dropped);
        assert!(passed.len() > 30 && dropped.len() > 30, "{} {}", passed.len(), dropped.len());
        assert_eq!(got, passed);
        settle(&mut *demux);
        assert_eq!(demux.dropped.val().to_u64(), dropped.len() as u64 + lost);
    }

    #[test]
    fn each_message_goes_where_it_belongs_or_is_counted() {
        for (seed, fill, drain) in [(1, 1.0, 1.0), (2, 0.5, 0.5), (3, 1.0, 0.3)] {
            run::<64, 4>(seed, fill, drain);
        }
        run::<256, 6>(4, 0.8, 0.6);
    }

    #[test]
    fn a_channel_without_registers_drops_their_messages() {
        let mut demux = HostDemux::<64, 4, 4>::new(2..4, false);
        demux.connect_all();
        demux.inp.valid.next = true;
        demux.inp.data.next = MarkedBeat { data: 2u64.into(), bytes: 8u64.into(), last: true, error: false };
        for count in 0..5u64 {
            settle(&mut demux);
            assert_eq!((demux.inp.ready.val(), demux.registers.valid.val()), (true, false));
            assert_eq!(demux.dropped.val().to_u64(), count.saturating_sub(1), "counted a clock later");
            tick(&mut demux, |d| &mut d.clock);
        }
    }

    #[test]
    fn only_a_register_access_waits_for_the_registers() {
        let mut demux = HostDemux::<64, 4, 4>::new(2..4, true);
        demux.connect_all();
        demux.inp.valid.next = true;
        demux.rx[2].ready.next = true;
        let beat = |data: u64, last| MarkedBeat { data: data.into(), bytes: 8u64.into(), last, error: false };
        for (data, last, ready) in [(0x200, false, true), (77, true, true), (2, true, false), (2, true, false)] {
            demux.inp.data.next = beat(data, last);
            settle(&mut demux);
            assert_eq!(demux.inp.ready.val(), ready, "{data:#x}");
            assert_eq!(demux.rx[2].valid.val(), data == 77);
            tick(&mut demux, |d| &mut d.clock);
        }
        demux.registers.ready.next = true;
        settle(&mut demux);
        assert!(demux.inp.ready.val() && demux.registers.valid.val());
    }

    #[test]
    fn lints() {
        assert_lints(HostDemux::<64, 4, 4>::new(2..4, true));
        assert_lints(HostDemux::<512, 7, 11>::new(2..11, false));
    }
}
