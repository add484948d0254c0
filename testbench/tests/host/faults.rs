// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rings that are broken behind the driver's back.

use crate::bench::{ADDRESS, Dpu, MEMORY, Net, PF, VF, frame, small, split};
use millrace_driver::virtio::{DmaMemory, Fault, VirtioError, VirtioPci};
use millrace_regs::host::{FaultReason, NOTIFY};
use millrace_sim::Latency;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;
/// Descriptors of a queue of `small`.
const SIZE: u16 = 32;
/// An address in the function's memory.
const FINE: u64 = ADDRESS + 0x1_0000;

/// Writes a descriptor (address, length, flags, next) over the first of a queue, and makes it available with this head.
fn offer(net: &Net, queue: usize, (address, length, flags, next): (u64, u32, u16, u16), head: u16) {
    let memory = net.memory();
    let rings = net.queues(0).unwrap()[queue].rings();
    memory.store64(rings.descriptors, address);
    memory.store32(rings.descriptors + 8, length);
    memory.store16(rings.descriptors + 12, flags);
    memory.store16(rings.descriptors + 14, next);
    let index = memory.load16(rings.available + 2);
    memory.store16(rings.available + 4 + 2 * usize::from(index % SIZE), head);
    memory.store16(rings.available + 2, index.wrapping_add(1));
}

fn run_ahead(net: &Net, queue: usize) {
    let rings = net.queues(0).unwrap()[queue].rings();
    let index = net.memory().load16(rings.available + 2);
    net.memory().store16(rings.available + 2, index.wrapping_add(SIZE + 1));
}

/// What breaks a transmitq, and how that is told.
type Case = (FaultReason, fn(&Net));

const CASES: &[Case] = &[
    (FaultReason::AvailIndex, |net| run_ahead(net, 1)),
    (FaultReason::Head, |net| offer(net, 1, (FINE, 100, 0, 0), SIZE)),
    (FaultReason::Next, |net| offer(net, 1, (FINE, 100, NEXT, SIZE), 0)),
    (FaultReason::Chain, |net| offer(net, 1, (FINE, 100, NEXT, 0), 0)),
    (FaultReason::Direction, |net| offer(net, 1, (FINE, 100, WRITE, 0), 0)),
    (FaultReason::Empty, |net| offer(net, 1, (FINE, 0, 0, 0), 0)),
    (FaultReason::Indirect, |net| offer(net, 1, (FINE, 64, INDIRECT | NEXT, 1), 0)),
    (FaultReason::TooLong, |net| offer(net, 1, (FINE, 65_602, 0, 0), 0)),
    (FaultReason::Header, |net| offer(net, 1, (FINE, 12, 0, 0), 0)),
    (FaultReason::Window, |net| offer(net, 1, (u64::MAX - 50, 100, 0, 0), 0)),
    (FaultReason::Bus, |net| offer(net, 1, (ADDRESS + MEMORY as u64, 100, 0, 0), 0)),
];

#[test]
fn each_fault_is_told_stops_its_queue_alone_and_a_restart_ends_it() {
    for (reason, breaks) in CASES {
        let dpu = Dpu::new(Latency { cycles: 60, jitter: 60, ..Latency::default() });
        let (mut net, mut other, mut ecpf) = (dpu.start(VF, split()), dpu.start(PF, small()), dpu.representors());
        dpu.run();
        breaks(&net);
        net.transport().write16(NOTIFY.at(1), 1).unwrap();
        let bytes = frame(300, 7);
        assert_eq!(other.send(0, [&bytes[..]]).unwrap(), 1);
        dpu.run();
        let fault = Fault { reason: *reason as u8, virtqueue: 1 };
        match net.check() {
            Err(VirtioError::NeedsReset(told)) => assert_eq!(told, fault),
            told => panic!("{}: {told:?}", reason.name()),
        }
        assert_eq!(ecpf.upcalls(2, 10).unwrap().len(), 1, "{}: the other function", reason.name());
        // A chain that cannot be read to its end may leave a damaged frame, which the core drops.
        assert_eq!(ecpf.upcalls(3, 10).unwrap().len(), 0, "{}", reason.name());
        other.check().unwrap();

        net.restart().unwrap();
        dpu.run();
        assert_eq!(net.send(0, [&bytes[..]]).unwrap(), 1);
        dpu.run();
        assert_eq!(
            ecpf.upcalls(3, 10).unwrap().pop().map(|upcall| upcall.frame == bytes),
            Some(true),
            "{}",
            reason.name()
        );
    }
}

#[test]
fn a_broken_receiveq_stops_and_its_frames_are_counted() {
    let dpu = Dpu::new(Latency { cycles: 20, ..Latency::default() });
    let (mut net, mut ecpf) = (dpu.start(VF, split()), dpu.representors());
    dpu.run();
    run_ahead(&net, 0);
    net.transport().write16(NOTIFY.at(0), 0).unwrap();
    dpu.run();
    let fault = Fault { reason: FaultReason::AvailIndex as u8, virtqueue: 0 };
    assert!(matches!(net.check(), Err(VirtioError::NeedsReset(told)) if told == fault));
    for number in 0..5 {
        let _ = ecpf.packet_out(3, &frame(100, number)).unwrap();
    }
    dpu.run();
    assert_eq!(dpu.register(VF, 0x2c), 5);
    assert_eq!(dpu.register(VF, 0x28), FaultReason::AvailIndex as u32);
}
