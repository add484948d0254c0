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
    assert_eq!(bench.interrupts(), [(1, 4)]);
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
    assert_eq!(bench.interrupts(), [(1, 2), (1, 4), (2, 0)]);
    send(&mut bench, rings[1]);
    assert_eq!(bench.interrupts(), [(1, 2)]);
}

/// Words 0 and 1 of the pending bits of a function.
fn pending(bench: &mut Bench, function: u32) -> [u32; 2] {
    [0, 4].map(|offset| bench.read(function, 0xc000 + offset))
}

#[test]
fn after_power_up_every_vector_is_masked_and_pends() {
    let mut model = HostModel::new(&CONFIG);
    model.set_bus_master(1, true);
    model.set_msix(1, true, false);
    let mut bench = Bench { model, ram: Ram::default() };
    let words: Vec<u32> = (0x8000..0x8060).step_by(4).map(|offset| bench.read(1, offset)).collect();
    assert_eq!(words, [0, 0, 0, 1].repeat(6));
    let rings = bench.start(1, 0, 4);
    send(&mut bench, rings[3]);
    send(&mut bench, rings[3]);
    bench.write(0, 0x4048, 1);
    assert_eq!((bench.interrupts(), pending(&mut bench, 1), pending(&mut bench, 2)), (vec![], [0b1_0001, 0], [0; 2]));
    bench.write(1, 0xc000, 0);
    bench.write(1, 0x804c, 0);
    let given = bench.model.take_interrupt();
    assert_eq!(given, Some(Interrupt { function: 1, vector: 4, address: 0, data: 0 }));
    assert_eq!((bench.model.take_interrupt(), pending(&mut bench, 1)), (None, [1, 0]));
}

#[test]
fn entries_are_written_by_strobe_and_belong_to_one_vector_of_one_function() {
    let mut bench = Bench::new();
    for offset in [0x8020, 0x8024, 0x8028, 0x802c] {
        bench.write(2, offset, u32::MAX);
    }
    assert_eq!([0x8020, 0x8024, 0x8028, 0x802c].map(|offset| bench.read(2, offset)), [!3, u32::MAX, u32::MAX, 1]);
    bench.write8(2, 0x8029, 0);
    assert_eq!(bench.read(2, 0x8028), 0xffff_00ff);
    bench.write8(2, 0x802d, 0);
    assert_eq!(bench.read(2, 0x802c), 1);
    for (function, vector) in [(1, 2), (2, 1), (2, 3), (3, 2), (0, 2)] {
        let (address, data) = message(function as usize, vector as u16);
        let words = [0, 4, 8, 12].map(|offset| bench.read(function, 0x8000 + 16 * vector + offset));
        assert_eq!(words, [address as u32, (address >> 32) as u32, data, 0], "{function} {vector}");
    }
}

#[test]
fn what_pends_is_given_once_when_the_function_may_give_it() {
    type Bar = fn(&mut Bench, bool);
    let bars: [Bar; 4] = [
        |bench, on| bench.model.set_msix(1, !on, false),
        |bench, on| bench.model.set_msix(1, true, on),
        |bench, on| bench.model.set_bus_master(1, !on),
        |bench, on| bench.write8(1, 0x800c, on.into()),
    ];
    for bar in bars {
        let mut bench = Bench::new();
        bench.start(1, 0, 4);
        bench.start(2, 0, 4);
        bar(&mut bench, true);
        for mtu in [1, 2] {
            bench.write(0, 0x4048, mtu);
            bench.write(0, 0x4088, mtu);
        }
        assert_eq!((bench.interrupts(), pending(&mut bench, 1)), (vec![(2, 0)], [1, 0]));
        bar(&mut bench, false);
        assert_eq!((bench.interrupts(), pending(&mut bench, 1)), (vec![(1, 0)], [0, 0]));
    }
}

#[test]
fn a_reset_drops_what_pends_and_leaves_the_table() {
    let mut bench = Bench::new();
    bench.start(1, 0, 4);
    bench.start(2, 0, 4);
    for function in [1, 2] {
        bench.write(function, 0x800c, 1);
        bench.write(0, 0x4008 + 0x40 * function, 1);
    }
    bench.set_status(1, 0);
    bench.run();
    assert_eq!((pending(&mut bench, 1), pending(&mut bench, 2)), ([0, 0], [1, 0]));
    assert_eq!((bench.read(1, 0x800c), bench.read(1, 0x8010) as u64), (1, message(1, 1).0 & 0xffff_ffff));
    bench.write(1, 0x800c, 0);
    assert_eq!(bench.interrupts(), []);
}
