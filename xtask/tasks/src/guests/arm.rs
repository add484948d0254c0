// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path on the card's own Arm core: DPU-OS, in a guest of that kind, has the ECPF. Its firmware is killed under traffic.

use super::bench::Bench;
use super::dpu::Dpu;
use super::guest::{Guest, Machine};
use super::install::Group;
use super::network::Network;
use super::scenarios::Outcome;
use super::traffic::{self, address, ping};
use crate::architecture::Architecture;
use crate::dpu_os::{self, Variant};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;

pub const EMULATOR: Group =
    Group { name: "arm", packages: &[("qemu-system-arm", "runs guests with Arm cores")], spared: &["adduser"] };
const PROFILE: &str = "minimal";
/// Takes our commands, as in other guests.
pub const AGENT: (&str, &[u8]) = ("agent", include_bytes!("agent"));
/// Those of `vf0` and `vf1`: the VFs follow the PF, which has that of the firmware's default.
const MACS: [&str; 2] = ["02:4d:52:00:00:01", "02:4d:52:00:00:02"];
const PINGS: u32 = 20;
/// How often the firmware is killed.
const KILLS: usize = 3;
const MANY_KILLS: usize = 100;
/// Echoes that are answered before and behind that.
const AROUND: u32 = 30;
/// Files in the guest.
const CONTROL: &str = "/run/millrace.sock";
const LOG: &str = "/run/firmware.log";

/// DPU-OS in a guest with an Arm core, and stock guests on `vf0` and `vf1`.
pub fn arm(bench: &Bench) -> Result<Outcome> {
    with_kills(bench, KILLS)
}

/// The same for longer.
pub fn restarts(bench: &Bench) -> Result<Outcome> {
    with_kills(bench, MANY_KILLS)
}

fn with_kills(bench: &Bench, kills: usize) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU has no ECPF"));
    }
    bench.install.add(&EMULATOR)?;
    let image = dpu_os::build(Variant::plain(PROFILE), Architecture::Aarch64, &[AGENT], &[])?;
    let network = Network::Dpu(Dpu::start_without_slow_path(bench, "dpu")?);
    let mut card = Guest::start_as(bench, "card", &Machine::card(&image), &[network.nic("ecpf")])?;
    card.wait_until_ready()?;
    wait_for_firmware(&mut card, "")?;
    let [mut a, mut b] = bench.guests(&network, ["vf0", "vf1"])?;
    // Questions for addresses go to all, which is the slow path's to do: they would be lost without it.
    a.run(&format!("arp -s {} {}", address("vf1"), MACS[1]))?;
    b.run(&format!("arp -s {} {}", address("vf0"), MACS[0]))?;
    ping(&mut a, &address("vf1"), PINGS, 56)?;
    ping(&mut b, &address("vf0"), PINGS, 56)?;
    let rules = format!("millrace rules --control {CONTROL} | grep -c offloaded:yes");
    card.run(&format!("until [ $({rules}) -ge 2 ]; do usleep 50000; done"))
        .context("no rules come into the hardware")?;
    let mut pings = 0;
    for _ in 0..kills {
        let traffic = traffic::count_pings(&mut a, &address("vf1"))?;
        traffic.wait_for(&mut a, AROUND)?;
        let process = process(&mut card)?;
        card.run(&format!("kill -KILL {process}"))?;
        wait_for_firmware(&mut card, &process)?;
        let said = card.run(&format!("cat {LOG}"))?;
        ensure!(said.contains("are taken over"), "the firmware found no rules: {said}");
        traffic.wait_for(&mut a, AROUND)?;
        pings += traffic.end(&mut a)?;
        // A flow that has no rule needs the slow path.
        b.run(&format!("arping -c 1 -w 20 -I eth0 {}", address("vf0"))).context("after the firmware was killed")?;
    }
    let stats: Value = serde_json::from_str(&card.run(&format!("millrace stats --json --control {CONTROL}"))?)?;
    fs::write(bench.log("card.stats.json"), stats.to_string())?;
    let lost =
        stats["slow_path"]["upcalls_no_buffer"].as_u64().context("the statistics do not tell of lost upcalls")?;
    let free = card.run("awk '/^MemTotal/ { t = $2 } /^MemAvailable/ { print t - $2 }' /proc/meminfo")?;
    bench.finish(network, [card, a, b])?;
    Ok(Outcome::Passed(format!(
        "killed {kills} times, none of {pings} pings lost, {lost} upcalls lost; DPU-OS uses {} KiB of memory",
        free.trim()
    )))
}

/// The firmware's process.
fn process(card: &mut Guest) -> Result<String> {
    Ok(card.run("pidof millrace")?.trim().to_owned())
}

/// Waits until the firmware is at work, in another process than `before`.
pub fn wait_for_firmware(card: &mut Guest, before: &str) -> Result<()> {
    let ready = format!("p=$(pidof millrace) && [ \"$p\" != '{before}' ] && grep -q ^ready {LOG}");
    let wait = format!("for i in $(seq 400); do {ready} && exit; usleep 100000; done; cat {LOG}*; exit 1");
    card.run(&wait).map(drop).context("the firmware does not start")
}
