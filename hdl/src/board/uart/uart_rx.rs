// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receiving half of a UART.

use crate::base::{DffE, DffR, Param, Reg, Synchroniser};
use rust_hdl_core::prelude::*;

/// Bytes from a line with 8 data bits, no parity, one stop bit. `valid` is high for one clock with each byte, a clock after the middle of its
/// stop bit; `error` is instead, if the stop bit is not there. `line` may be asynchronous.
#[millrace_hdl::block]
pub struct UartRx {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub line: Signal<In, Bit>,
    pub octet: Signal<Out, Bits<8>>,
    pub valid: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    level: Synchroniser<1>,
    busy: DffR<Bit>,
    /// Clocks until the middle of the next bit.
    timer: DffR<Bits<16>>,
    /// Number of the next bit: 0 is the start bit, 9 the stop bit.
    number: Reg<Bits<4>>,
    shift: DffE<Bits<8>>,
    /// The byte ended in the clock before, with a stop bit.
    whole: DffR<Bit>,
    /// The byte ended in the clock before, without a stop bit.
    broken: DffR<Bit>,
    to_middle: Param<Bits<16>>,
    to_next: Param<Bits<16>>,
}

#[millrace_hdl::block]
impl UartRx {
    /// A line with `clocks_per_bit` clocks of `clock` to a bit. (`Default` has no rate.)
    ///
    /// # Panics
    /// If they are not 4 to 65,535.
    pub fn new(clocks_per_bit: usize) -> Self {
        assert!((4..=0xffff).contains(&clocks_per_bit), "a bit has 4 to 65,535 clocks, not {clocks_per_bit}");
        Self {
            to_middle: Param::new((clocks_per_bit / 2 - 1).to_bits()),
            to_next: Param::new((clocks_per_bit - 1).to_bits()),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        self.level.d = cast::<1>(self.line);
        let high = self.level.q.any();
        let sample = self.busy & !self.timer.any();
        let stop = sample & (self.number == 9);

        comment!("from the start bit's edge to its middle, then from bit to bit");
        if !self.busy {
            self.busy = !high;
            self.timer = self.to_middle;
            self.number = 0;
        } else {
            self.busy = !stop & !(sample & high & !self.number.any());
            self.timer = if sample { self.to_next } else { self.timer - 1 };
            if sample {
                self.number += 1;
            }
        }
        if sample & !stop {
            self.shift = concat::<8>(self.level.q, self.shift.get_bits::<7>(1));
        }
        self.octet = self.shift;
        self.whole = stop & high;
        self.broken = stop & !high;
        self.valid = self.whole;
        self.error = self.broken;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The bytes of a line, `None` for a damaged one, that holds each level for so many clocks.
    fn receive(clocks_per_bit: usize, line: impl Iterator<Item = (bool, usize)>) -> Vec<Option<u8>> {
        let mut uart = UartRx::new(clocks_per_bit);
        uart.connect_all();
        uart.reset.next = true;
        uart.line.next = true;
        for _ in 0..4 {
            tick(&mut uart, |u| &mut u.clock);
        }
        uart.reset.next = false;
        let mut got = vec![];
        for (level, clocks) in line.chain([(true, 2 * clocks_per_bit)]) {
            uart.line.next = level;
            for _ in 0..clocks {
                settle(&mut uart);
                if uart.valid.val() || uart.error.val() {
                    assert!(!(uart.valid.val() && uart.error.val()));
                    got.push(uart.valid.val().then_some(uart.octet.val().to_u64() as u8));
                }
                tick(&mut uart, |u| &mut u.clock);
            }
        }
        got
    }

    fn bits(byte: u8) -> impl Iterator<Item = bool> {
        [false].into_iter().chain((0..8).map(move |bit| byte >> bit & 1 == 1)).chain([true])
    }

    #[test]
    fn bytes_are_received_at_every_rate_and_from_a_sender_three_percent_off() {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        for (ours, theirs) in [(4, 4), (8, 8), (33, 32), (33, 34), (868, 868)] {
            let bytes: Vec<u8> = (0..20).map(|_| rng.random()).collect();
            let mut line = vec![];
            for byte in &bytes {
                line.extend(bits(*byte).map(|level| (level, theirs)));
                line.push((true, rng.random_range(0..theirs)));
            }
            let expected: Vec<_> = bytes.into_iter().map(Some).collect();
            assert_eq!(receive(ours, line.into_iter()), expected, "{ours} and {theirs} clocks");
        }
    }

    #[test]
    fn a_missing_stop_bit_is_an_error_and_a_spike_is_nothing() {
        let mut line: Vec<_> = bits(0x5a).map(|level| (level, 16)).collect();
        line[9].0 = false;
        line.extend([(true, 32), (false, 3), (true, 40)]);
        line.extend(bits(0xa5).map(|level| (level, 16)));
        assert_eq!(receive(16, line.into_iter()), [None, Some(0xa5)]);
    }

    #[test]
    fn lints() {
        assert_lints(UartRx::new(54));
    }
}
