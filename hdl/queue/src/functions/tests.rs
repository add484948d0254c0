// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers as a driver, the ECPF and the queue engine see them, from `docs/host.md` and virtio 1.2.

mod bench;
mod random;
mod reference;

use super::*;
use crate::sizes::HostSizes;
use crate::small::SMALL;
use crate::testing::{emit, lint};
use bench::{Bench, BenchOf, Dut, ERROR, OKAY, PAIRS, Pairs, QUEUES, VECTORS, entry};
use millrace_hdl::sized;
use millrace_regs::host::{
    self, COMMON, FAULTS, FUNCTION, FUNCTION_REGISTERS, Feature, HostField, ISR, MSIX_PENDING, MSIX_TABLE, NOTIFY,
    common, device, msix, status,
};

/// Of `MODE`, in the ECPF's configuration space.
const MODE_OFFSET: u32 = host::MODE_ADDRESS & 0xff_ffff;

/// ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK as a driver sets them.
const READY: u32 = (status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK | status::DRIVER_OK) as u32;
const NEEDS_RESET: u32 = status::DEVICE_NEEDS_RESET as u32;
const MERGE: u64 = Feature::REQUIRED | Feature::MergeableBuffers.bit();

fn state(bench: &mut Bench, function: u32) -> u32 {
    bench.get(function, &common::DEVICE_STATUS) as u32
}

fn function_register(function: u32, register: &millrace_regs::map::Register) -> u32 {
    FUNCTION.at(function) + register.offset
}

/// The mode: as it was written, and whether that has yet to take effect.
fn mode(b: &mut Bench) -> (u32, bool) {
    b.from = Some(0);
    let (word, response) = b.read(host::CONFIGURATION, MODE_OFFSET);
    assert_eq!(response, OKAY);
    (word & host::pci::mode::NIC, word & host::pci::mode::CHANGING != 0)
}

fn set_mode(b: &mut Bench, nic: u32) {
    b.from = Some(0);
    assert_eq!(b.write(host::CONFIGURATION, MODE_OFFSET, nic, 15), OKAY);
}

/// Whether a function reaches function 0's block, and what lies in it of the others.
fn reaches_switch(b: &mut Bench, from: u32) -> bool {
    b.from = Some(from);
    let all = [COMMON.offset, host::ENGINE.offset, host::LIMITS.at(2), FUNCTION.at(1), MSIX_TABLE.at(0), NOTIFY.at(1)];
    let answers = all.map(|offset| (b.read(0, offset).1, b.write(0, offset, 0, 0)));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    answers[0] == (OKAY, OKAY)
}

#[test]
fn each_function_reaches_its_own_block_and_its_owner_function_0() {
    let mut b = Bench::new();
    b.set_up(0, MERGE);
    b.set_up(2, MERGE);
    assert_eq!([0, 1, 2].map(|from| reaches_switch(&mut b, from)), [true, false, false]);
    for (from, function) in [(0, 1), (0, 2), (1, 2), (2, 1), (1, 3)] {
        b.from = Some(from);
        assert_eq!((b.read(function, 0).1, b.write(function, 0x14, 0, 15)), (ERROR, ERROR));
    }
    for from in 1..3 {
        b.from = Some(from);
        assert_eq!(b.read(host::CONFIGURATION, MODE_OFFSET).1, ERROR);
        assert_eq!(b.write(host::CONFIGURATION, MODE_OFFSET, 1, 15), ERROR);
    }
    assert_eq!((mode(&mut b), b.dut.nic.val()), ((0, false), false));

    // The engine takes its time for function 0: nobody has it meanwhile.
    b.engine_delay = None;
    set_mode(&mut b, 1);
    b.clocks(50);
    assert_eq!((mode(&mut b), b.dut.nic.val()), ((1, true), false));
    assert_eq!([0, 1, 2].map(|from| reaches_switch(&mut b, from)), [false; 3]);
    b.from = None;
    assert_eq!(state(&mut b, 2), READY, "others go on");
    b.engine_delay = Some(3);
    b.release();
    while mode(&mut b).1 {}
    assert_eq!(b.seen.resets, [0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((mode(&mut b), b.dut.nic.val()), ((1, false), true));
    assert_eq!([0, 1, 2].map(|from| reaches_switch(&mut b, from)), [false, true, false]);
    b.from = Some(1);
    assert_eq!(state(&mut b, 0), 0, "it was reset");
    assert_eq!(b.write(host::CONFIGURATION, MODE_OFFSET, 0, 15), ERROR, "the ECPF's alone");
    b.from = None;
    assert_eq!(state(&mut b, 2), READY);

    set_mode(&mut b, 0);
    while mode(&mut b).1 {}
    assert_eq!([0, 1, 2].map(|from| reaches_switch(&mut b, from)), [true, false, false]);
    set_mode(&mut b, 0);
    assert_eq!(mode(&mut b), (0, false), "nothing changes");
}

/// Resets functions as PCI does, in one go; which of them were done at its end.
fn reset_from_pci(b: &mut Bench, functions: u64) -> u64 {
    b.dut.flr.next = functions.into();
    b.clocks(2000);
    let done = b.dut.flr_done.val().to_u64();
    b.dut.flr.next = 0u64.into();
    b.clocks(20);
    assert_eq!(b.dut.flr_done.val().to_u64(), 0);
    done
}

#[test]
fn a_function_level_reset_is_one_of_the_function_and_of_what_it_owns() {
    let mut b = Bench::new();
    let ready = |b: &mut Bench| [0, 1, 2].map(|function| state(b, function) == READY);
    let set_up = |b: &mut Bench| {
        for function in 0..3 {
            if state(b, function) != READY {
                b.set_up(function, MERGE);
            }
        }
    };
    for (functions, left) in
        [(0b100, [true, true, false]), (0b010, [true, false, true]), (0b001, [false, true, true]), (0b111, [false; 3])]
    {
        set_up(&mut b);
        assert_eq!(reset_from_pci(&mut b, functions), functions);
        assert_eq!(ready(&mut b), left, "{functions:#b}");
    }
    // It is done no sooner than the engine.
    set_up(&mut b);
    b.engine_delay = None;
    b.dut.flr.next = 0b100u64.into();
    b.clocks(500);
    assert_eq!(b.dut.flr_done.val().to_u64(), 0);
    b.engine_delay = Some(3);
    b.release();
    b.clocks(500);
    assert_eq!(b.dut.flr_done.val().to_u64(), 0b100);
    b.dut.flr.next = 0u64.into();
    b.clocks(20);

    // In NIC mode function 0 goes with the PF.
    set_mode(&mut b, 1);
    while mode(&mut b).1 {}
    let owned = |b: &mut Bench| {
        b.from = Some(1);
        b.set_up(0, MERGE);
        b.from = None;
    };
    owned(&mut b);
    b.set_up(2, MERGE);
    b.from = None;
    if state(&mut b, 1) != READY {
        b.set_up(1, MERGE);
    }
    assert_eq!(reset_from_pci(&mut b, 0b001), 0b001);
    b.from = Some(1);
    assert_eq!(state(&mut b, 0), READY, "the ECPF's reset leaves it");
    assert_eq!(reset_from_pci(&mut b, 0b010), 0b010);
    assert_eq!((state(&mut b, 0), state(&mut b, 1)), (0, 0));
    b.from = None;
    assert_eq!(state(&mut b, 2), READY);
}

#[test]
fn a_driver_sets_a_function_up() {
    let mut b = Bench::new();
    b.dut.bus_master.next = 0b100u64.into();
    assert_eq!(b.get(2, &common::NUM_QUEUES), 3);
    assert_eq!(b.get(0, &common::NUM_QUEUES), 8);
    b.set(2, &common::DEVICE_STATUS, 1);
    b.set(2, &common::DEVICE_STATUS, 3);
    assert_eq!(b.offered(2), Feature::OFFERED);
    b.take(2, MERGE);
    b.set(2, &common::DEVICE_STATUS, 11);
    assert_eq!(state(&mut b, 2), 11);
    b.set(2, &common::CONFIG_MSIX_VECTOR, 2);
    assert_eq!(b.get(2, &common::CONFIG_MSIX_VECTOR), 2);
    for q in 0..2 {
        b.set(2, &common::QUEUE_SELECT, q);
        assert_eq!(b.get(2, &common::QUEUE_SIZE), 256);
        assert_eq!(b.get(2, &common::QUEUE_NOTIFY_OFF), q);
        assert_eq!(b.get(2, &common::QUEUE_MSIX_VECTOR), 0xffff);
        b.set(2, &common::QUEUE_SIZE, 64 << q);
        b.set(2, &common::QUEUE_MSIX_VECTOR, 1 - q);
        assert_eq!(b.get(2, &common::QUEUE_MSIX_VECTOR), 1 - q);
        b.set(2, &common::QUEUE_DESC, 0x1_2345_6780 + q * 0x1_0000_0000);
        b.set(2, &common::QUEUE_DRIVER, 0xfedc_ba98_7654_3212);
        b.set(2, &common::QUEUE_DEVICE, 0x44);
        b.set(2, &common::QUEUE_ENABLE, 1);
        assert_eq!(b.get(2, &common::QUEUE_ENABLE), 1);
    }
    assert_eq!((b.seen.live(), b.dut.merge.val().to_u64()), (0, 0b100), "not before DRIVER_OK");
    b.set(2, &common::DEVICE_STATUS, 15);
    assert_eq!(state(&mut b, 2), READY);
    assert_eq!(b.seen.live(), 0b11_0000_0000_0000);
    let config = |q: u64| QueueConfig {
        desc: (0x1_2345_6780 + q * 0x1_0000_0000).into(),
        driver: 0xfedc_ba98_7654_3212u64.into(),
        device: 0x44u64.into(),
        size: (64 << q).into(),
        size_log2: (6 + q).into(),
        function: 2u64.into(),
        features: Default::default(),
    };
    assert_eq!(b.seen.queues, [(12, config(0)), (13, config(1))]);
    assert_eq!(b.write(2, NOTIFY.at(1), 1, 0b0011), OKAY);
    assert_eq!(b.seen.notified, [13]);
}

#[test]
fn after_reset_each_function_may_touch_everything() {
    let b = Bench::new();
    let all = Window { first: 0u64.into(), last: ((1u64 << 52) - 1).into() };
    assert_eq!(b.seen.windows, [(0, all), (1, all), (2, all)]);
}

#[test]
fn the_ecpf_sets_windows_of_pages() {
    let mut b = Bench::new();
    b.seen.windows.clear();
    let words: [u32; 4] = [0xffff_ffff, 1, 0x1234_5000, 0x8000_0000];
    for (register, word) in FUNCTION_REGISTERS[5..9].iter().zip(words) {
        assert_eq!(b.write(0, function_register(1, register), word, 15), OKAY);
    }
    let read = FUNCTION_REGISTERS[5..9].iter().map(|r| b.read(0, function_register(1, r)).0).collect::<Vec<_>>();
    assert_eq!(read, [0xffff_f000, 1, 0x1234_5fff, 0x8000_0000]);
    let windows: Vec<_> = b.seen.windows.iter().map(|(f, w)| (*f, w.first.to_u64(), w.last.to_u64())).collect();
    let ones = (1 << 52) - 1;
    let low = 0xf_ffff;
    let last = ones & !low | 0x1_2345;
    assert_eq!(
        windows,
        [(1, low, ones), (1, 1 << 20 | low, ones), (1, 1 << 20 | low, last), (1, 1 << 20 | low, 0x8_0000_0001_2345)]
    );
}

#[test]
fn features_are_refused_that_are_not_offered_or_lack_what_must_be() {
    let version = Feature::Version1.bit();
    let platform = Feature::AccessPlatform.bit();
    let masked = Feature::Mtu.bit() | Feature::OrderPlatform.bit();
    for (features, accepted) in [
        (0, false),
        (version, false),
        (platform, false),
        (version | platform, true),
        (Feature::OFFERED & !masked, true),
        (version | platform | Feature::Mtu.bit(), false),
        (version | platform | Feature::OrderPlatform.bit(), false),
        (version | platform | 1 << 2, false),
        (version | platform | 1 << 63, false),
        (MERGE, true),
    ] {
        let mut b = Bench::new();
        // A mask never hides the two.
        b.write(0, function_register(1, &host::FUNCTION_FEATURES_LO), !masked as u32, 15);
        b.write(0, function_register(1, &host::FUNCTION_FEATURES_HI), !((masked | Feature::REQUIRED) >> 32) as u32, 15);
        assert_eq!(b.offered(1), Feature::OFFERED & !masked);
        assert_eq!(b.offered(2), Feature::OFFERED);
        b.take(1, features);
        b.set(1, &common::DEVICE_STATUS, 11);
        assert_eq!(state(&mut b, 1), if accepted { 11 } else { 3 }, "{features:#x}");
        let merges = accepted && features & Feature::MergeableBuffers.bit() != 0;
        assert_eq!(b.dut.merge.val().to_u64(), u64::from(merges) << 1);
        // What is agreed on stays.
        b.take(1, version | platform);
        b.set(1, &common::DRIVER_FEATURE_SELECT, 0);
        let low = if accepted { features as u32 } else { 0 };
        assert_eq!(b.get(1, &common::DRIVER_FEATURE) as u32, low);
    }
}

#[test]
fn fields_are_written_one_by_one_in_their_word() {
    let mut b = Bench::new();
    b.write(1, common::DEVICE_STATUS.word(), 0x0001_0003, 0b0001);
    assert_eq!(b.read(1, common::DEVICE_STATUS.word()), (0x0000_0003, OKAY));
    b.write(1, common::DEVICE_STATUS.word(), 0x0001_0080, 0b1100);
    assert_eq!(b.read(1, common::DEVICE_STATUS.word()), (0x0001_0003, OKAY));
    b.write(1, common::DEVICE_STATUS.word(), 0x0000_0004, 0b1101);
    assert_eq!(b.read(1, common::DEVICE_STATUS.word()), (0x0000_0007, OKAY));
    b.write(1, common::QUEUE_SIZE.word(), 0x0007_0020, 0b0011);
    assert_eq!(b.read(1, common::QUEUE_SIZE.word()), (0xffff_0020, OKAY));
    b.write(1, common::QUEUE_SIZE.word(), 0x0002_0040, 0b1100);
    assert_eq!(b.read(1, common::QUEUE_SIZE.word()), (0x0002_0020, OKAY));
    b.write(1, common::QUEUE_SIZE.word(), 0xff01_0040, 0b0100);
    assert_eq!(b.read(1, common::QUEUE_SIZE.word()), (0x0001_0020, OKAY));
    b.write(1, common::QUEUE_DESC.offset, 0xffff_ffff, 0b0001);
    b.write(1, common::QUEUE_DESC.offset + 4, 0x0102_0304, 0b1000);
    assert_eq!(b.get(1, &common::QUEUE_DESC), 0x0100_0000_0000_00f0);
    b.write(1, common::QUEUE_DRIVER.offset, 0xffff_ffff, 15);
    b.write(1, common::QUEUE_DEVICE.offset, 0xffff_ffff, 15);
    assert_eq!(b.get(1, &common::QUEUE_DRIVER), 0xffff_fffe);
    assert_eq!(b.get(1, &common::QUEUE_DEVICE), 0xffff_fffc);
    for size in [0, 3, 257, 512, 0x8000, 0xffff] {
        b.set(1, &common::QUEUE_SIZE, size);
        assert_eq!(b.get(1, &common::QUEUE_SIZE), 0x20, "{size}");
    }
    assert_eq!(b.write(1, common::QUEUE_ENABLE.word(), 1, 0), OKAY);
    b.set(1, &common::QUEUE_ENABLE, 2);
    assert_eq!(b.get(1, &common::QUEUE_ENABLE), 0);
    b.write(1, common::QUEUE_ENABLE.word(), 1, 0b0001);
    assert_eq!(b.get(1, &common::QUEUE_ENABLE), 1);
    b.set(1, &common::QUEUE_DEVICE, 0);
    assert_eq!(b.get(1, &common::QUEUE_DEVICE), 0xffff_fffc, "enabled");
}

#[test]
fn the_device_configuration_is_what_the_ecpf_set() {
    let mut b = Bench::new();
    let field = |b: &mut Bench, f: u32, field: &HostField| b.get_of(f, host::DEVICE.offset, field);
    b.write(0, function_register(2, &host::FUNCTION_MAC_LO), 0x0403_0201, 15);
    b.write(0, function_register(2, &host::FUNCTION_MAC_HI), 0x0001_0605, 15);
    b.write(0, function_register(2, &host::FUNCTION_MTU), 0xffff_05dc, 15);
    b.write(0, function_register(2, &host::FUNCTION_MTU), 0xffff_05dc, 15);
    assert_eq!(field(&mut b, 2, &device::MAC), 0x0403_0201);
    assert_eq!(field(&mut b, 2, &device::MAC_END), 0x0605);
    assert_eq!(field(&mut b, 2, &device::STATUS), 1);
    assert_eq!(field(&mut b, 2, &device::MTU), 1500);
    assert_eq!([0, 1, 2].map(|f| field(&mut b, f, &device::MAX_VIRTQUEUE_PAIRS)), [4, 1, 1]);
    assert_eq!(b.get(2, &common::CONFIG_GENERATION), 3, "the same value again is no change");
    assert_eq!((b.read(2, ISR.offset).0, b.seen.interrupts.len()), (0, 0), "without DRIVER_OK nobody is told");
    assert_eq!(b.write(2, host::DEVICE.offset, 9, 15), OKAY);
    assert_eq!(field(&mut b, 2, &device::MAC), 0x0403_0201);

    b.set_up(2, MERGE);
    b.write(0, function_register(2, &host::FUNCTION_MAC_HI), 0, 0b0100);
    b.clocks(100);
    assert_eq!(b.seen.interrupts, [(2, 0)]);
    assert_eq!((b.read(2, ISR.offset).0, b.read(2, ISR.offset).0), (2, 0), "a read clears it");
    assert_eq!(b.get(2, &common::CONFIG_GENERATION), 4);
}

#[test]
fn a_driver_sets_its_address() {
    let mut b = Bench::new();
    b.set_up(2, MERGE);
    b.write(0, function_register(2, &host::FUNCTION_MAC_HI), 0x0001_0605, 15);
    b.clocks(100);
    b.seen.interrupts.clear();
    let generation = b.get(2, &common::CONFIG_GENERATION);
    b.set_mac(2, 0x0e0d_0c0b_0a08);
    assert_eq!(b.get_of(2, host::DEVICE.offset, &device::MAC), 0x0c0b_0a08);
    assert_eq!(b.get_of(2, host::DEVICE.offset, &device::MAC_END), 0x0e0d);
    assert_eq!(b.get_of(2, host::DEVICE.offset, &device::STATUS), 1, "it is the ECPF's");
    assert_eq!(b.read(0, function_register(2, &host::FUNCTION_MAC_HI)), (0x0001_0e0d, OKAY));
    assert_eq!(b.read(0, function_register(1, &host::FUNCTION_MAC_LO)), (0, OKAY));
    assert_eq!((b.get(2, &common::CONFIG_GENERATION), b.seen.interrupts.len()), (generation + 1, 0));
}

#[test]
fn functions_other_than_the_ecpf_scale_on_the_receive_side() {
    let mut b = Bench::new();
    for (function, expected) in [(0, [0; 3]), (1, [40, 128, 0x3f])] {
        let fields = [device::RSS_MAX_KEY_SIZE, device::RSS_MAX_INDIRECTION_TABLE_LENGTH, device::SUPPORTED_HASH_TYPES];
        assert_eq!(fields.map(|field| b.get_of(function, host::DEVICE.offset, &field)), expected);
        assert_eq!(b.offered(function), Feature::offered_by(function as usize));
    }
}

#[test]
fn the_controlq_is_the_third_virtqueue_unless_there_are_several_pairs() {
    for (feature, control, exists) in [(0, 2, 3), (Feature::Mq.bit(), 6, 7), (Feature::Rss.bit(), 6, 7)] {
        let mut b = BenchOf::with(Pairs::new(&PAIRS), &[7, 8]);
        b.set(1, &common::DEVICE_STATUS, 3);
        assert_eq!(b.write(1, NOTIFY.at(3), 0, 15), ERROR, "before FEATURES_OK");
        b.take(1, Feature::REQUIRED | feature);
        b.set(1, &common::DEVICE_STATUS, 15);
        assert_eq!(b.get(1, &common::NUM_QUEUES), 7);
        for queue in 0..8 {
            b.set(1, &common::QUEUE_SELECT, queue);
            let size = if queue < exists { 256 } else { 0 };
            assert_eq!(b.get(1, &common::QUEUE_SIZE), size, "{queue}");
            b.set(1, &common::QUEUE_MSIX_VECTOR, 7);
            b.set(1, &common::QUEUE_ENABLE, 1);
            b.seen.notified.clear();
            let (answer, vq) = match queue {
                _ if queue == control => (OKAY, vec![13]),
                _ if queue < exists => (OKAY, vec![6 + queue]),
                _ => (ERROR, vec![]),
            };
            assert_eq!((b.write(1, NOTIFY.at(queue as u32), 0, 15), b.seen.notified.clone()), (answer, vq));
        }
        let enabled = (0..exists).filter(|queue| *queue != control).fold(1 << 13, |all, queue| all | 1 << (6 + queue));
        assert_eq!(b.seen.live(), enabled);
        b.fault(13, 4);
        assert_eq!(b.read(1, FAULTS.offset), ((control as u32) << 16 | 4, OKAY), "under the number that it has");
        b.set(1, &common::DEVICE_STATUS, 0);
        b.until_idle();
        b.set(1, &common::QUEUE_SELECT, 3);
        assert_eq!((b.get(1, &common::QUEUE_SIZE), b.seen.live()), (0, 0));
    }
}

#[test]
fn a_reset_waits_until_the_engine_is_done_with_each_queue() {
    let mut b = Bench::new();
    b.set_up(0, MERGE);
    b.set_up(1, MERGE);
    b.set(0, &common::QUEUE_SELECT, 3);
    b.engine_delay = None;
    assert_eq!((b.seen.live(), b.dut.merge.val().to_u64()), (0xbff, 3));
    b.set(0, &common::DEVICE_STATUS, 0);
    assert_eq!(b.seen.live(), 0xb00, "when the write is answered");
    for queue in 0..8 {
        b.clocks(100);
        assert_eq!(b.seen.resets, (0..=queue).collect::<Vec<_>>());
        assert_eq!(state(&mut b, 0), READY | NEEDS_RESET, "until it is over");
        b.set(0, &common::DEVICE_STATUS, 128);
        b.set(0, &common::DEVICE_STATUS, 0);
        b.set(0, &common::QUEUE_SELECT, 1);
        b.set(0, &common::CONFIG_MSIX_VECTOR, 1);
        assert_eq!(b.write(0, NOTIFY.at(5), 0, 15), OKAY);
        assert_eq!(b.write(1, NOTIFY.at(1), 0, 15), OKAY);
        assert_eq!(b.get(1, &common::QUEUE_ENABLE), 1, "other functions go on");
        b.done();
    }
    b.clocks(300);
    assert_eq!((state(&mut b, 0), b.seen.notified.clone()), (0, vec![9; 8]));
    assert_eq!((b.seen.live(), b.dut.merge.val().to_u64(), b.seen.resets.len()), (0xb00, 2, 8));
    for (field, value) in [
        (common::QUEUE_SELECT, 0),
        (common::CONFIG_MSIX_VECTOR, 0xffff),
        (common::DRIVER_FEATURE, 0),
        (common::DRIVER_FEATURE_SELECT, 0),
        (common::QUEUE_SIZE, 256),
        (common::QUEUE_MSIX_VECTOR, 0xffff),
        (common::QUEUE_ENABLE, 0),
        (common::QUEUE_DESC, 0),
        (common::QUEUE_DEVICE, 0),
    ] {
        assert_eq!(b.get(0, &field), value, "{}", field.name);
    }
    b.set(0, &common::DEVICE_STATUS, 0);
    b.clocks(300);
    assert_eq!(b.seen.resets.len(), 8, "no queue was enabled since");
    b.engine_delay = Some(0);
    b.set_up(0, MERGE);
    assert_eq!(b.seen.live(), 0xbff);
}

#[test]
fn a_virtqueue_is_reset_alone() {
    const RINGS: u64 = Feature::REQUIRED | Feature::RingReset.bit();
    let mut b = Bench::new();
    (0..2).for_each(|f| b.set_up(f, RINGS));
    b.engine_delay = None;
    let select = |b: &mut Bench, q| b.set(0, &common::QUEUE_SELECT, q);
    let fields = |b: &mut Bench| (b.get(0, &common::QUEUE_RESET), b.get(0, &common::QUEUE_ENABLE));
    select(&mut b, 3);
    for ignored in [0, 2, 0x101] {
        b.set(0, &common::QUEUE_RESET, ignored);
        assert_eq!((fields(&mut b), b.seen.live()), ((0, 1), 0xbff), "{ignored:#x}");
    }
    b.set(0, &common::QUEUE_RESET, 1);
    assert_eq!(b.seen.live(), 0xbf7, "when the write is answered");
    select(&mut b, 6);
    b.set(0, &common::QUEUE_RESET, 1);
    b.clocks(100);
    assert_eq!((b.seen.live(), b.seen.resets.clone()), (0xbb7, vec![3]), "one after the other");
    // While it is under way nothing of the queue counts, all of the others does.
    for q in [3, 6] {
        select(&mut b, q);
        assert_eq!(fields(&mut b), (1, 1));
        for value in [0, 1, 2] {
            b.set(0, &common::QUEUE_RESET, value);
            b.set(0, &common::QUEUE_SIZE, 16);
            assert_eq!((fields(&mut b), b.get(0, &common::QUEUE_SIZE)), ((1, 1), 256));
        }
        assert_eq!(b.write(0, NOTIFY.at(q as u32), 0, 15), OKAY);
        b.fault(q, 3);
        b.used(q);
    }
    assert_eq!((b.read(0, FAULTS.offset).0, b.read(0, ISR.offset).0), (0, 0));
    assert_eq!(b.write(0, NOTIFY.at(4), 0, 15), OKAY);
    assert_eq!(b.seen.notified, [4]);
    select(&mut b, 3);
    b.done();
    b.clocks(100);
    assert_eq!((fields(&mut b), b.seen.resets.clone()), ((0, 0), vec![3, 6]));
    for (field, value) in [(common::QUEUE_SIZE, 256), (common::QUEUE_MSIX_VECTOR, 0xffff), (common::QUEUE_DESC, 0)] {
        assert_eq!(b.get(0, &field), value, "{}", field.name);
    }
    b.set(0, &common::QUEUE_SIZE, 16);
    b.set(0, &common::QUEUE_ENABLE, 1);
    assert_eq!((fields(&mut b), b.seen.live()), ((0, 1), 0xbbf));
    // A reset of the function is one of the queue too.
    b.set(0, &common::DEVICE_STATUS, 0);
    b.clocks(300);
    assert_eq!((state(&mut b, 0), b.seen.resets.clone()), (READY | NEEDS_RESET, vec![3, 6]), "it waits");
    b.engine_delay = Some(2);
    b.release();
    b.until_idle();
    assert_eq!((state(&mut b, 0), b.seen.live(), b.seen.resets.len()), (0, 0xb00, 2 + 7));
}

#[test]
fn a_virtqueue_that_a_fault_has_stopped_works_again_after_its_reset() {
    let mut b = Bench::new();
    b.set_up(1, Feature::REQUIRED | Feature::RingReset.bit());
    b.fault(9, 3);
    assert_eq!(b.seen.live(), 0x900);
    b.set(1, &common::QUEUE_SELECT, 1);
    b.set(1, &common::QUEUE_RESET, 1);
    b.until_idle();
    // So is one that is not enabled.
    b.set(1, &common::QUEUE_SIZE, 16);
    b.set(1, &common::QUEUE_RESET, 1);
    b.until_idle();
    assert_eq!((b.get(1, &common::QUEUE_SIZE), b.seen.resets.clone()), (256, vec![9, 9]));
    b.set(1, &common::QUEUE_ENABLE, 1);
    assert_eq!((b.seen.live(), state(&mut b, 1)), (0xb00, READY | NEEDS_RESET));
    assert_eq!(b.read(1, FAULTS.offset).0, 1 << 16 | 3);
}

#[test]
fn without_the_feature_no_virtqueue_is_reset_alone() {
    let mut b = Bench::new();
    b.set_up(1, MERGE);
    b.set(1, &common::QUEUE_RESET, 1);
    b.until_idle();
    assert_eq!((b.get(1, &common::QUEUE_RESET), b.seen.live(), b.seen.resets.len()), (0, 0xb00, 0));
}

#[test]
fn functions_are_reset_one_after_the_other() {
    let mut b = Bench::new();
    (0..3).for_each(|f| b.set_up(f, MERGE));
    b.engine_delay = None;
    b.set(2, &common::DEVICE_STATUS, 0);
    b.set(1, &common::DEVICE_STATUS, 0);
    assert_eq!((b.seen.live(), b.seen.resets.clone()), (0xff, vec![12]));
    (0..3).for_each(|_| b.done());
    b.clocks(400);
    assert_eq!(
        (state(&mut b, 2), state(&mut b, 1), b.seen.resets.clone()),
        (0, READY | NEEDS_RESET, vec![12, 13, 15, 8])
    );
    (0..3).for_each(|_| b.done());
    b.clocks(400);
    assert_eq!((state(&mut b, 0), state(&mut b, 1)), (READY, 0));
}

#[test]
fn a_fault_stops_its_queue_alone_and_is_told() {
    let mut b = Bench::new();
    (1..3).for_each(|f| b.set_up(f, MERGE));
    b.fault(9, 6);
    assert_eq!((b.dut.stopped.val().to_u64(), b.seen.live()), (1 << 9, 0xb900));
    assert_eq!(state(&mut b, 1), READY | 64);
    assert_eq!(b.read(1, FAULTS.offset), (1 << 16 | 6, OKAY));
    assert_eq!(b.read(1, ISR.offset).0, 2);
    b.fault(8, 10);
    assert_eq!(b.read(0, function_register(1, &host::FUNCTION_FAULT)), (1 << 16 | 6, OKAY), "the first one stays");
    assert_eq!(b.read(0, function_register(1, &host::FUNCTION_STATE)), (0x100 | READY | 64, OKAY));
    assert_eq!(b.read(0, function_register(2, &host::FUNCTION_FAULT)), (0, OKAY));
    b.clocks(50);
    assert_eq!(b.seen.interrupts, [(1, 0), (1, 0)]);
    assert_eq!((state(&mut b, 2), b.seen.live()), (READY, 0xb800));
    b.set(1, &common::DEVICE_STATUS, 64);
    assert_eq!(state(&mut b, 1), READY | 64);
    b.set(1, &common::DEVICE_STATUS, 0);
    b.clocks(400);
    assert_eq!((state(&mut b, 1), b.dut.stopped.val().to_u64()), (0, 0));
    assert_eq!(b.read(1, FAULTS.offset), (0, OKAY));
    b.set(1, &common::DEVICE_STATUS, 64);
    assert_eq!(state(&mut b, 1), 0, "set by the device alone");
}

#[test]
fn a_fault_of_a_function_that_is_reset_is_forgotten() {
    let mut b = Bench::new();
    b.set_up(1, MERGE);
    b.engine_delay = None;
    b.set(1, &common::DEVICE_STATUS, 0);
    b.fault(9, 6);
    b.used(8);
    (0..3).for_each(|_| b.done());
    b.clocks(400);
    assert_eq!((b.read(1, FAULTS.offset).0, b.read(1, ISR.offset).0, state(&mut b, 1)), (0, 0, 0));
    assert_eq!((b.dut.stopped.val().to_u64(), b.seen.interrupts.len()), (0, 0));
}

#[test]
fn accesses_are_answered_while_no_interrupt_is_taken() {
    let mut b = Bench::new();
    (0..3).for_each(|f| b.set_up(f, MERGE));
    b.interrupt_ready = false;
    // A virtqueue and the configuration with one vector are one message.
    b.set(2, &common::CONFIG_MSIX_VECTOR, 2);
    for _ in 0..3 {
        QUEUES.into_iter().for_each(|vq| b.used(vq));
        b.fault(13, 1);
        assert_eq!(b.read(2, ISR.offset).0, 3);
        assert_eq!(b.get(1, &common::QUEUE_MSIX_VECTOR), 3, "of the virtqueue that was selected last");
    }
    assert!(b.seen.interrupts.is_empty());
    b.interrupt_ready = true;
    b.clocks(400);
    let mut given = b.seen.interrupts.clone();
    given.sort_unstable();
    let expected: Vec<(u64, u64)> =
        (0..8).map(|q| (0, 1 + q)).chain([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3)]).collect();
    assert_eq!(given, expected);
}

#[test]
fn no_vector_is_no_interrupt() {
    let mut b = Bench::new();
    b.set_up(1, MERGE);
    b.set(1, &common::CONFIG_MSIX_VECTOR, 0xffff);
    b.fault(9, 1);
    assert_eq!((b.read(1, ISR.offset).0, b.seen.interrupts.len()), (2, 0));
}

#[test]
fn a_vector_that_the_function_has_not_is_none() {
    let mut b = Bench::new();
    for (function, vectors) in (0..).zip(VECTORS.map(u64::from)) {
        for field in [common::CONFIG_MSIX_VECTOR, common::QUEUE_MSIX_VECTOR] {
            for (vector, reads) in [(0, 0), (vectors - 1, vectors - 1), (vectors, 0xffff), (1, 1), (0xfffe, 0xffff)] {
                b.set(function, &field, vector);
                assert_eq!(b.get(function, &field), reads, "{} of {function}", field.name);
            }
        }
    }
}

/// The word of an entry's field, and the entry's offset.
fn entry_word(vector: u32, field: &HostField) -> u32 {
    MSIX_TABLE.at(vector) + field.word()
}

#[test]
fn each_function_has_a_table_of_its_own() {
    let mut b = Bench::new();
    let all: Vec<_> = (0..).zip(VECTORS).flat_map(|(f, vectors)| (0..vectors).map(move |v| (f, v))).collect();
    for word in [0, 4, 8, 12] {
        for (function, vector) in &all {
            assert_eq!(
                b.write(*function, MSIX_TABLE.at(*vector) + word, !(function << 8 | vector << 4 | word), 15),
                OKAY
            );
        }
    }
    for (function, vector) in all {
        let words = [0, 4, 8, 12].map(|word| b.read(function, MSIX_TABLE.at(vector) + word));
        let written = [0, 4, 8, 12].map(|word| !(function << 8 | vector << 4 | word));
        let reads = [written[0] & !3, written[1], written[2], written[3] & 1];
        assert_eq!(words, reads.map(|word| (word, OKAY)), "vector {vector} of function {function}");
    }
    assert_eq!(b.write(1, entry_word(1, &msix::MESSAGE_DATA), 0x5566_7788, 0b0110), OKAY);
    assert_eq!(b.write(1, entry_word(1, &msix::MESSAGE_DATA), 0, 0), OKAY);
    assert_eq!(b.read(1, entry_word(1, &msix::MESSAGE_DATA)), (0xff66_77e7, OKAY));
}

#[test]
fn a_masked_vector_pends_and_is_given_as_its_entry_says() {
    let mut b = Bench::new();
    (0..3).for_each(|f| b.set_up(f, MERGE));
    assert_eq!(b.write(1, entry_word(2, &msix::VECTOR_CONTROL), 1, 1), OKAY);
    [8, 9, 12, 13].into_iter().for_each(|vq| b.used(vq));
    b.used(9);
    assert_eq!(b.seen.interrupts, [(1, 1), (2, 1), (2, 2)]);
    let pending = |b: &mut Bench| [0, 1, 2].map(|f| b.read(f, MSIX_PENDING.at(0)).0);
    assert_eq!(pending(&mut b), [0, 0b100, 0]);
    assert_eq!(b.write(1, MSIX_PENDING.at(0), 0, 15), OKAY);
    assert_eq!((b.read(1, MSIX_PENDING.at(0) + 4), pending(&mut b)), ((0, OKAY), [0, 0b100, 0]));
    b.write(1, entry_word(2, &msix::VECTOR_CONTROL), 0, 1);
    b.clocks(100);
    let [low, high, data, _] = entry(1, 2);
    assert_eq!(b.seen.interrupts[3..], [(1, 2)]);
    assert_eq!(b.seen.messages[3..], [(u64::from(high) << 32 | u64::from(low), data.into())]);
    assert_eq!(pending(&mut b), [0, 0, 0]);
}

#[test]
fn a_reset_drops_what_pends_and_leaves_the_table() {
    let mut b = Bench::new();
    (0..3).for_each(|f| b.set_up(f, MERGE));
    b.dut.msix_mask.next = 7u64.into();
    b.clocks(8);
    QUEUES.into_iter().for_each(|vq| b.used(vq));
    b.fault(8, 1);
    let pending = |b: &mut Bench| [0, 1, 2].map(|f| b.read(f, MSIX_PENDING.at(0)).0);
    assert_eq!(pending(&mut b), [0x1fe, 0b1111, 0b1110]);
    b.set(1, &common::DEVICE_STATUS, 0);
    b.clocks(400);
    assert_eq!((state(&mut b, 1), pending(&mut b)), (0, [0x1fe, 0, 0b1110]));
    assert_eq!([0, 4, 8, 12].map(|word| b.read(1, MSIX_TABLE.at(1) + word).0), entry(1, 1));
    b.dut.msix_mask.next = 0u64.into();
    b.clocks(200);
    assert_eq!(b.seen.interrupts.len(), 11);
}

#[test]
fn the_ecpf_sets_how_close_the_messages_of_a_vector_are() {
    let mut b = Bench::new();
    (1..3).for_each(|f| b.set_up(f, MERGE));
    let register = function_register(1, &host::FUNCTION_MODERATION);
    b.write(0, register, 0xff00_2000, 15);
    assert_eq!((b.read(0, register), b.read(0, register + 4)), ((0x2000, OKAY), (0, OKAY)));
    for _ in 0..5 {
        b.used(8);
        b.used(12);
    }
    let count = |b: &Bench, message| b.seen.interrupts.iter().filter(|given| **given == message).count();
    assert_eq!((count(&b, (1, 1)), count(&b, (2, 1))), (1, 5));
    b.write(0, register, 0, 15);
    b.until_idle();
    assert_eq!((count(&b, (1, 1)), count(&b, (2, 1))), (2, 5));
}

#[test]
fn addresses_of_nothing_are_refused_and_change_nothing() {
    let mut b = Bench::new();
    let nowhere = [
        (0, COMMON.bytes),
        (0, 0xfc),
        (1, 0x104),
        (1, 0x220),
        (2, 0x304),
        (0, 0x3ffc),
        (0, FUNCTION.at(3)),
        (0, 0x7ffc),
        (0, MSIX_TABLE.at(9)),
        (2, MSIX_TABLE.at(4)),
        (0, 0xbffc),
        (1, MSIX_PENDING.at(1)),
        (0, MSIX_PENDING.at(16)),
        (0, 0xfffc),
        (1, FUNCTION.at(0)),
        (1, NOTIFY.at(3)),
        (0, NOTIFY.at(8)),
        (0, 0xff_fffc),
        (3, 0),
        (3, common::DEVICE_STATUS.word()),
        (255, 0x100),
        (4, FUNCTION.at(0)),
    ];
    for (function, offset) in nowhere {
        assert_eq!(b.read(function, offset), (0, ERROR), "{function} {offset:#x}");
        assert_eq!(b.write(function, offset, 0xffff_ffff, 15), ERROR, "{function} {offset:#x}");
    }
    b.clocks(50);
    assert!(b.seen.notified.is_empty() && b.seen.queues.is_empty() && b.seen.windows.len() == 3);
    assert_eq!((0..3).map(|f| state(&mut b, f)).sum::<u32>(), 0);
    for (function, offset) in [
        (0, 0x3c),
        (0, FUNCTION.at(2) + 0x3c),
        (1, 0x20c),
        (0, MSIX_PENDING.at(0) + 4),
        (1, NOTIFY.at(1) + 0xffc),
        (0, NOTIFY.at(7)),
    ] {
        assert_eq!(b.read(function, offset), (0, OKAY), "{function} {offset:#x}");
        assert_eq!(b.write(function, offset, 0xffff_ffff, 15), OKAY);
    }
    assert_eq!(b.seen.notified, [9, 7]);
}

#[test]
fn drops_are_counted_in_any_clock() {
    let mut b = Bench::new();
    for (function, bad) in [(1, 1), (1, 2), (2, 0), (1, 0), (1, 1), (0, 2), (2, 2), (2, 1), (1, 0)] {
        b.dut.no_buffer.next = true;
        b.dut.no_buffer_function.next = (function as u64).into();
        b.dut.bad_offload.next = bad > 0;
        b.dut.bad_offload_function.next = (bad as u64).into();
        b.clocks(1);
    }
    (b.dut.no_buffer.next, b.dut.bad_offload.next) = (false, false);
    for (function, drops, bad) in [(0, 1, 0), (1, 5, 3), (2, 3, 3)] {
        assert_eq!(b.read(0, function_register(function, &host::FUNCTION_NO_BUFFER)), (drops, OKAY));
        assert_eq!(b.read(0, function_register(function, &host::FUNCTION_BAD_OFFLOAD)), (bad, OKAY));
    }
}

#[test]
fn bus_masters_are_live() {
    let mut b = Bench::new();
    (0..3).for_each(|f| b.set_up(f, MERGE));
    for (masters, live) in [(0b111, 0xbbff), (0b101, 0xb0ff), (0b010, 0xb00), (0, 0)] {
        b.dut.bus_master.next = (masters as u64).into();
        b.clocks(3);
        assert_eq!(b.seen.live(), live);
        let here = b.read(0, function_register(1, &host::FUNCTION_STATE)).0;
        assert_eq!(here, READY | ((masters as u32) >> 1 & 1) << 8);
    }
}

#[test]
fn verilog_passes_lint() {
    let host = SMALL;
    lint(&emit(Dut::new(&host)), "top");
    // 64 VFs, and two queue pairs for each.
    const LARGE: Config = Config { vfs: 64, queue_pairs: 2, ..SMALL };
    const HOST: HostSizes = HostSizes::of(&LARGE);
    lint(&emit(<sized!(Functions<; HOST>)>::new(&LARGE)), "top");
}
