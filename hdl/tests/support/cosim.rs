// SPDX-License-Identifier: MIT OR Apache-2.0
//! Co-simulation: the same rows of inputs through several Verilog designs at once, in one Verilator model, compared with
//! the outputs that the rows expect.

use super::tools::{DESIGN, Folder, verilator};
use num_bigint::BigUint;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

/// A port of the designs.
#[derive(Clone)]
pub struct Port {
    pub name: String,
    /// In bits.
    pub width: usize,
}

impl Port {
    pub fn new(name: &str, width: usize) -> Self {
        Port { name: name.into(), width }
    }
}

/// A Verilog text and the name of its top module.
pub struct Design<'a> {
    pub top: &'a str,
    pub verilog: &'a str,
}

/// The values of all inputs, then all outputs, for each step in time.
pub struct Rows {
    /// The clock that rises once after each row's outputs were compared; it is no input of the rows.
    pub clock: Option<&'static str>,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    pub rows: Vec<Vec<BigUint>>,
}

/// How many rows were wrong, by design and output, with only those that were wrong in some row.
pub type Mismatches = BTreeMap<(String, String), usize>;

/// Runs every row through every design.
///
/// # Panics
/// If Verilator does not accept a design or is not installed.
pub fn cosimulate(designs: &[Design], rows: &Rows) -> Mismatches {
    let all: Vec<&str> = designs.iter().map(|d| d.verilog).collect();
    let folder = Folder::with(&all.join("\n"));
    folder.write("bench.v", &bench(designs, rows));
    folder.write("rows.hex", &hex(rows));
    let mut build = Command::new(verilator());
    build.args([
        "--binary",
        "-O0",
        "-Wno-lint",
        "-Wno-style",
        "-Wno-fatal",
        "--top-module",
        "bench",
        DESIGN,
        "bench.v",
    ]);
    folder.run(build);
    let output = folder.run(Command::new(folder.path("obj_dir/Vbench")));
    assert!(output.contains(&format!("rows {}", rows.rows.len())), "the bench did not end:\n{output}");
    output.lines().filter_map(mismatch).collect()
}

/// Yosys's gate-level netlist of a design, flat, as module `name`.
///
/// # Panics
/// If Yosys does not accept the design or is not installed.
pub fn netlist(design: &Design, name: &str) -> String {
    let folder = Folder::with(design.verilog);
    folder.yosys(&format!(
        "read_verilog {DESIGN}; synth -flatten -top {}; rename -top {name}; write_verilog -noattr netlist.v",
        design.top
    ));
    folder.read("netlist.v")
}

/// `wrong top.port 17`
fn mismatch(line: &str) -> Option<((String, String), usize)> {
    let mut words = line.strip_prefix("wrong ")?.split_whitespace();
    let (design, port) = words.next()?.split_once('.')?;
    Some(((design.into(), port.into()), words.next()?.parse().ok()?))
}

/// One row per line, first input in the least significant bits.
fn hex(rows: &Rows) -> String {
    let ports: Vec<&Port> = rows.inputs.iter().chain(&rows.outputs).collect();
    let mut text = String::new();
    for row in &rows.rows {
        assert_eq!(row.len(), ports.len(), "a value for each port");
        let mut word = BigUint::default();
        let mut offset = 0;
        for (value, port) in row.iter().zip(&ports) {
            assert!(value.bits() as usize <= port.width, "{value} is too wide for {}", port.name);
            word |= value << offset;
            offset += port.width;
        }
        writeln!(text, "{word:x}").expect("a string");
    }
    text
}

fn bench(designs: &[Design], rows: &Rows) -> String {
    let mut text = String::from("module bench;\n");
    let width: usize = rows.inputs.iter().chain(&rows.outputs).map(|p| p.width).sum();
    let depth = rows.rows.len();
    writeln!(text, "  reg [{}:0] rows [0:{}];\n  reg [{}:0] row;\n  integer i;", width - 1, depth - 1, width - 1)
        .unwrap();
    let mut connections: Vec<String> = vec![];
    if let Some(clock) = rows.clock {
        writeln!(text, "  reg {clock} = 0;").unwrap();
        connections.push(format!(".{clock}({clock})"));
    }
    let mut offset = 0;
    for port in &rows.inputs {
        writeln!(text, "  wire [{}:0] {} = row[{offset} +: {}];", port.width - 1, port.name, port.width).unwrap();
        connections.push(format!(".{0}({0})", port.name));
        offset += port.width;
    }
    let mut compare = String::new();
    let mut report = String::new();
    for design in designs {
        let mut all = connections.clone();
        let mut at = offset;
        for port in &rows.outputs {
            let wire = format!("{}_{}", design.top, port.name);
            writeln!(text, "  wire [{}:0] {wire};\n  integer wrong_{wire} = 0;", port.width - 1).unwrap();
            all.push(format!(".{}({wire})", port.name));
            writeln!(compare, "      if ({wire} !== row[{at} +: {}]) wrong_{wire} = wrong_{wire} + 1;", port.width)
                .unwrap();
            writeln!(
                report,
                "    if (wrong_{wire} != 0) $display(\"wrong {}.{} %0d\", wrong_{wire});",
                design.top, port.name
            )
            .unwrap();
            at += port.width;
        }
        writeln!(text, "  {0} dut_{0} ({1});", design.top, all.join(", ")).unwrap();
    }
    let edge = rows.clock.map_or(String::new(), |clock| format!("      {clock} = 1; #1; {clock} = 0; #1;\n"));
    write!(
        text,
        "  initial begin\n    $readmemh(\"rows.hex\", rows);\n    for (i = 0; i < {depth}; i = i + 1) begin\n      row = rows[i];\n      #1;\n{compare}{edge}    end\n{report}    $display(\"rows %0d\", i);\n    $finish;\n  end\nendmodule\n"
    )
    .unwrap();
    text
}
