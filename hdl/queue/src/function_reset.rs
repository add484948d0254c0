// SPDX-License-Identifier: MIT OR Apache-2.0
//! Resets of functions, one after the other, queue by queue, and of single queues between them.

use millrace_hdl::base::{DffE, Param, Reg, RoundRobin, Src};
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// Where the reset of a function or a virtqueue is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum ResetState {
    /// A function or virtqueue that is to be reset is looked for.
    Seek,
    /// The number of the virtqueue that is reset alone.
    Number,
    /// Is the virtqueue enabled?
    Look,
    Judge,
    /// The engine is told to be done with it, and takes its time.
    Ask,
    Wait,
    /// The virtqueue's state is cleared, after the last the function's.
    Clear,
    Finish,
    /// A virtqueue that was reset alone leaves `queues`.
    Leave,
}

/// `begin` (a pulse, with `begin_function`) starts the reset of a function, which is over when its bit of `resetting` falls again. Any number may wait.
///
/// Virtqueues that are enabled go to `reset_queue` first, no sooner than four clocks after `begin`; when `reset_done` has come, `clear` is high with `vq` and
/// `function` until `done`. After the last virtqueue of the function `finish` is high until `done`.
///
/// Virtqueues in `queues`, enabled or not, go the same way one by one, between functions, and have left it two clocks after `done`.
#[millrace_hdl::block]
pub struct FunctionReset<const FUNCTIONS: usize, const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub begin: Signal<In, Bit>,
    pub begin_function: Signal<In, Bits<8>>,
    pub resetting: Signal<Out, Bits<FUNCTIONS>>,
    pub enabled: Signal<In, Bits<VQS>>,
    pub queues: Signal<In, Bits<VQS>>,
    pub reset_queue: Src<Bits<VQ_BITS>>,
    pub reset_done: Signal<In, Bit>,
    pub clear: Signal<Out, Bit>,
    pub finish: Signal<Out, Bit>,
    pub function: Signal<Out, Bits<8>>,
    pub vq: Signal<Out, Bits<VQ_BITS>>,
    pub done: Signal<In, Bit>,
    pub idle: Signal<Out, Bit>,
    last_function: Param<Bits<8>>,
    /// Virtqueues less one of the ECPF, of any other function.
    ecpf_last: Param<Bits<VQ_BITS>>,
    function_last: Param<Bits<VQ_BITS>>,
    state: Reg<ResetState>,
    pending: Reg<Bits<FUNCTIONS>>,
    /// The function at work, its bit, its first and its last virtqueue; the virtqueue at work.
    at: Reg<Bits<8>>,
    #[init(Reg::new(1u64.into()))]
    one: Reg<Bits<FUNCTIONS>>,
    first: Reg<Bits<VQ_BITS>>,
    last: Reg<Bits<VQ_BITS>>,
    current: DffE<Bits<VQ_BITS>>,
    is_enabled: DffE<Bit>,
    /// Whose turn it is among virtqueues, and whether one goes before functions; the one at work is reset alone.
    turn: RoundRobin<VQS>,
    queue_next: Reg<Bit>,
    chosen: DffE<Bits<VQS>>,
    alone: DffE<Bit>,
}

#[millrace_hdl::block]
impl<const FUNCTIONS: usize, const VQS: usize, const VQ_BITS: usize> FunctionReset<FUNCTIONS, VQS, VQ_BITS> {
    /// For the functions of a build.
    pub fn new(config: &Config) -> Self {
        let last = |function| ((2 * config.pairs_of_function(function) - 1) as u64).to_bits();
        Self {
            last_function: Param::new(((config.functions() - 1) as u64).into()),
            ecpf_last: Param::new(last(0)),
            function_last: Param::new(last(1)),
            last: Reg::new(last(0)),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let wanted = (self.pending & self.one).any();
        let some = self.pending.any();
        let takes_queue = self.queues.any() & (self.queue_next | !some);
        self.turn.request = self.queues;
        self.turn.take = takes_queue & (self.state == ResetState::Seek);
        let mut advance = false;
        let mut pending = self.pending;
        self.reset_queue.valid = false;
        self.clear = false;
        self.finish = false;
        match self.state {
            ResetState::Seek => {
                advance = some & !wanted & !takes_queue;
                self.current = self.first;
                self.chosen = self.turn.grant;
                self.alone = takes_queue;
                if takes_queue {
                    self.state = ResetState::Number;
                } else if wanted {
                    self.state = ResetState::Look;
                }
            }
            ResetState::Number => {
                let mut number: Bits<VQ_BITS> = 0;
                for i in 0..VQS {
                    if self.chosen.get_bit(i) {
                        number |= i;
                    }
                }
                self.current = number;
                self.state = ResetState::Ask;
            }
            ResetState::Look => {
                let from_here = self.enabled >> self.current;
                self.is_enabled = from_here.get_bit(0);
                self.state = ResetState::Judge;
            }
            ResetState::Judge => {
                self.state = if self.is_enabled { ResetState::Ask } else { ResetState::Clear };
            }
            ResetState::Ask => {
                self.reset_queue.valid = true;
                if self.reset_queue.ready {
                    self.state = if self.reset_done { ResetState::Clear } else { ResetState::Wait };
                }
            }
            ResetState::Wait => {
                if self.reset_done {
                    self.state = ResetState::Clear;
                }
            }
            ResetState::Clear => {
                self.clear = true;
                if self.done {
                    self.current += 1;
                    self.state = if self.current == self.last { ResetState::Finish } else { ResetState::Look };
                    if self.alone {
                        self.state = ResetState::Leave;
                    }
                }
            }
            ResetState::Finish => {
                self.finish = true;
                if self.done {
                    advance = true;
                    pending = self.pending & !self.one;
                    self.queue_next = true;
                    self.state = ResetState::Seek;
                }
            }
            ResetState::Leave => {
                self.queue_next = false;
                self.state = ResetState::Seek;
            }
        }
        if advance {
            if self.at == self.last_function {
                self.at = 0;
                self.one = 1;
                self.first = 0;
                self.last = self.ecpf_last;
            } else {
                self.at += 1;
                self.one = self.one << 1;
                self.first = self.last + 1;
                self.last = self.last + self.function_last + 1;
            }
        }
        if self.begin {
            let one: Bits<FUNCTIONS> = 1;
            pending |= one << self.begin_function;
        }
        self.pending = pending;
        self.resetting = self.pending;
        self.reset_queue.data = self.current;
        self.function = self.at;
        self.vq = self.current;
        self.idle = (self.state == ResetState::Seek) & !(self.begin | some | self.queues.any());
    }
}
