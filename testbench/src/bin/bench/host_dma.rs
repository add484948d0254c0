// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a 64-byte frame from VF to VF takes of AXI and of PCIe, beside the least that it can, and the rate when memory is slow and uneven.

use crate::host::{Rate, packed, rate, split};
use crate::report::Report;
use anyhow::Result;
use millrace_driver::virtio::Settings;
use millrace_sim::Latency;

const QUEUES: usize = 8;
const LENGTH: usize = 64;
/// Bytes of PCIe beside the data: of a request, of a completion; and what the data link layer adds.
const REQUEST: f64 = 24.0;
const COMPLETION: f64 = 20.0;
const LINK_LAYER: f64 = 1.07;
/// Bytes of a completion, at most (the largest payload that hosts set).
const PAYLOAD: u64 = 256;
/// Gigabytes per second of 16 lanes in each direction, with their coding.
const LANES: [(&str, f64); 3] = [("gen3", 15.754), ("gen4", 31.508), ("gen5", 63.015)];

/// A kind of rings, and the least bytes per frame that it needs towards memory and from it: header and frame of 76 bytes each way, 64 bytes of
/// a ring at a time, batches of 32.
type Rings = (&'static str, fn() -> Settings, [f64; 2]);

const RINGS: [Rings; 3] = [
    ("split", split, [164.0, 146.0]),
    ("packed", packed, [182.0, 140.0]),
    ("packed, in order", || Settings { in_order: true, ..packed() }, [161.0, 140.0]),
];

pub fn measure(report: &mut Report) -> Result<()> {
    // 1.5 us as a mean, and reads that overtake each other.
    let uneven = Latency { cycles: 300, jitter: 150, ..Latency::default() };
    for (name, settings, least) in RINGS {
        let slow = rate(QUEUES, LENGTH, settings(), uneven)?;
        report.add(
            "VF to VF",
            format!("{QUEUES} queues, {LENGTH}-byte frames, {name}, 1.2 to 1.8 us"),
            slow.mpps(),
            "Mpps",
        );
        let rate = rate(QUEUES, LENGTH, settings(), Latency::default())?;
        let configuration = format!("{QUEUES} queues, {LENGTH}-byte frames, {name}");
        let frames = rate.frames as f64;
        let [rings, data] = rate.traffic;
        for (what, beats) in [
            ("AXI beats read, rings", rings.beats_read),
            ("AXI beats written, rings", rings.beats_written),
            ("AXI beats read, data", data.beats_read),
            ("AXI beats written, data", data.beats_written),
        ] {
            report.add(what, &configuration, beats as f64 / frames, "per frame");
        }
        let moved = pcie(&rate);
        for ((what, bytes), least) in
            [("PCIe bytes to memory", moved[0]), ("PCIe bytes from memory", moved[1])].into_iter().zip(least)
        {
            report.add(what, format!("{configuration}; at least {least}"), bytes, "per frame");
        }
        let ratio = (moved[0] + moved[1]) / (least[0] + least[1]);
        report.add("PCIe bytes, both ways", &configuration, ratio, "x the least");
        for (generation, gigabytes) in LANES {
            let limit = gigabytes * 1e3 / LINK_LAYER / moved[0].max(moved[1]);
            report.add("limit of PCIe x16, calculated", format!("{generation}, {configuration}"), limit, "Mpps");
        }
    }
    Ok(())
}

/// Bytes per frame towards memory, and from it, as a bridge would bring the transfers onto PCIe: reads in whole beats, for AXI's have no strobes.
fn pcie(rate: &Rate) -> [f64; 2] {
    let (mut to, mut from) = (0.0, 0.0);
    for port in rate.traffic {
        to += REQUEST * (port.reads + port.writes) as f64 + port.bytes_written as f64;
        let bytes = 64 * port.beats_read;
        // A frame of this length is one completion.
        let completions = port.reads.max(bytes.div_ceil(PAYLOAD));
        from += bytes as f64 + COMPLETION * completions as f64;
    }
    [to, from].map(|bytes| bytes / rate.frames as f64)
}
