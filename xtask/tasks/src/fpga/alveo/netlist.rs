// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Yosys elaborated, by the names that Vivado gives: ports, registers, IP blocks, and what crosses between clocks.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write as _;

/// Yosys's JSON, as far as it is looked at.
#[derive(Deserialize)]
struct Design {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
struct Module {
    ports: BTreeMap<String, RawPort>,
    cells: BTreeMap<String, RawCell>,
    netnames: BTreeMap<String, Net>,
}

#[derive(Deserialize)]
struct RawPort {
    direction: String,
    bits: Vec<Value>,
}

#[derive(Deserialize)]
struct RawCell {
    #[serde(rename = "type")]
    kind: String,
    parameters: BTreeMap<String, Value>,
    attributes: BTreeMap<String, Value>,
    port_directions: BTreeMap<String, String>,
    connections: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
struct Net {
    bits: Vec<Value>,
    attributes: BTreeMap<String, Value>,
}

/// What a pin of an IP block or primitive says of itself in `black_boxes.v`.
#[derive(Clone, Default)]
struct PinFacts {
    clock: Option<String>,
    pad: Option<String>,
    period: Option<String>,
}

/// What a port of the top is wired to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pad {
    /// A pin of its own, with an I/O standard.
    Plain,
    /// A reference clock of transceivers: a pin, and no I/O standard.
    Reference,
    /// A lane of transceivers, whose pin follows from the site of its IP block.
    Lane,
}

/// A bit of a port of the top.
pub struct Port {
    pub input: bool,
    pub pad: Pad,
}

/// What a path between clocks ends at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// A register with `ASYNC_REG`; whether of several bits.
    Synchroniser { bus: bool },
    /// An asynchronous preset or clear.
    Reset,
    /// Anything else.
    Other,
}

/// The end of a path that starts at another clock.
pub struct Crossing {
    /// As `a/b_reg[0]/D`.
    pub end: String,
    /// Clock pins of registers and RAMs, pins of IP blocks, or ports, with a clock other than the end's.
    pub starts: BTreeSet<String>,
    /// What the end is.
    pub end_is: End,
}

/// The elaborated design.
pub struct Netlist {
    pub top: String,
    pub ports: BTreeMap<String, Port>,
    /// Cell → its module, and its pins.
    cells: BTreeMap<String, (String, Vec<String>)>,
    pub crossings: Vec<Crossing>,
    /// Pin → the net that clocks it; net → ns.
    clock_at: BTreeMap<String, String>,
    periods: BTreeMap<String, String>,
    /// IP blocks, and ports that their own constraints define clocks at.
    ip_modules: BTreeSet<String>,
    ip_clock_ports: BTreeSet<String>,
}

/// Where a bit comes from.
#[derive(Clone)]
enum Source {
    Port(String),
    /// Of a cell: its name, its output and the bit of it.
    Cell(String, String, usize),
}

struct Reader<'a> {
    /// All modules, before the design was flattened.
    design: &'a Design,
    module: &'a Module,
    /// The core: all its pins belong to its `clock`.
    core: &'a str,
    sources: HashMap<u64, Source>,
    /// Register cell → Vivado's name of each bit.
    registers: BTreeMap<&'a str, Vec<String>>,
    /// Bits of variables with `ASYNC_REG`.
    synchronisers: HashSet<u64>,
    clocks: HashMap<u64, BTreeSet<String>>,
}

/// Reads the design `top`, whose core is the black box `core`: its modules, and the flattened whole, as Yosys writes them.
///
/// # Errors
/// If it is not of the form that Yosys writes.
pub fn read(modules: &str, flat: &str, top: &str, core: &str) -> Result<Netlist> {
    let design: Design = serde_json::from_str(modules).context("Yosys's JSON")?;
    let flat: Design = serde_json::from_str(flat).context("Yosys's JSON")?;
    let module = flat.modules.get(top).with_context(|| format!("Yosys's JSON has no module {top}"))?;
    let mut reader = Reader {
        design: &design,
        module,
        core,
        sources: HashMap::new(),
        registers: BTreeMap::new(),
        synchronisers: HashSet::new(),
        clocks: HashMap::new(),
    };
    reader.find_sources();
    reader.name_registers()?;
    reader.netlist(top)
}

fn number(bit: &Value) -> Option<u64> {
    bit.as_u64()
}

/// `[3]`, or nothing for a single bit.
fn index(name: &str, width: usize, bit: usize) -> String {
    if width == 1 { name.into() } else { format!("{name}[{bit}]") }
}

fn text<'a>(attributes: &'a BTreeMap<String, Value>, name: &str) -> Option<&'a str> {
    attributes.get(name).and_then(Value::as_str)
}

/// Yosys's path `a.b` as Vivado's `a/b`; `hdlname` tells dots of generate blocks apart.
fn path(name: &str, cell: &RawCell) -> String {
    match text(&cell.attributes, "hdlname") {
        Some(parts) => parts.replace(' ', "/"),
        None => name.replace('.', "/"),
    }
}

impl<'a> RawCell {
    fn is_register(&self) -> bool {
        self.kind.starts_with('$') && self.kind.contains("dff")
    }
    fn is_memory(&self) -> bool {
        self.kind.starts_with("$mem")
    }
    fn is_logic(&self) -> bool {
        self.kind.starts_with('$') && !self.is_register() && !self.is_memory() && self.kind != "$scopeinfo"
    }
    fn bits(&'a self, port: &str) -> &'a [Value] {
        self.connections.get(port).map_or(&[], Vec::as_slice)
    }
    fn inputs(&'a self) -> impl Iterator<Item = (&'a String, &'a Vec<Value>)> {
        self.connections.iter().filter(|(port, _)| self.port_directions.get(*port).is_some_and(|d| d == "input"))
    }
    fn outputs(&'a self) -> impl Iterator<Item = (&'a String, &'a Vec<Value>)> {
        self.connections.iter().filter(|(port, _)| self.port_directions.get(*port).is_some_and(|d| d == "output"))
    }
}

impl<'a> Reader<'a> {
    fn find_sources(&mut self) {
        for (name, port) in &self.module.ports {
            if port.direction != "output" {
                for (bit, id) in port.bits.iter().enumerate() {
                    let Some(id) = number(id) else { continue };
                    self.sources.insert(id, Source::Port(index(name, port.bits.len(), bit)));
                }
            }
        }
        for (name, cell) in &self.module.cells {
            for (port, bits) in cell.outputs() {
                for (bit, id) in bits.iter().enumerate() {
                    let Some(id) = number(id) else { continue };
                    self.sources.insert(id, Source::Cell(name.clone(), port.clone(), bit));
                }
            }
        }
    }

    /// Gives each register the name of the variable it was made from: of the nets at its output, the one in its own module that is no port.
    fn name_registers(&mut self) -> Result<()> {
        let mut names: HashMap<u64, Vec<(&str, usize, usize)>> = HashMap::new();
        for (name, net) in self.module.netnames.iter().filter(|(name, _)| !name.starts_with('$')) {
            if net.attributes.contains_key("ASYNC_REG") {
                self.synchronisers.extend(net.bits.iter().filter_map(number));
            }
            for (bit, id) in net.bits.iter().enumerate().filter_map(|(bit, id)| Some((bit, number(id)?))) {
                names.entry(id).or_default().push((name, net.bits.len(), bit));
            }
        }
        let scopes: HashMap<&str, &str> = self
            .module
            .cells
            .iter()
            .filter(|(_, cell)| cell.kind == "$scopeinfo")
            .filter_map(|(name, cell)| Some((name.as_str(), text(&cell.attributes, "module")?)))
            .collect();
        for (name, cell) in self.module.cells.iter().filter(|(_, cell)| cell.is_register()) {
            // `$flatten\a.\b.$procdff$7` lies in `a.b`.
            let scope = name.strip_prefix("$flatten").map_or_else(String::new, |rest| {
                let parts = rest.split_once('$').map_or(rest, |(scope, _)| scope);
                parts.replace('\\', "").trim_end_matches('.').to_owned()
            });
            let ports = scopes.get(scope.as_str()).and_then(|module| self.design.modules.get(*module));
            let mut bits = vec![];
            for id in cell.bits("Q") {
                let known = number(id).and_then(|id| names.get(&id)).map_or(&[][..], Vec::as_slice);
                let local = |full: &str| -> Option<String> {
                    let rest = if scope.is_empty() { full } else { full.strip_prefix(&scope)?.strip_prefix('.')? };
                    (!rest.contains('.')).then(|| rest.to_owned())
                };
                let is_port = |variable: &str| ports.is_some_and(|m| m.ports.contains_key(variable));
                let mut of_scope: Vec<(bool, String, usize, usize)> = known
                    .iter()
                    .filter_map(|(full, width, bit)| local(full).map(|v| (is_port(&v), v, *width, *bit)))
                    .collect();
                of_scope.sort();
                let (_, variable, width, bit) =
                    of_scope.into_iter().next().with_context(|| format!("register {name} has no name of its own"))?;
                let prefix = if scope.is_empty() { String::new() } else { scope.replace('.', "/") + "/" };
                bits.push(format!("{prefix}{}", index(&(variable + "_reg"), width, bit)));
            }
            self.registers.insert(name, bits);
        }
        Ok(())
    }

    /// What `black_boxes.v` says of a pin.
    fn facts(&self, module: &str, pin: &str) -> PinFacts {
        if module == self.core {
            return PinFacts { clock: (pin != "clock").then(|| "clock".into()), ..Default::default() };
        }
        let net = self.design.modules.get(module).and_then(|m| m.netnames.get(pin));
        let fact = |name: &str| net.and_then(|net| text(&net.attributes, name)).map(str::to_owned);
        PinFacts { clock: fact("clock"), pad: fact("pad"), period: fact("period") }
    }

    /// The name of the net that a bit is of: its driver's.
    fn net(&self, bit: &Value) -> Result<String> {
        let id = number(bit).context("a clock pin is constant")?;
        match self.sources.get(&id) {
            Some(Source::Port(name)) => Ok(name.clone()),
            Some(Source::Cell(cell, port, bit)) => {
                let raw = &self.module.cells[cell];
                Ok(format!("{}/{}", path(cell, raw), index(port, raw.bits(port).len(), *bit)))
            }
            None => bail!("a clock pin has no driver"),
        }
    }

    /// The net that clocks what a pin of a black box takes or gives.
    fn clock_of_pin(&self, cell: &RawCell, pin: &str) -> Result<Option<String>> {
        let Some(clock) = self.facts(&cell.kind, pin).clock else { return Ok(None) };
        let bits = cell.bits(&clock);
        let bit = bits.first().with_context(|| format!("{}: its clock {clock} is not connected", cell.kind))?;
        self.net(bit).map(Some)
    }

    /// A path's start, and its clock: none for what has no clock.
    fn start(&self, source: &Source) -> Result<Option<(String, Option<String>)>> {
        let Source::Cell(name, port, bit) = source else {
            let Source::Port(name) = source else { unreachable!() };
            return Ok(Some((name.clone(), None)));
        };
        let cell = &self.module.cells[name];
        Ok(match () {
            _ if cell.is_register() => {
                Some((format!("{}/C", self.registers[name.as_str()][*bit]), Some(self.net(&cell.bits("CLK")[0])?)))
            }
            _ if cell.is_memory() => {
                Some((format!("{}/CLK", memory(name, cell)), Some(self.net(&cell.bits("WR_CLK")[0])?)))
            }
            _ if cell.is_logic() => None,
            _ => {
                let pin = format!("{}/{}", path(name, cell), index(port, cell.bits(port).len(), *bit));
                Some((pin, self.clock_of_pin(cell, port)?))
            }
        })
    }

    /// The bits that bit `bit` of output `port` of a logic cell or a memory's asynchronous read depends on.
    fn causes(&self, cell: &'a RawCell, bit: usize) -> Vec<&'a Value> {
        let bitwise = matches!(cell.kind.as_str(), "$and" | "$or" | "$xor" | "$xnor" | "$not" | "$pos" | "$mux");
        let of = |(port, bits): (&String, &'a Vec<Value>)| -> Vec<&'a Value> {
            if bitwise && port != "S" { bits.get(bit).into_iter().collect() } else { bits.iter().collect() }
        };
        if cell.is_memory() { cell.bits("RD_ADDR").iter().collect() } else { cell.inputs().flat_map(of).collect() }
    }

    /// The clocks of all that a bit depends on.
    fn clocks(&mut self, bit: &Value) -> Result<BTreeSet<String>> {
        let Some(id) = number(bit) else { return Ok(BTreeSet::new()) };
        if let Some(known) = self.clocks.get(&id) {
            return Ok(known.clone());
        }
        // A loop through logic would not end; `check -assert` has found any.
        let Some(source) = self.sources.get(&id).cloned() else { return Ok(BTreeSet::new()) };
        let mut clocks = BTreeSet::new();
        if let Some((start, clock)) = self.start(&source)? {
            clocks.insert(clock.unwrap_or(start));
        }
        if let Source::Cell(name, _, bit) = &source {
            let cell = &self.module.cells[name];
            if cell.is_logic() || cell.is_memory() {
                for cause in self.causes(cell, *bit) {
                    clocks.extend(self.clocks(cause)?);
                }
            }
        }
        self.clocks.insert(id, clocks.clone());
        Ok(clocks)
    }

    /// All starts of paths to a bit whose clock is not `clock`.
    fn starts(&self, bit: &Value, clock: &str) -> Result<BTreeSet<String>> {
        let (mut starts, mut seen, mut open) = (BTreeSet::new(), HashSet::new(), vec![bit]);
        while let Some(bit) = open.pop() {
            let Some(id) = number(bit) else { continue };
            let Some(source) = self.sources.get(&id) else { continue };
            if !seen.insert(id) {
                continue;
            }
            if let Some((start, at)) = self.start(source)?
                && at.as_deref() != Some(clock)
            {
                starts.insert(start);
            }
            if let Source::Cell(name, _, bit) = source {
                let cell = &self.module.cells[name];
                if cell.is_logic() || cell.is_memory() {
                    open.extend(self.causes(cell, *bit));
                }
            }
        }
        Ok(starts)
    }

    fn netlist(&mut self, top: &str) -> Result<Netlist> {
        let mut netlist = Netlist {
            top: top.into(),
            ports: BTreeMap::new(),
            cells: BTreeMap::new(),
            crossings: vec![],
            clock_at: BTreeMap::new(),
            periods: BTreeMap::new(),
            ip_modules: BTreeSet::new(),
            ip_clock_ports: BTreeSet::new(),
        };
        for (name, cell) in &self.module.cells {
            match () {
                _ if cell.kind == "$scopeinfo" => {
                    let module = text(&cell.attributes, "module_hdlname")
                        .or(text(&cell.attributes, "module"))
                        .unwrap_or_default();
                    netlist.cells.insert(path(name, cell), (module.into(), vec![]));
                }
                _ if cell.is_register() => self.add_register(&mut netlist, name, cell)?,
                _ if cell.is_memory() => self.add_memory(&mut netlist, name, cell)?,
                _ if cell.is_logic() => {}
                _ => self.add_black_box(&mut netlist, name, cell)?,
            }
        }
        self.add_ports(&mut netlist)?;
        Ok(netlist)
    }

    fn cross(&mut self, netlist: &mut Netlist, end: String, bit: &Value, clock: &str, end_is: End) -> Result<()> {
        if self.clocks(bit)?.iter().any(|other| other != clock) {
            let starts = self.starts(bit, clock)?;
            netlist.crossings.push(Crossing { end, starts, end_is });
        }
        Ok(())
    }

    fn add_register(&mut self, netlist: &mut Netlist, name: &str, cell: &RawCell) -> Result<()> {
        let clock = self.net(&cell.bits("CLK")[0])?;
        let names = self.registers[name].clone();
        let preset = cell.parameters.get("ARST_VALUE").and_then(Value::as_str).is_some_and(|v| v.contains('1'));
        let reset = cell.connections.get("ARST").and_then(|bits| bits.first());
        for (bit, register) in names.iter().enumerate() {
            let synchroniser = number(&cell.bits("Q")[bit]).is_some_and(|id| self.synchronisers.contains(&id));
            let end_is = if synchroniser { End::Synchroniser { bus: names.len() > 1 } } else { End::Other };
            let module = match (reset, preset) {
                (None, _) => "FDRE",
                (Some(_), true) => "FDPE",
                (Some(_), false) => "FDCE",
            };
            let mut pins: Vec<String> = ["C", "D"].map(|pin| format!("{register}/{pin}")).into();
            netlist.clock_at.insert(pins[0].clone(), clock.clone());
            self.cross(netlist, pins[1].clone(), &cell.bits("D")[bit], &clock, end_is)?;
            if let Some(reset) = reset {
                pins.push(format!("{register}/{}", if preset { "PRE" } else { "CLR" }));
                self.cross(netlist, pins[2].clone(), reset, &clock, End::Reset)?;
                // Even one of its own clock: recovery is not timed for what may come at any time.
                if netlist.crossings.last().is_none_or(|crossing| crossing.end != pins[2]) {
                    let starts = self.starts(reset, "")?;
                    netlist.crossings.push(Crossing { end: pins[2].clone(), starts, end_is: End::Reset });
                }
            }
            netlist.cells.insert(register.clone(), (module.into(), pins));
        }
        Ok(())
    }

    fn add_memory(&mut self, netlist: &mut Netlist, name: &str, cell: &RawCell) -> Result<()> {
        let clock = self.net(&cell.bits("WR_CLK")[0])?;
        let memory = memory(name, cell);
        for port in ["WR_ADDR", "WR_DATA", "WR_EN"] {
            for (bit, value) in cell.bits(port).iter().enumerate() {
                self.cross(netlist, format!("{memory}/{port}[{bit}]"), value, &clock, End::Other)?;
            }
        }
        netlist.clock_at.insert(format!("{memory}/CLK"), clock);
        netlist.cells.insert(memory.clone(), ("RAM32M16".into(), vec![format!("{memory}/CLK")]));
        Ok(())
    }

    fn add_black_box(&mut self, netlist: &mut Netlist, name: &str, cell: &RawCell) -> Result<()> {
        let full = path(name, cell);
        let mut pins = vec![];
        for (port, bits) in &cell.connections {
            let clock = self.clock_of_pin(cell, port)?;
            let facts = self.facts(&cell.kind, port);
            for (bit, value) in bits.iter().enumerate() {
                let pin = format!("{full}/{}", index(port, bits.len(), bit));
                let input = cell.port_directions.get(port).is_some_and(|d| d == "input");
                if let (true, Some(clock)) = (input, &clock) {
                    self.cross(netlist, pin.clone(), value, clock, End::Other)?;
                }
                if let Some(clock) = &clock {
                    netlist.clock_at.insert(pin.clone(), clock.clone());
                }
                if let (false, Some(period)) = (input, &facts.period) {
                    netlist.periods.insert(pin.clone(), period.clone());
                }
                pins.push(pin);
            }
        }
        if cell.kind.starts_with("xdma_") || cell.kind.starts_with("cmac_") {
            netlist.ip_modules.insert(cell.kind.clone());
        }
        netlist.cells.insert(full, (cell.kind.clone(), pins));
        Ok(())
    }

    fn add_ports(&mut self, netlist: &mut Netlist) -> Result<()> {
        // What each bit is wired to, for pads.
        let mut pads: HashMap<u64, Pad> = HashMap::new();
        let mut ip_clocks: HashSet<u64> = HashSet::new();
        for cell in self.module.cells.values() {
            for (port, bits) in &cell.connections {
                let pad = match self.facts(&cell.kind, port).pad.as_deref() {
                    Some("lane") => Pad::Lane,
                    Some("reference") => Pad::Reference,
                    Some(other) => bail!("black_boxes.v: pad `{other}` of {}.{port}: lane or reference", cell.kind),
                    None => continue,
                };
                for id in bits.iter().filter_map(number) {
                    pads.insert(id, pad);
                    if port == "gt_ref_clk_p" {
                        ip_clocks.insert(id);
                    }
                }
            }
        }
        for (name, port) in &self.module.ports {
            for (bit, id) in port.bits.iter().enumerate() {
                let full = index(name, port.bits.len(), bit);
                let id = number(id);
                let pad = id.and_then(|id| pads.get(&id)).copied().unwrap_or(Pad::Plain);
                if id.is_some_and(|id| ip_clocks.contains(&id)) {
                    netlist.ip_clock_ports.insert(full.clone());
                }
                netlist.ports.insert(full, Port { input: port.direction == "input", pad });
            }
        }
        Ok(())
    }
}

/// Vivado's name of a memory: that of the first of its LUT RAMs or block RAMs.
fn memory(name: &str, cell: &RawCell) -> String {
    format!("{}_reg_0_15_0_13", path(name, cell))
}

/// Quotes a word for Tcl.
fn word(text: &str) -> String {
    format!("{{{text}}}")
}

impl Netlist {
    /// The netlist for `vivado.tcl`, whose timing comes out with this slack in ns, and bus skews met or not.
    pub fn tcl(&self, slack: &str, skew: &str) -> String {
        let mut out = String::from("namespace eval design {\n");
        let mut array = |name: &str, pairs: Vec<(&str, &str)>| {
            let words: String = pairs.iter().map(|(key, value)| format!("{{{key}}} {{{value}}}\n")).collect();
            writeln!(out, "variable {name}\narray set {name} {{\n{words}}}").unwrap();
        };
        let direction = |port: &Port| if port.input { "in" } else { "out" };
        array("port", self.ports.iter().map(|(name, port)| (name.as_str(), direction(port))).collect());
        array("cell", self.cells.iter().map(|(name, (module, _))| (name.as_str(), module.as_str())).collect());
        let pins_of: Vec<(&str, String)> =
            self.cells.iter().map(|(name, (_, pins))| (name.as_str(), pins.join(" "))).collect();
        array("pins_of", pins_of.iter().map(|(name, pins)| (*name, pins.as_str())).collect());
        let pins = self.cells.iter().flat_map(|(name, (_, pins))| pins.iter().map(|pin| (pin.as_str(), name.as_str())));
        array("pin", pins.collect());
        let fanin: Vec<(&str, String)> = self
            .crossings
            .iter()
            .map(|c| (c.end.as_str(), c.starts.iter().map(String::as_str).collect::<Vec<_>>().join(" ")))
            .collect();
        array("fanin", fanin.iter().map(|(end, starts)| (*end, starts.as_str())).collect());
        array("clock_at", self.clock_at.iter().map(|(pin, clock)| (pin.as_str(), clock.as_str())).collect());
        array("period", self.periods.iter().map(|(clock, ns)| (clock.as_str(), ns.as_str())).collect());
        let list = |names: &BTreeSet<String>| word(&names.iter().map(String::as_str).collect::<Vec<_>>().join(" "));
        writeln!(out, "variable top {}", self.top).unwrap();
        writeln!(out, "variable ip_modules {}", list(&self.ip_modules)).unwrap();
        writeln!(out, "variable ip_clock_ports {}", list(&self.ip_clock_ports)).unwrap();
        writeln!(out, "variable slack {slack}\nvariable skew {skew}\n}}").unwrap();
        out
    }

    /// How many cells, crossings and clocks there are.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.cells.len(), self.crossings.len(), self.clock_at.values().collect::<BTreeSet<_>>().len())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    fn cell(kind: &str, inputs: &[(&str, Value)], outputs: &[(&str, Value)]) -> Value {
        let connections: serde_json::Map<_, _> =
            inputs.iter().chain(outputs).map(|(pin, bits)| (pin.to_string(), bits.clone())).collect();
        let directions: serde_json::Map<_, _> = inputs
            .iter()
            .map(|(pin, _)| (pin.to_string(), json!("input")))
            .chain(outputs.iter().map(|(pin, _)| (pin.to_string(), json!("output"))))
            .collect();
        json!({"type": kind, "parameters": {}, "attributes": {}, "port_directions": directions, "connections": connections})
    }

    /// `u.first` of clock `a` holds input `d` and goes into `seen`, two registers of clock `b`; `held` of `b` has the asynchronous reset `d`, and takes
    /// `seen[1]` and the lower bit of a bitwise or of `u.first` and itself, and of itself and itself.
    fn flat() -> Value {
        let mut held = cell(
            "$adff",
            &[("CLK", json!([3])), ("D", json!([10, 11])), ("ARST", json!([4]))],
            &[("Q", json!([8, 9]))],
        );
        held["parameters"] = json!({"ARST_VALUE": "00"});
        let mut scope = cell("$scopeinfo", &[], &[]);
        scope["attributes"] = json!({"module": "sub"});
        json!({"modules": {"top": {
            "ports": {
                "a": {"direction": "input", "bits": [2]},
                "b": {"direction": "input", "bits": [3]},
                "d": {"direction": "input", "bits": [4]},
                "q": {"direction": "output", "bits": [8, 9]},
            },
            "cells": {
                "u": scope,
                "$flatten\\u.$procdff$1": cell("$dff", &[("CLK", json!([2])), ("D", json!([4]))], &[("Q", json!([5]))]),
                "$procdff$2": cell("$dff", &[("CLK", json!([3])), ("D", json!([5, 6]))], &[("Q", json!([6, 7]))]),
                "$procdff$3": held,
                "$or$4": cell("$or", &[("A", json!([7, 9])), ("B", json!([9, 9]))], &[("Y", json!([10, 11]))]),
            },
            "netnames": {
                "u.out": {"bits": [5], "attributes": {}},
                "u.first": {"bits": [5], "attributes": {}},
                "seen": {"bits": [6, 7], "attributes": {"ASYNC_REG": "TRUE"}},
                "held": {"bits": [8, 9], "attributes": {}},
                "q": {"bits": [8, 9], "attributes": {}},
                "$not_a_name": {"bits": [5], "attributes": {}},
            },
        }}})
    }

    fn modules() -> Value {
        let port = json!({"direction": "output", "bits": [2]});
        let top = json!({"ports": {}, "cells": {}, "netnames": {}});
        json!({"modules": {"sub": {"ports": {"out": port}, "cells": {}, "netnames": {}}, "top": top}})
    }

    fn read_flat(flat: &Value) -> Result<Netlist> {
        read(&modules().to_string(), &flat.to_string(), "top", "core")
    }

    /// The design above.
    pub fn sample() -> Netlist {
        read_flat(&flat()).unwrap()
    }

    fn crossing<'a>(netlist: &'a Netlist, end: &str) -> Option<(Vec<&'a str>, End)> {
        let found = netlist.crossings.iter().find(|crossing| crossing.end == end)?;
        Some((found.starts.iter().map(String::as_str).collect(), found.end_is))
    }

    #[test]
    fn registers_are_called_after_their_own_variable_not_the_port_that_it_drives() {
        let registers: Vec<String> = sample().cells.into_keys().filter(|name| name.contains("_reg")).collect();
        assert_eq!(registers, ["held_reg[0]", "held_reg[1]", "seen_reg[0]", "seen_reg[1]", "u/first_reg"]);
        let mut nameless = flat();
        nameless["modules"]["top"]["netnames"].as_object_mut().unwrap().remove("seen");
        let error = read_flat(&nameless).err().unwrap().to_string();
        assert_eq!(error, "register $procdff$2 has no name of its own");
    }

    #[test]
    fn paths_between_clocks_are_found_with_what_they_start_and_end_at() {
        let netlist = sample();
        assert_eq!(crossing(&netlist, "u/first_reg/D"), Some((vec!["d"], End::Other)));
        assert_eq!(crossing(&netlist, "seen_reg[0]/D"), Some((vec!["u/first_reg/C"], End::Synchroniser { bus: true })));
        assert_eq!(crossing(&netlist, "held_reg[0]/CLR"), Some((vec!["d"], End::Reset)));
        let ends: BTreeSet<&str> = netlist.crossings.iter().map(|crossing| crossing.end.as_str()).collect();
        let expected = ["held_reg[0]/CLR", "held_reg[1]/CLR", "seen_reg[0]/D", "u/first_reg/D"];
        assert_eq!(ends, BTreeSet::from(expected), "what stays with one clock crosses nothing");
    }

    #[test]
    fn logic_passes_a_crossing_on_bit_by_bit_only_where_it_is_bitwise() {
        let mut design = flat();
        let or = &mut design["modules"]["top"]["cells"]["$or$4"];
        or["connections"]["A"] = json!([5, 9]);
        let netlist = read_flat(&design).unwrap();
        assert_eq!(crossing(&netlist, "held_reg[0]/D"), Some((vec!["u/first_reg/C"], End::Other)));
        assert_eq!(crossing(&netlist, "held_reg[1]/D"), None);
        design["modules"]["top"]["cells"]["$or$4"]["type"] = json!("$add");
        let netlist = read_flat(&design).unwrap();
        assert_eq!(crossing(&netlist, "held_reg[1]/D"), Some((vec!["u/first_reg/C"], End::Other)));
    }

    #[test]
    fn a_clock_without_a_driver_is_an_error() {
        let mut design = flat();
        design["modules"]["top"]["cells"]["$procdff$2"]["connections"]["CLK"] = json!([99]);
        assert_eq!(read_flat(&design).err().unwrap().to_string(), "a clock pin has no driver");
        design["modules"]["top"]["cells"]["$procdff$2"]["connections"]["CLK"] = json!(["0"]);
        assert_eq!(read_flat(&design).err().unwrap().to_string(), "a clock pin is constant");
        assert!(read(&modules().to_string(), &flat().to_string(), "other", "core").is_err());
    }
}
