// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Packed virtqueues".

use super::*;

const BUFFER: u64 = 0x10_0003;

fn start(features: u64, size: u16) -> (Bench, Vec<Ring>) {
    let mut bench = Bench::offering(BASIC | RINGS);
    let rings = bench.start(1, features | Feature::RingPacked.bit(), size);
    (bench, rings)
}

/// A chain from the `count`th descriptor on; its Buffer ID is `id`, and others in it have none that counts.
fn chain(bench: &mut Bench, ring: Ring, count: u32, address: u64, lengths: &[u32], id: u16, flags: u16) {
    let mut at = address;
    for (i, len) in (0..).zip(lengths) {
        let last = i + 1 == lengths.len() as u32;
        let (id, next) = if last { (id, 0) } else { (0xdead, NEXT) };
        bench.packed(ring, count + i, (at, *len), id, flags | next);
        at = at.wrapping_add((*len).into());
    }
}

#[test]
fn a_frame_goes_out_wherever_its_chain_is_cut() {
    for cuts in [&[72][..], &[12, 60], &[1, 10, 1, 60], &[13, 58, 1], &[5, 6, 7, 54]] {
        let (mut bench, rings) = start(0, 5);
        let ring = rings[3];
        bench.ram.put(BUFFER, &[pattern(12, 9), pattern(60, 1)].concat());
        chain(&mut bench, ring, 0, BUFFER, cuts, 0xbeef, 0);
        bench.run();
        assert_eq!(bench.frames(), [], "not notified");
        bench.notify(ring);
        bench.run();
        let frame = FrameOut { function: 1, queue: 3, control: vec![], frame: pattern(60, 1) };
        assert_eq!(bench.frames(), [frame]);
        let used: Vec<_> = (0..5).map(|count| bench.packed_used(ring, count)).collect();
        assert_eq!(used, [Some((0, 0xbeef, 0)), None, None, None, None], "at the chain's first place alone");
        assert_eq!((bench.interrupts(), bench.status(1)), (vec![(1, 4)], 15));
    }
}

#[test]
fn rings_of_any_size_wrap_and_places_go_on_by_the_descriptors_of_a_chain() {
    for size in [1, 2, 3, 5, 8, 100, 255, 256] {
        let (mut bench, rings) = start(0, size);
        let ring = rings[1];
        let mut count = 0;
        for round in 0..700u16 {
            let cuts = &[20, 4, 3][..usize::from(1 + round % size.min(3))];
            let len: u32 = cuts.iter().sum();
            chain(&mut bench, ring, count, BUFFER, cuts, round, 0);
            bench.notify(ring);
            bench.run();
            assert_eq!(bench.frames()[0].frame.len() as u32, len - 12, "{size} {round}");
            assert_eq!(bench.packed_used(ring, count), Some((0, round, 0)), "{size} {round}");
            count += cuts.len() as u32;
            bench.ram.accesses.clear();
        }
    }
}

#[test]
fn a_chain_whose_first_descriptor_is_not_available_holds_back_those_behind_it() {
    let (mut bench, rings) = start(0, 4);
    let ring = rings[1];
    chain(&mut bench, ring, 0, BUFFER, &[40], 0, 0);
    chain(&mut bench, ring, 2, BUFFER, &[42], 2, 0);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.frames().len(), 1);
    chain(&mut bench, ring, 1, BUFFER, &[41], 1, 0);
    bench.run();
    assert_eq!(bench.frames(), [], "not notified");
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.frames().iter().map(|out| out.frame.len()).collect::<Vec<_>>(), [29, 30]);
    bench.packed(ring, 7, (BUFFER, 40), 0, 0);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.frames(), [], "of the next lap");
}

#[test]
fn a_frame_comes_in_over_several_chains_and_becomes_visible_with_the_first() {
    let (mut bench, rings) = start(Feature::MergeableBuffers.bit(), 8);
    let ring = rings[0];
    for (count, id, lengths) in [(0, 9, &[30][..]), (1, 8, &[10, 10]), (3, 7, &[1, 1, 1, 1]), (7, 6, &[100])] {
        chain(&mut bench, ring, count, BUFFER + 0x100 * u64::from(id), lengths, id, WRITE);
    }
    bench.notify(ring);
    bench.run();
    bench.ram.accesses.clear();
    assert_eq!(bench.deliver(ring, &pattern(52, 0)), Delivered::Written(4));
    let used = [0, 1, 3, 7].map(|count| bench.packed_used(ring, count));
    assert_eq!(used, [Some((30, 9, WRITE)), Some((20, 8, WRITE)), Some((4, 7, WRITE)), Some((10, 6, WRITE))]);
    assert_eq!(bench.ram.get16(BUFFER + 0x900 + 10), 4);
    let frame: Vec<u8> = [(0x90c, 18), (0x800, 20), (0x700, 4), (0x600, 10)]
        .iter()
        .flat_map(|(at, len)| bench.ram.vec(BUFFER + at, *len))
        .collect();
    assert_eq!(frame, pattern(52, 0));
    let at = |slot: u64| ring.desc() + 16 * slot;
    let written = [7, 3, 1, 0].map(|slot| [('w', at(slot) + 8, 6), ('w', at(slot) + 14, 2)]).concat();
    let data = 1 + 2 + 4 + 1;
    assert_eq!(bench.ram.accesses[data..data + 8], written);
}

#[test]
fn with_in_order_transmitted_chains_that_end_in_one_line_share_a_used_descriptor() {
    let (mut bench, rings) = start(Feature::InOrder.bit(), 10);
    let ring = rings[1];
    for (count, lengths) in [(0, &[40][..]), (1, &[40]), (2, &[20, 20]), (4, &[40]), (5, &[10, 10, 10, 10]), (9, &[40])]
    {
        chain(&mut bench, ring, count, BUFFER, lengths, 100 + count as u16, 0);
    }
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.frames().len(), 6);
    // Places 0 to 3, 4 to 7, and the rest are lines.
    let used: Vec<_> = (0..10).filter_map(|count| Some((count, bench.packed_used(ring, count)?.1))).collect();
    assert_eq!(used, [(0, 102), (4, 104), (5, 109)]);
    assert_eq!(bench.interrupts(), [(1, 2)]);

    let (mut bench, rings) = start(Feature::InOrder.bit(), 9);
    for ring in [rings[1], rings[0]] {
        for count in 0..3 {
            chain(&mut bench, ring, count, BUFFER, &[100], count as u16, if ring.queue == 0 { WRITE } else { 0 });
        }
        bench.notify(ring);
    }
    bench.run();
    let used = |bench: &Bench, ring| [0, 1, 2].map(|count| bench.packed_used(ring, count).map(|used| used.1));
    assert_eq!(used(&bench, rings[1]), [Some(2), None, None]);
    for _ in 0..3 {
        assert_eq!(bench.deliver(rings[0], &[1; 20]), Delivered::Written(1));
    }
    assert_eq!(used(&bench, rings[0]), [Some(0), Some(1), Some(2)], "a receiveq's have lengths of their own");
}

#[test]
fn sizes_are_any_from_1_to_256_and_what_is_negotiated_later_does_not_count() {
    let (mut bench, _) = start(0, 4);
    bench.set_status(1, 0);
    bench.run();
    bench.write16(1, 0x18, 3);
    assert_eq!(bench.read16(1, 0x18), 256, "nothing is negotiated");
    bench.accept(1, Feature::REQUIRED | Feature::RingPacked.bit());
    let split = bench.enable(1, 1, 4);
    bench.set_status(1, status::FEATURES_OK);
    bench.write16(1, 0x16, 2);
    for size in 1..=256 {
        bench.write16(1, 0x18, size);
        assert_eq!(bench.read16(1, 0x18), size);
    }
    for size in [0, 257, 0xffff] {
        bench.write16(1, 0x18, size);
        assert_eq!(bench.read16(1, 0x18), 256);
    }
    bench.set_status(1, status::DRIVER_OK);
    bench.descriptor(split, 0, BUFFER, 40, 0, 0);
    bench.offer(split, 0);
    bench.notify(split);
    bench.run();
    assert_eq!((bench.frames().len(), bench.used_index(split)), (1, 1), "enabled before FEATURES_OK: split");
}

/// Every descriptor of a ring of four has a next.
fn endless(bench: &mut Bench, ring: Ring, flags: u16) {
    (0..4).for_each(|count| bench.packed(ring, count, (BUFFER, 9), 0, flags | NEXT));
}

#[test]
fn what_breaks_the_rules_stops_a_packed_queue() {
    type Break = fn(&mut Bench, Ring);
    let cases: [(usize, Break, FaultReason); 9] = [
        (1, |b, ring| endless(b, ring, 0), FaultReason::Chain),
        (0, |b, ring| endless(b, ring, WRITE), FaultReason::Chain),
        (1, |b, ring| chain(b, ring, 0, BUFFER, &[40], 0, WRITE), FaultReason::Direction),
        (0, |b, ring| chain(b, ring, 0, BUFFER, &[40], 0, 0), FaultReason::Direction),
        (1, |b, ring| chain(b, ring, 0, BUFFER, &[40, 0], 0, 0), FaultReason::Empty),
        (1, |b, ring| chain(b, ring, 0, BUFFER, &[65_600, 2], 0, 0), FaultReason::TooLong),
        (1, |b, ring| chain(b, ring, 0, BUFFER, &[6, 6], 0, 0), FaultReason::Header),
        (1, |b, ring| chain(b, ring, 0, u64::MAX - 20, &[22], 0, 0), FaultReason::Window),
        (1, |b, ring| chain(b, ring, 0, BROKEN, &[22], 0, 0), FaultReason::Bus),
    ];
    for (queue, breaks, reason) in cases {
        let (mut bench, rings) = start(0, 4);
        breaks(&mut bench, rings[queue]);
        bench.notify(rings[queue]);
        bench.run();
        let word = reason as u32 | (queue as u32) << 16;
        assert_eq!((bench.read(1, 0x300), bench.frames()), (word, vec![]), "{}", reason.name());
        assert_eq!(bench.interrupts(), [(1, 0)]);
        bench.ram.accesses.clear();
        bench.notify(rings[queue]);
        bench.run();
        assert_eq!(bench.ram.accesses, []);
    }
}

#[test]
fn parts_of_a_packed_queue_outside_the_window_stop_it() {
    for (part, offset) in [(0, 0x20), (1, 0x28), (2, 0x30)] {
        let mut bench = Bench::offering(BASIC | RINGS);
        bench.write(0, 0x4040 + 0x18, 1);
        bench.set_status(1, status::ACKNOWLEDGE | status::DRIVER);
        bench.accept(1, Feature::REQUIRED | Feature::RingPacked.bit() | Feature::EventIdx.bit());
        bench.set_status(1, status::FEATURES_OK);
        let ring = Ring { function: 1, queue: 1, size: 4 };
        bench.write16(1, 0x16, 1);
        bench.write16(1, 0x18, 4);
        for (field, address) in [(0x20, ring.desc()), (0x28, ring.driver()), (0x30, ring.device())] {
            bench.write(1, field, address as u32);
            bench.write(1, field + 4, if field == offset { 0 } else { (address >> 32) as u32 });
        }
        bench.write16(1, 0x1c, 1);
        bench.set_status(1, status::DRIVER_OK);
        bench.packed(ring, 0, ((1 << 32) + BUFFER, 40), 0, 0);
        bench.notify(ring);
        bench.run();
        assert_eq!(bench.read(1, 0x300), FaultReason::Window as u32 | 1 << 16, "part {part}");
    }
}
