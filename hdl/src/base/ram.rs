// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memories that synthesis maps on block RAM or LUT RAM. All contents start as zero.

use rust_hdl_core::prelude::*;

/// log2 of the words up to which LUT RAM is smaller than block RAM.
const SHORT: usize = 4;

/// log2 of the words from which on ultra RAM is smaller: a block RAM of UltraScale+ then holds less than a bit of each word.
const DEEP: usize = 16;

/// Simple dual-port RAM: one write port, one read port, `1 << ADDRESS_BITS` words; block RAM unless it has 16 words or fewer, or 65,536 or
/// more (ultra RAM). `rdata` holds the word at `raddr` one clock after `re`, and keeps it while `re` is low. A read of the word being
/// written gives the old word.
#[millrace_hdl::block]
pub struct Ram<D: Synth, const ADDRESS_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub re: Signal<In, Bit>,
    pub raddr: Signal<In, Bits<ADDRESS_BITS>>,
    pub rdata: Signal<Out, D>,
    pub we: Signal<In, Bit>,
    pub waddr: Signal<In, Bits<ADDRESS_BITS>>,
    pub wdata: Signal<In, D>,
    #[init(vec![D::default(); 1 << ADDRESS_BITS])]
    _mem: Vec<D>,
}

impl<D: Synth, const ADDRESS_BITS: usize> Ram<D, ADDRESS_BITS> {
    /// A RAM of zeros.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: Synth, const ADDRESS_BITS: usize> Logic for Ram<D, ADDRESS_BITS> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.re.val() {
                self.rdata.next = self._mem[self.raddr.val().index()]
            }
            if self.we.val() {
                self._mem[self.waddr.val().index()] = self.wdata.val()
            }
        }
    }
    fn connect(&mut self) {
        self.rdata.connect()
    }
    fn hdl(&self) -> Verilog {
        let style = match ADDRESS_BITS {
            ..=SHORT => "distributed",
            DEEP.. => "ultra",
            _ => "block",
        };
        Verilog::Custom(memory(style, D::BITS, ADDRESS_BITS, "if (re) rdata <= mem[raddr];"))
    }
    fn timing(&self) -> Vec<TimingInfo> {
        vec![TimingInfo {
            name: "ram".into(),
            clock: "clock".into(),
            inputs: ["re", "raddr", "we", "waddr", "wdata"].map(String::from).into(),
            outputs: vec!["rdata".into()],
        }]
    }
}

/// LUT RAM: written at the clock, read in the same clock (`rdata` follows `raddr`).
#[millrace_hdl::block]
pub struct LutRam<D: Synth, const ADDRESS_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub raddr: Signal<In, Bits<ADDRESS_BITS>>,
    pub rdata: Signal<Out, D>,
    pub we: Signal<In, Bit>,
    pub waddr: Signal<In, Bits<ADDRESS_BITS>>,
    pub wdata: Signal<In, D>,
    #[init(vec![D::default(); 1 << ADDRESS_BITS])]
    _mem: Vec<D>,
}

impl<D: Synth, const ADDRESS_BITS: usize> LutRam<D, ADDRESS_BITS> {
    /// A RAM of zeros.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<D: Synth, const ADDRESS_BITS: usize> Logic for LutRam<D, ADDRESS_BITS> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.we.val() {
            self._mem[self.waddr.val().index()] = self.wdata.val()
        }
        self.rdata.next = self._mem[self.raddr.val().index()]
    }
    fn connect(&mut self) {
        self.rdata.connect()
    }
    fn hdl(&self) -> Verilog {
        Verilog::Wrapper(Wrapper {
            code: format!("{}\nassign rdata = mem[raddr];", memory("distributed", D::BITS, ADDRESS_BITS, "")),
            cores: String::new(),
        })
    }
}

/// The array, its zeros, and the clocked block; `read` is the read statement, if it is clocked.
fn memory(style: &str, width: usize, address: usize, read: &str) -> String {
    let read = if read.is_empty() { String::new() } else { format!("  {read}\n") };
    let zeros = zeros(width, 1 << address);
    // Ultra RAM starts as zeros, and synthesis takes no other contents for it.
    let zeros = if style == "ultra" { format!("`ifndef SYNTHESIS\n{zeros}\n`endif") } else { zeros };
    format!(
        "(* ram_style = \"{style}\" *) reg [{}:0] mem [0:{}];\n\n{zeros}\n\n\
         always @(posedge clock) begin\n{read}  if (we) mem[waddr] <= wdata;\nend",
        width - 1,
        (1usize << address) - 1,
    )
}

/// The initial blocks of an array of zeros. Yosys unrolls such a loop in time quadratic in its length: long ones are cut, but not
/// so short that Verilator unrolls them too (64).
fn zeros(width: usize, depth: usize) -> String {
    const PIECE: usize = 256;
    if depth <= PIECE {
        return format!("integer i;\ninitial for (i = 0; i < {depth}; i = i + 1) mem[i] = {width}'d0;");
    }
    format!(
        "genvar piece;\ngenerate\n  for (piece = 0; piece < {depth}; piece = piece + {PIECE}) begin : zeros\n    integer i;\n    \
         initial for (i = piece; i < piece + {PIECE}; i = i + 1) mem[i] = {width}'d0;\n  end\nendgenerate"
    )
}
