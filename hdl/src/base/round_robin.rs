// SPDX-License-Identifier: MIT OR Apache-2.0
//! Round-robin arbiter.

use super::Reg;
use rust_hdl_core::prelude::*;

/// Grants one of `INPUTS` requests, in the same clock. After a clock with `take`, the one granted comes last.
#[millrace_hdl::block]
pub struct RoundRobin<const INPUTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub request: Signal<In, Bits<INPUTS>>,
    /// The grant is used: move on.
    pub take: Signal<In, Bit>,
    /// One-hot, or 0 without a request.
    pub grant: Signal<Out, Bits<INPUTS>>,
    /// There is a request.
    pub any: Signal<Out, Bit>,
    /// Ones above the bit granted last.
    after: Reg<Bits<INPUTS>>,
}

#[millrace_hdl::block]
impl<const INPUTS: usize> RoundRobin<INPUTS> {
    fn update(&mut self) {
        let preferred = self.request & self.after;
        // x & -x is the lowest bit set.
        let chosen = if preferred.any() { preferred & (!preferred + 1) } else { self.request & (!self.request + 1) };
        self.grant = chosen;
        self.any = self.request.any();
        if self.take {
            self.after = !(chosen | (chosen - 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn grants_are_the_next_request_after_the_last_one_taken() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut r = RoundRobin::<12>::default();
        r.connect_all();
        let mut last = 11;
        for _ in 0..2000 {
            let request = rng.random::<u64>() & rng.random::<u64>() & 0xfff;
            r.request.next = request.into();
            r.take.next = request != 0 && rng.random_bool(0.7);
            settle(&mut r);
            let expected = (1..=12).map(|d| (last + d) % 12).find(|i| request >> i & 1 == 1);
            assert_eq!(r.any.val(), expected.is_some());
            assert_eq!(r.grant.val().to_u64(), expected.map_or(0, |i| 1 << i));
            if let (true, Some(i)) = (r.take.val(), expected) {
                last = i;
            }
            tick(&mut r, |r| &mut r.clock);
        }
    }

    #[test]
    fn nobody_waits_longer_than_one_round() {
        let mut r = RoundRobin::<5>::default();
        r.connect_all();
        r.request.next = 0b11111u64.into();
        r.take.next = true;
        let grants: Vec<u64> = (0..10)
            .map(|_| {
                settle(&mut r);
                let g = r.grant.val().to_u64();
                tick(&mut r, |r| &mut r.clock);
                g
            })
            .collect();
        assert_eq!(grants, [1, 2, 4, 8, 16, 1, 2, 4, 8, 16]);
    }

    #[test]
    fn round_robin_emits_clean_verilog() {
        assert_lints(RoundRobin::<12>::default());
    }
}
