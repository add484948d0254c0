// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gives frames to a MAC that bears no pause.

use super::mac_beat::MacBeat;
use crate::base::{DffR, Fifo, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// FIFO of `1 << DEPTH_LOG2` beats from which a frame comes only when it is there to its end: `out.valid` does not fall inside a frame.
/// `COUNT_BITS` = A + 1. Full rate; four clocks from a frame's last beat to its first at the output. A frame has at most `1 << DEPTH_LOG2` beats.
#[millrace_hdl::block]
pub struct FrameGate<const BUS_BITS: usize, const BUS_BYTES: usize, const DEPTH_LOG2: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<MacBeat<BUS_BITS, BUS_BYTES>>,
    pub out: Src<MacBeat<BUS_BITS, BUS_BYTES>>,
    fifo: Fifo<MacBeat<BUS_BITS, BUS_BYTES>, DEPTH_LOG2, COUNT_BITS>,
    /// A frame's end went in one clock ago: it is on its way through the FIFO, whose beats then follow one another in each clock.
    entered: DffR<Bit>,
    /// A frame's end went in two clocks ago, and is still on that way.
    settled: DffR<Bit>,
    /// Frames that are held to their end.
    whole: Reg<Bits<COUNT_BITS>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const BUS_BYTES: usize, const DEPTH_LOG2: usize, const COUNT_BITS: usize>
    FrameGate<BUS_BITS, BUS_BYTES, DEPTH_LOG2, COUNT_BITS>
{
    fn update(&mut self) {
        link(self.inp, self.fifo.inp);
        let enters = self.inp.valid & self.fifo.inp.ready & self.inp.data.last;
        self.entered = enters;
        self.settled = self.entered;

        self.out.data = self.fifo.out.data;
        self.out.valid = self.fifo.out.valid & self.whole.any();
        self.fifo.out.ready = self.out.ready & self.whole.any();
        let leaves = self.fifo.out.valid & self.whole.any() & self.out.ready & self.fifo.out.data.last;
        if self.settled ^ leaves {
            self.whole = if self.settled { self.whole + 1 } else { self.whole - 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Passes 300 frames of 1 to 16 beats. Returns the clocks it took.
    fn run(fill: f64, drain: f64) -> usize {
        let mut rng = ChaCha8Rng::seed_from_u64(37);
        let mut gate = FrameGate::<64, 8, 4, 5>::default();
        gate.connect_all();
        gate.reset.next = true;
        tick(&mut gate, |g| &mut g.clock);
        gate.reset.next = false;
        let lens: Vec<u64> = (0..300).map(|_| rng.random_range(1..=16)).collect();
        let beats: Vec<(u64, bool)> = lens.iter().flat_map(|len| (0..*len).map(move |i| (i, i + 1 == *len))).collect();
        let (mut sent, mut got, mut inside) = (0, 0, false);
        for clock in 0.. {
            gate.inp.valid.next = sent < beats.len() && rng.random_bool(fill);
            if let Some((place, last)) = beats.get(sent) {
                gate.inp.data.next = MacBeat { data: (*place).into(), keep: 0xffu64.into(), last: *last, error: false };
            }
            gate.out.ready.next = rng.random_bool(drain);
            settle(&mut gate);
            assert!(!inside || gate.out.valid.val(), "a pause before beat {got}");
            if gate.out.valid.val() && gate.out.ready.val() {
                let (place, last) = beats[got];
                assert_eq!((gate.out.data.val().data.to_u64(), gate.out.data.val().last), (place, last));
                got += 1;
                inside = !last;
            }
            let pushed = gate.inp.valid.val() && gate.inp.ready.val();
            tick(&mut gate, |g| &mut g.clock);
            sent += pushed as usize;
            if got == beats.len() {
                return clock;
            }
            assert!(clock < 50_000, "stuck after {got} beats");
        }
        unreachable!()
    }

    #[test]
    fn a_frame_comes_out_without_a_pause_however_slowly_it_comes_in() {
        for (fill, drain) in [(0.2, 1.0), (0.9, 1.0), (1.0, 0.4), (0.5, 0.5)] {
            run(fill, drain);
        }
    }

    #[test]
    fn frame_gate_emits_clean_verilog() {
        assert_lints(FrameGate::<512, 64, 8, 9>::default());
    }
}
