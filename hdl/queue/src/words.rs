// SPDX-License-Identifier: MIT OR Apache-2.0
//! The words that the sequencer keeps in RAM, and what is read and written of them.

use crate::types::{Negotiated, Policy};
use millrace_regs::host::*;
use rust_hdl_core::prelude::*;

/// Words of a function in the RAM: these, and its registers of the ECPF from [`REGISTERS`] on, by offset.
pub const DEVICE_SELECT: u32 = 0;
pub const DRIVER_LOW: u32 = 1;
pub const DRIVER_SELECT: u32 = 2;
pub const DRIVER_HIGH: u32 = 3;
pub const VECTOR: u32 = 4;
/// `queue_select` in 31:16, `config_generation` in 15:8, `device_status` in 7:0: word 0x14 of the common configuration.
pub const STATE: u32 = 5;
pub const ISR_STATUS: u32 = 6;
pub const FIRST_FAULT: u32 = 7;
/// The number of the function's first virtqueue.
pub const BASE: u32 = 8;
/// Of function 0: `DMA_TIMEOUT`.
pub const TIME_LIMIT: u32 = 11;
/// The first of four words, by the offsets of [`LIMIT_REGISTERS`].
pub const LIMIT_WORDS: u32 = 12;
pub const BURST: u32 = LIMIT_WORDS + FUNCTION_BURST.offset / 4;
pub const REGISTERS: u32 = 16;
pub const MASK_LOW: u32 = REGISTERS + FUNCTION_FEATURES_LO.offset / 4;
pub const MASK_HIGH: u32 = REGISTERS + FUNCTION_FEATURES_HI.offset / 4;
pub const WINDOW: u32 = REGISTERS + FUNCTION_FIRST_LO.offset / 4;
/// The words of `mac`; the second holds `status` too.
pub const MAC: u32 = REGISTERS + FUNCTION_MAC_LO.offset / 4;
pub const MAC_END: u32 = REGISTERS + FUNCTION_MAC_HI.offset / 4;
pub const POLICY: u32 = REGISTERS + FUNCTION_POLICY.offset / 4;
/// `MODE` of the ECPF's configuration space.
pub const MODE: u32 = MODE_ADDRESS & OFFSET;
pub const NIC: usize = pci::mode::NIC.trailing_zeros() as usize;
pub const CHANGING: usize = pci::mode::CHANGING.trailing_zeros() as usize;
pub const LAST_OF_FUNCTION: u32 = 31;
/// The last of those that a function's reset clears.
pub const LAST_OF_RESET: u32 = FIRST_FAULT;

/// Words of a virtqueue: bits 4:2 of their offset in the common configuration, so that the addresses come first.
pub const SIZE: u32 = common::QUEUE_SIZE.offset / 4 % 8;
/// `queue_enable` and `queue_notify_off` are not kept there: function in 31:24, number in it in 15:0.
pub const OWNER: u32 = common::QUEUE_ENABLE.offset / 4 % 8;

/// Word that a field of the common configuration lies in.
pub const fn word_of(field: HostField) -> u32 {
    field.offset / 4
}

pub const OFFERED_LOW: u32 = Feature::OFFERED as u32;
pub const OFFERED_HIGH: u32 = (Feature::OFFERED >> 32) as u32;
pub const OFFERED_BY_ECPF_LOW: u32 = Feature::offered_by(ECPF) as u32;
pub const OFFERED_BY_ECPF_HIGH: u32 = (Feature::offered_by(ECPF) >> 32) as u32;
pub const REQUIRED_HIGH: u32 = (Feature::REQUIRED >> 32) as u32;

/// [`NO_VECTOR`], and others, as kernels take them.
pub const NONE: u32 = NO_VECTOR as u32;
/// A virtqueue's vector and size after reset.
pub const VECTOR_AND_SIZE: u32 = (NO_VECTOR as u32) << 16 | MAX_QUEUE_SIZE as u32;
pub const LARGEST: u32 = MAX_QUEUE_SIZE as u32;
pub const ISR_QUEUE: u32 = isr::QUEUE as u32;
pub const ISR_CONFIGURATION: u32 = isr::CONFIGURATION as u32;
pub const NEEDS_RESET: u32 = status::DEVICE_NEEDS_RESET as u32;
pub const DRIVER_OK: usize = status::DRIVER_OK.trailing_zeros() as usize;
pub const FEATURES_OK: usize = status::FEATURES_OK.trailing_zeros() as usize;
pub const PAGE: usize = WINDOW_SHIFT as usize;
pub const MERGE_BIT: usize = Feature::MergeableBuffers as usize;
pub const MQ_BIT: usize = Feature::Mq as usize;
/// In the upper half.
pub const RSS_BIT: usize = Feature::Rss as usize - 32;
const INDIRECT: usize = Feature::IndirectDesc as usize;
const EVENT_IDX: usize = Feature::EventIdx as usize;
const CSUM: usize = Feature::Csum as usize;
const HOST_TSO4: usize = Feature::HostTso4 as usize;
const HOST_TSO6: usize = Feature::HostTso6 as usize;
const HOST_ECN: usize = Feature::HostEcn as usize;
const PACKED: usize = Feature::RingPacked as usize - 32;
const IN_ORDER: usize = Feature::InOrder as usize - 32;
const HOST_USO: usize = Feature::HostUso as usize - 32;
/// In the upper half.
pub const RING_RESET: usize = Feature::RingReset as usize - 32;

/// `rss_max_key_size` and `rss_max_indirection_table_length`, with `duplex`.
pub const KEY_AND_TABLE: u32 = (control::KEY_BYTES as u32) << device::RSS_MAX_KEY_SIZE.low()
    | (control::TABLE_ENTRIES as u32) << device::RSS_MAX_INDIRECTION_TABLE_LENGTH.low();

/// Bits of `device_status` that a write sets as they are.
pub const SETTABLE: u32 = !((status::FEATURES_OK | status::DEVICE_NEEDS_RESET) as u32) & 0xff;

/// The lower half of a ring's address, without the bits below its alignment.
pub const fn aligned(ring: usize) -> u32 {
    u32::MAX << RING_ALIGNMENTS_LOG2[ring]
}

/// Bits of an offset in a BAR.
pub const OFFSET: u32 = (1 << FUNCTION_SHIFT) - 1;

/// Bits of an offset that tell whether it lies in the block.
pub const fn mask_of(block: HostBlock) -> u32 {
    !(block.bytes - 1) & OFFSET
}

/// Copies of a block that there is one of for each function: as many as an address tells apart.
const COPIES: u32 = MAX_FUNCTIONS as u32 + 1;

/// The same for all copies of [`FUNCTION`].
pub const FUNCTION_MASK: u32 = !(FUNCTION.stride * COPIES - 1) & OFFSET;

/// The same for all copies of [`LIMITS`].
pub const LIMITS_MASK: u32 = !(LIMITS.stride * COPIES - 1) & OFFSET;

/// The same for the entries of all vectors, and for their pending bits.
pub const ENTRY_MASK: u32 = !(MSIX_TABLE.stride * MAX_VECTORS as u32 - 1) & OFFSET;
pub const PENDING_MASK: u32 = !(MAX_VECTORS as u32 / 8 - 1) & OFFSET;

/// Bits of a vector's number that tell the quadword of its pending bit.
pub const QUADWORD: u32 = !63 & 0xffff;

/// `old` with the bytes of `new` that the strobe names.
#[millrace_hdl::function]
pub fn merged(old: Bits<32>, new: Bits<32>, strobe: Bits<4>) -> Bits<32> {
    let byte0 = if strobe.get_bit(0) { new.get_bits::<8>(0) } else { old.get_bits::<8>(0) };
    let byte1 = if strobe.get_bit(1) { new.get_bits::<8>(8) } else { old.get_bits::<8>(8) };
    let byte2 = if strobe.get_bit(2) { new.get_bits::<8>(16) } else { old.get_bits::<8>(16) };
    let byte3 = if strobe.get_bit(3) { new.get_bits::<8>(24) } else { old.get_bits::<8>(24) };
    concat::<32>(byte3, byte2, byte1, byte0)
}

/// What `driver_feature` says of virtqueues.
#[millrace_hdl::function]
pub fn negotiated(low: Bits<32>, high: Bits<32>) -> Negotiated {
    let features: Negotiated = Negotiated {
        indirect: low.get_bit(INDIRECT),
        event_idx: low.get_bit(EVENT_IDX),
        packed: high.get_bit(PACKED),
        in_order: high.get_bit(IN_ORDER),
        csum: low.get_bit(CSUM),
        host_tso4: low.get_bit(HOST_TSO4),
        host_tso6: low.get_bit(HOST_TSO6),
        host_ecn: low.get_bit(HOST_ECN),
        host_uso: high.get_bit(HOST_USO),
    };
    features
}

/// A number up to [`MAX_QUEUE_SIZE`]: of a split virtqueue a power of two (virtio 2.7, 2.8.10.1).
#[millrace_hdl::function]
pub fn is_size(size: Bits<16>, packed: Bit) -> Bit {
    let lower = size & (size - 1);
    size.any() & (packed | !lower.any()) & (size <= LARGEST)
}

/// The vector, of a function with this many virtqueues and one vector more; or [`NO_VECTOR`] if it has no such vector.
#[millrace_hdl::function]
pub fn vector_of(written: Bits<16>, queues: Bits<16>) -> Bits<16> {
    let mut vector = written;
    if written > queues {
        vector = NONE;
    }
    vector
}

/// The word of a function that an access to the common configuration is for; `low`: of a select field that holds 0.
#[millrace_hdl::function]
pub fn common_target(at: Bits<4>, low: Bit) -> Bits<5> {
    let mut target = cast::<5>(at);
    if at == word_of(common::DEVICE_FEATURE) {
        target = if low { MASK_LOW } else { MASK_HIGH };
    }
    if at == word_of(common::DRIVER_FEATURE) {
        target = if low { DRIVER_LOW } else { DRIVER_HIGH };
    }
    target
}

/// The bits of the common configuration's word that can be 1.
#[millrace_hdl::function]
pub fn common_mask(at: Bits<4>) -> Bits<32> {
    let mut mask: Bits<32> = u32::MAX;
    if at == word_of(common::CONFIG_MSIX_VECTOR) {
        mask = NONE;
    }
    if at == word_of(common::QUEUE_DESC) {
        mask = aligned(0);
    }
    if at == word_of(common::QUEUE_DRIVER) {
        mask = aligned(1);
    }
    if at == word_of(common::QUEUE_DEVICE) {
        mask = aligned(2);
    }
    mask
}

/// The same of what the ECPF sets; bits 11:0 of `FUNCTION_LAST_LO` are always 1.
#[millrace_hdl::function]
pub fn register_mask(at: Bits<4>) -> Bits<32> {
    let mut mask: Bits<32> = u32::MAX;
    if at == FUNCTION_MTU.offset / 4 {
        mask = FUNCTION_MTU.mask();
    }
    if at == FUNCTION_FIRST_LO.offset / 4 {
        mask = FUNCTION_FIRST_LO.mask();
    }
    if at == FUNCTION_MODERATION.offset / 4 {
        mask = FUNCTION_MODERATION.mask();
    }
    if at == FUNCTION_POLICY.offset / 4 {
        mask = FUNCTION_POLICY.mask();
    }
    mask
}

/// The bits that can be written of a word of [`LIMITS`].
#[millrace_hdl::function]
pub fn limit_mask(at: Bits<2>) -> Bits<32> {
    let mut mask: Bits<32> = 0;
    if at == FUNCTION_RATE.offset / 4 {
        mask = FUNCTION_RATE.mask();
    }
    if at == FUNCTION_BURST.offset / 4 {
        mask = FUNCTION_BURST.mask();
    }
    if at == FUNCTION_WEIGHT.offset / 4 {
        mask = FUNCTION_WEIGHT.mask();
    }
    if at == FUNCTION_SAMPLES.offset / 4 {
        mask = FUNCTION_SAMPLES.mask();
    }
    mask
}

/// The lower half of what a function offers under a mask of ones, and the upper.
#[millrace_hdl::function]
pub fn offered_low(ecpf: Bit) -> Bits<32> {
    let low: Bits<32> = if ecpf { OFFERED_BY_ECPF_LOW } else { OFFERED_LOW };
    low
}

#[millrace_hdl::function]
pub fn offered_high(ecpf: Bit) -> Bits<32> {
    let high: Bits<32> = if ecpf { OFFERED_BY_ECPF_HIGH } else { OFFERED_HIGH };
    high
}

/// What a word of the common configuration reads that is `old` in RAM. `low` and `high`: the select field holds 0, 1.
#[millrace_hdl::function]
pub fn common_answer(
    at: Bits<4>,
    old: Bits<32>,
    low: Bit,
    high: Bit,
    ecpf: Bit,
    queues: Bits<16>,
    queue: Bits<16>,
    exists: Bit,
    is_enabled: Bit,
    is_reset: Bit,
) -> Bits<32> {
    let mut answer = old;
    if at == word_of(common::DEVICE_FEATURE) {
        answer = 0;
        if low {
            answer = old & offered_low(ecpf);
        }
        if high {
            answer = (old & offered_high(ecpf)) | REQUIRED_HIGH;
        }
    }
    if (at == word_of(common::DRIVER_FEATURE)) & !(low | high) {
        answer = 0;
    }
    if at == word_of(common::NUM_QUEUES) {
        answer = concat::<32>(queues, old.get_bits::<16>(0));
    }
    if at == word_of(common::QUEUE_NOTIFY_OFF) {
        answer = concat::<32>(queue, cast::<16>(is_enabled));
    }
    let behind = at > word_of(common::QUEUE_RESET);
    if at == word_of(common::QUEUE_RESET) {
        answer = cast::<32>(is_reset) << 16;
    }
    if behind | ((at >= word_of(common::QUEUE_SIZE)) & !exists) {
        answer = 0;
    }
    answer
}

/// The same of the device configuration.
#[millrace_hdl::function]
pub fn device_answer(at: Bits<3>, old: Bits<32>, ecpf: Bit, queues: Bits<16>) -> Bits<32> {
    let mut answer = old;
    if at == device::MAX_VIRTQUEUE_PAIRS.offset / 4 {
        answer = concat::<32>(old.get_bits::<16>(0), queues >> 1);
    }
    if at > device::MAX_VIRTQUEUE_PAIRS.offset / 4 {
        answer = 0;
    }
    if !ecpf & (at == device::RSS_MAX_KEY_SIZE.offset / 4) {
        answer = KEY_AND_TABLE;
    }
    if !ecpf & (at == device::SUPPORTED_HASH_TYPES.offset / 4) {
        answer = control::HASH_TYPES;
    }
    answer
}

/// The same of what the ECPF sees. `dropped` is the counter of that register, if it is one.
#[millrace_hdl::function]
pub fn register_answer(at: Bits<4>, old: Bits<32>, status: Bits<8>, master: Bit, dropped: Bits<32>) -> Bits<32> {
    let mut answer = old;
    if at == FUNCTION_STATE.offset / 4 {
        answer = cast::<32>(concat::<9>(master, status));
    }
    let refused = at == FUNCTION_REFUSED.offset / 4;
    if refused | (at == FUNCTION_NO_BUFFER.offset / 4) | (at == FUNCTION_BAD_OFFLOAD.offset / 4) {
        answer = dropped;
    }
    answer
}

/// The policy that these registers say: `FUNCTION_MAC_LO`, `FUNCTION_MAC_HI`, `FUNCTION_POLICY`.
#[millrace_hdl::function]
pub fn policy_of(mac_low: Bits<32>, mac_high: Bits<32>, policy: Bits<32>) -> Policy {
    let made: Policy = Policy {
        mac: concat::<48>(mac_high.get_bits::<16>(0), mac_low),
        vlan: policy.get_bits::<12>(0),
        priority: policy.get_bits::<3>(13),
        service: policy.get_bit(16),
        spoof_check: policy.get_bit(17),
        trust: policy.get_bit(18),
    };
    made
}

/// A word of a function after reset. `vq` is its first virtqueue; `config_generation` stays.
#[millrace_hdl::function]
pub fn cleared_word(number: Bits<5>, vq: Bits<32>, generation: Bits<8>) -> Bits<32> {
    let mut word: Bits<32> = 0;
    let zero: Bits<8> = 0;
    if number == VECTOR {
        word = NONE;
    }
    if number == STATE {
        word = concat::<32>(cast::<24>(generation), zero);
    }
    if number == BASE {
        word = vq;
    }
    if number == TIME_LIMIT {
        word = DMA_TIMEOUT_RESET;
    }
    if number == BURST {
        word = FUNCTION_BURST_RESET;
    }
    let mask = (number == MASK_LOW) | (number == MASK_HIGH);
    if mask | (number == WINDOW + 2) | (number == WINDOW + 3) {
        word = u32::MAX;
    }
    word
}

/// A word of a virtqueue after reset.
#[millrace_hdl::function]
pub fn cleared_queue_word(number: Bits<3>, function: Bits<8>, local: Bits<16>) -> Bits<32> {
    let mut word: Bits<32> = 0;
    let zero: Bits<8> = 0;
    if number == SIZE {
        word = VECTOR_AND_SIZE;
    }
    if number == OWNER {
        word = concat::<32>(function, zero, local);
    }
    word
}
