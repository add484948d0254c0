// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which assignments become direct connections of ports, so that no wire stands between.

use super::expr::{Expr, Kind, SignalId};
use super::partition::Partition;
use super::stmt::Stmt;
use super::symbols::{Role, Symbols};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How the ports of children are connected.
#[derive(Default)]
pub(super) struct Connections {
    /// Children's inputs that take an expression, without a wire of their own.
    pub inputs: HashMap<SignalId, Expr>,
    /// Children's outputs that are an output of the module.
    pub outputs: HashMap<SignalId, SignalId>,
    /// Statements that are connections now.
    pub absorbed: HashSet<usize>,
    /// Signals that some statement reads.
    pub read: BTreeSet<SignalId>,
    /// Signals that some statement writes.
    pub written: BTreeSet<SignalId>,
}

impl Connections {
    pub fn of(statements: &[Stmt], symbols: &Symbols, partition: &Partition, registers: &[bool]) -> Self {
        let mut connections = Connections::default();
        let mut readers: BTreeMap<SignalId, BTreeSet<usize>> = BTreeMap::new();
        let mut writers: BTreeMap<SignalId, Vec<usize>> = BTreeMap::new();
        for (at, stmt) in statements.iter().enumerate() {
            stmt.reads(&mut |read| _ = readers.entry(read.signal).or_default().insert(at));
            stmt.writes().into_iter().for_each(|id| writers.entry(id).or_default().push(at));
        }
        for (id, by) in &writers {
            let lone = !partition.procedural.contains(id) && !readers.contains_key(id) && by.len() == 1;
            let Stmt::Set { low: 0, value, .. } = &statements[by[0]] else { continue };
            if lone && value.width == symbols[*id].width {
                connections.absorb(*id, by[0], value, symbols, registers, &readers);
            }
        }
        connections.read = readers.into_keys().collect();
        connections.written = writers.into_keys().collect();
        connections
    }

    /// Makes the only assignment of a signal that nobody reads a connection, where that reads well.
    fn absorb(
        &mut self,
        id: SignalId,
        at: usize,
        value: &Expr,
        symbols: &Symbols,
        registers: &[bool],
        readers: &BTreeMap<SignalId, BTreeSet<usize>>,
    ) {
        let is_register = |id: SignalId| symbols[id].port.as_ref().is_some_and(|port| registers[port.child]);
        match symbols[id].role {
            // A register's input goes into its `<=`, whatever it is.
            Role::ChildInput if is_register(id) || value.is_simple() => {
                self.inputs.insert(id, value.clone());
                self.absorbed.insert(at);
            }
            Role::Output => {
                let Kind::Part { signal, whole: true, .. } = value.kind else { return };
                let from_child = symbols[signal].role == Role::ChildOutput && !is_register(signal);
                if from_child && readers[&signal].len() == 1 && !self.outputs.contains_key(&signal) {
                    self.outputs.insert(signal, id);
                    self.absorbed.insert(at);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::expr::Unary;
    use crate::emit::partition::partition;
    use crate::emit::testing::Bench;

    #[test]
    fn ports_are_connected_without_wires_where_that_reads_well() {
        let b = Bench::new(&["push", "pop"]);
        let not = |name: &str| Expr::unary(Unary::Not, b.whole(name));
        let statements = [
            b.set("ram_we", b.whole("push")), // simple: connected
            b.set("ram_re", not("push")),     // an expression: stays an assign to a wire
            b.set("loaded_d", not("pop")),    // into the register's `<=`
            b.set("out_data", b.whole("ram_rdata")),
        ];
        let registers: Vec<bool> = b.node.children.iter().map(|child| child.is_register).collect();
        let split = partition(&statements, &b.symbols);
        let connections = Connections::of(&statements, &b.symbols, &split, &registers);
        assert_eq!(connections.absorbed, HashSet::from([0, 2, 3]));
        assert_eq!(connections.outputs.get(&b.id("ram_rdata")), Some(&b.id("out_data")));
        assert!(!connections.inputs.contains_key(&b.id("ram_re")));
    }
}
