// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path alone: from the missed frame to the rule handed over, without the hardware's time.

use crate::report::Report;
use anyhow::Result;
use millrace_firmware::bench::upcalls;

const UPCALLS: usize = 200_000;
const TABLES: usize = 10;
const FLOWS: usize = 1_000;
const ROUNDS: usize = 5;

/// Upcalls per second of CPU time, the median of several rounds.
pub fn measure(report: &mut Report) -> Result<()> {
    let mut rates: Vec<f64> = (0..ROUNDS).map(|_| upcalls(UPCALLS, TABLES, FLOWS).per_second()).collect();
    rates.sort_by(f64::total_cmp);
    let configuration = format!("{UPCALLS} distinct 5-tuples, {FLOWS} flows in {TABLES} tables, median of {ROUNDS}");
    report.add("upcalls", configuration, rates[ROUNDS / 2], "upcalls/CPU-s");
    Ok(())
}
