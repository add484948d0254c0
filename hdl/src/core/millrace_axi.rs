// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with AXI4-Stream pins.

use crate::bus::{AxilSlave, AxisIn, AxisOut, AxisSnk, AxisSrc};
use crate::core::millrace::Millrace;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// The core with AXI4-Stream pins.
///
/// Purely wires and the conversion between byte counts and `tkeep` (`AxisIn`, `AxisOut`): no clock of latency beside the core's. Of `tkeep`,
/// the highest bit set counts, as the core has no gaps in a beat; it is looked at in a frame's last beat only. `tuser` of `s_axis_rx` is
/// high with the last beat of a frame that arrived damaged; that of `s_axis_packet_out` is the destination vport, held through the frame;
/// that of `m_axis_upcall` is the ingress vport in bits 7:0, the reason in bits 15:8 and, in a build with passes, the pass in
/// bits 18:16 and its metadata in bits 82:19; that of `m_axis_tx` is 0. `reset` is synchronous,
/// high for two clocks or more.
#[millrace_hdl::block]
pub struct MillraceAxi<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SIZES.vports)]
    pub s_axis_rx: Vec<AxisSnk<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<1>>>,
    #[count(SIZES.vports)]
    pub m_axis_tx: Vec<AxisSrc<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<1>>>,
    /// Bit v: `m_axis_tx[v]` has a whole frame or more to give, and will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<{ SIZES.vports }>>,
    pub s_axis_packet_out: AxisSnk<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<8>>,
    pub m_axis_upcall: AxisSrc<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<{ SIZES.upcall_user_bits }>>,
    pub s_axil: AxilSlave,
    core: Millrace<SIZES>,
    #[count(SIZES.vports)]
    rx: Vec<AxisIn<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 1>>,
    #[count(SIZES.vports)]
    tx: Vec<AxisOut<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 1>>,
    packet_out: AxisIn<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 8>,
    upcall: AxisOut<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, { SIZES.upcall_user_bits }>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> MillraceAxi<SIZES> {
    /// The core of a build.
    ///
    /// # Panics
    /// If `SIZES` is not of `config`.
    pub fn new(config: &Config) -> Self {
        Self { core: Millrace::new(config), ..Default::default() }
    }

    fn update(&mut self) {
        self.core.clock_parse = self.clock;
        self.core.clock_match = self.clock;
        self.core.clock_hash = self.clock;
        self.core.clock_compare = self.clock;
        self.core.clock_select = self.clock;
        self.core.clock_expand = self.clock;
        self.core.clock_edit = self.clock;
        for i in 0..SIZES.queues {
            self.core.clock_port[i] = self.clock;
        }
        self.core.clock_ctrl = self.clock;

        comment!("streams");
        for i in 0..SIZES.vports {
            link(self.s_axis_rx[i], self.rx[i].s_axis);
            join(self.rx[i].out, self.core.rx[i]);
            self.core.rx_error[i] = self.rx[i].user.get_bit(0);
            join(self.core.tx[i], self.tx[i].inp);
            self.tx[i].user = 0;
            link(self.m_axis_tx[i], self.tx[i].m_axis);
        }
        self.tx_whole = self.core.tx_whole;

        comment!("the slow path");
        link(self.s_axis_packet_out, self.packet_out.s_axis);
        join(self.packet_out.out, self.core.packet_out);
        self.core.packet_out_vport = self.packet_out.user;
        self.core.packet_out_error = false;
        join(self.core.upcall, self.upcall.inp);
        self.upcall.user = concat::<{ SIZES.upcall_user_bits }>(
            self.core.upcall_metadata,
            self.core.upcall_pass,
            self.core.upcall_reason,
            self.core.upcall_vport,
        );
        link(self.m_axis_upcall, self.upcall.m_axis);

        comment!("registers");
        link(self.s_axil, self.core.s_axil);
    }
}
