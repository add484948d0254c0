// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bits of functions and virtqueues that are needed in every clock.

use millrace_hdl::base::{Dff, DffR, Reg};
use millrace_hdl::wire_struct;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// What becomes of a virtqueue or a function.
    pub struct Change {
        /// The virtqueue is enabled, is stopped, is being reset alone, is as after power-up.
        pub enable: Bit,
        pub stop: Bit,
        pub reset: Bit,
        pub clear: Bit,
        /// The function has DRIVER_OK, is being reset (and has it no more), is as after power-up; MRG_RXBUF is negotiated; MQ or RSS is.
        pub start: Bit,
        pub halt: Bit,
        pub finish: Bit,
        pub merge: Bit,
        pub multiple: Bit,
    }
}

#[millrace_hdl::function]
fn changes(change: Change) -> Bit {
    let queue = change.enable | change.stop | change.reset | change.clear;
    queue | change.start | change.halt | change.finish | change.merge | change.multiple
}

/// `live` and the other vectors follow `change` (a pulse, with `function` and `vq`) three clocks later, and `bus_master` two. `is_enabled` and `is_reset` are those of
/// `vq` two clocks before.
#[millrace_hdl::block]
pub struct Live<const FUNCTIONS: usize, const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub bus_master: Signal<In, Bits<FUNCTIONS>>,
    pub change: Signal<In, Change>,
    pub function: Signal<In, Bits<8>>,
    pub vq: Signal<In, Bits<VQ_BITS>>,
    pub is_enabled: Signal<Out, Bit>,
    pub is_reset: Signal<Out, Bit>,
    /// Enabled since their last reset.
    pub enabled: Signal<Out, Bits<VQS>>,
    pub stopped: Signal<Out, Bits<VQS>>,
    /// To be reset alone.
    pub resetting: Signal<Out, Bits<VQS>>,
    pub live: Signal<Out, Bits<VQS>>,
    pub merge: Signal<Out, Bits<FUNCTIONS>>,
    pub multiple: Signal<Out, Bits<FUNCTIONS>>,
    pub idle: Signal<Out, Bit>,
    _ecpf_queues: usize,
    _function_queues: usize,
    change_q: DffR<Change>,
    one_function: Dff<Bits<FUNCTIONS>>,
    one_queue: Dff<Bits<VQS>>,
    here: Dff<Bit>,
    reset_here: Dff<Bit>,
    masters: DffR<Bits<FUNCTIONS>>,
    driver_ok: Reg<Bits<FUNCTIONS>>,
    merge_q: Reg<Bits<FUNCTIONS>>,
    multiple_q: Reg<Bits<FUNCTIONS>>,
    enabled_q: Reg<Bits<VQS>>,
    stopped_q: Reg<Bits<VQS>>,
    resetting_q: Reg<Bits<VQS>>,
    live_q: DffR<Bits<VQS>>,
    /// Something has changed of which `live_q` does not know yet.
    moved: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const FUNCTIONS: usize, const VQS: usize, const VQ_BITS: usize> Live<FUNCTIONS, VQS, VQ_BITS> {
    /// For the functions of a build.
    ///
    /// # Panics
    /// If the sizes are not those of the build.
    pub fn new(config: &Config) -> Self {
        assert_eq!((config.functions(), config.virtqueues()), (FUNCTIONS, VQS));
        let queues = |function| 2 * config.pairs_of_function(function);
        Self { _ecpf_queues: queues(0), _function_queues: queues(1), ..Default::default() }
    }

    fn update(&mut self) {
        let function: Bits<FUNCTIONS> = 1;
        let queue: Bits<VQS> = 1;
        self.change_q = self.change;
        self.one_function = function << self.function;
        self.one_queue = queue << self.vq;
        self.masters = self.bus_master;
        if self.change_q.enable {
            self.enabled_q = self.enabled_q | self.one_queue;
        }
        if self.change_q.stop {
            self.stopped_q = self.stopped_q | self.one_queue;
        }
        if self.change_q.reset {
            self.resetting_q = self.resetting_q | self.one_queue;
        }
        if self.change_q.clear {
            self.resetting_q = self.resetting_q & !self.one_queue;
            self.enabled_q = self.enabled_q & !self.one_queue;
            self.stopped_q = self.stopped_q & !self.one_queue;
        }
        if self.change_q.start {
            self.driver_ok = self.driver_ok | self.one_function;
        }
        if self.change_q.halt {
            self.driver_ok = self.driver_ok & !self.one_function;
        }
        if self.change_q.merge {
            self.merge_q = self.merge_q | self.one_function;
        }
        if self.change_q.multiple {
            self.multiple_q = self.multiple_q | self.one_function;
        }
        if self.change_q.finish {
            self.merge_q = self.merge_q & !self.one_function;
            self.multiple_q = self.multiple_q & !self.one_function;
        }

        let active = self.driver_ok & self.masters;
        let ready = self.enabled_q & !(self.stopped_q | self.resetting_q);
        let mut live: Bits<VQS> = 0;
        for q in 0..self._ecpf_queues {
            live.set_bit(q, active.get_bit(0) & ready.get_bit(q));
        }
        for f in 1..FUNCTIONS {
            for q in 0..self._function_queues {
                live.set_bit(
                    self._ecpf_queues + (f - 1) * self._function_queues + q,
                    active.get_bit(f) & ready.get_bit(self._ecpf_queues + (f - 1) * self._function_queues + q),
                );
            }
        }
        self.live_q = live;
        self.here = (self.enabled_q & self.one_queue).any();
        self.is_enabled = self.here;
        self.reset_here = (self.resetting_q & self.one_queue).any();
        self.is_reset = self.reset_here;
        self.enabled = self.enabled_q;
        self.stopped = self.stopped_q;
        self.resetting = self.resetting_q;
        self.live = self.live_q;
        self.merge = self.merge_q;
        self.multiple = self.multiple_q;
        let turned = (self.bus_master ^ self.masters).any();
        self.moved = turned | changes(self.change_q);
        self.idle = !(turned | changes(self.change) | changes(self.change_q) | self.moved);
    }
}
