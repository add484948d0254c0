// SPDX-License-Identifier: MIT OR Apache-2.0
//! INDIRECT_DESC: tables of descriptors, in split and in packed virtqueues.

use super::*;

const BUFFER: u64 = 0x10_0003;
const TABLE: u64 = 0x20_0010;

fn start(features: u64, size: u16, queue: usize) -> (Bench, Ring) {
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, features | Feature::IndirectDesc.bit(), size)[queue];
    (bench, ring)
}

/// An entry of the table at [`TABLE`].
fn entry(bench: &mut Bench, number: u64, address: u64, len: u32, flags: u16, next: u16) {
    bench.put_descriptor(TABLE + 16 * number, address, len, [flags, next]);
}

fn run(bench: &mut Bench, ring: Ring) -> u32 {
    bench.notify(ring);
    bench.run();
    bench.read(1, 0x300) & 0xff
}

#[test]
fn a_table_comes_last_in_a_chain_and_is_followed_by_next() {
    let bytes = [vec![0; 12], pattern(60, 1)].concat();
    for own in [0, WRITE] {
        let (mut bench, ring) = start(0, 4, 1);
        bench.ram.put(BUFFER, &bytes);
        bench.descriptor(ring, 3, BUFFER, 5, NEXT, 1);
        bench.descriptor(ring, 1, TABLE, 48, INDIRECT | own, 0xffff);
        entry(&mut bench, 0, BUFFER + 5, 7, NEXT, 2);
        entry(&mut bench, 2, BUFFER + 12, 59, NEXT, 1);
        entry(&mut bench, 1, BUFFER + 71, 1, 0, 9);
        bench.offer(ring, 3);
        assert_eq!(run(&mut bench, ring), 0);
        assert_eq!(bench.frames()[0].frame, pattern(60, 1));
        assert_eq!((bench.used_index(ring), bench.used(ring, 0)), (1, (3, 0)));
    }
}

#[test]
fn a_table_of_a_receiveq_is_written_to_whatever_its_own_descriptor_says() {
    let (mut bench, ring) = start(0, 4, 0);
    bench.descriptor(ring, 2, TABLE, 32, INDIRECT, 0);
    entry(&mut bench, 0, BUFFER, 20, WRITE | NEXT, 1);
    entry(&mut bench, 1, BUFFER + 0x100, 100, WRITE, 0);
    bench.offer(ring, 2);
    assert_eq!(run(&mut bench, ring), 0);
    assert_eq!(bench.deliver(ring, &pattern(60, 7)), Delivered::Written(1));
    assert_eq!([bench.ram.vec(BUFFER + 12, 8), bench.ram.vec(BUFFER + 0x100, 52)].concat(), pattern(60, 7));
    assert_eq!(bench.used(ring, 0), (2, 72));
}

#[test]
fn the_descriptor_of_a_table_is_not_counted_in_its_chain() {
    for (queue, size, most) in [(0, 16, 4), (1, 8, 8)] {
        for (direct, extra) in (0..most).flat_map(|direct| [(direct, 0), (direct, 1)]) {
            let (mut bench, ring) = start(0, size, queue);
            let write = if queue == 0 { WRITE } else { 0 };
            for number in 0..direct {
                bench.descriptor(ring, number, BUFFER, 20, write | NEXT, number + 1);
            }
            let count = most - direct + extra;
            bench.descriptor(ring, direct, TABLE, 16 * u32::from(count), INDIRECT, 0);
            for number in 0..count {
                let next = if number + 1 < count { NEXT } else { 0 };
                entry(&mut bench, number.into(), BUFFER, 20, write | next, number + 1);
            }
            bench.offer(ring, 0);
            let fault = if extra == 1 { FaultReason::Chain as u32 } else { 0 };
            assert_eq!(run(&mut bench, ring), fault, "{direct} and {count} in virtqueue {queue}");
        }
    }
}

#[test]
fn a_table_that_may_not_be_there_is_a_fault() {
    // `len`, flags and `next` of the table's descriptor, and flags and `next` of its first entry.
    let cases = [
        (TABLE, 32, INDIRECT | NEXT, 1, 0, 0, FaultReason::Indirect),
        (TABLE, 32, INDIRECT, 0, INDIRECT, 0, FaultReason::Indirect),
        (TABLE + 8, 32, INDIRECT, 0, 0, 0, FaultReason::Indirect),
        (TABLE, 0, INDIRECT, 0, 0, 0, FaultReason::Indirect),
        (TABLE, 40, INDIRECT, 0, 0, 0, FaultReason::Indirect),
        (TABLE, 15, INDIRECT, 0, 0, 0, FaultReason::Indirect),
        (TABLE, 32, INDIRECT, 0, NEXT, 2, FaultReason::Next),
        (TABLE, 32, INDIRECT, 0, WRITE, 0, FaultReason::Direction),
        (TABLE, 32, INDIRECT | NEXT, 4, 0, 0, FaultReason::Next),
        (BROKEN, 32, INDIRECT, 0, 0, 0, FaultReason::Bus),
        (u64::MAX - 15, 32, INDIRECT, 0, NEXT, 1, FaultReason::Window),
    ];
    for (address, len, flags, next, inner, inner_next, reason) in cases {
        let (mut bench, ring) = start(0, 4, 1);
        bench.descriptor(ring, 0, address, len, flags, next);
        bench.put_descriptor(address & !15, BUFFER, 100, [inner, inner_next]);
        bench.offer(ring, 0);
        assert_eq!(run(&mut bench, ring), reason as u32, "{address:#x} {len} {flags} {next} {inner} {inner_next}");
    }
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, 0, 4)[1];
    bench.descriptor(ring, 0, TABLE, 32, INDIRECT, 0);
    entry(&mut bench, 0, BUFFER, 100, 0, 0);
    bench.offer(ring, 0);
    assert_eq!(run(&mut bench, ring), FaultReason::Indirect as u32, "not negotiated");
}

#[test]
fn entries_of_a_packed_virtqueues_table_are_taken_one_after_the_other() {
    let (mut bench, ring) = start(Feature::RingPacked.bit(), 3, 1);
    bench.ram.put(BUFFER, &[vec![0; 12], pattern(60, 1)].concat());
    bench.packed(ring, 0, (TABLE, 48), 0x1234, INDIRECT | WRITE);
    entry(&mut bench, 0, BUFFER, 7, 77, WRITE);
    entry(&mut bench, 1, BUFFER + 7, 60, 77, INDIRECT | AVAIL | USED);
    entry(&mut bench, 2, BUFFER + 67, 5, 77, NEXT);
    assert_eq!(run(&mut bench, ring), 0);
    assert_eq!(bench.frames()[0].frame, pattern(60, 1));
    assert_eq!(bench.packed_used(ring, 0), Some((0, 0x1234, 0)));

    let (mut bench, ring) = start(Feature::RingPacked.bit(), 3, 0);
    bench.packed(ring, 0, (TABLE, 32), 5, INDIRECT);
    entry(&mut bench, 0, BUFFER, 20, 77, WRITE);
    entry(&mut bench, 1, BUFFER + 20, 100, 77, WRITE);
    bench.packed(ring, 1, (BUFFER + 0x100, 100), 6, WRITE);
    assert_eq!(run(&mut bench, ring), 0);
    for _ in 0..2 {
        assert_eq!(bench.deliver(ring, &pattern(60, 7)), Delivered::Written(1));
    }
    assert_eq!([0, 1].map(|count| bench.packed_used(ring, count)), [Some((72, 5, WRITE)), Some((72, 6, WRITE))]);
    assert_eq!(bench.ram.vec(BUFFER + 12, 60), pattern(60, 7));
}

#[test]
fn a_packed_virtqueues_table_that_may_not_be_there_is_a_fault() {
    let indirect = Feature::IndirectDesc.bit();
    let cases = [
        (indirect, [INDIRECT | NEXT, 0], (TABLE, 32)),
        (indirect, [NEXT, INDIRECT], (TABLE, 32)),
        (indirect, [INDIRECT, 0], (TABLE + 8, 32)),
        (indirect, [INDIRECT, 0], (TABLE, 24)),
        (indirect, [INDIRECT, 0], (TABLE, 0)),
        (0, [INDIRECT, 0], (TABLE, 32)),
    ];
    for (features, flags, table) in cases {
        let mut bench = Bench::offering(BASIC | RINGS);
        let ring = bench.start(1, features | Feature::RingPacked.bit(), 4)[1];
        entry(&mut bench, 0, BUFFER, 100, 0, 0);
        entry(&mut bench, 1, BUFFER, 100, 0, 0);
        for (count, flags) in (0..).zip(flags) {
            let buffer = if flags & INDIRECT != 0 { table } else { (BUFFER, 50) };
            bench.packed(ring, count, buffer, 0, flags);
        }
        assert_eq!(run(&mut bench, ring), FaultReason::Indirect as u32, "{features:#x} {flags:?} {table:?}");
    }
}
