// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtqueue against a device whose every store is written out here.

use super::*;
use crate::virtio::LocalMemory;
use millrace_regs::host::Feature;

const ADDRESS: u64 = 0x10_0000;
const SIZE: u16 = 4;
const RINGS: Rings = Rings { descriptors: 0, available: 64, used: 80 };

fn queue(order: &[u16]) -> (LocalMemory, SplitQueue) {
    queue_with(order, 0)
}

fn queue_with(order: &[u16], features: u64) -> (LocalMemory, SplitQueue) {
    let memory = LocalMemory::new(ADDRESS, 0x1000);
    memory.write(0, &[0xff; 120]);
    let queue = SplitQueue::new(3, RINGS, &memory, order, features);
    (memory, queue)
}

fn piece(offset: usize, len: u32, writable: bool) -> Piece {
    Piece { offset, len, writable }
}

fn descriptor(memory: &LocalMemory, number: usize) -> (u64, u32, u16, u16) {
    let at = 16 * number;
    let address = u64::from(memory.load32(at + 4)) << 32 | u64::from(memory.load32(at));
    (address, memory.load32(at + 8), memory.load16(at + 12), memory.load16(at + 14))
}

/// The device uses a chain.
fn put_used(memory: &LocalMemory, index: u16, id: u32, len: u32) {
    let at = 84 + 8 * usize::from(index % SIZE);
    memory.store32(at, id);
    memory.store32(at + 4, len);
    memory.store16(82, index.wrapping_add(1));
}

#[test]
fn a_chain_lies_in_memory_as_virtio_says() {
    let (memory, mut queue) = queue(&[2, 0, 3, 1]);
    let head = queue.add(&memory, &[piece(0x200, 12, false), piece(0x300, 60, false), piece(0x400, 1, true)]);
    assert_eq!(head, Some(2));
    assert_eq!(descriptor(&memory, 2), (ADDRESS + 0x200, 12, 1, 0));
    assert_eq!(descriptor(&memory, 0), (ADDRESS + 0x300, 60, 1, 3));
    assert_eq!(descriptor(&memory, 3), (ADDRESS + 0x400, 1, 2, 0));
    assert_eq!(memory.load16(66), 0, "not shown");
    assert!(queue.show(&memory) && !queue.show(&memory));
    assert_eq!((memory.load16(66), memory.load16(68)), (1, 2));
    assert_eq!(queue.add(&memory, &[piece(0, 1, true), piece(1, 1, true)]), None, "one descriptor is free");
    assert_eq!((queue.free(), queue.base.chains.outstanding()), (1, 1));
}

#[test]
fn interrupts_are_asked_for_in_the_available_ring() {
    let (memory, mut queue) = queue(&[0, 1, 2, 3]);
    queue.want_interrupts(&memory, false);
    assert_eq!(memory.load16(64), 1);
    queue.want_interrupts(&memory, true);
    assert_eq!(memory.load16(64), 0);
}

#[test]
fn chains_come_back_in_any_order_and_indices_wrap() {
    let (memory, mut queue) = queue(&[0, 1, 2, 3]);
    let mut used = 0u16;
    for round in 0..40_000u32 {
        let first = queue.add(&memory, &[piece(0x200, 8, true)]).unwrap();
        let second = queue.add(&memory, &[piece(0x300, 8, true), piece(0x400, 8, true)]).unwrap();
        queue.show(&memory);
        assert_eq!(memory.load16(66), (2 * (round + 1)) as u16);
        for head in [second, first] {
            put_used(&memory, used, head.into(), 8);
            used = used.wrapping_add(1);
        }
        assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: second, len: 8 }));
        assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: first, len: 8 }));
        assert_eq!(queue.take(&memory).unwrap(), None);
        assert_eq!(queue.free(), 4);
    }
}

#[test]
fn what_the_device_must_not_write_is_an_error_that_stays() {
    type Device = fn(&LocalMemory);
    let cases: [(Device, &str); 6] = [
        (|memory| memory.store16(82, 3), "`used.idx` is 3, 3 ahead, but the function has 2 chains"),
        (|memory| memory.store16(82, 0xffff), "`used.idx` is 65535, 65535 ahead, but the function has 2 chains"),
        (|memory| put_used(memory, 0, 4, 0), "used entry 0 has id 4, which is no chain"),
        (|memory| put_used(memory, 0, 0x1_0000, 0), "used entry 0 has id 65536, which is no chain"),
        (|memory| put_used(memory, 0, 1, 0), "used entry 0 has id 1, which is no chain"),
        (|memory| put_used(memory, 0, 0, 9), "(id 0) says that 9 bytes were written to a chain of 8"),
    ];
    for (device, text) in cases {
        let (memory, mut queue) = queue(&[0, 1, 2, 3]);
        queue.add(&memory, &[piece(0x200, 30, false), piece(0x300, 8, true)]).unwrap();
        queue.add(&memory, &[piece(0x400, 1, true)]).unwrap();
        queue.show(&memory);
        device(&memory);
        for _ in 0..2 {
            let error = queue.take(&memory).unwrap_err().to_string();
            assert!(error.starts_with("virtqueue 3: ") && error.contains(text), "{error}");
        }
    }
}

#[test]
fn a_chain_is_used_once_and_only_when_it_was_shown() {
    let (memory, mut queue) = queue(&[0, 1, 2, 3]);
    queue.add(&memory, &[piece(0x200, 8, true)]).unwrap();
    put_used(&memory, 0, 0, 8);
    assert!(matches!(queue.take(&memory), Err(VirtioError::UsedIndex { outstanding: 0, .. })));
    queue.show(&memory);
    assert!(queue.take(&memory).unwrap().is_some());
    queue.add(&memory, &[piece(0x200, 8, true)]).unwrap();
    queue.show(&memory);
    put_used(&memory, 1, 0, 8);
    assert!(
        matches!(queue.take(&memory), Err(VirtioError::UsedId { entry: 1, id: 0, .. })),
        "descriptor 1 is the chain"
    );
}

/// `used_event` as the driver has it; `avail_event` is 2 bytes at 116.
fn used_event(memory: &LocalMemory) -> u16 {
    memory.load16(64 + 4 + 8)
}

#[test]
fn with_event_idx_the_device_is_notified_of_the_chain_that_it_waits_for() {
    let (memory, mut queue) = queue_with(&[0, 1, 2, 3], Feature::EventIdx.bit());
    // `avail_event`, chains that are shown at once, and whether one of them is the one.
    let steps =
        [(0, 1, true), (0, 1, false), (2, 1, true), (4, 1, false), (4, 2, true), (7, 1, false), (0xffff, 3, false)];
    let (mut used, mut shown) = (0u16, 0u16);
    for (event, count, expected) in steps {
        memory.store16(116, event);
        for _ in 0..count {
            queue.add(&memory, &[piece(0x200, 8, true)]).unwrap();
        }
        assert_eq!(queue.show(&memory), expected, "{event} with {count} behind {shown}");
        shown += count;
        while used < shown {
            put_used(&memory, used, u32::from(used % 4), 0);
            used += 1;
            assert!(queue.take(&memory).unwrap().is_some());
        }
    }
}

#[test]
fn with_event_idx_an_interrupt_is_asked_for_when_nothing_more_is_found() {
    let (memory, mut queue) = queue_with(&[0, 1, 2, 3], Feature::EventIdx.bit());
    queue.want_interrupts(&memory, false);
    assert_eq!(used_event(&memory), 0xffff);
    queue.want_interrupts(&memory, true);
    assert_eq!(used_event(&memory), 0);
    for _ in 0..2 {
        queue.add(&memory, &[piece(0x200, 8, true)]).unwrap();
    }
    queue.show(&memory);
    put_used(&memory, 0, 0, 0);
    put_used(&memory, 1, 1, 0);
    for id in 0..2 {
        assert_eq!(queue.take(&memory).unwrap(), Some(Used { id, len: 0 }));
        assert_eq!(used_event(&memory), 0, "there may be more");
    }
    assert_eq!((queue.take(&memory).unwrap(), used_event(&memory)), (None, 2));
}

#[test]
fn with_in_order_one_entry_stands_for_all_chains_before_it() {
    let (memory, mut queue) = queue_with(&[0, 1, 2, 3], Feature::InOrder.bit());
    for len in [5, 6, 7] {
        queue.add(&memory, &[piece(0x200, len, true)]).unwrap();
    }
    queue.show(&memory);
    memory.store32(84, 2);
    memory.store32(88, 3);
    memory.store16(82, 2);
    assert!(matches!(queue.take(&memory), Err(VirtioError::UsedId { entry: 0, id: 2, .. })), "`used.idx` counts two");
    memory.store16(82, 3);
    // The look before counts: what it saw is taken first.
    let (memory, mut queue) = queue_with(&[0, 1, 2, 3], Feature::InOrder.bit());
    for len in [5, 6, 7] {
        queue.add(&memory, &[piece(0x200, len, true)]).unwrap();
    }
    queue.show(&memory);
    memory.store32(84, 2);
    memory.store32(88, 3);
    memory.store16(82, 3);
    for (id, len) in [(0, 5), (1, 6), (2, 3)] {
        assert_eq!(queue.take(&memory).unwrap(), Some(Used { id, len }), "those before are filled");
    }
    assert_eq!((queue.take(&memory).unwrap(), queue.free()), (None, 4));
}
