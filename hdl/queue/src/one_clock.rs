// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole DPU as a board has it.

use crate::axi::AxiMaster;
use crate::dpu::{CLOCKS, Dpu};
use crate::host_axi::HostAxilSlave;
use crate::ring_port::ID_BITS;
use crate::types::Interrupt;
use millrace_hdl::base::{Snk, Src};
use millrace_hdl::bus::AxilSlave;
use millrace_hdl::core::types::Beat;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// [`Dpu`] on one clock.
#[millrace_hdl::block]
pub struct OneClock<
    const SIZES: Sizes,
    const UPLINKS: usize,
    const PAIRS: usize,
    const PAIR_BITS: usize,
    const STORE_BITS: usize,
    const VQS: usize,
    const VQ_BITS: usize,
    const FUNCTIONS: usize,
    const FUNCTION_BITS: usize,
    const VECTORS: usize,
    const VECTOR_BITS: usize,
    const FUNCTION_WORD_BITS: usize,
    const QUEUE_WORD_BITS: usize,
    const TABLE_BITS: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// As those of [`Dpu`].
    #[count(UPLINKS)]
    pub rx: Vec<Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    #[count(UPLINKS)]
    pub rx_error: Vec<Signal<In, Bit>>,
    #[count(UPLINKS)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    pub tx_whole: Signal<Out, Bits<UPLINKS>>,
    pub s_axil: AxilSlave,
    pub s_axil_host: HostAxilSlave,
    pub bus_master: Signal<In, Bits<FUNCTIONS>>,
    pub msix_enable: Signal<In, Bits<FUNCTIONS>>,
    pub msix_mask: Signal<In, Bits<FUNCTIONS>>,
    pub m_axi_ring: AxiMaster<Bits<ID_BITS>>,
    pub m_axi_data: AxiMaster<Bits<8>>,
    pub interrupt: Src<Interrupt>,

    dpu: Dpu<
        SIZES,
        UPLINKS,
        PAIRS,
        PAIR_BITS,
        STORE_BITS,
        VQS,
        VQ_BITS,
        FUNCTIONS,
        FUNCTION_BITS,
        VECTORS,
        VECTOR_BITS,
        FUNCTION_WORD_BITS,
        QUEUE_WORD_BITS,
        TABLE_BITS,
    >,
}

#[millrace_hdl::block]
impl<
    const SIZES: Sizes,
    const UPLINKS: usize,
    const PAIRS: usize,
    const PAIR_BITS: usize,
    const STORE_BITS: usize,
    const VQS: usize,
    const VQ_BITS: usize,
    const FUNCTIONS: usize,
    const FUNCTION_BITS: usize,
    const VECTORS: usize,
    const VECTOR_BITS: usize,
    const FUNCTION_WORD_BITS: usize,
    const QUEUE_WORD_BITS: usize,
    const TABLE_BITS: usize,
>
    OneClock<
        SIZES,
        UPLINKS,
        PAIRS,
        PAIR_BITS,
        STORE_BITS,
        VQS,
        VQ_BITS,
        FUNCTIONS,
        FUNCTION_BITS,
        VECTORS,
        VECTOR_BITS,
        FUNCTION_WORD_BITS,
        QUEUE_WORD_BITS,
        TABLE_BITS,
    >
{
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
        for i in 0..UPLINKS {
            link(self.rx[i], self.dpu.rx[i]);
            self.dpu.rx_error[i] = self.rx_error[i];
            link(self.tx[i], self.dpu.tx[i]);
        }
        self.tx_whole = self.dpu.tx_whole;
        link(self.s_axil, self.dpu.s_axil);
        link(self.s_axil_host, self.dpu.s_axil_host);
        self.dpu.bus_master = self.bus_master;
        self.dpu.msix_enable = self.msix_enable;
        self.dpu.msix_mask = self.msix_mask;
        link(self.m_axi_ring, self.dpu.m_axi_ring);
        link(self.m_axi_data, self.dpu.m_axi_data);
        link(self.interrupt, self.dpu.interrupt);
    }
}
