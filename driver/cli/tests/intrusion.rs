// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host with root against DPU mode: whatever it tries with its functions, it reaches no rule, counter or representor, and a rule that drops what its malware sends
//! goes on to drop it. In NIC mode the same attempts do reach them, so that they are known to be worth something.

// Each test uses some of it.
#[allow(dead_code)]
mod common;

use common::{Device, Folder, PATIENCE, between, receive};
use millrace_driver::vfio_user::{Mode, VfioUserDpu, VfioUserNet};
use millrace_driver::virtio::{Settings, VirtioPci};
use millrace_driver::{Device as _, discover};
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::slowpath::{self, SlowPath};
use millrace_regs::host::{
    COMMON, FUNCTION, FUNCTION_BAD_OFFLOAD, FUNCTION_FAULT, FUNCTION_NO_BUFFER, FUNCTION_REFUSED, FUNCTION_REGISTERS,
    FUNCTION_STATE, NOTIFY, common as fields, status,
};
use millrace_regs::{Verdict, addr, instances};
use millrace_vfio_user::{Client, ClientError, DmaAccess, Space};
use std::time::{Duration, Instant};

/// Accesses of a function in one go.
const TRIES: u32 = 500;
/// Of a configuration space: the command register, and where BAR, offset, length and data of virtio's window lie (virtio 4.1.4.9).
const COMMAND: u64 = 0x04;
const WINDOW: u64 = 0xd8;
/// Where the capability SR-IOV lies: whoever takes VFs away takes their drivers' connections away, too.
const SRIOV: std::ops::Range<u64> = 0x110..0x150;
/// Functions and vports of the host's.
const PF: u8 = 2;
const VF0: u8 = 3;
const VF1: u8 = 4;

/// What vf0 sends to station 66 is dropped; the rest goes across.
const FLOWS: &str = "priority=9,in_port=vf0,dl_dst=02:00:00:00:00:42,actions=drop\n\
    priority=1,in_port=vf0,actions=output:vf1\npriority=1,in_port=vf1,actions=output:vf0\n";

/// The finaliser of MurmurHash3: numbers without a pattern.
fn mix(mut n: u32) -> u32 {
    n = (n ^ n >> 16).wrapping_mul(0x85eb_ca6b);
    n = (n ^ n >> 13).wrapping_mul(0xc2b2_ae35);
    n ^ n >> 16
}

fn serve<'a>(folder: &'a Folder, args: &[&str]) -> Device<'a> {
    let all = [&["serve", "--sockets", "dpu", "--vfs", "2"][..], args].concat();
    let device = Device::spawn(folder, &mut folder.command(&all));
    device.wait_until(|| folder.path("dpu/vf1.sock").exists());
    device
}

/// All that the ECPF reads of its own and has set of others, but what counts frames if there is `traffic`.
fn of_ecpf(dpu: &mut VfioUserDpu, traffic: bool) -> Vec<(String, u32)> {
    let config = discover(dpu).unwrap();
    let mut found = vec![];
    let counts = ["QUEUE_PACKETS_LO", "QUEUE_PACKETS_HI", "QUEUE_BYTES_LO", "QUEUE_BYTES_HI"];
    // What the slow path works with, and frames that were lost while they were read count as well.
    let at_work =
        ["DATA", "INDEX", "AGE_EPOCH", "COUNTER_PACKETS_LO", "COUNTER_BYTES_LO", "COUNTER_EPOCH", "COUNTER_FLAGS"];
    let read = ["MATCHED", "ACTED"];
    for register in instances(config.vports() as u32) {
        let name = register.register.name;
        if !read.contains(&name) && (!traffic || !counts.contains(&name) && !at_work.contains(&name)) {
            found.push((register.to_string(), dpu.read32(register.address).unwrap()));
        }
    }
    // What a function's own driver and its frames do is there to be seen.
    let others = [FUNCTION_STATE, FUNCTION_FAULT, FUNCTION_NO_BUFFER, FUNCTION_BAD_OFFLOAD, FUNCTION_REFUSED];
    for function in 0..config.functions() as u32 {
        for register in FUNCTION_REGISTERS.iter().filter(|register| !others.contains(register)) {
            let value = dpu.bar().read32(FUNCTION.at(function) + register.offset).unwrap();
            found.push((format!("{} of {function}", register.name), value));
        }
    }
    for queue in 0..2 * config.vports() as u16 {
        dpu.bar().write16(COMMON.offset + fields::QUEUE_SELECT.offset, queue).unwrap();
        for word in (COMMON.offset..COMMON.offset + COMMON.bytes).step_by(4) {
            found.push((format!("{word:#x} of virtqueue {queue}"), dpu.bar().read32(word).unwrap()));
        }
    }
    found
}

/// Where the ECPF has its rings: device addresses.
fn rings_of_ecpf(dpu: &mut VfioUserDpu) -> Vec<u64> {
    let mut rings = vec![];
    for queue in 0..8 {
        dpu.bar().write16(COMMON.offset + fields::QUEUE_SELECT.offset, queue).unwrap();
        for field in [fields::QUEUE_DESC, fields::QUEUE_DRIVER, fields::QUEUE_DEVICE] {
            let [low, high] = [0, 4].map(|word| dpu.bar().read32(COMMON.offset + field.offset + word).unwrap());
            rings.push(u64::from(high) << 32 | u64::from(low));
        }
    }
    assert!(rings.iter().all(|address| *address != 0));
    rings
}

/// What was tried, and what of it reached something.
#[derive(Default)]
struct Attempts {
    tried: u32,
    rounds: u32,
    reached: Vec<String>,
}

/// The driver of a function, that wants more than is its own.
struct Intruder<'a> {
    client: Client,
    name: &'a str,
    /// Addresses that are worth a try.
    targets: &'a [u64],
    /// It leaves the VFs to their drivers.
    spares_vfs: bool,
    seed: u32,
    attempts: &'a mut Attempts,
}

impl<'a> Intruder<'a> {
    fn at(folder: &Folder, name: &'a str, targets: &'a [u64], spares_vfs: bool, attempts: &'a mut Attempts) -> Self {
        let client = Client::connect(folder.path("dpu").join(name)).unwrap();
        attempts.rounds += 1;
        let seed = attempts.rounds * 0x1_0000;
        Self { client, name, targets, spares_vfs, seed, attempts }
    }

    /// What there is at a place, or none if the function has no such place; or writes there.
    fn access(&mut self, space: Space, offset: u64, width: usize, write: Option<u64>) -> Option<Vec<u8>> {
        self.attempts.tried += 1;
        let mut bytes = vec![0; width];
        let done = match write {
            Some(value) => self.client.write(space, offset, &value.to_le_bytes()[..width]),
            None => self.client.read(space, offset, &mut bytes),
        };
        match done {
            Ok(()) => Some(bytes),
            Err(ClientError::Refused { .. }) => None,
            Err(error) => panic!("{space:?} at {offset:#x}: {error}"),
        }
    }

    /// A place of the switch gives something.
    fn check(&mut self, place: impl FnOnce() -> String, read: Option<Vec<u8>>) {
        if let Some(read) = read.filter(|read| read.iter().any(|byte| *byte != 0xff)) {
            self.attempts.reached.push(format!("{} reads {read:x?} at {}", self.name, place()));
        }
    }

    /// Tries all that there is, and what there is not.
    fn intrude(&mut self) {
        let seed = self.seed;
        let random = |n: u32, i: u32| mix(mix(seed.wrapping_add(n)) ^ i << 24);
        let end = self.attempts.tried + TRIES;
        let mut n = 0;
        while self.attempts.tried < end {
            n += 1;
            self.access(Space::Config, COMMAND, 2, Some(6));
            let value = u64::from(random(n, 0)) << 32 | u64::from(random(n, 7));
            let write = (random(n, 1) & 1 == 1).then_some(value);
            let width = [1, 2, 4, 4, 4, 8, 8, 3][random(n, 8) as usize % 8];
            let offset = match random(n, 2) % 5 {
                // Registers of the core, those of functions, common configuration, notifications, anything.
                0 => random(n, 3) % 0x1400,
                1 => FUNCTION.offset + random(n, 3) % 0x400,
                2 => random(n, 3) % 0x40,
                3 => 0x1_0000 + random(n, 3) % 0x8000,
                _ => random(n, 3),
            };
            let odd = random(n, 9).is_multiple_of(16);
            let offset = u64::from(if odd { offset } else { offset & !(width as u32 - 1) & !3 });
            match random(n, 4) % 8 {
                0 | 1 => {
                    let foreign = u64::from(FUNCTION.offset)..u64::from(FUNCTION.offset) + 0x400;
                    let offset = offset % (1 << 24);
                    let read = self.access(Space::Bar(0), offset, width, write);
                    if write.is_none() && foreign.contains(&offset) && foreign.contains(&(offset + width as u64 - 1)) {
                        self.check(|| format!("{offset:#x}"), read);
                    }
                }
                2 | 3 => {
                    let bar = [2, 2, 2, 4, 1, 3, 5][random(n, 5) as usize % 7];
                    let read = self.access(Space::Bar(bar), offset, width, write);
                    if write.is_none() {
                        self.check(|| format!("{offset:#x} of BAR {bar}"), read);
                    }
                }
                4 => self.through_window(offset as u32 & !3, value as u32, &random, n),
                5 | 6 => {
                    let offset = offset % 0x1000;
                    let meets = |range: &std::ops::Range<u64>| offset + 8 > range.start && offset < range.end;
                    // The window is tried above, with an offset that is known.
                    let left_out = meets(&(WINDOW..WINDOW + 20)) || self.spares_vfs && meets(&SRIOV);
                    if !left_out {
                        self.access(Space::Config, offset, width, write);
                    }
                }
                _ => match random(n, 5) % 8 {
                    0 => {
                        self.attempts.tried += 1;
                        self.client.reset().unwrap();
                    }
                    1 => {
                        // Function-level reset, at Device Control of the capability PCI Express, wherever it is.
                        self.access(Space::Config, u64::from(0x40 + random(n, 6) % 0x90) & !3, 4, Some(1 << 15));
                    }
                    _ => self.point_rings(&random, n),
                },
            }
        }
    }

    /// Behind the function's block, and in other BARs, through the window of its configuration space.
    fn through_window(&mut self, offset: u32, value: u32, random: &impl Fn(u32, u32) -> u32, n: u32) {
        let bar = [0, 0, 1, 2, 4, 5][random(n, 5) as usize % 6];
        let far = offset | if bar == 0 { 1 << (24 + random(n, 6) % 8) } else { 0 };
        for (at, width, what) in [(4, 1, bar), (8, 4, far), (12, 4, 4), (16, 4, value)] {
            self.access(Space::Config, WINDOW + at, width, Some(what.into()));
        }
        let read = self.access(Space::Config, WINDOW + 16, 4, None);
        // What was written stays where nothing answers.
        let read = read.filter(|read| *read != value.to_le_bytes());
        self.check(|| format!("{far:#x} of BAR {bar} through the window"), read);
    }

    /// Brings virtqueues up whose rings and buffers are where the ECPF's are, or anywhere.
    fn point_rings(&mut self, random: &impl Fn(u32, u32) -> u32, n: u32) {
        let bar = Space::Bar(0);
        let target = |i: u32| match random(n, 16 + i) % 4 {
            0 => u64::from(random(n, 32 + i)) << 32 | u64::from(random(n, 48 + i)),
            _ => self.targets[random(n, 32 + i) as usize % self.targets.len()],
        };
        let targets: Vec<u64> = (0..10).map(target).collect();
        // Rings of its own, with chains that lead elsewhere.
        let own = 0x7_0000_0000;
        let mut memory = vec![0; 0x3000];
        for (i, target) in targets.iter().take(4).enumerate() {
            memory[16 * i..][..8].copy_from_slice(&target.to_le_bytes());
            memory[16 * i + 8..][..4].copy_from_slice(&2048_u32.to_le_bytes());
            // Of transmitqs the device reads, of receiveqs it writes.
            memory[16 * i + 12] = (random(n, 5) & 2) as u8;
            memory[0x1004 + 2 * i] = i as u8;
        }
        memory[0x1002] = 4;
        self.client.serve(memory, own, DmaAccess::ReadWrite).unwrap();
        self.write_common(fields::DEVICE_STATUS.offset, 1, 0_u8);
        for _ in 0..1000 {
            if self.access(bar, fields::DEVICE_STATUS.offset.into(), 1, None) == Some(vec![0]) {
                break;
            }
        }
        self.write_common(fields::DEVICE_STATUS.offset, 1, status::ACKNOWLEDGE | status::DRIVER);
        for (select, features) in [(0_u32, 0_u32), (1, 3)] {
            self.write_common(fields::DRIVER_FEATURE_SELECT.offset, 4, select);
            self.write_common(fields::DRIVER_FEATURE.offset, 4, features);
        }
        self.write_common(fields::DEVICE_STATUS.offset, 1, 3 | status::FEATURES_OK);
        for queue in 0..3_u32 {
            self.write_common(fields::QUEUE_SELECT.offset, 2, queue);
            self.write_common(fields::QUEUE_SIZE.offset, 2, 256_u32);
            for (i, field) in [fields::QUEUE_DESC, fields::QUEUE_DRIVER, fields::QUEUE_DEVICE].into_iter().enumerate() {
                let at = if random(n, 5) & 1 == 0 { own + 0x1000 * i as u64 } else { targets[4 + i] };
                self.write_common(field.offset, 4, at as u32);
                self.write_common(field.offset + 4, 4, (at >> 32) as u32);
            }
            self.write_common(fields::QUEUE_ENABLE.offset, 2, 1_u32);
        }
        self.write_common(fields::DEVICE_STATUS.offset, 1, 3 | status::FEATURES_OK | status::DRIVER_OK);
        for queue in 0..3 {
            self.access(bar, NOTIFY.at(queue).into(), 2, Some(queue.into()));
        }
        self.client.attend(Duration::from_millis(2)).unwrap();
        self.client.unmap_all().unwrap();
    }

    fn write_common(&mut self, field: u32, width: usize, value: impl Into<u64>) {
        self.access(Space::Bar(0), u64::from(COMMON.offset + field), width, Some(value.into()));
    }
}

/// Lets the slow path work until something is done, and nothing is left to do.
fn work_until(slow: &mut SlowPath, dpu: &mut VfioUserDpu, done: impl Fn(&SlowPath) -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done(slow) {
        assert!(Instant::now() < end, "the slow path gets nothing to do");
        settle(slow, dpu);
    }
    settle(slow, dpu);
}

/// Lets the slow path work until nothing is left to do, as far as has come to it.
fn settle(slow: &mut SlowPath, dpu: &mut VfioUserDpu) {
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(20) {
        dpu.poll().unwrap();
        if slow.poll(dpu).unwrap() + slow.waiting() > 0 {
            quiet = Instant::now();
        }
    }
}

fn attach(folder: &Folder, device: &Device, name: &str) -> VfioUserNet {
    let path = folder.path("dpu").join(name);
    device.wait_until(|| path.exists());
    VfioUserNet::connect(&path, Settings::default()).unwrap()
}

fn send(net: &mut VfioUserNet, frame: &[u8]) {
    net.net().reclaim(0).unwrap();
    assert_eq!(net.net().send(0, [frame]).unwrap(), 1);
}

/// The malware sends, and somebody else does: only that arrives.
fn outbreak(a: &mut VfioUserNet, b: &mut VfioUserNet, id: u8) -> u64 {
    for n in 0..4 {
        send(a, &between(1, 0x42, n));
    }
    send(a, &between(1, 2, id));
    assert_eq!(receive(b), [between(1, 2, id)]);
    4
}

/// What became of the frames of each vport.
fn verdicts(slow: &mut SlowPath, dpu: &mut VfioUserDpu) -> Vec<(u8, Verdict, u64)> {
    let mut all = vec![];
    for vport in 0..=11 {
        let verdicts = slow.rules_mut().verdicts(dpu, vport).unwrap();
        all.extend(verdicts.iter().map(|(verdict, count)| (vport, verdict, count.packets)));
    }
    all
}

/// Frames of vf0 that rules dropped.
fn dropped(slow: &mut SlowPath, dpu: &mut VfioUserDpu) -> u64 {
    verdicts(slow, dpu).into_iter().find(|of| (of.0, of.1) == (VF0, Verdict::DropRule)).unwrap().2
}

#[test]
fn a_host_with_root_reaches_nothing_of_the_switch_in_dpu_mode_and_its_malware_stays_dropped() {
    let folder = Folder::new();
    let device = serve(&folder, &[]);
    let (mut dpu, mode) = VfioUserDpu::open(&folder.path("dpu")).unwrap();
    assert_eq!(mode, Mode::Dpu);
    dpu.write32(addr::SCRATCH, 0x1234_5678).unwrap();
    let flows = parse_flow_file("flows", FLOWS, Ports::sim()).unwrap();
    let mut slow = SlowPath::new(&mut dpu, flows, slowpath::Settings::default()).unwrap();
    let targets = rings_of_ecpf(&mut dpu);
    let mut attempts = Attempts::default();

    // Rules for the malware and for the others.
    let mut a = attach(&folder, &device, "vf0.sock");
    let mut b = attach(&folder, &device, "vf1.sock");
    for (rules, frame) in (1..).zip([between(1, 0x42, 0), between(1, 2, 0)]) {
        send(&mut a, &frame);
        work_until(&mut slow, &mut dpu, |slow| slow.rules().len() == rules);
    }
    assert_eq!(receive(&mut b), [between(1, 2, 0)]);
    assert_eq!(slow.rules().len(), 2);
    let (first, mut sent) = (dropped(&mut slow, &mut dpu), 0);
    let rules =
        |slow: &SlowPath| slow.rules().iter().map(|rule| (rule.key, rule.mask, rule.program)).collect::<Vec<_>>();
    let (known, before) = (rules(&slow), of_ecpf(&mut dpu, true));
    // The slow path is not asked again: what follows is the hardware's alone.

    // The host's root has the PF, while its guest's malware sends.
    for round in 0..8 {
        Intruder::at(&folder, "pf.sock", &targets, true, &mut attempts).intrude();
        sent += outbreak(&mut a, &mut b, round);
        assert_eq!(of_ecpf(&mut dpu, true), before, "the PF changed it");
    }
    // It takes the guest's driver away, and drives the VF itself; the driver comes back, and the malware.
    for round in 8..16 {
        drop(a);
        Intruder::at(&folder, "vf0.sock", &targets, false, &mut attempts).intrude();
        assert_eq!(of_ecpf(&mut dpu, true), before, "vf0 changed it");
        a = attach(&folder, &device, "vf0.sock");
        sent += outbreak(&mut a, &mut b, round);
    }
    // It takes all VFs away and gives them back.
    drop((a, b));
    for _ in 0..4 {
        for (name, own) in [("pf.sock", PF), ("vf0.sock", VF0), ("vf1.sock", VF1)] {
            device.wait_until(|| folder.path("dpu").join(name).exists());
            let counted = verdicts(&mut slow, &mut dpu);
            let at_rest = of_ecpf(&mut dpu, false);
            Intruder::at(&folder, name, &targets, false, &mut attempts).intrude();
            let after = of_ecpf(&mut dpu, false);
            for (before, after) in at_rest.iter().zip(&after) {
                assert_eq!(before, after, "{name} changed it, counters too");
            }
            // Frames whose read failed have not got anywhere, and count.
            for (before, after) in counted.into_iter().zip(verdicts(&mut slow, &mut dpu)) {
                let lost = (after.0, after.1) == (own, Verdict::DropRxError) && after.2 > before.2;
                assert!(before == after || lost, "{name}: {before:?}, {after:?}");
            }
        }
    }
    let mut b = attach(&folder, &device, "vf1.sock");
    let mut a = attach(&folder, &device, "vf0.sock");
    sent += outbreak(&mut a, &mut b, 99);

    assert_eq!(dropped(&mut slow, &mut dpu) - first, sent, "all that the malware sent");
    assert_eq!(rules(&slow), known);
    println!("{} accesses tried by the host in DPU mode, {} reached", attempts.tried, attempts.reached.len());
    assert_eq!(attempts.reached, [""; 0]);
    assert!(attempts.tried >= 10_000, "{}", attempts.tried);

    // The representors still are the ECPF's: a new flow finds its slow path, and it sends.
    send(&mut b, &between(2, 1, 7));
    work_until(&mut slow, &mut dpu, |slow| slow.stats().misses > 2);
    assert_eq!(receive(&mut a), [between(2, 1, 7)]);
    let own = slow.stats().misses;
    assert_eq!(own, 3, "nobody else's frames came there");
    assert!(slow.dropped(VF1).total() == 0 && slow.stats().dropped.total() == 1);
    dpu.stop().unwrap();
    device.stop();
}

#[test]
fn the_same_attempts_of_the_pf_do_reach_the_switch_in_nic_mode() {
    let folder = Folder::new();
    let device = serve(&folder, &["--mode", "nic"]);
    let look = || {
        let (mut dpu, mode) = VfioUserDpu::open(&folder.path("dpu")).unwrap();
        assert_eq!(mode, Mode::Nic);
        of_ecpf(&mut dpu, false)
    };
    let before = look();
    let mut attempts = Attempts::default();
    while attempts.tried < 10_000 {
        Intruder::at(&folder, "pf.sock", &[1 << 32], true, &mut attempts).intrude();
    }
    let changed = before.iter().zip(&look()).filter(|(before, after)| before != after).count();
    println!(
        "{} accesses tried by the PF in NIC mode, {} reached, {changed} registers changed",
        attempts.tried,
        attempts.reached.len()
    );
    assert!(attempts.reached.len() > 10 && changed > 0, "{} {changed}", attempts.reached.len());
    // A VF has no more in this mode than in the other.
    let mut of_vf = Attempts::default();
    Intruder::at(&folder, "vf0.sock", &[1 << 32], false, &mut of_vf).intrude();
    assert_eq!(of_vf.reached, [""; 0]);
    device.stop();
}
