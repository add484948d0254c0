// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole DPU as a board has it.

use crate::axi::AxiMaster;
use crate::dpu::{CLOCKS, Dpu};
use crate::engine::{DATA_SLOT_BITS, RING_SLOT_BITS};
use crate::host_axi::HostAxilSlave;
use crate::types::Interrupt;
use millrace_hdl::base::{Reg, Snk, Src};
use millrace_hdl::bus::AxilSlave;
use millrace_hdl::core::types::Beat;
use millrace_regs::config::Config;
use millrace_regs::host::TIME_UNIT_NS;
use rust_hdl_core::prelude::*;

/// Clocks of 250 MHz in a unit of time (`docs/host.md`, "DMA").
const UNIT_CLOCKS: u64 = TIME_UNIT_NS / 4;

/// [`Dpu`] on one clock, of 250 MHz.
#[millrace_hdl::block]
pub struct OneClock<const SIZES: Sizes, const HOST: HostSizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// As those of [`Dpu`].
    #[count(HOST.uplinks)]
    pub rx: Vec<Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    #[count(HOST.uplinks)]
    pub rx_error: Vec<Signal<In, Bit>>,
    #[count(HOST.uplinks)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    pub tx_whole: Signal<Out, Bits<{ HOST.uplinks }>>,
    pub s_axil: AxilSlave,
    pub s_axil_host: HostAxilSlave,
    /// The function in whose BARs, or configuration space, an access of each bus is: steady from `valid` of its address to its answer.
    pub s_axil_from: Signal<In, Bits<8>>,
    pub s_axil_host_from: Signal<In, Bits<8>>,
    /// NIC mode: function 0 is the first PF's.
    pub nic_mode: Signal<Out, Bit>,
    /// Bit f: function-level reset of function f, until `flr_done`, which stays as long.
    pub flr: Signal<In, Bits<{ HOST.functions }>>,
    pub flr_done: Signal<Out, Bits<{ HOST.functions }>>,
    pub bus_master: Signal<In, Bits<{ HOST.functions }>>,
    pub msix_enable: Signal<In, Bits<{ HOST.functions }>>,
    pub msix_mask: Signal<In, Bits<{ HOST.functions }>>,
    pub m_axi_ring: AxiMaster<Bits<RING_SLOT_BITS>>,
    pub m_axi_data: AxiMaster<Bits<DATA_SLOT_BITS>>,
    pub interrupt: Src<Interrupt>,

    /// Clocks of the unit of time that is going on, and units.
    clocks: Reg<Bits<12>>,
    now: Reg<Bits<16>>,

    dpu: Dpu<SIZES, HOST>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes, const HOST: HostSizes> OneClock<SIZES, HOST> {
    /// The DPU of a build with host side.
    ///
    /// # Panics
    /// As [`Dpu::new`].
    pub fn new(config: &Config) -> Self {
        Self { dpu: Dpu::new(config), ..Default::default() }
    }

    fn update(&mut self) {
        self.dpu.clock_core = self.clock;
        self.dpu.clock_parse = self.clock;
        self.dpu.clock_match = self.clock;
        self.dpu.clock_hash = self.clock;
        self.dpu.clock_compare = self.clock;
        self.dpu.clock_select = self.clock;
        self.dpu.clock_expand = self.clock;
        self.dpu.clock_edit = self.clock;
        self.dpu.clock_ctrl = self.clock;
        for i in 0..SIZES.queues {
            self.dpu.clock_port[i] = self.clock;
        }
        for i in 0..CLOCKS {
            self.dpu.clock_part[i] = self.clock;
        }
        for i in 0..HOST.uplinks {
            link(self.rx[i], self.dpu.rx[i]);
            self.dpu.rx_error[i] = self.rx_error[i];
            link(self.tx[i], self.dpu.tx[i]);
        }
        self.tx_whole = self.dpu.tx_whole;
        link(self.s_axil, self.dpu.s_axil);
        link(self.s_axil_host, self.dpu.s_axil_host);
        self.dpu.s_axil_from = self.s_axil_from;
        self.dpu.s_axil_host_from = self.s_axil_host_from;
        self.nic_mode = self.dpu.nic_mode;
        self.dpu.flr = self.flr;
        self.flr_done = self.dpu.flr_done;
        self.dpu.bus_master = self.bus_master;
        self.dpu.msix_enable = self.msix_enable;
        self.dpu.msix_mask = self.msix_mask;
        let unit_ends = self.clocks == UNIT_CLOCKS - 1;
        self.clocks = if unit_ends { 0 } else { self.clocks + 1 };
        if unit_ends {
            self.now += 1;
        }
        self.dpu.now = self.now;
        link(self.m_axi_ring, self.dpu.m_axi_ring);
        link(self.m_axi_data, self.dpu.m_axi_data);
        link(self.interrupt, self.dpu.interrupt);
    }
}
