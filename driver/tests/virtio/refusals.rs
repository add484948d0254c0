// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions that the driver does not use, and settings that it does not take.

use crate::bench::{Alter, Device, frame, small};
use millrace_driver::Sent;
use millrace_driver::virtio::{Cut, Settings, VirtioError, VirtioNet};
use millrace_regs::host::status;

/// The error of a start whose reads are altered, and what `device_status` is then.
fn refused(alter: Alter, settings: Settings) -> (String, u8) {
    let device = Device::new(1 << 20, 0);
    let mut bar = device.bar(1);
    bar.alter = Some(alter);
    let error = VirtioNet::start(bar, device.memory(1), settings).err().expect("a refusal");
    (error.to_string(), device.get(1, 0x24) as u8)
}

#[test]
fn a_function_that_is_not_as_it_must_be_is_refused_and_told() {
    // Words of the common configuration as virtio 4.1.4.3 lays them out.
    let cases: &[(Alter, &str)] = &[
        (|offset, word| if offset == 0x04 { word & !1 } else { word }, "does not offer VIRTIO_F_VERSION_1"),
        (|offset, word| if offset == 0x04 { word & !2 } else { word }, "does not offer VIRTIO_F_ACCESS_PLATFORM"),
        (|offset, word| if offset == 0x14 { word & !8 } else { word }, "the function refused features 0x"),
        (
            |offset, word| if offset == 0x10 { word & 0xffff } else { word },
            "the function has 0 virtqueues: there have to be 5 or more",
        ),
        (
            |offset, word| if offset == 0x10 { word & 0xffff | 3 << 16 } else { word },
            "the function has 3 virtqueues: there have to be 5 or more",
        ),
        (
            |offset, word| if offset == 0x18 { word & !0xffff | 2 } else { word },
            "does not take size 4: `queue_size` reads 2",
        ),
        (
            |offset, word| if offset == 0x18 { word & !0xffff | 256 } else { word },
            "does not take size 4: `queue_size` reads 256",
        ),
        (
            |offset, word| if offset == 0x18 { word & !0xffff } else { word },
            "does not take size 4: `queue_size` reads 0",
        ),
        (
            |offset, word| if offset == 0x1c { word & !0xffff } else { word },
            "virtqueue 0 did not take its `queue_enable`",
        ),
        (
            |offset, word| if offset == 0x10 { word & !0xffff | 7 } else { word },
            "did not take its `config_msix_vector`",
        ),
        (|offset, word| if offset == 0x18 { word & 0xffff } else { word }, "did not take its `queue_msix_vector`"),
    ];
    for (alter, text) in cases {
        let (error, told) = refused(*alter, small());
        assert!(error.contains(text), "{error}");
        assert!(told & status::FAILED != 0 && told & status::DRIVER_OK == 0, "{text}: {told:#x}");
    }
}

#[test]
fn a_reset_that_does_not_end_is_an_error() {
    let (error, _) = refused(|offset, word| if offset == 0x14 { word | 1 } else { word }, small());
    assert_eq!(error, "the function's reset did not end: `device_status` stays 0x01");
}

#[test]
fn a_function_that_is_not_there_is_an_error_with_the_access() {
    let device = Device::new(1 << 20, 0);
    let error = VirtioNet::start(device.bar(9), device.memory(1), small()).err().unwrap();
    assert_eq!(error.to_string(), "the function's write at 0x00014 of its BAR failed: SLVERR at 0x09000014");
}

#[test]
fn more_pairs_than_the_function_has_are_refused() {
    let (error, _) = refused(|_, word| word, Settings { pairs: 3, ..small() });
    assert_eq!(error, "pairs of virtqueues that the function has: 2; that are to be used: 3");
    let (error, _) = refused(|_, word| word, Settings { pairs: u16::MAX, ..small() });
    assert_eq!(error, "pairs of virtqueues that the function has: 2; that are to be used: 65535");
    let (error, _) = refused(|_, word| word, Settings { pairs: 2, control: false, ..small() });
    assert_eq!(error, "pairs of virtqueues that the function has: 1; that are to be used: 2");
}

#[test]
fn settings_that_no_function_can_be_set_up_with_are_refused() {
    let chain = |len, pieces| vec![vec![Cut { gap: 0, len }; pieces]];
    let cases = [
        (Settings { pairs: 0, ..small() }, "no pairs"),
        (Settings { queue_size: 0, ..small() }, "without descriptors"),
        (Settings { queue_size: 0, packed: true, ..small() }, "without descriptors"),
        (Settings { queue_size: 6, ..small() }, "not a power of two"),
        (Settings { descriptor_order: vec![0, 1, 2, 2], ..small() }, "the order of the descriptors"),
        (Settings { receive: vec![], ..small() }, "no receive buffers"),
        (Settings { receive: vec![vec![]], ..small() }, "no receive buffers"),
        (Settings { receive: chain(0, 1), ..small() }, "no receive buffers"),
        (Settings { receive: chain(100, 5), ..small() }, "more pieces"),
        (Settings { receive: chain(11, 1), merge: true, ..small() }, "do not hold the header"),
        (Settings { command: vec![Cut { gap: 0, len: 1 }; 7], ..small() }, "a command of more pieces"),
        (Settings { command: vec![Cut { gap: 0, len: 0 }], ..small() }, "a command of more pieces"),
        (Settings { queue_size: 512, ..small() }, "`queue_size` reads 256"),
        (Settings { transmit_bytes: 1 << 20, ..small() }, "the memory given is too small: 1048576 bytes"),
        (Settings { receive: chain(1 << 20, 1), ..small() }, "the memory given is too small: 1048576 bytes"),
    ];
    for (settings, text) in cases {
        let (error, _) = refused(|_, word| word, settings);
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn any_size_of_virtqueues_is_refused_where_they_are_not_packed() {
    // Bit 34 is the third of the upper half.
    let (error, _) = refused(
        |offset, word| if offset == 0x04 { word & !4 } else { word },
        Settings { queue_size: 6, packed: true, ..small() },
    );
    assert!(error.contains("not a power of two"), "{error}");
    let device = Device::new(1 << 20, 0);
    device.start(1, Settings { queue_size: 6, packed: true, ..small() });
}

#[test]
fn a_frame_longer_than_the_buffers_is_refused_and_those_before_it_are_sent() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    let frames = [frame(1988, 1), frame(1989, 2), frame(20, 3)];
    let error = net.send(0, frames.iter().map(Vec::as_slice)).unwrap_err();
    assert!(matches!(error, VirtioError::FrameTooLong { needs: 2001, room: 2000 }), "{error}");
    device.run();
    assert_eq!(device.frames().len(), 1);
    let gap = Cut { gap: 2000, len: 1 };
    assert!(matches!(net.send_cut(0, &frames[2], &[gap]), Err(VirtioError::FrameTooLong { .. })));
    let pieces = [Cut { gap: 0, len: 1 }; 4];
    assert!(net.send_cut(0, &frames[2], &pieces).unwrap_err().to_string().contains("cut into more pieces"));
    let error = net.send(1, [&frames[2][..]]).unwrap_err();
    assert_eq!(error.to_string(), "there is no pair 1 of virtqueues: 1 are in use");
}

#[test]
fn a_queue_that_is_full_takes_frames_again_when_the_function_has_read_some() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, Settings { transmit_buffers: 9, ..small() });
    device.master(1, false);
    let one = frame(60, 1);
    let halves = [Cut { gap: 0, len: 12 }];
    for expected in [Sent::Accepted, Sent::Accepted, Sent::Full, Sent::Full] {
        assert_eq!(net.send_cut(0, &one, &halves).unwrap(), expected);
    }
    assert_eq!(net.send(0, [&one[..]]).unwrap(), 0, "no descriptor is free");
    device.master(1, true);
    device.run();
    assert_eq!(device.frames().len(), 2);
    let frames = [&one[..]; 5];
    device.master(1, false);
    assert_eq!(net.send(0, frames).unwrap(), 4);
}
