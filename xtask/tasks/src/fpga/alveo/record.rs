// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the build scripts asked of Vivado, as `vivado.tcl` wrote it down, and whether the design is thereby constrained.

use super::netlist::{End, Netlist, Pad};
use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A constraint on paths from any of `from` to any of `to`; an empty set is everything.
pub struct Exception {
    kind: String,
    from: BTreeSet<String>,
    to: BTreeSet<String>,
}

/// The record of a run.
#[derive(Default)]
pub struct Record {
    /// Port → its properties.
    ports: BTreeMap<String, BTreeMap<String, String>>,
    /// Ports with a clock.
    clocks: BTreeSet<String>,
    exceptions: Vec<Exception>,
    /// Verilog that was read.
    pub verilog: BTreeSet<PathBuf>,
    step: String,
    bitstream: bool,
}

fn names(list: &str) -> BTreeSet<String> {
    // Tcl braces names with brackets in lists.
    list.split_whitespace().map(|name| name.trim_start_matches('{').trim_end_matches('}').to_owned()).collect()
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// On a line that is none of `vivado.tcl`'s.
    pub fn read(text: &str) -> Result<Self> {
        let mut record = Self::default();
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["port", port, property, value] => {
                    record.ports.entry(port.into()).or_default().insert(property.into(), value.into());
                }
                ["clock", port, _] => {
                    record.clocks.insert(port.into());
                }
                [kind @ ("false_path" | "max_delay" | "bus_skew"), from, to, _] => {
                    record.exceptions.push(Exception { kind: kind.into(), from: names(from), to: names(to) });
                }
                ["verilog", path] => {
                    record.verilog.insert(path.into());
                }
                ["bitstream", _] => record.bitstream = true,
                ["step", step] => record.step = step.into(),
                ["design" | "ip" | "part", ..] => {}
                _ => bail!("not a line of the record: {line}"),
            }
        }
        Ok(record)
    }

    /// Whether the build went to its end, and pins, inputs and outputs, and all paths between clocks are constrained, by constraints that each
    /// have something to constrain.
    ///
    /// # Errors
    /// With everything that is not so.
    pub fn judge(&self, netlist: &Netlist) -> Result<()> {
        let mut faults = vec![];
        if self.step != "route" || !self.bitstream {
            faults.push(format!("the build ends at `{}` without a bitstream", self.step));
        }
        self.judge_pins(netlist, &mut faults);
        self.judge_ports(netlist, &mut faults);
        self.judge_crossings(netlist, &mut faults);
        self.judge_exceptions(netlist, &mut faults);
        if !faults.is_empty() {
            bail!("{}", faults.join("\n"));
        }
        Ok(())
    }

    fn judge_pins(&self, netlist: &Netlist, faults: &mut Vec<String>) {
        let mut used: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, port) in &netlist.ports {
            let property = |property: &str| self.ports.get(name).and_then(|of| of.get(property)).map(String::as_str);
            match (port.pad, property("PACKAGE_PIN"), property("IOSTANDARD")) {
                (Pad::Lane, None, None) | (Pad::Reference, Some(_), None) | (Pad::Plain, Some(_), Some(_)) => {}
                (Pad::Lane, ..) => faults.push(format!("{name}: a transceiver's lane has its pin from its IP block")),
                (Pad::Reference, _, Some(_)) => {
                    faults.push(format!("{name}: a transceiver's reference clock has no IOSTANDARD"));
                }
                (_, None, _) => faults.push(format!("{name} has no PACKAGE_PIN")),
                (Pad::Plain, _, None) => faults.push(format!("{name} has no IOSTANDARD")),
            }
            if let Some(pin) = property("PACKAGE_PIN")
                && let Some(other) = used.insert(pin, name)
            {
                faults.push(format!("pin {pin} is both {other} and {name}"));
            }
        }
    }

    /// Inputs and outputs are clocks, pads of transceivers, or of no clock.
    fn judge_ports(&self, netlist: &Netlist, faults: &mut Vec<String>) {
        for (name, port) in netlist.ports.iter().filter(|(_, port)| port.pad == Pad::Plain) {
            let other_half = name.strip_suffix("_n").map(|stem| format!("{stem}_p"));
            if self.clocks.contains(name) || other_half.is_some_and(|half| self.clocks.contains(&half)) {
                continue;
            }
            let mut untimed = self.exceptions.iter().filter(|exception| exception.kind == "false_path");
            if !untimed.any(|e| if port.input { e.from.contains(name) } else { e.to.contains(name) }) {
                faults.push(format!("{name} is neither a clock nor on a false path"));
            }
        }
        for clock in &self.clocks {
            if !netlist.ports.get(clock).is_some_and(|port| port.input) {
                faults.push(format!("{clock} has a clock, but is no input"));
            }
        }
    }

    fn judge_crossings(&self, netlist: &Netlist, faults: &mut Vec<String>) {
        for crossing in &netlist.crossings {
            let (end, starts) = (&crossing.end, &crossing.starts);
            let covered = |kind: &[&str]| {
                starts.iter().all(|start| {
                    self.exceptions.iter().any(|e| {
                        kind.contains(&e.kind.as_str())
                            && e.to.contains(end)
                            && (e.from.is_empty() || e.from.contains(start))
                    })
                })
            };
            let first = starts.first().map_or("", String::as_str);
            let needed: &[&str] = match crossing.end_is {
                End::Reset => &["false_path"],
                _ => &["max_delay", "false_path"],
            };
            if !covered(needed) {
                faults.push(format!("the path from {first} to {end} crosses between clocks without a constraint"));
            } else if crossing.end_is == (End::Synchroniser { bus: true }) && !covered(&["bus_skew"]) {
                faults.push(format!("the path from {first} to {end} is one of several bits without a bus skew"));
            }
            // A word waits in LUT RAM for its pointer; everything else needs a synchroniser.
            if crossing.end_is == End::Other && !starts.iter().all(|start| start.contains("/mem_reg")) {
                faults.push(format!("{end} takes {first} over from another clock without a synchroniser"));
            }
        }
    }

    /// A constraint that no path has is a mistake in it.
    fn judge_exceptions(&self, netlist: &Netlist, faults: &mut Vec<String>) {
        for exception in &self.exceptions {
            let is_port = |name: &String| netlist.ports.contains_key(name);
            for port in exception.from.iter().filter(|name| is_port(name)) {
                if !netlist.ports[port].input {
                    faults.push(format!("{} from {port}, which is an output", exception.kind));
                }
            }
            for port in exception.to.iter().filter(|name| is_port(name)) {
                if netlist.ports[port].input {
                    faults.push(format!("{} to {port}, which is an input", exception.kind));
                }
            }
            if exception.from.iter().chain(&exception.to).any(is_port) {
                continue;
            }
            let constrains = netlist.crossings.iter().any(|crossing| {
                exception.to.contains(&crossing.end)
                    && (exception.from.is_empty() || crossing.starts.iter().any(|start| exception.from.contains(start)))
            });
            if !constrains {
                let what = exception.to.first().or(exception.from.first()).map_or("", String::as_str);
                faults.push(format!("{} at {what} constrains no path between clocks", exception.kind));
            }
        }
    }

    /// How many pins and constraints there are.
    pub fn size(&self) -> (usize, usize) {
        (self.ports.values().filter(|of| of.contains_key("PACKAGE_PIN")).count(), self.exceptions.len())
    }
}

/// Compares what the script read with what was elaborated.
///
/// # Errors
/// With a file that is in one alone.
pub fn same_files(read: &BTreeSet<PathBuf>, elaborated: &BTreeSet<PathBuf>) -> Result<()> {
    match read.symmetric_difference(elaborated).next() {
        None => Ok(()),
        Some(file) if read.contains(file) => {
            bail!("build.tcl reads {}, which is no part of the design", file.display())
        }
        Some(file) => bail!("build.tcl does not read {}", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::netlist::tests::sample;
    use super::*;

    /// A record under which the sample of `netlist` is constrained.
    const GOOD: &str = "part\txcu50\n\
        port\ta\tPACKAGE_PIN\tA1\nport\ta\tIOSTANDARD\tLVCMOS18\nport\tb\tPACKAGE_PIN\tA2\nport\tb\tIOSTANDARD\tLVCMOS18\n\
        port\td\tPACKAGE_PIN\tA3\nport\td\tIOSTANDARD\tLVCMOS18\nport\tq[0]\tPACKAGE_PIN\tA4\nport\tq[0]\tIOSTANDARD\tLVCMOS18\n\
        port\tq[1]\tPACKAGE_PIN\tA5\nport\tq[1]\tIOSTANDARD\tLVCMOS18\n\
        clock\ta\t4.0\nclock\tb\t3.1\n\
        false_path\td\t\t\nfalse_path\t\t{q[0]} {q[1]}\t\n\
        max_delay\tu/first_reg/C\t{seen_reg[0]/D}\t3.1\nbus_skew\tu/first_reg/C\t{seen_reg[0]/D}\t3.1\n\
        false_path\t\t{held_reg[0]/CLR} {held_reg[1]/CLR}\t\nfalse_path\td\tu/first_reg/D\t\n\
        verilog\ttop.v\nstep\troute\nbitstream\ttop.bit\n";

    /// What the sample's netlist lacks in a record; the input `d` goes into a register without a synchroniser in any.
    fn faults(record: &str) -> Vec<String> {
        let faults = Record::read(record).unwrap().judge(&sample()).unwrap_err().to_string();
        faults.lines().filter(|fault| !fault.starts_with("u/first_reg/D takes d over")).map(str::to_owned).collect()
    }

    #[test]
    fn a_constrained_design_has_no_fault_but_its_own() {
        assert_eq!(faults(GOOD), [""; 0]);
        let fault = Record::read(GOOD).unwrap().judge(&sample()).unwrap_err().to_string();
        assert_eq!(fault, "u/first_reg/D takes d over from another clock without a synchroniser");
    }

    #[test]
    fn each_line_that_is_left_out_is_missed() {
        for (without, fault) in [
            ("port\tq[0]\tPACKAGE_PIN\tA4\n", "q[0] has no PACKAGE_PIN"),
            ("port\td\tIOSTANDARD\tLVCMOS18\n", "d has no IOSTANDARD"),
            ("clock\tb\t3.1\n", "b is neither a clock nor on a false path"),
            ("false_path\t\t{q[0]} {q[1]}\t\n", "q[0] is neither a clock nor on a false path"),
            (
                "max_delay\tu/first_reg/C\t{seen_reg[0]/D}\t3.1\n",
                "the path from u/first_reg/C to seen_reg[0]/D crosses between clocks without a constraint",
            ),
            (
                "bus_skew\tu/first_reg/C\t{seen_reg[0]/D}\t3.1\n",
                "the path from u/first_reg/C to seen_reg[0]/D is one of several bits without a bus skew",
            ),
            (
                "false_path\t\t{held_reg[0]/CLR} {held_reg[1]/CLR}\t\n",
                "the path from d to held_reg[0]/CLR crosses between clocks without a constraint",
            ),
            ("bitstream\ttop.bit\n", "the build ends at `route` without a bitstream"),
        ] {
            assert_eq!(GOOD.matches(without).count(), 1, "{without}");
            assert_eq!(faults(&GOOD.replace(without, "")).first().map(String::as_str), Some(fault));
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_fault() {
        for (line, fault) in [
            ("port\tq[1]\tPACKAGE_PIN\tA4\n", "pin A4 is both q[0] and q[1]"),
            ("clock\tq[0]\t5.0\n", "q[0] has a clock, but is no input"),
            ("false_path\tq[0]\t\t\n", "false_path from q[0], which is an output"),
            ("max_delay\t\td\t1.0\n", "max_delay to d, which is an input"),
            ("max_delay\t\tseen_reg[1]/D\t3.1\n", "max_delay at seen_reg[1]/D constrains no path between clocks"),
        ] {
            assert_eq!(faults(&format!("{GOOD}{line}")), [fault]);
        }
        let error = Record::read("port\ta\n").err().unwrap().to_string();
        assert_eq!(error, "not a line of the record: port\ta");
    }

    #[test]
    fn files_of_the_script_and_of_the_design_are_the_same() {
        let files = |names: &[&str]| names.iter().map(PathBuf::from).collect::<BTreeSet<_>>();
        assert!(same_files(&files(&["a.v", "b.v"]), &files(&["b.v", "a.v"])).is_ok());
        let extra = same_files(&files(&["a.v", "b.v"]), &files(&["a.v"])).unwrap_err().to_string();
        assert_eq!(extra, "build.tcl reads b.v, which is no part of the design");
        let missing = same_files(&files(&["a.v"]), &files(&["a.v", "b.v"])).unwrap_err().to_string();
        assert_eq!(missing, "build.tcl does not read b.v");
    }
}
