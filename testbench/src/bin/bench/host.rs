// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rates of the host side: our drivers on VFs of the RTL, their rings in memory with a round trip of 1 µs. The drivers take no time of the
//! device: what is measured is the hardware.

use crate::report::{Report, cpu_seconds};
use anyhow::{Result, ensure};
use millrace_driver::Device;
use millrace_driver::virtio::{Cut, LocalMemory, Settings, VirtioNet};
use millrace_firmware::openflow::{FlowTable, Ports, parse_flow_file};
use millrace_firmware::slowpath::{self, SlowPath};
use millrace_regs::config::Config;
use millrace_regs::host::NET_HEADER;
use millrace_sim::{Bar, CYCLE_NS, DpuSimulation, EmbeddedDpu, Latency, Port, Preset, Traffic};
use std::cell::RefCell;
use std::rc::Rc;

pub const PRESET: Preset = Preset::Host;
/// Where every function's memory is, and its bytes.
const ADDRESS: u64 = 1 << 32;
const MEMORY: usize = 64 << 20;
/// Cycles between two looks of a driver at its rings: far less than what they hold lasts.
const ROUND: u64 = 256;
/// Cycles until all flows are in hardware and the rings are full, and those that are measured.
const WARM_UP: u64 = 500_000;
const MEASURED: u64 = 100_000;
/// Frames that are sent one by one.
const EXCHANGES: usize = 500;

/// Frames and bits per second from VF to VF, and cycles per second of CPU time.
pub fn measure(report: &mut Report) -> Result<()> {
    let short = [(8, 64), (1, 64)];
    let rates = RINGS.iter().flat_map(|rings| short.map(|(queues, length)| (rings, queues, length)));
    let long = [(8, 1518), (8, 9000)].map(|(queues, length)| (&RINGS[0], queues, length));
    for ((name, rings), queues, length) in rates.chain(long) {
        let Rate { frames, cycles, seconds, .. } = rate(queues, length, rings(), Latency::default())?;
        let configuration = format!("{queues} queues, {length}-byte frames, {name}, 1 us");
        let per_second = frames as f64 / (cycles * CYCLE_NS) as f64 * 1e9;
        report.add("VF to VF", &configuration, per_second / 1e6, "Mpps");
        // With preamble, gap and FCS, as on a wire.
        report.add("VF to VF", &configuration, per_second * (8 * (length + 24)) as f64 / 1e9, "Gb/s");
        let speed = cycles as f64 / seconds;
        let bare = crate::bare::speed(queues, length, frames as f64 / cycles as f64)?;
        report.add("simulation speed", format!("host preset, VF to VF, {configuration}"), speed, "cycles/s");
        report.add(
            "simulation speed",
            format!("sim preset, the same traffic: {queues} VFs, {length}-byte frames"),
            bare,
            "cycles/s",
        );
        report.add(
            "simulation speed",
            format!("host preset against sim preset, {configuration}"),
            speed / bare,
            "ratio",
        );
    }
    for (name, rings) in &RINGS[..2] {
        let Rate { frames, cycles, seconds, .. } = one_by_one(rings())?;
        let configuration = format!("host preset, VF to VF, one 64-byte frame at a time, {name}, 1 us");
        report.add("simulation speed", &configuration, cycles as f64 / seconds, "cycles/s");
        report.add("time of a frame", configuration, seconds / frames as f64 * 1e6, "us");
    }
    Ok(())
}

/// A kind of rings: its name, and how drivers ask for it.
type Rings = (&'static str, fn() -> Settings);

const RINGS: [Rings; 3] =
    [("split", split), ("packed", packed), ("packed, in order", || Settings { in_order: true, ..packed() })];

pub struct Rate {
    pub frames: usize,
    pub cycles: u64,
    pub seconds: f64,
    /// What went over the DMA ports meanwhile: rings, data.
    pub traffic: [Traffic; 2],
}

impl Rate {
    /// Millions of frames per second.
    pub fn mpps(&self) -> f64 {
        self.frames as f64 / (self.cycles * CYCLE_NS) as f64 * 1e3
    }
}

/// What went over the DMA ports so far.
pub fn traffic(dpu: &DpuSimulation) -> [Traffic; 2] {
    [Port::Ring, Port::Data].map(|port| dpu.traffic(port))
}

/// A device whose functions are bus masters.
pub fn device(latency: Latency) -> Result<Rc<RefCell<DpuSimulation>>> {
    let config = PRESET.config();
    let memories = (0..config.functions()).map(|_| LocalMemory::new(ADDRESS, MEMORY)).collect();
    let mut dpu = DpuSimulation::new(PRESET, memories, latency)?;
    (0..config.functions()).for_each(|function| dpu.set_bus_master(function, true));
    Ok(Rc::new(RefCell::new(dpu)))
}

/// So many VFs, of which each sends to the next.
struct Ring {
    dpu: Rc<RefCell<DpuSimulation>>,
    nets: Vec<VirtioNet<Bar, LocalMemory>>,
    slow_path: Representors,
    /// That of each VF that sends.
    frames: Vec<Vec<u8>>,
}

impl Ring {
    fn new(queues: usize, length: usize, settings: Settings, latency: Latency) -> Result<Self> {
        let config = PRESET.config();
        let dpu = device(latency)?;
        let vf = |n: usize| 1 + config.pfs + n % config.vfs;
        let mut nets = vec![];
        for n in 0..config.vfs.min(queues + 1) {
            let memory = dpu.borrow().memory(vf(n)).clone();
            nets.push(VirtioNet::start(Bar::new(dpu.clone(), vf(n)), memory, settings.clone())?);
        }
        let slow_path = start_slow_path(&dpu, queues)?;
        Ok(Self { dpu, nets, slow_path, frames: (0..queues).map(|n| frame(n, length)).collect() })
    }

    fn cycle(&self) -> u64 {
        self.dpu.borrow().cycle()
    }

    /// What has happened since a cycle, and a CPU time, at which that had gone over the ports.
    fn since(&self, start: u64, begin: f64, before: [Traffic; 2], frames: usize) -> Rate {
        let [rings, data] = traffic(&self.dpu.borrow());
        let traffic = [rings - before[0], data - before[1]];
        Rate { frames, cycles: self.cycle() - start, seconds: cpu_seconds() - begin, traffic }
    }

    /// All drivers look at their rings, and send what fits, but no more than `most` each. How many frames they have received.
    fn turn(&mut self, most: usize) -> Result<usize> {
        let mut received = 0;
        for (n, net) in self.nets.iter_mut().enumerate() {
            received += net.receive(0, usize::MAX, |_| ())?;
            if let Some(frame) = self.frames.get(n) {
                net.send(0, std::iter::repeat_n(&frame[..], most))?;
            }
        }
        Ok(received)
    }
}

/// As many frames as there is room for.
pub fn rate(queues: usize, length: usize, settings: Settings, latency: Latency) -> Result<Rate> {
    let mut ring = Ring::new(queues, length, settings, latency)?;
    let end = ring.cycle() + WARM_UP;
    while ring.cycle() < end {
        ring.turn(usize::MAX)?;
        ring.slow_path.turn()?;
    }
    let (start, begin, before) = (ring.cycle(), cpu_seconds(), traffic(&ring.dpu.borrow()));
    let (mut received, mut now) = (0, start);
    while now < start + MEASURED {
        received += ring.turn(usize::MAX)?;
        let next = now + ROUND;
        now = ring.cycle();
        ring.dpu.borrow_mut().skip(next.saturating_sub(now));
        now = ring.cycle();
    }
    ensure!(received > 0, "no frame arrived");
    Ok(ring.since(start, begin, before, received))
}

/// One frame at a time.
fn one_by_one(settings: Settings) -> Result<Rate> {
    let mut ring = Ring::new(1, 64, settings, Latency::default())?;
    let (mut start, mut begin, mut before) = (0, 0.0, traffic(&ring.dpu.borrow()));
    for n in 0..EXCHANGES {
        ring.turn(1)?;
        while ring.turn(0)? == 0 {
            ring.dpu.borrow_mut().skip(ROUND);
            if n == 0 {
                ring.slow_path.turn()?;
            }
        }
        if n == 0 {
            ring.dpu.borrow_mut().run_until_idle(WARM_UP);
            (start, begin, before) = (ring.cycle(), cpu_seconds(), traffic(&ring.dpu.borrow()));
        }
    }
    Ok(ring.since(start, begin, before, EXCHANGES - 1))
}

/// Buffers of one piece.
pub fn split() -> Settings {
    let bytes = NET_HEADER as u32 + 9216;
    Settings {
        receive: vec![vec![Cut { gap: 0, len: bytes }]],
        transmit_bytes: bytes as usize,
        merge: false,
        packed: false,
        in_order: false,
        ..Settings::default()
    }
}

pub fn packed() -> Settings {
    Settings { packed: true, ..split() }
}

/// The slow path, which puts the flows into hardware when it sees their first frames.
pub struct Representors {
    device: EmbeddedDpu,
    slow_path: SlowPath,
}

impl Representors {
    pub fn turn(&mut self) -> Result<()> {
        self.device.poll()?;
        self.slow_path.poll(&mut self.device)?;
        Ok(())
    }
}

pub fn start_slow_path(dpu: &Rc<RefCell<DpuSimulation>>, queues: usize) -> Result<Representors> {
    let config = PRESET.config();
    let memory = dpu.borrow().memory(0).clone();
    let settings = Settings { queue_size: 32, transmit_buffers: 32, ..Settings::default() };
    let mut device = EmbeddedDpu::new(dpu.clone(), memory, settings)?;
    let slow_path = SlowPath::new(&mut device, flows(&config, queues)?, slowpath::Settings::default())?;
    Ok(Representors { device, slow_path })
}

pub fn vport_of_vf(config: &Config, n: usize) -> usize {
    config.uplinks + config.pfs + n % config.vfs
}

/// From each of so many VFs to the next.
pub fn flows(config: &Config, queues: usize) -> Result<FlowTable> {
    // OpenFlow counts ports from 1 on.
    let port = |n| 1 + vport_of_vf(config, n);
    let flow = |n: usize| format!("in_port={},actions=output:{}\n", port(n), port(n + 1));
    let flows: String = (0..queues).map(flow).collect();
    Ok(parse_flow_file("flows", &flows, Ports::new(config.vports() as u16, config.uplinks as u16))?)
}

/// UDP of one flow.
pub fn frame(flow: usize, length: usize) -> Vec<u8> {
    let ip_bytes = (length - 14) as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend(ip_bytes.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, flow as u8, 10, 0, 1, flow as u8]);
    frame.extend([4, 0, 4, 0]);
    frame.extend((ip_bytes - 20).to_be_bytes());
    frame.resize(length, 0);
    frame
}
