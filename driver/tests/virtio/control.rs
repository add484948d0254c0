// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several pairs of virtqueues, and what is asked for on the control queue.

use crate::bench::{ADDRESS, Device, Net, OFFERED, kinds, small};
use millrace_driver::virtio::{Cut, DmaMemory, Rss, Settings, VirtioError};
use millrace_model::host::Delivered;
use millrace_regs::host::control::{Command, hash_type};
use millrace_regs::host::{FUNCTION_FEATURES_HI, FUNCTION_FEATURES_LO, FUNCTION_FIRST_HI, FaultReason, Feature};
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

const FLOWS: u16 = 32;

/// The `number`th frame of a flow: IPv4 and UDP.
fn frame(flow: u16, number: u8) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend([8, 0, 0x45, 0, 0, 29, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(flow.to_be_bytes());
    frame.extend([0, 9, 0, 9, 0, 0, number]);
    frame
}

fn settings() -> Settings {
    Settings { pairs: 2, queue_size: 64, transmit_buffers: 64, ..small() }
}

/// Delivers two frames of each flow: the pair on which each arrives, both in order.
fn pairs(device: &Device, net: &mut Net) -> Vec<u16> {
    let mut found = vec![None; FLOWS.into()];
    for number in 0..2 {
        for flow in 0..FLOWS {
            assert_eq!(device.steer(1, &frame(flow, number)), Delivered::Written(1));
        }
        for pair in 0..2 {
            let mut flows = vec![];
            net.receive(pair, usize::MAX, |bytes| {
                let flow = u16::from_be_bytes([bytes[34], bytes[35]]);
                assert_eq!(bytes, frame(flow, number));
                flows.push(flow);
            })
            .unwrap();
            assert!(flows.is_sorted());
            for flow in flows {
                assert_eq!(*found[usize::from(flow)].get_or_insert(pair), pair, "flow {flow}");
            }
        }
    }
    found.into_iter().map(|pair| pair.expect("it arrived")).collect()
}

#[test]
fn flows_are_spread_over_the_pairs_that_are_set() {
    for kind in kinds(&settings()) {
        for indirect in [false, true] {
            let device = Device::new(1 << 20, 1);
            let mut net = device.start(1, Settings { indirect, ..kind.clone() });
            let spread = pairs(&device, &mut net);
            let second = spread.iter().filter(|pair| **pair == 1).count();
            assert!((8..=24).contains(&second), "{second} of {FLOWS}");
            net.set_pairs(1).unwrap();
            assert_eq!(pairs(&device, &mut net), [0; FLOWS as usize]);
            net.set_pairs(2).unwrap();
            assert_eq!(pairs(&device, &mut net), spread);
            net.restart().unwrap();
            assert_eq!(pairs(&device, &mut net), spread);
        }
    }
}

#[test]
fn rss_steers_by_its_table() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, settings());
    let spread = pairs(&device, &mut net);
    let all = Rss::spread(2);
    net.set_rss(&all).unwrap();
    assert_eq!(pairs(&device, &mut net), spread, "what the function does by itself");
    net.set_rss(&Rss { table: vec![1], ..all.clone() }).unwrap();
    assert_eq!(pairs(&device, &mut net), [1; FLOWS as usize]);
    let swapped = Rss { table: vec![1, 0], ..all.clone() };
    net.set_rss(&swapped).unwrap();
    let other = pairs(&device, &mut net);
    assert!(spread.iter().zip(other).all(|(a, b)| *a != b));
    net.set_rss(&Rss { hash_types: hash_type::TCPV4, unclassified: 1, ..all.clone() }).unwrap();
    assert_eq!(pairs(&device, &mut net), [1; FLOWS as usize]);
    net.set_rss(&Rss { key: vec![], ..all.clone() }).unwrap();
    assert_eq!(pairs(&device, &mut net), [0; FLOWS as usize]);

    let refused = net.set_rss(&Rss { key: vec![1; 41], ..all.clone() }).unwrap_err();
    assert_eq!(refused.to_string(), "the function refused RSS_CONFIG on its control queue");
    for rss in [
        Rss { table: vec![0, 2], ..all.clone() },
        Rss { table: vec![0; 3], ..all.clone() },
        Rss { table: vec![], ..all.clone() },
        Rss { unclassified: 2, ..all.clone() },
        Rss { key: vec![0; 256], ..all },
    ] {
        assert!(matches!(net.set_rss(&rss), Err(VirtioError::Settings(_))), "{rss:?}");
    }
    assert_eq!(pairs(&device, &mut net), [0; FLOWS as usize], "nothing is changed");
}

#[test]
fn a_command_may_lie_in_any_pieces_of_virtqueues_of_every_kind() {
    let cut = |gap, len| Cut { gap, len };
    // As Linux has RSS_CONFIG before 6.15; and as many as a chain may have.
    let layouts = [vec![cut(3, 2), cut(5, 8), cut(1, 256), cut(0, 3)], vec![cut(7, 1); 6]];
    for kind in kinds(&settings()) {
        for (command, indirect) in layouts.iter().flat_map(|command| [(command, false), (command, true)]) {
            let device = Device::new(1 << 20, 1);
            let mut net = device.start(1, Settings { indirect, command: command.clone(), ..kind.clone() });
            net.set_rss(&Rss { table: vec![1; 128], ..Rss::spread(2) }).unwrap();
            assert_eq!(pairs(&device, &mut net), [1; FLOWS as usize]);
            net.set_mac([2, 3, 4, 5, 6, 7]).unwrap();
            assert_eq!(net.config().unwrap().mac, Some([2, 3, 4, 5, 6, 7]));
        }
    }
}

#[test]
fn pairs_that_are_not_in_use_are_not_set() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, settings());
    assert!(matches!(net.set_pairs(3), Err(VirtioError::NoPair { pair: 2, pairs: 2 })));
    assert!(matches!(net.set_pairs(0), Err(VirtioError::NoPair { .. })));
    let mut net = device.start(1, Settings { pairs: 1, ..settings() });
    assert!(matches!(net.set_pairs(2), Err(VirtioError::NoPair { pair: 1, pairs: 1 })));
    net.set_pairs(1).unwrap();
}

#[test]
fn the_address_is_what_was_asked_for() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    net.set_mac([2, 3, 4, 5, 6, 7]).unwrap();
    assert_eq!(net.config().unwrap().mac, Some([2, 3, 4, 5, 6, 7]));
    let error = net.set_mac([3, 3, 4, 5, 6, 7]).unwrap_err();
    assert_eq!(error.to_string(), "the function refused ADDR_SET on its control queue");
    net.restart().unwrap();
    assert_eq!(net.config().unwrap().mac, Some([2, 3, 4, 5, 6, 7]));
}

#[test]
fn receive_modes_addresses_and_vlans_are_taken() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    for round in 0..1000 {
        net.set_promiscuous(round % 2 == 0).unwrap();
        net.set_all_multicast(round % 2 == 1).unwrap();
        net.set_addresses(&[[2; 6]; 3], &[[3; 6]; 9]).unwrap();
        net.add_vlan(round).unwrap();
        net.remove_vlan(round).unwrap();
    }
    assert!(matches!(net.add_vlan(4096), Err(VirtioError::Refused { command: "ADD" })));
    net.set_addresses(&[[2; 6]; 80], &[[3; 6]; 3]).unwrap();
    let error = net.set_addresses(&[[2; 6]; 80], &[[3; 6]; 4]).unwrap_err();
    assert!(matches!(error, VirtioError::CommandTooLong { command: "TABLE_SET", bytes: 514 }), "{error}");
    net.check().unwrap();
}

#[test]
fn commands_whose_feature_was_not_agreed_on_are_not_given() {
    type Call = fn(&mut Net) -> Result<(), VirtioError>;
    let calls: [(Feature, Call); 5] = [
        (Feature::CtrlRx, |net| net.set_promiscuous(true)),
        (Feature::CtrlVlan, |net| net.add_vlan(1)),
        (Feature::CtrlMacAddr, |net| net.set_mac([2; 6])),
        (Feature::Mq, |net| net.set_pairs(1)),
        (Feature::Rss, |net| net.set_rss(&Rss::spread(1))),
    ];
    for masked in [Feature::CtrlVq, Feature::CtrlRx, Feature::CtrlVlan, Feature::CtrlMacAddr, Feature::Mq, Feature::Rss]
    {
        let device = Device::new(1 << 20, 0);
        let mask = !masked.bit();
        device.set(1, FUNCTION_FEATURES_LO.offset, mask as u32);
        device.set(1, FUNCTION_FEATURES_HI.offset, (mask >> 32) as u32);
        let mut net = device.start(1, small());
        device.notifications();
        for (feature, call) in calls {
            let agreed = masked != Feature::CtrlVq && masked != feature;
            assert_eq!(net.features() & feature.bit() != 0, agreed);
            match call(&mut net) {
                Ok(()) => assert!(agreed, "{} without {}", feature.name(), masked.name()),
                Err(VirtioError::NotAgreed { name }) => assert!(!agreed && name == feature.name()),
                Err(error) => panic!("{error}"),
            }
        }
        let control = net.control_queue().map(|queue| queue.number());
        assert_eq!(control, (masked != Feature::CtrlVq).then_some(4));
    }
    // With neither the function has a pair, and the third virtqueue is the control queue.
    let device = Device::new(1 << 20, 0);
    let mask = OFFERED & !Feature::Mq.bit() & !Feature::Rss.bit();
    device.set(1, FUNCTION_FEATURES_LO.offset, mask as u32);
    device.set(1, FUNCTION_FEATURES_HI.offset, (mask >> 32) as u32);
    let mut net = device.start(1, small());
    assert_eq!(net.control_queue().map(|queue| queue.number()), Some(2));
    net.set_promiscuous(true).unwrap();
}

#[test]
fn a_command_that_is_not_answered_is_given_up_and_the_next_one_waits_for_it() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    device.master(1, false);
    let error = net.add_vlan(7).unwrap_err();
    assert_eq!(error.to_string(), "the function did not answer on its control queue: ADD was given up");
    device.notifications();
    assert!(matches!(net.set_promiscuous(true), Err(VirtioError::NoAnswer { command: "PROMISC" })));
    assert_eq!(device.notifications(), []);
    device.master(1, true);
    device.run();
    net.set_promiscuous(true).unwrap();
}

#[test]
fn a_function_that_stops_its_control_queue_is_told_of_at_once() {
    let device = Device::new(1 << 20, 0);
    let mut net = device.start(1, small());
    device.set(1, FUNCTION_FIRST_HI.offset, u32::MAX);
    match net.add_vlan(7) {
        Err(VirtioError::NeedsReset(fault)) => {
            assert_eq!((fault.reason(), fault.virtqueue), (Some(FaultReason::Window), 4));
        }
        other => panic!("{other:?}"),
    }
    device.set(1, FUNCTION_FIRST_HI.offset, 0);
    net.restart().unwrap();
    net.add_vlan(7).unwrap();
}

#[test]
fn an_independent_device_finds_the_command() {
    const BYTES: usize = 1 << 20;
    for indirect in [false, true] {
        let device = Device::new(BYTES, 0);
        let mut net = device.start(1, Settings { indirect, ..small() });
        device.master(1, false);
        assert!(matches!(net.add_vlan(0x123), Err(VirtioError::NoAnswer { .. })));
        let mut bytes = vec![0; BYTES];
        net.memory().read(0, &mut bytes);
        let guest = GuestMemoryMmap::<()>::from_ranges(&[(GuestAddress(ADDRESS), BYTES)]).unwrap();
        guest.write_slice(&bytes, GuestAddress(ADDRESS)).unwrap();
        let control = net.control_queue().unwrap();
        let rings = control.rings();
        let mut queue = Queue::new(control.size()).unwrap();
        let halves = |offset: usize| (Some((ADDRESS + offset as u64) as u32), Some((ADDRESS >> 32) as u32));
        let (low, high) = halves(rings.descriptors);
        queue.set_desc_table_address(low, high);
        let (low, high) = halves(rings.available);
        queue.set_avail_ring_address(low, high);
        let (low, high) = halves(rings.used);
        queue.set_used_ring_address(low, high);
        queue.set_ready(true);
        assert!(queue.is_valid(&guest));
        let chains: Vec<_> = queue.iter(&guest).unwrap().collect();
        let [chain] = &chains[..] else { panic!("{} chains", chains.len()) };
        let pieces: Vec<_> = chain.clone().map(|piece| (piece.addr(), piece.len(), piece.is_write_only())).collect();
        let [(command, 4, false), (_, 1, true)] = pieces[..] else { panic!("{pieces:?}") };
        let mut found = [0; 4];
        guest.read_slice(&mut found, command).unwrap();
        assert_eq!(found, [Command::VlanAdd.class(), Command::VlanAdd.command(), 0x23, 0x01]);
    }
}
