// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checksums and segments that a stock guest leaves to the device.

use super::bench::Bench;
use super::guest::Guest;
use super::network::Network;
use super::process::Process;
use super::scenarios::{Outcome, SWITCH};
use super::traffic::{self, address, ping};
use super::wait::Deadline;
use anyhow::{Context, Result, bail, ensure};
use millrace_netns::{Namespace, output};
use nix::sys::signal::Signal;
use nix::unistd::Uid;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use xtask::setup::{self, Need};

const HOST: &str = "10.0.0.100";
const END: Duration = Duration::from_secs(60);
/// Of a frame, at the MTU that functions and TAP devices have: 1,500.
const LONGEST: usize = 1514;
/// What is on if the device offers it.
const FEATURES: [&str; 3] = ["tx-checksumming", "tcp-segmentation-offload", "tx-udp-segmentation"];

/// A guest on `vf0` sends to a Linux host at uplink p0, where all is recorded and looked at by tshark.
pub fn offload(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions have no uplink"));
    }
    if !Uid::effective().is_root() {
        return Ok(Outcome::Skipped("needs root, for a TAP device and a network namespace"));
    }
    setup::install(&[Need::Judge])?;
    let tap = format!("mr{}off", std::process::id());
    let host = Namespace::new("offload")?;
    let network = Network::start(bench, SWITCH, &["--uplink".into(), format!("p0=tap:{tap}")])?;
    host.adopt(&tap, "02:00:00:00:01:00", &format!("{HOST}/24"))?;
    let file = bench.sockets().join("p0.pcapng");
    let mut dumpcap = host.command("dumpcap");
    dumpcap.args(["-q", "-i", "eth0", "-w"]).arg(&file);
    let mut capture = Process::start(&dumpcap, &bench.log("dumpcap"), bench.interrupts)?;
    let [mut guest] = bench.guests(&network, ["vf0"])?;
    // The driver leaves this one to its user.
    guest.run("/usr/sbin/ethtool --features eth0 tx-udp-segmentation on")?;
    let features = guest.run("/usr/sbin/ethtool --show-features eth0")?;
    for feature in FEATURES {
        ensure!(is_on(&features, feature), "{feature} is not on:\n{features}");
    }
    ping(&mut guest, HOST, 5, 56)?;
    // TCP makes packets of few segments on a slow link, unless it is told to make large ones.
    guest.run("echo 16 > /proc/sys/net/ipv4/tcp_min_tso_segs")?;
    let tcp = iperf3(bench, &host, &mut guest, "")?;
    iperf3(bench, &host, &mut guest, "--udp --bitrate 5M --length 1399")?;
    let sent: usize = guest.run("cat /sys/class/net/eth0/statistics/tx_packets")?.trim().parse()?;
    capture.signal(Signal::SIGINT)?;
    capture.succeed(Deadline::after(END)).context("dumpcap")?;
    bench.finish(network, [guest])?;
    let frames = judge(&file, &address("vf0"))?;
    ensure!(frames > sent + sent / 20, "the guest sent {sent} packets, of which {frames} frames were made");
    Ok(Outcome::Passed(format!("{tcp:.1} Mb/s of TCP, {frames} frames of {sent} packets")))
}

/// Of `ethtool --show-features`.
fn is_on(features: &str, name: &str) -> bool {
    let value = features.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(": "));
    value.is_some_and(|value| value.split(' ').next() == Some("on"))
}

/// Mb/s that arrive at the host from the guest.
fn iperf3(bench: &Bench, host: &Namespace, guest: &mut Guest, options: &str) -> Result<f64> {
    let mut command = host.command("iperf3");
    command.args(["--server", "--one-off", "--forceflush"]);
    let mut server = Process::start(&command, &bench.log("iperf3"), bench.interrupts)?;
    loop {
        match server.line(Deadline::after(END))? {
            Some(line) if line.starts_with("Server listening") => break,
            Some(_) => {}
            None => bail!("iperf3's server ended"),
        }
    }
    let report = guest.run(&format!("iperf3 --client {HOST} --time 3 --json {options}"))?;
    server.succeed(Deadline::after(END)).context("iperf3's server")?;
    traffic::received(&report)
}

/// The frames with TCP or UDP of a sender, all of which have right checksums and a length that the MTU allows.
fn judge(file: &Path, sender: &str) -> Result<usize> {
    let all = format!("ip.src == {sender} && !icmp");
    let frames = count(file, &all)?;
    let good = "ip.checksum.status == 1 && (tcp.checksum.status == 1 || udp.checksum.status == 1)";
    let right = count(file, &format!("{all} && {good}"))?;
    ensure!(right == frames, "of {frames} frames {right} have right checksums");
    let long = count(file, &format!("{all} && frame.len > {LONGEST}"))?;
    ensure!(long == 0, "{long} frames are longer than {LONGEST} bytes");
    Ok(frames)
}

/// Frames of a capture that tshark's filter lets pass.
fn count(file: &Path, filter: &str) -> Result<usize> {
    let mut command = Command::new("tshark");
    for protocol in ["ip", "tcp", "udp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    command.arg("-r").arg(file).args(["-Y", filter, "-T", "fields", "-e", "frame.number"]);
    Ok(output(&mut command)?.stdout.iter().filter(|byte| **byte == b'\n').count())
}

#[cfg(test)]
mod tests {
    use super::is_on;

    #[test]
    fn features_are_read() {
        let features = "Features for eth0:\ntx-checksumming: on\n\ttx-udp-segmentation: off [fixed]\n";
        assert!(is_on(features, "tx-checksumming"));
        assert!(!is_on(features, "tx-udp-segmentation") && !is_on(features, "tx"));
    }
}
