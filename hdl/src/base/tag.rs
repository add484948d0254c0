// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lets a block tell the emitter its Rust type.

use rust_hdl_core::ast::VerilogLiteral;
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::*;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::marker::PhantomData;

/// Zero-width field `tag: Tag<Self>` of every block: carries the block's Rust type name to the emitter, which names the
/// Verilog module after it, and what its doc comments say. (`dyn Block` does not know its type.)
pub struct Tag<T: ?Sized> {
    source: Source,
    of: PhantomData<fn() -> T>,
}

/// What a block's source says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Source {
    /// The names of the type's generic parameters, in order, or none.
    pub parameters: &'static [&'static str],
    /// Its doc comment.
    pub doc: &'static str,
    /// Fields that have one, and theirs.
    pub fields: &'static [(&'static str, &'static str)],
}

impl<T: ?Sized> Tag<T> {
    pub(crate) const PREFIX: &str = "type:";
    /// Between the type and each parameter.
    pub(crate) const NEXT: char = ';';
    /// Before the doc comment, and before each field that has one.
    pub(crate) const DOC: char = '\u{1e}';
    /// Between a field and its doc comment.
    pub(crate) const SAYS: char = '\u{1f}';

    /// Of a type whose source says this.
    pub fn of(source: Source) -> Self {
        Tag { source, of: PhantomData }
    }
}

impl<T: ?Sized> Default for Tag<T> {
    fn default() -> Self {
        Tag::of(Source::default())
    }
}

impl<T: ?Sized> Clone for Tag<T> {
    fn clone(&self) -> Self {
        Tag::of(self.source)
    }
}

impl<T: ?Sized> Logic for Tag<T> {
    fn update(&mut self) {}
}

impl<T: ?Sized> Block for Tag<T> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self)
    }
}

impl<T: ?Sized> Atom for Tag<T> {
    fn bits(&self) -> usize {
        0
    }
    fn connected(&self) -> bool {
        true
    }
    fn changed(&self) -> bool {
        false
    }
    fn kind(&self) -> AtomKind {
        AtomKind::Constant
    }
    fn descriptor(&self) -> TypeDescriptor {
        let mut name = format!("{}{}", Self::PREFIX, std::any::type_name::<T>());
        for parameter in self.source.parameters {
            name.push(Self::NEXT);
            name += parameter;
        }
        name.push(Self::DOC);
        name += self.source.doc;
        for (field, doc) in self.source.fields {
            name.extend([Self::DOC.to_string().as_str(), field, Self::SAYS.to_string().as_str(), doc]);
        }
        TypeDescriptor { name, kind: TypeKind::Bits(0) }
    }
    fn vcd(&self) -> VCDValue {
        false.into()
    }
    fn id(&self) -> usize {
        0
    }
    fn verilog(&self) -> VerilogLiteral {
        false.into()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}
