// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames dropped for want of a buffer, counted function by function.

use millrace_hdl::base::{Dff, DffR, LutRam, Reg};
use rust_hdl_core::prelude::*;

/// `1 << INDEX_BITS` counters modulo 2^32. A clock with `count` adds one to that of `function`; any clock may have one. For `1 << INDEX_BITS` clocks after
/// reset they are made zero, and nothing is counted. `value` is the counter `read`, two clocks later, with what was counted until two clocks before `read`.
#[millrace_hdl::block]
pub struct DropCounters<const INDEX_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub count: Signal<In, Bit>,
    pub function: Signal<In, Bits<8>>,
    pub read: Signal<In, Bits<8>>,
    pub value: Signal<Out, Bits<32>>,
    pub idle: Signal<Out, Bit>,
    counters: LutRam<Bits<32>, INDEX_BITS>,
    /// The same, to be read from outside.
    copy: LutRam<Bits<32>, INDEX_BITS>,
    #[init(DffR::new(true))]
    clearing: DffR<Bit>,
    clear_at: Reg<Bits<INDEX_BITS>>,
    s1_valid: DffR<Bit>,
    s1_index: Dff<Bits<INDEX_BITS>>,
    s2_valid: DffR<Bit>,
    s2_index: Dff<Bits<INDEX_BITS>>,
    s2_value: Dff<Bits<32>>,
    read_at: Dff<Bits<INDEX_BITS>>,
    read_value: Dff<Bits<32>>,
}

#[millrace_hdl::block]
impl<const INDEX_BITS: usize> DropCounters<INDEX_BITS> {
    fn update(&mut self) {
        self.clearing = self.clearing & !self.clear_at.all();
        if self.clearing {
            self.clear_at += 1;
        }

        comment!("stage 1: what the event ahead writes in this clock is not in the word read");
        self.s1_valid = self.count & !self.clearing;
        self.s1_index = cast::<INDEX_BITS>(self.function);
        let sum = self.s2_value + 1;
        self.counters.raddr = self.s1_index;
        self.s2_valid = self.s1_valid;
        self.s2_index = self.s1_index;
        self.s2_value = if self.s2_valid & (self.s2_index == self.s1_index) { sum } else { self.counters.rdata };

        comment!("stage 2: add and write");
        let write = self.s2_valid | self.clearing;
        let at = if self.clearing { self.clear_at } else { self.s2_index };
        let value = if self.clearing { 0 } else { sum };
        self.counters.we = write;
        self.counters.waddr = at;
        self.counters.wdata = value;
        self.copy.we = write;
        self.copy.waddr = at;
        self.copy.wdata = value;

        self.read_at = cast::<INDEX_BITS>(self.read);
        self.copy.raddr = self.read_at;
        self.read_value = self.copy.rdata;
        self.value = self.read_value;
        self.idle = !(self.clearing | self.count | self.s1_valid | self.s2_valid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn clock(dut: &mut DropCounters<2>) {
        tick(dut, |d| &mut d.clock);
    }

    fn check(dut: &mut DropCounters<2>, counted: [u64; 4]) {
        for (function, n) in counted.into_iter().enumerate() {
            dut.read.next = (function as u64).into();
            (0..4).for_each(|_| clock(dut));
            assert_eq!(dut.value.val().to_u64(), n, "function {function}");
        }
    }

    #[test]
    fn every_pulse_counts_for_its_function_however_close_they_are() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = DropCounters::<2>::default();
        dut.connect_all();
        (0..4).for_each(|_| clock(&mut dut));
        assert!(dut.idle.val());
        let mut counted = [0; 4];
        for round in 0..2000 {
            let function = rng.random_range(0..[1, 2, 4][round % 3]);
            dut.count.next = rng.random_bool(0.8);
            dut.function.next = (function as u64).into();
            counted[function] += u64::from(dut.count.next);
            clock(&mut dut);
            assert!(!dut.idle.val() || !dut.count.next);
            if round % 500 == 499 {
                dut.count.next = false;
                check(&mut dut, counted);
            }
        }
        assert!(dut.idle.val() && counted.iter().all(|n| *n > 50), "{counted:?}");

        dut.reset.next = true;
        clock(&mut dut);
        dut.reset.next = false;
        clock(&mut dut);
        assert!(!dut.idle.val());
        check(&mut dut, [0; 4]);
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(DropCounters::<2>::default());
    }
}
