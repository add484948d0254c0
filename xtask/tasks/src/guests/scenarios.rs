// SPDX-License-Identifier: MIT OR Apache-2.0
//! The scenarios. Each starts what it needs, looks at what comes out, and ends it in order; what it leaves when it fails goes by itself.

use super::arm::{arm, restarts};
use super::bench::Bench;
use super::devel::devel;
use super::dpu::{Dpu, Port, Stats};
use super::dpu_os::{dpu_os, dpu_os_x86_64};
use super::ecpf::ecpf;
use super::guest::Guest;
use super::instructions::instructions;
use super::kselftest::kselftest;
use super::multi_queue::multi_queue;
use super::network::Network;
use super::offload::offload;
use super::own_kernel::own_kernel;
use super::testpmd::testpmd;
use super::traffic::{self, PING_HEADERS, address, ping, ping_with};
use super::vfio::vfio;
use anyhow::{Context, Result, ensure};
use millrace_netns::{Namespace, output};
use nix::unistd::Uid;

/// What came of a scenario that did not fail.
pub enum Outcome {
    /// With what it measured, if anything.
    Passed(String),
    /// With the reason.
    Skipped(&'static str),
}

pub struct Scenario {
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    pub run: fn(&Bench) -> Result<Outcome>,
}

pub const ALL: &[Scenario] = &[
    Scenario { name: "ping", shows: "two guests ping each other, after the first frames in hardware", run: pings },
    Scenario { name: "split-rings", shows: "the same, and TCP, without packed rings", run: split_rings },
    Scenario {
        name: "plain-rings",
        shows: "the same without EVENT_IDX, INDIRECT_DESC and IN_ORDER too",
        run: plain_rings,
    },
    Scenario { name: "uplink", shows: "a guest and a Linux host at uplink p0 ping each other", run: uplink },
    Scenario {
        name: "offload",
        shows: "a guest leaves checksums and segments to the device, and a host finds them right",
        run: offload,
    },
    Scenario { name: "iperf3", shows: "TCP both ways between two guests", run: iperf3 },
    Scenario {
        name: "multi-queue",
        shows: "two pairs of queues, RSS with the guest's table and key, and what a driver asks for on the control queue",
        run: multi_queue,
    },
    Scenario { name: "mtu", shows: "frames of all sizes up to the MTU that the device tells, and fragments", run: mtu },
    Scenario {
        name: "large-frames",
        shows: "an MTU of 9,000 bytes: frames of that size, and TCP with them",
        run: large_frames,
    },
    Scenario { name: "module", shows: "the driver is removed and loaded again under traffic", run: module },
    Scenario {
        name: "kill",
        shows: "QEMU is killed under traffic, and another guest takes the function over",
        run: kill,
    },
    Scenario {
        name: "two-dpus",
        shows: "guests on two DPUs, joined by a wire between the uplinks; one DPU goes, and another takes its place",
        run: two_dpus,
    },
    Scenario {
        name: "vfio",
        shows: "our own driver, in a guest with an IOMMU, has a function through the stock vfio-pci",
        run: vfio,
    },
    Scenario {
        name: "ecpf",
        shows: "the slow path, in a guest with an IOMMU, has the ECPF through the stock vfio-pci; other guests ping each other",
        run: ecpf,
    },
    Scenario {
        name: "arm",
        shows: "the firmware, in a guest with an Arm core, has the ECPF; it is killed and started again, and guests that ping each other lose nothing",
        run: arm,
    },
    Scenario { name: "restarts", shows: "the same, with the firmware killed a hundred times", run: restarts },
    Scenario {
        name: "dpu-os",
        shows: "DPU-OS starts by UEFI from a disk and over the network, takes signed updates, and goes back from one that does not come up",
        run: dpu_os,
    },
    Scenario {
        name: "dpu-os-x86",
        shows: "DPU-OS for x86 cores starts by UEFI from a disk and over the network",
        run: dpu_os_x86_64,
    },
    Scenario {
        name: "own-kernel",
        shows: "DPU-OS with a kernel of its own configuration, which is built: its size, start and memory; it starts by UEFI and takes an update from its host",
        run: own_kernel,
    },
    Scenario {
        name: "instructions",
        shows: "how many upcalls the slow path handles in a million instructions, of Arm and of x86 cores",
        run: instructions,
    },
    Scenario {
        name: "devel",
        shows: "a slow path in C is compiled on a card with an Arm core and takes the firmware's place (docs/c-on-the-card.md)",
        run: devel,
    },
    Scenario {
        name: "testpmd",
        shows: "DPDK's stock testpmd forwards between two functions behind the stock vfio-pci, and each frame is looked at",
        run: testpmd,
    },
    Scenario {
        name: "kselftest",
        shows: "of the kernel's own tests of network drivers those pass that are known to (docs/kselftest.md), and no others",
        run: kselftest,
    },
];

/// A learning switch.
pub const SWITCH: &str = "actions=normal\n";

fn switch(bench: &Bench) -> Result<(Network, [Guest; 2])> {
    let network = Network::start(bench, SWITCH, &[])?;
    let guests = bench.guests(&network, ["vf0", "vf1"])?;
    Ok((network, guests))
}

fn passed() -> Outcome {
    Outcome::Passed(String::new())
}

fn port<'a>(stats: &'a Stats, name: &str) -> Result<&'a Port> {
    stats.ports.get(name).with_context(|| format!("the statistics have no port {name}"))
}

fn pings(bench: &Bench) -> Result<Outcome> {
    let (network, [mut a, mut b]) = switch(bench)?;
    if !bench.self_test {
        for feature in [INDIRECT_DESC, EVENT_IDX, RING_PACKED] {
            ensure!(has_feature(&mut a, feature)?, "the driver did not take feature {feature}");
        }
    }
    ping(&mut a, &address("vf1"), 50, 56)?;
    ping(&mut b, &address("vf0"), 50, 56)?;
    if let Some(stats) = bench.finish(network, [a, b])? {
        ["vf0", "vf1"].iter().try_for_each(|name| first_slow_then_hardware(&stats, name))?;
    }
    Ok(passed())
}

fn split_rings(bench: &Bench) -> Result<Outcome> {
    with_rings(bench, &[(RING_PACKED, "RING_PACKED")])
}

fn plain_rings(bench: &Bench) -> Result<Outcome> {
    let features = [
        (INDIRECT_DESC, "INDIRECT_DESC"),
        (EVENT_IDX, "EVENT_IDX"),
        (RING_PACKED, "RING_PACKED"),
        (IN_ORDER, "IN_ORDER"),
    ];
    with_rings(bench, &features)
}

/// Ping and TCP when these features are not offered.
fn with_rings(bench: &Bench, without: &[(usize, &str)]) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions have the rings that they have"));
    }
    let arguments: Vec<String> = without.iter().flat_map(|(_, name)| ["--without".into(), (*name).into()]).collect();
    let network = Network::start(bench, SWITCH, &arguments)?;
    let [mut a, mut b] = bench.guests(&network, ["vf0", "vf1"])?;
    for (feature, name) in without {
        ensure!(!has_feature(&mut a, *feature)?, "the driver took {name}");
    }
    ping(&mut a, &address("vf1"), 50, 56)?;
    let rates = traffic::tcp(&mut a, &mut b, &address("vf1"))?;
    bench.finish(network, [a, b])?;
    Ok(Outcome::Passed(rates_text(rates)))
}

/// Of at least a hundred packets that came in at a port, the slow path saw some, and hardware handled more.
pub fn first_slow_then_hardware(stats: &Stats, name: &str) -> Result<()> {
    let Port { received, hardware, slow_path, .. } = port(stats, name)?;
    ensure!(received.packets >= 100, "{name}: only {} packets came in", received.packets);
    ensure!(*slow_path > 0, "{name}: the slow path saw nothing");
    ensure!(hardware > slow_path, "{name}: {hardware} packets in hardware, {slow_path} in the slow path");
    Ok(())
}

fn uplink(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions have no uplink"));
    }
    if !Uid::effective().is_root() {
        return Ok(Outcome::Skipped("needs root, for a TAP device and a network namespace"));
    }
    let (host_address, tap) = ("10.0.0.100", format!("mr{}up", std::process::id()));
    let host = Namespace::new("uplink")?;
    let network = Network::start(bench, SWITCH, &["--uplink".into(), format!("p0=tap:{tap}")])?;
    host.adopt(&tap, "02:00:00:00:01:00", &format!("{host_address}/24"))?;
    let [mut guest] = bench.guests(&network, ["vf0"])?;
    ping(&mut guest, host_address, 20, 56)?;
    output(host.bounded("ping").args(["-c", "20", "-i", "0.05", "-W", "10", &address("vf0")]))?;
    if let Some(stats) = bench.finish(network, [guest])? {
        let Port { hardware, slow_path, .. } = port(&stats, "p0")?;
        ensure!(hardware > slow_path, "p0: {hardware} packets in hardware, {slow_path} in the slow path");
    }
    Ok(passed())
}

fn iperf3(bench: &Bench) -> Result<Outcome> {
    let (network, [mut a, mut b]) = switch(bench)?;
    let rates = traffic::tcp(&mut a, &mut b, &address("vf1"))?;
    bench.finish(network, [a, b])?;
    Ok(Outcome::Passed(rates_text(rates)))
}

fn rates_text([there, back]: [f64; 2]) -> String {
    format!("{there:.1} Mb/s there, {back:.1} Mb/s back")
}

fn mtu(bench: &Bench) -> Result<Outcome> {
    let (network, [mut a, b]) = switch(bench)?;
    let mtu = device_mtu(&mut a)?;
    let largest = mtu - PING_HEADERS;
    // 18 bytes make the shortest frame of a cable.
    for size in [0, 17, 18, 19, 100, 1000, largest - 1, largest] {
        ping_with(&mut a, &address("vf1"), 5, size, "-M do")?;
    }
    for fragmented in [largest + 1, 3 * mtu] {
        ping(&mut a, &address("vf1"), 5, fragmented)?;
    }
    if let Some(stats) = bench.finish(network, [a, b])? {
        let bytes = port(&stats, "vf0")?.received.bytes;
        ensure!(bytes > (5 * 5 * mtu) as u64, "vf0: only {bytes} bytes came in");
    }
    Ok(Outcome::Passed(format!("the MTU is {mtu}")))
}

/// The MTU that the driver took from the device.
fn device_mtu(guest: &mut Guest) -> Result<usize> {
    ensure!(has_feature(guest, MTU)?, "the device tells no MTU");
    traffic::mtu(guest)
}

/// Features by their bits (virtio 5.1.3, 6).
const MTU: usize = 3;
const INDIRECT_DESC: usize = 28;
const EVENT_IDX: usize = 29;
const RING_PACKED: usize = 34;
const IN_ORDER: usize = 35;

/// Whether the guest's driver and the device have agreed on a feature.
pub fn has_feature(guest: &mut Guest, feature: usize) -> Result<bool> {
    let features = guest.run("cat /sys/class/net/eth0/device/features")?;
    Ok(features.as_bytes().get(feature) == Some(&b'1'))
}

fn large_frames(bench: &Bench) -> Result<Outcome> {
    const LARGE: usize = 9000;
    let network = Network::start(bench, SWITCH, &["--mtu".into(), LARGE.to_string()])?;
    let [mut a, mut b] = bench.guests(&network, ["vf0", "vf1"])?;
    let mtu = device_mtu(&mut a)?;
    ensure!(mtu == LARGE, "the device tells an MTU of {mtu}");
    ping_with(&mut a, &address("vf1"), 20, LARGE - PING_HEADERS, "-M do")?;
    let rates = traffic::tcp(&mut a, &mut b, &address("vf1"))?;
    bench.finish(network, [a, b])?;
    Ok(Outcome::Passed(rates_text(rates)))
}

fn module(bench: &Bench) -> Result<Outcome> {
    let (network, [mut a, mut b]) = switch(bench)?;
    reload(&mut b, "vf1", &mut a, "vf0")?;
    reload(&mut a, "vf0", &mut b, "vf1")?;
    ping(&mut a, &address("vf1"), 20, 56)?;
    ping(&mut b, &address("vf0"), 20, 56)?;
    bench.finish(network, [a, b])?;
    Ok(passed())
}

/// Removes the driver of `guest` and loads it again, some times over, while it and `other` send to each other.
fn reload(guest: &mut Guest, function: &str, other: &mut Guest, others: &str) -> Result<()> {
    let towards = traffic::keep_pinging(other, &address(function))?;
    for _ in 0..3 {
        // Some frames each way before the driver goes.
        ping(guest, &address(others), 10, 1000)?;
        let away = traffic::keep_pinging(guest, &address(others))?;
        guest.run("rmmod virtio_net")?;
        guest.stop(&away)?;
        traffic::up(guest, &address(function))?;
    }
    traffic::stop_pinging(other, &towards)
}

fn kill(bench: &Bench) -> Result<Outcome> {
    let (network, [mut a, mut b]) = switch(bench)?;
    let towards = traffic::keep_pinging(&mut a, &address("vf1"))?;
    traffic::keep_pinging(&mut b, &address("vf0"))?;
    ping(&mut b, &address("vf0"), 10, 56)?;
    b.kill()?;
    let mut heir = Guest::start(bench, "vf1-again", &[network.nic("vf1")])?;
    heir.wait_until_ready()?;
    traffic::up(&mut heir, &address("vf1"))?;
    ping(&mut heir, &address("vf0"), 20, 56)?;
    traffic::stop_pinging(&mut a, &towards)?;
    ping(&mut a, &address("vf1"), 20, 56)?;
    bench.finish(network, [a, heir])?;
    Ok(passed())
}

/// A DPU with a wire at its uplink and a guest at `vf0`.
struct Site {
    dpu: Dpu,
    guest: Guest,
}

impl Site {
    /// Starts it, with the guest's address. Its functions have MAC addresses of `site`'s own.
    fn start(bench: &Bench, name: &str, site: u8, address: &str) -> Result<Self> {
        let wire = format!("p0=unix:{}", bench.sockets().join("wire").display());
        let mac = format!("02:4d:52:{site:02x}:00:00");
        let dpu = Dpu::start(bench, name, SWITCH, &["--uplink".into(), wire, "--mac".into(), mac])?;
        let mut guest = Guest::start(bench, &format!("{name}-vf0"), &[dpu.nic("vf0")])?;
        guest.wait_until_ready()?;
        traffic::up(&mut guest, address)?;
        Ok(Self { dpu, guest })
    }

    /// Ends it in order. Most of what came in at guest and wire must have been handled in hardware, and not all of it.
    fn end(self) -> Result<()> {
        self.guest.quit()?;
        let stats = self.dpu.stop()?.context("it has a slow path")?;
        ["vf0", "p0"].iter().try_for_each(|name| first_slow_then_hardware(&stats, name))
    }
}

fn two_dpus(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions have no uplink"));
    }
    let (here, there) = ("10.0.0.1", "10.0.0.2");
    let mut a = Site::start(bench, "a", 1, here)?;
    let mut b = Site::start(bench, "b", 2, there)?;
    ping(&mut a.guest, there, 50, 56)?;
    ping(&mut b.guest, here, 50, 56)?;
    let rates = traffic::tcp(&mut a.guest, &mut b.guest, there)?;
    let towards = traffic::keep_pinging(&mut a.guest, there)?;
    b.end()?;
    let mut heir = Site::start(bench, "b-again", 3, there)?;
    ping(&mut heir.guest, here, 50, 56)?;
    traffic::stop_pinging(&mut a.guest, &towards)?;
    ping(&mut a.guest, there, 50, 56)?;
    heir.end()?;
    a.end()?;
    Ok(Outcome::Passed(rates_text(rates)))
}
