// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the representors' rings carry: upcalls of frames that no rule matches, and packets out. The drivers take no time of the device.

use crate::host::{PRESET, device, frame, packed, split};
use crate::report::Report;
use anyhow::{Result, ensure};
use millrace_driver::Sent;
use millrace_driver::virtio::{Cut, LocalMemory, Representors, Settings, VirtioNet};
use millrace_regs::host::{ECPF_HEADER, NET_HEADER};
use millrace_sim::{Bar, CYCLE_NS, DpuSimulation, Latency};
use std::cell::RefCell;
use std::rc::Rc;

const LENGTH: usize = 64;
/// Cycles between two looks of a driver at its rings.
const ROUND: u64 = 256;
/// Cycles until the rings are full, and those that are measured.
const WARM_UP: u64 = 20_000;
const MEASURED: u64 = 100_000;

/// The slow path's driver, and those of the VFs.
struct Bench {
    dpu: Rc<RefCell<DpuSimulation>>,
    representors: Representors<Bar, LocalMemory>,
    nets: Vec<VirtioNet<Bar, LocalMemory>>,
    /// The VFs' vports.
    vports: Vec<u16>,
    frame: Vec<u8>,
}

/// Upcalls and packets out per second, all VFs together.
pub fn measure(report: &mut Report) -> Result<()> {
    for (name, settings) in [("split", split as fn() -> Settings), ("packed", packed)] {
        for (what, turn) in
            [("upcalls", Bench::upcalls as fn(&mut Bench) -> Result<usize>), ("packets out", Bench::packets_out)]
        {
            let mut bench = Bench::new(settings())?;
            let frames = bench.rate(turn)?;
            let configuration = format!("{} VFs, {LENGTH}-byte frames, {name}, 1 us", bench.nets.len());
            report.add(what, configuration, frames as f64 / (MEASURED * CYCLE_NS) as f64 * 1e3, "Mpps");
        }
    }
    Ok(())
}

impl Bench {
    fn new(settings: Settings) -> Result<Self> {
        let config = PRESET.config();
        let dpu = device(Latency::default())?;
        let memory = |function: usize| dpu.borrow().memory(function).clone();
        let (mut nets, mut vports) = (vec![], vec![]);
        for function in 1 + config.pfs..config.functions() {
            nets.push(VirtioNet::start(Bar::new(dpu.clone(), function), memory(function), settings.clone())?);
            vports.push(config.vport_of_function(function).expect("a VF has one") as u16);
        }
        let bytes = NET_HEADER + ECPF_HEADER + 2048;
        let receive = vec![vec![Cut { gap: 0, len: bytes as u32 }]];
        let settings = Settings { pairs: config.vports() as u16, receive, transmit_bytes: bytes, ..settings };
        let representors = Representors::start(Bar::new(dpu.clone(), 0), memory(0), settings)?;
        Ok(Self { dpu, representors, nets, vports, frame: frame(0, LENGTH) })
    }

    /// Frames in the measured time.
    fn rate(&mut self, turn: fn(&mut Self) -> Result<usize>) -> Result<usize> {
        let (mut frames, start) = (0, self.dpu.borrow().cycle() + WARM_UP);
        loop {
            let now = self.dpu.borrow().cycle();
            if now >= start + MEASURED {
                break;
            }
            let more = turn(self)?;
            frames += if now >= start { more } else { 0 };
            let next = now + ROUND;
            let now = self.dpu.borrow().cycle();
            self.dpu.borrow_mut().skip(next.saturating_sub(now));
        }
        ensure!(frames > 0, "no frame arrived");
        Ok(frames)
    }

    fn upcalls(&mut self) -> Result<usize> {
        let mut frames = 0;
        for (net, vport) in self.nets.iter_mut().zip(&self.vports) {
            net.send(0, std::iter::repeat(&self.frame[..]))?;
            frames += self.representors.upcalls(*vport, usize::MAX)?.len();
        }
        Ok(frames)
    }

    fn packets_out(&mut self) -> Result<usize> {
        let mut frames = 0;
        for (net, vport) in self.nets.iter_mut().zip(&self.vports) {
            while self.representors.add_packet_out(*vport, &self.frame)? == Sent::Accepted {}
            self.representors.show(*vport)?;
            frames += net.receive(0, usize::MAX, |_| ())?;
        }
        Ok(frames)
    }
}
