// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bits that nothing reads, named as such: a reader sees that they are left out on purpose, and a lint asks for nothing else.

use super::connect::Connections;
use super::expr::{Expr, SignalId};
use super::stmt::Stmt;
use super::symbols::{Role, Symbols};
use std::collections::BTreeMap;

/// What is declared in a module and read nowhere in it, whole signals and parts of them.
pub(super) fn unused(
    statements: &[Stmt],
    symbols: &Symbols,
    connections: &Connections,
    is_declared: &dyn Fn(SignalId) -> bool,
) -> Vec<Expr> {
    let mut read: BTreeMap<SignalId, Vec<bool>> = BTreeMap::new();
    for stmt in statements {
        stmt.reads(&mut |r| {
            let bits = read.entry(r.signal).or_insert_with(|| vec![false; symbols[r.signal].width]);
            match r.width {
                Some(width) => bits[r.low..r.low + width].fill(true),
                None => bits.fill(true),
            }
        });
    }
    let asks = |id: SignalId| match symbols[id].role {
        Role::Input => true,
        Role::Local | Role::Helper | Role::ChildOutput => is_declared(id) && !connections.outputs.contains_key(&id),
        // A child's input is what the child reads.
        _ => false,
    };
    let mut all = vec![];
    for (id, _) in symbols.iter().filter(|(id, symbol)| symbol.width > 0 && asks(*id)) {
        let whole = symbols.whole(id);
        match read.get(&id) {
            None => all.push(whole),
            Some(bits) => all.extend(gaps(bits).into_iter().filter_map(|(low, width)| whole.slice(low, width))),
        }
    }
    all
}

/// Runs of bits that are not read, from the top: first bit and length.
fn gaps(read: &[bool]) -> Vec<(usize, usize)> {
    let mut all: Vec<(usize, usize)> = vec![];
    for (at, _) in read.iter().enumerate().filter(|(_, read)| !**read) {
        match all.last_mut() {
            Some((low, width)) if *low + *width == at => *width += 1,
            _ => all.push((at, 1)),
        }
    }
    all.reverse();
    all
}

#[cfg(test)]
mod tests {
    use super::gaps;

    #[test]
    fn bits_that_are_not_read_are_found_in_runs() {
        assert_eq!(gaps(&[true, true]), []);
        assert_eq!(gaps(&[false, false, true, false]), [(3, 1), (0, 2)]);
    }
}
