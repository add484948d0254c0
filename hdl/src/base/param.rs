// SPDX-License-Identifier: MIT OR Apache-2.0
//! Constants that a block gets when it is built.

use rust_hdl_core::ast::VerilogLiteral;
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::prelude::*;
use rust_hdl_core::type_descriptor::TypeDescriptor;

/// A constant like rust-hdl's `Constant`, but with a default, so that a block that holds some can still be built with
/// `..Default::default()`. The emitter writes it as a `localparam`.
#[derive(Clone, Debug, Default)]
pub struct Param<T: Synth>(T);

impl<T: Synth> Param<T> {
    /// A constant with this value.
    pub fn new(value: T) -> Self {
        Self(value)
    }
    /// The value; usable in kernels.
    pub fn val(&self) -> T {
        self.0
    }
}

impl<T: Synth> Logic for Param<T> {
    fn update(&mut self) {}
}

impl<T: Synth> Block for Param<T> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self)
    }
}

impl<T: Synth> Atom for Param<T> {
    fn bits(&self) -> usize {
        T::BITS
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
        T::descriptor()
    }
    fn vcd(&self) -> VCDValue {
        self.0.vcd()
    }
    fn id(&self) -> usize {
        0
    }
    fn verilog(&self) -> VerilogLiteral {
        self.0.verilog()
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}
