// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Split virtqueues": frames out and in.

use super::*;

const BUFFER: u64 = 0x10_0003;

/// A chain of descriptors `first`, `first + 1`, …, one for each length, at `address`.
fn chain(bench: &mut Bench, ring: Ring, first: u16, address: u64, lengths: &[u32], flags: u16) {
    let mut at = address;
    for (i, len) in lengths.iter().enumerate() {
        let number = first + i as u16;
        let more = i + 1 < lengths.len();
        bench.descriptor(ring, number, at, *len, flags | if more { NEXT } else { 0 }, number + 1);
        at += u64::from(*len);
    }
    bench.offer(ring, first);
}

#[test]
fn a_frame_goes_out_wherever_its_chain_is_cut() {
    let bytes = [pattern(12, 9), pattern(60, 1)].concat();
    for cuts in [&[72][..], &[12, 60], &[1, 10, 1, 60], &[13, 58, 1], &[5, 6, 7, 54]] {
        let mut bench = Bench::new();
        let ring = bench.start(2, 0, 4)[1];
        bench.ram.put(BUFFER, &bytes);
        chain(&mut bench, ring, 0, BUFFER, cuts, 0);
        bench.run();
        assert_eq!(bench.frames(), [], "not notified");
        bench.notify(ring);
        bench.run();
        let frame = FrameOut { function: 2, queue: 1, control: vec![], frame: pattern(60, 1) };
        assert_eq!(bench.frames(), [frame], "the header's content is not looked at");
        assert_eq!((bench.used_index(ring), bench.used(ring, 0)), (1, (0, 0)));
        assert_eq!(bench.ram.get16(ring.device()), 0, "used.flags");
    }
}

#[test]
fn indices_wrap_and_frames_of_a_queue_keep_their_order() {
    let mut bench = Bench::new();
    let ring = bench.start(1, 0, 2)[3];
    for round in 0..33_000u32 {
        for head in [1, 0] {
            let address = BUFFER + 0x100 * u64::from(head);
            bench.ram.put(address + 12, &[round as u8, head as u8]);
            bench.descriptor(ring, head, address, 14, 0, 0);
            bench.offer(ring, head);
        }
        bench.notify(ring);
        bench.run();
        let frames: Vec<_> = bench.frames().into_iter().map(|out| out.frame).collect();
        assert_eq!(frames, [[round as u8, 1], [round as u8, 0]]);
        bench.ram.accesses.clear();
    }
    assert_eq!(bench.used_index(ring), (66_000 % 65_536) as u16);
    assert_eq!((bench.used(ring, 0), bench.used(ring, 1)), ((1, 0), (0, 0)));
}

#[test]
fn queues_take_turns_an_entry_at_a_time() {
    let mut bench = Bench::new();
    let rings = [bench.start(1, 0, 4)[1], bench.start(2, 0, 4)[3]];
    for ring in rings {
        for head in 0..3 {
            chain(&mut bench, ring, head, BUFFER, &[12 + 14 + u32::from(head)], 0);
        }
        bench.notify(ring);
    }
    bench.run();
    let order: Vec<_> = bench.frames().iter().map(|out| (out.function, out.frame.len())).collect();
    assert_eq!(order, [(1, 14), (2, 14), (1, 15), (2, 15), (1, 16), (2, 16)]);
}

#[test]
fn packet_out_has_32_bytes_in_front() {
    let mut bench = Bench::new();
    let ring = bench.start(0, 0, 4)[9];
    let bytes = [vec![0; 12], pattern(32, 3), pattern(60, 4)].concat();
    bench.ram.put(BUFFER, &bytes);
    chain(&mut bench, ring, 0, BUFFER, &[20, 84], 0);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.frames(), [FrameOut { function: ECPF, queue: 9, control: pattern(32, 3), frame: pattern(60, 4) }]);
}

#[test]
fn a_queue_that_is_not_live_begins_nothing() {
    type Hinder = fn(&mut Bench);
    let cases: [(Hinder, &str); 4] = [
        (
            |bench| {
                bench.start(1, 0, 4);
                bench.model.set_bus_master(1, false);
            },
            "no bus master",
        ),
        (
            |bench| {
                bench.start(1, 0, 4);
                bench.set_status(1, 0);
            },
            "reset begun",
        ),
        (
            |bench| {
                bench.enable(1, 0, 4);
            },
            "no DRIVER_OK",
        ),
        (|bench| bench.set_status(1, 4), "not enabled"),
    ];
    for (hinder, text) in cases {
        let mut bench = Bench::new();
        hinder(&mut bench);
        let ring = Ring { function: 1, queue: 0, size: 4 };
        chain(&mut bench, ring, 0, BUFFER, &[100], WRITE);
        bench.notify(ring);
        assert_eq!(bench.deliver(ring, &[0; 20]), Delivered::NoBuffer, "{text}");
        bench.run();
        assert_eq!(bench.ram.accesses, [], "{text}");
        assert_eq!(bench.read(0, 0x4040 + 0x2c), 1, "{text}");
    }
}

#[test]
fn a_queue_goes_on_when_its_function_is_bus_master_again() {
    let mut bench = Bench::new();
    let ring = bench.start(1, 0, 4)[1];
    chain(&mut bench, ring, 0, BUFFER, &[40], 0);
    bench.model.set_bus_master(1, false);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.frames(), []);
    bench.model.set_bus_master(1, true);
    bench.run();
    assert_eq!(bench.frames().len(), 1);
}

#[test]
fn a_frame_comes_in_with_a_header_that_counts_its_buffers() {
    for features in [0, Feature::MergeableBuffers.bit()] {
        let mut bench = Bench::new();
        let ring = bench.start(1, features, 8)[0];
        chain(&mut bench, ring, 0, BUFFER, &[5, 20, 100, 1], WRITE);
        bench.notify(ring);
        assert_eq!(bench.deliver(ring, &pattern(60, 7)), Delivered::Written(1));
        let bytes = [&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], &pattern(60, 7)[..]].concat();
        assert_eq!(bench.ram.vec(BUFFER, 73), [bytes, vec![0]].concat());
        assert_eq!((bench.used_index(ring), bench.used(ring, 0)), (1, (0, 72)));
    }
}

#[test]
fn with_merged_buffers_all_but_the_last_chain_are_filled() {
    let mut bench = Bench::new();
    let ring = bench.start(1, Feature::MergeableBuffers.bit(), 8)[0];
    for (head, lengths) in [(6, &[30][..]), (0, &[10, 10]), (2, &[1, 1, 1, 1]), (7, &[100])] {
        chain(&mut bench, ring, head, BUFFER + 0x100 * u64::from(head), lengths, WRITE);
    }
    bench.notify(ring);
    assert_eq!(bench.deliver(ring, &pattern(52, 0)), Delivered::Written(4));
    let used: Vec<_> = (0..4).map(|entry| bench.used(ring, entry)).collect();
    assert_eq!((bench.used_index(ring), used), (4, vec![(6, 30), (0, 20), (2, 4), (7, 10)]));
    assert_eq!(bench.ram.get16(BUFFER + 0x600 + 10), 4);
    let frame: Vec<u8> = [(0x60c, 18), (0, 20), (0x200, 4), (0x700, 10)]
        .iter()
        .flat_map(|(at, len)| bench.ram.vec(BUFFER + at, *len))
        .collect();
    assert_eq!(frame, pattern(52, 0));
    assert_eq!(bench.deliver(ring, &[0; 14]), Delivered::NoBuffer, "no chain is left");
}

#[test]
fn a_frame_that_does_not_fit_is_dropped_and_its_chains_stay() {
    let mut bench = Bench::new();
    let rings = [bench.start(1, 0, 16)[0], bench.start(2, Feature::MergeableBuffers.bit(), 16)[0]];
    for ring in rings {
        for head in 0..9 {
            chain(&mut bench, ring, head, BUFFER + 0x100 * u64::from(head), &[32], WRITE);
        }
        bench.notify(ring);
    }
    let fits = [32 - 12, 8 * 32 - 12];
    for (ring, fits) in rings.into_iter().zip(fits) {
        assert_eq!(bench.deliver(ring, &vec![1; fits + 1]), Delivered::NoBuffer);
        assert_eq!(bench.used_index(ring), 0);
        assert_eq!(bench.deliver(ring, &vec![1; fits]), Delivered::Written(fits.div_ceil(32)));
        assert_eq!(bench.read(0, 0x4000 + 0x40 * ring.function + 0x2c), 1);
    }
}

#[test]
fn buffers_are_known_after_a_notification_and_further_ones_are_looked_for() {
    let mut bench = Bench::new();
    let ring = bench.start(1, 0, 4)[0];
    chain(&mut bench, ring, 0, BUFFER, &[100], WRITE);
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::NoBuffer);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::Written(1));
    chain(&mut bench, ring, 1, BUFFER, &[100], WRITE);
    assert_eq!(bench.deliver(ring, &[1; 20]), Delivered::NoBuffer, "not notified");
}

#[test]
fn an_upcall_tells_reason_and_length() {
    let mut bench = Bench::new();
    let ring = bench.start(0, 0, 4)[6];
    chain(&mut bench, ring, 0, BUFFER, &[1000], WRITE);
    bench.notify(ring);
    assert_eq!(bench.deliver(ring, &pattern(300, 5)), Delivered::Written(1));
    let front = [&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0][..], &[2, 0, 0, 0, 44, 1, 0, 0], &[0; 24]].concat();
    assert_eq!(bench.ram.vec(BUFFER, 344), [front, pattern(300, 5)].concat());
    assert_eq!(bench.used(ring, 0), (0, 344));
}

#[test]
fn data_is_written_before_entries_and_entries_before_the_index() {
    let mut bench = Bench::new();
    let ring = bench.start(1, Feature::MergeableBuffers.bit(), 4)[0];
    for head in 0..2 {
        chain(&mut bench, ring, head, BUFFER + 0x100 * u64::from(head), &[40], WRITE);
    }
    bench.notify(ring);
    bench.run();
    bench.ram.accesses.clear();
    bench.deliver(ring, &[1; 60]);
    let expected = [
        ('w', BUFFER, 40),
        ('w', BUFFER + 0x100, 32),
        ('w', ring.device() + 4, 8),
        ('w', ring.device() + 12, 8),
        ('w', ring.device() + 2, 2),
        ('r', ring.driver(), 2),
    ];
    assert_eq!(bench.ram.accesses, expected);
}
