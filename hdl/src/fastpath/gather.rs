// SPDX-License-Identifier: MIT OR Apache-2.0
//! Gathers the header window.

use super::types::{MergedBeat, WINDOW_BITS, Window};
use crate::base::{DffE, DffR, Reg, Tag};
use rust_hdl_core::prelude::*;

/// Puts the first 128 bytes of a frame side by side, zeros past its end. The window comes one clock after the beat that completes it (the last of
/// the frame, or the one with byte 127), and takes one frame per clock.
#[derive(LogicBlock)]
pub struct Gather<const W: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, MergedBeat<W, C>>,
    pub valid: Signal<In, Bit>,
    pub window: Signal<Out, Window>,
    pub window_valid: Signal<Out, Bit>,
    /// A beat goes into the window.
    pub filling: Signal<Out, Bit>,
    /// The window's beats; cleared by the first beat of a frame.
    slots: Vec<Reg<Bits<W>>>,
    vport: DffE<Bits<8>>,
    packet_out: DffE<Bit>,
    len: DffE<Bits<14>>,
    fault: DffE<Bits<2>>,
    complete: DffR<Bit>,
    /// Slot of the next beat, one-hot; 0 behind the window.
    next: Reg<Bits<16>>,
    shift: Vec<Constant<Bits<11>>>,
    final_slot: Constant<Bits<16>>,
    place: Signal<Local, Bits<16>>,
    begins: Signal<Local, Bit>,
    slot: Signal<Local, Bits<W>>,
    hdr: Signal<Local, Bits<1024>>,
    _slots: usize,
}

impl<const W: usize, const C: usize> Default for Gather<W, C> {
    fn default() -> Self {
        assert!(W / 8 == 1 << (C - 1) && W >= 64 && W <= WINDOW_BITS, "Gather<{W}, {C}>: sizes do not fit");
        let slots = WINDOW_BITS / W;
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            inp: Default::default(),
            valid: Default::default(),
            window: Default::default(),
            window_valid: Default::default(),
            filling: Default::default(),
            slots: (0..slots).map(|_| Default::default()).collect(),
            vport: Default::default(),
            packet_out: Default::default(),
            len: Default::default(),
            fault: Default::default(),
            complete: Default::default(),
            next: Default::default(),
            shift: (0..slots).map(|i| Constant::new((i * W).to_bits())).collect(),
            final_slot: Constant::new((1u64 << (slots - 1)).to_bits()),
            place: Default::default(),
            begins: Default::default(),
            slot: Default::default(),
            hdr: Default::default(),
            _slots: slots,
        }
    }
}

impl<const W: usize, const C: usize> Logic for Gather<W, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, vport, packet_out, len, fault, complete, next);
        self.complete.reset.next = self.reset.val();
        self.next.reset.next = self.reset.val();

        self.begins.next = self.valid.val() & self.inp.val().first;
        self.place.next = self.next.q.val();
        if self.inp.val().first {
            self.place.next = 1.into();
        }
        for i in 0..self._slots {
            self.slots[i].clock.next = self.clock.val();
            self.slots[i].en.next = self.valid.val() & self.place.val().get_bit(i);
            self.slots[i].reset.next = self.begins.val() & !self.place.val().get_bit(i);
            self.slots[i].d.next = self.inp.val().data;
        }
        self.next.en.next = self.valid.val();
        self.next.d.next = self.place.val() << 1;
        if (self.place.val() & self.final_slot.val()).any() {
            self.next.d.next = 0.into();
        }
        self.filling.next = self.valid.val() & self.place.val().any();
        self.complete.d.next = self.valid.val()
            & ((self.place.val().any() & self.inp.val().last) | (self.place.val() & self.final_slot.val()).any());

        self.vport.en.next = self.begins.val();
        self.vport.d.next = self.inp.val().vport;
        self.packet_out.en.next = self.begins.val();
        self.packet_out.d.next = self.inp.val().packet_out;
        self.len.en.next = self.begins.val();
        self.len.d.next = self.inp.val().len;
        self.fault.en.next = self.begins.val();
        self.fault.d.next = self.inp.val().fault;

        self.hdr.next = 0.into();
        for i in 0..self._slots {
            self.slot.next = self.slots[i].q.val();
            self.hdr.next = self.hdr.val() | (bit_cast::<1024, W>(self.slot.val()) << self.shift[i].val());
        }
        self.window.next.hdr = self.hdr.val();
        self.window.next.vport = self.vport.q.val();
        self.window.next.packet_out = self.packet_out.q.val();
        self.window.next.len = self.len.q.val();
        self.window.next.fault = self.fault.q.val();
        self.window_valid.next = self.complete.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, beats, bytes, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn windows_hold_the_first_128_bytes<const W: usize, const C: usize>() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut g = Box::<Gather<W, C>>::default();
        g.connect_all();
        g.reset.next = true;
        tick(&mut *g, |g| &mut g.clock);
        g.reset.next = false;
        for n in 0..200usize {
            let len = if n % 3 == 0 { rng.random_range(14..=W / 8 + 14) } else { rng.random_range(14..400) };
            let frame: Vec<u8> = (0..len).map(|_| rng.random()).collect();
            let mut windows = 0;
            for (i, b) in beats::<W, C>(&frame).into_iter().enumerate() {
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
                    vport: (n & 0xff).to_bits(),
                    packet_out: n % 2 == 1,
                    len: len.to_bits(),
                    fault: (n % 4).to_bits(),
                };
                tick(&mut *g, |g| &mut g.clock);
                assert_eq!(g.window_valid.val(), i + 1 == len.min(128).div_ceil(W / 8));
                if g.window_valid.val() {
                    windows += 1;
                    let w = g.window.val();
                    let mut expected = frame.clone();
                    expected.resize(128, 0);
                    assert!(bytes(w.hdr, 128u64.to_bits::<8>()) == expected[..128]);
                    assert_eq!((w.vport.to_u64(), w.len.to_u64()), (n as u64 & 0xff, len as u64));
                    assert_eq!((w.packet_out, w.fault.to_u64()), (n % 2 == 1, n as u64 % 4));
                }
            }
            assert_eq!(windows, 1);
        }
    }

    #[test]
    fn every_frame_gives_one_window_at_every_width() {
        windows_hold_the_first_128_bytes::<64, 4>();
        windows_hold_the_first_128_bytes::<128, 5>();
        windows_hold_the_first_128_bytes::<512, 7>();
        windows_hold_the_first_128_bytes::<1024, 8>();
    }

    #[test]
    fn gather_emits_clean_verilog() {
        assert_lints(Gather::<64, 4>::default());
        assert_lints(Gather::<512, 7>::default());
        assert_lints(Gather::<1024, 8>::default());
    }
}
