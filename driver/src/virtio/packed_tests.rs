// SPDX-License-Identifier: MIT OR Apache-2.0
//! A packed virtqueue against a device whose every store is written out here.

use super::*;
use crate::virtio::LocalMemory;
use millrace_regs::host::Feature;

const ADDRESS: u64 = 0x10_0000;
const RINGS: Rings = Rings { descriptors: 0, available: 0x100, used: 0x104 };

/// A queue of three.
fn queue(features: u64) -> (LocalMemory, PackedQueue) {
    let memory = LocalMemory::new(ADDRESS, 0x1000);
    memory.write(0, &[0xff; 0x108]);
    let queue = PackedQueue::new(3, RINGS, &memory, &[2, 0, 1], features);
    (memory, queue)
}

fn piece(offset: usize, len: u32, writable: bool) -> Piece {
    Piece { offset, len, writable }
}

/// Address, `len`, `id` and `flags`.
fn descriptor(memory: &LocalMemory, slot: usize) -> (u64, u32, u16, u16) {
    let at = 16 * slot;
    let address = u64::from(memory.load32(at + 4)) << 32 | u64::from(memory.load32(at));
    (address, memory.load32(at + 8), memory.load16(at + 12), memory.load16(at + 14))
}

/// The device uses the `count`th descriptor, from 0 on.
fn put_used(memory: &LocalMemory, count: usize, id: u16, len: u32, flags: u16) {
    let at = 16 * (count % 3);
    memory.store32(at + 8, len);
    memory.store16(at + 12, id);
    memory.store16(at + 14, flags | if (count / 3).is_multiple_of(2) { AVAIL | USED } else { 0 });
}

#[test]
fn a_chain_lies_in_memory_as_virtio_says() {
    let (memory, mut queue) = queue(0);
    assert_eq!(queue.add(&memory, &[piece(0x200, 12, false), piece(0x300, 60, true)]), Some(2));
    assert_eq!(queue.add(&memory, &[piece(0x400, 1, false)]), Some(0));
    assert_eq!(descriptor(&memory, 0), (ADDRESS + 0x200, 12, 2, 0), "not shown");
    assert_eq!(descriptor(&memory, 1), (ADDRESS + 0x300, 60, 2, AVAIL | WRITE));
    assert_eq!(descriptor(&memory, 2), (ADDRESS + 0x400, 1, 0, AVAIL));
    assert_eq!(queue.add(&memory, &[piece(0, 1, true)]), None);
    assert!(queue.show(&memory) && !queue.show(&memory));
    assert_eq!(descriptor(&memory, 0).3, AVAIL | NEXT);
    assert_eq!(
        (queue.free(), queue.base.chains.outstanding(), queue.next()),
        (0, 2, 0),
        "the second lap has wrap counter 0"
    );
}

#[test]
fn chains_come_back_in_any_order_and_laps_change_the_flags() {
    let (memory, mut queue) = queue(0);
    let mut count = 0;
    for round in 0..200u16 {
        let first = queue.add(&memory, &[piece(0x200, 8, true), piece(0x300, 8, true)]).unwrap();
        let second = queue.add(&memory, &[piece(0x400, 8, true)]).unwrap();
        queue.show(&memory);
        for slot in 0..3 {
            let lap = if round.is_multiple_of(2) { AVAIL } else { USED };
            assert_eq!(descriptor(&memory, slot).3 & (AVAIL | USED), lap, "{round}");
        }
        put_used(&memory, count, second, 5, WRITE);
        assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: second, len: 5 }));
        assert_eq!(queue.take(&memory).unwrap(), None, "the second chain took one descriptor");
        put_used(&memory, count + 1, first, 16, WRITE);
        assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: first, len: 16 }));
        assert_eq!((queue.take(&memory).unwrap(), queue.free(), queue.base.chains.outstanding()), (None, 3, 0));
        count += 3;
    }
}

#[test]
fn a_length_counts_only_with_the_flag_that_says_so() {
    let (memory, mut queue) = queue(0);
    queue.add(&memory, &[piece(0x200, 8, false)]).unwrap();
    queue.show(&memory);
    put_used(&memory, 0, 2, 1234, 0);
    assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: 2, len: 0 }));
}

#[test]
fn what_the_device_must_not_write_is_an_error_that_stays() {
    let cases = [
        (3, 0, "used entry 0 has id 3, which is no chain"),
        (1, 0, "used entry 0 has id 1, which is no chain"),
        (0, 0, "used entry 0 has id 0, which is no chain"),
        (2, 9, "used entry 0 (id 2) says that 9 bytes were written to a chain of 8"),
    ];
    for (id, len, text) in cases {
        let (memory, mut queue) = queue(0);
        queue.add(&memory, &[piece(0x200, 8, true)]).unwrap();
        queue.show(&memory);
        // This one the device was not shown.
        queue.add(&memory, &[piece(0x300, 8, true)]).unwrap();
        put_used(&memory, 0, id, len, WRITE);
        for _ in 0..2 {
            let error = queue.take(&memory).unwrap_err().to_string();
            assert!(error.starts_with("virtqueue 3: ") && error.contains(text), "{error}");
        }
    }
}

#[test]
fn with_in_order_one_descriptor_stands_for_all_chains_before_it() {
    let (memory, mut queue) = queue(Feature::InOrder.bit());
    let ids = [0, 1].map(|_| queue.add(&memory, &[piece(0x200, 8, false)]).unwrap());
    queue.show(&memory);
    put_used(&memory, 0, ids[1], 0, 0);
    assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: ids[0], len: 0 }));
    assert_eq!((queue.free(), queue.base.chains.outstanding()), (2, 1));
    assert_eq!(queue.take(&memory).unwrap(), Some(Used { id: ids[1], len: 0 }));
    assert_eq!((queue.take(&memory).unwrap(), queue.free()), (None, 3));
    let id = queue.add(&memory, &[piece(0x200, 8, false)]).unwrap();
    queue.show(&memory);
    put_used(&memory, 2, id, 0, 0);
    assert_eq!(queue.take(&memory).unwrap(), Some(Used { id, len: 0 }), "behind the batch");
}

#[test]
fn the_device_is_notified_as_its_event_suppression_says() {
    let event = Feature::EventIdx.bit();
    // A queue of three at place 2 of the first lap shows two descriptors: places 2, and 0 of the second lap.
    let cases = [
        (0, 0u32, 0u32, true),
        (0, 1, 0, false),
        (0, 2, 0x8001, true),
        (event, 0, 0x8001, true),
        (event, 1, 0x8002, false),
        (event, 3, 0x8001, true),
        (event, 2, 0x8001, false),
        (event, 2, 0x8002, true),
        (event, 2, 0x0000, true),
        (event, 2, 0x0001, false),
        (event, 2, 0x0002, false),
        (event, 2, 0x8000, false),
        (event, 0xfffe, 0x8002, true),
    ];
    for (features, flags, desc, expected) in cases {
        let (memory, mut queue) = queue(features);
        for count in 0..2 {
            let id = queue.add(&memory, &[piece(0x200, 8, false)]).unwrap();
            queue.show(&memory);
            put_used(&memory, count, id, 0, 0);
            queue.take(&memory).unwrap();
        }
        memory.store32(RINGS.used, desc | flags << 16);
        for _ in 0..2 {
            queue.add(&memory, &[piece(0x200, 8, false)]).unwrap();
        }
        assert_eq!(queue.show(&memory), expected, "{features:#x} {flags} {desc:#x}");
    }
}

#[test]
fn interrupts_are_asked_for_in_the_drivers_event_suppression() {
    let (memory, mut queue) = queue(0);
    assert_eq!(memory.load32(RINGS.available), 0);
    queue.want_interrupts(&memory, false);
    assert_eq!(memory.load32(RINGS.available), 1 << 16);
    queue.want_interrupts(&memory, true);
    assert_eq!(memory.load32(RINGS.available), 0);

    let (memory, mut queue) = self::queue(Feature::EventIdx.bit());
    queue.want_interrupts(&memory, true);
    assert_eq!(memory.load32(RINGS.available), 2 << 16 | 0x8000);
    for (count, desc) in (0..).zip([0x8001, 0x8002, 0x0000, 0x0001, 0x0002, 0x8000]) {
        let id = queue.add(&memory, &[piece(0x200, 8, false)]).unwrap();
        queue.show(&memory);
        put_used(&memory, count, id, 0, 0);
        let before = memory.load32(RINGS.available);
        assert!(queue.take(&memory).unwrap().is_some());
        assert_eq!(memory.load32(RINGS.available), before, "there may be more");
        assert_eq!((queue.take(&memory).unwrap(), memory.load32(RINGS.available)), (None, 2 << 16 | desc));
    }
}
