// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path and the rule manager on a device with few and small tables: whatever fits or does not, each packet is handled as
//! the flow tables say, in hardware or in software.

#[allow(dead_code)]
#[path = "../../driver/tests/fake/mod.rs"]
mod fake;

use fake::Fake;
use millrace_driver::{Device, DeviceError, Image, Sent, Upcall};
use millrace_firmware::compile::hardware_key;
use millrace_firmware::mac::MacTable;
use millrace_firmware::openflow::{FlowTable, Ports, parse_flow_file};
use millrace_firmware::packet::parse;
use millrace_firmware::slowpath::{EPOCH_SPAN_NS, Replacement, Settings, SlowPath};
use millrace_firmware::xlate::{Pipeline, Translation, translate};
use millrace_regs::config::{Config, Preset};
use millrace_regs::{Command, Key, UpcallReason, addr};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::path::Path;

/// The fake's registers, with queues for upcalls and packets put out.
struct Dpu {
    fake: Fake,
    upcalls: VecDeque<Upcall>,
    out: Vec<(u8, Vec<u8>)>,
    /// Packets put out that are taken before the queue is full.
    room: usize,
    /// Time (ns) that each takes.
    out_ns: u64,
}

impl Device for Dpu {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.fake.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.fake.write32(address, value)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.upcalls.pop_front()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        if self.room == 0 {
            return Ok(Sent::Full);
        }
        self.room -= 1;
        self.fake.pass(self.out_ns);
        self.out.push((vport, frame.to_vec()));
        Ok(Sent::Accepted)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.fake.poll()
    }

    fn now(&self) -> u64 {
        self.fake.now()
    }
}

fn flows(text: &str) -> FlowTable {
    parse_flow_file("flows", text, Ports::sim()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn frame(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut f = vec![2, 0, 0, 0, 0, rng.random_range(1..4), 2, 0, 0, 0, 0, rng.random_range(4..7)];
    if rng.random_ratio(1, 4) {
        f.extend([0x81, 0, 0, rng.random_range(1..4)]);
    }
    let protocol = if rng.random() { 6 } else { 17 };
    f.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0]);
    f.extend([
        10,
        0,
        rng.random_range(0..4),
        rng.random_range(0..16),
        10,
        1,
        rng.random_range(0..4),
        rng.random_range(0..16),
    ]);
    f.extend([
        4,
        rng.random_range(0..8),
        0,
        rng.random_range(76..92),
        0,
        20,
        0,
        0,
        0,
        0,
        0,
        0,
        0x50,
        2,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    f
}

const CONDITIONS: [&str; 9] = [
    "",
    "tcp,tp_dst=80,",
    "udp,tp_src=1025,",
    "ip,nw_src=10.0.1.0/24,",
    "ip,nw_dst=10.1.2.0/28,",
    "dl_vlan=2,",
    "dl_dst=02:00:00:00:00:02,",
    "tcp,nw_src=10.0.0.5,tp_dst=0x50/0xfff8,",
    "in_port=2,dl_src=02:00:00:00:00:05,",
];
const ACTIONS: [&str; 8] = [
    "drop",
    "output:3",
    "output:4,mod_dl_src:02:00:00:00:00:09,output:5,output:6",
    "flood",
    "mod_vlan_vid:7,output:7",
    "move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],output:8",
    "move:NXM_OF_IP_DST[0..3]->NXM_NX_REG0[0..3],output:9",
    "dec_ttl,output:10,pop_vlan,output:11",
];

fn draw(rng: &mut ChaCha8Rng) -> String {
    let mut text = String::new();
    for priority in 0..rng.random_range(3..14) {
        let mut condition = CONDITIONS[rng.random_range(0..CONDITIONS.len())].to_owned();
        let action = ACTIONS[rng.random_range(0..ACTIONS.len())];
        if action.starts_with("move")
            && !condition.contains("ip,")
            && !condition.contains("tcp")
            && !condition.contains("udp")
        {
            condition += "ip,";
        }
        text += &format!("priority={priority},{condition}actions={action}\n");
    }
    text
}

/// All vports that a packet goes to by the flow tables.
fn expected(pipeline: &Pipeline, vport: u8, frame: &[u8]) -> u128 {
    let mut t = Translation::default();
    translate(pipeline, &MacTable::default(), &parse(frame, u16::from(vport) + 1).0, &mut t);
    t.versions.iter().fold(0, |all, version| all | version.outputs)
}

fn run(config: Config, seed: u64) -> (usize, usize, u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut fake = Fake::new(config);
    fake.traffic = false;
    let mut dpu = Dpu { fake, upcalls: VecDeque::new(), out: Vec::new(), room: 0, out_ns: 0 };
    let mut text = draw(&mut rng);
    let mut slow = SlowPath::new(&mut dpu, flows(&text), Settings::default()).expect("a device");
    let (mut hits, mut misses) = (0, 0);
    for _ in 0..3 {
        let pipeline = Pipeline::new(flows(&text));
        for _ in 0..250 {
            let (vport, frame) = (rng.random_range(0..3), frame(&mut rng));
            let outputs = match dpu.fake.lookup(&hardware_key(&parse(&frame, u16::from(vport) + 1).0)) {
                Some(rule) => {
                    hits += 1;
                    let rule =
                        slow.rules().iter().find(|info| info.id.number() == rule).expect("the rule that was hit");
                    rule.program.iter().fold(0, |all, step| all | step.outputs)
                }
                None => {
                    misses += 1;
                    let at = dpu.now();
                    dpu.upcalls.push_back(Upcall::of_first_lookup(vport, UpcallReason::Miss, at, frame.clone()));
                    while !dpu.upcalls.is_empty() || slow.waiting() > 0 {
                        dpu.room = rng.random_range(0..4);
                        slow.poll(&mut dpu).expect("the device works");
                        dpu.fake.pass(500);
                    }
                    std::mem::take(&mut dpu.out).iter().fold(0, |all, (vport, _)| all | 1 << vport)
                }
            };
            assert_eq!(outputs, expected(&pipeline, vport, &frame), "seed {seed}\n{text}\n{vport} {frame:02x?}");
            dpu.fake.wait(rng.random_range(0..200_000));
        }
        text = draw(&mut rng);
        slow.replace_flows(&mut dpu, flows(&text)).expect("the device works");
    }
    let stats = *slow.stats();
    assert_eq!(stats.installed - stats.removed, slow.rules().len() as u64, "seed {seed} {stats:?}");
    assert_eq!(slow.megaflows().1, slow.rules().len(), "seed {seed}");
    assert_eq!(stats.copies_queue_full, 0);
    (hits, misses, stats.narrowed)
}

/// The hardware's key of a packet.
fn key_of(vport: u8, frame: &[u8]) -> Key {
    hardware_key(&parse(frame, u16::from(vport) + 1).0)
}

/// All vports that a packet goes to by its rule, if it has one.
fn by_rule(fake: &Fake, vport: u8, frame: &[u8]) -> Option<u128> {
    let program = fake.handles(&key_of(vport, frame))?;
    Some(program.iter().fold(0, |all, step| all | step.outputs))
}

/// Starts a slow path; if it is killed, another.
fn start(dpu: &mut Dpu, text: &str, image: &Path) -> SlowPath {
    let mut start = || SlowPath::with_image(dpu, flows(text), Settings::default(), Image::open(image).unwrap());
    match start() {
        Ok(slow) => slow,
        Err(error) => {
            assert!(dpu.fake.dead(), "{error}");
            dpu.fake.revive();
            SlowPath::with_image(dpu, flows(text), Settings::default(), Image::open(image).unwrap()).unwrap()
        }
    }
}

/// The slow path handles packets that miss until it is killed, at some access, which its poll notices; gives the packets that came.
fn until_killed(dpu: &mut Dpu, slow: &mut SlowPath, text: &str, rng: &mut ChaCha8Rng) -> Vec<(u8, Vec<u8>)> {
    let pipeline = Pipeline::new(flows(text));
    let mut packets = vec![];
    while !dpu.fake.dead() {
        let (vport, frame) = (rng.random_range(0..3), frame(rng));
        packets.push((vport, frame.clone()));
        if let Some(outputs) = by_rule(&dpu.fake, vport, &frame) {
            assert_eq!(outputs, expected(&pipeline, vport, &frame), "{text}\n{vport} {frame:02x?}");
            dpu.fake.wait(rng.random_range(0..200_000));
            assert!(slow.poll(dpu).is_ok() || dpu.fake.dead());
            continue;
        }
        let at = dpu.now();
        dpu.upcalls.push_back(Upcall::of_first_lookup(vport, UpcallReason::Miss, at, frame));
        while !dpu.fake.dead() && (!dpu.upcalls.is_empty() || slow.waiting() > 0) {
            dpu.room = 4;
            assert!(slow.poll(dpu).is_ok() || dpu.fake.dead());
            dpu.fake.pass(500);
        }
    }
    packets
}

#[test]
fn a_slow_path_that_is_killed_loses_no_rule_and_the_next_one_keeps_none_that_is_wrong() {
    let (mut rules, mut changed, mut removed) = (0, 0, 0);
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let folder = tempfile::tempdir().unwrap();
        let config = Config { hash_tables: 4, slots_log2: 3, tcam_entries: 6, steps_log2: 5, ..Preset::Sim.config() };
        let mut fake = Fake::new(config);
        fake.traffic = false;
        let mut dpu = Dpu { fake, upcalls: VecDeque::new(), out: Vec::new(), room: 0, out_ns: 0 };
        let mut text = draw(&mut rng);
        let mut last = vec![];
        for _ in 0..30 {
            let before = text.clone();
            if rng.random() {
                text = draw(&mut rng);
            }
            dpu.fake.dies_in = rng.random_ratio(1, 3).then(|| rng.random_range(1..300));
            let held: Vec<_> =
                last.iter().filter_map(|(v, f): &(u8, Vec<u8>)| Some((v, f, by_rule(&dpu.fake, *v, f)?))).collect();
            let old = Pipeline::new(flows(&before));
            assert!(held.iter().all(|(vport, frame, outputs)| *outputs == expected(&old, **vport, frame)), "killed");
            let mut slow = start(&mut dpu, &text, &folder.path().join("image"));
            let same = text == before;
            let still =
                |(vport, frame, outputs): &(&u8, &Vec<u8>, u128)| by_rule(&dpu.fake, **vport, frame) == Some(*outputs);
            assert!(!same || held.iter().all(still), "seed {seed}: a rule is lost");
            let stats = *slow.stats();
            assert!(!same || stats.updated + stats.removed == 0, "seed {seed}: {stats:?}");
            assert_eq!(stats.taken_over - stats.removed, slow.rules().len() as u64);
            (rules, changed, removed) = (rules + stats.taken_over, changed + stats.updated, removed + stats.removed);
            dpu.fake.dies_in = Some(rng.random_range(1..1_500));
            last = until_killed(&mut dpu, &mut slow, &text, &mut rng);
            (dpu.upcalls, dpu.out) = (VecDeque::new(), Vec::new());
        }
    }
    println!("{rules} rules taken over, {changed} changed, {removed} removed");
    assert!(rules > 1_000 && changed > 100 && removed > 100, "{rules} {changed} {removed}");
}

#[test]
fn a_program_that_does_not_fit_pushes_no_rule_out() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let config = Preset::Ecp5.config();
    let mut fake = Fake::new(config);
    fake.traffic = false;
    let mut dpu = Dpu { fake, upcalls: VecDeque::new(), out: Vec::new(), room: usize::MAX, out_ns: 0 };
    let steps =
        |n: usize| (1..=n).map(|n| format!("mod_dl_src:02:00:00:00:01:{n:02x},output:4")).collect::<Vec<_>>().join(",");
    let longest = config.steps() + 1;
    // The first takes all continuation steps, the second finds none, the third never will.
    let text = format!(
        "priority=9,in_port=1,actions={}\npriority=9,in_port=2,actions={}\npriority=9,in_port=3,actions={}\n\
         priority=1,ip,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],move:NXM_OF_IP_DST[]->NXM_NX_REG1[],output:2",
        steps(longest),
        steps(2),
        steps(longest + 1)
    );
    let mut slow = SlowPath::new(&mut dpu, flows(&text), Settings::default()).expect("a device");
    let upcall = |dpu: &mut Dpu, slow: &mut SlowPath, vport: u8, frame: Vec<u8>| {
        let at = dpu.now();
        dpu.upcalls.push_back(Upcall::of_first_lookup(vport, UpcallReason::Miss, at, frame));
        while !dpu.upcalls.is_empty() || slow.waiting() > 0 {
            slow.poll(dpu).expect("the device works");
            dpu.fake.pass(500);
        }
    };
    let others: Vec<Vec<u8>> = (0..100).map(|_| frame(&mut rng)).collect();
    others.iter().for_each(|frame| upcall(&mut dpu, &mut slow, 3, frame.clone()));
    let rules = slow.rules().len();
    for _ in 0..20 {
        for vport in 0..3 {
            upcall(&mut dpu, &mut slow, vport, others[0].clone());
        }
        dpu.fake.pass(2_000_000);
    }
    let stats = *slow.stats();
    assert_eq!((stats.evicted, slow.rules().len()), (0, rules + 1));
    assert_eq!((stats.no_steps, stats.too_long, stats.no_room), (20, 1, 0), "only what may change is offered again");
    let dumps = slow.dump_megaflows(&mut dpu).expect("the device works");
    let extra = |port: &str| dumps.iter().find(|d| d.matches.contains(port)).map(|d| d.extra.as_str());
    assert_eq!(extra("in_port(p1)"), Some("steps_used_up"));
    assert_eq!(extra("in_port(pf)"), Some("program_too_long"));
}

#[test]
fn packets_are_handled_as_the_flow_tables_say_however_small_the_tables() {
    let sizes = [(8, 9, 32), (3, 3, 6), (2, 2, 2), (1, 2, 4), (1, 8, 16)];
    let (mut narrowed, mut hits, mut misses) = (0, 0, 0);
    for (n, (hash_tables, slots_log2, tcam_entries)) in sizes.into_iter().enumerate() {
        let config = Config { hash_tables, slots_log2, tcam_entries, steps_log2: 5, ..Preset::Sim.config() };
        for seed in 0..8 {
            let (h, m, more) = run(config, n as u64 * 1000 + seed);
            (narrowed, hits, misses) = (narrowed + more, hits + h, misses + m);
        }
    }
    println!("{hits} hits, {misses} misses, {narrowed} rules narrowed");
    assert!(narrowed > 100 && hits > misses / 4, "{hits} hits, {misses} misses, {narrowed} narrowed");
}

#[test]
fn tables_that_are_cleared_under_a_slow_path_are_noticed_in_the_next_epoch() {
    let fake = Fake::new(Preset::Ecp5.config());
    let mut dpu = Dpu { fake, upcalls: VecDeque::new(), out: Vec::new(), room: 9, out_ns: 0 };
    let mut slow = SlowPath::new(&mut dpu, flows("actions=output:2"), Settings::default()).expect("a device");
    for cleared in [false, true] {
        if cleared {
            dpu.write32(addr::COMMAND, Command::ClearTables.word(0)).expect("a device");
        }
        dpu.fake.wait(EPOCH_SPAN_NS);
        let lost = matches!(slow.poll(&mut dpu), Err(DeviceError::TablesLost { .. }));
        assert_eq!(lost, cleared);
    }
}

/// A device that takes all that is put out.
fn unlimited() -> Dpu {
    let mut fake = Fake::new(Preset::Sim.config());
    fake.traffic = false;
    Dpu { fake, upcalls: VecDeque::new(), out: Vec::new(), room: usize::MAX, out_ns: 0 }
}

#[test]
fn a_poll_comes_to_its_end_although_a_packet_has_many_copies() {
    const OUT_NS: u64 = 1_000;
    let mut dpu = Dpu { out_ns: OUT_NS, ..unlimited() };
    let text = format!("actions={}", ["flood"; 400].join(","));
    let mut slow = SlowPath::new(&mut dpu, flows(&text), Settings::default()).expect("a device");
    for n in 0..3 {
        let frame = vec![2, 0, 0, 0, 0, 1, 6, 0, 0, 0, 0, n, 0x88, 0xb5, 0, 0];
        dpu.upcalls.push_back(Upcall::of_first_lookup(0, UpcallReason::Miss, dpu.fake.now(), frame));
    }
    while dpu.out.len() < 3 * 4000 {
        let (begun, before) = (dpu.now(), dpu.out.len());
        slow.poll(&mut dpu).expect("the device works");
        let took = dpu.now() - begun;
        assert!(took < 500 * fake::ACCESS_NS, "{took} ns");
        assert!(dpu.out.len() > before, "none was put out");
    }
    // In their order: each packet's copies, and of those each flood's.
    let order = |n: usize| (dpu.out[n].0, dpu.out[n].1[11]);
    assert!((0..3 * 4000).all(|n| order(n) == (1 + (n % 10) as u8, (n / 4000) as u8)));
}

#[test]
fn a_poll_comes_to_its_end_although_more_is_to_be_done() {
    const UPCALLS: u16 = 2000;
    let mut dpu = unlimited();
    let mut slow = SlowPath::new(&mut dpu, flows("actions=normal"), Settings::default()).expect("a device");
    for station in 0..UPCALLS {
        let [high, low] = station.to_be_bytes();
        let frame = vec![2, 0, 0, 0, 0, 1, 6, 0, 0, 0, high, low, 0x88, 0xb5, 0, 0];
        dpu.upcalls.push_back(Upcall::of_first_lookup(0, UpcallReason::Miss, dpu.fake.now(), frame));
    }
    let poll = |slow: &mut SlowPath, dpu: &mut Dpu| {
        let begun = dpu.now();
        slow.poll(dpu).expect("the device works");
        let took = dpu.now() - begun;
        assert!(took < 500 * fake::ACCESS_NS, "{took} ns");
    };
    while !dpu.upcalls.is_empty() {
        let waiting = dpu.upcalls.len();
        poll(&mut slow, &mut dpu);
        assert!(dpu.upcalls.len() < waiting, "none was handled");
    }
    assert_eq!((slow.stats().misses, slow.megaflows().0), (UPCALLS.into(), UPCALLS.into()));

    // New flows take effect bit by bit too.
    slow.begin_replacing(dpu.now(), Replacement::new(flows("actions=output:3")));
    let mut polls = 0;
    while slow.is_replacing() {
        poll(&mut slow, &mut dpu);
        polls += 1;
    }
    assert!(polls > 10, "{polls} polls");
    for (number, info) in slow.rules().iter().enumerate() {
        assert!(info.program.iter().all(|step| step.outputs & !(1 << 2) == 0), "rule {number}: {info:?}");
    }
}
