// SPDX-License-Identifier: MIT OR Apache-2.0
//! Placing and routing preset `ecp5` with nextpnr: clock frequency, and the critical path by module.
//!
//! The core has more pins than the package: it is placed in a harness of two shift registers, so that every path of the core
//! goes from register to register.

use super::synthesis::{Rtl, TOP};
use crate::nextpnr::{self, Part, Report};
use crate::yosys::Yosys;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use xtask::run;

/// The clock that is asked for, in MHz.
const GOAL: u32 = 125;

/// That of the Versa board: LFE5UM5G-45F-8BG381C.
fn part() -> Part {
    Part { device: "um5g-45k".into(), package: "CABGA381".into(), speed: 8 }
}

/// Places and routes with seeds 1 to `seeds`, and prints what comes out.
pub fn route(yosys: &Yosys, rtl: &Rtl, seeds: u32) -> Result<()> {
    let folder = rtl.synthesise_around(yosys, "harness", &harness(&rtl.text)?)?;
    let mut met = 0;
    for seed in 1..=seeds {
        let report = place(&folder, seed)?;
        println!("seed {seed}:\n{report}");
        met += u32::from(report.too_slow().is_empty());
    }
    println!("{met} of {seeds} seeds reach {GOAL} MHz");
    Ok(())
}

fn place(folder: &Path, seed: u32) -> Result<Report> {
    let report = format!("report-{seed}.json");
    let _ = fs::remove_file(folder.join(&report));
    eprintln!("ecp5: placing and routing with seed {seed}, which takes many minutes");
    let mut nextpnr = nextpnr::command(&part(), seed);
    nextpnr.current_dir(folder).args(["--json", "netlist.json", "--report", &report]);
    nextpnr.args(["--freq", &GOAL.to_string(), "--lpf-allow-unconstrained", "--log", "nextpnr.log"]);
    run::checked(nextpnr).with_context(|| format!("see {}", folder.join("nextpnr.log").display()))?;
    Report::read(&folder.join(report))
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
            (name, true) if name.starts_with("clock") => "clock".into(),
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
