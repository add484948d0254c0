// SPDX-License-Identifier: MIT OR Apache-2.0
//! The symbol table of a module: its own signals, its children's ports, its constants and enum states.

use super::expr::{Expr, SignalId};
use super::literal::literal_value;
use super::names::Names;
use super::remarks::Remarks;
use super::tree::{Node, Signal};
use num_bigint::BigUint;
use rust_hdl_core::atom::AtomKind;
use rust_hdl_core::bits::clog2;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::HashMap;

/// What a symbol is to the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    Output,
    InOut,
    Local,
    Constant,
    ChildInput,
    ChildOutput,
    /// A signal that the emitter made up, for a select that Verilog has no expression for.
    Helper,
}

impl Role {
    /// Whether the module's own logic drives it.
    pub fn is_driven_here(self) -> bool {
        !matches!(self, Role::Input | Role::Constant | Role::ChildOutput)
    }
}

/// A signal or constant of a module.
#[derive(Clone)]
pub(super) struct Symbol {
    /// Verilog identifier.
    pub name: String,
    /// In bits.
    pub width: usize,
    pub role: Role,
    pub descriptor: TypeDescriptor,
    /// What a constant holds.
    pub value: BigUint,
    /// For a child's port: which child, and what the port is called there.
    pub port: Option<Port>,
    /// What is said of it where it is declared, or nothing.
    pub remark: String,
}

/// A port of a child.
#[derive(Clone)]
pub(super) struct Port {
    /// Index among the children.
    pub child: usize,
    /// Its Verilog identifier there.
    pub name: String,
}

/// All symbols of a module, found by the paths that lead to them (`inp$data`, `cell$3$key`, `State$Idle`).
#[derive(Clone)]
pub(super) struct Symbols {
    all: Vec<Symbol>,
    by_path: HashMap<String, SignalId>,
    names: Names,
    /// Verilog identifiers of the children's instances; that of a register names its output.
    pub instances: Vec<String>,
    /// What is said of each.
    pub instance_remarks: Vec<String>,
}

impl Symbols {
    /// The symbols of a block; helpers come later.
    pub fn of(node: &Node) -> Self {
        let (mut names, own_names) = signal_names(node);
        let instances = node.children.iter().map(|child| names.take(&child.name)).collect();
        let mut remarks = Remarks::of(node);
        let own_remarks: Vec<String> = node.signals.iter().map(|signal| remarks.take(&signal.name)).collect();
        let instance_remarks = node.children.iter().map(|child| remarks.take(&child.name)).collect();
        let mut symbols = Symbols { all: vec![], by_path: HashMap::new(), names, instances, instance_remarks };
        for ((signal, name), remark) in node.signals.iter().zip(own_names).zip(own_remarks) {
            symbols.add_enum(&signal.descriptor);
            symbols.insert(&signal.name, Symbol { remark, ..own(signal, name) });
        }
        for (index, child) in node.children.iter().enumerate() {
            for (signal, name) in child.signals.iter().zip(signal_names(child).1) {
                if signal.is_port() {
                    symbols.add_port(Port { child: index, name }, child, signal);
                }
            }
        }
        symbols
    }

    pub fn iter(&self) -> impl Iterator<Item = (SignalId, &Symbol)> {
        self.all.iter().enumerate()
    }

    /// Those that hold a number with a sign.
    pub fn signed(&self) -> impl Iterator<Item = &Symbol> {
        self.all.iter().filter(|symbol| is_signed(&symbol.descriptor))
    }

    pub fn find(&self, path: &str) -> Option<SignalId> {
        self.by_path.get(path).copied()
    }

    /// A port of child `index`, by the field's name in the child.
    pub fn port(&self, node: &Node, index: usize, name: &str) -> Option<SignalId> {
        self.find(&format!("{}${name}", node.children[index].name))
    }

    pub fn whole(&self, id: SignalId) -> Expr {
        Expr::whole(id, self[id].width)
    }

    /// A new signal that holds an intermediate value for the statement that assigns `target`.
    pub fn add_helper(&mut self, target: &str, width: usize) -> SignalId {
        let name = self.names.take(&format!("{target}_t{}", self.all.len()));
        let path = format!("helper ${name}");
        self.insert(&path, Symbol { name, width, ..blank(Role::Helper) })
    }

    /// A new signal of a type, for a local variable of a kernel.
    pub fn add_wire(&mut self, name: &str, descriptor: TypeDescriptor) -> SignalId {
        let name = self.names.take(name);
        let (path, width) = (format!("wire {}", self.all.len()), width(&descriptor));
        self.add_enum(&descriptor);
        self.insert(&path, Symbol { name, width, descriptor, ..blank(Role::Local) })
    }

    pub fn set_role(&mut self, id: SignalId, role: Role) {
        self.all[id].role = role;
    }

    /// The signals of a bundle, or the signal itself: what follows its path in theirs, and which.
    pub fn below(&self, path: &str) -> Vec<(String, SignalId)> {
        let inside = |name: &str| {
            Some(name.strip_prefix(path)?).filter(|rest| rest.is_empty() || rest.starts_with('$')).map(str::to_owned)
        };
        let mut found: Vec<_> = self.by_path.iter().filter_map(|(name, id)| Some((inside(name)?, *id))).collect();
        found.sort_by_key(|(_, id)| *id);
        found
    }

    /// The output of the register that has this input.
    pub fn output_beside(&self, input: SignalId) -> SignalId {
        let child = self.all[input].port.as_ref().map(|port| port.child);
        let is_output =
            |symbol: &Symbol| symbol.role == Role::ChildOutput && symbol.port.as_ref().map(|port| port.child) == child;
        self.all.iter().position(is_output).expect("a register has an output")
    }

    fn insert(&mut self, path: &str, symbol: Symbol) -> SignalId {
        self.by_path.insert(path.into(), self.all.len());
        self.all.push(symbol);
        self.all.len() - 1
    }

    /// A child's port is a signal `child_port` here; a register's output has the register's name.
    fn add_port(&mut self, port: Port, child: &Node, signal: &Signal) {
        let (name, remark) = if child.is_register && signal.name == "q" {
            (self.instances[port.child].clone(), self.instance_remarks[port.child].clone())
        } else {
            (self.names.take(&format!("{}${}", child.name, signal.name)), String::new())
        };
        self.add_enum(&signal.descriptor);
        let role = if signal.kind == AtomKind::InputParameter { Role::ChildInput } else { Role::ChildOutput };
        let path = format!("{}${}", child.name, signal.name);
        self.insert(&path, Symbol { role, port: Some(port), remark, ..own(signal, name) });
    }

    /// The states of all enums in a type, as constants.
    fn add_enum(&mut self, descriptor: &TypeDescriptor) {
        match &descriptor.kind {
            TypeKind::Enum(states) => {
                for (value, state) in states.iter().enumerate() {
                    let path = state.replace("::", "$");
                    if self.find(&path).is_none() {
                        let name = self.names.take(&path);
                        let width = width(descriptor);
                        self.insert(&path, Symbol { name, width, value: value.into(), ..blank(Role::Constant) });
                    }
                }
            }
            TypeKind::Composite(fields) => fields.iter().for_each(|field| self.add_enum(&field.kind)),
            TypeKind::Bits(_) | TypeKind::Signed(_) => {}
        }
    }
}

impl std::ops::Index<SignalId> for Symbols {
    type Output = Symbol;
    fn index(&self, id: SignalId) -> &Symbol {
        &self.all[id]
    }
}

/// The identifiers of a block's own signals, the same seen from inside and from its parent; and what is taken by them.
fn signal_names(node: &Node) -> (Names, Vec<String>) {
    let mut names = Names::default();
    let all = node.signals.iter().map(|signal| names.take(&signal.name)).collect();
    (names, all)
}

fn blank(role: Role) -> Symbol {
    let descriptor = TypeDescriptor { name: String::new(), kind: TypeKind::Bits(0) };
    Symbol {
        name: String::new(),
        width: 0,
        role,
        descriptor,
        value: BigUint::default(),
        port: None,
        remark: String::new(),
    }
}

fn own(signal: &Signal, name: String) -> Symbol {
    let role = match signal.kind {
        AtomKind::InputParameter => Role::Input,
        AtomKind::OutputParameter | AtomKind::OutputPassthrough => Role::Output,
        AtomKind::InOutParameter => Role::InOut,
        AtomKind::Constant => Role::Constant,
        AtomKind::LocalSignal | AtomKind::StubInputSignal | AtomKind::StubOutputSignal => Role::Local,
    };
    let mask = (BigUint::from(1u8) << signal.width) - 1u8;
    Symbol {
        name,
        width: signal.width,
        descriptor: signal.descriptor.clone(),
        value: literal_value(&signal.value) & mask,
        ..blank(role)
    }
}

/// Width of a type in bits.
pub(super) fn width(descriptor: &TypeDescriptor) -> usize {
    match &descriptor.kind {
        TypeKind::Bits(width) | TypeKind::Signed(width) => *width,
        TypeKind::Enum(states) => clog2(states.len()),
        TypeKind::Composite(fields) => fields.iter().map(|field| self::width(&field.kind)).sum(),
    }
}

/// Whether a value of a type has a sign, or a field with one.
fn is_signed(descriptor: &TypeDescriptor) -> bool {
    match &descriptor.kind {
        TypeKind::Signed(_) => true,
        TypeKind::Composite(fields) => fields.iter().any(|field| is_signed(&field.kind)),
        TypeKind::Bits(_) | TypeKind::Enum(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::Bits;

    #[test]
    fn ports_of_children_and_registers_are_signals_here() {
        let node = collect(&Fifo::<Bits<8>, 3, 4>::default(), "top");
        let symbols = Symbols::of(&node);
        let name = |path: &str| symbols.find(path).map(|id| (symbols[id].name.as_str(), symbols[id].role));
        assert_eq!(name("inp$data"), Some(("inp_data", Role::Input)));
        assert_eq!(name("ram$raddr"), Some(("ram_raddr", Role::ChildInput)));
        assert_eq!(name("head$q"), Some(("head", Role::ChildOutput)));
        assert_eq!(name("head$d"), Some(("head_d", Role::ChildInput)));
        assert_eq!(name("depth"), Some(("depth", Role::Constant)));
        assert_eq!(symbols.find("depth").map(|id| symbols[id].value.clone()), Some(8u8.into()));
    }
}
