// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole DPU: the core, and the host side before it.

use crate::axi::AxiMaster;
use crate::engine::QueueEngine;
use crate::functions::Functions;
use crate::host_axi::HostAxilSlave;
use crate::ring_port::ID_BITS;
use crate::types::Interrupt;
use millrace_hdl::base::{Snk, Src};
use millrace_hdl::bus::AxilSlave;
use millrace_hdl::core::millrace::Millrace;
use millrace_hdl::core::types::Beat;
use millrace_regs::config::{Config, MAX_FRAME};
use rust_hdl_core::prelude::*;

/// The sizes of the host side of a build.
#[derive(Clone, Copy, Debug)]
pub struct HostSizes {
    pub uplinks: usize,
    pub functions: usize,
    pub function_bits: usize,
    /// Of the numbers of virtqueues' pairs, and of virtqueues.
    pub pairs: usize,
    pub pair_bits: usize,
    pub vqs: usize,
    pub vq_bits: usize,
}

impl HostSizes {
    /// The sizes of a build.
    pub const fn of(config: &Config) -> Self {
        let functions = config.functions();
        let pairs = config.virtqueues() / 2;
        let pair_bits = pairs.next_power_of_two().ilog2() as usize;
        Self {
            uplinks: config.uplinks,
            functions,
            function_bits: functions.next_power_of_two().ilog2() as usize,
            pairs,
            pair_bits,
            vqs: 2 * pairs,
            vq_bits: pair_bits + 1,
        }
    }
}

/// The core of a build with its host side, on one clock.
///
/// Uplinks are streams as of [`Millrace`]; PF, VFs and the representors are virtqueues in memory (`docs/host.md`), which `m_axi_ring` and `m_axi_data` reach.
/// `s_axil` has the registers of the core, `s_axil_host` those of the functions. `reset` is synchronous, high for two clocks or more.
#[millrace_hdl::block]
pub struct Dpu<
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
    #[count(UPLINKS)]
    pub rx: Vec<Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    #[count(UPLINKS)]
    pub rx_error: Vec<Signal<In, Bit>>,
    #[count(UPLINKS)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    /// Bit p: `tx[p]` has a whole frame or more to give, and will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<UPLINKS>>,
    pub s_axil: AxilSlave,
    pub s_axil_host: HostAxilSlave,
    /// Bit f: function f is bus master (PCI's command register).
    pub bus_master: Signal<In, Bits<FUNCTIONS>>,
    /// Bit f: MSI-X Enable, and Function Mask, of function f (PCI's Message Control).
    pub msix_enable: Signal<In, Bits<FUNCTIONS>>,
    pub msix_mask: Signal<In, Bits<FUNCTIONS>>,
    pub m_axi_ring: AxiMaster<Bits<ID_BITS>>,
    pub m_axi_data: AxiMaster<Bits<8>>,
    pub interrupt: Src<Interrupt>,
    /// The clock may stand still while nothing comes in.
    pub idle: Signal<Out, Bit>,

    core: Millrace<SIZES>,
    functions:
        Functions<FUNCTIONS, VQS, VQ_BITS, FUNCTION_BITS, VECTORS, VECTOR_BITS, FUNCTION_WORD_BITS, QUEUE_WORD_BITS>,
    engine: QueueEngine<PAIRS, PAIR_BITS, STORE_BITS, VQS, VQ_BITS, FUNCTIONS, FUNCTION_BITS, TABLE_BITS>,
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
    Dpu<
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
    /// If the sizes are not of `config`, or frames may not have the length that offloads make.
    pub fn new(config: &Config) -> Self {
        assert_eq!(config.max_frame, MAX_FRAME, "segments are as long as the longest frame of any build");
        Self {
            core: Millrace::new(config),
            functions: Functions::new(config),
            engine: QueueEngine::new(config),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        self.core.clock_parse = self.clock;
        self.core.clock_match = self.clock;
        self.core.clock_hash = self.clock;
        self.core.clock_compare = self.clock;
        self.core.clock_select = self.clock;
        self.core.clock_expand = self.clock;
        self.core.clock_edit = self.clock;
        self.core.clock_ctrl = self.clock;
        for i in 0..SIZES.queues {
            self.core.clock_port[i] = self.clock;
        }
        link(self.s_axil, self.core.s_axil);

        comment!("uplinks are pins");
        for i in 0..UPLINKS {
            link(self.rx[i], self.core.rx[i]);
            self.core.rx_error[i] = self.rx_error[i];
            link(self.tx[i], self.core.tx[i]);
        }
        self.tx_whole = self.core.tx_whole.get_bits::<UPLINKS>(0);

        comment!("PF and VFs are queues, and the representors those of function 0");
        let last = self.engine.error;
        let mut whole: Bits<FUNCTIONS> = 0;
        for i in 0..FUNCTIONS - 1 {
            let sent = self.engine.out[i].data;
            self.core.rx[i + UPLINKS].data = Beat {
                data: cast::<{ SIZES.bus_bits }>(sent.data),
                bytes: cast::<{ SIZES.count_bits }>(sent.bytes),
                last: sent.last,
            };
            self.core.rx[i + UPLINKS].valid = self.engine.out[i].valid;
            self.engine.out[i].ready = self.core.rx[i + UPLINKS].ready;
            self.core.rx_error[i + UPLINKS] = last;
            let received = self.core.tx[i + UPLINKS].data;
            self.engine.inp[i].data =
                Beat { data: cast::<512>(received.data), bytes: cast::<7>(received.bytes), last: received.last };
            self.engine.inp[i].valid = self.core.tx[i + UPLINKS].valid;
            self.core.tx[i + UPLINKS].ready = self.engine.inp[i].ready;
            whole.set_bit(i, self.core.tx_whole.get_bit(i + UPLINKS));
        }
        whole.set_bit(FUNCTIONS - 1, self.core.upcall_whole);
        self.engine.whole = whole;
        let packet_out = self.engine.out[FUNCTIONS - 1].data;
        self.core.packet_out.data = Beat {
            data: cast::<{ SIZES.bus_bits }>(packet_out.data),
            bytes: cast::<{ SIZES.count_bits }>(packet_out.bytes),
            last: packet_out.last,
        };
        self.core.packet_out.valid = self.engine.out[FUNCTIONS - 1].valid;
        self.engine.out[FUNCTIONS - 1].ready = self.core.packet_out.ready;
        self.core.packet_out_vport = self.engine.packet_out_vport;
        self.core.packet_out_error = last;
        let upcall = self.core.upcall.data;
        self.engine.inp[FUNCTIONS - 1].data =
            Beat { data: cast::<512>(upcall.data), bytes: cast::<7>(upcall.bytes), last: upcall.last };
        self.engine.inp[FUNCTIONS - 1].valid = self.core.upcall.valid;
        self.core.upcall.ready = self.engine.inp[FUNCTIONS - 1].ready;
        self.engine.upcall_vport = self.core.upcall_vport;
        self.engine.upcall_reason = self.core.upcall_reason;

        comment!("functions");
        link(self.s_axil_host, self.functions.s_axil_host);
        self.functions.bus_master = self.bus_master;
        self.functions.msix_enable = self.msix_enable;
        self.functions.msix_mask = self.msix_mask;
        self.engine.open = self.functions.queue_write;
        self.engine.open_vq = self.functions.queue_vq;
        self.engine.opened = self.functions.queue_config;
        self.engine.window_write = self.functions.window_write;
        self.engine.window_function = self.functions.window_function;
        self.engine.window = self.functions.window;
        self.engine.policy_write = self.functions.policy_write;
        self.engine.policy_function = self.functions.policy_function;
        self.engine.policy = self.functions.policy;
        self.engine.merge = self.functions.merge;
        self.engine.live = self.functions.live;
        self.engine.stopped = self.functions.stopped;
        self.engine.notify = self.functions.notify;
        self.engine.notify_vq = self.functions.notify_queue;
        join(self.functions.reset_queue, self.engine.reset_queue);
        self.functions.reset_done = self.engine.reset_done;
        join(self.engine.mac, self.functions.mac);
        self.engine.finished = self.functions.finished;
        self.engine.finished_function = self.functions.finished_function;
        join(self.engine.fault, self.functions.fault);
        join(self.engine.interrupt, self.functions.used_interrupt);
        self.functions.no_buffer = self.engine.no_buffer;
        self.functions.no_buffer_function = self.engine.no_buffer_function;
        self.functions.bad_offload = self.engine.bad_offload;
        self.functions.bad_offload_function = self.engine.bad_offload_function;
        self.functions.refused_sent = self.engine.refused_sent;
        self.functions.refused_sent_function = self.engine.refused_sent_function;
        self.functions.refused_received = self.engine.refused_received;
        self.functions.refused_received_function = self.engine.refused_received_function;
        link(self.interrupt, self.functions.interrupt);
        link(self.m_axi_ring, self.engine.rings);
        link(self.m_axi_data, self.engine.data);

        comment!("rest");
        let front = self.core.idle & self.core.idle_parse & self.core.idle_match & self.core.idle_hash;
        let back = self.core.idle_compare & self.core.idle_select & self.core.idle_expand & self.core.idle_edit;
        let ports = self.core.idle_port.all() & self.core.idle_ctrl;
        self.idle = front & back & ports & self.functions.idle & self.engine.idle;
    }
}
