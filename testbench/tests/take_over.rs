// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rule manager is killed again and again on the simulated core, with frames going through that its rules match.

use millrace_driver::{
    Device, DeviceError, Image, Others, Placement, RuleError, RuleId, RuleSpec, Rules, Sent, Upcall,
};
use millrace_regs::config::Preset;
use millrace_regs::{Key, Mask, Step};
use millrace_sim::Embedded;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;

/// Where all frames of rules that are there throughout leave, and where those of the others would.
const OUT: usize = 2;
const OTHERS: usize = 3;

const MASK: Mask = Mask { dl_type: 0xffff, dl_dst: 0xffff_ffff_ffff, ..Mask::ZERO };

/// A device, and how many accesses are left to whoever drives it; then none has an effect.
struct Mortal {
    device: Embedded,
    left: Option<u32>,
}

impl Mortal {
    fn dead(&self) -> bool {
        self.left == Some(0)
    }

    fn live(&mut self) -> Result<(), DeviceError> {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        if self.dead() { Err(DeviceError::Backend("the process is no more".into())) } else { Ok(()) }
    }
}

impl Device for Mortal {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.live()?;
        self.device.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.live()?;
        self.device.write32(address, value)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.device.recv_upcall()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.device.send_packet_out(vport, frame)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.device.poll()
    }

    fn now(&self) -> u64 {
        self.device.now()
    }
}

/// A frame to a station; `n` tells it from others.
fn frame(station: u64, n: u32) -> Vec<u8> {
    let mut frame = [&station.to_be_bytes()[2..], &[2, 0, 0, 0, 0, 9], &[0x88, 0xb5]].concat();
    frame.extend(n.to_be_bytes());
    frame.resize(60, 0);
    frame
}

fn to(station: u64, placement: Placement, priority: u16) -> RuleSpec {
    let key = Key { dl_type: 0x88b5, dl_dst: station, ..Key::default() };
    RuleSpec { key, mask: MASK, priority, placement }
}

/// Frames leave first where all are looked for, then somewhere else, or nowhere.
fn program(steps: usize) -> Vec<Step> {
    (0..steps).map(|n| Step::output(if n == 0 { 1 << OUT } else { 0 })).collect()
}

fn start(device: &mut Mortal, image: &Path) -> Result<(Rules, Vec<RuleId>, Vec<RuleId>), DeviceError> {
    let (rules, found) = Rules::with_image(device, Image::open(image).unwrap(), Others::Refuse)?;
    let (kept, others): (Vec<_>, Vec<_>) =
        found.into_iter().map(|found| found.rule).partition(|rule| rule.key.dl_dst < 1 << 16);
    let ids = |rules: Vec<millrace_driver::RuleInfo>| rules.into_iter().map(|rule| rule.id).collect();
    Ok((rules, ids(kept), ids(others)))
}

/// Changes rules in all ways until the manager is killed.
fn until_killed(
    device: &mut Mortal,
    rules: &mut Rules,
    kept: &[RuleId],
    mut others: Vec<RuleId>,
    rng: &mut ChaCha8Rng,
) {
    while !device.dead() {
        let any = |of: &[RuleId], rng: &mut ChaCha8Rng| of[rng.random_range(0..of.len())];
        let failed = match rng.random_range(0..6) {
            0 => rules.update(device, any(kept, rng), &program(rng.random_range(1..4))).err(),
            1 => rules.set_priority(device, any(kept, rng), rng.random_range(1..9)).err(),
            2 if !others.is_empty() => {
                let other = others.swap_remove(rng.random_range(0..others.len()));
                rules.delete(device, other).err()
            }
            _ => {
                let placement = if rng.random_ratio(1, 5) { Placement::Tcam } else { Placement::Hash };
                let spec = to(1 << 16 | rng.random_range(0..1 << 16), placement, 1);
                match rules.insert(device, &spec, &[Step::output(1 << OTHERS)]) {
                    Ok(rule) => {
                        others.push(rule);
                        None
                    }
                    Err(error) => Some(error),
                }
            }
        };
        // Tables and steps may be full.
        assert!(device.dead() || !matches!(failed, Some(RuleError::Device(_))), "{failed:?}");
    }
}

#[test]
fn frames_of_rules_do_not_notice_that_their_manager_is_killed() {
    for preset in Preset::SIMULATED {
        let mut rng = ChaCha8Rng::seed_from_u64(preset as u64);
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("image");
        let mut device = Mortal { device: Embedded::new(preset).unwrap(), left: None };
        let (mut rules, mut kept, mut others) = start(&mut device, &image).unwrap();
        let table = rules.tables().next().unwrap().capacity;
        // So many that rules move when others come, if the tables are small.
        let stations = (table * 85 / 100).min(240) as u64;
        for station in 0..stations {
            let placement = if station < 4 { Placement::Tcam } else { Placement::Hash };
            kept.push(rules.insert(&mut device, &to(station, placement, 1), &program(1)).unwrap());
        }
        let mut sent = vec![];
        let mut killed_again = 0;
        for _ in 0..60 {
            for _ in 0..40 {
                let frame = frame(rng.random_range(0..stations), sent.len() as u32);
                device.device.simulation().send(0, frame.clone());
                sent.push(frame);
            }
            device.left = Some(rng.random_range(1..250));
            until_killed(&mut device, &mut rules, &kept, others, &mut rng);
            // A file has one user at a time.
            drop(rules);
            device.left = rng.random_ratio(1, 3).then(|| rng.random_range(1..100));
            (rules, kept, others) = start(&mut device, &image).unwrap_or_else(|error| {
                assert!(device.dead(), "{error}");
                killed_again += 1;
                device.left = None;
                start(&mut device, &image).unwrap()
            });
            device.left = None;
            assert_eq!(kept.len() as u64, stations);
        }
        assert_eq!(rules.take_events(&mut device).unwrap(), 0);
        let simulation = device.device.simulation();
        assert!(simulation.run_until_idle(1_000_000), "the core does not come to rest");
        let received: Vec<_> = std::iter::from_fn(|| simulation.recv(OUT)).map(|received| received.frame).collect();
        println!("preset {preset}: {stations} rules, {} others, killed 60 + {killed_again} times", others.len());
        assert_eq!((device.recv_upcall(), received.len()), (None, sent.len()));
        assert!(received == sent, "frames overtook others");
    }
}
