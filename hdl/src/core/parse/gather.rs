// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gathers the header window.

use crate::base::{DffE, DffR, Reg};
use crate::core::types::{MergedBeat, Meta, WINDOW_BITS, Window};
use rust_hdl_core::prelude::*;

/// Puts the first 128 bytes of a frame side by side, and the `BEHIND_BITS` behind them, zeros past its end. The window comes one clock after the beat that completes it (the last of
/// the frame, or the one with the window's last byte), and takes one frame per clock. `AHEAD_BITS` is 1 where somebody has to know of it a clock ahead, else 0.
#[millrace_hdl::block(Self::check())]
pub struct Gather<const BUS_BITS: usize, const COUNT_BITS: usize, const BEHIND_BITS: usize, const AHEAD_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, MergedBeat<BUS_BITS, COUNT_BITS>>,
    pub valid: Signal<In, Bit>,
    pub window: Signal<Out, Window>,
    /// Of the window, behind the first 128 bytes.
    pub behind: Signal<Out, Bits<BEHIND_BITS>>,
    pub window_valid: Signal<Out, Bit>,
    /// `window_valid` of the next clock.
    pub ahead: Signal<Out, Bits<AHEAD_BITS>>,
    /// A beat goes into the window.
    pub filling: Signal<Out, Bit>,
    /// The window's beats; cleared by the first beat of a frame.
    #[count((WINDOW_BITS + BEHIND_BITS) / BUS_BITS)]
    slots: Vec<Reg<Bits<BUS_BITS>>>,
    meta: DffE<Meta>,
    complete: DffR<Bit>,
    /// Slot of the next beat, one-hot; 0 behind the window.
    next: Reg<Bits<16>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize, const BEHIND_BITS: usize, const AHEAD_BITS: usize>
    Gather<BUS_BITS, COUNT_BITS, BEHIND_BITS, AHEAD_BITS>
{
    fn check() {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1)
                && BUS_BITS >= 64
                && BUS_BITS <= WINDOW_BITS
                && (WINDOW_BITS + BEHIND_BITS).is_multiple_of(BUS_BITS)
                && (WINDOW_BITS + BEHIND_BITS) / BUS_BITS <= 16,
            "Gather<{BUS_BITS}, {COUNT_BITS}, {BEHIND_BITS}>: sizes do not fit"
        );
    }

    fn update(&mut self) {
        let begins = self.valid & self.inp.first;
        let place = if self.inp.first { 1 } else { self.next };
        for i in 0..(WINDOW_BITS + BEHIND_BITS) / BUS_BITS {
            self.slots[i].en = self.valid & place.get_bit(i);
            self.slots[i].reset = begins & !place.get_bit(i);
            self.slots[i].d = self.inp.data;
        }
        if self.valid {
            self.next = if place.get_bit((WINDOW_BITS + BEHIND_BITS) / BUS_BITS - 1) { 0 } else { place << 1 };
        }
        self.filling = self.valid & place.any();
        self.complete =
            self.valid & ((place.any() & self.inp.last) | place.get_bit((WINDOW_BITS + BEHIND_BITS) / BUS_BITS - 1));
        for _ahead in 0..AHEAD_BITS {
            let completes: Bit = self.valid
                & ((place.any() & self.inp.last) | place.get_bit((WINDOW_BITS + BEHIND_BITS) / BUS_BITS - 1));
            self.ahead = cast::<AHEAD_BITS>(completes);
        }

        if begins {
            self.meta = self.inp.meta;
        }

        let mut hdr: Bits<WINDOW_BITS> = 0;
        for i in 0..WINDOW_BITS / BUS_BITS {
            let slot = self.slots[i];
            hdr |= cast::<WINDOW_BITS>(slot) << (i * BUS_BITS);
        }
        let mut behind: Bits<BEHIND_BITS> = 0;
        for i in WINDOW_BITS / BUS_BITS..(WINDOW_BITS + BEHIND_BITS) / BUS_BITS {
            let slot = self.slots[i];
            behind |= cast::<BEHIND_BITS>(slot) << (i * BUS_BITS - WINDOW_BITS);
        }
        self.behind = behind;
        self.window.hdr = hdr;
        self.window.meta = self.meta;
        self.window_valid = self.complete;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, beats, bytes, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn windows_hold_the_first_bytes<const BUS_BITS: usize, const COUNT_BITS: usize, const BEHIND_BITS: usize>() {
        let bytes_of = 128 + BEHIND_BITS / 8;
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut g = Box::<Gather<BUS_BITS, COUNT_BITS, BEHIND_BITS, 1>>::default();
        g.connect_all();
        g.reset.next = true;
        tick(&mut *g, |g| &mut g.clock);
        g.reset.next = false;
        for n in 0..200usize {
            let len = if n % 3 == 0 { rng.random_range(14..=BUS_BITS / 8 + 14) } else { rng.random_range(14..400) };
            let frame: Vec<u8> = (0..len).map(|_| rng.random()).collect();
            let mut windows = 0;
            for (i, b) in beats::<BUS_BITS, COUNT_BITS>(&frame).into_iter().enumerate() {
                while rng.random_bool(0.1) {
                    g.valid.next = false;
                    tick(&mut *g, |g| &mut g.clock);
                    assert!(!g.window_valid.val());
                }
                g.valid.next = true;
                g.inp.next = MergedBeat {
                    data: b.data,
                    bytes: b.bytes,
                    last: b.last,
                    first: i == 0,
                    meta: Meta {
                        vport: (n & 0xff).to_bits(),
                        packet_out: n % 2 == 1,
                        len: len.to_bits(),
                        fault: (n % 4).to_bits(),
                    },
                };
                settle(&mut *g);
                let ahead = g.ahead.val().any();
                tick(&mut *g, |g| &mut g.clock);
                assert_eq!(g.window_valid.val(), i + 1 == len.min(bytes_of).div_ceil(BUS_BITS / 8));
                assert_eq!(ahead, g.window_valid.val());
                if g.window_valid.val() {
                    windows += 1;
                    let w = g.window.val();
                    let mut expected = frame.clone();
                    expected.resize(bytes_of.max(len), 0);
                    assert!(bytes(w.hdr, 128u64.to_bits::<8>()) == expected[..128]);
                    let behind = bytes(g.behind.val(), (BEHIND_BITS as u64 / 8).to_bits::<8>());
                    assert!(behind == expected[128..bytes_of]);
                    assert_eq!((w.meta.vport.to_u64(), w.meta.len.to_u64()), (n as u64 & 0xff, len as u64));
                    assert_eq!((w.meta.packet_out, w.meta.fault.to_u64()), (n % 2 == 1, n as u64 % 4));
                }
            }
            assert_eq!(windows, 1);
        }
    }

    #[test]
    fn every_frame_gives_one_window_at_every_width() {
        windows_hold_the_first_bytes::<64, 4, 0>();
        windows_hold_the_first_bytes::<128, 5, 0>();
        windows_hold_the_first_bytes::<512, 7, 0>();
        windows_hold_the_first_bytes::<1024, 8, 0>();
        windows_hold_the_first_bytes::<128, 5, 512>();
        windows_hold_the_first_bytes::<512, 7, 512>();
    }

    #[test]
    fn gather_emits_clean_verilog() {
        assert_lints(Gather::<64, 4, 0, 0>::default());
        assert_lints(Gather::<512, 7, 0, 0>::default());
        assert_lints(Gather::<512, 7, 512, 1>::default());
        assert_lints(Gather::<1024, 8, 0, 0>::default());
    }
}
