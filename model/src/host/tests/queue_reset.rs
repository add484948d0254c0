// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Reset of a virtqueue".

use super::*;

const BUFFER: u64 = 0x10_0000;
const QUEUE_RESET: u32 = 0x3a;

/// What is read of `queue_enable` and `queue_reset`.
fn state(bench: &mut Bench, ring: Ring) -> (u16, u16) {
    bench.write16(ring.function, 0x16, ring.queue as u16);
    (bench.read16(ring.function, 0x1c), bench.read16(ring.function, QUEUE_RESET))
}

fn reset(bench: &mut Bench, ring: Ring) {
    bench.write16(ring.function, 0x16, ring.queue as u16);
    bench.write16(ring.function, QUEUE_RESET, 1);
}

fn send(bench: &mut Bench, ring: Ring) {
    bench.descriptor(ring, 0, BUFFER, 40, 0, 0);
    bench.offer(ring, 0);
    bench.notify(ring);
    bench.run();
}

#[test]
fn a_reset_of_a_queue_reads_1_until_it_is_over_and_leaves_it_as_after_power_up() {
    let mut bench = Bench::offering(BASIC | RINGS);
    let rings = bench.start(1, Feature::RingReset.bit(), 4);
    let ring = rings[1];
    send(&mut bench, ring);
    assert_eq!((state(&mut bench, ring), bench.frames().len()), ((1, 0), 1));
    bench.interrupts();
    reset(&mut bench, ring);
    assert_eq!(state(&mut bench, ring).1, 1);
    bench.write16(1, 0x18, 2);
    assert_eq!(bench.read16(1, 0x18), 4, "nothing is written meanwhile");
    bench.ram.accesses.clear();
    send(&mut bench, ring);
    assert_eq!((bench.frames(), bench.interrupts()), (vec![], vec![]));
    assert_eq!(bench.ram.accesses, []);
    assert_eq!(state(&mut bench, ring), (0, 0));
    let fresh: Vec<u32> = (0x18..0x3c).step_by(4).map(|offset| bench.read(1, offset)).collect();
    assert_eq!(fresh, [0xffff_0100, 1 << 16, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bench.status(1), 15, "the function goes on");
    send(&mut bench, rings[3]);
    assert_eq!(bench.frames().len(), 1);

    bench.ram = Ram::default();
    let again = bench.enable(1, 1, 8);
    bench.run();
    assert_eq!(bench.ram.accesses, [], "what was notified before is forgotten");
    send(&mut bench, again);
    assert_eq!((bench.frames().len(), bench.used_index(again)), (1, 1));
}

#[test]
fn buffers_of_a_receiveq_that_was_reset_are_forgotten() {
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, Feature::RingReset.bit() | Feature::RingPacked.bit(), 3)[0];
    for count in 0..3 {
        bench.packed(ring, count, (BUFFER, 100), 0, WRITE);
    }
    bench.notify(ring);
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::Written(1));
    reset(&mut bench, ring);
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::NoBuffer);
    bench.run();
    bench.ram = Ram::default();
    let ring = bench.enable(1, 0, 3);
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::NoBuffer);
    bench.packed(ring, 0, (BUFFER, 100), 7, WRITE);
    bench.notify(ring);
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::Written(1));
    assert_eq!(bench.packed_used(ring, 0), Some((32, 7, WRITE)), "with wrap counters of 1");
}

#[test]
fn only_a_1_resets_a_queue_and_only_if_that_was_negotiated() {
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, Feature::RingReset.bit(), 4)[0];
    for value in [0, 2, 0x101] {
        bench.write16(1, 0x16, 0);
        bench.write16(1, QUEUE_RESET, value);
        bench.run();
        assert_eq!(state(&mut bench, ring), (1, 0), "{value}");
    }
    bench.model.write(host_address(1, 0x38), 1 << 16, 0b0011).unwrap();
    bench.run();
    assert_eq!(state(&mut bench, ring), (1, 0), "no byte of queue_reset");
    let other = bench.start(2, 0, 4)[0];
    reset(&mut bench, other);
    bench.run();
    assert_eq!(state(&mut bench, other), (1, 0), "not negotiated");
}

#[test]
fn a_reset_of_a_queue_ends_what_stopped_it_but_not_the_functions_fault() {
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, Feature::RingReset.bit(), 4)[1];
    bench.offer(ring, 9);
    bench.notify(ring);
    bench.run();
    let fault = FaultReason::Head as u32 | 1 << 16;
    assert_eq!(bench.read(1, 0x300), fault);
    reset(&mut bench, ring);
    bench.run();
    bench.ram = Ram::default();
    let ring = bench.enable(1, 1, 4);
    send(&mut bench, ring);
    assert_eq!((bench.frames().len(), bench.read(1, 0x300), bench.status(1)), (1, fault, 15 | 64));
}
