// SPDX-License-Identifier: MIT OR Apache-2.0
//! Four bits of the TCAM's key.

use rust_hdl_core::prelude::*;

/// Which of `ENTRIES` entries match in four bits of the key: a LUT RAM that holds, for each value of the four bits, one bit per entry.
///
/// `matched` follows `key` in the same clock. At a clock with `we`, the word at `address` gets the bit of the entries in `entry`
/// (a mask of bits) from their `value` and `mask`, and keeps the others'.
///
/// Its Verilog is written by hand beside the model: read, change and write of a word as one statement of one memory, which
/// synthesis maps on LUT RAM with two read ports, and which costs a simulation next to nothing while nothing is written.
#[millrace_hdl::block]
pub struct TcamChunk<const ENTRIES: usize> {
    pub clock: Signal<In, Clock>,
    pub key: Signal<In, Bits<4>>,
    pub matched: Signal<Out, Bits<ENTRIES>>,
    pub we: Signal<In, Bit>,
    pub address: Signal<In, Bits<4>>,
    pub entry: Signal<In, Bits<ENTRIES>>,
    pub value: Signal<In, Bits<4>>,
    pub mask: Signal<In, Bits<4>>,
    _mem: Vec<Bits<ENTRIES>>,
}

impl<const ENTRIES: usize> TcamChunk<ENTRIES> {
    /// A chunk in which nothing matches. (`Default` has no memory.)
    pub fn new() -> Self {
        Self { _mem: vec![0.into(); 16], ..Default::default() }
    }
}

impl<const ENTRIES: usize> Logic for TcamChunk<ENTRIES> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.we.val() {
            let word = &mut self._mem[self.address.val().index()];
            let matches = ((self.address.val() ^ self.value.val()) & self.mask.val()) == 0;
            *word = if matches { *word | self.entry.val() } else { *word & !self.entry.val() };
        }
        self.matched.next = self._mem[self.key.val().index()]
    }
    fn connect(&mut self) {
        self.matched.connect()
    }
    fn hdl(&self) -> Verilog {
        let code = format!(
            "(* ram_style = \"distributed\" *) reg [{msb}:0] mem [0:15];\n\n\
             integer i;\ninitial for (i = 0; i < 16; i = i + 1) mem[i] = {ENTRIES}'d0;\n\n\
             assign matched = mem[key];\n\n\
             always @(posedge clock)\n  if (we)\n    mem[address] <= ((address ^ value) & mask) == 4'd0 ? mem[address] | entry : mem[address] & ~entry;",
            msb = ENTRIES - 1,
        );
        Verilog::Wrapper(Wrapper { code, cores: String::new() })
    }
}
