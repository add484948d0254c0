// SPDX-License-Identifier: MIT OR Apache-2.0
//! Brings a signal into another clock's domain.

use rust_hdl_core::prelude::*;

/// Two registers in a row, marked for the tools as a clock crossing. At most one bit of `d` may change per clock (Gray code), so
/// that `q` is always a value that `d` had. Two clocks.
#[millrace_hdl::block]
pub struct Synchroniser<const BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub d: Signal<In, Bits<BITS>>,
    pub q: Signal<Out, Bits<BITS>>,
    _first: Bits<BITS>,
}

impl<const BITS: usize> Logic for Synchroniser<BITS> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self._first;
            self._first = self.d.val();
        }
    }
    fn connect(&mut self) {
        self.q.connect()
    }
    fn hdl(&self) -> Verilog {
        let range = if BITS == 1 { String::new() } else { format!("[{}:0] ", BITS - 1) };
        Verilog::Wrapper(Wrapper {
            code: format!(
                "(* ASYNC_REG = \"TRUE\" *) reg {range}first;\n(* ASYNC_REG = \"TRUE\" *) reg {range}second;\n\n\
                 always @(posedge clock) begin\n  first <= d;\n  second <= first;\nend\n\nassign q = second;"
            ),
            cores: String::new(),
        })
    }
}
