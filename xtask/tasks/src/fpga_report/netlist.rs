// SPDX-License-Identifier: MIT OR Apache-2.0
//! A mapped netlist with its hierarchy, as Yosys's `write_json` gives it, and what it takes of a device by module.

use super::cells::{Area, kind};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// All modules of a netlist.
#[derive(Deserialize)]
pub struct Netlist {
    modules: BTreeMap<String, Module>,
}

#[derive(Deserialize)]
pub struct Module {
    #[serde(default)]
    pub ports: BTreeMap<String, Port>,
    pub cells: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
pub struct Port {
    pub direction: Direction,
    pub bits: Vec<Bit>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Input,
    Output,
    Inout,
}

#[derive(Deserialize)]
pub struct Cell {
    /// A type of cell, or a module of the netlist.
    #[serde(rename = "type")]
    pub kind: String,
    pub connections: BTreeMap<String, Vec<Bit>>,
}

/// A net of the module by its number, or a constant.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Bit {
    Net(usize),
    Constant(#[expect(dead_code, reason = "whichever it is, no path begins there")] String),
}

/// What one module takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Instances of it in the whole design.
    pub instances: u64,
    /// Its own cells.
    pub own: Area,
    /// With everything inside it.
    pub all: Area,
}

impl Netlist {
    /// Reads what `write_json` wrote.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        serde_json::from_reader(BufReader::new(file)).with_context(|| format!("{} is no netlist", path.display()))
    }

    /// The module of this name, if it is one of the design and no cell.
    pub fn module(&self, name: &str) -> Option<&Module> {
        if kind(name).is_some() { None } else { self.modules.get(name) }
    }

    /// The area of all modules at and below `top`.
    ///
    /// # Errors
    /// A cell whose type is neither a module nor known to [`kind`].
    pub fn area(&self, top: &str) -> Result<BTreeMap<String, Use>> {
        let mut uses = BTreeMap::new();
        self.measure(top, &mut uses)?;
        let mut instances = HashMap::from([(top.to_owned(), 1)]);
        for name in self.parents_first(top) {
            let here = instances[&name];
            for cell in self.modules[&name].cells.values().filter(|cell| self.module(&cell.kind).is_some()) {
                *instances.entry(cell.kind.clone()).or_default() += here;
            }
        }
        uses.iter_mut().for_each(|(name, module)| module.instances = instances[name]);
        Ok(uses)
    }

    /// Measures a module after those inside it; its area with those.
    fn measure(&self, name: &str, uses: &mut BTreeMap<String, Use>) -> Result<Area> {
        if let Some(known) = uses.get(name) {
            return Ok(known.all);
        }
        let module = self.module(name).with_context(|| format!("the netlist has no module {name}"))?;
        let mut measured = Use::default();
        for (cell_name, cell) in &module.cells {
            if let Some(kind) = kind(&cell.kind) {
                measured.own += kind.area;
            } else if self.module(&cell.kind).is_some() {
                measured.all += self.measure(&cell.kind, uses)?;
            } else {
                bail!("{name}.{cell_name} is a {}, which cells.rs does not know: say there what it takes", cell.kind);
            }
        }
        measured.all += measured.own;
        uses.insert(name.into(), measured);
        Ok(measured.all)
    }

    /// The modules at and below `top`, each before those inside it.
    fn parents_first(&self, top: &str) -> Vec<String> {
        let mut order = vec![];
        self.visit(top, &mut BTreeSet::new(), &mut order);
        order.reverse();
        order
    }

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
        let Some(module) = self.module(name).filter(|_| seen.insert(name.into())) else { return };
        module.cells.values().for_each(|cell| self.visit(&cell.kind, seen, order));
        order.push(name.into());
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use serde_json::json;

    /// `top` has two `inner`, a register behind them and a LUT between; `inner` is two LUTs and a register.
    ///
    /// ```text
    /// a -> inner one (LUT, LUT, register) -> LUT -> inner two (LUT, LUT, register) -> register -> q
    /// ```
    pub fn example() -> Netlist {
        let lut = |a: usize, z: usize| json!({"type": "LUT4", "connections": {"A": [a], "B": ["0"], "Z": [z]}});
        let register =
            |d: usize, q: usize| json!({"type": "TRELLIS_FF", "connections": {"CLK": [1], "DI": [d], "Q": [q]}});
        let inner = |d: usize, q: usize| json!({"type": "inner", "connections": {"clock": [1], "d": [d], "q": [q]}});
        serde_json::from_value(json!({"modules": {
            "top": {
                "ports": {
                    "clock": {"direction": "input", "bits": [1]},
                    "a": {"direction": "input", "bits": [2]},
                    "q": {"direction": "output", "bits": [9]},
                },
                "cells": {
                    "one": inner(2, 3), "between": lut(3, 4), "two": inner(4, 5), "last": register(5, 9),
                },
            },
            "inner": {
                "ports": {
                    "clock": {"direction": "input", "bits": [1]},
                    "d": {"direction": "input", "bits": [7]},
                    "q": {"direction": "output", "bits": [10]},
                },
                "cells": {"x": lut(7, 8), "y": lut(8, 9), "r": register(9, 10)},
            },
            "LUT4": {"ports": {}, "cells": {}},
        }}))
        .expect("a netlist")
    }

    #[test]
    fn a_module_takes_its_own_cells_and_those_inside() {
        let uses = example().area("top").expect("only known cells");
        let area = |lut, register| Area { lut, register, ..Area::default() };
        assert_eq!(uses["top"], Use { instances: 1, own: area(1, 1), all: area(5, 3) });
        assert_eq!(uses["inner"], Use { instances: 2, own: area(2, 1), all: area(2, 1) });
        assert_eq!(uses.len(), 2);
    }

    #[test]
    fn an_unknown_cell_is_named_with_its_place() {
        let text = r#"{"modules": {"top": {"cells": {"x": {"type": "MYSTERY", "connections": {}}}}}}"#;
        let netlist: Netlist = serde_json::from_str(text).expect("a netlist");
        let error = netlist.area("top").expect_err("an unknown cell").to_string();
        assert!(error.contains("top.x is a MYSTERY"), "{error}");
        assert!(netlist.area("nothing").is_err());
    }
}
