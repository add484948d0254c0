// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Device configuration", "What the ECPF sets".

use super::*;

#[test]
fn device_configuration_is_what_the_ecpf_sets() {
    let mut bench = Bench::new();
    bench.write(0, 0x40c0, 0x0403_0201);
    bench.write(0, 0x40c4, 0x0001_0605);
    bench.write(0, 0x40c8, 0xffff_2328);
    let words: Vec<u32> = (0x200..0x210).step_by(4).map(|offset| bench.read(3, offset)).collect();
    assert_eq!(words, [0x0403_0201, 0x0001_0605, 9000 << 16 | 2, 0]);
    assert_eq!(bench.read(0, 0x40c8), 9000, "reserved bits");
    assert_eq!(bench.read(0, 0x208), 5, "pairs of the ECPF, one for each vport");
    assert_eq!(bench.read(2, 0x200), 0, "another function");
}

#[test]
fn a_change_counts_and_interrupts_once_the_driver_is_ready() {
    let mut bench = Bench::new();
    bench.write(0, 0x4044, 1 << 16);
    assert_eq!((bench.read(1, 0x14) >> 8, bench.read(1, 0x100)), (1, 0));
    bench.start(1, 0, 4);
    bench.write(0, 0x4044, 1 << 16);
    assert_eq!(bench.interrupts(), [], "no change");
    bench.write(0, 0x4044, 0);
    assert_eq!((bench.read(1, 0x14) >> 8 & 0xff, bench.interrupts()), (2, vec![(1, 0)]));
    assert_eq!((bench.read(1, 0x100), bench.read(1, 0x100)), (2, 0), "a read clears it");
    bench.set_status(1, 0);
    bench.write(0, 0x4044, 5);
    assert_eq!((bench.read(1, 0x14) >> 8 & 0xff, bench.read(1, 0x100)), (3, 0), "a reset is under way");
    assert_eq!(bench.interrupts(), []);
}

#[test]
fn windows_begin_and_end_with_pages() {
    let mut bench = Bench::new();
    assert_eq!(bench.read(0, 0x405c), 0xffff_ffff);
    bench.write(0, 0x4054, 0x1234_5678);
    bench.write(0, 0x4058, 1);
    bench.write(0, 0x405c, 0x1234_5678);
    bench.write(0, 0x4060, 2);
    let words: Vec<u32> = (0x4054..0x4064).step_by(4).map(|offset| bench.read(0, offset)).collect();
    assert_eq!(words, [0x1234_5000, 1, 0x1234_5fff, 2]);
    bench.model.write(host_address(0, 0x405c), 0, 0b0001).unwrap();
    assert_eq!(bench.read(0, 0x405c), 0x1234_5fff);
}

#[test]
fn registers_that_show_something_are_not_written() {
    let mut bench = Bench::new();
    for offset in [0x24, 0x28, 0x2c] {
        let before = bench.read(0, 0x4040 + offset);
        bench.write(0, 0x4040 + offset, 0x5555_5555);
        assert_eq!(bench.read(0, 0x4040 + offset), before);
    }
}
