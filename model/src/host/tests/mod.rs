// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every rule of `docs/host.md` by hand: registers are accessed and rings written as the page says.

mod control;
mod ecpf;
mod events;
mod faults;
mod frames;
mod indirect;
mod interrupts;
mod offload;
mod packed;
mod queue_reset;
mod registers;

use super::*;
use millrace_regs::config::{Config, Preset};
use millrace_regs::host::{ECPF, Feature, common, host_address, status};
use std::collections::BTreeMap;

/// 2 uplinks, 1 PF, 2 VFs, 2 pairs of virtqueues: functions 0 to 3, 5 vports.
const CONFIG: Config = Config { queue_pairs: 2, vfs: 2, ..Preset::Sim.config() };

/// What a build offers that has no more than split virtqueues as they are.
const BASIC: u64 = Feature::bits(&[
    Feature::Csum,
    Feature::GuestCsum,
    Feature::Mtu,
    Feature::Mac,
    Feature::HostTso4,
    Feature::HostTso6,
    Feature::HostEcn,
    Feature::MergeableBuffers,
    Feature::Status,
    Feature::CtrlVq,
    Feature::CtrlRx,
    Feature::CtrlVlan,
    Feature::Mq,
    Feature::CtrlMacAddr,
    Feature::Version1,
    Feature::AccessPlatform,
    Feature::OrderPlatform,
    Feature::HostUso,
    Feature::Rss,
]);
/// What other virtqueues may have beside.
const RINGS: u64 = Feature::bits(&[
    Feature::IndirectDesc,
    Feature::EventIdx,
    Feature::RingPacked,
    Feature::InOrder,
    Feature::NotificationData,
    Feature::RingReset,
]);

/// All of 2^64 bytes, zero until they are written; those from `BROKEN` on answer with an error.
#[derive(Default)]
struct Ram {
    bytes: BTreeMap<u64, u8>,
    /// Reads and writes, in their order.
    accesses: Vec<(char, u64, usize)>,
}

const BROKEN: u64 = 0xbad0_0000;

impl Ram {
    fn byte(&self, address: u64) -> u8 {
        self.bytes.get(&address).copied().unwrap_or(0)
    }

    fn get<const N: usize>(&self, address: u64) -> [u8; N] {
        std::array::from_fn(|i| self.byte(address.wrapping_add(i as u64)))
    }

    fn get16(&self, address: u64) -> u16 {
        u16::from_le_bytes(self.get(address))
    }

    fn get32(&self, address: u64) -> u32 {
        u32::from_le_bytes(self.get(address))
    }

    fn vec(&self, address: u64, len: usize) -> Vec<u8> {
        (0..len as u64).map(|i| self.byte(address.wrapping_add(i))).collect()
    }

    fn put(&mut self, address: u64, bytes: &[u8]) {
        self.bytes.extend((0..).zip(bytes).map(|(i, byte)| (address.wrapping_add(i), *byte)));
    }
}

impl Memory for Ram {
    fn read(&mut self, _: usize, address: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        self.accesses.push(('r', address, bytes.len()));
        bytes.copy_from_slice(&self.vec(address, bytes.len()));
        if (BROKEN..BROKEN + 0x1000).contains(&address) { Err(BusError::Refused) } else { Ok(()) }
    }

    fn write(&mut self, _: usize, address: u64, bytes: &[u8]) -> Result<(), BusError> {
        self.accesses.push(('w', address, bytes.len()));
        if (BROKEN..BROKEN + 0x1000).contains(&address) {
            return Err(BusError::Refused);
        }
        self.put(address, bytes);
        Ok(())
    }
}

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
const AVAIL: u16 = 1 << 7;
const USED: u16 = 1 << 15;

/// The message of a vector: address and data.
fn message(function: usize, vector: u16) -> (u64, u32) {
    (0x1_fee0_0000 + 0x1000 * function as u64, 0x4000 + u32::from(vector))
}

/// A model with a memory.
struct Bench {
    model: HostModel,
    ram: Ram,
}

/// A virtqueue as the bench lays it out: 64 KiB for each.
#[derive(Clone, Copy)]
struct Ring {
    function: u32,
    queue: u32,
    size: u16,
}

impl Ring {
    fn desc(&self) -> u64 {
        0x1_0000_0000 + u64::from(self.function * 16 + self.queue) * 0x1_0000
    }

    fn driver(&self) -> u64 {
        self.desc() + 0x2002
    }

    fn device(&self) -> u64 {
        self.desc() + 0x4004
    }
}

impl Bench {
    /// All functions are bus masters with MSI-X, and every vector has a message of its own. [`BASIC`] is offered.
    fn new() -> Self {
        Self::offering(BASIC)
    }

    /// As [`new`](Self::new), with other features offered.
    fn offering(features: u64) -> Self {
        let mut bench = Self { model: HostModel::offering(&CONFIG, features), ram: Ram::default() };
        for function in 0..CONFIG.functions() {
            bench.model.set_bus_master(function, true);
            bench.model.set_msix(function, true, false);
            for vector in 0..CONFIG.vectors_of_function(function) as u32 {
                let (address, data) = message(function, vector as u16);
                let words = [address as u32, (address >> 32) as u32, data, 0];
                for (word, offset) in words.into_iter().zip((0..).step_by(4)) {
                    bench.write(function as u32, 0x8000 + 16 * vector + offset, word);
                }
            }
        }
        bench
    }

    fn read(&mut self, function: u32, offset: u32) -> u32 {
        self.model.read(host_address(function, offset)).unwrap()
    }

    fn write(&mut self, function: u32, offset: u32, data: u32) {
        self.model.write(host_address(function, offset), data, 0xf).unwrap();
    }

    fn read16(&mut self, function: u32, offset: u32) -> u16 {
        (self.read(function, offset) >> (8 * (offset & 2))) as u16
    }

    fn write16(&mut self, function: u32, offset: u32, value: u16) {
        let shift = offset & 2;
        self.model.write(host_address(function, offset), u32::from(value) << (8 * shift), 3 << shift).unwrap();
    }

    fn write8(&mut self, function: u32, offset: u32, value: u8) {
        let shift = offset & 3;
        self.model.write(host_address(function, offset), u32::from(value) << (8 * shift), 1 << shift).unwrap();
    }

    fn status(&mut self, function: u32) -> u8 {
        self.read(function, 0x14) as u8
    }

    fn set_status(&mut self, function: u32, value: u8) {
        self.write8(function, common::DEVICE_STATUS.offset, value);
    }

    fn accept(&mut self, function: u32, features: u64) {
        for half in 0..2 {
            self.write(function, 0x08, half);
            self.write(function, 0x0c, (features >> (32 * half)) as u32);
        }
    }

    fn enable(&mut self, function: u32, queue: u32, size: u16) -> Ring {
        let ring = Ring { function, queue, size };
        self.write16(function, 0x16, queue as u16);
        self.write16(function, 0x18, size);
        for (offset, address) in [(0x20, ring.desc()), (0x28, ring.driver()), (0x30, ring.device())] {
            self.write(function, offset, address as u32);
            self.write(function, offset + 4, (address >> 32) as u32);
        }
        self.write16(function, 0x1a, 1 + queue as u16);
        self.write16(function, 0x1c, 1);
        ring
    }

    /// Brings a function up with these features beside the required, and MQ of a PF or VF; all queues have `size` descriptors.
    fn start(&mut self, function: u32, features: u64, size: u16) -> Vec<Ring> {
        self.set_status(function, status::ACKNOWLEDGE | status::DRIVER);
        let several = if function == ECPF as u32 { 0 } else { Feature::Mq.bit() };
        self.accept(function, features | several | Feature::REQUIRED);
        self.set_status(function, status::FEATURES_OK);
        self.write16(function, 0x10, 0);
        let queues = CONFIG.virtqueues_of_function(function as usize) as u32;
        let rings = (0..queues).map(|queue| self.enable(function, queue, size)).collect();
        self.set_status(function, status::DRIVER_OK);
        assert_eq!(self.status(function), 15);
        rings
    }

    fn descriptor(&mut self, ring: Ring, number: u16, address: u64, len: u32, flags: u16, next: u16) {
        self.put_descriptor(ring.desc() + 16 * u64::from(number), address, len, [flags, next]);
    }

    fn put_descriptor(&mut self, at: u64, address: u64, len: u32, [first, second]: [u16; 2]) {
        let mut bytes = address.to_le_bytes().to_vec();
        bytes.extend(len.to_le_bytes());
        bytes.extend(first.to_le_bytes());
        bytes.extend(second.to_le_bytes());
        self.ram.put(at, &bytes);
    }

    /// Makes a descriptor of a packed virtqueue available: the `count`th, from 0 on.
    fn packed(&mut self, ring: Ring, count: u32, buffer: (u64, u32), id: u16, flags: u16) {
        let size = u32::from(ring.size);
        let lap = if (count / size).is_multiple_of(2) { AVAIL } else { USED };
        let at = ring.desc() + 16 * u64::from(count % size);
        self.put_descriptor(at, buffer.0, buffer.1, [id, flags | lap]);
    }

    /// `len`, `id` and `flags` of the `count`th descriptor of a packed virtqueue if it is used, from 0 on.
    fn packed_used(&self, ring: Ring, count: u32) -> Option<(u32, u16, u16)> {
        let size = u32::from(ring.size);
        let at = ring.desc() + 16 * u64::from(count % size);
        let flags = self.ram.get16(at + 14);
        let lap = if (count / size).is_multiple_of(2) { AVAIL | USED } else { 0 };
        let used = flags & (AVAIL | USED) == lap;
        used.then(|| (self.ram.get32(at + 8), self.ram.get16(at + 12), flags & !(AVAIL | USED)))
    }

    /// Puts a chain into the available ring, without a notification.
    fn offer(&mut self, ring: Ring, head: u16) {
        let index = self.ram.get16(ring.driver() + 2);
        let entry = ring.driver() + 4 + 2 * u64::from(index % ring.size);
        self.ram.put(entry, &head.to_le_bytes());
        self.ram.put(ring.driver() + 2, &index.wrapping_add(1).to_le_bytes());
    }

    fn notify(&mut self, ring: Ring) {
        self.write16(ring.function, 0x1_0000 + 0x1000 * ring.queue, ring.queue as u16);
    }

    fn run(&mut self) {
        self.model.run(&mut self.ram);
    }

    fn used_index(&self, ring: Ring) -> u16 {
        self.ram.get16(ring.device() + 2)
    }

    /// Entry of the used ring: id and length.
    fn used(&self, ring: Ring, entry: u16) -> (u32, u32) {
        let at = ring.device() + 4 + 8 * u64::from(entry % ring.size);
        (self.ram.get32(at), self.ram.get32(at + 4))
    }

    fn deliver(&mut self, ring: Ring, frame: &[u8]) -> Delivered {
        self.model.deliver(&mut self.ram, ring.function as usize, ring.queue as usize, 2, frame)
    }

    /// Function and vector of the messages, which are those of [`message`].
    fn interrupts(&mut self) -> Vec<(usize, u16)> {
        let interrupts: Vec<_> = std::iter::from_fn(|| self.model.take_interrupt()).collect();
        for Interrupt { function, vector, address, data } in &interrupts {
            assert_eq!((*address, *data), message(*function, *vector));
        }
        interrupts.iter().map(|i| (i.function, i.vector)).collect()
    }

    fn frames(&mut self) -> Vec<FrameOut> {
        std::iter::from_fn(|| self.model.take_frame()).collect()
    }
}

/// Bytes that tell where they are.
fn pattern(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|i| (i as u8).wrapping_mul(31).wrapping_add((i >> 8) as u8 ^ seed)).collect()
}
