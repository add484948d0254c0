// SPDX-License-Identifier: MIT OR Apache-2.0
//! Virtqueues that are reset alone. What happens to frames under way is in `traffic.rs`.

use crate::bench::{Device, Net, frame, kinds, receive, small};
use millrace_driver::virtio::{DmaMemory, Settings, VirtioError, VirtioNet, VirtioPci};
use millrace_model::host::Delivered;
use millrace_regs::host::{Feature, NOTIFY, common};

/// Receives a frame on pair 0, and sends one on each.
fn assert_works(device: &Device, net: &mut Net) {
    let bytes = frame(70, 5);
    assert_eq!(device.deliver(1, 0, 0, &bytes), Delivered::Written(1));
    assert_eq!(receive(net, 0), std::slice::from_ref(&bytes));
    for pair in 0..2 {
        assert_eq!(net.send(pair, [&bytes[..]]).unwrap(), 1);
        device.run();
        let out: Vec<_> = device.frames().into_iter().map(|out| (out.queue, out.frame)).collect();
        assert_eq!(out, [(usize::from(2 * pair + 1), bytes.clone())]);
    }
}

#[test]
fn a_queue_that_was_reset_has_all_its_buffers_and_the_others_go_on() {
    for settings in kinds(&Settings { pairs: 2, ..small() }) {
        let device = Device::new(1 << 20, 0);
        let mut net = device.start(1, settings);
        for queue in [0, 1, 3, 2, 1, 1, 0] {
            // One frame each way that is under way.
            let bytes = frame(60, 9);
            assert_eq!(device.deliver(1, 0, 0, &bytes), Delivered::Written(1));
            device.master(1, false);
            assert_eq!(net.send(0, [&bytes[..]]).unwrap(), 1);
            net.reset_queue(queue).unwrap();
            device.master(1, true);
            device.run();
            assert_eq!(device.frames().len(), usize::from(queue != 1), "virtqueue {queue}");
            assert_eq!(receive(&mut net, 0).len(), usize::from(queue != 0), "virtqueue {queue}");
            net.reclaim(queue / 2).unwrap();
            let [receive, transmit] = net.queues(queue / 2).unwrap();
            assert_eq!((receive.free(), transmit.free()), (0, 4));
            assert_works(&device, &mut net);
        }
        net.check().unwrap();
    }
}

#[test]
fn a_queue_that_a_fault_stopped_goes_on_and_the_fault_stays_told() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, Settings { pairs: 2, ..small() });
    let rings = net.queues(0).unwrap()[1].rings();
    net.memory().store16(rings.available + 2, 9);
    net.transport().write16(NOTIFY.at(1), 1).unwrap();
    device.run();
    net.reset_queue(1).unwrap();
    assert_works(&device, &mut net);
    assert!(matches!(net.check(), Err(VirtioError::NeedsReset(_))));
    net.restart().unwrap();
    assert_works(&device, &mut net);
    net.check().unwrap();
}

#[test]
fn a_reset_of_a_queue_that_cannot_be_is_an_error() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    assert!(matches!(net.reset_queue(2), Err(VirtioError::NoPair { pair: 1, pairs: 1 })));
    net.reset_queue(1).unwrap();

    // Feature 40 is masked.
    device.set(1, 0x10, !(1 << 8));
    let mut net = device.start(1, small());
    assert_eq!(net.features() & Feature::RingReset.bit(), 0);
    assert_eq!(net.reset_queue(1).unwrap_err().to_string(), "VIRTIO_F_RING_RESET was not agreed on with the function");
}

#[test]
fn a_reset_of_a_queue_that_does_not_end_is_an_error() {
    let device = Device::new(1 << 20, 0);
    let mut bar = device.bar(1);
    bar.alter = Some(|offset, word| if offset == common::QUEUE_RESET.word() { word | 1 << 16 } else { word });
    let mut net = VirtioNet::start(bar, device.memory(1), small()).unwrap();
    let error = net.reset_queue(0).unwrap_err();
    assert_eq!(error.to_string(), "the reset of virtqueue 0 did not end: `queue_reset` stays 1");
}
