// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sending half of a UART.

use crate::base::{Param, Reg, Snk, Tag};
use rust_hdl_core::prelude::*;

/// Bytes to a line with 8 data bits, no parity, one stop bit. `inp` is ready while the line is free.
#[derive(LogicBlock)]
pub struct UartTx {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Bits<8>>,
    pub line: Signal<Out, Bit>,
    /// The bits to send, the one on the line first; how many of them there are, and clocks until the next.
    shift: Reg<Bits<10>>,
    left: Reg<Bits<4>>,
    timer: Reg<Bits<16>>,
    to_next: Param<Bits<16>>,

    free: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
}

impl UartTx {
    /// A line with `clocks_per_bit` clocks of `clock` to a bit.
    ///
    /// # Panics
    /// If they are not 4 to 65,535.
    pub fn new(clocks_per_bit: usize) -> Self {
        assert!((4..=0xffff).contains(&clocks_per_bit), "a bit has 4 to 65,535 clocks, not {clocks_per_bit}");
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            inp: Default::default(),
            line: Default::default(),
            shift: Reg::new(0x3ff.into()),
            left: Default::default(),
            timer: Default::default(),
            to_next: Param::new((clocks_per_bit - 1).to_bits()),
            free: Default::default(),
            step: Default::default(),
        }
    }
}

impl Logic for UartTx {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, shift, left, timer);
        self.shift.reset.next = self.reset.val();
        self.left.reset.next = self.reset.val();
        self.timer.reset.next = self.reset.val();
        self.free.next = !self.left.q.val().any();
        self.step.next = !self.timer.q.val().any();
        self.inp.ready.next = self.free.val();

        self.timer.en.next = true;
        self.timer.d.next = self.timer.q.val() - 1;
        self.left.en.next = self.step.val();
        self.left.d.next = self.left.q.val() - 1;
        self.shift.en.next = self.step.val();
        self.shift.d.next = (self.shift.q.val() >> 1) | 0x200;
        if self.step.val() {
            self.timer.d.next = self.to_next.val();
        }
        if self.free.val() {
            self.timer.d.next = self.to_next.val();
            self.left.en.next = self.inp.valid.val();
            self.left.d.next = 10.into();
            self.shift.en.next = self.inp.valid.val();
            self.shift.d.next = (bit_cast::<10, 8>(self.inp.data.val()) << 1) | 0x200;
        }
        self.line.next = self.shift.q.val().get_bit(0);
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
