// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the attribute [`block`](millrace_hdl_macros::block) makes of a block: a tree of constants that the emitter reads, and Rust that the
//! simulator runs.
//!
//! A kernel is ordinary Rust over values. `self.x` reads a signal, a register's output or a field of one; an assignment drives a signal, or loads a
//! register at the next clock, which it does not where it is not reached. [`tree`] holds the constants, [`place`] how a path of fields comes to a
//! value in the simulator, [`value`] the values, [`carry`] what each kind of field does, [`activity`] which blocks run.

pub mod activity;
pub mod carry;
pub mod place;
pub mod tree;
pub mod value;

use rust_hdl_core::ast::Verilog;
use std::cell::RefCell;
use tree::Kernel;

thread_local! {
    static HANDED_OVER: RefCell<Option<Kernel>> = const { RefCell::new(None) };
}

/// Hands a kernel over to the emitter, which asks for it right after: rust-hdl's `Logic::hdl` has no room for a tree that is not its own.
pub fn hand_over(kernel: Kernel) -> Verilog {
    HANDED_OVER.set(Some(kernel));
    Verilog::Empty
}

/// The kernel that was handed over since it was last asked for.
pub(crate) fn handed_over() -> Option<Kernel> {
    HANDED_OVER.take()
}
