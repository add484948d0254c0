// SPDX-License-Identifier: MIT OR Apache-2.0
//! A VF and the ECPF in use at the same time.

use crate::server::{CONFIG, RAISE, Served};
use millrace_driver::vfio_user::{VfioUserDpu, VfioUserNet};
use millrace_driver::virtio::Settings;
use millrace_driver::{Access, Device, DeviceError, Sent, Upcall};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::BorrowedFd;

/// Function 2 is VF 0.
const VF: &str = "f2";
const VF_FUNCTION: usize = 2;
/// After this what does not come never will, in milliseconds.
const PATIENCE: u16 = 60_000;

fn wait(descriptors: [BorrowedFd<'_>; 3]) {
    let mut events = descriptors.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
    assert_ne!(poll(&mut events, PATIENCE), Ok(0), "nothing came");
}

/// Waits until there is an upcall.
fn upcall(dpu: &mut VfioUserDpu) -> Upcall {
    loop {
        dpu.poll().unwrap();
        if let Some(upcall) = dpu.recv_upcall() {
            return upcall;
        }
        wait(dpu.descriptors());
    }
}

/// Waits until there are frames.
fn frames(net: &mut VfioUserNet) -> Vec<Vec<u8>> {
    loop {
        net.refresh().unwrap();
        let mut frames = vec![];
        net.net().receive(0, usize::MAX, |frame| frames.push(frame.to_vec())).unwrap();
        if !frames.is_empty() {
            return frames;
        }
        wait(net.descriptors());
    }
}

#[test]
fn frames_go_up_and_come_back_without_polling() {
    let served = Served::start();
    let mut dpu = VfioUserDpu::connect(&served.path("ecpf")).unwrap();
    let mut net = VfioUserNet::connect(&served.path(VF), Settings::default()).unwrap();
    let vport = CONFIG.vport_of_function(VF_FUNCTION).unwrap() as u8;
    for len in [60, 61, 1514, 9000] {
        let frame: Vec<u8> = (0..len).map(|at| (at * 7 + len) as u8).collect();
        assert_eq!(net.net().send(0, [&frame[..]]).unwrap(), 1);
        let up = upcall(&mut dpu);
        assert_eq!((up.vport, up.frame == frame, up.at <= dpu.now()), (vport, true, true), "{len} bytes");
        assert_eq!(dpu.send_packet_out(vport, &up.frame).unwrap(), Sent::Accepted);
        assert_eq!(frames(&mut net), [frame], "{len} bytes");
    }
    dpu.stop().unwrap();
    net.stop().unwrap();
    let mut again = VfioUserNet::connect(&served.path(VF), Settings::default()).unwrap();
    assert_eq!(again.net().config().unwrap().max_pairs, CONFIG.queue_pairs as u16, "it can be had again");
}

#[test]
fn nothing_is_slept_through_with_virtqueues_of_any_kind() {
    let served = Served::start();
    let mut dpu = VfioUserDpu::connect(&served.path("ecpf")).unwrap();
    let vport = CONFIG.vport_of_function(VF_FUNCTION).unwrap() as u8;
    for [packed, event_idx, in_order] in [[false; 3], [false, true, true], [true, false, false], [true; 3]] {
        let settings = Settings { packed, event_idx, in_order, queue_size: 16, ..Settings::default() };
        let mut net = VfioUserNet::connect(&served.path(VF), settings).unwrap();
        for burst in 0..100u16 {
            let sent: Vec<Vec<u8>> = (0..1 + burst % 8).map(|i| vec![(burst + i) as u8; 60 + usize::from(i)]).collect();
            assert_eq!(net.net().send(0, sent.iter().map(Vec::as_slice)).unwrap(), sent.len());
            for frame in &sent {
                let up = upcall(&mut dpu);
                assert!((up.vport, &up.frame) == (vport, frame), "{burst}");
                assert_eq!(dpu.send_packet_out(vport, &up.frame).unwrap(), Sent::Accepted);
            }
            let mut back = vec![];
            while back.len() < sent.len() {
                back.append(&mut frames(&mut net));
            }
            assert!(back == sent, "{burst}");
        }
        net.stop().unwrap();
    }
}

#[test]
fn registers_are_read_and_written_in_order() {
    let served = Served::start();
    let mut dpu = VfioUserDpu::connect(&served.path("ecpf")).unwrap();
    dpu.write32(0x100, 5).unwrap();
    assert_eq!(dpu.read32(0x100).unwrap(), 5);
    let (write, read) = (|address, value| Access::Write { address, value }, |address| Access::Read { address });
    let batch =
        [write(0x200, 1), write(0x204, 2), read(0x200), write(0x200, 3), read(0x200), read(0x204), write(0x204, 9)];
    assert_eq!(dpu.batch(&batch).unwrap(), [1, 3, 2]);
    assert_eq!(dpu.read32(0x204).unwrap(), 9);
    for address in [2, 0x1_0000, !3] {
        assert!(matches!(dpu.read32(address), Err(DeviceError::Refused { access: "read", .. })));
        assert!(matches!(dpu.write32(address, 0), Err(DeviceError::Refused { access: "write", .. })));
    }
}

#[test]
fn an_interrupt_of_the_configuration_is_looked_at() {
    let served = Served::start();
    let mut dpu = VfioUserDpu::connect(&served.path("ecpf")).unwrap();
    dpu.write32(RAISE, 1).unwrap();
    wait(dpu.descriptors());
    dpu.poll().unwrap();
    let mut events = dpu.descriptors().map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
    assert_eq!(poll(&mut events, PollTimeout::ZERO), Ok(0), "it was taken");
}

#[test]
fn a_server_that_dies_wakes_who_waits_and_is_an_error() {
    let mut served = Served::start();
    let mut dpu = VfioUserDpu::connect(&served.path("ecpf")).unwrap();
    let mut net = VfioUserNet::connect(&served.path(VF), Settings::default()).unwrap();
    dpu.poll().unwrap();
    served.end();
    wait(dpu.descriptors());
    let error = dpu.poll().unwrap_err().to_string();
    assert_eq!(error, "the device cannot be reached: the server closed the connection");
    wait(net.descriptors());
    let error = net.refresh().unwrap_err().to_string();
    assert_eq!(error, "the server closed the connection");
}
