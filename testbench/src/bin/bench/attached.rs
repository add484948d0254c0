// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two Linux stacks on two VFs of a served device: how much of what the simulation could carry reaches the other end.

use crate::report::Report;
use anyhow::{Context, Result};
use millrace_live::{Attached, Process, iperf};
use nix::unistd::{SysconfVar, Uid, sysconf};
use std::fs;
use std::time::Instant;

const SECONDS: u32 = 20;
/// Of the bus of the device: bits that a cycle carries.
const BUS_BITS: f64 = 512.0;

pub fn measure(report: &mut Report) -> Result<()> {
    if !Uid::effective().is_root() {
        eprintln!("attached: not measured, network namespaces need root");
        return Ok(());
    }
    let attached = Attached::start("actions=normal\n")?;
    // Addresses are resolved, and rules made.
    iperf(attached.hosts(), 1, &[])?;
    let before = Sample::take(&attached)?;
    let start = Instant::now();
    let tcp = iperf(attached.hosts(), SECONDS, &[])?;
    let seconds = start.elapsed().as_secs_f64();
    let after = Sample::take(&attached)?;
    attached.stop()?;

    let cycles = after.cycles - before.cycles;
    let configuration = "iperf3 TCP, two stacks, vf0 to vf1";
    report.add("attach to attach", configuration, tcp.bits_per_second / 1e6, "Mb/s");
    report.add("attach to attach", "cycles simulated in this run", cycles / seconds, "cycles/s");
    let share = (8 * tcp.bytes) as f64 / (cycles * BUS_BITS);
    report.add("attach to attach", "of 512 bits in each of these cycles", 100.0 * share, "%");
    for (name, before, after) in [
        ("the device", before.device, after.device),
        ("the sender's function", before.sender, after.sender),
        ("the receiver's function", before.receiver, after.receiver),
    ] {
        report.add("attach to attach", format!("processor time of {name}"), 100.0 * (after - before) / seconds, "%");
    }
    Ok(())
}

/// What was used up to now.
struct Sample {
    /// Cycles in which the device's clock ran.
    cycles: f64,
    /// Seconds of processor time.
    device: f64,
    sender: f64,
    receiver: f64,
}

impl Sample {
    fn take(attached: &Attached) -> Result<Self> {
        let cycles = attached.stats()?["clocked_cycles"].as_f64().context("a device counts its cycles")?;
        let [sender, receiver] = attached.functions();
        Ok(Self {
            cycles,
            device: processor_seconds(attached.device())?,
            sender: processor_seconds(sender)?,
            receiver: processor_seconds(receiver)?,
        })
    }
}

/// User and system time (proc_pid_stat(5), fields 14 and 15).
fn processor_seconds(process: &Process) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
    let (_, fields) = stat.rsplit_once(')').context("the name of a process has brackets around it")?;
    // The first of them is field 3.
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("the kernel has ticks")?;
    Ok(ticks / per_second as f64)
}
