// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the pins of an LPF are those of the wrapper: nextpnr would only say so after synthesis.

use super::board::Board;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::fs;

/// Compares the ports of a board's top with the pins that its LPF places.
///
/// # Errors
/// Ports without a pin, pins without a port, a pin that is used twice, a pin without an electrical standard; by name.
pub fn check(board: &Board) -> Result<()> {
    let wrapper = board.sources().next().context("a board needs a wrapper: `sources` is empty")?;
    let read =
        |path: &std::path::Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let ports = ports(&read(&wrapper)?, &board.top).with_context(|| format!("{}", wrapper.display()))?;
    compare(&ports, &read(&board.pins())?).with_context(|| format!("{}", board.pins().display()))
}

fn compare(ports: &BTreeSet<String>, lpf: &str) -> Result<()> {
    let mut sites = BTreeSet::new();
    let mut placed = BTreeSet::new();
    for line in lpf.lines().filter(|line| line.starts_with("LOCATE COMP ")) {
        let names: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        let [port, site] = names[..] else { bail!("not LOCATE COMP \"port\" SITE \"site\": {line}") };
        if !sites.insert(site) {
            bail!("site {site} is used twice, the second time for {port}");
        }
        placed.insert(port.to_owned());
    }
    let list = |names: Vec<&String>| names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let without_pin = list(ports.difference(&placed).collect());
    if !without_pin.is_empty() {
        bail!("ports without a pin: {without_pin}; each needs LOCATE COMP and IOBUF PORT");
    }
    let without_port = list(placed.difference(ports).collect());
    if !without_port.is_empty() {
        bail!("pins of ports that the wrapper does not have: {without_port}");
    }
    let standard = |port: &&String| lpf.contains(&format!("IOBUF PORT \"{port}\" IO_TYPE="));
    let without_standard = list(ports.iter().filter(|port| !standard(port)).collect());
    if !without_standard.is_empty() {
        bail!("ports without IOBUF PORT … IO_TYPE: {without_standard}");
    }
    Ok(())
}

/// The ports of `module top`, bit by bit: `led[3]`. They stand one to a line in the module's head.
fn ports(verilog: &str, top: &str) -> Result<BTreeSet<String>> {
    let head = verilog.split(&format!("module {top} (\n")).nth(1).and_then(|rest| rest.split("\n);").next());
    let head = head.with_context(|| format!("no `module {top} (` with a port to a line"))?;
    let mut ports = BTreeSet::new();
    for line in head.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["input" | "output" | "inout", name] => {
                ports.insert(name.to_owned());
            }
            ["input" | "output" | "inout", range, name] => {
                let high = range.strip_prefix('[').and_then(|range| range.strip_suffix(":0]"));
                let high: usize =
                    high.and_then(|high| high.parse().ok()).with_context(|| format!("not a port: {line}"))?;
                ports.extend((0..=high).map(|bit| format!("{name}[{bit}]")));
            }
            _ => bail!("not a port: {line}"),
        }
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LPF: &str = "LOCATE COMP \"a\" SITE \"A1\";\nIOBUF PORT \"a\" IO_TYPE=LVDS;\n\
                       LOCATE COMP \"b[0]\" SITE \"B1\";\nIOBUF PORT \"b[0]\" IO_TYPE=LVDS;\n\
                       LOCATE COMP \"b[1]\" SITE \"B2\";\nIOBUF PORT \"b[1]\" IO_TYPE=LVDS;\n";

    #[test]
    fn pins_and_ports_have_to_be_the_same() {
        let ports = ports("// x\nmodule t (\n    input  a,\n\n    output [1:0] b\n);\nendmodule\n", "t").unwrap();
        compare(&ports, LPF).unwrap();
        let refused = |lpf: &str| compare(&ports, lpf).unwrap_err().to_string();
        assert!(refused(&LPF.replace("LOCATE COMP \"b[1]\"", "# ")).starts_with("ports without a pin: b[1];"));
        assert!(refused(&format!("{LPF}LOCATE COMP \"c\" SITE \"C1\";\n")).ends_with("does not have: c"));
        assert!(refused(&LPF.replace("B2", "A1")).starts_with("site A1 is used twice"));
        assert!(refused(&LPF.replace("PORT \"a\" IO_TYPE", "PORT \"a\" PULLMODE")).ends_with("IO_TYPE: a"));
    }
}
