// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rings that are broken behind the driver's back, and devices that do what they must not.

use crate::bench::{ADDRESS, Device, Net, frame, receive, small};
use millrace_driver::virtio::{Cut, DmaMemory, Fault, Rings, Settings, VirtioError, VirtioPci};
use millrace_model::host::Delivered;
use millrace_regs::host::{FaultReason, NOTIFY};

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// A descriptor of a queue of four.
struct Descriptor {
    number: usize,
    address: u64,
    len: u32,
    flags: u16,
    next: u16,
}

const FINE: u64 = ADDRESS + 0x8000;

fn put(memory: &impl DmaMemory, rings: Rings, descriptor: &Descriptor) {
    let at = rings.descriptors + 16 * descriptor.number;
    memory.store64(at, descriptor.address);
    memory.store32(at + 8, descriptor.len);
    memory.store16(at + 12, descriptor.flags);
    memory.store16(at + 14, descriptor.next);
}

/// Writes these descriptors and offers the chain `head` next.
fn offer(net: &Net, queue: usize, descriptors: &[Descriptor], head: u16) {
    let memory = net.memory();
    let rings = net.queues(0).unwrap()[queue].rings();
    descriptors.iter().for_each(|descriptor| put(memory, rings, descriptor));
    let index = memory.load16(rings.available + 2);
    memory.store16(rings.available + 4 + 2 * usize::from(index % 4), head);
    memory.store16(rings.available + 2, index.wrapping_add(1));
}

/// What breaks a queue: reason, virtqueue, and how.
type Case = (FaultReason, usize, fn(&Net, usize));

fn one(number: usize, address: u64, len: u32, flags: u16, next: u16) -> Descriptor {
    Descriptor { number, address, len, flags, next }
}

const CASES: &[Case] = &[
    (FaultReason::AvailIndex, 0, |net, queue| run_ahead(net, queue, 5)),
    (FaultReason::AvailIndex, 1, |net, queue| run_ahead(net, queue, 0x7fff)),
    (FaultReason::Head, 0, |net, queue| offer(net, queue, &[], 4)),
    (FaultReason::Head, 1, |net, queue| offer(net, queue, &[], 0xffff)),
    (FaultReason::Next, 0, |net, queue| offer(net, queue, &[one(3, FINE, 100, WRITE | NEXT, 4)], 3)),
    (FaultReason::Next, 1, |net, queue| offer(net, queue, &[one(3, FINE, 100, NEXT, 0x8000)], 3)),
    (FaultReason::Chain, 0, |net, queue| offer(net, queue, &[one(3, FINE, 100, WRITE | NEXT, 3)], 3)),
    (FaultReason::Chain, 1, |net, queue| offer(net, queue, &[one(2, FINE, 9, NEXT, 3), one(3, FINE, 9, NEXT, 2)], 3)),
    (FaultReason::Direction, 0, |net, queue| offer(net, queue, &[one(3, FINE, 100, 0, 0)], 3)),
    (FaultReason::Direction, 1, |net, queue| {
        offer(net, queue, &[one(3, FINE, 100, NEXT, 1), one(1, FINE, 8, WRITE, 0)], 3)
    }),
    (FaultReason::Empty, 0, |net, queue| offer(net, queue, &[one(3, FINE, 0, WRITE, 0)], 3)),
    (FaultReason::Empty, 1, |net, queue| offer(net, queue, &[one(3, FINE, 70, NEXT, 0), one(0, FINE, 0, 0, 0)], 3)),
    (FaultReason::Indirect, 0, |net, queue| offer(net, queue, &[one(3, FINE, 16, WRITE | INDIRECT, 0)], 3)),
    (FaultReason::Indirect, 1, |net, queue| offer(net, queue, &[one(3, FINE, 16, INDIRECT, 0)], 3)),
    (FaultReason::TooLong, 1, |net, queue| {
        offer(net, queue, &[one(3, FINE, 65_000, NEXT, 0), one(0, FINE, 602, 0, 0)], 3)
    }),
    (FaultReason::Header, 1, |net, queue| offer(net, queue, &[one(3, FINE, 11, 0, 0)], 3)),
    (FaultReason::Window, 0, |net, queue| offer(net, queue, &[one(3, FINE - 0x10_0000, 100, WRITE, 0)], 3)),
    (FaultReason::Window, 1, |net, queue| offer(net, queue, &[one(3, u64::MAX - 50, 100, 0, 0)], 3)),
    (FaultReason::Bus, 1, |net, queue| offer(net, queue, &[one(3, ADDRESS + BYTES, 100, 0, 0)], 3)),
];

/// Bytes of the function's memory: behind it there is nothing.
const BYTES: u64 = 1 << 20;

fn run_ahead(net: &Net, queue: usize, by: u16) {
    let rings = net.queues(0).unwrap()[queue].rings();
    let index = net.memory().load16(rings.available + 2);
    net.memory().store16(rings.available + 2, index.wrapping_add(by));
}

/// A function whose window begins with its memory, and whose receiveq is empty after a frame.
fn broken(device: &Device) -> Net {
    device.set(1, 0x14, ADDRESS as u32);
    device.set(1, 0x18, (ADDRESS >> 32) as u32);
    let receive = vec![vec![Cut { gap: 0, len: 100 }; 4]];
    let net = device.start(1, Settings { receive, ..small() });
    assert_eq!(device.deliver(1, 0, 0, &frame(60, 1)), Delivered::Written(1));
    net
}

#[test]
fn each_fault_is_told_and_a_restart_ends_it() {
    for (reason, queue, breaks) in CASES {
        let device = Device::new(BYTES as usize, 0);
        let mut other = device.start(2, small());
        let mut net = broken(&device);
        net.check().unwrap();
        breaks(&net, *queue);
        net.transport().write16(NOTIFY.at(*queue as u32), *queue as u16).unwrap();
        device.run();
        let fault = Fault { reason: *reason as u8, virtqueue: *queue as u16 };
        match net.check() {
            Err(VirtioError::NeedsReset(told)) => assert_eq!(told, fault),
            told => panic!("{}: {told:?}", reason.name()),
        }
        assert_eq!(device.frames(), []);
        assert_eq!(device.get(1, 0x28), fault.reason as u32 | (*queue as u32) << 16);

        net.restart().unwrap();
        assert_works(&device, 1, &mut net);
        assert_works(&device, 2, &mut other);
    }
}

fn assert_works(device: &Device, function: u32, net: &mut Net) {
    let bytes = frame(70, 5);
    assert_eq!(net.send(0, [&bytes[..]]).unwrap(), 1);
    device.run();
    assert_eq!(device.frames().pop().unwrap().frame, bytes);
    assert_eq!(device.deliver(function, 0, 0, &bytes), Delivered::Written(1));
    assert_eq!(receive(net, 0), [bytes]);
    net.check().unwrap();
}

#[test]
fn a_received_header_that_is_wrong_is_an_error() {
    let cases: [(usize, u8, bool, &str); 4] = [
        (0, 1, false, "it tells of an offload"),
        (10, 0, true, "`num_buffers` is not possible"),
        (10, 2, false, "`num_buffers` is not possible"),
        (11, 1, false, "`num_buffers` is not possible"),
    ];
    for (byte, value, merge, text) in cases {
        let device = Device::new(BYTES as usize, 0);
        let mut net = device.start(1, Settings { merge, ..small() });
        device.deliver(1, 0, 0, &[0; 60]);
        let rings = net.queues(0).unwrap()[0].rings();
        let buffer = u64::from(net.memory().load32(rings.descriptors)) - (ADDRESS & 0xffff_ffff);
        net.memory().write(buffer as usize + byte, &[value]);
        let error = net.receive(0, 9, |_| panic!("no frame")).unwrap_err().to_string();
        assert!(error.contains("virtqueue 0: the header") && error.contains(text), "{error}");
    }
}

#[test]
fn a_merged_frame_whose_chains_are_not_filled_or_not_there_is_an_error() {
    let settings = || Settings { merge: true, receive: vec![vec![Cut { gap: 0, len: 40 }]], ..small() };
    // A used entry, the length it gets, and `used.idx`.
    let cases = [
        (0, 39, 3, "chain 1 of a frame of 3: the chain before it was not filled"),
        (1, 39, 3, "chain 2 of a frame of 3: the chain before it was not filled"),
        (2, 0, 3, "chain 2 of a frame of 3: nothing was written to it"),
        (0, 40, 2, "chain 2 of a frame of 3: it has not been used with the first"),
    ];
    for (entry, len, index, text) in cases {
        let device = Device::new(BYTES as usize, 0);
        let mut net = device.start(1, settings());
        assert_eq!(device.deliver(1, 0, 0, &frame(100, 1)), Delivered::Written(3));
        let used = net.queues(0).unwrap()[0].rings().used;
        net.memory().store32(used + 4 + 8 * entry + 4, len);
        net.memory().store16(used + 2, index);
        let error = net.receive(0, 9, |_| panic!("no frame")).unwrap_err().to_string();
        assert_eq!(error, format!("virtqueue 0: {text}"));
        net.restart().unwrap();
        assert_works_merged(&device, &mut net);
    }
}

fn assert_works_merged(device: &Device, net: &mut Net) {
    assert_eq!(device.deliver(1, 0, 0, &frame(100, 2)), Delivered::Written(3));
    assert_eq!(receive(net, 0), [frame(100, 2)]);
}
