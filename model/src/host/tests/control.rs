// SPDX-License-Identifier: MIT OR Apache-2.0
//! "Control queue", "Steering".

use super::*;
use millrace_regs::host::control::{DEFAULT_KEY, ERR, HASH_TYPES, OK};
use millrace_regs::host::{FUNCTION_MAC_HI, FUNCTION_MAC_LO, FUNCTION_NO_BUFFER};

const COMMAND: u64 = 0x30_0007;
const ACK: u64 = 0x38_0001;
const SIZE: u16 = 16;
/// No ack.
const NOTHING: u8 = 0x55;

/// A function, and its controlq.
fn start(features: u64) -> (Bench, Ring) {
    let mut bench = Bench::offering(BASIC | RINGS);
    let ring = bench.start(1, features, SIZE)[4];
    (bench, ring)
}

/// Offers a command whose readable bytes are cut behind these numbers of bytes, and lets the model do it: the ack.
fn command_cut(bench: &mut Bench, ring: Ring, bytes: &[u8], cuts: &[usize]) -> u8 {
    bench.ram.put(COMMAND, bytes);
    bench.ram.put(ACK, &[NOTHING; 8]);
    let ends = cuts.iter().copied().filter(|end| *end < bytes.len()).chain([bytes.len()]);
    let mut from = 0;
    let mut number = 0;
    for end in ends {
        bench.descriptor(ring, number, COMMAND + from as u64, (end - from) as u32, NEXT, number + 1);
        (from, number) = (end, number + 1);
    }
    bench.descriptor(ring, number, ACK, 8, WRITE, 0);
    bench.offer(ring, 0);
    let used = bench.used_index(ring);
    bench.notify(ring);
    bench.run();
    assert_eq!(bench.used_index(ring), used.wrapping_add(1));
    assert_eq!(bench.used(ring, used), (0, 1));
    assert_eq!(bench.ram.vec(ACK + 1, 7), [NOTHING; 7]);
    bench.ram.vec(ACK, 1)[0]
}

fn command(bench: &mut Bench, ring: Ring, bytes: &[u8]) -> u8 {
    command_cut(bench, ring, bytes, &[2])
}

/// `mac` of the device configuration.
fn mac(bench: &mut Bench) -> [u8; 6] {
    let [a, b] = [0x200, 0x204].map(|offset| bench.read(1, offset).to_le_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1]]
}

/// A frame of IPv4 and UDP whose source port is this.
fn udp(port: u16) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend([8, 0, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(port.to_be_bytes());
    frame.extend([0, 9, 0, 8, 0, 0]);
    frame
}

/// Which receiveqs have a chain for each of 64 flows.
fn steered(bench: &mut Bench, rings: [Ring; 2]) -> Vec<usize> {
    let mut found = vec![];
    for port in 0..64 {
        let before = rings.map(|ring| bench.used_index(ring));
        // Each has a chain.
        for ring in rings
            .into_iter()
            .filter(|ring| bench.ram.get16(ring.driver() + 2) == bench.used_index(*ring))
            .collect::<Vec<_>>()
        {
            bench.descriptor(ring, 0, 0x40_0000, 100, WRITE, 0);
            bench.offer(ring, 0);
            bench.notify(ring);
        }
        assert_eq!(bench.model.deliver_steered(&mut bench.ram, 1, &udp(port)), Delivered::Written(1));
        let after = rings.map(|ring| bench.used_index(ring));
        found.push((0..2).find(|ring| after[*ring] != before[*ring]).unwrap());
    }
    found
}

#[test]
fn every_command_is_answered() {
    let table = |addresses: [u32; 2]| {
        let mut bytes = vec![1, 0];
        for count in addresses {
            bytes.extend(count.to_le_bytes());
            bytes.extend(vec![2; 6 * count as usize]);
        }
        bytes
    };
    let cases: Vec<(Vec<u8>, u8)> = vec![
        (vec![0, 0, 1], OK),
        (vec![0, 0, 0], OK),
        (vec![0, 1, 1], OK),
        (vec![0, 0, 2], ERR),
        (vec![0, 0], ERR),
        (vec![0, 0, 1, 0], OK),
        (vec![0, 2, 1], ERR),
        (table([0, 0]), OK),
        (table([3, 1]), OK),
        (table([60, 23]), OK),
        ([&table([3, 1])[..], &[0]].concat(), OK),
        (table([3, 1])[..30].to_vec(), ERR),
        (vec![1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], ERR),
        (vec![1, 1, 2, 3, 4, 5, 6, 7], OK),
        (vec![1, 1, 3, 3, 4, 5, 6, 7], ERR),
        (vec![1, 1, 2, 3, 4, 5, 6], ERR),
        (vec![1, 1, 2, 3, 4, 5, 6, 7, 8], OK),
        (vec![2, 0, 0, 0], OK),
        (vec![2, 0, 0xff, 0x0f], OK),
        (vec![2, 1, 7, 0], OK),
        (vec![2, 0, 0, 0x10], ERR),
        (vec![2, 0, 7], ERR),
        (vec![2, 0, 7, 0, 0xff, 0xff], OK),
        (vec![2, 2, 7, 0], ERR),
        (vec![3, 0, 0], ERR),
        (vec![4, 0, 1, 0], OK),
        (vec![4, 0, 2, 0], OK),
        (vec![4, 0, 0, 0], ERR),
        (vec![4, 0, 3, 0], ERR),
        (vec![4, 0, 2], ERR),
        ([&[4, 0, 2, 0][..], &[7; 508]].concat(), OK),
        ([&[4, 0, 2, 0][..], &[7; 509]].concat(), ERR),
        (vec![4, 2, 0, 0], ERR),
        (vec![0xff, 0xff], ERR),
        (vec![0], ERR),
        (vec![1; 513], ERR),
    ];
    let (mut bench, ring) = start(0);
    for (bytes, ack) in cases {
        let shown = &bytes[..bytes.len().min(10)];
        for cuts in [&[][..], &[1], &[2], &[1, 2, 3, 4, 5, 6]] {
            assert_eq!(command_cut(&mut bench, ring, &bytes, cuts), ack, "{shown:?} cut at {cuts:?}");
        }
    }
    assert_eq!((bench.status(1), bench.read(1, 0x300)), (15, 0));
}

#[test]
fn a_command_of_512_bytes_is_read_and_a_longer_one_is_not() {
    let (mut bench, ring) = start(0);
    // 2 + 4 + 83 · 6 + 4 = 508 bytes.
    let mut bytes = vec![1, 0, 83, 0, 0, 0];
    bytes.extend([2; 6 * 83]);
    bytes.extend([0; 4]);
    assert_eq!(command(&mut bench, ring, &bytes), OK);
    bytes[2] = 84;
    bytes.splice(6..6, [2; 6]);
    assert_eq!((bytes.len(), command(&mut bench, ring, &bytes)), (514, ERR));
}

#[test]
fn the_drivers_address_is_seen_by_all_and_stays() {
    let (mut bench, ring) = start(0);
    bench.write(0, 0x4044, 1 << 16 | 0x0605);
    bench.read(1, 0x100);
    bench.interrupts();
    let generation = |bench: &mut Bench| bench.read(1, 0x14) >> 8 & 0xff;
    let before = generation(&mut bench);
    for _ in 0..2 {
        assert_eq!(command(&mut bench, ring, &[1, 1, 0xa2, 3, 4, 5, 6, 0xf7]), OK);
    }
    assert_eq!(mac(&mut bench), [0xa2, 3, 4, 5, 6, 0xf7]);
    assert_eq!(generation(&mut bench), before + 2);
    assert_eq!(bench.read(1, 0x204) >> 16, 1, "the link stays up");
    let registers = [FUNCTION_MAC_LO, FUNCTION_MAC_HI].map(|register| bench.read(0, 0x4040 + register.offset));
    assert_eq!(registers, [0x0504_03a2, 0x0001_f706]);
    assert_eq!(bench.read(1, 0x100), 1, "a used buffer's alone");
    assert!(bench.interrupts().iter().all(|(_, vector)| *vector == 5));
    assert_eq!(command(&mut bench, ring, &[1, 1, 1, 3, 4, 5, 6, 7]), ERR);
    bench.set_status(1, 0);
    bench.run();
    assert_eq!(mac(&mut bench), [0xa2, 3, 4, 5, 6, 0xf7]);
}

#[test]
fn without_mq_and_rss_the_controlq_is_the_third() {
    for features in [0, Feature::CtrlVq.bit(), Feature::Mq.bit(), Feature::Rss.bit()] {
        let mut bench = Bench::new();
        bench.set_status(1, 3);
        bench.accept(1, features | Feature::REQUIRED);
        let several = features & (Feature::Mq.bit() | Feature::Rss.bit()) != 0;
        for agreed in [false, true] {
            if agreed {
                bench.set_status(1, 8);
            }
            let count = if several && agreed { 5 } else { 3 };
            for queue in 0..6 {
                bench.write16(1, 0x16, queue);
                assert_eq!(bench.read16(1, 0x18), if queue < count { 256 } else { 0 }, "virtqueue {queue}");
                let notification = host_address(1, 0x1_0000 + 0x1000 * u32::from(queue));
                assert_eq!(bench.model.write(notification, 0, 0xf).is_ok(), queue < count, "virtqueue {queue}");
            }
            assert_eq!(bench.read16(1, 0x12), 5);
        }
        let control = if several { 4 } else { 2 };
        let ring = bench.enable(1, control, SIZE);
        bench.set_status(1, 4);
        assert_eq!(command(&mut bench, ring, &[2, 0, 1, 0]), OK);
    }
}

#[test]
fn the_ecpf_has_no_controlq() {
    let mut bench = Bench::new();
    assert_eq!(bench.read16(0, 0x12), 10);
    assert_eq!([bench.read(0, 0x210), bench.read(0, 0x214)], [0, 0]);
    assert_eq!([bench.read(1, 0x210), bench.read(1, 0x214)], [128 << 16 | 40 << 8, 0x3f]);
    assert_eq!(bench.read(0, 0x04) & 0b1100_1110 << 16, 0);
    bench.write(0, 0x00, 1);
    assert_eq!(bench.read(0, 0x04) >> 28, 0);
}

#[test]
fn from_reset_to_the_first_command_all_goes_to_receiveq_0() {
    let (mut bench, control) = start(0);
    let rings = [0, 2].map(|queue| Ring { queue, ..control });
    assert_eq!(steered(&mut bench, rings), [0; 64]);
    assert_eq!(command(&mut bench, control, &[4, 0, 3, 0]), ERR);
    assert_eq!(steered(&mut bench, rings), [0; 64]);
    assert_eq!(command(&mut bench, control, &[4, 0, 2, 0]), OK);
    let both = steered(&mut bench, rings);
    assert!(both.iter().sum::<usize>() > 16 && both.iter().sum::<usize>() < 48, "{both:?}");
    assert_eq!(command(&mut bench, control, &[4, 0, 1, 0]), OK);
    assert_eq!(steered(&mut bench, rings), [0; 64]);
    assert_eq!(command(&mut bench, control, &[4, 0, 2, 0]), OK);
    bench.set_status(1, 0);
    bench.run();
    bench.ram = Ram::default();
    bench.start(1, 0, SIZE);
    assert_eq!(steered(&mut bench, rings), [0; 64]);
}

/// RSS_CONFIG with this table and key.
fn rss(types: u32, table: &[u16], unclassified: u16, max_tx_vq: u16, key: &[u8]) -> Vec<u8> {
    let mut bytes = vec![4, 1];
    bytes.extend(types.to_le_bytes());
    bytes.extend((table.len() as u16).wrapping_sub(1).to_le_bytes());
    bytes.extend(unclassified.to_le_bytes());
    bytes.extend(table.iter().flat_map(|entry| entry.to_le_bytes()));
    bytes.extend(max_tx_vq.to_le_bytes());
    bytes.push(key.len() as u8);
    bytes.extend(key);
    bytes
}

#[test]
fn rss_goes_by_its_table_its_types_and_its_key() {
    let (mut bench, control) = start(0);
    let rings = [0, 2].map(|queue| Ring { queue, ..control });
    let mut set = |table: &[u16], types, unclassified, key: &[u8]| {
        assert_eq!(command(&mut bench, control, &rss(types, table, unclassified, 2, key)), OK);
        steered(&mut bench, rings)
    };
    assert_eq!(set(&[1], HASH_TYPES, 0, &DEFAULT_KEY), [1; 64]);
    assert_eq!(set(&[1], 0x10, 0, &DEFAULT_KEY), [0; 64], "UDP over IPv4 is none of the types");
    assert_eq!(set(&[0, 1], HASH_TYPES, 0, &[0; 40]), [0; 64], "the hash is 0");
    let pairs = set(&[0, 1], HASH_TYPES, 0, &DEFAULT_KEY);
    let opposite = set(&[1, 0], HASH_TYPES, 0, &DEFAULT_KEY);
    assert!(pairs.iter().zip(&opposite).all(|(a, b)| a != b));
    let long: Vec<u16> = (0..128).map(|entry| entry % 2).collect();
    assert_eq!(set(&long, HASH_TYPES, 0, &DEFAULT_KEY), pairs);
    // Bits from 320 on, which a short key has not, are 0: those of the ports then are too.
    let short = set(&[0, 1], HASH_TYPES, 0, &DEFAULT_KEY[..8]);
    assert_eq!(short, [short[0]; 64]);
}

#[test]
fn what_rss_cannot_do_is_refused_and_changes_nothing() {
    let (mut bench, control) = start(0);
    let rings = [0, 2].map(|queue| Ring { queue, ..control });
    let one = [1; 1];
    assert_eq!(command(&mut bench, control, &rss(HASH_TYPES, &one, 1, 1, &DEFAULT_KEY)), OK);
    let fine = rss(HASH_TYPES, &[0, 0], 0, 1, &DEFAULT_KEY);
    let cases = [
        rss(0x40, &[0], 0, 1, &DEFAULT_KEY),
        rss(HASH_TYPES, &[0; 3], 0, 1, &DEFAULT_KEY),
        rss(HASH_TYPES, &[0; 256], 0, 1, &[]),
        rss(HASH_TYPES, &[0, 2], 0, 1, &DEFAULT_KEY),
        rss(HASH_TYPES, &[0], 2, 1, &DEFAULT_KEY),
        rss(HASH_TYPES, &[0], 0, 0, &DEFAULT_KEY),
        rss(HASH_TYPES, &[0], 0, 3, &DEFAULT_KEY),
        rss(HASH_TYPES, &[0], 0, 1, &[1; 41]),
        rss(HASH_TYPES, &[], 0, 1, &DEFAULT_KEY),
        fine[..fine.len() - 1].to_vec(),
        fine[..9].to_vec(),
        fine[..13].to_vec(),
    ];
    for (number, bytes) in cases.iter().enumerate() {
        assert_eq!(command(&mut bench, control, bytes), ERR, "case {number}");
    }
    assert_eq!(steered(&mut bench, rings), [1; 64]);
    assert_eq!(command(&mut bench, control, &rss(HASH_TYPES, &[0; 128], 0, 2, &[])), OK, "a key of no bytes");
    assert_eq!(command(&mut bench, control, &fine), OK);
    assert_eq!(steered(&mut bench, rings), [0; 64]);
}

#[test]
fn rss_may_end_with_padding_as_linux_has_it() {
    let (mut bench, control) = start(0);
    let rings = [0, 2].map(|queue| Ring { queue, ..control });
    let bytes = [rss(HASH_TYPES, &[1; 128], 0, 2, &DEFAULT_KEY), vec![0x5a]].concat();
    assert_eq!(command_cut(&mut bench, control, &bytes, &[2, 266]), OK);
    assert_eq!(steered(&mut bench, rings), [1; 64]);
}

#[test]
fn a_frame_for_a_receiveq_that_is_not_there_is_dropped() {
    // Without MQ a driver may still ask for two pairs: the second's receiveq would be the controlq.
    let mut bench = Bench::new();
    bench.accept(1, Feature::REQUIRED);
    bench.set_status(1, 8);
    let control = bench.enable(1, 2, SIZE);
    bench.set_status(1, 4);
    assert_eq!(command(&mut bench, control, &rss(HASH_TYPES, &[1], 0, 1, &DEFAULT_KEY)), OK);
    assert_eq!(bench.model.deliver_steered(&mut bench.ram, 1, &udp(1)), Delivered::NoBuffer);
    assert_eq!(bench.read(0, 0x4040 + FUNCTION_NO_BUFFER.offset), 1);
    assert_eq!(command(&mut bench, control, &[0, 0, 1]), OK);
}

#[test]
fn commands_come_in_packed_virtqueues_and_tables_too() {
    let (mut bench, ring) = start(Feature::RingPacked.bit() | Feature::IndirectDesc.bit());
    bench.ram.put(COMMAND, &[1, 1, 2, 3, 4, 5, 6, 7]);
    bench.packed(ring, 0, (COMMAND, 2), 0, NEXT);
    bench.packed(ring, 1, (COMMAND + 2, 6), 0, NEXT);
    bench.packed(ring, 2, (ACK, 1), 9, WRITE);
    bench.ram.put(ACK, &[NOTHING]);
    bench.notify(ring);
    bench.run();
    assert_eq!((bench.packed_used(ring, 0), bench.ram.vec(ACK, 1)), (Some((1, 9, WRITE)), vec![OK]));
    assert_eq!(mac(&mut bench), [2, 3, 4, 5, 6, 7]);

    let table = 0x39_0010;
    bench.ram.put(COMMAND, &[2, 0, 0, 0x10]);
    bench.put_descriptor(table, COMMAND, 4, [0, 0]);
    bench.put_descriptor(table + 16, ACK, 1, [0, WRITE]);
    bench.packed(ring, 3, (table, 32), 8, INDIRECT);
    bench.notify(ring);
    bench.run();
    assert_eq!((bench.packed_used(ring, 3), bench.ram.vec(ACK, 1)), (Some((1, 8, WRITE)), vec![ERR]));
}

#[test]
fn with_in_order_commands_share_a_used_descriptor() {
    let (mut bench, ring) = start(Feature::RingPacked.bit() | Feature::InOrder.bit());
    bench.ram.put(COMMAND, &[2, 0, 1, 0]);
    for pair in 0..2 {
        bench.packed(ring, 2 * pair, (COMMAND, 4), pair as u16, NEXT);
        bench.packed(ring, 2 * pair + 1, (ACK, 1), pair as u16, WRITE);
    }
    bench.notify(ring);
    bench.run();
    assert_eq!((bench.packed_used(ring, 0), bench.packed_used(ring, 2)), (Some((1, 1, WRITE)), None));
}

/// What is wrong with a chain of these flags and lengths.
fn fault(pieces: &[(u32, u16)]) -> u32 {
    let (mut bench, ring) = start(0);
    for (number, (len, flags)) in (0..).zip(pieces) {
        let next = if usize::from(number) + 1 < pieces.len() { NEXT } else { 0 };
        bench.descriptor(ring, number, COMMAND, *len, flags | next, number + 1);
    }
    bench.offer(ring, 0);
    bench.notify(ring);
    bench.run();
    let word = bench.read(1, 0x300);
    assert!(word == 0 || word >> 16 == 4);
    word & 0xff
}

#[test]
fn chains_are_readable_and_then_writable() {
    assert_eq!(fault(&[(2, 0), (1, 0), (1, WRITE)]), 0);
    assert_eq!(fault(&[(1, WRITE)]), 0, "a command of no bytes");
    assert_eq!(fault(&[(2, 0), (1, WRITE), (1, WRITE)]), 0);
    assert_eq!(fault(&[(2, 0)]), FaultReason::Direction as u32);
    assert_eq!(fault(&[(2, 0), (1, WRITE), (1, 0), (1, WRITE)]), FaultReason::Direction as u32);
    assert_eq!(fault(&[(2, 0), (0, WRITE)]), FaultReason::Empty as u32);
    assert_eq!(fault(&[&[(1, 0); 7][..], &[(1, WRITE)]].concat()), 0);
    assert_eq!(fault(&[&[(1, 0); 8][..], &[(1, WRITE)]].concat()), FaultReason::Chain as u32);
    assert_eq!(fault(&[(70_000, 0), (1, WRITE)]), 0, "not a frame");
}
