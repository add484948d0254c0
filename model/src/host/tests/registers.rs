// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Functions", "Common configuration", "Features", "Status", "Device configuration".

use super::*;
use millrace_regs::host::FUNCTION_FEATURES_LO;

/// The features below 32 of the ECPF, and of PF and VFs.
const LOW_OF_ECPF: u32 = 0b11 | 1 << 3 | 1 << 5 | 0b111 << 11 | 1 << 15 | 1 << 16;
const LOW: u32 = LOW_OF_ECPF | 0b1100_1110 << 16;

#[test]
fn accesses_outside_functions_and_blocks_are_refused() {
    let mut bench = Bench::new();
    let outside = [
        (0, 0x40),
        (0, 0x104),
        (0, 0x220),
        (0, 0x304),
        (0, 0x4000 + 0x40 * 4),
        (1, 0x4000),
        (0, 0x8000 + 16 * 11),
        (1, 0x8000 + 16 * 6),
        (0, 0xbffc),
        (1, 0xc008),
        (0, 0xfffc),
        (0, 0x1_0000 + 0x1000 * 10),
        (1, 0x1_0000 + 0x1000 * 3),
        (1, 0xff_fffc),
        (4, 0),
        (255, 0x14),
    ];
    for (function, offset) in outside {
        let address = host_address(function, offset);
        assert_eq!(bench.model.read(address), Err(Refused { address }));
        assert_eq!(bench.model.write(address, 0, 0xf), Err(Refused { address }));
    }
    let inside = [
        (0, 0x3c),
        (1, 0x100),
        (2, 0x21c),
        (3, 0x300),
        (0, 0x4000 + 0x40 * 3),
        (0, 0x80ac),
        (1, 0x805c),
        (0, 0xc004),
        (3, 0xc000),
        (0, 0x1_9000),
        (1, 0x1_2000),
    ];
    for (function, offset) in inside {
        assert!(bench.model.read(host_address(function, offset)).is_ok(), "{function} {offset:#x}");
    }
}

#[test]
fn after_power_up_fields_are_zero_but_for_vectors_and_sizes() {
    let mut bench = Bench::new();
    for (function, queues) in [(0u32, 10u16), (1, 5), (3, 5)] {
        for offset in (0..0x40).step_by(4) {
            let expected = match offset {
                0x04 if function == 0 => LOW_OF_ECPF,
                0x04 => LOW,
                0x10 => u32::from(queues) << 16 | 0xffff,
                0x18 => 0xffff_0100,
                _ => 0,
            };
            assert_eq!(bench.read(function, offset), expected, "{offset:#x}");
        }
    }
}

#[test]
fn features_are_offered_under_the_mask_of_the_ecpf_but_for_the_required() {
    let mut bench = Bench::new();
    bench.write(1, 0x00, 1);
    assert_eq!(bench.read(1, 0x04), 0b1_0011 | 1 << 24 | 1 << 28);
    bench.write(1, 0x00, 2);
    assert_eq!(bench.read(1, 0x04), 0);
    bench.write(0, 0x4040 + FUNCTION_FEATURES_LO.offset, !(1 << 15));
    bench.write(0, 0x4040 + FUNCTION_FEATURES_LO.offset + 4, 0);
    bench.write(1, 0x00, 0);
    assert_eq!(bench.read(1, 0x04), LOW & !(1 << 15));
    bench.write(1, 0x00, 1);
    assert_eq!(bench.read(1, 0x04), 0b11);
    assert_eq!(bench.read(2, 0x04), LOW, "another function");
}

#[test]
fn features_ok_stays_clear_for_features_that_are_not_offered_or_lack_the_required() {
    for features in [0, 1 << 32, 1 << 33, Feature::REQUIRED | 1 << 2, Feature::REQUIRED | 1 << 34] {
        let mut bench = Bench::new();
        bench.set_status(1, 3);
        bench.accept(1, features);
        bench.set_status(1, 8 | 3);
        assert_eq!(bench.status(1), 3, "{features:#x}");
    }
    let mut bench = Bench::new();
    bench.write(0, 0x4040 + FUNCTION_FEATURES_LO.offset, !(1 << 15));
    bench.accept(1, Feature::REQUIRED | 1 << 15);
    bench.set_status(1, 8);
    assert_eq!(bench.status(1), 0, "masked");
    bench.accept(1, Feature::REQUIRED | 1 << 16);
    bench.set_status(1, 8);
    assert_eq!(bench.status(1), 8);
}

#[test]
fn driver_features_are_not_written_past_64_bits_or_after_features_ok() {
    let mut bench = Bench::new();
    bench.accept(1, Feature::REQUIRED);
    bench.write(1, 0x08, 2);
    bench.write(1, 0x0c, 1);
    assert_eq!(bench.read(1, 0x0c), 0);
    bench.write(1, 0x08, 1);
    assert_eq!(bench.read(1, 0x0c), 0b11);
    bench.set_status(1, 8);
    bench.write(1, 0x0c, 0);
    assert_eq!(bench.read(1, 0x0c), 0b11);
}

#[test]
fn status_bits_are_set_and_only_the_device_sets_needs_reset() {
    let mut bench = Bench::new();
    bench.set_status(1, 1);
    bench.set_status(1, 2 | 64);
    assert_eq!(bench.status(1), 3);
    bench.set_status(1, 128);
    assert_eq!(bench.status(1), 131);
    assert_eq!(bench.read(0, 0x4040 + 0x24), 1 << 8 | 131);
    bench.model.set_bus_master(1, false);
    assert_eq!(bench.read(0, 0x4040 + 0x24), 131);
}

#[test]
fn bytes_are_written_by_strobe() {
    let mut bench = Bench::new();
    bench.write16(1, 0x16, 2);
    bench.set_status(1, 1);
    assert_eq!(bench.read16(1, 0x16), 2);
    bench.write16(1, 0x1a, 4);
    bench.write8(1, 0x1a, 3);
    assert_eq!(bench.read16(1, 0x1a), 3);
    bench.write8(1, 0x23, 0x12);
    assert_eq!(bench.read(1, 0x20), 0x1200_0000);
    bench.model.write(host_address(1, 0x1c), 1, 0b1110).unwrap();
    assert_eq!(bench.read16(1, 0x1c), 0, "no byte of queue_enable");
    bench.model.write(host_address(1, 0x14), 0, 0b1110).unwrap();
    bench.run();
    assert_eq!(bench.status(1), 1, "no reset");
}

#[test]
fn queue_sizes_are_powers_of_two_up_to_256() {
    let mut bench = Bench::new();
    bench.write16(1, 0x18, 8);
    for size in [0, 3, 257, 512, 0x8000, 0xffff] {
        bench.write16(1, 0x18, size);
        assert_eq!(bench.read16(1, 0x18), 8, "{size}");
    }
    for size in (0..=8).map(|log2| 1 << log2) {
        bench.write16(1, 0x18, size);
        assert_eq!(bench.read16(1, 0x18), size);
    }
}

#[test]
fn queue_fields_belong_to_the_selected_queue_and_rings_are_aligned() {
    let mut bench = Bench::new();
    bench.accept(1, Feature::REQUIRED | Feature::Mq.bit());
    bench.set_status(1, 8);
    bench.write16(1, 0x16, 3);
    assert_eq!(bench.read16(1, 0x1e), 3);
    for offset in (0x20..0x38).step_by(4) {
        bench.write(1, offset, u32::MAX);
    }
    let words: Vec<u32> = (0x20..0x38).step_by(4).map(|offset| bench.read(1, offset)).collect();
    assert_eq!(words, [0xffff_fff0, u32::MAX, 0xffff_fffe, u32::MAX, 0xffff_fffc, u32::MAX]);
    bench.write16(1, 0x16, 2);
    assert_eq!((bench.read(1, 0x20), bench.read16(1, 0x1e)), (0, 2));
    bench.write16(1, 0x16, 5);
    for offset in (0x18..0x3c).step_by(4) {
        bench.write(1, offset, 0x0001_0001);
        assert_eq!(bench.read(1, offset), 0, "there is no virtqueue 5: {offset:#x}");
    }
}

#[test]
fn a_vector_that_the_function_has_not_is_none() {
    let mut bench = Bench::new();
    for (function, vectors) in [(0, 11), (1, 6), (3, 6)] {
        for field in [0x10, 0x1a] {
            for (vector, reads) in [(0, 0), (vectors - 1, vectors - 1), (vectors, 0xffff), (1, 1), (0xfffe, 0xffff)] {
                bench.write16(function, field, vector);
                assert_eq!(bench.read16(function, field), reads, "{function} {field:#x}");
            }
        }
    }
}

#[test]
fn fields_of_an_enabled_queue_are_not_written() {
    let mut bench = Bench::new();
    bench.write16(1, 0x1c, 2);
    assert_eq!(bench.read16(1, 0x1c), 0);
    bench.write(1, 0x18, 0x0004_0010);
    bench.write16(1, 0x1c, 1);
    bench.write(1, 0x18, 0x0003_0020);
    bench.write(1, 0x20, 0x1000);
    bench.write16(1, 0x1c, 0);
    assert_eq!((bench.read(1, 0x18), bench.read(1, 0x20), bench.read16(1, 0x1c)), (0x0004_0010, 0, 1));
}

#[test]
fn read_only_fields_ignore_writes() {
    let mut bench = Bench::new();
    for offset in [0x04, 0x38, 0x3c, 0x100, 0x200, 0x204, 0x208, 0x20c, 0x210, 0x214, 0x300] {
        let before = bench.read(1, offset);
        bench.write(1, offset, 0xffff_ffff);
        assert_eq!(bench.read(1, offset), before, "{offset:#x}");
    }
    bench.write(1, 0x10, 0x0001_0002);
    assert_eq!(bench.read(1, 0x10), 0x0005_0002);
}

#[test]
fn a_reset_ends_when_status_reads_zero_and_ignores_writes_until_then() {
    let mut bench = Bench::new();
    bench.start(1, 1 << 15, 8);
    bench.set_status(1, 0);
    assert_eq!(bench.status(1), 64 | 15, "the value from before");
    assert_eq!(bench.read(0, 0x4040 + 0x24), 1 << 8 | 64 | 15);
    bench.set_status(1, 1);
    bench.write(1, 0x08, 5);
    bench.write(1, 0x1_0000, 0);
    assert_eq!(bench.status(1), 64 | 15);
    bench.run();
    for offset in (0..0x40).step_by(4) {
        let fresh = Bench::new().read(1, offset);
        assert_eq!(bench.read(1, offset), fresh, "{offset:#x}");
    }
    bench.write16(1, 0x16, 2);
    assert_eq!((bench.read(1, 0x18), bench.read(1, 0x1c), bench.read(1, 0x20)), (0xffff_0100, 2 << 16, 0));
}

#[test]
fn a_reset_of_a_function_that_was_never_used_has_an_end_too() {
    let mut bench = Bench::new();
    bench.set_status(1, 0);
    assert_eq!(bench.status(1), 64, "0 would say that it is over");
    bench.set_status(1, 1);
    bench.run();
    assert_eq!(bench.status(1), 0);
}

#[test]
fn a_reset_leaves_the_device_configuration_and_other_functions() {
    let mut bench = Bench::new();
    bench.start(1, 0, 8);
    bench.start(2, 0, 8);
    bench.write(0, 0x4048, 1500);
    bench.set_status(1, 0);
    bench.run();
    assert_eq!((bench.status(1), bench.status(2)), (0, 15));
    assert_eq!((bench.read(1, 0x208), bench.read(1, 0x100)), (1500 << 16 | 2, 0), "ISR is cleared");
    assert_eq!(bench.read(1, 0x14) >> 8 & 0xff, 1, "a generation that went back would hide a change");
}
