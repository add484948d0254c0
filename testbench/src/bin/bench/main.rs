// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask bench`: the project's figures, each as a row of a table and as a JSON line.

mod attached;
mod bare;
mod emission;
mod evictions;
mod host;
mod host_dma;
mod host_latency;
mod passes;
mod report;
mod representors;
mod resets;
mod rules;
mod speed;
mod stream;
mod taps;
mod throughput;
mod upcalls;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use report::Report;

/// Measures the figures that the README states.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench --")]
struct Arguments {
    /// Figures to measure (all, if none is given)
    figures: Vec<Figure>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Figure {
    /// Packets and output beats per clock, uplink to uplink
    Throughput,
    /// Packets and lookups per clock of packets that are looked up several times
    Passes,
    /// Clocks from the first beat in to the first beat out
    Latency,
    /// Simulated cycles per second
    Speed,
    /// CPU time of a cycle of a stream of long frames, against one of short ones
    Stream,
    /// Rules inserted per second
    Rules,
    /// Upcalls per second of the slow path, on one core
    Upcalls,
    /// Upcalls per second with the simulated device, when its tables are full
    Evictions,
    /// CPU time in which the whole core is written as Verilog
    Emission,
    /// Frames and bits per second from VF to VF through rings in memory
    Host,
    /// Bits per second between two Linux stacks on VFs of a served device, against what its bus could carry in the time (as root)
    Attached,
    /// Bytes and beats of DMA for a 64-byte frame, and the rates that PCIe leaves
    Dma,
    /// Upcalls and packets out per second through the representors' rings
    Representors,
    /// From doorbell to interrupt
    Doorbell,
    /// Resets of functions and virtqueues under traffic that disturb nobody
    Resets,
    /// Packets and bits per second between two Linux stacks (as root)
    Taps,
}

fn main() -> Result<()> {
    let chosen = Arguments::parse().figures;
    let wanted = |figure| chosen.is_empty() || chosen.contains(&figure);
    let mut report = Report::default();
    if wanted(Figure::Throughput) {
        throughput::measure(&mut report)?;
    }
    if wanted(Figure::Passes) {
        passes::measure(&mut report)?;
    }
    if wanted(Figure::Latency) {
        throughput::latency(&mut report)?;
    }
    if wanted(Figure::Speed) {
        speed::measure(&mut report)?;
    }
    if wanted(Figure::Stream) {
        stream::measure(&mut report)?;
    }
    if wanted(Figure::Rules) {
        rules::measure(&mut report)?;
    }
    if wanted(Figure::Upcalls) {
        upcalls::measure(&mut report)?;
    }
    if wanted(Figure::Evictions) {
        evictions::measure(&mut report)?;
    }
    if wanted(Figure::Emission) {
        emission::measure(&mut report)?;
    }
    if wanted(Figure::Host) {
        host::measure(&mut report)?;
    }
    if wanted(Figure::Attached) {
        attached::measure(&mut report)?;
    }
    if wanted(Figure::Dma) {
        host_dma::measure(&mut report)?;
    }
    if wanted(Figure::Representors) {
        representors::measure(&mut report)?;
    }
    if wanted(Figure::Doorbell) {
        host_latency::measure(&mut report)?;
    }
    if wanted(Figure::Resets) {
        resets::measure(&mut report)?;
    }
    if wanted(Figure::Taps) {
        taps::measure(&mut report)?;
    }
    report.print();
    Ok(())
}
