// SPDX-License-Identifier: MIT OR Apache-2.0
//! From doorbell to interrupt: a frame from VF to VF through an idle device, in simulated and in wall time, and where the time goes.

use crate::host::{PRESET, device, frame, packed, split, start_slow_path};
use crate::report::Report;
use anyhow::{Context, Result, ensure};
use millrace_driver::virtio::{Settings, VirtioNet};
use millrace_regs::host::{MSIX_TABLE, msix};
use millrace_sim::{Bar, CYCLE_NS, DpuSimulation, Latency};
use std::time::Instant;

/// Frames of which the shortest time counts: the device is at rest before each.
const FRAMES: usize = 4;
/// Cycles until the flow is in hardware.
const WARM_UP: u64 = 500_000;

/// Cycles from the write that notifies to the message, and seconds.
struct Time {
    cycles: u64,
    seconds: f64,
}

pub fn measure(report: &mut Report) -> Result<()> {
    for (name, settings) in [("split", split as fn() -> Settings), ("packed", packed)] {
        let configuration = format!("64-byte frame, VF to VF, {name}");
        let near = time(settings(), Latency { cycles: 50, ..Latency::default() })?;
        let far = time(settings(), Latency::default())?;
        let round_trips = (far.cycles - near.cycles) as f64 / 200.0;
        report.add("doorbell to interrupt", format!("{configuration}, 1 us"), (far.cycles * CYCLE_NS) as f64, "ns");
        report.add("of it memory", &configuration, round_trips, "round trips");
        let logic = far.cycles as f64 - round_trips * Latency::default().cycles as f64;
        report.add("of it the device", &configuration, logic * CYCLE_NS as f64, "ns");
        report.add(
            "doorbell to interrupt",
            format!("{configuration}, simulated on this machine"),
            far.seconds * 1e6,
            "us of wall time",
        );
    }
    Ok(())
}

fn time(settings: Settings, latency: Latency) -> Result<Time> {
    let config = PRESET.config();
    let dpu = device(latency)?;
    let [from, to] = [1 + config.pfs, 2 + config.pfs];
    let start = |function: usize| {
        let memory = dpu.borrow().memory(function).clone();
        VirtioNet::start(Bar::new(dpu.clone(), function), memory, Settings { interrupts: true, ..settings.clone() })
    };
    let (mut sender, mut receiver) = (start(from)?, start(to)?);
    enable_interrupt(&mut dpu.borrow_mut(), to)?;
    let mut slow_path = start_slow_path(&dpu, 1)?;
    let frame = frame(0, 64);
    sender.send(0, [&frame[..]])?;
    let end = dpu.borrow().cycle() + WARM_UP;
    while dpu.borrow().cycle() < end {
        slow_path.turn()?;
    }
    receiver.receive(0, usize::MAX, |_| ())?;
    let mut best: Option<Time> = None;
    for _ in 0..FRAMES {
        ensure!(dpu.borrow_mut().run_until_idle(100_000), "the device does not come to rest");
        while dpu.borrow_mut().interrupt().is_some() {}
        let (begin, clock) = (dpu.borrow().cycle(), Instant::now());
        sender.send(0, [&frame[..]])?;
        let told = (0..100_000).find_map(|_| {
            let mut dpu = dpu.borrow_mut();
            dpu.step();
            dpu.interrupt()
        });
        told.context("no interrupt comes")?;
        let time = Time { cycles: dpu.borrow().cycle() - begin, seconds: clock.elapsed().as_secs_f64() };
        ensure!(receiver.receive(0, usize::MAX, |_| ())? == 1, "the frame is there when the interrupt comes");
        sender.reclaim(0)?;
        best = best.filter(|best| best.cycles <= time.cycles).or(Some(time));
    }
    best.context("frames were measured")
}

/// The message of the receiveq is given.
fn enable_interrupt(dpu: &mut DpuSimulation, function: usize) -> Result<()> {
    let entry = MSIX_TABLE.at(1);
    dpu.write_bar(function, entry + msix::MESSAGE_ADDRESS.offset, 0xfee0_0000, 0xf)?;
    dpu.write_bar(function, entry + msix::VECTOR_CONTROL.offset, 0, 0xf)?;
    dpu.set_msix(function, true, false);
    Ok(())
}
