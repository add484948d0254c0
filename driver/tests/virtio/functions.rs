// SPDX-License-Identifier: MIT OR Apache-2.0
//! Device configuration, interrupts, representors.

use crate::bench::{Alter, CONFIG, Device, OFFERED, frame, kinds, message, receive, small};
use millrace_driver::Sent;
use millrace_driver::virtio::{
    Cut, FunctionConfig, FunctionPolicy, FunctionVlan, Isr, NetConfig, Representors, RssLimits, Settings, VirtioError,
    VirtioNet, function_runs,
};
use millrace_model::host::Delivered;
use millrace_regs::UpcallReason;
use millrace_regs::host::{Feature, common};

#[test]
fn configuration_is_what_the_ecpf_has_set() {
    let device = Device::new(1 << 20, 0);
    device.set(1, 0x00, 0x0403_0201);
    device.set(1, 0x04, 0x0001_0605);
    device.set(1, 0x08, 1500);
    let mut net = device.start(1, small());
    assert_eq!(net.features(), OFFERED & small().features());
    let rss = Some(RssLimits { key_bytes: 40, table_entries: 128, hash_types: 0x3f });
    let config = NetConfig { mac: Some([1, 2, 3, 4, 5, 6]), link_up: true, max_pairs: 2, mtu: Some(1500), rss };
    assert_eq!(net.config().unwrap(), config);
    device.set(1, 0x04, 0x0605);
    assert_eq!(net.config().unwrap(), NetConfig { link_up: false, ..config });
    assert_eq!(net.isr().unwrap(), Isr { queue: false, configuration: true });
    assert_eq!(net.isr().unwrap(), Isr::default());
}

#[test]
fn the_ecpf_sets_each_functions_configuration_by_itself() {
    let device = Device::new(1 << 20, 0);
    let config = |function: u8| FunctionConfig {
        mac: [2, 0x80, 0xfe, 4, 0xff, function],
        mtu: 1500 + u16::from(function),
        link_up: function != 2,
        features: !0,
        policy: FunctionPolicy {
            spoof_check: function == 1,
            max_tx_rate: 100 * u32::from(function),
            tx_weight: 80 * u32::from(function),
            ..FunctionPolicy::default()
        },
    };
    for function in [3, 1, 2] {
        config(function).set(&mut device.bar(0), function.into()).unwrap();
    }
    for function in [1, 2, 3] {
        let mut net = device.start(function.into(), Settings { control: false, ..small() });
        let FunctionConfig { mac, mtu, link_up, .. } = config(function);
        assert_eq!(
            net.config().unwrap(),
            NetConfig { mac: Some(mac), link_up, max_pairs: 2, mtu: Some(mtu), rss: None }
        );
    }
    for function in [1, 2, 3] {
        assert_eq!(FunctionConfig::read(&mut device.bar(0), function.into()).unwrap(), config(function));
    }
    let beyond = CONFIG.functions() as u32;
    let error = config(1).set(&mut device.bar(0), beyond).unwrap_err();
    assert!(matches!(error, VirtioError::Transport { access: "write", .. }), "{error}");
}

#[test]
fn the_ecpf_changes_what_it_means_to_and_leaves_what_the_driver_has_set() {
    let device = Device::new(1 << 20, 0);
    let vlan = |id| Some(FunctionVlan { id, priority: 7, service: true });
    let config = FunctionConfig {
        mac: [2, 0, 0, 0, 0, 1],
        mtu: 1500,
        link_up: true,
        features: !0,
        policy: FunctionPolicy {
            trust: true,
            vlan: vlan(4095),
            spoof_check: false,
            max_tx_rate: FunctionPolicy::FASTEST,
            tx_weight: FunctionPolicy::HEAVIEST,
        },
    };
    config.set(&mut device.bar(0), 1).unwrap();
    assert!(!function_runs(&mut device.bar(0), 1).unwrap());
    let mut net = device.start(1, small());
    assert!(function_runs(&mut device.bar(0), 1).unwrap());
    let before = FunctionConfig::read(&mut device.bar(0), 1).unwrap();
    assert_eq!(before, config);
    // The driver's own address, set when the ECPF had looked already.
    for (register, value) in [(0x00, 0x0403_0202), (0x04, 0x0001_0605)] {
        device.set(1, register, value);
    }
    let after = FunctionConfig { link_up: false, policy: FunctionPolicy { vlan: None, ..config.policy }, ..before };
    after.change(&before, &mut device.bar(0), 1).unwrap();
    let mac = [2, 2, 3, 4, 5, 6];
    assert_eq!(FunctionConfig::read(&mut device.bar(0), 1).unwrap(), FunctionConfig { mac, ..after });
    assert_eq!((net.config().unwrap().mac, net.config().unwrap().link_up), (Some(mac), false));
}

#[test]
fn features_that_the_ecpf_masks_are_not_used() {
    let device = Device::new(1 << 20, 0);
    device.set(1, 0x0c, 0);
    device.set(1, 0x10, 0);
    let mut net = device.start(1, Settings { merge: true, ..small() });
    assert_eq!(net.features(), Feature::REQUIRED);
    assert_eq!(net.config().unwrap(), NetConfig { mac: None, link_up: true, max_pairs: 2, mtu: None, rss: None });
    assert_eq!(device.deliver(1, 0, 0, &frame(1988, 1)), Delivered::Written(1));
    assert_eq!(device.deliver(1, 0, 0, &frame(1989, 1)), Delivered::NoBuffer, "buffers are not merged");
    assert_eq!(receive(&mut net, 0), [frame(1988, 1)]);
}

#[test]
fn features_that_the_driver_does_not_know_are_left_alone() {
    let device = Device::new(1 << 20, 0);
    device.set(1, 0x08, 1500);
    let mut bar = device.bar(1);
    // VIRTIO_NET_F_GUEST_ANNOUNCE, and bit 53, which is none of virtio 1.2.
    bar.alter = Some(|offset, word| if offset == common::DEVICE_FEATURE.offset { word | 1 << 21 } else { word });
    for merge in [false, true] {
        let settings = Settings { merge, ..small() };
        let net = VirtioNet::start(&mut bar, device.memory(1), settings.clone()).unwrap();
        assert_eq!(net.features(), OFFERED & settings.features());
        assert_eq!(net.features() & Feature::MergeableBuffers.bit() != 0, merge);
    }
}

#[test]
fn buffers_hold_the_mtu_unless_they_are_merged() {
    let device = Device::new(1 << 20, 0);
    device.set(1, 0x08, 2000 - 12 - 18);
    device.start(1, small());
    device.set(1, 0x08, 2000 - 12 - 17);
    let error = VirtioNet::start(device.bar(1), device.memory(1), small()).err().unwrap();
    assert!(matches!(error, VirtioError::BufferTooSmall { room: 2000, mtu: 1971, needs: 2001 }), "{error}");
    device.start(1, Settings { merge: true, ..small() });
    device.set(1, 0x08, 67);
    assert_eq!(device.start(1, small()).config().unwrap().mtu, None, "less than virtio allows");
}

#[test]
fn interrupts_come_where_they_are_asked_for() {
    for interrupts in [false, true] {
        let device = Device::new(1 << 20, 0);
        let mut net = device.start(1, Settings { interrupts, pairs: 2, ..small() });
        device.deliver(1, 0, 0, &[0; 60]);
        net.send(1, [&[0; 60][..]]).unwrap();
        device.run();
        device.set(1, 0x04, 1 << 16);
        let given = [1, 4, 0].map(|vector| message(1, vector));
        assert_eq!(device.interrupts(), if interrupts { given.to_vec() } else { vec![] });
        assert_eq!(net.isr().unwrap(), Isr { queue: interrupts, configuration: true });
    }
}

#[test]
fn a_function_that_cannot_use_a_vector_is_not_used() {
    let device = Device::new(1 << 20, 0);
    let settings = Settings { interrupts: true, ..small() };
    let fields = [(common::CONFIG_MSIX_VECTOR, 0), (common::QUEUE_MSIX_VECTOR, 1)];
    let alters: [Alter; 2] = [
        |offset, word| if offset == common::CONFIG_MSIX_VECTOR.word() { word | 0xffff } else { word },
        |offset, word| if offset == common::QUEUE_MSIX_VECTOR.word() { word | 0xffff_0000 } else { word },
    ];
    for ((field, written), alter) in fields.into_iter().zip(alters) {
        let bar = || {
            let mut bar = device.bar(1);
            bar.alter = Some(alter);
            bar
        };
        let error = VirtioNet::start(bar(), device.memory(1), settings.clone()).err().expect("no vector");
        let VirtioError::QueueField { queue: 0, field: name, written: wrote, reads: 0xffff } = error else {
            panic!("{error}");
        };
        assert_eq!((name, wrote), (field.name, written));
        VirtioNet::start(bar(), device.memory(1), small()).expect("without interrupts none is needed");
    }
}

#[test]
fn representors_carry_upcalls_and_packets_out_of_every_vport() {
    let vports = CONFIG.vports() as u16;
    for receive in [vec![vec![Cut { gap: 5, len: 1000 }]], vec![vec![Cut { gap: 5, len: 13 }, Cut { gap: 0, len: 40 }]]]
    {
        let merge = receive[0].len() == 2;
        let device = Device::new(1 << 20, 1);
        let settings = Settings { pairs: vports, merge, receive, queue_size: 16, ..small() };
        let mut representors = Representors::start(device.bar(0), device.memory(0), settings).unwrap();
        for vport in 0..vports {
            for reason in UpcallReason::ALL {
                let delivered = device.deliver(0, vport, *reason as u8, &frame(300, vport.into()));
                assert_eq!(delivered, Delivered::Written(if merge { 7 } else { 1 }));
                let upcalls = representors.upcalls(vport, 9).unwrap();
                let [upcall] = &upcalls[..] else { panic!("{} upcalls", upcalls.len()) };
                assert_eq!((upcall.vport, upcall.reason), (vport, *reason));
                assert_eq!(upcall.frame, frame(300, vport.into()));
            }
            let sent = representors.packet_out(vport, &frame(99, 7)).unwrap();
            assert_eq!(sent, Sent::Accepted);
            device.run();
            let out = device.frames().pop().unwrap();
            assert_eq!((out.function, out.queue, out.control), (0, usize::from(2 * vport + 1), vec![0; 32]));
            assert_eq!(out.frame, frame(99, 7));
        }
        representors.net().check().unwrap();
        representors.stop().unwrap();
    }
}

#[test]
fn an_upcall_with_a_reason_that_there_is_not_is_an_error() {
    let device = Device::new(1 << 20, 0);
    let settings = Settings { pairs: CONFIG.vports() as u16, ..small() };
    let mut representors = Representors::start(device.bar(0), device.memory(0), settings).unwrap();
    device.deliver(0, 3, 9, &[0; 60]);
    let error = representors.upcalls(3, 1).unwrap_err().to_string();
    assert!(error.starts_with("virtqueue 6: ") && error.contains("no such reason"), "{error}");
}

#[test]
fn the_kinds_of_virtqueues_are_those_of_the_settings() {
    let device = Device::new(8 << 20, 0);
    let all = [Feature::RingPacked, Feature::EventIdx, Feature::InOrder].map(Feature::bit);
    let mut found = vec![];
    for settings in kinds(&small()) {
        let mut net = device.start(1, settings.clone());
        assert_eq!(net.features() & Feature::RingPacked.bit() != 0, settings.packed);
        found.push(all.map(|bit| net.features() & bit != 0));
        assert_eq!(net.send(0, [&frame(60, 1)[..]]).unwrap(), 1);
        device.run();
        assert_eq!(device.frames().len(), 1);
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 8);
    let net = device.start(1, Settings { in_order: true, descriptor_order: vec![1, 0, 2, 3], ..small() });
    assert_eq!(net.features() & Feature::InOrder.bit(), 0, "descriptors would not be in order");
    let net = device.start(1, Settings::default());
    assert_eq!(net.features() & all.iter().sum::<u64>(), all.iter().sum::<u64>());
}

#[test]
fn with_event_idx_only_what_the_function_waits_for_is_notified() {
    for settings in kinds(&small()) {
        let device = Device::new(1 << 20, 0);
        let mut net = device.start(1, settings.clone());
        // Before it was at rest for the first time a packed one asks for all.
        net.send(0, [&frame(60, 1)[..]]).unwrap();
        device.run();
        device.frames();
        device.notifications();
        for round in 0..20 {
            // What it is notified of waits.
            device.master(1, false);
            for _ in 0..2 {
                assert_eq!(net.send(0, [&frame(60, 1)[..]; 2]).unwrap(), 2);
            }
            let expected = if settings.event_idx { 1 } else { 2 };
            assert_eq!(device.notifications(), vec![(1, 1); expected], "{round}: {settings:?}");
            device.master(1, true);
            device.run();
            assert_eq!(device.frames().len(), 4);
        }
    }
}

#[test]
fn notifications_tell_how_far_the_ring_is() {
    for packed in [false, true] {
        let device = Device::new(1 << 20, 0);
        let mut net = device.start(1, Settings { notification_data: true, packed, ..small() });
        let mut told = vec![];
        for _ in 0..7 {
            net.send(0, [&frame(60, 1)[..]]).unwrap();
            told.extend(device.notifications().into_iter().filter(|(queue, _)| *queue == 1));
        }
        let places = if packed { [0x8001, 0x8002, 0x8003, 0, 1, 2, 3] } else { [1, 2, 3, 4, 5, 6, 7] };
        assert_eq!(told, places.map(|place| (1, place << 16 | 1)));
    }
}

#[test]
fn with_event_idx_an_interrupt_comes_for_what_a_queue_that_was_found_empty_waits_for() {
    for settings in kinds(&Settings { interrupts: true, queue_size: 8, ..small() }) {
        let device = Device::new(1 << 20, 0);
        let mut net = device.start(1, settings.clone());
        for round in 0..20u64 {
            let count = 1 + round % 3;
            let mut told = 0;
            for number in 0..count {
                assert_eq!(device.deliver(1, 0, 0, &frame(60, number)), Delivered::Written(1));
                told += device.interrupts().len() as u64;
            }
            assert_eq!(told, if settings.event_idx { 1 } else { count }, "{settings:?}");
            assert_eq!(receive(&mut net, 0).len() as u64, count);
        }
    }
}

#[test]
fn with_indirect_desc_buffers_of_several_pieces_take_one_descriptor() {
    let receive = vec![vec![Cut { gap: 1, len: 10 }, Cut { gap: 2, len: 100 }]];
    for settings in kinds(&Settings { indirect: true, receive, ..small() }) {
        let device = Device::new(1 << 20, 0);
        let mut net = device.start(1, settings.clone());
        assert_eq!(net.queues(0).unwrap().map(|queue| (queue.outstanding(), queue.free())), [(4, 0), (0, 4)]);
        device.master(1, false);
        for number in 0..4 {
            assert_eq!(net.send_cut(0, &frame(60, number), &[Cut { gap: 0, len: 5 }; 3]).unwrap(), Sent::Accepted);
        }
        assert_eq!(net.queues(0).unwrap()[1].free(), 0, "{settings:?}");
        device.master(1, true);
        device.run();
        let sent: Vec<_> = device.frames().into_iter().map(|out| out.frame).collect();
        assert_eq!(sent, [0, 1, 2, 3].map(|number| frame(60, number)));
        for number in 0..9 {
            assert_eq!(device.deliver(1, 0, 0, &frame(60, number)), Delivered::Written(1));
            assert_eq!(crate::bench::receive(&mut net, 0), [frame(60, number)]);
        }
    }
}

#[test]
fn queues_and_buffers_fit_into_the_memory_that_their_settings_need() {
    for settings in kinds(&Settings { indirect: true, pairs: 2, queue_size: 16, ..small() }) {
        let device = Device::new(settings.memory_bytes(), 0);
        device.start(1, settings);
    }
}
