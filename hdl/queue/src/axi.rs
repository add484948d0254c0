// SPDX-License-Identifier: MIT OR Apache-2.0
//! AXI4, as far as the DMA ports use it: bursts of type INCR of whole beats, no locks, caches or protection.

use crate::types::BEAT_BITS;
use rust_hdl_core::prelude::*;

/// Bytes: no burst crosses such a border (AXI4 A3.4.1).
pub const BORDER: u64 = 4096;

/// Master's end of the read channels; `Id` is the type of the identifiers.
#[millrace_hdl::bundle(AxiReadSlave)]
pub struct AxiReadMaster<Id: Synth> {
    pub arid: Signal<Out, Id>,
    pub araddr: Signal<Out, Bits<64>>,
    /// Beats less one.
    pub arlen: Signal<Out, Bits<8>>,
    /// The function.
    pub aruser: Signal<Out, Bits<8>>,
    pub arvalid: Signal<Out, Bit>,
    pub arready: Signal<In, Bit>,
    pub rid: Signal<In, Id>,
    pub rdata: Signal<In, Bits<BEAT_BITS>>,
    pub rresp: Signal<In, Bits<2>>,
    pub rlast: Signal<In, Bit>,
    pub rvalid: Signal<In, Bit>,
    pub rready: Signal<Out, Bit>,
}

/// Master's end of the write channels. All writes of a port have one identifier, so there are no pins for it.
#[millrace_hdl::bundle(AxiWriteSlave)]
pub struct AxiWriteMaster {
    pub awaddr: Signal<Out, Bits<64>>,
    /// Beats less one.
    pub awlen: Signal<Out, Bits<8>>,
    /// The function.
    pub awuser: Signal<Out, Bits<8>>,
    pub awvalid: Signal<Out, Bit>,
    pub awready: Signal<In, Bit>,
    pub wdata: Signal<Out, Bits<BEAT_BITS>>,
    pub wstrb: Signal<Out, Bits<64>>,
    pub wlast: Signal<Out, Bit>,
    pub wvalid: Signal<Out, Bit>,
    pub wready: Signal<In, Bit>,
    pub bresp: Signal<In, Bits<2>>,
    pub bvalid: Signal<In, Bit>,
    pub bready: Signal<Out, Bit>,
}

/// Master's end of all five channels; as above.
#[millrace_hdl::bundle(AxiSlave)]
pub struct AxiMaster<Id: Synth> {
    pub arid: Signal<Out, Id>,
    pub araddr: Signal<Out, Bits<64>>,
    pub arlen: Signal<Out, Bits<8>>,
    pub aruser: Signal<Out, Bits<8>>,
    pub arvalid: Signal<Out, Bit>,
    pub arready: Signal<In, Bit>,
    pub rid: Signal<In, Id>,
    pub rdata: Signal<In, Bits<BEAT_BITS>>,
    pub rresp: Signal<In, Bits<2>>,
    pub rlast: Signal<In, Bit>,
    pub rvalid: Signal<In, Bit>,
    pub rready: Signal<Out, Bit>,
    pub awaddr: Signal<Out, Bits<64>>,
    pub awlen: Signal<Out, Bits<8>>,
    pub awuser: Signal<Out, Bits<8>>,
    pub awvalid: Signal<Out, Bit>,
    pub awready: Signal<In, Bit>,
    pub wdata: Signal<Out, Bits<BEAT_BITS>>,
    pub wstrb: Signal<Out, Bits<64>>,
    pub wlast: Signal<Out, Bit>,
    pub wvalid: Signal<Out, Bit>,
    pub wready: Signal<In, Bit>,
    pub bresp: Signal<In, Bits<2>>,
    pub bvalid: Signal<In, Bit>,
    pub bready: Signal<Out, Bit>,
}
