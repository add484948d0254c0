// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Faults": each reason, and what it leaves alone.

use super::*;

const BUFFER: u64 = 0x10_0000;

/// A function with queues of four descriptors, each a buffer of its own; nothing is offered.
fn bench(function: u32) -> (Bench, Vec<Ring>) {
    let mut bench = Bench::new();
    let rings = bench.start(function, Feature::MergeableBuffers.bit(), 4);
    for ring in &rings {
        for number in 0..4 {
            let flags = if ring.queue % 2 == 0 { WRITE } else { 0 };
            bench.descriptor(*ring, number, BUFFER + 0x1000 * u64::from(number), 100, flags, 0);
        }
    }
    (bench, rings)
}

/// The queue is notified, and stops for this reason; all around it goes on.
fn assert_fault(bench: &mut Bench, ring: Ring, reason: FaultReason) {
    let function = ring.function;
    bench.notify(ring);
    bench.run();
    let word = reason as u32 | ring.queue << 16;
    assert_eq!(bench.read(function, 0x300), word, "{}", reason.name());
    assert_eq!(bench.read(0, 0x4000 + 0x40 * function + 0x28), word);
    assert_eq!((bench.status(function), bench.read(function, 0x100)), (15 | 64, 2));
    assert_eq!(bench.interrupts(), [(function as usize, 0)]);
    assert_eq!((bench.used_index(ring), bench.frames()), (0, vec![]), "nothing is used or put out");
    assert_stopped(bench, ring);
    let other = Ring { queue: if ring.queue == 1 { 3 } else { 1 }, ..ring };
    bench.offer(other, 1);
    bench.notify(other);
    bench.run();
    assert_eq!((bench.used_index(other), bench.frames().len()), (1, 1), "another queue goes on");
}

/// The queue begins nothing more.
fn assert_stopped(bench: &mut Bench, ring: Ring) {
    bench.ram.accesses.clear();
    bench.notify(ring);
    bench.run();
    if ring.queue.is_multiple_of(2) {
        assert_eq!(bench.deliver(ring, &[0; 20]), Delivered::NoBuffer);
    }
    assert_eq!(bench.ram.accesses, []);
}

#[test]
fn avail_index_must_not_run_ahead_by_more_than_the_size() {
    for (queue, index) in [(0, 5), (1, 5), (1, 0xffff), (0, 0x8000)] {
        let (mut bench, rings) = bench(1);
        bench.ram.put(rings[queue].driver() + 2, &u16::to_le_bytes(index));
        assert_fault(&mut bench, rings[queue], FaultReason::AvailIndex);
    }
    let (mut bench, rings) = bench(1);
    (0..4).for_each(|head| bench.offer(rings[1], head));
    bench.notify(rings[1]);
    bench.run();
    assert_eq!((bench.status(1), bench.used_index(rings[1])), (15, 4), "as many as there are is no fault");
}

#[test]
fn a_head_must_be_a_descriptor() {
    for head in [4, 0xffff] {
        let (mut bench, rings) = bench(1);
        bench.offer(rings[1], head);
        assert_fault(&mut bench, rings[1], FaultReason::Head);
    }
}

#[test]
fn next_must_be_a_descriptor_where_there_is_a_next() {
    for queue in 0..2 {
        let (mut bench, rings) = bench(1);
        let write = if queue == 0 { WRITE } else { 0 };
        bench.descriptor(rings[queue], 2, BUFFER, 100, write | NEXT, 4);
        bench.offer(rings[queue], 2);
        assert_fault(&mut bench, rings[queue], FaultReason::Next);
    }
    let (mut bench, rings) = bench(1);
    bench.descriptor(rings[1], 2, BUFFER, 100, 0, 4);
    bench.offer(rings[1], 2);
    bench.notify(rings[1]);
    bench.run();
    assert_eq!((bench.status(1), bench.used_index(rings[1])), (15, 1), "the last one's is not looked at");
}

#[test]
fn a_chain_has_no_more_descriptors_than_the_queue_and_four_in_a_receiveq() {
    let (mut bench, rings) = bench(1);
    bench.descriptor(rings[1], 2, BUFFER, 100, NEXT, 2);
    bench.offer(rings[1], 2);
    assert_fault(&mut bench, rings[1], FaultReason::Chain);

    for len in [4, 5] {
        let mut bench = Bench::new();
        let ring = bench.start(1, 0, 8)[0];
        for number in 0..len {
            bench.descriptor(ring, number, BUFFER, 100, WRITE | if number + 1 < len { NEXT } else { 0 }, number + 1);
        }
        bench.offer(ring, 0);
        bench.notify(ring);
        bench.run();
        let fault = if len == 5 { FaultReason::Chain as u32 } else { 0 };
        assert_eq!(bench.read(1, 0x300), fault);
    }
}

#[test]
fn descriptors_have_the_direction_of_their_queue() {
    for (queue, flags) in [(0, 0), (1, WRITE)] {
        let (mut bench, rings) = bench(1);
        bench.descriptor(rings[queue], 0, BUFFER, 100, (WRITE * u16::from(queue == 0)) | NEXT, 3);
        bench.descriptor(rings[queue], 3, BUFFER, 100, flags, 0);
        bench.offer(rings[queue], 0);
        assert_fault(&mut bench, rings[queue], FaultReason::Direction);
    }
}

#[test]
fn descriptors_are_not_empty_and_not_indirect() {
    for (len, flags, reason) in [(0, 0, FaultReason::Empty), (16, INDIRECT, FaultReason::Indirect)] {
        let (mut bench, rings) = bench(1);
        bench.descriptor(rings[1], 0, BUFFER, 100, NEXT, 3);
        bench.descriptor(rings[1], 3, BUFFER, len, flags, 0);
        bench.offer(rings[1], 0);
        assert_fault(&mut bench, rings[1], reason);
    }
}

#[test]
fn a_chain_of_a_transmitq_is_at_most_65601_bytes_long() {
    let (mut bench, rings) = bench(1);
    bench.descriptor(rings[1], 0, BUFFER, 65_501, NEXT, 3);
    bench.offer(rings[1], 0);
    bench.notify(rings[1]);
    bench.run();
    assert_eq!(bench.frames()[0].frame.len(), 65_601 - 12);
    for lengths in [[65_502, 100], [u32::MAX, u32::MAX]] {
        let (mut bench, rings) = self::bench(1);
        bench.descriptor(rings[1], 0, BUFFER, lengths[0], NEXT, 3);
        bench.descriptor(rings[1], 3, BUFFER, lengths[1], 0, 0);
        bench.offer(rings[1], 0);
        assert_fault(&mut bench, rings[1], FaultReason::TooLong);
    }
}

#[test]
fn a_chain_of_a_transmitq_goes_on_behind_its_header() {
    for (function, header) in [(1, 12), (0, 44)] {
        let (mut bench, rings) = bench(function);
        bench.descriptor(rings[1], 0, BUFFER, header + 1, 0, 3);
        bench.offer(rings[1], 0);
        bench.notify(rings[1]);
        bench.run();
        assert_eq!((bench.used_index(rings[1]), bench.frames()[0].frame.len()), (1, 1));
        let (mut bench, rings) = self::bench(function);
        bench.descriptor(rings[1], 0, BUFFER, header - 1, NEXT, 3);
        bench.descriptor(rings[1], 3, BUFFER, 1, 0, 3);
        bench.offer(rings[1], 0);
        assert_fault(&mut bench, rings[1], FaultReason::Header);
    }
}

#[test]
fn addresses_are_inside_the_window_of_the_function() {
    let set = |bench: &mut Bench, first: u64, last: u64| {
        for (offset, word) in
            [(0x14, first as u32), (0x18, (first >> 32) as u32), (0x1c, last as u32), (0x20, (last >> 32) as u32)]
        {
            bench.write(0, 0x4040 + offset, word);
        }
    };
    let (first, last) = (BUFFER, 0x2_0000_0fff);
    for (address, len, fine) in [
        (first, 100, true),
        (first - 1, 100, false),
        (last - 99, 100, true),
        (last - 98, 100, false),
        (last + 1, 100, false),
        (u64::MAX - 98, 100, false),
    ] {
        let (mut bench, rings) = bench(1);
        set(&mut bench, first, last);
        bench.descriptor(rings[1], 0, address, len, 0, 0);
        bench.offer(rings[1], 0);
        if fine {
            bench.notify(rings[1]);
            bench.run();
            assert_eq!((bench.status(1), bench.used_index(rings[1])), (15, 1), "{address:#x}");
        } else {
            assert_fault(&mut bench, rings[1], FaultReason::Window);
        }
    }
    let (mut bench, rings) = bench(1);
    bench.descriptor(rings[1], 0, u64::MAX - 98, 100, 0, 0);
    bench.offer(rings[1], 0);
    assert_fault(&mut bench, rings[1], FaultReason::Window);
}

#[test]
fn rings_outside_the_window_are_not_touched() {
    let (mut bench, rings) = bench(2);
    bench.write(0, 0x4080 + 0x14, (rings[0].desc() >> 12 << 12) as u32 + 0x1_0000);
    bench.write(0, 0x4080 + 0x18, 1);
    bench.ram.accesses.clear();
    bench.notify(rings[0]);
    bench.run();
    assert_eq!((bench.read(2, 0x300), bench.ram.accesses.len()), (FaultReason::Window as u32, 0));
}

#[test]
fn an_error_on_the_bus_stops_the_queue() {
    let (mut bench, rings) = bench(1);
    bench.descriptor(rings[1], 0, BUFFER, 50, NEXT, 1);
    bench.descriptor(rings[1], 1, BROKEN, 50, 0, 0);
    bench.offer(rings[1], 0);
    assert_fault(&mut bench, rings[1], FaultReason::Bus);

    let (mut bench, rings) = self::bench(1);
    bench.descriptor(rings[0], 0, BROKEN, 50, WRITE, 0);
    bench.offer(rings[0], 0);
    bench.notify(rings[0]);
    bench.run();
    assert_eq!(bench.status(1), 15, "the buffer is not touched before there is a frame");
    assert_eq!(bench.deliver(rings[0], &[0; 20]), Delivered::Fault(FaultReason::Bus));
    assert_eq!((bench.read(1, 0x300), bench.used_index(rings[0])), (FaultReason::Bus as u32, 0));
    assert_eq!(bench.read(0, 0x4040 + 0x2c), 1);
    assert_stopped(&mut bench, rings[0]);
}

#[test]
fn a_used_ring_on_a_broken_bus_stops_the_queue_too() {
    let mut bench = Bench::new();
    bench.accept(1, Feature::REQUIRED);
    bench.set_status(1, 8);
    let ring = Ring { function: 1, queue: 1, size: 4 };
    bench.write16(1, 0x16, 1);
    for (offset, address) in [(0x20, ring.desc()), (0x28, ring.driver()), (0x30, BROKEN)] {
        bench.write(1, offset, address as u32);
        bench.write(1, offset + 4, (address >> 32) as u32);
    }
    bench.write16(1, 0x18, 4);
    bench.write16(1, 0x1c, 1);
    bench.set_status(1, 4);
    bench.descriptor(ring, 0, BUFFER, 100, 0, 0);
    bench.offer(ring, 0);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.read(1, 0x300), FaultReason::Bus as u32 | 1 << 16);
}

#[test]
fn the_first_fault_is_kept_until_a_reset_brings_the_queue_back() {
    let (mut bench, rings) = bench(1);
    bench.offer(rings[3], 9);
    assert_fault(&mut bench, rings[3], FaultReason::Head);
    bench.interrupts();
    bench.read(1, 0x100);
    bench.ram.put(rings[0].driver() + 2, &[9, 0]);
    bench.notify(rings[0]);
    bench.run();
    assert_eq!(bench.read(1, 0x300), FaultReason::Head as u32 | 3 << 16);
    assert_eq!((bench.read(1, 0x100), bench.interrupts()), (2, vec![(1, 0)]), "told again");
    assert_stopped(&mut bench, rings[0]);

    bench.set_status(1, 0);
    bench.run();
    assert_eq!((bench.read(1, 0x300), bench.status(1)), (0, 0));
    bench.ram = Ram::default();
    let ring = bench.start(1, 0, 4)[3];
    bench.descriptor(ring, 0, BUFFER, 100, 0, 0);
    bench.offer(ring, 0);
    bench.notify(ring);
    bench.run();
    assert_eq!((bench.used_index(ring), bench.status(1)), (1, 15));
}
