// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sending half of an Ethernet MAC.

use crate::base::{Dff, DffR, Reg, Snk};
use crate::board::stream::beat_bytes::BeatBytes;
use crate::board::stream::crc32::Crc32;
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// What goes over the wire.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum TxState {
    Idle,
    Preamble,
    Data,
    Pad,
    Check,
    Gap,
}

/// Bytes between two frames (IEEE 802.3 §4.4.2), of which one passes before the next frame is seen.
const GAP: u64 = 12 - 1;
/// Shortest frame on the wire in bytes, without FCS (IEEE 802.3 §4.4.2).
const SHORTEST: u64 = 60;

/// Frames to a GMII (IEEE 802.3 clause 35) at 125 MHz: seven bytes of preamble, start frame delimiter, the frame, zeros up to 60 bytes, FCS,
/// and a gap of 12 bytes or more. Three clocks from a beat to the pins; frames that wait follow each other with the shortest gap.
///
/// Once a frame has begun its beats must come as fast as they go. If one is late, `tx_er` is high for a byte, the frame ends there with a
/// wrong FCS, and the rest of it is thrown away.
#[millrace_hdl::block]
pub struct MacTx<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Beat<BUS_BITS, COUNT_BITS>>,
    pub txd: Signal<Out, Bits<8>>,
    pub tx_en: Signal<Out, Bit>,
    pub tx_er: Signal<Out, Bit>,

    bytes: BeatBytes<BUS_BITS, COUNT_BITS>,
    state: DffR<TxState>,
    /// Bytes of preamble, FCS or gap so far.
    step: DffR<Bits<4>>,
    /// Bytes of the frame so far, no more than the shortest frame has.
    length: Reg<Bits<6>>,
    /// The rest of this frame is thrown away when it comes.
    broken: DffR<Bit>,
    /// This frame's FCS shall be wrong.
    spoiled: DffR<Bit>,

    /// The next byte, and what it is.
    octet: Dff<Bits<8>>,
    enable: DffR<Bit>,
    error: DffR<Bit>,
    summed: DffR<Bit>,
    check: DffR<Bit>,
    #[init(DffR::new(u32::MAX.to_bits()))]
    crc: DffR<Bits<32>>,
    divide: Crc32,
    txd_q: Dff<Bits<8>>,
    tx_en_q: DffR<Bit>,
    tx_er_q: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> MacTx<BUS_BITS, COUNT_BITS> {
    fn update(&mut self) {
        comment!("the frame's bytes");
        link(self.inp, self.bytes.inp);
        let wanted = self.state == TxState::Data;
        self.bytes.out.ready = wanted | self.broken;
        let late = wanted & !self.bytes.out.valid;
        let ends = late | self.bytes.out.data.last;
        self.broken = late | (self.broken & !(self.bytes.out.valid & self.bytes.out.data.last));
        self.spoiled = late | (self.spoiled & (self.state != TxState::Idle));
        self.length.reset = self.state == TxState::Preamble;
        if self.length != SHORTEST {
            self.length += 1;
        }
        let enough = (self.length == SHORTEST - 1) | (self.length == SHORTEST);

        comment!("what is next");
        self.step = 0;
        self.octet = 0;
        self.enable = false;
        self.summed = false;
        self.check = false;
        self.error = late;
        let mut next = self.state;
        match self.state {
            TxState::Idle => {
                if self.bytes.out.valid & !self.broken {
                    next = TxState::Preamble;
                }
            }
            TxState::Preamble => {
                self.enable = true;
                self.octet = 0x55;
                self.step += 1;
                if self.step == 7 {
                    self.octet = 0xd5;
                    self.step = 0;
                    next = TxState::Data;
                }
            }
            TxState::Data => {
                self.enable = true;
                self.summed = true;
                self.octet = self.bytes.out.data.data;
                if ends {
                    next = if enough { TxState::Check } else { TxState::Pad };
                }
            }
            TxState::Pad => {
                self.enable = true;
                self.summed = true;
                if enough {
                    next = TxState::Check;
                }
            }
            TxState::Check => {
                self.enable = true;
                self.check = true;
                self.step += 1;
                if self.step == 3 {
                    self.step = 0;
                    next = TxState::Gap;
                }
            }
            TxState::Gap => {
                self.step += 1;
                if self.step == GAP - 1 {
                    next = TxState::Idle;
                }
            }
        }
        self.state = next;

        comment!("the check sequence, and the pins");
        self.divide.crc = self.crc;
        self.divide.octet = self.octet;
        self.crc.reset = !self.summed & !self.check;
        self.crc = if self.summed { self.divide.out } else { self.crc >> 8 };
        let low = cast::<8>(self.crc);
        self.txd_q = if !self.check {
            self.octet
        } else if self.spoiled {
            low
        } else {
            !low
        };
        self.tx_en_q = self.enable;
        self.tx_er_q = self.error;
        self.txd = self.txd_q;
        self.tx_en = self.tx_en_q;
        self.tx_er = self.tx_er_q;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{Gmii, on_wire, random};
    use crate::testing::{assert_lints, beats, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// What a transmitter puts on the wire for these beats, each offered so many clocks after the one before was taken.
    fn send<const BUS_BITS: usize, const COUNT_BITS: usize>(
        beats: &[(Beat<BUS_BITS, COUNT_BITS>, usize)],
    ) -> Vec<Gmii> {
        let mut mac = Box::new(MacTx::<BUS_BITS, COUNT_BITS>::default());
        mac.connect_all();
        mac.reset.next = true;
        tick(&mut *mac, |m| &mut m.clock);
        tick(&mut *mac, |m| &mut m.clock);
        mac.reset.next = false;
        let (mut wire, mut at, mut wait) = (vec![], 0, beats[0].1);
        let mut rest = 120;
        while rest > 0 {
            let offered = at < beats.len() && wait == 0;
            mac.inp.valid.next = offered;
            mac.inp.data.next = beats.get(at).map_or(Beat::default(), |(beat, _)| *beat);
            settle(&mut *mac);
            wire.push((mac.txd.val().to_u64() as u8, mac.tx_en.val(), mac.tx_er.val()));
            wait = wait.saturating_sub(1);
            if offered && mac.inp.ready.val() {
                at += 1;
                wait = beats.get(at).map_or(0, |(_, wait)| *wait);
            }
            rest -= usize::from(at == beats.len());
            assert!(wire.len() < 100_000, "stuck");
            tick(&mut *mac, |m| &mut m.clock);
        }
        wire
    }

    /// The frames on a wire, with the idle clocks before each.
    fn carriers(wire: &[Gmii]) -> Vec<(usize, Vec<Gmii>)> {
        let (mut found, mut gap): (Vec<(usize, Vec<Gmii>)>, _) = (vec![], 1);
        for clock in wire {
            match (clock.1, gap) {
                (false, _) => gap += 1,
                (true, 0) => found.last_mut().unwrap().1.push(*clock),
                (true, _) => found.push((std::mem::take(&mut gap), vec![*clock])),
            }
        }
        found
    }

    fn padded(frame: &[u8]) -> Vec<u8> {
        let mut frame = frame.to_vec();
        frame.resize(frame.len().max(60), 0);
        frame
    }

    fn frames_go_out_padded_and_with_their_check_sequence<const BUS_BITS: usize, const COUNT_BITS: usize>(late: bool) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let lens: Vec<usize> = (14..18).chain(50..74).chain([1, 8, 9, 300, 1514]).collect();
        let frames: Vec<_> = lens.iter().map(|len| random(*len, &mut rng)).collect();
        let mut stream = vec![];
        for frame in &frames {
            let wait = if late { rng.random_range(0..200) } else { 0 };
            stream.extend(
                beats::<BUS_BITS, COUNT_BITS>(frame)
                    .into_iter()
                    .enumerate()
                    .map(|(i, beat)| (beat, if i == 0 { wait } else { 0 })),
            );
        }
        let found = carriers(&send(&stream));
        assert_eq!(found.len(), frames.len());
        for (n, ((gap, clocks), frame)) in found.iter().zip(&frames).enumerate() {
            assert_eq!(*clocks, on_wire(&padded(frame)), "frame {n} of {} bytes", frame.len());
            assert!(*gap >= 12 || n == 0);
            assert!(late || n == 0 || *gap == 12, "frames that wait follow at once: {gap}");
        }
    }

    #[test]
    fn frames_go_out_at_line_rate() {
        frames_go_out_padded_and_with_their_check_sequence::<64, 4>(false);
        frames_go_out_padded_and_with_their_check_sequence::<128, 5>(false);
    }

    #[test]
    fn frames_that_come_late_go_out_as_well() {
        frames_go_out_padded_and_with_their_check_sequence::<64, 4>(true);
    }

    #[test]
    fn a_late_beat_ends_its_frame_in_error_and_the_next_one_is_sound() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for late_by in [20, 1, 40, 9] {
            for at in [1, 3, 9, 11] {
                let frames = [random(100, &mut rng), random(61, &mut rng)];
                let mut stream: Vec<_> =
                    frames.iter().flat_map(|frame| beats::<64, 4>(frame)).map(|beat| (beat, 0)).collect();
                // As many clocks as a beat takes, and some more.
                stream[at].1 = 8 + late_by;
                let found = carriers(&send(&stream));
                assert_eq!(found.len(), 2);
                let (_, cut) = &found[0];
                assert_eq!(cut.iter().filter(|clock| clock.2).count(), 1, "tx_er once");
                let bytes: Vec<u8> = cut[8..].iter().map(|clock| clock.0).collect();
                let (data, check) = bytes.split_at(bytes.len() - 4);
                assert_eq!(data[..8 * at], frames[0][..8 * at]);
                assert!(data.len() >= 60 && crc32fast::hash(data).to_le_bytes() != check);
                assert_eq!(found[1].1, on_wire(&frames[1]));
            }
        }
    }

    #[test]
    fn lints() {
        assert_lints(MacTx::<64, 4>::default());
    }
}
