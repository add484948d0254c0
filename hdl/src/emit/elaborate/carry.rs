// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clock and reset of sub-blocks that the kernel gives none.

use super::super::error::Fault;
use super::super::expr::SignalId;
use super::super::stmt::Stmt;
use super::Elaboration;
use std::collections::BTreeSet;

impl Elaboration<'_> {
    pub(super) fn carry(&mut self) -> Result<(), Fault> {
        let written: BTreeSet<SignalId> = self.out[0].iter().flat_map(Stmt::writes).collect();
        for (index, child) in self.node.children.iter().enumerate() {
            let (field, element) = child.name.split_once('$').unwrap_or((&child.name, ""));
            let named = self.kernel.clocks.iter().find(|(name, _)| *name == field).map_or("clock", |(_, clock)| clock);
            let of_element = self.symbols.find(&format!("{named}${element}"));
            for (port, source) in
                [("clock", self.symbols.find(named).or(of_element)), ("reset", self.symbols.find("reset"))]
            {
                let Some((target, source)) = self.symbols.port(self.node, index, port).zip(source) else { continue };
                if !written.contains(&target) {
                    let value = self.symbols.whole(source);
                    self.push(Stmt::Set { target, low: 0, value });
                }
            }
        }
        Ok(())
    }
}
