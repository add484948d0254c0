// SPDX-License-Identifier: MIT OR Apache-2.0
//! Function-level resets, as PCI asks for them.

use millrace_hdl::base::{Reg, RoundRobin};
use rust_hdl_core::prelude::*;

/// Function f, as the host sees it, is to be reset from `flr` bit f until `done` bit f, which stays until `flr` falls. Who has the switch has function 0 too (`nic`: function 1 has it). `ask` stays with the bit of
/// a function of the engine until `taken`, no sooner than four clocks before its bit of `resetting` may be seen to be low.
#[millrace_hdl::block]
pub struct FunctionLevelReset<const FUNCTIONS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub flr: Signal<In, Bits<FUNCTIONS>>,
    pub done: Signal<Out, Bits<FUNCTIONS>>,
    pub nic: Signal<In, Bit>,
    pub ask: Signal<Out, Bit>,
    pub function: Signal<Out, Bits<8>>,
    pub taken: Signal<In, Bit>,
    pub resetting: Signal<In, Bits<FUNCTIONS>>,
    pub idle: Signal<Out, Bit>,

    arbiter: RoundRobin<FUNCTIONS>,
    /// Who is asked for; and those whose reset has begun.
    asked: Reg<Bits<FUNCTIONS>>,
    begun: Reg<Bits<FUNCTIONS>>,
}

#[millrace_hdl::block]
impl<const FUNCTIONS: usize> FunctionLevelReset<FUNCTIONS> {
    fn update(&mut self) {
        let mut wanted = self.flr;
        wanted.set_bit(0, if self.nic { self.flr.get_bit(1) } else { self.flr.get_bit(0) });
        let due = wanted & !self.begun;
        let free = !self.asked.any();
        self.arbiter.request = due;
        self.arbiter.take = free & self.arbiter.any;
        if free {
            self.asked = self.arbiter.grant;
        } else if self.taken {
            self.asked = 0;
        }
        let begins = if self.taken { self.asked } else { 0 };
        self.begun = (self.begun | begins) & wanted;
        self.ask = !free;
        let mut number: Bits<8> = 0;
        for i in 0..FUNCTIONS {
            if self.asked.get_bit(i) {
                number |= i;
            }
        }
        self.function = number;
        let over = self.begun & !self.resetting;
        let of_switch = over.get_bit(0);
        let mut done = over & self.flr;
        done.set_bit(0, self.flr.get_bit(0) & (self.nic | of_switch));
        done.set_bit(1, over.get_bit(1) & self.flr.get_bit(1) & (!self.nic | of_switch));
        self.done = done;
        self.idle = free & !due.any() & !(self.begun & !wanted).any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_reset_is_done_when_all_of_it_was_begun_and_has_ended() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut dut = FunctionLevelReset::<4>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let (mut flr, mut resetting) = (0u64, [0u32; 4]);
        // Since its `flr` rose: the function's reset was begun, and has ended.
        let mut ended = [false; 4];
        let (mut nic, mut shown) = (false, 0u64);
        let mut finished = [0; 4];
        for _ in 0..20_000 {
            if flr | shown == 0 && resetting.iter().all(|left| *left == 0) && rng.random_ratio(1, 10) {
                nic = rng.random();
            }
            for function in 0..4 {
                // What fell is seen to be low first.
                if (flr | shown) >> function & 1 == 0 && rng.random_ratio(1, 40) {
                    flr |= 1 << function;
                    // Function 0 goes with who has it, and stays when the ECPF has not.
                    if function != 0 {
                        ended[function] = false;
                    }
                    if function == usize::from(nic) {
                        ended[0] = false;
                    }
                }
            }
            dut.flr.next = flr.into();
            shown = flr;
            dut.nic.next = nic;
            let bits = (0..4).fold(0, |bits, f| bits | u64::from(resetting[f] > 0) << f);
            dut.resetting.next = bits.into();
            dut.taken.next = false;
            settle(&mut dut);
            let taken = dut.ask.val() && rng.random_bool(0.3);
            dut.taken.next = taken;
            settle(&mut dut);
            let done = dut.done.val().to_u64();
            for function in 0..4 {
                if done >> function & 1 == 1 {
                    assert!(flr >> function & 1 == 1, "done what was not asked for");
                    let own = if function == 0 { nic || ended[0] } else { ended[function] };
                    assert!(own && (function != 1 || !nic || ended[0]), "function {function} has not ended");
                    if rng.random_bool(0.5) {
                        flr &= !(1 << function);
                        finished[function] += 1;
                    }
                }
            }
            let function = dut.function.val().index();
            tick(&mut dut, |d| &mut d.clock);
            for (left, ended) in resetting.iter_mut().zip(&mut ended) {
                *ended |= *left == 1;
                *left = left.saturating_sub(1);
            }
            if taken {
                resetting[function] = rng.random_range(1..30);
                ended[function] = false;
            }
        }
        assert!(finished.iter().all(|count| *count > 50), "{finished:?}");
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(FunctionLevelReset::<3>::default());
    }
}
