// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of a function, and how it is brought up and reset (virtio 3.1.1, 4.1.5).

use super::error::{Fault, VirtioError};
use super::features::{NEED_CONTROL, has};
use super::memory::DmaMemory;
use super::net_config::{NetConfig, RssLimits};
use super::settings::Settings;
use super::transport::VirtioPci;
use super::virtqueue::Virtqueue;
use crate::BoxError;
use millrace_regs::host::{COMMON, DEVICE, FAULTS, Feature, HostField, ISR, NO_VECTOR, NOTIFY, common, device, status};

/// Reads of `device_status` or `queue_reset` after which a reset counts as stuck: of a device in another process, two seconds.
const PATIENCE: u32 = 100_000;
/// What reads of a function give that does not answer.
const ALL_ONES: u8 = 0xff;
/// Times that the device configuration is read before it counts as changing all the time.
const CONFIG_ATTEMPTS: u32 = 100;
/// Smallest `mtu` that a device may offer (5.1.4.1).
const MIN_MTU: u16 = 68;

/// A function behind its BAR.
#[derive(Clone)]
pub(super) struct Function<T> {
    pub transport: T,
    /// VIRTIO_F_NOTIFICATION_DATA was agreed on.
    notification_data: bool,
}

/// A virtqueue as a notification names it (2.9).
pub(super) struct Notified {
    number: u16,
    next: u16,
}

impl Notified {
    pub fn of(queue: &Virtqueue) -> Self {
        Self { number: queue.number(), next: queue.next() }
    }
}

impl<T: VirtioPci> Function<T> {
    pub fn new(transport: T) -> Self {
        Self { transport, notification_data: false }
    }

    /// Resets the function, and waits for the reset's end (4.1.4.3.2).
    pub fn reset(&mut self) -> Result<(), VirtioError> {
        self.put8(common::DEVICE_STATUS, 0)?;
        let mut status = 0;
        for _ in 0..PATIENCE {
            status = self.status()?;
            match status {
                0 => return Ok(()),
                // Some of these bits no function has.
                ALL_ONES => return Err(VirtioError::Gone),
                _ => {}
            }
        }
        Err(VirtioError::ResetStuck { status })
    }

    /// Steps 1 to 6 of 3.1.1: a reset, and features that both sides have agreed on, which are given.
    pub fn negotiate(&mut self, wanted: u64) -> Result<u64, VirtioError> {
        self.reset()?;
        self.add_status(status::ACKNOWLEDGE)?;
        self.add_status(status::DRIVER)?;
        let offered = self.offered()?;
        for feature in [Feature::Version1, Feature::AccessPlatform] {
            if offered & feature.bit() == 0 {
                return Err(VirtioError::NotOffered { name: feature.name(), offered });
            }
        }
        let mut features = offered & (wanted | Feature::REQUIRED);
        if !has(features, Feature::CtrlVq) {
            features &= !NEED_CONTROL;
        }
        if features & Feature::Mtu.bit() != 0 && self.mtu()? < MIN_MTU {
            features &= !Feature::Mtu.bit();
        }
        for half in 0..2 {
            self.put32(common::DRIVER_FEATURE_SELECT, half)?;
            self.put32(common::DRIVER_FEATURE, (features >> (32 * half)) as u32)?;
        }
        self.add_status(status::FEATURES_OK)?;
        if self.status()? & status::FEATURES_OK == 0 {
            return Err(VirtioError::FeaturesRefused { features });
        }
        self.notification_data = has(features, Feature::NotificationData);
        Ok(features)
    }

    /// Tells the function that its driver is ready: it may be notified from then on.
    pub fn go(&mut self) -> Result<(), VirtioError> {
        self.add_status(status::DRIVER_OK)
    }

    /// Tells the function that its driver has given up.
    pub fn fail(&mut self) -> Result<(), VirtioError> {
        self.add_status(status::FAILED)
    }

    fn add_status(&mut self, bits: u8) -> Result<(), VirtioError> {
        let status = self.status()?;
        self.put8(common::DEVICE_STATUS, status | bits)
    }

    pub fn status(&mut self) -> Result<u8, VirtioError> {
        self.get8(common::DEVICE_STATUS)
    }

    fn offered(&mut self) -> Result<u64, VirtioError> {
        let mut offered = 0;
        for half in 0..2 {
            self.put32(common::DEVICE_FEATURE_SELECT, half)?;
            offered |= u64::from(self.get32(common::DEVICE_FEATURE)?) << (32 * half);
        }
        Ok(offered)
    }

    /// The number of virtqueues.
    pub fn queues(&mut self) -> Result<u16, VirtioError> {
        self.get16(common::NUM_QUEUES)
    }

    /// Sets a virtqueue's size: it is set up with [`enable`](Self::enable).
    pub fn set_size(&mut self, queue: u16, size: u16) -> Result<(), VirtioError> {
        self.put16(common::QUEUE_SELECT, queue)?;
        let largest = self.get16(common::QUEUE_SIZE)?;
        if size > largest {
            return Err(VirtioError::QueueSize { queue, size, reads: largest });
        }
        self.put16(common::QUEUE_SIZE, size)?;
        let reads = self.get16(common::QUEUE_SIZE)?;
        if reads == size { Ok(()) } else { Err(VirtioError::QueueSize { queue, size, reads }) }
    }

    /// Resets a virtqueue, and waits for the reset's end (2.6.1).
    pub fn reset_queue(&mut self, queue: u16) -> Result<(), VirtioError> {
        self.put16(common::QUEUE_SELECT, queue)?;
        self.put16(common::QUEUE_RESET, 1)?;
        for _ in 0..PATIENCE {
            if self.get16(common::QUEUE_RESET)? == 0 {
                return Ok(());
            }
        }
        Err(VirtioError::QueueResetStuck { queue })
    }

    /// Gives the function a virtqueue whose size it has (4.1.5.1.3). The offset in the BAR at which it is notified.
    pub fn enable(&mut self, queue: &Virtqueue, memory: &impl DmaMemory, interrupts: bool) -> Result<u32, VirtioError> {
        let number = queue.number();
        self.put16(common::QUEUE_SELECT, number)?;
        let vector = if interrupts { 1 + number } else { NO_VECTOR };
        self.set_vector(common::QUEUE_MSIX_VECTOR, number, vector)?;
        let rings = queue.rings();
        for (field, offset) in [
            (common::QUEUE_DESC, rings.descriptors),
            (common::QUEUE_DRIVER, rings.available),
            (common::QUEUE_DEVICE, rings.used),
        ] {
            self.put64(field, memory.address() + offset as u64)?;
        }
        let notify = NOTIFY.at(self.get16(common::QUEUE_NOTIFY_OFF)?.into());
        self.put16(common::QUEUE_ENABLE, 1)?;
        let reads = self.get16(common::QUEUE_ENABLE)?;
        if reads == 1 { Ok(notify) } else { Err(field_error(number, common::QUEUE_ENABLE, 1, reads)) }
    }

    /// Sets the vector for changes of the configuration.
    pub fn set_config_vector(&mut self, settings: &Settings) -> Result<(), VirtioError> {
        let vector = if settings.interrupts { 0 } else { NO_VECTOR };
        self.set_vector(common::CONFIG_MSIX_VECTOR, 0, vector)
    }

    /// A function that cannot use a vector shows NO_VECTOR (4.1.5.1.2.2).
    fn set_vector(&mut self, field: HostField, queue: u16, vector: u16) -> Result<(), VirtioError> {
        self.put16(field, vector)?;
        let reads = self.get16(field)?;
        if reads == vector { Ok(()) } else { Err(field_error(queue, field, vector, reads)) }
    }

    /// Notifies the function of a virtqueue (4.1.5.2).
    pub fn notify(&mut self, offset: u32, queue: Notified) -> Result<(), VirtioError> {
        let Notified { number, next } = queue;
        let written = if self.notification_data {
            self.transport.write32(offset, u32::from(next) << 16 | u32::from(number))
        } else {
            self.transport.write16(offset, number)
        };
        access("write", offset, written)
    }

    /// Reads the ISR status, which clears it.
    pub fn isr(&mut self) -> Result<u8, VirtioError> {
        access("read", ISR.offset, self.transport.read8(ISR.offset))
    }

    pub fn fault(&mut self) -> Result<Fault, VirtioError> {
        Ok(Fault::from_word(access("read", FAULTS.offset, self.transport.read32(FAULTS.offset))?))
    }

    /// The device configuration, as of one generation (2.5.1).
    pub fn config(&mut self, features: u64) -> Result<NetConfig, VirtioError> {
        for _ in 0..CONFIG_ATTEMPTS {
            let generation = self.get8(common::CONFIG_GENERATION)?;
            let config = self.read_config(features)?;
            if self.get8(common::CONFIG_GENERATION)? == generation {
                return Ok(config);
            }
        }
        Err(VirtioError::Restless)
    }

    fn read_config(&mut self, features: u64) -> Result<NetConfig, VirtioError> {
        let offset = DEVICE.offset + device::MAC.offset;
        let mut mac = [0; 6];
        for (i, byte) in (0..).zip(&mut mac) {
            *byte = access("read", offset + i, self.transport.read8(offset + i))?;
        }
        let has = |feature: Feature| features & feature.bit() != 0;
        Ok(NetConfig {
            mac: has(Feature::Mac).then_some(mac),
            link_up: !has(Feature::Status) || self.get_config16(device::STATUS)? & 1 != 0,
            max_pairs: self.get_config16(device::MAX_VIRTQUEUE_PAIRS)?,
            mtu: if has(Feature::Mtu) { Some(self.mtu()?) } else { None },
            rss: if has(Feature::Rss) { Some(self.rss_limits()?) } else { None },
        })
    }

    fn rss_limits(&mut self) -> Result<RssLimits, VirtioError> {
        let offset = DEVICE.offset + device::RSS_MAX_KEY_SIZE.offset;
        let key_bytes = access("read", offset, self.transport.read8(offset))?;
        let table_entries = self.get_config16(device::RSS_MAX_INDIRECTION_TABLE_LENGTH)?;
        let offset = DEVICE.offset + device::SUPPORTED_HASH_TYPES.offset;
        let hash_types = access("read", offset, self.transport.read32(offset))?;
        Ok(RssLimits { key_bytes, table_entries, hash_types })
    }

    fn mtu(&mut self) -> Result<u16, VirtioError> {
        self.get_config16(device::MTU)
    }

    fn get_config16(&mut self, field: HostField) -> Result<u16, VirtioError> {
        let offset = DEVICE.offset + field.offset;
        access("read", offset, self.transport.read16(offset))
    }

    fn get8(&mut self, field: HostField) -> Result<u8, VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("read", offset, self.transport.read8(offset))
    }

    fn get16(&mut self, field: HostField) -> Result<u16, VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("read", offset, self.transport.read16(offset))
    }

    fn get32(&mut self, field: HostField) -> Result<u32, VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("read", offset, self.transport.read32(offset))
    }

    fn put8(&mut self, field: HostField, value: u8) -> Result<(), VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("write", offset, self.transport.write8(offset, value))
    }

    fn put16(&mut self, field: HostField, value: u16) -> Result<(), VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("write", offset, self.transport.write16(offset, value))
    }

    fn put32(&mut self, field: HostField, value: u32) -> Result<(), VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("write", offset, self.transport.write32(offset, value))
    }

    /// A field of 64 bits is two of 32 (4.1.3.1).
    fn put64(&mut self, field: HostField, value: u64) -> Result<(), VirtioError> {
        let offset = COMMON.offset + field.offset;
        access("write", offset, self.transport.write32(offset, value as u32))?;
        access("write", offset + 4, self.transport.write32(offset + 4, (value >> 32) as u32))
    }
}

fn field_error(queue: u16, field: HostField, written: u16, reads: u16) -> VirtioError {
    VirtioError::QueueField { queue, field: field.name, written: written.into(), reads: reads.into() }
}

fn access<V>(access: &'static str, offset: u32, result: Result<V, BoxError>) -> Result<V, VirtioError> {
    result.map_err(|error| VirtioError::Transport { access, offset, error })
}
