// SPDX-License-Identifier: MIT OR Apache-2.0
//! The table of modules.

use super::levels::Levels;
use super::netlist::Use;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A row for each module, the largest first, in columns that are not all zero: its own cells, and those with everything inside it.
pub fn table(uses: &BTreeMap<String, Use>, levels: &Levels) -> String {
    let mut modules: Vec<(&String, &Use)> = uses.iter().collect();
    modules.sort_by_key(|(name, module)| (Reverse(module.all.lut + module.all.register), *name));
    let parts = modules.first().map(|(_, module)| module.all.parts()).unwrap_or_default();
    let shown: Vec<usize> = (0..parts.len()).filter(|i| uses.values().any(|u| u.all.parts()[*i].1 > 0)).collect();
    let width = modules.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = format!("{:width$}  inst", "module");
    shown.iter().for_each(|i| write!(text, "  {:>9} {:>8}", parts[*i].0, "all").expect("a string"));
    text += "  levels\n";
    for (name, module) in modules {
        write!(text, "{name:width$}  {:>4}", module.instances).expect("a string");
        for i in &shown {
            write!(text, "  {:>9} {:>8}", module.own.parts()[*i].1, module.all.parts()[*i].1).expect("a string");
        }
        let levels = levels.by_module.get(name).map_or("-".into(), ToString::to_string);
        writeln!(text, "  {levels:>6}").expect("a string");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fpga_report::levels::levels;
    use crate::fpga_report::netlist::tests::example;

    #[test]
    fn a_row_has_what_a_module_takes_alone_and_with_all_inside() {
        let netlist = example();
        let uses = netlist.area("top").expect("known cells");
        let text = table(&uses, &levels(&netlist, "top").expect("no loops"));
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["module", "inst", "lut", "all", "register", "all", "levels"]);
        assert_eq!(rows[1], ["top", "1", "1", "5", "1", "3", "0"]);
        assert_eq!(rows[2], ["inner", "2", "2", "2", "1", "1", "3"]);
    }
}
