// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames per clock and latency in clocks, uplink to uplink, with full tables.

use crate::report::Report;
use crate::rules::{FLOWS, Hits, fill, flow_mac};
use anyhow::{Result, ensure};
use etherparse::PacketBuilder;
use millrace_regs::Step;
use millrace_regs::config::Preset;
use millrace_sim::Embedded;

const SIZES: [usize; 6] = [60, 64, 65, 128, 1518, 9216];
/// Beats that each throughput run sends.
const BEATS: usize = 100_000;
/// Clocks that a run may take, beyond any that is right.
const PATIENCE: u64 = 10_000_000;
const P0: usize = 0;
const P1: usize = 1;

/// An edit that changes addresses, port, TTL and TOS, and so both checksums.
pub fn edits() -> Step {
    Step {
        set_dl_dst: true,
        dl_dst: 0x0200_0000_0001,
        set_dl_src: true,
        dl_src: 0x0200_0000_0002,
        set_nw_dst: true,
        nw_dst: 0x0a00_0001,
        set_tp_dst: true,
        tp_dst: 4242,
        nw_tos: 0xb8,
        nw_tos_mask: 0xfc,
        ttl_dec: 1,
        ..Step::output(1 << P1)
    }
}

/// A UDP frame of `size` bytes of one of the measured flows.
pub fn frame(flow: usize, size: usize) -> Vec<u8> {
    let mac: [u8; 6] = flow_mac(flow).to_be_bytes()[2..].try_into().expect("six bytes");
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 9], mac).ipv4([192, 168, 0, 1], [192, 168, 0, 2], 64);
    let payload = vec![0x5a; size - 42];
    let mut frame = Vec::with_capacity(size);
    builder.udp(1000, 2000).write(&mut frame, &payload).expect("writing to memory");
    frame
}

/// A device of the `sim` preset with its tables full.
pub fn device(hits: Hits, step: Step) -> Result<Embedded> {
    let mut device = Embedded::new(Preset::Sim)?;
    fill(&mut device, hits, step)?;
    ensure!(device.simulation().run_until_idle(PATIENCE), "the device does not come to rest");
    Ok(device)
}

pub fn measure(report: &mut Report) -> Result<()> {
    for (hits, table) in [(Hits::Hash, "hash tables"), (Hits::Tcam, "TCAM")] {
        for (step, edit) in [(Step::output(1 << P1), "no edits"), (edits(), "edits")] {
            let mut device = device(hits, step)?;
            for size in SIZES {
                let (packets, beats) = rates(&mut device, size)?;
                let configuration = format!("{size}-byte packets, {table}, {edit}");
                report.add("packets per clock", &configuration, packets, "packets/clock");
                report.add("output beats per clock", &configuration, beats, "beats/clock");
            }
        }
    }
    Ok(())
}

/// Packets and beats per clock between the first and the last beat that leave.
fn rates(device: &mut Embedded, size: usize) -> Result<(f64, f64)> {
    let simulation = device.simulation();
    let beats = size.div_ceil(simulation.config().bus_bytes());
    let packets = BEATS.div_ceil(beats);
    for i in 0..packets {
        simulation.send(P0, frame(i % FLOWS, size));
    }
    ensure!(simulation.run_until_idle(PATIENCE), "{size}-byte packets: the device does not come to rest");
    let received: Vec<_> = std::iter::from_fn(|| simulation.recv(P1)).collect();
    ensure!(received.len() == packets, "{size}-byte packets: {} of {packets} came through", received.len());
    let clocks = (received[packets - 1].cycle - received[0].first_cycle + 1) as f64;
    Ok((packets as f64 / clocks, (packets * beats) as f64 / clocks))
}

/// Clocks from the first beat in to the first beat out, through an empty pipeline.
pub fn latency(report: &mut Report) -> Result<()> {
    let mut device = device(Hits::Hash, edits())?;
    let simulation = device.simulation();
    for size in [60, 128, 1518] {
        let mut clocks = Vec::new();
        for flow in 0..FLOWS {
            simulation.send(P0, frame(flow, size));
            ensure!(simulation.run_until_idle(PATIENCE), "the device does not come to rest");
            let received = simulation.recv(P1).expect("a rule sends it there");
            clocks.push(received.first_cycle - simulation.entered(P0).1);
        }
        ensure!(clocks.iter().all(|c| *c == clocks[0]), "the latency is not fixed: {clocks:?}");
        report.add(
            "latency",
            format!("{size}-byte packets, first beat in to first beat out"),
            clocks[0] as f64,
            "clocks",
        );
    }
    Ok(())
}
