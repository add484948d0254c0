// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the unit tests of the emitter work on: the symbols of a FIFO of bytes, and the wires that their statements need.

use super::expr::{Expr, SignalId};
use super::stmt::Stmt;
use super::symbols::Symbols;
use super::tree::{Node, collect};
use crate::base::Fifo;
use rust_hdl_core::prelude::{Bits, TypeDescriptor, TypeKind};

/// A module with the signals of a FIFO (`inp_data` has 8 bits, `count` 4) and wires of one bit.
pub struct Bench {
    pub node: Node,
    pub symbols: Symbols,
}

impl Bench {
    pub fn new(wires: &[&str]) -> Self {
        let node = collect(&Fifo::<Bits<8>, 3, 4>::default(), "top");
        let mut symbols = Symbols::of(&node);
        for wire in wires {
            symbols.add_wire(wire, TypeDescriptor { name: "Bit".into(), kind: TypeKind::Bits(1) });
        }
        Bench { node, symbols }
    }

    /// The signal of this name in the Verilog.
    pub fn id(&self, name: &str) -> SignalId {
        let found = self.symbols.iter().find(|(_, symbol)| symbol.name == name);
        found.unwrap_or_else(|| panic!("there is no signal `{name}`")).0
    }

    pub fn whole(&self, name: &str) -> Expr {
        self.symbols.whole(self.id(name))
    }

    /// Assigns a value to a signal from its lowest bit on.
    pub fn set(&self, target: &str, value: Expr) -> Stmt {
        self.set_from(target, 0, value)
    }

    pub fn set_from(&self, target: &str, low: usize, value: Expr) -> Stmt {
        Stmt::Set { target: self.id(target), low, value }
    }
}
