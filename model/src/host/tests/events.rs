// SPDX-License-Identifier: MIT OR Apache-2.0
//! EVENT_IDX, and the event suppression of packed virtqueues.

use super::*;

const BUFFER: u64 = 0x10_0000;
const SIZE: u16 = 4;

fn start(features: u64) -> (Bench, Ring) {
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, features, SIZE)[1];
    (bench, ring)
}

/// Sends `count` frames by split descriptors.
fn send(bench: &mut Bench, ring: Ring, count: u16) {
    for head in 0..count {
        bench.descriptor(ring, head, BUFFER, 40, 0, 0);
        bench.offer(ring, head);
    }
    bench.notify(ring);
    bench.run();
}

fn avail_event(bench: &Bench, ring: Ring) -> u16 {
    bench.ram.get16(ring.device() + 4 + 8 * u64::from(SIZE))
}

fn set_used_event(bench: &mut Bench, ring: Ring, event: u16) {
    bench.ram.put(ring.driver() + 4 + 2 * u64::from(SIZE), &event.to_le_bytes());
}

#[test]
fn a_queue_that_comes_to_rest_says_for_which_buffer_it_waits_and_looks_once_more() {
    let (mut bench, ring) = start(Feature::EventIdx.bit());
    send(&mut bench, ring, 3);
    assert_eq!(avail_event(&bench, ring), 3);
    bench.ram.accesses.clear();
    bench.notify(ring);
    bench.run();
    let event = ring.device() + 4 + 8 * u64::from(SIZE);
    let index = ring.driver() + 2;
    assert_eq!(bench.ram.accesses, [('r', index, 2), ('w', event, 2), ('r', index, 2)]);

    let (mut bench, ring) = start(0);
    bench.ram.put(ring.device() + 4 + 8 * u64::from(SIZE), &[0xaa; 2]);
    send(&mut bench, ring, 3);
    assert_eq!(avail_event(&bench, ring), 0xaaaa, "not negotiated");
}

#[test]
fn an_interrupt_is_given_when_the_used_event_is_among_what_was_used_since() {
    let (mut bench, ring) = start(Feature::EventIdx.bit());
    bench.ram.put(ring.driver(), &[1, 0]);
    // `used_event`, and whether the next entry gives an interrupt: what is set too late gives none.
    let mut used = 0u16;
    for (ahead, given) in [(0, true), (1, false), (0, true), (0xffff, false), (2, false), (1, false), (0, true)] {
        set_used_event(&mut bench, ring, used.wrapping_add(ahead));
        send(&mut bench, ring, 1);
        used = used.wrapping_add(1);
        let expected = if given { vec![(1, 2)] } else { vec![] };
        assert_eq!(bench.interrupts(), expected, "`avail.flags` is not looked at: entry {used}, {ahead} ahead");
    }
}

#[test]
fn used_events_wrap_past_65536() {
    let (mut bench, ring) = start(Feature::EventIdx.bit());
    for round in 0..66_000u32 {
        set_used_event(&mut bench, ring, 0xffff);
        send(&mut bench, ring, 1);
        bench.ram.accesses.clear();
        bench.frames();
        let expected = if round == 0xffff { vec![(1, 2)] } else { vec![] };
        assert_eq!(bench.interrupts(), expected, "{round}");
    }
    assert_eq!(avail_event(&bench, ring), (66_000 % 65_536) as u16);
}

/// Sends the `count`th frame by a packed descriptor.
fn send_packed(bench: &mut Bench, ring: Ring, count: u32) {
    bench.packed(ring, count, (BUFFER, 40), count as u16, 0);
    bench.notify(ring);
    bench.run();
}

#[test]
fn a_packed_queue_that_comes_to_rest_says_at_which_descriptor_it_waits() {
    let (mut bench, ring) = start(Feature::RingPacked.bit() | Feature::EventIdx.bit());
    for (count, desc) in (0..).zip([0x8001, 0x8002, 0x8003, 0x0000, 0x0001, 0x0002, 0x0003, 0x8000, 0x8001u16]) {
        send_packed(&mut bench, ring, count);
        assert_eq!(bench.ram.get16(ring.device()), desc, "{count}");
        assert_eq!(bench.ram.get16(ring.device() + 2), 2, "RING_EVENT_FLAGS_DESC");
    }
    bench.ram.accesses.clear();
    bench.notify(ring);
    bench.run();
    let flags = ring.desc() + 16 + 14;
    assert_eq!(bench.ram.accesses, [('r', flags, 2), ('w', ring.device(), 4), ('r', flags, 2)]);

    let (mut bench, ring) = start(Feature::RingPacked.bit());
    send_packed(&mut bench, ring, 0);
    assert_eq!(bench.ram.get32(ring.device()), 0, "without EVENT_IDX it is the driver's alone");
}

#[test]
fn a_packed_queue_interrupts_as_the_drivers_event_suppression_says() {
    let event = Feature::EventIdx.bit();
    // Bits 1:0 of the address are not looked at: the bench's is no multiple of 4.
    let cases: [(u64, u16, u16, bool); 8] = [
        (0, 0, 0, true),
        (0, 1, 0, false),
        (0, 2, 0x8003, true),
        (0, 3, 0, true),
        (event, 0, 0x8003, true),
        (event, 1, 0x8000, false),
        (event, 3, 0x8003, true),
        (event, 0xfffd, 0x8000, false),
    ];
    for (features, flags, desc, given) in cases {
        let (mut bench, ring) = start(Feature::RingPacked.bit() | features);
        bench.ram.put(ring.driver() & !3, &[desc.to_le_bytes(), flags.to_le_bytes()].concat());
        send_packed(&mut bench, ring, 0);
        assert_eq!(!bench.interrupts().is_empty(), given, "{features:#x} {flags} {desc:#x}");
    }
}

#[test]
fn a_packed_queue_interrupts_when_the_descriptor_of_the_event_is_among_those_used_since() {
    let (mut bench, ring) = start(Feature::RingPacked.bit() | Feature::EventIdx.bit());
    // How many descriptors ahead of the next that is used the event is.
    for (count, ahead) in (0u32..).zip([0, 1, 0, 3, 2, 1, 0, 0, 4, 3, 2, 1, 0, 7, 0, 0]) {
        let at = count + ahead;
        let wrap = if (at / 4).is_multiple_of(2) { 0x8000 } else { 0 };
        let desc = (at % 4) as u16 | wrap;
        bench.ram.put(ring.driver() & !3, &[desc.to_le_bytes(), [2, 0]].concat());
        send_packed(&mut bench, ring, count);
        assert_eq!(!bench.interrupts().is_empty(), ahead == 0, "{count}, {ahead} ahead");
    }
}
