// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF handed through to the slow path, in a guest with an IOMMU: a DPU's own processor, but for its kind (which scenario `arm` has).

use super::bench::Bench;
use super::dpu::Dpu;
use super::guest::{Board, Guest, Machine};
use super::network::Network;
use super::scenarios::Outcome;
use super::traffic::{self, address, ping};
use super::vfio::{PROGRAM, bind, initramfs_with_checks};
use anyhow::{Context, Result, ensure};

/// Packets that rules handle before the slow path goes.
const PACKETS: u32 = 60;
const PINGS: u32 = 50;
/// Those that the slow path gives `vf0` and `vf1`, behind the PF's.
const MACS: [&str; 2] = ["02:4d:52:00:00:02", "02:4d:52:00:00:03"];
/// A file in the guest.
const READY: &str = "/tmp/ready";

/// The slow path in a guest of its own, and stock guests on `vf0` and `vf1`.
pub fn ecpf(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU has no ECPF"));
    }
    let initramfs = initramfs_with_checks(bench)?;
    let network = Network::Dpu(Dpu::start_without_slow_path(bench, "dpu")?);
    let machine = Machine { board: Board::PcWithIommu, ..Machine::stock(bench.install, &initramfs) };
    let mut arm = Guest::start_as(bench, "ecpf", &machine, &[network.nic("ecpf")])?;
    let peers = ["vf0", "vf1"].map(|function| Guest::start(bench, function, &[network.nic(function)]));
    let [a, b] = peers;
    let (mut a, mut b) = (a?, b?);
    for guest in [&mut arm, &mut a, &mut b] {
        guest.wait_until_ready()?;
    }
    let function = arm.run("cd /sys/bus/pci/devices && grep -l 0x10f0 */device")?;
    let function = function.trim().strip_suffix("/device").context("the guest has no ECPF")?;
    bind(&mut arm, function)?;
    // Until it is ready the peers have no address, which their drivers look for at their start.
    let slow_path = arm.start_job(&format!("{PROGRAM} slow-path {function} {PACKETS} {READY}"))?;
    arm.run(&format!("until [ -e {READY} ]; do usleep 20000; done")).context("the slow path does not start")?;
    traffic::up(&mut a, &address("vf0"))?;
    traffic::up(&mut b, &address("vf1"))?;
    // Questions for addresses go to all, which is the slow path's to do: they would end with it.
    a.run(&format!("arp -s {} {}", address("vf1"), MACS[1]))?;
    b.run(&format!("arp -s {} {}", address("vf0"), MACS[0]))?;
    let traffic = traffic::keep_pinging(&mut a, &address("vf1"))?;
    let ended = arm.end_of(&slow_path)?;
    ensure!(ended.code == 0, "the slow path ended with {}:\n{}", ended.code, ended.output.trim_end());
    // Its rules stay.
    ping(&mut b, &address("vf0"), PINGS, 56)?;
    traffic::stop_pinging(&mut a, &traffic)?;
    bench.finish(network, [arm, a, b])?;
    Ok(Outcome::Passed(ended.output.trim_end().to_owned()))
}
