// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest that keeps to no rule, and what its function may say of it.

use super::device::{ADDRESS, Dpu, GUEST_BYTES, REST};
use super::op::{Act, Layout};
use super::watch::{FILL, FILLS, Seen, Watched};
use anyhow::{Context, Result, bail, ensure};
use millrace_driver::virtio::{Cut, DmaMemory, Fault, Settings, VirtioNet};
use millrace_regs::host::{
    COMMON, FAULTS, FUNCTION_MAC_LO, FUNCTION_MODERATION, FUNCTION_MTU, FUNCTION_STATE, FaultReason, Feature,
    HostField, NOTIFY, common, status,
};

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
/// Flags of a packed ring's descriptors.
const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;
/// Virtqueues of a function.
const QUEUES: usize = 2;
/// Offsets in the memory: a virtqueue's rings, and the tables of indirect descriptors.
const RINGS: u64 = 0x1000;
const RING_STRIDE: u64 = 0x3000;
pub const TABLES: u32 = 0x7000;
/// Descriptors of a queue whose driver keeps the rules.
const SIZE: u16 = 4;

/// A virtqueue, as the guest would have it.
#[derive(Clone, Copy, Default)]
struct Queue {
    /// Offsets of its rings in the memory.
    rings: [u64; 3],
    size: u16,
    /// Next place of a packed ring, and its wrap counter; of a split one the next descriptor.
    next: u16,
    wrap: bool,
}

pub struct Guest {
    dpu: Dpu,
    pub function: usize,
    uplink: usize,
    memory: Watched,
    packed: bool,
    queues: [Queue; QUEUES],
    /// Frames that were sent to it.
    frames: u8,
    /// A reset was begun, of the function or of a virtqueue: a fault may be forgotten.
    resetting: bool,
    /// Features changed while virtqueues were enabled: they may have been of either kind.
    mixed: bool,
    /// MSI-X was enabled once.
    pub msix: bool,
    /// Faults by their reasons.
    pub faults: [u64; 13],
}

impl Guest {
    pub fn new(dpu: &Dpu, function: usize, uplink: usize) -> Self {
        let memory = dpu.memory(function);
        memory.watch().expect_none();
        let queues = [Queue { size: 8, ..Queue::default() }; QUEUES];
        let dpu = dpu.clone();
        Self {
            dpu,
            function,
            uplink,
            memory,
            packed: false,
            queues,
            frames: 0,
            resetting: false,
            mixed: false,
            msix: false,
            faults: [0; 13],
        }
    }

    pub fn act(&mut self, act: &Act) -> Result<()> {
        match act {
            Act::Start { features, size, layout } => self.start(*features, *size, *layout)?,
            Act::Write { offset, value, strobe } => self.write(*offset, *value, *strobe)?,
            Act::Read { offset } => {
                self.dpu.read(self.function, *offset)?;
            }
            Act::Reset => self.reset()?,
            Act::ResetQueue { queue } => {
                self.put(common::QUEUE_SELECT, (*queue).into())?;
                self.put(common::QUEUE_RESET, 1)?;
            }
            Act::BusMaster { on } => self.dpu.sim().set_bus_master(self.function, *on),
            Act::Msix { enabled, masked } => {
                self.msix |= enabled;
                self.dpu.sim().set_msix(self.function, *enabled, *masked);
            }
            Act::Store { at, value, bytes } => self.store((*at).into(), *value, (*bytes).into()),
            Act::Descriptor { queue, slot, address, length, flags, next, available } => {
                self.descriptor(*queue, *slot, (*address, *length, *flags, *next), *available);
            }
            Act::Available { queue, head, by } => self.available(*queue, *head, *by),
            Act::Offer { queue, pieces, indirect, header } => self.offer(*queue, pieces, *indirect, header),
            Act::Event { queue, value } => self.event(*queue, *value),
            Act::Notify { queue, value, strobe } => self.write(NOTIFY.at((*queue).into()), *value, *strobe)?,
            Act::Receive { length } => self.receive((*length).into()),
            Act::Configure { register, value } => {
                let registers = [FUNCTION_MAC_LO, FUNCTION_MTU, FUNCTION_MODERATION];
                let register = registers[usize::from(*register) % registers.len()];
                // Moderation that lasts would be all that there is to see.
                self.dpu.configure(self.function, register.offset, value & 0xff)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, features: u64, size: u16, layout: Layout) -> Result<()> {
        self.reset()?;
        self.dpu.sim().set_bus_master(self.function, true);
        for half in 0..2 {
            self.put(common::DRIVER_FEATURE_SELECT, half)?;
            self.put(common::DRIVER_FEATURE, (features >> (32 * half)) as u32)?;
        }
        let mut bits = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK;
        self.put(common::DEVICE_STATUS, bits.into())?;
        self.packed = features & Feature::RingPacked.bit() != 0;
        (0..QUEUES).try_for_each(|queue| self.set_up(queue, size, layout))?;
        bits |= status::DRIVER_OK;
        self.put(common::DEVICE_STATUS, bits.into())?;
        self.mixed = false;
        Ok(())
    }

    /// Sets a virtqueue up, with rings that are empty.
    pub fn set_up(&mut self, queue: usize, size: u16, layout: Layout) -> Result<()> {
        let rings = rings(layout, queue as u64);
        self.queues[queue] = Queue { rings, size: size.clamp(1, 256), next: 0, wrap: true };
        for ring in rings {
            self.fill(ring, 4096);
        }
        self.put(common::QUEUE_SELECT, queue as u32)?;
        self.put(common::QUEUE_SIZE, size.into())?;
        self.put(common::QUEUE_MSIX_VECTOR, 1 + queue as u32)?;
        for (field, ring) in [common::QUEUE_DESC, common::QUEUE_DRIVER, common::QUEUE_DEVICE].into_iter().zip(rings) {
            let address = ADDRESS.wrapping_add(ring);
            self.write(COMMON.offset + field.offset, address as u32, 0xf)?;
            self.write(COMMON.offset + field.offset + 4, (address >> 32) as u32, 0xf)?;
        }
        self.put(common::QUEUE_ENABLE, 1)
    }

    /// Resets a virtqueue, and waits for it.
    pub fn reset_queue(&mut self, queue: u16) -> Result<()> {
        self.act(&Act::ResetQueue { queue })?;
        let end = self.dpu.sim().cycle() + REST;
        while self.get(common::QUEUE_RESET)? != 0 {
            ensure!(
                self.dpu.sim().cycle() < end,
                "the reset of virtqueue {queue} of function {} does not end",
                self.function
            );
        }
        Ok(())
    }

    /// Resets the function: from then on it touches nothing.
    fn reset(&mut self) -> Result<()> {
        self.put(common::DEVICE_STATUS, 0)?;
        let end = self.dpu.sim().cycle() + REST;
        while self.get(common::DEVICE_STATUS)? != 0 {
            ensure!(self.dpu.sim().cycle() < end, "the reset of function {} does not end", self.function);
        }
        self.memory.watch().forget();
        self.resetting = false;
        Ok(())
    }

    fn put(&mut self, field: HostField, value: u32) -> Result<()> {
        let strobe = ((1 << (field.width / 8).min(4)) - 1) << (field.offset & 3);
        self.write(COMMON.offset + field.word(), value << field.low(), strobe)
    }

    fn get(&self, field: HostField) -> Result<u32> {
        let word =
            self.dpu.read(self.function, COMMON.offset + field.word())?.context("the common configuration refuses")?;
        Ok(word >> field.low() & (u32::MAX >> (32 - field.width.min(32))))
    }

    fn get64(&self, field: HostField) -> Result<u64> {
        let word = |offset| self.dpu.read(self.function, COMMON.offset + offset);
        let [low, high] = [word(field.offset)?, word(field.offset + 4)?].map(Option::unwrap_or_default);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn write(&mut self, offset: u32, value: u32, strobe: u8) -> Result<()> {
        self.dpu.write(self.function, offset, value, strobe)?;
        let writes =
            |field: HostField| offset & !3 == COMMON.offset + field.word() && strobe >> (field.offset & 3) & 1 == 1;
        if writes(common::DEVICE_STATUS) && value as u8 == 0 || writes(common::QUEUE_RESET) {
            self.resetting = true;
        }
        self.mixed |= writes(common::DRIVER_FEATURE) || writes(common::DEVICE_STATUS);
        if writes(common::QUEUE_ENABLE) && self.get(common::QUEUE_ENABLE)? == 1 {
            let size = u64::from(self.get(common::QUEUE_SIZE)?);
            let [descriptors, driver, device] =
                [common::QUEUE_DESC, common::QUEUE_DRIVER, common::QUEUE_DEVICE].map(|field| self.get64(field));
            let (descriptors, driver, device) = (descriptors?, driver?, device?);
            // Of a split or of a packed virtqueue: features may still change.
            let written = [(descriptors, 16 * size), (device, 6 + 8 * size)];
            self.memory.watch().add_rings(&[(driver, 6 + 2 * size)], &written);
        }
        Ok(())
    }

    fn store(&self, at: u64, value: u64, bytes: usize) {
        let bytes = bytes.clamp(1, 8);
        let at = at as usize % (GUEST_BYTES - 8);
        self.memory.memory.write(at, &value.to_le_bytes()[..bytes]);
    }

    fn fill(&self, at: u64, bytes: usize) {
        let at = at as usize % (GUEST_BYTES - bytes);
        self.memory.memory.write(at, &vec![0; bytes]);
    }

    /// The tables count as a queue of their own.
    fn descriptor(&mut self, queue: u8, slot: u16, parts: (u64, u32, u16, u16), available: bool) {
        let (address, length, flags, next) = parts;
        let Some(ring) = self.queues.get(usize::from(queue)) else {
            let at = u64::from(TABLES) + 16 * u64::from(slot % 256);
            let (first, second) = if self.packed { (next, flags) } else { (flags, next) };
            self.put_descriptor(at, address, length, first, second);
            return;
        };
        let slot = if self.packed { ring.next.wrapping_add(slot % 4) % ring.size } else { slot % ring.size };
        let at = ring.rings[0].wrapping_add(16 * u64::from(slot));
        let wrapped = slot < ring.next;
        let flags = if self.packed && available { flags & !(AVAIL | USED) | bits(ring.wrap ^ wrapped) } else { flags };
        let (first, second) = if self.packed { (next, flags) } else { (flags, next) };
        self.put_descriptor(at, address, length, first, second);
    }

    fn put_descriptor(&self, at: u64, address: u64, length: u32, first: u16, second: u16) {
        self.store(at, address, 8);
        self.store(at.wrapping_add(8), u64::from(length) | u64::from(first) << 32 | u64::from(second) << 48, 8);
    }

    fn available(&mut self, queue: u8, head: u16, by: u16) {
        let ring = &mut self.queues[usize::from(queue) % QUEUES];
        if self.packed {
            let next = u32::from(ring.next) + u32::from(by % ring.size);
            ring.wrap ^= next >= ring.size.into();
            ring.next = (next % u32::from(ring.size)) as u16;
            return;
        }
        let at = ring.rings[1];
        let (ring, index) = (*ring, self.index(at));
        self.store(at.wrapping_add(4 + 2 * u64::from(index % ring.size)), head.into(), 2);
        self.store(at.wrapping_add(2), index.wrapping_add(by).into(), 2);
    }

    fn index(&self, available: u64) -> u16 {
        let mut bytes = [0; 2];
        self.memory.memory.read(available.wrapping_add(2) as usize % (GUEST_BYTES - 8), &mut bytes);
        u16::from_le_bytes(bytes)
    }

    fn offer(&mut self, queue: u8, pieces: &[(u32, u32)], indirect: bool, header: &[u8; 12]) {
        let queue = usize::from(queue) % QUEUES;
        let size = self.queues[queue].size;
        let pieces = &pieces[..pieces.len().min(size.into()).min(16)];
        let Some((at, _)) = pieces.first() else { return };
        if queue == 1 {
            let bytes = header.as_chunks::<4>().0.iter().zip(0..);
            bytes.for_each(|(word, i)| self.store(u64::from(*at) + 4 * i, u32::from_le_bytes(*word).into(), 4));
        }
        let write = if queue == 0 { WRITE } else { 0 };
        let last = pieces.len() - 1;
        let flags = |i: usize| write | if i < last { NEXT } else { 0 };
        let address = |at: u32| ADDRESS + u64::from(at);
        let first = self.queues[queue].next;
        if indirect {
            let table = TABLES + 256 * (u32::from(first) % 16);
            for (i, (at, length)) in pieces.iter().enumerate() {
                self.descriptor(
                    2,
                    (table - TABLES) as u16 / 16 + i as u16,
                    (address(*at), *length, flags(i), i as u16 + 1),
                    false,
                );
            }
            let length = 16 * pieces.len() as u32;
            self.descriptor(queue as u8, first_slot(self.packed, first), (address(table), length, INDIRECT, 0), true);
            self.advance(queue, first, 1);
            return;
        }
        for (i, (at, length)) in pieces.iter().enumerate() {
            let i16 = i as u16;
            let next = if self.packed { first } else { (first + i16 + 1) % size };
            let slot = if self.packed { 0 } else { (first + i16) % size };
            self.descriptor(queue as u8, slot, (address(*at), *length, flags(i), next), true);
            if self.packed {
                self.available(queue as u8, 0, 1);
            }
        }
        if !self.packed {
            self.advance(queue, first, pieces.len() as u16);
        }
    }

    /// A chain of so many descriptors was put into the ring.
    fn advance(&mut self, queue: usize, first: u16, count: u16) {
        self.available(queue as u8, first, 1);
        if !self.packed {
            let ring = &mut self.queues[queue];
            ring.next = (first + count) % ring.size;
        }
    }

    fn event(&self, queue: u8, value: u32) {
        let ring = self.queues[usize::from(queue) % QUEUES];
        if self.packed {
            self.store(ring.rings[1], value.into(), 4);
        } else {
            self.store(ring.rings[1], (value & 1).into(), 2);
            self.store(ring.rings[1].wrapping_add(4 + 2 * u64::from(ring.size)), (value >> 16).into(), 2);
        }
    }

    /// A frame comes in at the uplink.
    fn receive(&mut self, length: usize) {
        let fill = FILL + self.frames % FILLS;
        self.frames = self.frames.wrapping_add(1);
        self.memory.watch().expect(fill);
        self.dpu.sim().send(self.uplink, frame(length, fill));
    }

    /// With nothing under way: what the function says of the guest is true.
    pub fn judge(&mut self) -> Result<()> {
        self.memory.watch().expect_none();
        let seen = self.memory.watch().seen;
        // Chains of a function that is not are read anew when it is.
        let is_master = FUNCTION_STATE.field("bus_master").context("no such field")?;
        let is_master = is_master.get(self.dpu.state(self.function, FUNCTION_STATE.offset)?) != 0;
        let needs_reset = self.get(common::DEVICE_STATUS)? & u32::from(status::DEVICE_NEEDS_RESET) != 0;
        let word = self.dpu.read(self.function, FAULTS.offset)?.context("FAULT refuses")?;
        let fault = Fault::from_word(word);
        ensure!(
            needs_reset == (word != 0),
            "function {}: DEVICE_NEEDS_RESET is {needs_reset}, FAULT {word:#x}",
            self.function
        );
        if word == 0 {
            let owes = self.memory.watch().owes_fault() && is_master;
            ensure!(!owes || self.resetting, "function {}: SLVERR is not told", self.function);
            return Ok(());
        }
        let reason = fault.reason().with_context(|| format!("function {}: {fault}", self.function))?;
        self.faults[reason as usize] += 1;
        self.put(common::DRIVER_FEATURE_SELECT, 1)?;
        let packed = u64::from(self.get(common::DRIVER_FEATURE)?) << 32 & Feature::RingPacked.bit() != 0;
        // Without FEATURES_OK nothing was agreed on.
        let agreed = self.get(common::DEVICE_STATUS)? & u32::from(status::FEATURES_OK) != 0;
        let packed = packed && agreed && !self.mixed;
        ensure!(
            usize::from(fault.virtqueue) < QUEUES && can_give(reason, fault.virtqueue, packed, &seen),
            "function {}: nothing was done that gives {fault} (packed: {packed}; {seen:?})",
            self.function
        );
        Ok(())
    }

    /// Resets the function, and shows that it works: a frame goes out, and one comes in.
    pub fn revive(&mut self) -> Result<()> {
        self.reset()?;
        self.dpu.sim().set_bus_master(self.function, true);
        self.dpu.sim().set_msix(self.function, false, false);
        self.memory.watch().trust(true);
        let settings = Settings {
            queue_size: SIZE,
            receive: vec![vec![Cut { gap: 0, len: 512 }]],
            transmit_bytes: 512,
            transmit_buffers: SIZE,
            packed: self.packed,
            ..Settings::default()
        };
        self.dpu.configure(self.function, FUNCTION_MTU.offset, 0)?;
        let mut net = VirtioNet::start(self.dpu.bar(self.function), self.memory.memory.clone(), settings)?;
        self.rest()?;
        while self.dpu.sim().recv(self.uplink).is_some() {}
        let fill = FILL + self.frames % FILLS;
        let sent = frame(200, fill);
        ensure!(net.send(0, [&sent[..]])? == 1, "a frame of function {} is not taken", self.function);
        self.receive(200);
        self.rest()?;
        let left = self.dpu.sim().recv(self.uplink).map(|received| received.frame);
        ensure!(left.as_ref() == Some(&sent), "function {} sends no more", self.function);
        let mut received = vec![];
        net.receive(0, usize::MAX, |frame| received.push(frame.to_vec()))?;
        ensure!(received == [sent], "function {} receives no more", self.function);
        net.check()?;
        net.stop()?;
        self.memory.watch().forget();
        self.resetting = false;
        self.queues.iter_mut().for_each(|queue| *queue = Queue { size: 8, ..Queue::default() });
        Ok(())
    }

    fn rest(&self) -> Result<()> {
        if !self.dpu.sim().run_until_idle(REST) {
            bail!("function {}: not at rest", self.function);
        }
        Ok(())
    }

    /// What the device must not have done with its memory.
    pub fn violation(&self) -> Option<String> {
        self.memory.watch().violation().map(|what| format!("function {}: {what}", self.function))
    }

    /// The uplink that it is tied to.
    pub fn uplink(&self) -> usize {
        self.uplink
    }
}

/// A packed ring is written at its next place.
fn first_slot(packed: bool, next: u16) -> u16 {
    if packed { 0 } else { next }
}

/// Flags of a descriptor that is available in a round with this wrap counter.
fn bits(wrap: bool) -> u16 {
    if wrap { AVAIL } else { USED }
}

/// Offsets of a virtqueue's rings in the memory; they may be behind it.
fn rings(layout: Layout, queue: u64) -> [u64; 3] {
    let at = RINGS + RING_STRIDE * queue;
    match layout {
        Layout::Apart => [at, at + 0x1000, at + 0x2000],
        Layout::Shared => [RINGS, RINGS + 0x1000, RINGS + 0x2000],
        Layout::Overlapping => [at, at + 0x40, at + 0x44],
        Layout::End => [GUEST_BYTES as u64 - 0x80, GUEST_BYTES as u64 - 0x2100, GUEST_BYTES as u64 - 0x40],
        Layout::At(addresses) => addresses.map(|address| address.wrapping_sub(ADDRESS)),
    }
}

/// A frame for a guest: no byte of its headers is a fill.
fn frame(length: usize, fill: u8) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x60, 3];
    frame.resize(length.clamp(15, 9000), fill);
    frame
}

/// What the device has seen can give this fault.
fn can_give(reason: FaultReason, queue: u16, packed: bool, seen: &Seen) -> bool {
    let transmits = queue % 2 == 1;
    match reason {
        FaultReason::AvailIndex | FaultReason::Head => !packed,
        FaultReason::Next => seen.next,
        FaultReason::Chain => seen.next || seen.indirect,
        FaultReason::Direction => {
            if transmits {
                seen.writable
            } else {
                seen.readable
            }
        }
        FaultReason::Empty => seen.empty,
        FaultReason::Indirect => seen.indirect,
        FaultReason::TooLong | FaultReason::Header => transmits,
        FaultReason::Window => seen.outside,
        FaultReason::Bus => seen.refused,
        // All memory answers.
        FaultReason::TimeOut => false,
    }
}
