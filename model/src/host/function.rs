// SPDX-License-Identifier: MIT OR Apache-2.0
//! State of a function: what lives through its reset, and what does not; interrupts.

use super::memory::Window;
use super::virtqueue::Virtqueue;
use super::{HostModel, Place};
use millrace_regs::host::{FAULT, FaultReason, Feature, NO_VECTOR, isr, status};

/// A message of stream `interrupt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// Whose.
    pub function: usize,
    /// Vector of the function.
    pub vector: u16,
}

/// What a reset of the function makes as it was after power-up.
pub(super) struct Common {
    pub device_feature_select: u32,
    pub driver_feature_select: u32,
    pub driver_features: u64,
    pub config_vector: u16,
    pub status: u8,
    pub queue_select: u16,
}

/// A function.
pub(super) struct Function {
    pub common: Common,
    pub queues: Vec<Virtqueue>,
    pub isr: u8,
    /// Register `FAULT`.
    pub fault: u32,
    /// A reset is under way.
    pub resetting: bool,
    pub bus_master: bool,
    pub generation: u8,
    /// Registers of the ECPF.
    pub mac: [u32; 2],
    pub mtu: u32,
    pub mask: u64,
    pub window: Window,
    pub no_buffer: u32,
}

impl Common {
    fn new() -> Self {
        Self {
            device_feature_select: 0,
            driver_feature_select: 0,
            driver_features: 0,
            config_vector: NO_VECTOR,
            status: 0,
            queue_select: 0,
        }
    }
}

impl Function {
    /// After power-up, with this many virtqueues.
    pub fn new(queues: usize) -> Self {
        Self {
            common: Common::new(),
            queues: (0..queues).map(Virtqueue::new).collect(),
            isr: 0,
            fault: 0,
            resetting: false,
            bus_master: false,
            generation: 0,
            mac: [0; 2],
            mtu: 0,
            mask: u64::MAX,
            window: Window { first: 0, last: u64::MAX },
            no_buffer: 0,
        }
    }

    /// What the driver is offered.
    pub fn offered(&self) -> u64 {
        Feature::OFFERED & self.mask | Feature::REQUIRED
    }

    /// The feature was agreed on.
    pub fn has_feature(&self, feature: Feature) -> bool {
        self.common.status & status::FEATURES_OK != 0 && self.common.driver_features & feature.bit() != 0
    }

    /// The queue may begin something.
    pub fn is_live(&self, queue: usize) -> bool {
        let ready = self.common.status & status::DRIVER_OK != 0 && self.bus_master && !self.resetting;
        ready && self.queues[queue].enabled && !self.queues[queue].stopped
    }

    pub fn notify(&mut self, queue: usize) {
        if !self.resetting {
            self.queues[queue].active = true;
        }
    }

    /// Stops a queue for a fault.
    pub fn stop(&mut self, queue: usize, reason: FaultReason) {
        self.queues[queue].stopped = true;
        self.queues[queue].chains.clear();
        self.common.status |= status::DEVICE_NEEDS_RESET;
        self.isr |= isr::CONFIGURATION;
        if self.fault == 0 {
            let place = |name, value| FAULT.field(name).expect("a field of the register").place(value);
            self.fault = place("reason", reason as u32) | place("virtqueue", queue as u32);
        }
    }

    /// Counts a frame that was dropped.
    pub fn drop_frame(&mut self) {
        self.no_buffer = self.no_buffer.wrapping_add(1);
    }

    fn end_reset(&mut self) {
        self.common = Common::new();
        self.queues = (0..self.queues.len()).map(Virtqueue::new).collect();
        (self.isr, self.fault, self.resetting) = (0, 0, false);
    }
}

impl HostModel {
    pub(super) fn end_resets(&mut self) {
        for (number, function) in self.functions.iter_mut().enumerate() {
            if function.resetting {
                function.end_reset();
                self.interrupts.retain(|interrupt| interrupt.function != number);
            }
        }
    }

    /// The device configuration has changed.
    pub(super) fn configuration_changed(&mut self, number: usize) {
        let function = &mut self.functions[number];
        function.generation = function.generation.wrapping_add(1);
        if function.common.status & status::DRIVER_OK != 0 && !function.resetting {
            function.isr |= isr::CONFIGURATION;
            self.interrupt_configuration(number);
        }
    }

    pub(super) fn interrupt_configuration(&mut self, function: usize) {
        let vector = self.functions[function].common.config_vector;
        self.interrupt(Interrupt { function, vector });
    }

    pub(super) fn interrupt_queue(&mut self, place: Place) {
        self.functions[place.function].isr |= isr::QUEUE;
        let vector = self.queue(place).vector;
        self.interrupt(Interrupt { function: place.function, vector });
    }

    fn interrupt(&mut self, interrupt: Interrupt) {
        if interrupt.vector != NO_VECTOR && !self.interrupts.contains(&interrupt) {
            self.interrupts.push_back(interrupt);
        }
    }
}
