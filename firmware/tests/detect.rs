// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scans and spoofed sources on a device whose tables can be looked into: what is told of, what is blocked, and that nothing else is.

#[allow(dead_code)]
#[path = "../../driver/tests/fake/mod.rs"]
mod fake;

use etherparse::{PacketBuilder, TcpHeader};
use fake::Fake;
use millrace_driver::virtio::{FunctionPolicy, FunctionView, FunctionVlan};
use millrace_driver::{Device, DeviceError, DropReason, DropSample, Image, Sent, Upcall};
use millrace_firmware::compile::hardware_key;
use millrace_firmware::detect::{
    Action, Detection, Event, Kind, MacAddress, ScanDetection, SpoofDetection, Target, Vports,
};
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::packet::parse;
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_regs::UpcallReason;
use millrace_regs::config::{Config, Preset};
use std::path::Path;

const VF0: u8 = 3;
const VF1: u8 = 4;
const UPLINK: u8 = 0;
const SECOND: u64 = 1_000_000_000;
/// From the VFs to the uplink and back, whatever it is.
const ACROSS: &str = "in_port=vf0,actions=output:p0\nin_port=vf1,actions=output:p0\nin_port=p0,actions=output:vf0";

/// The fake's registers, with functions behind its vports, and packets put out counted.
struct Dpu {
    fake: Fake,
    functions: [FunctionView; 9],
    samples: Vec<DropSample>,
    out: usize,
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

    fn send_packet_out(&mut self, _: u8, _: &[u8]) -> Result<Sent, DeviceError> {
        self.out += 1;
        Ok(Sent::Accepted)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.fake.poll()
    }

    fn next_drop_sample(&mut self) -> Option<DropSample> {
        self.samples.pop()
    }

    fn function(&mut self, function: u32) -> Result<Option<FunctionView>, DeviceError> {
        Ok(self.functions.get(function as usize - 1).copied())
    }

    fn now(&self) -> u64 {
        self.fake.now()
    }
}

/// Who handled a packet, and how.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// A rule put it out.
    Hit,
    /// A rule dropped it.
    HitDrop,
    /// The slow path put it out.
    Out,
    /// The slow path dropped it.
    Drop,
}
use Fate::{Drop, Hit, HitDrop, Out};

struct Bench {
    dpu: Dpu,
    slow: SlowPath,
}

impl Bench {
    fn new(detect: Detection) -> Bench {
        Bench::on(Preset::Sim.config(), ACROSS, detect, None)
    }

    fn on(config: Config, flows: &str, detect: Detection, image: Option<&Path>) -> Bench {
        let mut fake = Fake::new(config);
        fake.traffic = false;
        let mac = |function| [2, 0, 0, 0, 0, function];
        let functions =
            std::array::from_fn(|n| FunctionView { mac: mac(n as u8), policy: FunctionPolicy::default(), refused: 7 });
        let mut dpu = Dpu { fake, functions, samples: vec![], out: 0 };
        let slow = start(&mut dpu, flows, detect, image);
        Bench { dpu, slow }
    }

    /// The slow path is killed, and another one starts.
    fn restart(self, detect: Detection, image: &Path) -> Bench {
        let Bench { mut dpu, slow } = self;
        drop(slow);
        let slow = start(&mut dpu, ACROSS, detect, Some(image));
        Bench { dpu, slow }
    }

    /// A packet comes in, and all that comes of it happens.
    fn send(&mut self, vport: u8, frame: &[u8]) -> Fate {
        let key = hardware_key(&parse(frame, u16::from(vport) + 1).0);
        let upcall = Upcall::of_first_lookup(vport, UpcallReason::Miss, self.dpu.now(), frame.into());
        let program = self.dpu.fake.handles(&key);
        self.dpu.fake.enter(&key, upcall);
        let before = self.dpu.out;
        self.settle();
        match program {
            Some(program) if program[0].outputs == 0 => HitDrop,
            Some(_) => Hit,
            None if self.dpu.out > before => Out,
            None => Drop,
        }
    }

    fn settle(&mut self) {
        loop {
            self.dpu.fake.pass(1_000_000);
            self.slow.poll(&mut self.dpu).unwrap();
            if !self.dpu.fake.busy() && self.slow.waiting() == 0 {
                return;
            }
        }
    }

    /// Time passes, in which counters are read.
    fn wait(&mut self, ns: u64) {
        let end = self.dpu.now() + ns;
        while self.dpu.now() < end {
            self.dpu.fake.pass(50_000_000);
            self.slow.poll(&mut self.dpu).unwrap();
        }
    }

    fn events(&mut self) -> Vec<Event> {
        self.slow.take_events().0
    }

    fn dump(&mut self) -> Vec<String> {
        let dump = self.slow.dump_megaflows(&mut self.dpu).unwrap();
        dump.iter().filter(|rule| rule.block.is_some()).map(ToString::to_string).collect()
    }
}

fn start(dpu: &mut Dpu, flows: &str, detect: Detection, image: Option<&Path>) -> SlowPath {
    let flows = parse_flow_file("flows", flows, Ports::sim()).unwrap();
    let settings = Settings { detect, ..Settings::default() };
    match image {
        Some(image) => SlowPath::with_image(dpu, flows, settings, Image::open(image).unwrap()).unwrap(),
        None => SlowPath::new(dpu, flows, settings).unwrap(),
    }
}

fn scan(ports: Option<u16>, hosts: Option<u16>, block: Option<u64>) -> Detection {
    let vports = Vports::of(2..11);
    let scan = ScanDetection { ports, hosts, within: 10 * SECOND, block, vports };
    Detection { scan: Some(scan), ..Detection::default() }
}

fn spoof(block: Option<u64>) -> Detection {
    let spoof = SpoofDetection { within: 10 * SECOND, block, vports: Vports::of(2..11) };
    Detection { spoof: Some(spoof), ..Detection::default() }
}

/// From a VF (its number) to a host.
fn builder(vf: u8, host: u8) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    PacketBuilder::ethernet2([2, 0, 0, 0, 0, vf + 1], [6; 6]).ipv4([10, 0, 0, vf], [10, 9, 0, host], 64)
}

fn tcp(vf: u8, host: u8, port: u16, flags: &str) -> Vec<u8> {
    let mut header = TcpHeader::new(40_000, port, 1, 1000);
    (header.syn, header.ack) = (flags.contains('S'), flags.contains('A'));
    let mut frame = vec![];
    builder(vf, host).tcp_header(header).write(&mut frame, &[]).unwrap();
    frame
}

fn udp(vf: u8, host: u8, from: u16, to: u16) -> Vec<u8> {
    let mut frame = vec![];
    builder(vf, host).udp(from, to).write(&mut frame, &[]).unwrap();
    frame
}

fn arp(vf: u8, host: u8) -> Vec<u8> {
    let mac = [2, 0, 0, 0, 0, vf + 1];
    [&[0xff; 6][..], &mac, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &mac, &[10, 0, 0, vf], &[0; 6], &[10, 9, 0, host]].concat()
}

#[test]
fn a_scan_of_ports_is_told_of_with_who_and_what_and_nothing_is_dropped_unasked() {
    let mut b = Bench::new(scan(Some(20), None, None));
    for port in 1..=30 {
        assert_eq!(b.send(VF0, &tcp(0, 1, port, "S")), Out, "port {port}");
        assert_eq!(b.send(VF1, &tcp(1, 1, 443, "S")), if port == 1 { Out } else { Hit });
    }
    let events = b.events();
    let [
        Event {
            vport: VF0, kind: Kind::Scan { src_ip, src_mac, ports, first, last, .. }, action: Action::None, ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((src_ip.to_string().as_str(), *ports), ("10.0.0.0", 20));
    assert_eq!(*src_mac, Some(MacAddress(0x0200_0000_0001)));
    assert_eq!((shown(first), shown(last)), ("10.9.0.1 tcp/1".into(), "10.9.0.1 tcp/20".into()));
    assert_eq!((b.slow.stats().events, b.slow.stats().blocks), (1, 0));
}

fn shown(target: &Target) -> String {
    format!("{} {}", target.ip, target.service.map(|service| service.to_string()).unwrap_or_default())
}

#[test]
fn without_detection_a_wide_rule_hides_what_with_it_is_seen() {
    let mut b = Bench::new(Detection::default());
    assert_eq!(b.send(VF0, &tcp(0, 1, 1, "S")), Out);
    assert!((2..30).all(|port| b.send(VF0, &tcp(0, 1, port, "S")) == Hit));
    let mut b = Bench::new(scan(None, Some(5), None));
    assert_eq!(b.send(VF0, &tcp(0, 1, 1, "S")), Out);
    assert_eq!(b.send(VF0, &tcp(0, 1, 80, "SA")), Out);
    // What goes on is one rule, whatever the ends.
    assert!((2..30).all(|host| b.send(VF0, &tcp(0, host, 1, "A")) == Hit));
    assert!((1..5).all(|host| b.send(VF0, &arp(0, host)) == Out));
    assert!(b.events().is_empty(), "four hosts");
    assert_eq!(b.send(VF0, &arp(0, 5)), Out);
    assert_eq!(b.events().len(), 1);
}

#[test]
fn a_block_stops_at_once_what_the_hardware_forwards_of_the_source_and_of_nobody_else_until_it_is_over() {
    let mut b = Bench::new(scan(Some(20), None, Some(60 * SECOND)));
    let long_known = [tcp(0, 1, 443, "A"), udp(0, 1, 5000, 53), arp(0, 1)];
    for frame in &long_known {
        assert_eq!((b.send(VF0, frame), b.send(VF0, frame)), (Out, Hit));
    }
    let (neighbour, same_vf) = (tcp(1, 1, 443, "A"), tcp(7, 1, 443, "A"));
    assert_eq!((b.send(VF1, &neighbour), b.send(VF0, &same_vf)), (Out, Hit));
    // A UDP port is one already.
    assert!((1..=18).all(|port| b.send(VF0, &tcp(0, 1, port, "S")) == Out));
    assert_eq!(b.send(VF0, &tcp(0, 1, 19, "S")), Drop, "the one that was too many");
    for _ in 0..3 {
        for frame in &long_known {
            assert_eq!(b.send(VF0, frame), HitDrop);
        }
        assert_eq!(b.send(VF0, &tcp(0, 1, 99, "S")), HitDrop);
        assert_eq!((b.send(VF1, &neighbour), b.send(VF0, &same_vf)), (Hit, Hit));
    }
    let events = b.events();
    let [Event { at, action: Action::Blocked { until, offloaded: true }, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(until - at, 60 * SECOND);
    let dump = b.dump();
    assert_eq!(dump.len(), 2, "IP and ARP: {dump:?}");
    assert!(
        dump.iter()
            .all(|text| text.contains("in_port(vf0)") && text.contains("10.0.0.0") && text.contains("actions:drop")),
        "{dump:?}"
    );
    assert!(dump[0].contains("packets:9,") && dump[1].contains("packets:3,"), "{dump:?}");
    assert!(dump[0].contains("block(reason=scan,ends_in=59."), "{dump:?}");

    let left = until - b.dpu.now() - SECOND;
    b.wait(left);
    assert_eq!(b.send(VF0, &long_known[0]), HitDrop);
    b.wait(2 * SECOND);
    assert_ne!(b.send(VF0, &long_known[0]), HitDrop);
    assert_eq!((b.send(VF0, &long_known[0]), b.dump().len()), (Hit, 0));
    let events = b.events();
    assert!(
        matches!(&events[..], [Event { kind: Kind::Unblocked { reason: "scan", dropped: 13, .. }, .. }]),
        "{events:?}"
    );
}

#[test]
fn contacts_that_have_a_rule_are_heard_of_by_its_counter() {
    let mut b = Bench::new(scan(Some(4), None, Some(SECOND)));
    for port in 1..=3 {
        assert_eq!(b.send(VF0, &tcp(0, 1, port, "S")), Out);
    }
    b.wait(11 * SECOND);
    assert!(b.events().is_empty());
    let mut b = Bench::new(scan(Some(4), None, Some(SECOND)));
    assert!((1..=3).all(|port| b.send(VF0, &tcp(0, 1, port, "S")) == Out));
    for _ in 0..3 {
        // The rules stay in use, and what they count is no more than three ports.
        b.wait(5 * SECOND);
        assert!((1..=3).all(|port| b.send(VF0, &tcp(0, 1, port, "S")) == Hit));
    }
    b.wait(SECOND);
    assert!(b.events().is_empty());
    assert_eq!(
        b.send(VF0, &tcp(0, 1, 4, "S")),
        Drop,
        "the fourth within the time: the others were heard of by their counters"
    );
    assert_eq!(b.events().len(), 1);
}

#[test]
fn who_answers_many_does_not_scan() {
    let mut b = Bench::new(scan(None, Some(10), Some(SECOND)));
    for client in 1..100 {
        let question = {
            let mut frame = vec![];
            let builder =
                PacketBuilder::ethernet2([6; 6], [2, 0, 0, 0, 0, 1]).ipv4([10, 9, 0, client], [10, 0, 0, 0], 64);
            builder.udp(30_000 + u16::from(client), 53).write(&mut frame, &[]).unwrap();
            frame
        };
        assert_eq!(b.send(UPLINK, &question), Out);
        assert_eq!(b.send(VF0, &udp(0, client, 53, 30_000 + u16::from(client))), Out);
        b.send(VF0, &tcp(0, client, 30_000, "SA"));
    }
    b.wait(SECOND);
    assert!(b.events().is_empty());
    for client in 1..100 {
        b.send(VF0, &udp(0, client, 53, 7));
    }
    b.wait(2 * SECOND);
    assert_eq!(b.events().len(), 2, "what nobody asked for, and the end of the block");
}

#[test]
fn a_block_finds_room_in_full_tables() {
    for tcam_entries in [2, 4] {
        let config = Config { hash_tables: 2, slots_log2: 2, tcam_entries, steps_log2: 5, ..Preset::Sim.config() };
        let flows = "priority=9,tcp,in_port=vf1,tp_src=0/1,actions=output:p0\nactions=output:p0";
        let mut b = Bench::on(config, flows, scan(Some(40), None, Some(SECOND)), None);
        let known = tcp(0, 1, 443, "A");
        b.send(VF0, &known);
        b.send(VF0, &known);
        for port in 1..40 {
            b.send(VF1, &udp(1, 9, 1, 1));
            assert_ne!(b.send(VF0, &tcp(0, 1, port, "S")), HitDrop);
            b.send(VF1, &tcp(1, port as u8, 5, "A"));
        }
        assert_eq!(b.send(VF0, &tcp(0, 1, 40, "S")), Drop);
        b.wait(100_000_000);
        assert_eq!(b.send(VF0, &known), HitDrop);
        let events = b.events();
        assert!(matches!(&events[..], [Event { action: Action::Blocked { .. }, .. }]), "{events:?}");
        assert!(b.dump().iter().all(|text| text.contains("offloaded:yes")), "{:?}", b.dump());
    }
}

#[test]
fn a_block_outlives_a_slow_path_that_is_killed_and_goes_when_nobody_asks_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    let detect = scan(None, Some(3), Some(60 * SECOND));
    let mut b = Bench::on(Preset::Sim.config(), ACROSS, detect, Some(&image));
    let known = tcp(0, 1, 443, "A");
    b.send(VF0, &known);
    (1..=3).for_each(|host| assert_eq!(b.send(VF0, &tcp(0, host, 80, "S")), if host < 3 { Out } else { Drop }));
    assert_eq!(b.send(VF0, &known), HitDrop);
    b.wait(40 * SECOND);
    let mut b = b.restart(detect, &image);
    assert_eq!(b.dump().len(), 2);
    b.wait(40 * SECOND);
    assert_eq!(b.send(VF0, &known), HitDrop, "its time began anew");
    assert_eq!(b.send(VF0, &arp(0, 1)), HitDrop);
    let mut b = b.restart(Detection::default(), &image);
    assert_eq!(b.dump().len(), 0);
    assert_ne!(b.send(VF0, &known), HitDrop);
}

/// A frame of a VF with another source address.
fn forged(vf: u8, last: u8) -> Vec<u8> {
    let mut frame = tcp(vf, 1, 443, "A");
    frame[11] = last;
    frame
}

#[test]
fn a_spoofed_source_is_told_of_at_once_and_then_with_a_count() {
    let mut b = Bench::new(spoof(None));
    assert_eq!((b.send(VF0, &tcp(0, 1, 443, "A")), b.send(VF0, &tcp(0, 1, 443, "A"))), (Out, Hit));
    assert!(b.events().is_empty());
    assert_eq!((b.send(VF0, &forged(0, 0x66)), b.send(VF0, &forged(0, 0x66))), (Out, Hit));
    let is = |event: &Event, mac, n| {
        let own = MacAddress(0x0200_0000_0001);
        let Kind::Spoof { src_mac, own_mac, count, .. } = event.kind else { panic!("{event:?}") };
        assert_eq!((src_mac, own_mac, count), (Some(MacAddress(mac)), own, n));
    };
    let events = b.events();
    assert_eq!(events.len(), 1);
    is(&events[0], 0x0200_0000_0066, 1);
    (0..50).for_each(|_| assert_eq!(b.send(VF0, &forged(0, 0x66)), Hit));
    b.wait(11 * SECOND);
    let events = b.events();
    assert_eq!(events.len(), 1, "{events:?}");
    is(&events[0], 0x0200_0000_0066, 51);
}

#[test]
fn a_spoofed_source_is_blocked_and_the_function_itself_is_not() {
    let mut b = Bench::new(spoof(Some(5 * SECOND)));
    b.send(VF0, &tcp(0, 1, 443, "A"));
    assert_eq!(b.send(VF0, &forged(0, 0x66)), Drop, "not even the first");
    assert_eq!(b.send(VF0, &forged(0, 0x66)), HitDrop);
    assert_eq!(b.send(VF0, &tcp(0, 1, 443, "A")), Hit);
    assert_eq!(b.send(VF1, &forged(1, 2)), Out, "its own");
    b.wait(6 * SECOND);
    assert_eq!(b.send(VF0, &forged(0, 0x66)), Drop, "again");
    assert_eq!(b.events().len(), 3);
}

#[test]
fn an_address_that_a_driver_has_changed_is_no_spoofed_one() {
    let mut b = Bench::new(spoof(Some(SECOND)));
    b.send(VF0, &tcp(0, 1, 443, "A"));
    b.wait(SECOND);
    b.dpu.functions[1].mac = [2, 0, 0, 0, 0, 0x66];
    assert_eq!(b.send(VF0, &forged(0, 0x66)), Out);
    assert!(b.events().is_empty());
    assert_eq!(b.send(VF0, &tcp(0, 1, 80, "S")), Drop, "the old one is another's now");
}

#[test]
fn what_the_spoof_check_dropped_is_told_of_by_its_number() {
    let mut b = Bench::new(spoof(None));
    b.wait(SECOND);
    b.dpu.functions[1].refused += 5;
    b.wait(SECOND);
    assert!(b.events().is_empty(), "the function has no spoof check");
    b.dpu.functions[1].policy.spoof_check = true;
    b.dpu.functions[1].refused += 4;
    b.wait(SECOND);
    b.dpu.functions[1].refused += 30;
    b.wait(11 * SECOND);
    let vlan = Some(FunctionVlan { id: 5, priority: 0, service: false });
    (b.dpu.functions[1].policy.vlan, b.dpu.functions[1].refused) = (vlan, 47);
    b.wait(11 * SECOND);
    let counts: Vec<_> = b
        .events()
        .into_iter()
        .map(|event| match event.kind {
            Kind::Spoof { src_mac: None, count, .. } => ("spoof", count, event.action),
            Kind::Refused { count, by } => (["", "", "both"][by.len()], count, event.action),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(counts, [("spoof", 4, Action::Dropped), ("spoof", 30, Action::Dropped), ("both", 1, Action::Dropped)]);
}

#[test]
fn a_sample_of_what_the_spoof_check_dropped_gives_its_addresses() {
    let mut b = Bench::new(spoof(Some(SECOND)));
    b.dpu.functions[1].policy.spoof_check = true;
    b.wait(SECOND);
    // Of a packet whose end is not in the sample.
    let frame = [forged(0, 0x66), vec![0; 600]].concat();
    let sample = |vport, reason| DropSample { vport, reason, frame: frame[..40].to_vec() };
    b.dpu.samples.extend([
        sample(VF1, DropReason::Spoof),
        sample(VF0, DropReason::Vlan),
        sample(VF0, DropReason::Spoof),
    ]);
    b.dpu.functions[1].refused += 3;
    b.wait(SECOND);
    b.dpu.functions[1].refused += 1;
    b.wait(12 * SECOND);
    let events = b.events();
    let [Event { kind: first, action, .. }, Event { kind: second, .. }] = &events[..] else { panic!("{events:?}") };
    let (own_mac, src_mac) = (b.dpu.functions[1].mac.into(), Some(MacAddress(0x0200_0000_0066)));
    let src_ip = Some([10, 0, 0, 0].into());
    assert_eq!((first, *action), (&Kind::Spoof { src_mac, src_ip, own_mac, count: 3 }, Action::Dropped));
    assert_eq!(second, &Kind::Spoof { src_mac: None, src_ip: None, own_mac, count: 1 }, "it is of other frames");
}
