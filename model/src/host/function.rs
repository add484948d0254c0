// SPDX-License-Identifier: MIT OR Apache-2.0
//! State of a function: what lives through its reset, and what does not; interrupts.

use super::memory::Window;
use super::msix::Msix;
use super::policy::Policy;
use super::ring::Kind;
use super::steering::Steering;
use super::virtqueue::Virtqueue;
use super::{HostModel, Place};
use millrace_regs::host::{FAULT, FUNCTION_BURST_RESET, FUNCTION_POLICY, FaultReason, Feature, NO_VECTOR, isr, status};

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
    /// All that the build has.
    pub queues: Vec<Virtqueue>,
    pub isr: u8,
    /// Register `FAULT`.
    pub fault: u32,
    /// A reset is under way.
    pub resetting: bool,
    pub bus_master: bool,
    pub generation: u8,
    /// None from reset to the first command: all goes to receiveq 0.
    pub steering: Option<Steering>,
    /// Registers of the ECPF.
    pub mac: [u32; 2],
    pub mtu: u32,
    /// What the build offers, and the ECPF's mask of it.
    pub offers: u64,
    pub mask: u64,
    pub window: Window,
    pub no_buffer: u32,
    pub bad_offload: u32,
    /// `FUNCTION_MODERATION`. The model has no time: it is kept, and no more.
    pub moderation: u32,
    /// `FUNCTION_POLICY`, and frames that it dropped.
    pub policy: u32,
    pub refused: u32,
    /// `FUNCTION_RATE`, `FUNCTION_BURST`, `FUNCTION_WEIGHT`, `FUNCTION_SAMPLES`. The model has no time: they are kept, and no more.
    pub rate: u32,
    pub burst: u32,
    pub weight: u32,
    pub samples: u32,
    pub msix: Msix,
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
    /// After power-up, with this many virtqueues, in a build that offers these features.
    pub fn new(queues: usize, offers: u64) -> Self {
        Self {
            common: Common::new(),
            queues: (0..queues).map(|_| Virtqueue::new()).collect(),
            isr: 0,
            fault: 0,
            resetting: false,
            bus_master: false,
            generation: 0,
            steering: None,
            mac: [0; 2],
            mtu: 0,
            offers,
            mask: u64::MAX,
            window: Window { first: 0, last: u64::MAX },
            no_buffer: 0,
            bad_offload: 0,
            moderation: 0,
            policy: 0,
            refused: 0,
            rate: 0,
            burst: FUNCTION_BURST_RESET,
            weight: 0,
            samples: 0,
            msix: Msix::new(queues + 1),
        }
    }

    /// Pairs of receiveq and transmitq.
    pub fn pairs(&self) -> u16 {
        self.queues.len() as u16 / 2
    }

    /// A controlq makes the number of virtqueues odd.
    pub fn has_controlq(&self) -> bool {
        !self.queues.len().is_multiple_of(2)
    }

    /// The controlq, if the function has one (virtio 5.1.2).
    fn controlq(&self) -> Option<usize> {
        let several = self.agreed() & Feature::bits(&[Feature::Mq, Feature::Rss]) != 0;
        self.has_controlq().then_some(if several { self.queues.len() - 1 } else { 2 })
    }

    /// What a virtqueue is for; none if the function has it not, by what was agreed on.
    pub fn kind(&self, queue: usize) -> Option<Kind> {
        match self.controlq() {
            Some(control) if queue == control => Some(Kind::Control),
            Some(control) if queue > control => None,
            _ if queue >= self.queues.len() => None,
            _ => Some(if queue.is_multiple_of(2) { Kind::Receive } else { Kind::Transmit }),
        }
    }

    /// What the driver is offered.
    pub fn offered(&self) -> u64 {
        self.offers & self.mask | Feature::REQUIRED
    }

    /// What `device_status` reads: while a reset is under way never 0, which says that it has ended.
    pub fn shown_status(&self) -> u8 {
        self.common.status | if self.resetting { status::DEVICE_NEEDS_RESET } else { 0 }
    }

    /// What was agreed on, by their bits.
    pub fn agreed(&self) -> u64 {
        if self.common.status & status::FEATURES_OK != 0 { self.common.driver_features } else { 0 }
    }

    /// The queue may begin something.
    pub fn is_live(&self, queue: usize) -> bool {
        let ready = self.common.status & status::DRIVER_OK != 0 && self.bus_master && !self.resetting;
        let exists = self.kind(queue).is_some();
        let queue = &self.queues[queue];
        ready && exists && queue.enabled && !queue.stopped && !queue.resetting
    }

    pub fn notify(&mut self, queue: usize) {
        if !self.resetting && !self.queues[queue].resetting {
            self.queues[queue].active = true;
        }
    }

    /// Stops a queue for a fault.
    pub fn stop(&mut self, queue: usize, reason: FaultReason) {
        self.queues[queue].stop();
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

    /// Ends the resets that are under way.
    fn end_resets(&mut self) {
        if self.resetting {
            self.end_reset();
        }
        for queue in self.queues.iter_mut().filter(|queue| queue.resetting) {
            *queue = Virtqueue::new();
        }
    }

    /// What its frames may be. The ECPF's may be anything.
    pub fn policy(&self) -> Policy {
        Policy::of(self.mac, self.policy)
    }

    /// It may not change its address.
    pub fn keeps_mac(&self) -> bool {
        let has = |name| FUNCTION_POLICY.field(name).is_some_and(|field| self.policy & field.mask() != 0);
        has("spoof_check") && !has("trust")
    }

    /// Counts a frame that its policy dropped.
    pub fn refuse_frame(&mut self) {
        self.refused = self.refused.wrapping_add(1);
    }

    /// Counts a frame that was dropped for what its header asks for.
    pub fn drop_offload(&mut self) {
        self.bad_offload = self.bad_offload.wrapping_add(1);
    }

    fn end_reset(&mut self) {
        self.common = Common::new();
        self.queues.iter_mut().for_each(|queue| *queue = Virtqueue::new());
        self.steering = None;
        (self.isr, self.fault, self.resetting) = (0, 0, false);
        self.msix.calm();
    }
}

impl HostModel {
    pub(super) fn end_resets(&mut self) {
        self.functions.iter_mut().for_each(Function::end_resets);
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
        self.interrupt(function, vector);
    }

    pub(super) fn interrupt_queue(&mut self, place: Place) {
        self.functions[place.function].isr |= isr::QUEUE;
        let vector = self.queue(place).vector;
        self.interrupt(place.function, vector);
    }
}
