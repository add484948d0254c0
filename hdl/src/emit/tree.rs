// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tree of instances below a block, collected through rust-hdl's `Probe`.

use crate::base::Tag;
use crate::base::reg::REG;
use crate::front::handed_over;
use crate::front::tree::Kernel;
use rust_hdl_core::ast::{Verilog, VerilogLiteral};
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::*;
use rust_hdl_core::type_descriptor::TypeDescriptor;
use std::collections::BTreeMap;

/// A signal or constant of a block.
pub(super) struct Signal {
    /// Field name; those of interfaces and arrays joined by `$`, as `inp$data`, `cell$3`.
    pub name: String,
    pub kind: AtomKind,
    /// In bits.
    pub width: usize,
    pub descriptor: TypeDescriptor,
    /// What a constant holds.
    pub value: VerilogLiteral,
}

impl Signal {
    pub fn is_port(&self) -> bool {
        self.kind.is_parameter()
    }
}

/// An instance of a block.
pub(super) struct Node {
    /// The field it is in; those of arrays as `cell$3`.
    pub name: String,
    /// Full name of its Rust type, if the block has a tag.
    pub rust_type: Option<String>,
    /// Names of the type's generic parameters, as far as they are known.
    pub parameters: Vec<String>,
    /// The doc comment of the type, and those of its fields.
    pub doc: String,
    pub field_docs: BTreeMap<String, String>,
    pub signals: Vec<Signal>,
    pub children: Vec<Node>,
    pub code: Verilog,
    /// The kernel, of a `block`.
    pub kernel: Option<Kernel>,
    /// One of our registers: written into its parent, without a module of its own.
    pub is_register: bool,
    /// The interfaces we are in while collecting.
    namespaces: Vec<String>,
}

impl Node {
    /// Notes what a tag says.
    fn described(&mut self, tag: &str) {
        let mut parts = tag.split(Tag::<()>::DOC);
        let mut names = parts.next().unwrap_or_default().split(Tag::<()>::NEXT).map(str::to_owned);
        self.rust_type = names.next();
        self.parameters = names.collect();
        self.doc = parts.next().unwrap_or_default().to_owned();
        let field = |part: &str| part.split_once(Tag::<()>::SAYS).map(|(name, doc)| (name.to_owned(), doc.to_owned()));
        self.field_docs = parts.filter_map(field).collect();
    }
}

/// The tree of instances of `top`.
///
/// # Panics
/// If `top` is no `LogicBlock` but, say, an interface.
pub(super) fn collect(top: &dyn Block, name: &str) -> Node {
    let mut collector = Collector::default();
    top.accept(name, &mut collector);
    collector.root.expect("the top must be a LogicBlock")
}

#[derive(Default)]
struct Collector {
    stack: Vec<Node>,
    root: Option<Node>,
}

impl Collector {
    fn current(&mut self) -> &mut Node {
        self.stack.last_mut().expect("atoms and interfaces lie in a block")
    }
}

impl Probe for Collector {
    fn visit_start_scope(&mut self, name: &str, block: &dyn Block) {
        self.stack.push(Node {
            name: name.into(),
            rust_type: None,
            parameters: vec![],
            doc: String::new(),
            field_docs: BTreeMap::new(),
            signals: vec![],
            children: vec![],
            code: block.hdl(),
            kernel: handed_over(),
            is_register: block.timing().first().is_some_and(|timing| timing.name == REG),
            namespaces: vec![],
        });
    }
    fn visit_start_namespace(&mut self, name: &str, _: &dyn Block) {
        self.current().namespaces.push(name.into());
    }
    fn visit_end_namespace(&mut self, _: &str, _: &dyn Block) {
        self.current().namespaces.pop();
    }
    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        let node = self.current();
        let descriptor = atom.descriptor();
        if let Some(rust_type) = descriptor.name.strip_prefix(Tag::<()>::PREFIX) {
            node.described(rust_type);
            return;
        }
        let mut path = node.namespaces.clone();
        path.push(name.into());
        node.signals.push(Signal {
            name: path.join("$"),
            kind: atom.kind(),
            width: atom.bits(),
            descriptor,
            value: atom.verilog(),
        });
    }
    fn visit_end_scope(&mut self, _: &str, _: &dyn Block) {
        let node = self.stack.pop().expect("a scope that ends has started");
        match self.stack.last_mut() {
            Some(parent) => parent.children.push(node),
            None => self.root = Some(node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Fifo;

    #[test]
    fn a_block_gives_its_signals_children_and_registers() {
        let node = collect(&Fifo::<Bits<8>, 3, 4>::default(), "top");
        assert!(
            node.rust_type.as_deref().is_some_and(|name| name.ends_with("Fifo<rust_hdl_core::bits::Bits<8>, 3, 4>"))
        );
        assert!(node.doc.starts_with("First-word-fall-through FIFO"), "{}", node.doc);
        assert!(node.field_docs["count"].starts_with("Words held"), "{:?}", node.field_docs);
        let data = node.signals.iter().find(|s| s.name == "inp$data").expect("fields of interfaces are there");
        assert_eq!((data.width, data.is_port()), (8, true));
        let registers: Vec<_> = node.children.iter().filter(|c| c.is_register).map(|c| c.name.as_str()).collect();
        assert_eq!(registers, ["head", "tail", "stored", "used", "fetched", "loaded", "word"]);
        assert!(node.children.iter().any(|c| c.name == "ram" && !c.is_register));
    }
}
