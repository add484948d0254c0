// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask demo`: two Linux network stacks talk through the simulated DPU. As root they are live, in two network
//! namespaces; otherwise what they once said is replayed from captures.

use anyhow::{Context, Result};
use clap::Parser;
use millrace_live::{Dpu, Live, iperf, ping};
use millrace_sim::CYCLE_NS;
use nix::unistd::Uid;
use pcap_file::pcap::PcapReader;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

/// Two network stacks through the simulated DPU: ping, iperf3, then the flow table and the share of the hardware.
#[derive(Parser)]
#[command(bin_name = "cargo xtask demo --")]
struct Arguments {
    /// Seconds that each iperf3 run lasts
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// Replay the captures even if live stacks are possible
    #[arg(long)]
    replay: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../captures");
    if arguments.replay {
        println!("Replaying what two Linux stacks, 10.0.0.1 on vf0 and 10.0.0.2 on vf1, once said.");
        return replay(&captures);
    }
    if !Uid::effective().is_root() {
        println!(
            "Replaying what two Linux stacks, 10.0.0.1 on vf0 and 10.0.0.2 on vf1, once said: live ones need root."
        );
        return replay(&captures);
    }
    match Live::start(&captures.join("demo.flows")) {
        Ok(stacks) => live(stacks, arguments.seconds),
        // Root of a container may not make network namespaces or TAP devices.
        Err(error) => {
            println!(
                "Live Linux stacks are not possible here: {error:#}\nReplaying what two of them once said instead."
            );
            replay(&captures)
        }
    }
}

fn live(live: Live, seconds: u32) -> Result<()> {
    println!("Two Linux stacks, 10.0.0.1 on vf0 and 10.0.0.2 on vf1, joined by the simulated DPU.");
    println!("\n$ ping -c 5 10.0.0.2\n{}", ping(live.hosts(), 5)?);
    let tcp = iperf(live.hosts(), seconds, &[])?;
    println!("\n$ iperf3 -c 10.0.0.2 -t {seconds}\n{:.1} Mbit/s", tcp.bits_per_second / 1e6);
    let udp = iperf(live.hosts(), seconds, &["-u", "-b", "20M", "-l", "1400"])?;
    println!("\n$ iperf3 -u -b 20M -c 10.0.0.2 -t {seconds}");
    println!("{:.1} Mbit/s, {:.2} % lost", udp.bits_per_second / 1e6, udp.lost_percent);
    println!("\n$ millrace rules\n{}", live.query(&["rules"])?.trim_end());
    summary(&live.stop()?)
}

fn replay(captures: &Path) -> Result<()> {
    let mut arguments = vec!["--hold".into(), "--pace".into(), "capture".into()];
    let mut packets = 0;
    for port in ["vf0", "vf1"] {
        let capture = captures.join(format!("demo-{port}.pcap"));
        packets += packets_of(&capture)?;
        arguments.extend(["--in".into(), format!("{port}={}", capture.display())]);
    }
    let dpu = Dpu::start(&captures.join("demo.flows"), arguments)?;
    while received(&serde_json::from_str(&dpu.query(&["stats", "--json"])?)?) < packets {
        sleep(Duration::from_millis(50));
    }
    println!("\n$ millrace rules\n{}", dpu.query(&["rules"])?.trim_end());
    summary(&dpu.stop()?)
}

fn packets_of(capture: &Path) -> Result<u64> {
    let mut reader = PcapReader::new(File::open(capture)?)?;
    let mut packets = 0;
    while reader.next_packet().transpose()?.is_some() {
        packets += 1;
    }
    Ok(packets)
}

/// Packets that entered at all ports.
fn received(stats: &Value) -> u64 {
    let ports = stats["ports"].as_object().into_iter().flatten();
    ports.filter_map(|(_, counts)| counts["in"]["packets"].as_u64()).sum()
}

/// Packets that entered at a port and were put out nowhere.
fn dropped(counts: &Value) -> u64 {
    let places = counts["dropped"].as_object().into_iter().flatten();
    places.filter_map(|(_, reasons)| reasons.as_object()).flatten().filter_map(|(_, packets)| packets.as_u64()).sum()
}

/// What happened port by port, average rates, and the share of the hardware.
fn summary(stats: &Value) -> Result<()> {
    let seconds = stats["cycles"].as_f64().unwrap_or(0.0) * CYCLE_NS as f64 / 1e9;
    println!(
        "\n{:6} {:>10} {:>10} {:>12} {:>13} {:>8} {:>10} {:>10}",
        "port", "in", "out", "by hardware", "by slow path", "dropped", "Mbit/s in", "Mbit/s out"
    );
    let mut hardware = 0;
    for (port, counts) in stats["ports"].as_object().context("no ports in the statistics")? {
        let count = |name: &str| counts[name].as_u64().unwrap_or(0);
        let packets = |direction: &str| counts[direction]["packets"].as_u64().unwrap_or(0);
        let rate = |direction: &str| counts[direction]["bytes"].as_f64().unwrap_or(0.0) * 8.0 / 1e6 / seconds.max(1e-9);
        if packets("in") + packets("out") > 0 {
            println!(
                "{port:6} {:>10} {:>10} {:>12} {:>13} {:>8} {:>10.2} {:>10.2}",
                packets("in"),
                packets("out"),
                count("hardware"),
                count("slow_path"),
                dropped(counts),
                rate("in"),
                rate("out"),
            );
        }
        hardware += count("hardware");
    }
    let all = received(stats);
    let share = 100.0 * hardware as f64 / all.max(1) as f64;
    println!("\n{hardware} of {all} packets were handled in hardware alone: {share:.2} %.");
    println!("Rates are averages over {seconds:.1} s of device time ({} clock cycles).", stats["cycles"]);
    Ok(())
}
