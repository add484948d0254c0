// SPDX-License-Identifier: MIT OR Apache-2.0
//! DPDK's stock `dpdk-testpmd` and virtio driver on two functions, in a guest with an IOMMU. Frames take the way
//! uplink p0, `vf0`, testpmd, `vf1`, uplink p1, and back; each is looked at, byte for byte.

use super::bench::Bench;
use super::dpu::Dpu;
use super::guest::{Board, Guest, Job, Machine};
use super::initramfs::{self, Contents};
use super::install::Group;
use super::network::Network;
use super::scenarios::{Outcome, first_slow_then_hardware};
use super::vfio;
use super::wait::Deadline;
use super::wire::{Listener, Wire};
use anyhow::{Context, Result, bail, ensure};
use std::collections::VecDeque;
use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

const DPDK: Group = Group {
    name: "dpdk",
    packages: &[
        ("dpdk-dev", "DPDK's dpdk-testpmd, which forwards between functions"),
        ("librte-net-virtio25", "DPDK's driver of the functions"),
        ("librte-mempool-ring25", "DPDK's memory for packets"),
    ],
    spared: &["libdpdk-dev", "python3", "rdma-core", "sse4.2-support"],
};
const PROGRAM: &str = "dpdk-testpmd";
/// The program, and what it loads at its start.
const INSTALLED: [&str; 3] = [
    "usr/bin/dpdk-testpmd",
    "usr/lib/x86_64-linux-gnu/dpdk/pmds-25.0/librte_net_virtio.so.25.0",
    "usr/lib/x86_64-linux-gnu/dpdk/pmds-25.0/librte_mempool_ring.so.25.0",
];

/// Each uplink belongs to a function.
const FLOWS: &str = "in_port=p0,actions=output:vf0\nin_port=vf0,actions=output:p0\n\
                     in_port=p1,actions=output:vf1\nin_port=vf1,actions=output:p1\n";
const FUNCTIONS: [&str; 2] = ["vf0", "vf1"];
const UPLINKS: [&str; 2] = ["p0", "p1"];
/// Those of the functions: they follow the PF, which has that of `millrace serve`'s default.
const MACS: [[u8; 6]; 2] = [[2, 0x4d, 0x52, 0, 0, 1], [2, 0x4d, 0x52, 0, 0, 2]];

/// Frames each way.
const FRAMES: usize = 1500;
/// As many are under way each way at most: none is lost for lack of a buffer, be each of the longest frames in five.
const WINDOW: usize = 32;
/// Longer than frames are under way, each instruction emulated.
const QUIET: Duration = Duration::from_secs(60);

/// What testpmd is told and the device offers, so that the driver takes one of its ways to handle rings.
struct Rings {
    name: &'static str,
    /// Features that are not offered.
    without: &'static [&'static str],
    /// Argument of the driver.
    driver: &'static str,
    /// Pairs of queues of each function.
    pairs: usize,
    mtu: usize,
    /// The way to receive, and to send, as the driver tells it.
    ways: [&'static str; 2],
}

/// The driver's vectorised way for packed rings wants AVX-512, which no emulated processor has.
const RINGS: [Rings; 4] = [
    Rings {
        name: "packed",
        without: &[],
        driver: "",
        pairs: 2,
        mtu: 9000,
        ways: ["packed ring mergeable buffer Rx", "packed ring standard Tx"],
    },
    Rings {
        name: "packed-simple",
        without: &["MRG_RXBUF", "IN_ORDER", "INDIRECT_DESC"],
        driver: "",
        pairs: 1,
        mtu: 1500,
        ways: ["packed ring standard Rx", "packed ring standard Tx"],
    },
    Rings {
        name: "split-in-order",
        without: &["RING_PACKED"],
        driver: "",
        pairs: 1,
        mtu: 9000,
        ways: ["inorder Rx", "inorder Tx"],
    },
    Rings {
        name: "split-vectorised",
        without: &["RING_PACKED", "IN_ORDER", "MRG_RXBUF"],
        driver: ",vectorized=1",
        pairs: 1,
        mtu: 1500,
        ways: ["vectorized Rx", "standard Tx"],
    },
];

/// What testpmd does to frames.
#[derive(Clone, Copy)]
enum Mode {
    /// Nothing.
    Io,
    /// Writes the address of the port that it sends from, and one that it takes for the next station's.
    Mac,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Io => "io",
            Mode::Mac => "mac",
        }
    }
}

/// All kinds of rings, with and without new addresses.
pub fn testpmd(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("QEMU's own network functions have no uplink"));
    }
    bench.install.add(&DPDK)?;
    let initramfs = bench.sockets().join("initramfs");
    let contents = Contents { modules: &vfio::MODULES, installed: &INSTALLED, ..Contents::STOCK };
    initramfs::write(bench.install, &contents, &initramfs)?;
    for rings in &RINGS {
        forward(bench, &initramfs, rings).context(rings.name)?;
    }
    let names: Vec<&str> = RINGS.iter().map(|rings| rings.name).collect();
    Ok(Outcome::Passed(format!("{FRAMES} frames each way, twice, with rings {}", names.join(", "))))
}

/// Boots a guest on a DPU, and has testpmd forward there.
fn forward(bench: &Bench, initramfs: &Path, rings: &Rings) -> Result<()> {
    let paths = UPLINKS.map(|uplink| bench.sockets().join(format!("{}.{uplink}", rings.name)));
    let listeners = [Listener::open(&paths[0])?, Listener::open(&paths[1])?];
    let mut arguments = vec!["--mtu".into(), rings.mtu.to_string()];
    for (uplink, path) in UPLINKS.iter().zip(&paths) {
        arguments.extend(["--uplink".into(), format!("{uplink}=unix:{}", path.display())]);
    }
    arguments.extend(rings.without.iter().flat_map(|name| ["--without".into(), (*name).into()]));
    let dpu = Dpu::start(bench, rings.name, FLOWS, &arguments)?;
    let [a, b] = listeners.map(|listener| listener.accept(bench.interrupts));
    let mut wires = [a?, b?];
    let nics = FUNCTIONS.map(|function| dpu.nic(function));
    let machine = Machine { board: Board::PcWithIommu, ..Machine::stock(bench.install, initramfs) };
    let mut guest = Guest::start_as(bench, rings.name, &machine, &nics)?;
    guest.wait_until_ready()?;
    let functions = vfio::functions(&mut guest)?;
    ensure!(functions.len() == FUNCTIONS.len(), "the guest has network functions at {functions:?}");
    functions.iter().try_for_each(|function| vfio::bind(&mut guest, function))?;
    guest.run("mkdir -p /dev/hugepages /var/run && mount -t hugetlbfs none /dev/hugepages")?;
    guest.run("echo 32 >/proc/sys/vm/nr_hugepages && mkfifo /tmp/commands")?;
    for mode in [Mode::Io, Mode::Mac] {
        let testpmd = Testpmd::start(&mut guest, rings, mode, &functions)?;
        let exchanged = exchange(bench, &mut wires, rings, mode);
        // What it says tells why frames are missing.
        let said = testpmd.end(&mut guest);
        let log = bench.log(&format!("{}-{}.testpmd", rings.name, mode.name()));
        fs::write(&log, said.as_deref().unwrap_or_default())
            .with_context(|| format!("cannot write {}", log.display()))?;
        exchanged?;
        check(&said?, rings)?;
    }
    let stats = bench.finish(Network::Dpu(dpu), [guest])?.context("the DPU has a slow path")?;
    wires.into_iter().try_for_each(Wire::end)?;
    UPLINKS.iter().chain(&FUNCTIONS).try_for_each(|name| first_slow_then_hardware(&stats, name))
}

/// testpmd, forwarding in a guest.
struct Testpmd(Job);

impl Testpmd {
    /// Starts it, and waits until it forwards.
    fn start(guest: &mut Guest, rings: &Rings, mode: Mode, functions: &[String]) -> Result<Self> {
        let allowed: Vec<String> =
            functions.iter().map(|function| format!("--allow {function}{}", rings.driver)).collect();
        // Two threads on the only processor: one for commands, one that forwards.
        let system = format!("--lcores 0@0,1@0 --log-level pmd.net.virtio.init:info {}", allowed.join(" "));
        let pairs = rings.pairs;
        let mut own = format!("--interactive --auto-start --forward-mode={} --total-num-mbufs=4096", mode.name());
        own += &format!(" --rxq={pairs} --txq={pairs}");
        if rings.mtu > 1500 {
            // Frames in several buffers, both ways. Of the length testpmd takes off what the driver's longest has beyond the device's MTU.
            own += " --enable-scatter --tx-offloads=0x8000 --max-pkt-len=9728";
        }
        let command = format!("{PROGRAM} {system} -- {own} 0<>/tmp/commands >/tmp/said 2>&1");
        guest.run("rm -f /tmp/said /tmp/ended && touch /tmp/said")?;
        let job = guest.start_job(&format!("{command}; code=$?; touch /tmp/ended; cat /tmp/said; exit $code"))?;
        let prompt = "grep -q 'testpmd> ' /tmp/said || [ -e /tmp/ended ]";
        guest.run(&format!("until {prompt}; do usleep 20000; done")).context("testpmd does not start")?;
        let testpmd = Self(job);
        if guest.attempt("[ -e /tmp/ended ]")?.code == 0 {
            let ended = guest.end_of(&testpmd.0)?;
            bail!("testpmd ended with {}:\n{}", ended.code, ended.output.trim_end());
        }
        Ok(testpmd)
    }

    /// Ends it; what it said.
    fn end(self, guest: &mut Guest) -> Result<String> {
        guest.run("echo quit >/tmp/commands")?;
        let ended = guest.end_of(&self.0)?;
        ensure!(ended.code == 0, "testpmd ended with {}:\n{}", ended.code, ended.output.trim_end());
        Ok(ended.output)
    }
}

/// The driver has taken the ways that it was to take, and testpmd has forwarded all.
fn check(said: &str, rings: &Rings) -> Result<()> {
    for way in rings.ways {
        for port in 0..FUNCTIONS.len() {
            let line = format!("using {way} path on port {port}");
            ensure!(said.contains(&line), "the driver does not say {line:?}");
        }
    }
    for direction in ["RX", "TX"] {
        let [passed, dropped] = totals(said, direction).context("testpmd tells no totals")?;
        let all = FUNCTIONS.len() * FRAMES;
        ensure!(passed == all && dropped == 0, "testpmd tells of {passed} {direction} packets, and {dropped} dropped");
    }
    Ok(())
}

/// Packets that testpmd has received (`RX`) or sent (`TX`) at all ports, and dropped there.
fn totals(said: &str, direction: &str) -> Option<[usize; 2]> {
    let (_, totals) = said.split_once("Accumulated forward statistics for all ports")?;
    let number = |name| totals.split_once(&format!("{direction}-{name}: "))?.1.split_whitespace().next()?.parse().ok();
    Some([number("packets")?, number("dropped")?])
}

/// Frames into both uplinks; each must come out of the other, and those of a flow in their order.
fn exchange(bench: &Bench, wires: &mut [Wire; 2], rings: &Rings, mode: Mode) -> Result<()> {
    let mut ways = [0, 1].map(|from| Way::new(from, rings, mode));
    while !ways.iter().all(Way::is_done) {
        for way in &mut ways {
            way.send(&mut wires[way.from])?;
        }
        let ready = bench.interrupts.first(&[wires[0].as_fd(), wires[1].as_fd()], Deadline::after(QUIET));
        let at = ready.with_context(|| format!("{}; {}", ways[0].progress(), ways[1].progress()))?;
        for frame in wires[at].receive()?.context("the DPU has ended")? {
            ways[1 - at].judge(&frame)?;
        }
    }
    Ok(())
}

/// What goes from one uplink to the other.
struct Way {
    /// Number of the uplink that it begins at.
    from: usize,
    frames: Vec<Vec<u8>>,
    sent: usize,
    arrived: usize,
    /// The frames that are under way, of each flow, as they are to arrive.
    flows: Vec<VecDeque<Vec<u8>>>,
    mode: Mode,
}

impl Way {
    fn new(from: usize, rings: &Rings, mode: Mode) -> Self {
        let flows = if rings.pairs > 1 { 16 } else { 1 };
        let longest = rings.mtu + 14;
        // Of all lengths if there are not more than frames: their number and the step have no common divisor.
        let length = |n: usize| if n == 0 { longest } else { SHORTEST + n * 37 % (longest - SHORTEST) };
        let frames = (0..FRAMES).map(|n| frame(from, n % flows, n, length(n))).collect();
        Self { from, frames, sent: 0, arrived: 0, flows: vec![VecDeque::new(); flows], mode }
    }

    fn is_done(&self) -> bool {
        self.arrived == self.frames.len()
    }

    /// Sends as many as may be under way. The first goes alone: it gets the others their rule.
    fn send(&mut self, wire: &mut Wire) -> Result<()> {
        let window = if self.arrived == 0 { 1 } else { WINDOW };
        while self.sent < self.frames.len() && self.sent - self.arrived < window {
            let frame = &self.frames[self.sent];
            wire.send(frame)?;
            self.flows[flow(frame)].push_back(forwarded(frame, 1 - self.from, self.mode));
            self.sent += 1;
        }
        Ok(())
    }

    /// A frame that arrived is the next one of its flow.
    fn judge(&mut self, frame: &[u8]) -> Result<()> {
        let next = self.flows.get_mut(flow(frame)).and_then(VecDeque::pop_front);
        let next = next.with_context(|| format!("{}: a frame of no flow arrives: {frame:02x?}", self.progress()))?;
        if next != frame {
            let same = frame.iter().zip(&next).take_while(|(is, was)| is == was).count();
            bail!(
                "{}: a frame of {} bytes arrives that had {}, and is another from byte {same} on",
                self.progress(),
                frame.len(),
                next.len()
            );
        }
        self.arrived += 1;
        Ok(())
    }

    fn progress(&self) -> String {
        let Self { from, sent, arrived, .. } = self;
        format!("from {} to {}: {sent} frames sent, {arrived} arrived", UPLINKS[*from], UPLINKS[1 - from])
    }
}

/// A frame on a cable, without FCS.
const SHORTEST: usize = 60;
/// Where the UDP source port lies.
const PORT: usize = 34;
const FIRST_PORT: u16 = 1000;

/// A frame of IPv4 and UDP, whose other bytes are as random as they are the same in each run.
fn frame(from: usize, flow: usize, number: usize, length: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 1, 1 - from as u8, 2, 0, 0, 0, 1, from as u8, 8, 0];
    let total = (length - frame.len()) as u16;
    let address = |host: usize| [10, 0, 1, host as u8];
    let mut ip =
        [&[0x45, 0][..], &total.to_be_bytes(), &[0; 4], &[64, 17, 0, 0], &address(from), &address(1 - from)].concat();
    ip[4..6].copy_from_slice(&(number as u16).to_be_bytes());
    let checksum = checksum(&ip);
    ip[10..12].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(ip);
    // Without a checksum.
    for word in [FIRST_PORT + flow as u16, 7, total - 20, 0] {
        frame.extend(word.to_be_bytes());
    }
    let mut state = (from * FRAMES + number) as u64 + 1;
    frame.resize_with(length, || {
        // xorshift64 (Marsaglia 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    frame
}

/// The checksum of an IPv4 header (RFC 1071) whose own is 0.
fn checksum(header: &[u8]) -> u16 {
    let sum: u32 = header.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    !((sum & 0xffff) + (sum >> 16)) as u16
}

/// The flow of a frame; that of none if it is too short.
fn flow(frame: &[u8]) -> usize {
    let port = frame.get(PORT..PORT + 2).map_or(0, |port| u16::from_be_bytes([port[0], port[1]]));
    usize::from(port.wrapping_sub(FIRST_PORT))
}

/// A frame as it leaves a port of testpmd.
fn forwarded(frame: &[u8], port: usize, mode: Mode) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if let Mode::Mac = mode {
        frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, port as u8]);
        frame[6..12].copy_from_slice(&MACS[port]);
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_right_and_each_is_another() {
        let frames = [frame(0, 3, 5, 60), frame(0, 3, 6, 60), frame(1, 3, 5, 60)];
        assert!(frames.iter().all(|frame| frame.len() == 60 && flow(frame) == 3 && checksum(&frame[14..34]) == 0));
        assert!(frames[0][42..] != frames[1][42..] && frames[0][42..] != frames[2][42..]);
        assert_eq!(forwarded(&frames[0], 1, Mode::Mac)[..12], [2, 0, 0, 0, 0, 1, 2, 0x4d, 0x52, 0, 0, 2]);
        let lengths: std::collections::BTreeSet<usize> =
            Way::new(0, &RINGS[1], Mode::Io).frames.iter().map(Vec::len).collect();
        assert_eq!(lengths.len(), 1514 - SHORTEST + 1);
    }

    #[test]
    fn what_testpmd_counts_is_read() {
        let said = "  RX-packets: 1\n  +++ Accumulated forward statistics for all ports+++\n  \
                    RX-packets: 3000           RX-dropped: 1             RX-total: 3001\n  \
                    TX-packets: 2999           TX-dropped: 0             TX-total: 2999\n";
        assert_eq!(totals(said, "RX"), Some([3000, 1]));
        assert_eq!(totals(said, "TX"), Some([2999, 0]));
        assert_eq!(totals("testpmd> ", "TX"), None);
    }
}
