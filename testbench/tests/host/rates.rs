// SPDX-License-Identifier: MIT OR Apache-2.0
//! How fast functions may send: `docs/host.md`, "Rates".

use crate::bench::{Dpu, Net, PF, VF, frame, small};
use millrace_driver::virtio::{Settings, VirtioPci};
use millrace_regs::host::{FUNCTION_BURST, FUNCTION_RATE, LIMITS, TIME_UNIT_NS};
use millrace_sim::{CYCLE_NS, Latency};

const UNIT: u64 = TIME_UNIT_NS / CYCLE_NS;
/// Units over which is counted.
const UNITS: u64 = 100;
/// Bytes of a frame.
const BYTES: usize = 1500;

/// Sends as much as fits on each pair; drops what comes.
fn keep_busy(net: &mut Net, pairs: u16, frame: &[u8]) -> usize {
    let frames = (0..pairs).map(|pair| {
        net.reclaim(pair).unwrap();
        net.send(pair, std::iter::repeat_n(frame, 32)).unwrap()
    });
    frames.sum()
}

/// Bytes of frames of both functions that their transmitqs have read.
fn read_of(net: &mut Net, pairs: u16, sent: usize) -> usize {
    let waiting = (0..pairs).map(|pair| {
        net.reclaim(pair).unwrap();
        let [_, transmit] = net.queues(pair).unwrap();
        usize::from(transmit.outstanding())
    });
    (sent - waiting.sum::<usize>()) * BYTES
}

#[test]
fn functions_send_at_their_rate_and_others_as_fast_as_they_can() {
    for (packed, pairs, rate) in [(true, 1, 1200), (false, 1, 6000), (true, 2, 15_000), (false, 2, 2700)] {
        let dpu = Dpu::new(Latency { cycles: 250, jitter: 100, ..Latency::default() });
        let settings = Settings { packed, pairs, ..small() };
        let (mut vf, mut pf) = (dpu.start(VF, settings.clone()), dpu.start(PF, settings));
        dpu.bar(0).write32(LIMITS.at(VF as u32) + FUNCTION_RATE.offset, rate).unwrap();
        dpu.run();
        let frame = frame(BYTES, 1);
        let start = dpu.0.borrow().cycle();
        let (mut sent, mut sent_free) = (0, 0);
        while dpu.0.borrow().cycle() < start + UNITS * UNIT {
            sent += keep_busy(&mut vf, pairs, &frame);
            sent_free += keep_busy(&mut pf, pairs, &frame);
            dpu.0.borrow_mut().skip(UNIT / 2);
        }
        let units = (dpu.0.borrow().cycle() - start) / UNIT;
        let due = 2 * rate as usize * units as usize;
        let (read, free) = (read_of(&mut vf, pairs, sent), read_of(&mut pf, pairs, sent_free));
        // What may be saved up, and what may have been begun.
        let slack = 65_536 + usize::from(pairs) * 64 * BYTES;
        assert!(read.abs_diff(due) < slack, "packed {packed}, {pairs} pairs: {read} bytes where {due} are due");
        assert!(free > 2 * read.min(due), "{free} bytes of the other");
        vf.check().unwrap();

        // Without a limit all that waits goes on at once.
        dpu.bar(0).write32(LIMITS.at(VF as u32) + FUNCTION_RATE.offset, 0).unwrap();
        dpu.0.borrow_mut().skip(UNIT * 4);
        assert_eq!(read_of(&mut vf, pairs, sent), sent * BYTES);
    }
}

#[test]
fn what_was_saved_up_goes_at_once_and_the_rest_waits_for_its_time() {
    let dpu = Dpu::new(Latency::default());
    let mut vf = dpu.start(VF, small());
    let limits = LIMITS.at(VF as u32);
    for (register, value) in [(FUNCTION_RATE, 100), (FUNCTION_BURST, 3000)] {
        dpu.bar(0).write32(limits + register.offset, value).unwrap();
    }
    // 200 bytes in a unit: it saves up 3,000 and no more.
    dpu.0.borrow_mut().skip(100 * UNIT);
    let frame = frame(1000, 1);
    let mut sent = 0;
    for _ in 0..8 {
        sent += vf.send(0, [&frame[..]]).unwrap();
        dpu.0.borrow_mut().skip(UNIT / 4);
    }
    assert_eq!(sent, 8);
    vf.reclaim(0).unwrap();
    let outstanding = |net: &Net| net.queues(0).unwrap()[1].outstanding();
    let held = outstanding(&vf);
    assert!((3..=5).contains(&held), "{held} of 8 frames wait");
    dpu.0.borrow_mut().skip(40 * UNIT);
    vf.reclaim(0).unwrap();
    assert_eq!(outstanding(&vf), 0);
    assert!(dpu.bar(VF).read32(limits).is_err(), "it is the ECPF's alone");
}
