// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole DPU: the core, and the host side before it.

use crate::axi::AxiMaster;
use crate::axil_gate::AxilGate;
use crate::engine::{CLOCKS as ENGINE_CLOCKS, DATA_SLOT_BITS, QueueEngine, RING_SLOT_BITS};
use crate::functions::Functions;
use crate::host_axi::HostAxilSlave;
use crate::types::Interrupt;
use millrace_hdl::base::{Snk, Src};
use millrace_hdl::bus::AxilSlave;
use millrace_hdl::core::millrace::Millrace;
use millrace_hdl::core::types::Beat;
use millrace_regs::config::{Config, MAX_FRAME};
use rust_hdl_core::prelude::*;

/// Clocks of the host side's parts: the engine's, and that of the vectors.
pub const CLOCKS: usize = ENGINE_CLOCKS + 1;

/// The core of a build with its host side. Each part of the core has a clock of its own, as [`Millrace`] has them, and so has each of the host side; on a board all are one.
///
/// Uplinks are streams as of [`Millrace`]; PF, VFs and the representors are virtqueues in memory (`docs/host.md`), which `m_axi_ring` and `m_axi_data` reach.
/// `s_axil` has the registers of the core, `s_axil_host` those of the functions. `reset` is synchronous, high for two clocks or more.
#[millrace_hdl::block]
pub struct Dpu<const SIZES: Sizes, const HOST: HostSizes> {
    /// Of the host side, and of the core what has no clock of its own.
    pub clock: Signal<In, Clock>,
    pub clock_core: Signal<In, Clock>,
    pub clock_parse: Signal<In, Clock>,
    pub clock_match: Signal<In, Clock>,
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub clock_expand: Signal<In, Clock>,
    pub clock_edit: Signal<In, Clock>,
    #[count(SIZES.queues)]
    pub clock_port: Vec<Signal<In, Clock>>,
    pub clock_ctrl: Signal<In, Clock>,
    #[count(CLOCKS)]
    pub clock_part: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    #[count(HOST.uplinks)]
    pub rx: Vec<Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    #[count(HOST.uplinks)]
    pub rx_error: Vec<Signal<In, Bit>>,
    #[count(HOST.uplinks)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    /// Bit p: `tx[p]` has a whole frame or more to give, and will not pause before the end of one.
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
    /// Bit f: function f is bus master (PCI's command register).
    pub bus_master: Signal<In, Bits<{ HOST.functions }>>,
    /// Bit f: MSI-X Enable, and Function Mask, of function f (PCI's Message Control).
    pub msix_enable: Signal<In, Bits<{ HOST.functions }>>,
    pub msix_mask: Signal<In, Bits<{ HOST.functions }>>,
    /// Counts 16 µs; something waits for it to go on ("DMA").
    pub now: Signal<In, Bits<16>>,
    pub awaits_time: Signal<Out, Bit>,
    pub m_axi_ring: AxiMaster<Bits<RING_SLOT_BITS>>,
    pub m_axi_data: AxiMaster<Bits<DATA_SLOT_BITS>>,
    pub interrupt: Src<Interrupt>,
    /// Each clock may stand still while its `idle` is high and nothing comes in: on the stream of an uplink for its `clock_port`, on `s_axil` for `clock_ctrl`.
    /// What else comes in is in `idle` itself.
    pub idle: Signal<Out, Bit>,
    pub idle_core: Signal<Out, Bit>,
    pub idle_parse: Signal<Out, Bit>,
    pub idle_match: Signal<Out, Bit>,
    pub idle_hash: Signal<Out, Bit>,
    pub idle_compare: Signal<Out, Bit>,
    pub idle_select: Signal<Out, Bit>,
    pub idle_expand: Signal<Out, Bit>,
    pub idle_edit: Signal<Out, Bit>,
    pub idle_port: Signal<Out, Bits<{ SIZES.queues }>>,
    pub idle_ctrl: Signal<Out, Bit>,
    pub idle_part: Signal<Out, Bits<CLOCKS>>,

    gate: AxilGate,
    #[clock(clock_core)]
    core: Millrace<SIZES>,
    functions: Functions<HOST>,
    engine: QueueEngine<HOST>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes, const HOST: HostSizes> Dpu<SIZES, HOST> {
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
        self.core.clock_parse = self.clock_parse;
        self.core.clock_match = self.clock_match;
        self.core.clock_hash = self.clock_hash;
        self.core.clock_compare = self.clock_compare;
        self.core.clock_select = self.clock_select;
        self.core.clock_expand = self.clock_expand;
        self.core.clock_edit = self.clock_edit;
        self.core.clock_ctrl = self.clock_ctrl;
        for i in 0..SIZES.queues {
            self.core.clock_port[i] = self.clock_port[i];
        }
        self.gate.from = self.s_axil_from;
        self.gate.owner = cast::<8>(self.functions.nic);
        self.gate.closed = self.functions.mode_changes;
        link(self.s_axil, self.gate.inp);
        join(self.gate.out, self.core.s_axil);

        comment!("uplinks are pins");
        for i in 0..HOST.uplinks {
            link(self.rx[i], self.core.rx[i]);
            self.core.rx_error[i] = self.rx_error[i];
            link(self.tx[i], self.core.tx[i]);
        }
        self.tx_whole = self.core.tx_whole.get_bits::<{ HOST.uplinks }>(0);

        comment!("PF and VFs are queues, and the representors those of function 0");
        let last = self.engine.error;
        let mut whole: Bits<{ HOST.functions }> = 0;
        for i in 0..HOST.functions - 1 {
            let sent = self.engine.out[i].data;
            self.core.rx[i + HOST.uplinks].data = Beat {
                data: cast::<{ SIZES.bus_bits }>(sent.data),
                bytes: cast::<{ SIZES.count_bits }>(sent.bytes),
                last: sent.last,
            };
            self.core.rx[i + HOST.uplinks].valid = self.engine.out[i].valid;
            self.engine.out[i].ready = self.core.rx[i + HOST.uplinks].ready;
            self.core.rx_error[i + HOST.uplinks] = last;
            let received = self.core.tx[i + HOST.uplinks].data;
            self.engine.inp[i].data =
                Beat { data: cast::<512>(received.data), bytes: cast::<7>(received.bytes), last: received.last };
            self.engine.inp[i].valid = self.core.tx[i + HOST.uplinks].valid;
            self.core.tx[i + HOST.uplinks].ready = self.engine.inp[i].ready;
            whole.set_bit(i, self.core.tx_whole.get_bit(i + HOST.uplinks));
        }
        whole.set_bit(HOST.functions - 1, self.core.upcall_whole);
        self.engine.whole = whole;
        let packet_out = self.engine.out[HOST.functions - 1].data;
        self.core.packet_out.data = Beat {
            data: cast::<{ SIZES.bus_bits }>(packet_out.data),
            bytes: cast::<{ SIZES.count_bits }>(packet_out.bytes),
            last: packet_out.last,
        };
        self.core.packet_out.valid = self.engine.out[HOST.functions - 1].valid;
        self.engine.out[HOST.functions - 1].ready = self.core.packet_out.ready;
        self.core.packet_out_vport = self.engine.packet_out_vport;
        self.core.packet_out_error = last;
        let upcall = self.core.upcall.data;
        self.engine.inp[HOST.functions - 1].data =
            Beat { data: cast::<512>(upcall.data), bytes: cast::<7>(upcall.bytes), last: upcall.last };
        self.engine.inp[HOST.functions - 1].valid = self.core.upcall.valid;
        self.core.upcall.ready = self.engine.inp[HOST.functions - 1].ready;
        self.engine.upcall_vport = self.core.upcall_vport;
        self.engine.upcall_reason = self.core.upcall_reason;

        comment!("functions");
        link(self.s_axil_host, self.functions.s_axil_host);
        self.functions.s_axil_host_from = self.s_axil_host_from;
        self.nic_mode = self.functions.nic;
        self.functions.flr = self.flr;
        self.flr_done = self.functions.flr_done;
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
        self.engine.rate_write = self.functions.rate_write;
        self.engine.burst_write = self.functions.burst_write;
        self.engine.weight_write = self.functions.weight_write;
        self.engine.samples_write = self.functions.samples_write;
        self.engine.limit_function = self.functions.limit_function;
        self.engine.limit = self.functions.limit;
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
        self.engine.now = self.now;
        self.engine.time_limit = self.functions.time_limit;
        self.awaits_time = self.engine.awaits_time;
        link(self.m_axi_ring, self.engine.rings);
        link(self.m_axi_data, self.engine.data);

        comment!("clocks that may stand still: a port's, while the engine sends nothing into it");
        let mut awaited: Bits<{ SIZES.queues }> = 0;
        for i in 0..HOST.functions {
            awaited.set_bit(i + HOST.uplinks, self.engine.out[i].valid);
        }
        self.idle_port = self.core.idle_port & !awaited;
        self.idle_core = self.core.idle;
        self.idle_parse = self.core.idle_parse;
        self.idle_match = self.core.idle_match;
        self.idle_hash = self.core.idle_hash;
        self.idle_compare = self.core.idle_compare;
        self.idle_select = self.core.idle_select;
        self.idle_expand = self.core.idle_expand;
        self.idle_edit = self.core.idle_edit;
        self.idle_ctrl = self.core.idle_ctrl;
        self.idle = self.functions.idle & self.engine.idle & self.gate.idle;
        for i in 0..ENGINE_CLOCKS {
            self.engine.clock_part[i] = self.clock_part[i];
        }
        self.functions.clock_vectors = self.clock_part[ENGINE_CLOCKS];
        self.idle_part = concat::<CLOCKS>(self.functions.idle_vectors, self.engine.idle_part);
    }
}
