// SPDX-License-Identifier: MIT OR Apache-2.0
//! A block without its simulation.

use rust_hdl_core::prelude::*;
use rust_hdl_core::timing::TimingInfo;
use std::ops::Deref;

/// A block, behind a reference or in a box, to be emitted and not simulated. rust-hdl has one trait for both: whoever hands a block on as a `dyn
/// Block` has the compiler make the machine code of all kernels in it, which is most of the code of a design.
pub struct Described<P>(pub P);

impl<P: Deref<Target: Block>> Logic for Described<P> {
    fn update(&mut self) {
        unreachable!("what is described is not simulated")
    }
    fn hdl(&self) -> Verilog {
        self.0.hdl()
    }
    fn timing(&self) -> Vec<TimingInfo> {
        self.0.timing()
    }
}

impl<P: Deref<Target: Block>> Block for Described<P> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {
        self.update()
    }
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        self.0.accept(name, probe)
    }
}
