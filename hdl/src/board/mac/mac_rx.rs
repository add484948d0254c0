// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receiving half of an Ethernet MAC.

use crate::base::{Dff, DffE, DffR, Reg, Src};
use crate::board::stream::beat_packer::BeatPacker;
use crate::board::stream::crc32::{Crc32, RESIDUE};
use crate::board::types::MarkedBeat;
use rust_hdl_core::prelude::*;

/// Frames from a GMII (IEEE 802.3 clause 35) in the PHY's receive clock: preamble, start frame delimiter and FCS are taken off, padding
/// is not. Two clocks from pin to beat, and four for the FCS.
///
/// The last beat is marked with `error` if the FCS is wrong (§3.2.9), if `rx_er` was high within the frame, if the frame is no longer than an
/// FCS, or if `out` was not ready at some time: see [`BeatPacker`], also for `lost`. A carrier without a start frame delimiter is no frame.
#[millrace_hdl::block]
pub struct MacRx<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rxd: Signal<In, Bits<8>>,
    pub rx_dv: Signal<In, Bit>,
    pub rx_er: Signal<In, Bit>,
    pub out: Src<MarkedBeat<BUS_BITS, COUNT_BITS>>,
    pub lost: Signal<Out, Bit>,

    data: Dff<Bits<8>>,
    carrier: DffR<Bit>,
    damage: Dff<Bit>,
    /// No start frame delimiter has come since there was no carrier.
    hunting: DffR<Bit>,
    inside: DffR<Bit>,
    damaged: DffR<Bit>,
    /// The last four bytes, of which the frame's end says whether they are the FCS.
    tail: DffE<Bits<32>>,
    /// How many of them there are.
    tail_bytes: Reg<Bits<3>>,
    #[init(Reg::new(u32::MAX.to_bits()))]
    crc: Reg<Bits<32>>,
    step: Crc32,
    packer: BeatPacker<BUS_BITS, COUNT_BITS>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> MacRx<BUS_BITS, COUNT_BITS> {
    fn update(&mut self) {
        comment!("where a frame begins and ends");
        self.data = self.rxd;
        self.carrier = self.rx_dv;
        self.damage = self.rx_er;
        let start = self.hunting & self.carrier & (self.data == 0xd5);
        let take = self.inside & self.carrier;
        self.hunting = !self.carrier | (self.hunting & !start);
        self.inside = start | take;

        comment!("its check sequence, and its last four bytes");
        self.damaged.reset = !self.inside;
        self.crc.reset = !self.inside;
        self.tail_bytes.reset = !self.inside;
        self.damaged |= take & self.damage;
        self.step.crc = self.crc;
        self.step.octet = self.data;
        if take {
            self.crc = self.step.out;
            self.tail = concat::<32>(self.tail.get_bits::<24>(0), self.data);
        }
        if take & !self.tail_bytes.get_bit(2) {
            self.tail_bytes += 1;
        }

        comment!("all but those");
        self.packer.octet = self.tail.get_bits::<8>(24);
        self.packer.push = take & self.tail_bytes.get_bit(2);
        self.packer.finish = self.inside & !self.carrier;
        self.packer.error = self.damaged | (self.crc != RESIDUE);
        link(self.out, self.packer.out);
        self.lost = self.packer.lost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{Frames, Gmii, Marked, QUIET, carrier, on_wire, random};
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Clocks the wire through a receiver whose output is ready whenever `ready` says so, and then long enough to empty it: frames, and how
    /// many were lost.
    fn receive<const BUS_BITS: usize, const COUNT_BITS: usize>(
        wire: &[Gmii],
        mut ready: impl FnMut() -> bool,
    ) -> (Vec<Marked>, usize) {
        let mut mac = Box::new(MacRx::<BUS_BITS, COUNT_BITS>::default());
        mac.connect_all();
        mac.reset.next = true;
        tick(&mut *mac, |m| &mut m.clock);
        mac.reset.next = false;
        let (mut frames, mut lost) = (Frames::default(), 0);
        let quiet = [QUIET; 20];
        for (clock, (data, valid, error)) in quiet.iter().chain(wire).chain(&quiet).enumerate() {
            mac.rxd.next = u64::from(*data).into();
            mac.rx_dv.next = *valid;
            mac.rx_er.next = *error;
            mac.out.ready.next = clock >= wire.len() + 30 || ready();
            settle(&mut *mac);
            if mac.out.valid.val() && mac.out.ready.val() {
                frames.take(mac.out.data.val());
            }
            lost += usize::from(mac.lost.val());
            tick(&mut *mac, |m| &mut m.clock);
        }
        assert!(!frames.inside(), "a frame without an end");
        (frames.done, lost)
    }

    fn gap(rng: &mut ChaCha8Rng) -> Vec<Gmii> {
        // A carrier extension (data 0x0f, error without carrier) is no frame.
        (0..rng.random_range(1..16)).map(|_| if rng.random_bool(0.1) { (0x0f, false, true) } else { QUIET }).collect()
    }

    fn sound_frames_come_out_as_they_were<const BUS_BITS: usize, const COUNT_BITS: usize>() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let lens = (60..80).chain([1, 2, 7, 8, 9, 300, 1514]);
        let frames: Vec<_> = lens.map(|len| random(len, &mut rng)).collect();
        let wire: Vec<_> = frames.iter().flat_map(|frame| [on_wire(frame), gap(&mut rng)].concat()).collect();
        let (got, lost) = receive::<BUS_BITS, COUNT_BITS>(&wire, || true);
        assert_eq!(lost, 0);
        assert_eq!(got, frames.into_iter().map(|frame| (frame, false)).collect::<Vec<_>>());
    }

    #[test]
    fn preamble_and_check_sequence_are_taken_off() {
        sound_frames_come_out_as_they_were::<64, 4>();
        sound_frames_come_out_as_they_were::<128, 5>();
    }

    #[test]
    fn every_damage_is_marked_and_only_its_frame() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (mut wire, mut expected) = (vec![], vec![]);
        for n in 0..120 {
            let len = rng.random_range(1..90);
            let frame = random(len, &mut rng);
            let mut one = on_wire(&frame);
            let at = rng.random_range(8..one.len());
            match n % 4 {
                1 => one[at].0 ^= 1 << rng.random_range(0..8),
                2 => one[at].2 = true,
                3 => one.truncate(at),
                _ => (),
            }
            let received = one.len().saturating_sub(12);
            expected.push((received, (n % 4 == 0).then_some(frame)));
            wire.extend([one, gap(&mut rng)].concat());
        }
        let (got, lost) = receive::<64, 4>(&wire, || true);
        assert_eq!((lost, got.len()), (0, expected.len()));
        for ((out, marked), (received, sound)) in got.iter().zip(expected) {
            assert_eq!(out.len(), received.max(1));
            assert_eq!(*marked, sound.is_none());
            assert!(sound.is_none_or(|frame| frame == *out));
        }
    }

    #[test]
    fn what_has_no_delimiter_is_no_frame_and_a_long_preamble_is_none_either() {
        let frame = [7; 60];
        let sound = on_wire(&frame);
        let noise = [(0x55, true, false); 20];
        let long = [&noise[..], &sound].concat();
        let wire = [&noise[..], &[QUIET], &long, &[QUIET; 12], &[(0xd5, false, false); 4], &sound].concat();
        assert_eq!(receive::<64, 4>(&wire, || true), (vec![(frame.to_vec(), false); 2], 0));
    }

    #[test]
    fn a_delimiter_inside_a_frame_is_data_and_nothing_but_a_check_sequence_is_an_error() {
        let frame = [0xd5; 64];
        let empty = on_wire(&[]);
        let wire = [&on_wire(&frame)[..], &[QUIET], &empty, &[QUIET], &carrier(&[]), &[QUIET]].concat();
        let (got, _) = receive::<64, 4>(&wire, || true);
        assert_eq!((got[0].clone(), got[1].1, got[2].1, got.len()), ((frame.to_vec(), false), true, true, 3));
    }

    #[test]
    fn a_full_fifo_marks_frames_or_has_them_counted() {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let frames: Vec<_> = (0..150).map(|n| random(60 + n % 20, &mut rng)).collect();
        let wire: Vec<_> = frames.iter().flat_map(|frame| [on_wire(frame), gap(&mut rng)].concat()).collect();
        let (mut open, mut clock) = (true, 0);
        let (got, lost) = receive::<64, 4>(&wire, || {
            clock += 1;
            open ^= clock % 50 == 0 && rng.random_bool(0.2);
            open
        });
        assert_eq!(got.len() + lost, frames.len());
        let (bad, good): (Vec<_>, Vec<_>) = got.into_iter().partition(|(_, marked)| *marked);
        let mut sent = frames.iter();
        assert!(good.iter().all(|(frame, _)| sent.any(|other| other == frame)), "whole frames, in order");
        assert!(!good.is_empty() && !bad.is_empty() && lost > 0, "{} {} {lost}", good.len(), bad.len());
    }

    #[test]
    fn lints() {
        assert_lints(MacRx::<64, 4>::default());
    }
}
