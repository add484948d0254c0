// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stations that move between ports, heard of by the slow path and by counters that come late: each is where it was heard of last.

#[allow(dead_code)]
#[path = "../../driver/tests/fake/mod.rs"]
mod fake;

use fake::Fake;
use millrace_driver::{Device, DeviceError, Sent, Upcall};
use millrace_firmware::compile::hardware_key;
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::packet::parse;
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_regs::UpcallReason;
use millrace_regs::config::Preset;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Longest time between two turns of the slow path.
const TURN_NS: u64 = 500_000;
/// Packets of a station at two ports that are closer together than this may be taken for having come the other way round: the flight
/// of the first to the slow path, its turn, and what it does then.
const UNKNOWN_NS: u64 = 3_000_000;

/// The fake's registers, with packets put out.
struct Dpu {
    fake: Fake,
    out: u128,
}

impl Device for Dpu {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.fake.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.fake.write32(address, value)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.fake.recv_upcall()
    }

    fn send_packet_out(&mut self, vport: u8, _: &[u8]) -> Result<Sent, DeviceError> {
        self.out |= 1 << vport;
        Ok(Sent::Accepted)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.fake.poll()
    }

    fn now(&self) -> u64 {
        self.fake.now()
    }
}

/// A station: VLAN (0 for none) and the last byte of its address.
type Station = (u16, u8);

struct Bench {
    dpu: Dpu,
    slow: SlowPath,
    /// Where each station was last heard of, when, and for how long it had not been heard of at another port.
    heard: BTreeMap<Station, (u8, u64, u64)>,
    hits: u64,
}

impl Bench {
    fn new() -> Bench {
        let mut dpu = Dpu { fake: Fake::new(Preset::Sim.config()), out: 0 };
        let flows = parse_flow_file("flows", "actions=normal", Ports::sim()).expect("a flow");
        let slow = SlowPath::new(&mut dpu, flows, Settings::default()).expect("a device");
        Bench { dpu, slow, heard: BTreeMap::new(), hits: 0 }
    }

    /// A packet between two stations of a VLAN comes in; gives the outputs of the rule that it hits.
    fn enter(&mut self, vport: u8, vlan: u16, dst: u8, src: u8) -> Option<u128> {
        let mut frame = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src];
        if vlan != 0 {
            frame.extend([0x81, 0, 0, vlan as u8]);
        }
        frame.extend([0x88, 0xb5, 1, 2, 3, 4]);
        let key = hardware_key(&parse(&frame, u16::from(vport) + 1).0);
        let rule = self.dpu.fake.enter(&key, Upcall::of_first_lookup(vport, UpcallReason::Miss, 0, frame));
        let now = self.dpu.now();
        let heard = self.heard.entry((vlan, src)).or_insert((vport, now, u64::MAX));
        let apart = if heard.0 == vport { heard.2.saturating_add(now - heard.1) } else { now - heard.1 };
        *heard = (vport, now, apart);
        let rule = rule?;
        self.hits += 1;
        let info = self.slow.rules().iter().find(|info| info.id.number() == rule).expect("the rule that was hit");
        Some(info.program.iter().fold(0, |all, step| all | step.outputs))
    }

    /// Time passes with turns of the slow path.
    fn pass(&mut self, ns: u64) {
        let end = self.dpu.now() + ns;
        while self.dpu.now() < end {
            let left = end - self.dpu.now();
            self.dpu.fake.pass(left.min(TURN_NS));
            self.slow.poll(&mut self.dpu).expect("the device works");
        }
    }

    fn settle(&mut self) {
        while self.dpu.fake.busy() || self.slow.waiting() > 0 {
            self.pass(TURN_NS);
        }
    }

    /// Where the slow path takes a station to be.
    fn place(&self, (vlan, station): Station) -> Option<u8> {
        let mac = 0x0200_0000_0000 | u64::from(station);
        let stations = self.slow.stations(self.dpu.now());
        stations.iter().find(|s| (s.0, s.1) == (vlan, mac)).map(|s| s.2 as u8 - 1)
    }
}

/// Microseconds to seconds, each order of magnitude as likely as the others.
fn gap(rng: &mut ChaCha8Rng, most: u32) -> u64 {
    10u64.pow(rng.random_range(3..=most)) * rng.random_range(1..10)
}

#[test]
fn a_station_is_where_it_was_heard_of_last() {
    let mut hits = 0;
    for seed in 0..10 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut b = Bench::new();
        for n in 0..300 {
            let (vport, vlan) = (rng.random_range(0..4), rng.random_range(0..3));
            let (dst, src) = (rng.random_range(1..5), rng.random_range(1..5));
            for _ in 0..rng.random_range(1..4) {
                b.dpu.out = 0;
                let hit = b.enter(vport, vlan, dst, src);
                b.settle();
                let expected = match b.heard.get(&(vlan, dst)) {
                    Some(&(port, ..)) => (1 << port) & !(1 << vport),
                    None => 0x7ff & !(1 << vport),
                };
                assert_eq!(hit.unwrap_or(b.dpu.out), expected, "seed {seed}, packet {n}, hit {hit:?}");
                b.pass(gap(&mut rng, 8));
            }
            for (&station, &(port, ..)) in &b.heard {
                assert_eq!(b.place(station), Some(port), "seed {seed}, packet {n}, {station:?}");
            }
        }
        hits += b.hits;
    }
    assert!(hits > 1000, "{hits}");
}

#[test]
fn a_station_is_where_it_was_heard_of_last_while_packets_are_under_way() {
    let (mut close, mut apart, mut right, mut hits) = (0, 0, 0, 0);
    for seed in 0..60 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut b = Bench::new();
        for _ in 0..20 {
            for _ in 0..rng.random_range(1..40) {
                let (vport, vlan) = (rng.random_range(0..3), rng.random_range(0..2));
                b.enter(vport, vlan, rng.random_range(1..4), rng.random_range(1..4));
                b.pass(gap(&mut rng, 6));
            }
            b.settle();
            b.pass(10_000_000);
            for (&station, &(port, _, since)) in &b.heard {
                let ok = b.place(station) == Some(port);
                if since > UNKNOWN_NS {
                    assert!(ok, "seed {seed}, {station:?}: on {:?}, not {port}", b.place(station));
                    apart += 1;
                } else {
                    close += 1;
                    right += u64::from(ok);
                }
            }
        }
        hits += b.hits;
    }
    println!("{hits} hits, {apart} stations for certain, {right} of {close} others right");
    assert!(hits > 2000 && apart > 2000, "{hits} {apart}");
}
