// SPDX-License-Identifier: MIT OR Apache-2.0
//! A long delay without a register per clock.

use super::{Dff, DffR, LutRam, Param};
use rust_hdl_core::prelude::*;

/// `out` is `inp` of a fixed number of clocks ago (2 to `1 << ADDRESS_BITS`, given to [`Delay::new`]): a ring in LUT RAM and an output
/// register. What comes out in the first clocks after power-up is undefined.
#[millrace_hdl::block]
pub struct Delay<D: Synth, const ADDRESS_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Signal<In, D>,
    pub out: Signal<Out, D>,
    ring: LutRam<D, ADDRESS_BITS>,
    head: DffR<Bits<ADDRESS_BITS>>,
    q: Dff<D>,
    back: Param<Bits<ADDRESS_BITS>>,
}

#[millrace_hdl::block]
impl<D: Synth, const ADDRESS_BITS: usize> Delay<D, ADDRESS_BITS> {
    /// A delay of `clocks`. (`Default` has no memory.)
    ///
    /// # Panics
    /// If `clocks` is not in 2..=`1 << ADDRESS_BITS`.
    pub fn new(clocks: usize) -> Self {
        assert!(
            (2..=1 << ADDRESS_BITS).contains(&clocks),
            "a delay of {clocks} clocks does not fit a ring of {}",
            1 << ADDRESS_BITS
        );
        Self { ring: LutRam::new(), back: Param::new((clocks - 1).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        self.head += 1;
        self.ring.we = true;
        self.ring.waddr = self.head;
        self.ring.wdata = self.inp;
        self.ring.raddr = self.head - self.back;
        self.q = self.ring.rdata;
        self.out = self.q;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, tick};

    #[test]
    fn every_length_delays_by_itself() {
        for clocks in 2..=8u64 {
            let mut uut = Delay::<Bits<16>, 3>::new(clocks as usize);
            uut.connect_all();
            for n in 1..50u64 {
                uut.inp.next = n.to_bits();
                tick(&mut uut, |u| &mut u.clock);
                if n >= clocks {
                    assert_eq!(uut.out.val(), (n + 1 - clocks).to_bits::<16>(), "{clocks} clocks");
                }
            }
        }
    }

    #[test]
    fn lints() {
        assert_lints(Delay::<Bits<480>, 4>::new(9));
    }
}
