// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the tree of a `block`'s kernel to sized statements over a symbol table.

mod bundle;
mod carry;
mod enable;
mod place;
mod select;
mod statement;
#[cfg(test)]
mod tests;
mod value;

use super::error::{Fault, Reason};
use super::expr::{Expr, SignalId};
use super::stmt::Stmt;
use super::symbols::{Role, Symbols};
use super::tree::Node;
use crate::front::tree::Kernel;
use num_bigint::BigInt;
use rust_hdl_core::type_descriptor::TypeDescriptor;
use std::collections::{BTreeSet, HashMap};

/// What an expression gives.
#[derive(Clone, Debug)]
enum Value {
    /// Takes its width from what is beside it.
    Number(BigInt),
    Sized(Expr, TypeDescriptor),
}

/// What a name stands for.
#[derive(Clone)]
enum Bound {
    Number(BigInt),
    /// A wire, or a parameter.
    Value(Value),
    Signal(SignalId),
}

/// A module while its kernel is elaborated.
pub(super) struct Elaboration<'a> {
    pub symbols: Symbols,
    node: &'a Node,
    /// The kernel we are in, or the function that it calls.
    kernel: &'a Kernel,
    names: Vec<HashMap<String, Bound>>,
    /// Statements of the kernel itself, then of each branch we are in.
    out: Vec<Vec<Stmt>>,
    /// Registers that the kernel loads: what it writes and its enable, if it has one.
    loaded: BTreeSet<(SignalId, Option<SignalId>)>,
    /// The signal that is being assigned: helpers are named after it.
    target: String,
}

/// The statements of `node`'s kernel with the symbols that they made, or all that cannot be translated.
pub(super) fn elaborate(node: &Node, kernel: &Kernel, symbols: Symbols) -> Result<(Vec<Stmt>, Symbols), Vec<Fault>> {
    let mut elaboration = Elaboration {
        symbols,
        node,
        kernel,
        names: vec![HashMap::new()],
        out: vec![vec![]],
        loaded: BTreeSet::new(),
        target: "helper".into(),
    };
    let faults = elaboration.statements_with_all_faults(kernel.body);
    if !faults.is_empty() {
        return Err(faults);
    }
    elaboration.carry().map_err(|fault| vec![fault])?;
    let Elaboration { mut out, symbols, loaded, .. } = elaboration;
    let mut statements = out.remove(0);
    for (load, enable) in loaded {
        enable::resolve(&mut statements, &symbols, load, enable);
    }
    Ok((statements, symbols))
}

impl Elaboration<'_> {
    /// Appends to the branch we are in.
    fn push(&mut self, stmt: Stmt) {
        self.out.last_mut().expect("the kernel itself is there").push(stmt);
    }

    /// Runs `inside` in a scope of its own, in which these names are known.
    fn scoped<T>(&mut self, names: HashMap<String, Bound>, inside: impl FnOnce(&mut Self) -> T) -> T {
        self.names.push(names);
        let result = inside(self);
        self.names.pop();
        result
    }

    /// Runs `inside` with a list of statements of its own.
    fn listed<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<(T, Vec<Stmt>), Fault> {
        self.out.push(vec![]);
        let result = inside(self);
        let statements = self.out.pop().expect("it was pushed");
        result.map(|value| (value, statements))
    }

    /// Runs `inside` with scope and list of a branch.
    fn collected<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<(T, Vec<Stmt>), Fault> {
        self.scoped(HashMap::new(), |inner| inner.listed(inside))
    }

    /// A wire of any width, without a value yet.
    fn wire(&mut self, name: &str, descriptor: TypeDescriptor) -> SignalId {
        self.symbols.add_wire(name, descriptor)
    }

    /// Statements that give values to wires: before the outermost branch if nothing that they read is written inside, so that the wires stand for
    /// themselves; else where we are.
    fn push_wires(&mut self, wires: Vec<Stmt>) {
        let own: BTreeSet<SignalId> = wires.iter().flat_map(Stmt::writes).collect();
        let read = Stmt::all_read(&wires);
        let inside = self.out[1..].iter().flatten().flat_map(Stmt::writes);
        let depends = inside.into_iter().any(|id| read.contains(&id) && !own.contains(&id));
        if depends {
            own.into_iter().for_each(|id| self.symbols.set_role(id, Role::Helper));
            self.out.last_mut().expect("the kernel itself is there").extend(wires);
        } else {
            self.out[0].extend(wires);
        }
    }

    /// A fault of the assignment in hand.
    fn fault(&self, reason: Reason) -> Fault {
        Fault::at(&self.target, reason)
    }
}
