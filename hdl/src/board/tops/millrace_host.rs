// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core for a board whose host is behind a PCIe stream.

use crate::board::host::host_demux::HostDemux;
use crate::board::host::host_mux::HostMux;
use crate::board::stream::whole_frames::WholeFrames;
use crate::board::types::{MarkedBeat, RegisterAnswer};
use crate::bus::{AxilSlave, AxisIn, AxisOut, AxisSnk, AxisSrc};
use crate::core::millrace::Millrace;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// The core with an AXI4-Stream pair for each of the first `PORTS` vports, and one pair with the host channel (`docs/board.md`) for the others,
/// upcalls and packet out.
///
/// On every stream `tkeep` counts with `tlast` only, and has no gaps. `tuser` of `s_axis_rx` and `s_axis_host` is high with the last beat of a
/// frame or message that arrived damaged; that of the others is 0. `tvalid` of `m_axis_tx` never pauses inside a frame. Registers are on
/// `s_axil`: the host channel has none here. `host_dropped` counts the host's messages that had no place to go, modulo 2^32. `reset` is
/// synchronous, high for two clocks or more.
#[millrace_hdl::block]
pub struct MillraceHost<const SIZES: Sizes, const PORTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(PORTS)]
    pub s_axis_rx: Vec<AxisSnk<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<1>>>,
    #[count(PORTS)]
    pub m_axis_tx: Vec<AxisSrc<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<1>>>,
    pub s_axis_host: AxisSnk<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<1>>,
    pub m_axis_host: AxisSrc<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<1>>,
    pub host_dropped: Signal<Out, Bits<32>>,
    pub s_axil: AxilSlave,
    core: Millrace<SIZES>,
    #[init(HostDemux::new(PORTS..SIZES.vports, false))]
    demux: HostDemux<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.vports }>,
    #[init(HostMux::new(PORTS..SIZES.vports))]
    mux: HostMux<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.vports }, { SIZES.host_sources }>,
    #[count(PORTS)]
    rx: Vec<AxisIn<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 1>>,
    #[count(PORTS)]
    gates: Vec<WholeFrames<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    #[count(PORTS)]
    tx: Vec<AxisOut<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 1>>,
    from_host: AxisIn<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 1>,
    to_host: AxisOut<{ SIZES.bus_bits }, { SIZES.bus_bytes }, { SIZES.count_bits }, 1>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes, const PORTS: usize> MillraceHost<SIZES, PORTS> {
    /// The core of a build.
    ///
    /// # Panics
    /// If `SIZES` is not of `config`, or do not fit each other.
    pub fn new(config: &Config) -> Self {
        assert!(PORTS <= SIZES.vports, "{PORTS} streams of {} vports", SIZES.vports);
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

        comment!("the uplinks");
        for i in 0..PORTS {
            link(self.s_axis_rx[i], self.rx[i].s_axis);
            join(self.rx[i].out, self.core.rx[i]);
            self.core.rx_error[i] = self.rx[i].user.get_bit(0);

            self.gates[i].whole = self.core.tx_whole.get_bit(i);
            join(self.core.tx[i], self.gates[i].inp);
            join(self.gates[i].out, self.tx[i].inp);
            self.tx[i].user = 0;
            link(self.m_axis_tx[i], self.tx[i].m_axis);

            self.demux.rx[i].ready = false;
            self.mux.tx[i].data = self.core.tx[i].data;
            self.mux.tx[i].valid = false;
        }

        comment!("the other vports, and the slow path");
        link(self.s_axis_host, self.from_host.s_axis);
        self.demux.inp.data = MarkedBeat {
            data: self.from_host.out.data.data,
            bytes: self.from_host.out.data.bytes,
            last: self.from_host.out.data.last,
            error: self.from_host.user.get_bit(0),
        };
        self.demux.inp.valid = self.from_host.out.valid;
        self.from_host.out.ready = self.demux.inp.ready;
        self.demux.lost = false;
        self.demux.registers.ready = false;
        self.host_dropped = self.demux.dropped;
        for i in PORTS..SIZES.vports {
            join(self.demux.rx[i], self.core.rx[i]);
            self.core.rx_error[i] = self.demux.rx_error;
            join(self.core.tx[i], self.mux.tx[i]);
        }
        join(self.demux.packet_out, self.core.packet_out);
        self.core.packet_out_error = self.demux.rx_error;
        self.core.packet_out_vport = self.demux.packet_out_vport;
        self.mux.tx_whole = self.core.tx_whole;
        join(self.core.upcall, self.mux.upcall);
        self.mux.upcall_whole = self.core.upcall_whole;
        self.mux.upcall_vport = self.core.upcall_vport;
        self.mux.upcall_reason = self.core.upcall_reason;
        self.mux.registers.data = RegisterAnswer::default();
        self.mux.registers.valid = false;
        join(self.mux.out, self.to_host.inp);
        self.to_host.user = 0;
        link(self.m_axis_host, self.to_host.m_axis);

        comment!("registers");
        link(self.s_axil, self.core.s_axil);
    }
}

/// Name of the top module.
pub const TOP: &str = "millrace_host";
