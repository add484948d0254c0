// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sending half of a UART.

use crate::base::{DffR, Param, Reg, Snk};
use rust_hdl_core::prelude::*;

/// Bytes to a line with 8 data bits, no parity, one stop bit. `inp` is ready while the line is free.
#[millrace_hdl::block]
pub struct UartTx {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Bits<8>>,
    pub line: Signal<Out, Bit>,
    /// The bits to send, the one on the line first.
    #[init(Reg::new(0x3ff.into()))]
    shift: Reg<Bits<10>>,
    /// How many of them there are.
    left: Reg<Bits<4>>,
    /// Clocks until the next.
    timer: DffR<Bits<16>>,
    to_next: Param<Bits<16>>,
}

#[millrace_hdl::block]
impl UartTx {
    /// A line with `clocks_per_bit` clocks of `clock` to a bit. (`Default` has no rate.)
    ///
    /// # Panics
    /// If they are not 4 to 65,535.
    pub fn new(clocks_per_bit: usize) -> Self {
        assert!((4..=0xffff).contains(&clocks_per_bit), "a bit has 4 to 65,535 clocks, not {clocks_per_bit}");
        Self { to_next: Param::new((clocks_per_bit - 1).to_bits()), ..Default::default() }
    }

    fn update(&mut self) {
        let free = !self.left.any();
        let step = !self.timer.any();
        self.inp.ready = free;
        self.timer = if free | step { self.to_next } else { self.timer - 1 };
        if free & self.inp.valid {
            self.left = 10;
            self.shift = concat::<10>(true, self.inp.data, false);
        } else if !free & step {
            self.left -= 1;
            self.shift = concat::<10>(true, self.shift.get_bits::<9>(1));
        }
        self.line = self.shift.get_bit(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};

    #[test]
    fn each_bit_stands_for_its_clocks() {
        for clocks in [4, 7, 54] {
            let mut uart = UartTx::new(clocks);
            uart.connect_all();
            uart.reset.next = true;
            tick(&mut uart, |u| &mut u.clock);
            uart.reset.next = false;
            let (mut line, mut bytes) = (vec![], [0x00u64, 0xff, 0x5a, 0xc1].into_iter().peekable());
            for _ in 0..clocks * 45 {
                uart.inp.valid.next = bytes.peek().is_some();
                uart.inp.data.next = bytes.peek().copied().unwrap_or(0).into();
                settle(&mut uart);
                line.push(uart.line.val());
                if uart.inp.valid.val() && uart.inp.ready.val() {
                    bytes.next();
                }
                tick(&mut uart, |u| &mut u.clock);
            }
            let mut at = 0;
            for byte in [0x00u64, 0xff, 0x5a, 0xc1] {
                at += line[at..].iter().position(|level| !level).expect("a start bit");
                let frame = byte << 1 | 1 << 9;
                for bit in 0..10 {
                    assert!(
                        line[at..at + clocks].iter().all(|level| *level == (frame >> bit & 1 == 1)),
                        "bit {bit} of {byte:#x}"
                    );
                    at += clocks;
                }
            }
            assert!(line[at..].iter().all(|level| *level), "idle is high");
        }
    }

    #[test]
    fn lints() {
        assert_lints(UartTx::new(54));
    }
}
