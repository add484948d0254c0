// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions as their drivers see them: all registers of `docs/host.md`.

use crate::drop_counters::DropCounters;
use crate::function_level_reset::FunctionLevelReset;
use crate::function_reset::FunctionReset;
use crate::host_axi::{HostAxi, HostAxilSlave};
use crate::live::Live;
use crate::msix_table::MsixTable;
use crate::sequencer::Sequencer;
use crate::types::{Fault, Interrupt, MacChange, Policy, QueueConfig, Window};
use millrace_hdl::base::{Dff, Snk, Src};
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// The register side of the host side, and what the queue engine needs of it.
///
/// An access is answered about 16 clocks after it came, if nothing else is under way (of the MSI-X table 25, of pending bits 60); nor does any output hold one up. For 32 clocks
/// per function and 8 per virtqueue after reset, accesses and events wait.
#[millrace_hdl::block]
pub struct Functions<const HOST: HostSizes> {
    pub clock: Signal<In, Clock>,
    /// Of the vectors.
    pub clock_vectors: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_axil_host: HostAxilSlave,
    /// With an address: the function in whose BARs, or configuration space, the access is.
    pub s_axil_host_from: Signal<In, Bits<8>>,
    /// Bit f: the host resets function f, until `flr_done` bit f, which stays as long.
    pub flr: Signal<In, Bits<{ HOST.functions }>>,
    pub flr_done: Signal<Out, Bits<{ HOST.functions }>>,
    /// NIC mode; it changes.
    pub nic: Signal<Out, Bit>,
    pub mode_changes: Signal<Out, Bit>,
    /// Bit f: function f may use its bus (PCI's command register).
    pub bus_master: Signal<In, Bits<{ HOST.functions }>>,
    /// MSI-X Enable and Function Mask, as PCI's Message Control of function f has them.
    pub msix_enable: Signal<In, Bits<{ HOST.functions }>>,
    pub msix_mask: Signal<In, Bits<{ HOST.functions }>>,
    /// A pulse when a virtqueue is enabled, three clocks before it can be live: consumers keep `queue_config`.
    pub queue_write: Signal<Out, Bit>,
    pub queue_vq: Signal<Out, Bits<{ HOST.vq_bits }>>,
    pub queue_config: Signal<Out, QueueConfig>,
    /// A pulse when a function's window changes, and once after reset.
    pub window_write: Signal<Out, Bit>,
    pub window_function: Signal<Out, Bits<8>>,
    pub window: Signal<Out, Window>,
    /// A pulse when a function's policy changes, and once after reset.
    pub policy_write: Signal<Out, Bit>,
    pub policy_function: Signal<Out, Bits<8>>,
    pub policy: Signal<Out, Policy>,
    /// Pulses when a function's rate, its burst, its weight, the time between its samples, changes.
    pub rate_write: Signal<Out, Bit>,
    pub burst_write: Signal<Out, Bit>,
    pub weight_write: Signal<Out, Bit>,
    pub samples_write: Signal<Out, Bit>,
    pub limit_function: Signal<Out, Bits<8>>,
    pub limit: Signal<Out, Bits<32>>,
    /// `DMA_TIMEOUT`.
    pub time_limit: Signal<Out, Bits<16>>,
    /// MRG_RXBUF is negotiated.
    pub merge: Signal<Out, Bits<{ HOST.functions }>>,
    pub live: Signal<Out, Bits<{ HOST.vqs }>>,
    /// A fault has stopped it, and it has not been reset since.
    pub stopped: Signal<Out, Bits<{ HOST.vqs }>>,
    /// A pulse for each notification of a virtqueue, live or not, but not of one that is being reset.
    pub notify: Signal<Out, Bit>,
    pub notify_queue: Signal<Out, Bits<{ HOST.vq_bits }>>,
    /// A virtqueue that is not live, or not any more, since it or its function is reset; `reset_done` (a pulse, at the transfer or later) when
    /// nothing of it is left. There is no more than one at a time.
    pub reset_queue: Src<Bits<{ HOST.vq_bits }>>,
    pub reset_done: Signal<In, Bit>,
    /// Taken when the virtqueue has stopped.
    pub fault: Snk<Fault<{ HOST.vq_bits }>>,
    /// The virtqueue's driver wants to be told of what was used.
    pub used_interrupt: Snk<Bits<{ HOST.vq_bits }>>,
    /// Drivers set their functions' addresses; taken when it is done.
    pub mac: Snk<MacChange>,
    /// A pulse when all of a function is as after power-up, since it was reset.
    pub finished: Signal<Out, Bit>,
    pub finished_function: Signal<Out, Bits<8>>,
    /// A pulse for each frame dropped, in any clock.
    pub no_buffer: Signal<In, Bit>,
    pub no_buffer_function: Signal<In, Bits<8>>,
    pub bad_offload: Signal<In, Bit>,
    pub bad_offload_function: Signal<In, Bits<8>>,
    pub refused_sent: Signal<In, Bit>,
    pub refused_sent_function: Signal<In, Bits<8>>,
    pub refused_received: Signal<In, Bit>,
    pub refused_received_function: Signal<In, Bits<8>>,
    pub interrupt: Src<Interrupt>,
    /// Nothing is held or under way, and nothing comes in.
    pub idle: Signal<Out, Bit>,
    pub idle_vectors: Signal<Out, Bit>,

    axi: HostAxi,
    level_resets: FunctionLevelReset<{ HOST.functions }>,
    sequencer: Sequencer<HOST>,
    resets: FunctionReset<{ HOST.functions }, { HOST.vqs }, { HOST.vq_bits }>,
    states: Live<{ HOST.functions }, { HOST.vqs }, { HOST.vq_bits }>,
    #[clock(clock_vectors)]
    vectors: MsixTable<{ HOST.functions }, { HOST.function_bits }, { HOST.vectors }, { HOST.vector_bits }>,
    drops: DropCounters<{ HOST.function_bits }>,
    bad_offloads: DropCounters<{ HOST.function_bits }>,
    refused_sents: DropCounters<{ HOST.function_bits }>,
    refused_receiveds: DropCounters<{ HOST.function_bits }>,
    refused: Dff<Bits<32>>,
}

#[millrace_hdl::block]
impl<const HOST: HostSizes> Functions<HOST> {
    /// For the functions of a build.
    ///
    /// # Panics
    /// If the sizes are not those of the build.
    pub fn new(config: &Config) -> Self {
        assert!(
            config.functions() <= 1 << HOST.function_bits,
            "{} functions in {} bits",
            config.functions(),
            HOST.function_bits
        );
        Self {
            sequencer: Sequencer::new(config),
            resets: FunctionReset::new(config),
            states: Live::new(config),
            vectors: MsixTable::new(config),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("accesses and events to the sequencer");
        link(self.s_axil_host, self.axi.s_axil);
        self.axi.from = self.s_axil_host_from;
        self.sequencer.by = self.axi.by;
        self.nic = self.sequencer.nic;
        self.mode_changes = self.sequencer.mode_changes;
        self.sequencer.write = self.axi.write;
        self.sequencer.read = self.axi.read;
        self.sequencer.address = self.axi.address;
        self.sequencer.write_data = self.axi.write_data;
        self.sequencer.write_strobe = self.axi.write_strobe;
        self.axi.read_data = self.sequencer.read_data;
        self.axi.ack = self.sequencer.ack;
        self.axi.error = self.sequencer.error;
        link(self.fault, self.sequencer.fault);
        link(self.used_interrupt, self.sequencer.used);
        link(self.mac, self.sequencer.mac);
        self.finished = self.sequencer.change.finish;
        self.finished_function = self.sequencer.function;
        self.sequencer.bus_master = self.bus_master;

        comment!("resets");
        self.level_resets.flr = self.flr;
        self.flr_done = self.level_resets.done;
        self.level_resets.nic = self.sequencer.nic;
        self.sequencer.flr = self.level_resets.ask;
        self.sequencer.flr_function = self.level_resets.function;
        self.level_resets.taken = self.sequencer.flr_taken;
        self.level_resets.resetting = self.resets.resetting;
        self.resets.begin = self.sequencer.begin;
        self.resets.begin_function = self.sequencer.function;
        self.resets.enabled = self.states.enabled;
        self.resets.queues = self.states.resetting;
        link(self.reset_queue, self.resets.reset_queue);
        self.resets.reset_done = self.reset_done;
        self.resets.done = self.sequencer.done;
        self.sequencer.clear = self.resets.clear;
        self.sequencer.finish = self.resets.finish;
        self.sequencer.reset_function = self.resets.function;
        self.sequencer.reset_queue = self.resets.vq;
        self.sequencer.resetting = self.resets.resetting;

        comment!("what is needed in every clock");
        self.states.bus_master = self.bus_master;
        self.states.change = self.sequencer.change;
        self.states.function = self.sequencer.function;
        self.states.vq = self.sequencer.vq;
        self.sequencer.is_enabled = self.states.is_enabled;
        self.sequencer.is_reset = self.states.is_reset;
        self.sequencer.multiple = self.states.multiple;
        self.live = self.states.live;
        self.stopped = self.states.stopped;
        self.merge = self.states.merge;

        comment!("interrupts, and frames dropped");
        join(self.sequencer.msix, self.vectors.request);
        self.sequencer.msix_answer = self.vectors.answer;
        link(self.interrupt, self.vectors.interrupt);
        self.vectors.msix_enable = self.msix_enable;
        self.vectors.msix_mask = self.msix_mask;
        self.vectors.bus_master = self.bus_master;
        self.drops.count = self.no_buffer;
        self.drops.function = self.no_buffer_function;
        self.drops.read = self.sequencer.function;
        self.sequencer.no_buffer = self.drops.value;
        self.bad_offloads.count = self.bad_offload;
        self.bad_offloads.function = self.bad_offload_function;
        self.bad_offloads.read = self.sequencer.function;
        self.sequencer.bad_offload = self.bad_offloads.value;
        self.refused_sents.count = self.refused_sent;
        self.refused_sents.function = self.refused_sent_function;
        self.refused_sents.read = self.sequencer.function;
        self.refused_receiveds.count = self.refused_received;
        self.refused_receiveds.function = self.refused_received_function;
        self.refused_receiveds.read = self.sequencer.function;
        self.refused = self.refused_sents.value + self.refused_receiveds.value;
        self.sequencer.refused = self.refused;

        comment!("to the engine");
        self.queue_write = self.sequencer.queue_write;
        self.queue_vq = self.sequencer.vq;
        self.queue_config = self.sequencer.queue_config;
        self.window_write = self.sequencer.window_write;
        self.window_function = self.sequencer.function;
        self.window = self.sequencer.window;
        self.policy_write = self.sequencer.policy_write;
        self.policy_function = self.sequencer.function;
        self.policy = self.sequencer.policy;
        self.rate_write = self.sequencer.rate_write;
        self.burst_write = self.sequencer.burst_write;
        self.weight_write = self.sequencer.weight_write;
        self.samples_write = self.sequencer.samples_write;
        self.limit_function = self.sequencer.function;
        self.limit = self.sequencer.limit;
        self.time_limit = self.sequencer.time_limit;
        self.notify = self.sequencer.notify;
        self.notify_queue = self.sequencer.vq;
        let sides = self.axi.idle & self.sequencer.idle & self.resets.idle & self.level_resets.idle;
        let refusals = self.refused_sents.idle & self.refused_receiveds.idle;
        let counters = self.drops.idle & self.bad_offloads.idle & refusals;
        let window = self.sequencer.window_write | self.sequencer.policy_write;
        let speeds = self.sequencer.rate_write | self.sequencer.burst_write;
        let limits = speeds | self.sequencer.weight_write | self.sequencer.samples_write;
        let tells = self.sequencer.notify | self.sequencer.queue_write | window | limits;
        self.idle = sides & self.states.idle & counters & !tells;
        self.idle_vectors = self.vectors.idle;
    }
}

#[cfg(test)]
mod tests;
