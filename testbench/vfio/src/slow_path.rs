// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path of a device whose ECPF is behind VFIO.

use anyhow::{Context, Result, bail, ensure};
use millrace_driver::vfio::{PciAddress, VfioDpu};
use millrace_driver::virtio::{FunctionConfig, FunctionLosses, FunctionPolicy};
use millrace_driver::{Device, discover};
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_regs::Verdict;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Until so many packets were handled by rules.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at the counters: in an emulated guest they take long to read.
const LOOK: Duration = Duration::from_secs(3);
/// Longest sleep, in milliseconds: the slow path has timers.
const NAP_MS: u8 = 50;
const MTU: u16 = 1500;

/// Is a learning switch on the device until rules have handled so many packets; what was counted by then. It makes the file `ready` when the functions have their addresses.
pub fn run(address: PciAddress, packets: u64, ready: &Path) -> Result<String> {
    let mut device = VfioDpu::open(address)?;
    let config = discover(&mut device)?;
    for function in 1..=(config.pfs + config.vfs) as u32 {
        let mac = [2, 0x4d, 0x52, 0, 0, function as u8];
        FunctionConfig { mac, mtu: MTU, link_up: true, features: u64::MAX, policy: FunctionPolicy::default() }
            .set(device.bar(), function)?;
    }
    let ports = Ports::new(config.vports() as u16, config.uplinks as u16);
    let flows = parse_flow_file("switch", "actions=normal\n", ports)?;
    let mut slow_path = SlowPath::new(&mut device, flows, Settings::default())?;
    fs::write(ready, "").with_context(|| format!("cannot write {}", ready.display()))?;
    let end = Instant::now() + PATIENCE;
    let (mut upcalls, mut slept, mut hits, mut look) = (0, 0, 0, Instant::now() + LOOK);
    loop {
        device.poll()?;
        let handled = slow_path.poll(&mut device)?;
        upcalls += handled;
        ensure!(Instant::now() < end, "rules did not handle {packets} packets; {upcalls} were handled here");
        let counted = Instant::now() >= look;
        if counted {
            look = Instant::now() + LOOK;
            hits = self::hits(&mut device, &mut slow_path, config.vports())?;
        }
        if counted && hits >= packets {
            let lost = FunctionLosses::read(device.bar(), 0)?.no_buffer;
            ensure!(lost == 0, "{lost} upcalls found no buffer");
            ensure!(slept > 0 && upcalls > 0, "{slept} times asleep, {upcalls} upcalls");
            device.stop()?;
            return Ok(format!("{hits} packets in hardware, {upcalls} turns of the slow path's"));
        }
        if handled == 0 && !device.upcall_waiting() {
            let mut events = device.descriptors().map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN));
            match poll(&mut events, PollTimeout::from(NAP_MS)) {
                Ok(ready) => slept += u64::from(ready > 0),
                Err(Errno::EINTR) => {}
                Err(error) => bail!("cannot wait for the device: {error}"),
            }
        }
    }
}

/// Packets that rules handled.
fn hits(device: &mut VfioDpu, slow_path: &mut SlowPath, vports: usize) -> Result<u64> {
    let mut hits = 0;
    for vport in 0..vports as u8 {
        hits += slow_path.rules_mut().verdicts(device, vport).context("the counters")?[Verdict::Hit].packets;
    }
    Ok(hits)
}
