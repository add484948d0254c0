// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two Linux stacks through the simulated DPU.

use crate::report::Report;
use anyhow::Result;
use millrace_live::{Live, iperf};
use nix::unistd::Uid;
use std::path::Path;

const SECONDS: u32 = 5;

pub fn measure(report: &mut Report) -> Result<()> {
    if !Uid::effective().is_root() {
        eprintln!("taps: not measured, network namespaces need root");
        return Ok(());
    }
    let live = Live::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/demo.flows"))?;
    let tcp = iperf(live.hosts(), SECONDS, &[])?;
    report.add("TAP to TAP", "iperf3 TCP, two stacks", tcp.bits_per_second / 1e9, "Gb/s");
    let udp = iperf(live.hosts(), SECONDS, &["-u", "-b", "0", "-l", "64"])?;
    let packets = udp.bits_per_second / 8.0 / 64.0;
    report.add(
        "TAP to TAP",
        format!("iperf3 UDP, 64-byte payloads, {:.0} % lost", udp.lost_percent),
        packets,
        "packets/s",
    );
    live.stop()?;
    Ok(())
}
