// SPDX-License-Identifier: MIT OR Apache-2.0
//! Collect the instance tree of a Block through `Probe`.
use rust_hdl_core::ast::Verilog;
use rust_hdl_core::atom::{is_atom_signed, Atom, AtomKind};
use rust_hdl_core::prelude::*;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};

pub struct AtomInfo { pub name: String, pub kind: AtomKind, pub w: usize, pub signed: bool, pub desc: TypeDescriptor, pub val: VerilogLiteral }
pub struct Node { pub name: String, pub ty: Option<String>, pub atoms: Vec<AtomInfo>, pub kids: Vec<Node>, pub code: Verilog, pub prim: Option<String>, ns: Vec<String> }
#[derive(Default)]
struct Collect { stack: Vec<Node>, root: Option<Node> }
impl Probe for Collect {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        self.stack.push(Node { name: name.into(), ty: None, atoms: vec![], kids: vec![], code: node.hdl(), prim: node.timing().first().map(|t| t.name.clone()), ns: vec![] });
    }
    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) { self.stack.last_mut().unwrap().ns.push(name.into()) }
    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) { self.stack.last_mut().unwrap().ns.pop(); }
    fn visit_atom(&mut self, name: &str, a: &dyn Atom) {
        let n = self.stack.last_mut().unwrap();
        let d = a.descriptor();
        if let Some(t) = d.name.strip_prefix("type:") { n.ty = Some(t.into()); return }
        let mut full = n.ns.clone();
        full.push(name.into());
        n.atoms.push(AtomInfo { name: full.join("$"), kind: a.kind(), w: a.bits(), signed: is_atom_signed(a), desc: d, val: a.verilog() });
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        let n = self.stack.pop().unwrap();
        match self.stack.last_mut() { Some(p) => p.kids.push(n), None => self.root = Some(n) }
    }
}
pub fn collect(u: &dyn Block, name: &str) -> Node {
    let mut c = Collect::default();
    u.accept(name, &mut c);
    c.root.expect("the top must be a LogicBlock")
}
