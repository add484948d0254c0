// SPDX-License-Identifier: MIT OR Apache-2.0
//! AXI4-Stream.

use rust_hdl_core::prelude::*;

/// Receiving end of an AXI4-Stream: `D` data, `K` one bit per byte, `U` sideband.
#[millrace_hdl::bundle(AxisSrc)]
pub struct AxisSnk<D: Synth, K: Synth, U: Synth> {
    pub tdata: Signal<In, D>,
    pub tkeep: Signal<In, K>,
    pub tlast: Signal<In, Bit>,
    pub tuser: Signal<In, U>,
    pub tvalid: Signal<In, Bit>,
    pub tready: Signal<Out, Bit>,
}
