// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lets a block tell the emitter its Rust type.

use rust_hdl_core::ast::VerilogLiteral;
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::*;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::marker::PhantomData;

/// Zero-width field `tag: Tag<Self>` of every block: carries the block's Rust type name to the emitter, which names the
/// Verilog module after it. (`dyn Block` does not know its type.)
pub struct Tag<T: ?Sized> {
    /// The names of the type's generic parameters, in order, or none.
    parameters: &'static [&'static str],
    of: PhantomData<fn() -> T>,
}

impl<T: ?Sized> Tag<T> {
    pub(crate) const PREFIX: &str = "type:";
    /// Between the type and each parameter.
    pub(crate) const NEXT: char = ';';

    /// Of a type with these generic parameters.
    pub fn of(parameters: &'static [&'static str]) -> Self {
        Tag { parameters, of: PhantomData }
    }
}

impl<T: ?Sized> Default for Tag<T> {
    fn default() -> Self {
        Tag::of(&[])
    }
}

impl<T: ?Sized> Clone for Tag<T> {
    fn clone(&self) -> Self {
        Tag::of(self.parameters)
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
        for parameter in self.parameters {
            name.push(Self::NEXT);
            name += parameter;
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
