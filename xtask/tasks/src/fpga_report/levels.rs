// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logic levels between registers, through all modules, by the module of the register a path ends in.

use super::cells::{Kind, kind};
use super::netlist::{Bit, Direction, Module, Netlist};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, HashMap};

/// The longest paths of a design.
pub struct Levels {
    /// Most logic levels of the paths into each module's own registers and memories, and for the top into its outputs.
    pub by_module: BTreeMap<String, u32>,
    /// Most of all.
    pub longest: u32,
    /// The instances that a longest path goes through, from the register it leaves to the one it ends in, and its levels there.
    pub path: Vec<(String, u32)>,
}

/// The levels of the netlist below `top`. Signals pass as [`Kind::levels`] says.
///
/// # Errors
/// A loop of logic, with an instance it goes through.
pub fn levels(netlist: &Netlist, top: &str) -> Result<Levels> {
    let mut flat = Flat::default();
    let module = netlist.module(top).with_context(|| format!("the netlist has no module {top}"))?;
    flat.instance(netlist, top, "", &HashMap::new())?;
    let outputs = module.ports.values().filter(|port| port.direction == Direction::Output);
    let nets = flat.tops.clone();
    for net in outputs.flat_map(|port| &port.bits).filter_map(net) {
        flat.ends.push((nets[&net], 0));
    }
    flat.solve()
}

/// The design without its hierarchy. Nets and instances are numbers.
#[derive(Default)]
struct Flat {
    /// Nets that are one: each leads to another of its set, the last to itself.
    same: Vec<usize>,
    arcs: Vec<Arc>,
    /// Nets on which paths end, and in which instance.
    ends: Vec<(usize, usize)>,
    /// Nets that registers drive, and in which instance.
    starts: Vec<(usize, usize)>,
    instances: Vec<Instance>,
    /// Nets of the top, by their numbers there.
    tops: HashMap<usize, usize>,
}

struct Instance {
    path: String,
    module: String,
}

/// A way through a cell.
struct Arc {
    from: usize,
    to: usize,
    levels: u32,
    instance: usize,
}

fn net(bit: &Bit) -> Option<usize> {
    match bit {
        Bit::Net(number) => Some(*number),
        Bit::Constant(_) => None,
    }
}

impl Flat {
    /// Adds an instance of `module` and all inside it. `outside` has the nets that its ports' nets are connected to.
    fn instance(&mut self, netlist: &Netlist, module: &str, path: &str, outside: &HashMap<usize, usize>) -> Result<()> {
        let number = self.instances.len();
        self.instances.push(Instance { path: path.into(), module: module.into() });
        let mut nets = outside.clone();
        let inside = netlist.module(module).with_context(|| format!("the netlist has no module {module}"))?;
        for (name, cell) in &inside.cells {
            if let Some(kind) = kind(&cell.kind) {
                self.cell(&kind, &cell.connections, number, &mut nets);
                continue;
            }
            let child = netlist.module(&cell.kind).with_context(|| format!("{path}.{name}: unknown {}", cell.kind))?;
            let bound = self.bind(child, &cell.connections, &mut nets);
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.instance(netlist, &cell.kind, &path, &bound)?;
        }
        if number == 0 {
            // The top's nets stay: of its outputs, paths end on them.
            for bit in inside.ports.values().flat_map(|port| &port.bits).filter_map(net) {
                self.net(bit, &mut nets);
            }
            self.tops = nets;
        }
        Ok(())
    }

    /// The net of the whole design that a module's net is.
    fn net(&mut self, local: usize, nets: &mut HashMap<usize, usize>) -> usize {
        *nets.entry(local).or_insert_with(|| {
            self.same.push(self.same.len());
            self.same.len() - 1
        })
    }

    /// What the nets of a child's ports are connected to.
    fn bind(
        &mut self,
        child: &Module,
        connections: &BTreeMap<String, Vec<Bit>>,
        nets: &mut HashMap<usize, usize>,
    ) -> HashMap<usize, usize> {
        let mut bound = HashMap::new();
        for (port, outside) in connections {
            let Some(inside) = child.ports.get(port) else { continue };
            for (inside, outside) in inside.bits.iter().zip(outside) {
                let (Some(inside), Some(outside)) = (net(inside), net(outside)) else { continue };
                let outside = self.net(outside, nets);
                // A wire through the child joins nets outside it.
                let known = *bound.entry(inside).or_insert(outside);
                let (a, b) = (self.root(known), self.root(outside));
                self.same[a] = b;
            }
        }
        bound
    }

    fn cell(
        &mut self,
        kind: &Kind,
        connections: &BTreeMap<String, Vec<Bit>>,
        instance: usize,
        nets: &mut HashMap<usize, usize>,
    ) {
        let mut inputs = vec![];
        let mut outputs = vec![];
        for (port, bits) in connections {
            for (place, bit) in bits.iter().enumerate() {
                let Some(local) = net(bit) else { continue };
                let side = if kind.is_output(port) { &mut outputs } else { &mut inputs };
                side.push(((port.as_str(), place), self.net(local, nets)));
            }
        }
        if kind.stores() {
            self.ends.extend(inputs.iter().map(|(_, net)| (*net, instance)));
            self.starts.extend(outputs.iter().map(|(_, net)| (*net, instance)));
        }
        for (output, to) in &outputs {
            for (input, from) in &inputs {
                if let Some(levels) = kind.levels(*input, *output) {
                    self.arcs.push(Arc { from: *from, to: *to, levels, instance });
                }
            }
        }
    }

    fn root(&mut self, mut net: usize) -> usize {
        while self.same[net] != net {
            self.same[net] = self.same[self.same[net]];
            net = self.same[net];
        }
        net
    }

    /// The longest path to every net, in topological order.
    fn solve(mut self) -> Result<Levels> {
        for i in 0..self.arcs.len() {
            let (from, to) = (self.root(self.arcs[i].from), self.root(self.arcs[i].to));
            (self.arcs[i].from, self.arcs[i].to) = (from, to);
        }
        let nets = self.same.len();
        let mut leaving: Vec<Vec<usize>> = vec![vec![]; nets];
        let mut waiting = vec![0usize; nets];
        for (number, arc) in self.arcs.iter().enumerate() {
            leaving[arc.from].push(number);
            waiting[arc.to] += 1;
        }
        let mut ready: Vec<usize> = (0..nets).filter(|net| waiting[*net] == 0).collect();
        let mut level = vec![0u32; nets];
        // The arc that a longest path to a net ends with.
        let mut last: Vec<Option<usize>> = vec![None; nets];
        while let Some(from) = ready.pop() {
            for number in &leaving[from] {
                let arc = &self.arcs[*number];
                let there = level[from] + arc.levels;
                if last[arc.to].is_none() || there > level[arc.to] {
                    (level[arc.to], last[arc.to]) = (there, Some(*number));
                }
                waiting[arc.to] -= 1;
                if waiting[arc.to] == 0 {
                    ready.push(arc.to);
                }
            }
        }
        if let Some(arc) = self.arcs.iter().find(|arc| waiting[arc.to] > 0) {
            bail!("a loop of logic goes through {}", self.instances[arc.instance].path);
        }
        Ok(self.summary(&level, &last))
    }

    fn summary(mut self, level: &[u32], last: &[Option<usize>]) -> Levels {
        let mut by_module = BTreeMap::new();
        let mut longest: Option<(u32, usize, usize)> = None;
        for (net, instance) in std::mem::take(&mut self.ends) {
            let net = self.root(net);
            let entry = by_module.entry(self.instances[instance].module.clone()).or_insert(0);
            *entry = level[net].max(*entry);
            if longest.is_none_or(|(most, ..)| level[net] > most) {
                longest = Some((level[net], net, instance));
            }
        }
        let Some((most, net, instance)) = longest else { return Levels { by_module, longest: 0, path: vec![] } };
        let path = self.path(net, instance, last);
        Levels { by_module, longest: most, path }
    }

    /// The instances of a path, back from its end.
    fn path(&mut self, end: usize, instance: usize, last: &[Option<usize>]) -> Vec<(String, u32)> {
        let mut steps = vec![(instance, 0)];
        let mut net = end;
        while let Some(arc) = last[net].map(|number| &self.arcs[number]) {
            steps.push((arc.instance, arc.levels));
            net = arc.from;
        }
        let starts = std::mem::take(&mut self.starts);
        let start = starts.into_iter().find(|(start, _)| self.root(*start) == net);
        steps.extend(start.map(|(_, instance)| (instance, 0)));
        let mut path: Vec<(String, u32)> = vec![];
        for (instance, levels) in steps.into_iter().rev() {
            let Instance { path: name, module } = &self.instances[instance];
            let name = if name.is_empty() { module } else { name };
            match path.last_mut() {
                Some((last, sum)) if last == name => *sum += levels,
                _ => path.push((name.clone(), levels)),
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fpga_report::netlist::tests::example;
    use serde_json::json;

    #[test]
    fn a_path_counts_for_the_module_it_ends_in() {
        let levels = levels(&example(), "top").expect("no loops");
        assert_eq!(levels.by_module, BTreeMap::from([("inner".into(), 3), ("top".into(), 0)]));
        assert_eq!(levels.longest, 3);
        assert_eq!(levels.path, [("one".into(), 0), ("top".into(), 1), ("two".into(), 2)]);
    }

    #[test]
    fn a_wire_through_a_module_joins_what_it_connects() {
        let netlist = serde_json::from_value(json!({"modules": {
            "top": {
                "ports": {"a": {"direction": "input", "bits": [2]}, "q": {"direction": "output", "bits": [5]}},
                "cells": {
                    "first": {"type": "LUT4", "connections": {"A": [2], "Z": [3]}},
                    "through": {"type": "wire", "connections": {"i": [3], "o": [4]}},
                    "second": {"type": "LUT4", "connections": {"A": [4], "Z": [5]}},
                },
            },
            "wire": {
                "ports": {"i": {"direction": "input", "bits": [2]}, "o": {"direction": "output", "bits": [2]}},
                "cells": {},
            },
        }}));
        assert_eq!(levels(&netlist.expect("a netlist"), "top").expect("no loops").longest, 2);
    }

    #[test]
    fn a_loop_is_an_error() {
        let netlist = serde_json::from_value(json!({"modules": {"top": {"cells": {
            "a": {"type": "LUT4", "connections": {"A": [1], "Z": [2]}},
            "b": {"type": "LUT4", "connections": {"A": [2], "Z": [1]}},
        }}}}));
        assert!(levels(&netlist.expect("a netlist"), "top").is_err());
    }
}
