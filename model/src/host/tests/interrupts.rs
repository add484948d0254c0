// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Used ring", "Interrupts".

use super::*;

fn send(bench: &mut Bench, ring: Ring) {
    bench.descriptor(ring, 0, 0x5000, 40, 0, 0);
    bench.offer(ring, 0);
    bench.notify(ring);
    bench.run();
}

#[test]
fn a_used_buffer_sets_isr_and_gives_the_queue_s_vector() {
    let mut bench = Bench::new();
    let rings = bench.start(1, 0, 4);
    send(&mut bench, rings[3]);
    assert_eq!(bench.interrupts(), [(1, 13)]);
    assert_eq!((bench.read(2, 0x100), bench.read(1, 0x100), bench.read(1, 0x100)), (0, 1, 0));
}

#[test]
fn no_interrupt_is_given_where_the_driver_wants_none() {
    let mut bench = Bench::new();
    let rings = bench.start(1, 0, 4);
    bench.ram.put(rings[1].driver(), &[1, 0]);
    send(&mut bench, rings[1]);
    assert_eq!((bench.used_index(rings[1]), bench.read(1, 0x100), bench.interrupts()), (1, 0, vec![]));
}

#[test]
fn no_vector_gives_no_message_but_sets_isr() {
    let mut bench = Bench::new();
    bench.accept(1, Feature::REQUIRED);
    bench.set_status(1, 8);
    let ring = Ring { function: 1, queue: 1, size: 4 };
    bench.write16(1, 0x16, 1);
    bench.write16(1, 0x18, 4);
    for (offset, address) in [(0x20, ring.desc()), (0x28, ring.driver()), (0x30, ring.device())] {
        bench.write(1, offset, address as u32);
        bench.write(1, offset + 4, (address >> 32) as u32);
    }
    bench.write16(1, 0x1c, 1);
    bench.set_status(1, 4);
    send(&mut bench, ring);
    bench.write(0, 0x4048, 1);
    assert_eq!((bench.read(1, 0x100), bench.interrupts()), (3, vec![]));
}

#[test]
fn a_vector_that_waits_is_not_given_twice() {
    let mut bench = Bench::new();
    let rings = bench.start(1, 0, 4);
    bench.start(2, 0, 4);
    for _ in 0..3 {
        send(&mut bench, rings[1]);
        send(&mut bench, rings[3]);
        bench.write(0, 0x4088, 1);
    }
    assert_eq!(bench.interrupts(), [(1, 11), (1, 13), (2, 9)]);
    send(&mut bench, rings[1]);
    assert_eq!(bench.interrupts(), [(1, 11)]);
}
