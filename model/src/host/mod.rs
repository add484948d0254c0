// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model of the host side, by `docs/host.md`: functions with their registers, virtqueues, faults, resets, interrupts. It has no time:
//! [`run`](HostModel::run) does all that there is to do, and [`deliver`](HostModel::deliver) what a frame brings about.
//!
//! Where the contract leaves the engine a choice the model does this:
//! - a receiveq's chains are read ahead, [`READ_AHEAD`] at most;
//! - of several faults of one descriptor `next` and `indirect` come first, then the one with the lowest number;
//! - the entries of a frame share a write of `used.idx`, those of different frames do not;
//! - chains of a packed transmitq with IN_ORDER share a used descriptor as long as they end in one line, and none is left back when the queue comes to rest;
//! - a queue that comes to rest says where it waits every time;
//! - a notification of a queue that is not live is kept until it is;
//! - a frame that meets with a fault counts in `FUNCTION_NO_BUFFER`;
//! - of a command that is too long nothing is read.

mod chain;
mod common;
mod control;
mod ecpf;
mod function;
mod memory;
mod msix;
pub mod offload;
mod packed;
pub mod policy;
mod receive;
mod ring;
mod split;
pub mod steering;
mod transmit;
mod virtqueue;
mod word;

pub use memory::{BusError, Memory};
pub use msix::Interrupt;
pub use receive::Delivered;
pub use transmit::FrameOut;

use function::Function;
use millrace_regs::config::Config;
use millrace_regs::host::{
    COMMON, DEVICE, DMA_TIMEOUT, DMA_TIMEOUT_RESET, ECPF, ENGINE, FAULTS, FUNCTION, FUNCTION_SHIFT, FaultReason,
    Feature, HostBlock, ISR, LIMITS, MERGED_CHAINS, MSIX_PENDING, MSIX_TABLE, NOTIFY, NOTIFY_STRIDE,
};
use std::collections::VecDeque;
use word::merge;

/// Chains of a receiveq that are read before there is a frame for them.
pub const READ_AHEAD: usize = MERGED_CHAINS;

/// Vectors whose pending bits lie together.
const QUADWORD: usize = 8 * MSIX_PENDING.bytes as usize;

/// An access that `s_axil_host` answers with SLVERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Byte address.
    pub address: u32,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SLVERR at {:#010x}", self.address)
    }
}

impl std::error::Error for Refused {}

/// Where an access goes.
#[derive(Clone, Copy)]
enum Target {
    Common(u32),
    Isr,
    Device(u32),
    Fault,
    /// `DMA_TIMEOUT`.
    TimeOut,
    /// A limit of this function.
    Limit(usize, u32),
    /// A register of the ECPF's, of this function.
    Of(usize, u32),
    /// The entry of a vector.
    Entry(usize, u32),
    /// The pending bits of 32 vectors from this one on.
    Pending(usize),
    Notify(usize),
}

/// A virtqueue: function, and number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    function: usize,
    queue: usize,
}

/// The host side of a build.
pub struct HostModel {
    functions: Vec<Function>,
    frames: VecDeque<FrameOut>,
    interrupts: VecDeque<Interrupt>,
    /// `DMA_TIMEOUT`. The model has no time: it is kept, and no more.
    time_out: u32,
}

impl HostModel {
    /// After power-up.
    ///
    /// # Panics
    /// If the build has no host side.
    pub fn new(config: &Config) -> Self {
        Self::offering(config, Feature::OFFERED)
    }

    /// As [`new`](Self::new), of a build that offers these features, by their bits.
    ///
    /// # Panics
    /// As there.
    pub fn offering(config: &Config, features: u64) -> Self {
        assert!(config.has_host_side(), "the build has no host side");
        let offers = |f| if f == ECPF { features & !Feature::NOT_OF_ECPF } else { features };
        let function = |f| Function::new(config.virtqueues_of_function(f), offers(f));
        let functions = (0..config.functions()).map(function).collect();
        Self { functions, frames: VecDeque::new(), interrupts: VecDeque::new(), time_out: DMA_TIMEOUT_RESET }
    }

    /// Reads a word through `s_axil_host`; the address's lowest two bits are not looked at.
    ///
    /// # Errors
    /// If there is nothing: SLVERR.
    pub fn read(&mut self, address: u32) -> Result<u32, Refused> {
        let (number, target) = self.decode(address)?;
        let function = &mut self.functions[number];
        Ok(match target {
            Target::Common(offset) => function.read_common(offset),
            Target::Isr => std::mem::take(&mut function.isr).into(),
            Target::Device(offset) => function.read_device(offset),
            Target::Fault => function.fault,
            Target::TimeOut => self.time_out,
            Target::Limit(other, offset) => self.functions[other].read_limit(offset),
            Target::Of(other, offset) => self.functions[other].read_ecpf(offset),
            Target::Entry(vector, offset) => function.msix.read(vector, offset),
            Target::Pending(from) => function.msix.pending_bits(from),
            Target::Notify(_) => 0,
        })
    }

    /// Writes the bytes of a word for which `strobe` has a bit.
    ///
    /// # Errors
    /// If there is nothing: SLVERR.
    pub fn write(&mut self, address: u32, data: u32, strobe: u8) -> Result<(), Refused> {
        let (number, target) = self.decode(address)?;
        let function = &mut self.functions[number];
        match target {
            Target::Common(offset) => function.write_common(offset, data, strobe),
            Target::Notify(queue) if strobe != 0 => function.notify(queue),
            Target::Notify(_) | Target::Isr | Target::Device(_) | Target::Fault | Target::Pending(_) => {}
            Target::Limit(other, offset) => self.functions[other].write_limit(offset, data, strobe),
            Target::TimeOut => self.time_out = merge(self.time_out, data, strobe) & DMA_TIMEOUT.mask(),
            Target::Entry(vector, offset) => {
                function.msix.write(vector, offset, data, strobe);
                self.give(number);
            }
            Target::Of(other, offset) => {
                if self.functions[other].write_ecpf(offset, data, strobe) {
                    self.configuration_changed(other);
                }
            }
        }
        Ok(())
    }

    /// Input `bus_master`, bit f.
    pub fn set_bus_master(&mut self, function: usize, on: bool) {
        self.functions[function].bus_master = on;
        self.give(function);
    }

    /// Ends the resets that were begun, and does what live queues that were notified have to do: a round after the other, in each an entry of
    /// the ring of every queue.
    pub fn run(&mut self, memory: &mut impl Memory) {
        self.end_resets();
        let places: Vec<Place> = self.places().collect();
        loop {
            let mut idle = true;
            for place in &places {
                idle &= !self.step(memory, *place);
            }
            if idle {
                return;
            }
        }
    }

    /// The next frame that was put out by a transmitq, in the order of the engine.
    pub fn take_frame(&mut self) -> Option<FrameOut> {
        self.frames.pop_front()
    }

    /// The next message of stream `interrupt`.
    pub fn take_interrupt(&mut self) -> Option<Interrupt> {
        self.interrupts.pop_front()
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let queues =
            |(function, f): (usize, &Function)| (0..f.queues.len()).map(move |queue| Place { function, queue });
        self.functions.iter().enumerate().flat_map(queues)
    }

    fn decode(&self, address: u32) -> Result<(usize, Target), Refused> {
        let number = (address >> FUNCTION_SHIFT) as usize;
        let offset = address & ((1 << FUNCTION_SHIFT) - 1) & !3;
        let function = self.functions.get(number).ok_or(Refused { address })?;
        let inside = |block: HostBlock| offset.checked_sub(block.offset).filter(|within| *within < block.bytes);
        if let Some(within) = inside(COMMON) {
            return Ok((number, Target::Common(within)));
        } else if inside(ISR).is_some() {
            return Ok((number, Target::Isr));
        } else if let Some(within) = inside(DEVICE) {
            return Ok((number, Target::Device(within)));
        } else if inside(FAULTS).is_some() {
            return Ok((number, Target::Fault));
        } else if number == ECPF && inside(ENGINE).is_some() {
            return Ok((number, Target::TimeOut));
        }
        if let Some(target) = vector_target(offset) {
            let exists = match target {
                Target::Pending(from) => function.msix.has(from / QUADWORD * QUADWORD),
                Target::Entry(vector, _) => function.msix.has(vector),
                _ => false,
            };
            return if exists { Ok((number, target)) } else { Err(Refused { address }) };
        }
        if let Some(within) = offset.checked_sub(NOTIFY.offset) {
            let queue = (within / NOTIFY_STRIDE) as usize;
            return if function.kind(queue).is_some() {
                Ok((number, Target::Notify(queue)))
            } else {
                Err(Refused { address })
            };
        }
        let copy = |block: HostBlock| {
            let within = offset.checked_sub(block.offset)?;
            let other = (within / block.stride) as usize;
            (number == ECPF && other < self.functions.len()).then_some((other, within % block.stride))
        };
        let limit = copy(LIMITS).map(|(other, within)| Target::Limit(other, within));
        let target = limit.or_else(|| copy(FUNCTION).map(|(other, within)| Target::Of(other, within)));
        target.map(|target| (number, target)).ok_or(Refused { address })
    }

    /// One thing that a queue has to do: looking whether there is something, or taking a chain. False if there is nothing.
    fn step(&mut self, memory: &mut impl Memory, place: Place) -> bool {
        if !self.functions[place.function].is_live(place.queue) {
            return false;
        }
        let packed = self.queue(place).is_packed();
        let done = if packed { self.step_packed(memory, place) } else { self.step_split(memory, place) };
        done.unwrap_or_else(|reason| {
            self.fail(place, reason);
            true
        })
    }

    /// Stops a queue for a fault.
    fn fail(&mut self, place: Place, reason: FaultReason) {
        self.functions[place.function].stop(place.queue, reason);
        self.interrupt_configuration(place.function);
    }
}

/// What an offset in the MSI-X table or among the pending bits is for, whether that is there or not.
fn vector_target(offset: u32) -> Option<Target> {
    if (MSIX_TABLE.offset..MSIX_PENDING.offset).contains(&offset) {
        let within = offset - MSIX_TABLE.offset;
        return Some(Target::Entry((within / MSIX_TABLE.stride) as usize, within % MSIX_TABLE.stride));
    }
    let pending = (MSIX_PENDING.offset..NOTIFY.offset).contains(&offset);
    pending.then(|| Target::Pending(8 * (offset - MSIX_PENDING.offset) as usize))
}

#[cfg(test)]
mod tests;
