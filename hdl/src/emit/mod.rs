// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verilog from blocks.
//!
//! The same text means different things in Rust and in Verilog in several ways (operator precedence, carries that leak through
//! casts, unsized literals, slices of slices, reads before writes). The emitter gives every expression its width, and refuses,
//! with the place, what it cannot translate soundly.
//!
//! What it writes is plain Verilog-2005 for people to read: one module per distinct block, named after its Rust type;
//! registers as clocked blocks, grouped by clock, reset and enable; logic as `assign`s and the smallest `always @*` blocks
//! that keep its meaning; ports connected directly where no logic stands between.
//!
//! On the way, each in its file: [`tree`] collects the instances of a block; [`symbols`] names their signals; [`elaborate`] turns
//! the kernels of [`front`](crate::front) into sized [`expr`]essions and [`stmt`]s; [`dead`] drops what makes no difference, and
//! [`fold`] makes one assignment of many; [`check`] finds latches and undriven bits; [`partition`] splits a kernel into processes;
//! [`connect`] finds direct connections; [`registers`], [`body`] and [`print`] write the text, in which [`fields`] names the bits
//! of structs and [`unused`] what nothing reads; [`design`] merges equal modules, and [`module_names`] names them.

mod body;
mod check;
mod connect;
mod dead;
mod described;
mod design;
mod elaborate;
mod error;
mod expr;
mod fields;
mod fold;
mod literal;
mod module_names;
mod names;
mod partition;
mod print;
mod registers;
mod remarks;
mod stmt;
mod symbols;
#[cfg(test)]
mod testing;
mod tree;
mod unused;

pub use described::Described;
pub use design::Module;
pub use error::{EmitError, Place, Reason};
pub use literal::literal_value;
pub(crate) use remarks::plain;

use rust_hdl_core::prelude::Block;

/// The modules of `block`, each before those it instantiates. The first is named
/// `top`, or else after its type. Modules of hard IP that the blocks bring come last.
///
/// # Errors
/// Every place that cannot be translated, each once however many instances have it.
pub fn modules<B: Block + ?Sized>(block: &B, top: Option<&str>) -> Result<Vec<Module>, Vec<EmitError>> {
    let design::Design { mut modules, cores } = design::design(&tree::collect(&Described(block), "top"), top)?;
    modules.extend(cores.into_iter().map(|text| Module {
        name: "cores".into(),
        rust_type: String::new(),
        block: String::new(),
        doc: String::new(),
        instances: vec![],
        text,
    }));
    Ok(modules)
}

/// `localparam`s with the places and widths of all fields of the structs in `block`, for SystemVerilog that looks into them: `MAC_BEAT_LAST`, where the
/// field begins, as the modules' text has it; `MAC_BEAT_LAST_BITS`; and `MAC_BEAT_BITS`, of the whole.
pub fn field_constants<B: Block + ?Sized>(block: &B) -> String {
    fields::constants(&tree::collect(&Described(block), "top"))
}

/// The whole Verilog of `block` in one text, as [`modules`].
///
/// # Errors
/// Every place that cannot be translated, as text.
pub fn verilog<B: Block + ?Sized>(block: &B, top: Option<&str>) -> Result<String, Vec<String>> {
    let texts = |modules: Vec<Module>| modules.into_iter().map(|module| module.text).collect::<Vec<_>>().join("\n");
    modules(block, top).map(texts).map_err(|errors| errors.iter().map(EmitError::to_string).collect())
}
