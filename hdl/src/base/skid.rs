// SPDX-License-Identifier: MIT OR Apache-2.0
//! Register stage of a stream.

use super::{DffE, DffR, Snk, Src};
use rust_hdl_core::prelude::*;

/// Cuts a stream in both directions: `out` and `inp.ready` are register outputs. Full rate, one clock of latency, holds two words.
#[millrace_hdl::block]
pub struct Skid<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<T>,
    pub out: Src<T>,
    /// Nothing is held.
    pub empty: Signal<Out, Bit>,
    /// The word at the output.
    front: DffE<T>,
    /// The word that came while the output waited.
    spare: DffE<T>,
    front_valid: DffR<Bit>,
    spare_valid: DffR<Bit>,
}

#[millrace_hdl::block]
impl<T: Synth> Skid<T> {
    fn update(&mut self) {
        self.inp.ready = !self.spare_valid;
        self.out.data = self.front;
        self.out.valid = self.front_valid;
        self.empty = !self.front_valid;

        let free = self.out.ready | !self.front_valid;
        if free {
            self.front = if self.spare_valid { self.spare } else { self.inp.data };
        }
        self.front_valid = !free | self.spare_valid | self.inp.valid;
        if !self.spare_valid {
            self.spare = self.inp.data;
        }
        self.spare_valid = !free & (self.spare_valid | self.inp.valid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn skid_keeps_every_word_in_order_at_full_rate() {
        for (fill, drain) in [(0.5, 0.5), (0.9, 0.3), (1.0, 1.0)] {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let mut s = Skid::<Bits<16>>::default();
            s.connect_all();
            s.reset.next = true;
            tick(&mut s, |s| &mut s.clock);
            s.reset.next = false;
            let (mut sent, mut got) = (0u64, 0u64);
            for _ in 0..1000 {
                s.inp.valid.next = rng.random_bool(fill);
                s.inp.data.next = sent.into();
                s.out.ready.next = rng.random_bool(drain);
                settle(&mut s);
                assert_eq!(s.empty.val(), sent == got);
                if s.out.valid.val() && s.out.ready.val() {
                    assert_eq!(s.out.data.val().to_u64(), got);
                    got += 1;
                }
                sent += (s.inp.valid.val() && s.inp.ready.val()) as u64;
                tick(&mut s, |s| &mut s.clock);
            }
            assert!(sent - got <= 2 && (fill < 1.0 || got == 999), "{sent} in, {got} out");
        }
    }

    #[test]
    fn skid_emits_clean_verilog() {
        assert_lints(Skid::<Bits<16>>::default());
    }
}
