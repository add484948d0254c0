// SPDX-License-Identifier: MIT OR Apache-2.0
//! The common and the device configuration of a function, in words (virtio 4.1.4.3, 5.1.4).

use super::function::Function;
use super::virtqueue::Virtqueue;
use super::word::merge;
use millrace_regs::host::{Feature, HostField, MAX_QUEUE_SIZE, RING_ALIGNMENTS_LOG2, common, control, device, status};

const DEVICE_FEATURE_SELECT: u32 = common::DEVICE_FEATURE_SELECT.word();
const DEVICE_FEATURE: u32 = common::DEVICE_FEATURE.word();
const DRIVER_FEATURE_SELECT: u32 = common::DRIVER_FEATURE_SELECT.word();
const DRIVER_FEATURE: u32 = common::DRIVER_FEATURE.word();
const VECTOR_AND_COUNT: u32 = common::CONFIG_MSIX_VECTOR.word();
const STATUS_AND_SELECT: u32 = common::DEVICE_STATUS.word();
const SIZE_AND_VECTOR: u32 = common::QUEUE_SIZE.word();
const ENABLE_AND_NOTIFY: u32 = common::QUEUE_ENABLE.word();
const RINGS: u32 = common::QUEUE_DESC.word();
const NOTIFY_DATA_AND_RESET: u32 = common::QUEUE_RESET.word();
const RINGS_END: u32 = RINGS + 24;

/// Some byte of a field is written.
fn writes(strobe: u8, field: HostField) -> bool {
    let bytes = ((1u8 << (field.width / 8)) - 1) << (field.offset % 4);
    strobe & bytes != 0
}

fn get(word: u32, field: HostField) -> u32 {
    word >> field.low() & ((1u64 << field.width) - 1) as u32
}

fn place(value: impl Into<u32>, field: HostField) -> u32 {
    value.into() << field.low()
}

impl Function {
    /// A word of the device configuration.
    pub fn read_device(&self, offset: u32) -> u32 {
        const PAIRS_AND_MTU: u32 = device::MTU.word();
        const KEY_AND_TABLE: u32 = device::RSS_MAX_KEY_SIZE.word();
        const HASH_TYPES: u32 = device::SUPPORTED_HASH_TYPES.word();
        match offset {
            0 => self.mac[0],
            4 => self.mac[1],
            PAIRS_AND_MTU => place(self.pairs(), device::MAX_VIRTQUEUE_PAIRS) | place(self.mtu, device::MTU),
            KEY_AND_TABLE if self.has_controlq() => {
                place(control::KEY_BYTES as u32, device::RSS_MAX_KEY_SIZE)
                    | place(control::TABLE_ENTRIES as u32, device::RSS_MAX_INDIRECTION_TABLE_LENGTH)
            }
            HASH_TYPES if self.has_controlq() => control::HASH_TYPES,
            _ => 0,
        }
    }

    /// A word of the common configuration.
    pub fn read_common(&self, offset: u32) -> u32 {
        let common = &self.common;
        match offset {
            DEVICE_FEATURE_SELECT => common.device_feature_select,
            DEVICE_FEATURE => half(self.offered(), common.device_feature_select),
            DRIVER_FEATURE_SELECT => common.driver_feature_select,
            DRIVER_FEATURE => half(common.driver_features, common.driver_feature_select),
            VECTOR_AND_COUNT => {
                let count = self.queues.len() as u32;
                place(common.config_vector, common::CONFIG_MSIX_VECTOR) | place(count, common::NUM_QUEUES)
            }
            STATUS_AND_SELECT => {
                place(self.shown_status(), common::DEVICE_STATUS)
                    | place(self.generation, common::CONFIG_GENERATION)
                    | place(common.queue_select, common::QUEUE_SELECT)
            }
            _ => self.selected().map_or(0, |queue| self.read_queue(&self.queues[queue], offset)),
        }
    }

    /// The virtqueue that is selected, if the function has it.
    fn selected(&self) -> Option<usize> {
        let queue = self.common.queue_select.into();
        self.kind(queue).map(|_| queue)
    }

    fn read_queue(&self, queue: &Virtqueue, offset: u32) -> u32 {
        match offset {
            SIZE_AND_VECTOR => place(queue.size, common::QUEUE_SIZE) | place(queue.vector, common::QUEUE_MSIX_VECTOR),
            ENABLE_AND_NOTIFY => {
                place(queue.enabled, common::QUEUE_ENABLE) | place(self.common.queue_select, common::QUEUE_NOTIFY_OFF)
            }
            RINGS..RINGS_END => half(queue.rings[((offset - RINGS) / 8) as usize], offset / 4 % 2),
            NOTIFY_DATA_AND_RESET => place(queue.resetting, common::QUEUE_RESET),
            _ => 0,
        }
    }

    /// Writes bytes of a word of the common configuration.
    pub fn write_common(&mut self, offset: u32, data: u32, strobe: u8) {
        if self.resetting {
            return;
        }
        let word = merge(self.read_common(offset), data, strobe);
        let common = &mut self.common;
        match offset {
            DEVICE_FEATURE_SELECT => common.device_feature_select = word,
            DRIVER_FEATURE_SELECT => common.driver_feature_select = word,
            DRIVER_FEATURE => {
                if common.driver_feature_select <= 1 && common.status & status::FEATURES_OK == 0 {
                    set_half(&mut common.driver_features, common.driver_feature_select, word);
                }
            }
            VECTOR_AND_COUNT => common.config_vector = self.msix.known(get(word, common::CONFIG_MSIX_VECTOR) as u16),
            STATUS_AND_SELECT => {
                common.queue_select = get(word, common::QUEUE_SELECT) as u16;
                if writes(strobe, common::DEVICE_STATUS) {
                    self.write_status(get(word, common::DEVICE_STATUS) as u8);
                }
            }
            _ => self.write_queue(offset, word, strobe),
        }
    }

    fn write_status(&mut self, value: u8) {
        if value == 0 {
            self.resetting = true;
            return;
        }
        let mut set = value & !status::DEVICE_NEEDS_RESET;
        let features = self.common.driver_features;
        if features & !self.offered() != 0 || features & Feature::REQUIRED != Feature::REQUIRED {
            set &= !status::FEATURES_OK;
        }
        self.common.status |= set;
    }

    fn write_queue(&mut self, offset: u32, word: u32, strobe: u8) {
        let agreed = self.agreed();
        let has = |feature: Feature| agreed & feature.bit() != 0;
        let Some(number) = self.selected() else { return };
        let queue = &mut self.queues[number];
        if offset == NOTIFY_DATA_AND_RESET {
            let wanted = writes(strobe, common::QUEUE_RESET) && get(word, common::QUEUE_RESET) == 1;
            queue.resetting |= wanted && has(Feature::RingReset);
            return;
        }
        if queue.enabled || queue.resetting {
            return;
        }
        match offset {
            SIZE_AND_VECTOR => {
                let size = get(word, common::QUEUE_SIZE) as u16;
                let possible = size.is_power_of_two() || (has(Feature::RingPacked) && size != 0);
                if possible && size <= MAX_QUEUE_SIZE {
                    queue.size = size;
                }
                queue.vector = self.msix.known(get(word, common::QUEUE_MSIX_VECTOR) as u16);
            }
            ENABLE_AND_NOTIFY => {
                queue.enabled = writes(strobe, common::QUEUE_ENABLE) && get(word, common::QUEUE_ENABLE) == 1;
                queue.features = agreed;
            }
            RINGS..RINGS_END => {
                let ring = ((offset - RINGS) / 8) as usize;
                set_half(&mut queue.rings[ring], offset / 4 % 2, word);
                queue.rings[ring] &= u64::MAX << RING_ALIGNMENTS_LOG2[ring];
            }
            _ => {}
        }
    }
}

/// 32 of 64 bits; 0 where there are none.
fn half(value: u64, select: u32) -> u32 {
    if select <= 1 { (value >> (32 * select)) as u32 } else { 0 }
}

fn set_half(value: &mut u64, select: u32, word: u32) {
    *value = *value & !(0xffff_ffff << (32 * select)) | u64::from(word) << (32 * select);
}
