// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a proof consists of.

use anyhow::{Result, bail, ensure};
use millrace_hdl::emit::{self, Module};
use rust_hdl_core::prelude::Block;
use std::collections::BTreeSet;

/// A statement about an emitted module, and how it is proved.
pub struct Proof {
    /// Also the name of the harness's file; its top module is called `<name>_proof`.
    pub name: &'static str,
    /// What is stated, in a sentence.
    pub claim: &'static str,
    /// The block, its module named as in the harness.
    pub design: fn() -> Result<Design>,
    /// SystemVerilog of the harness. A module of the design that is also defined here is replaced by this one.
    pub sources: &'static [Source],
    pub engine: Engine,
    /// The harness has clocks with no relation to each other.
    pub multiclock: bool,
    /// Takes minutes.
    pub slow: bool,
    /// Faults that the proof must notice.
    pub mutants: &'static [Mutant],
}

/// A block as the harness sees it.
pub struct Design {
    /// Its own module, and those that it instantiates.
    pub modules: Vec<Module>,
    /// `localparam`s that say where the fields of its structs are.
    pub fields: String,
}

/// A file of the harness.
pub struct Source {
    pub file: &'static str,
    pub text: &'static str,
}

/// The harness files of these names, from the folder `formal` beside the blocks.
#[macro_export]
macro_rules! sources {
    ($($path:literal),* $(,)?) => {
        &[$($crate::proof::Source {
            file: $path,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/", $path)),
        }),*]
    };
}

/// How a proof is found. Both kinds hold for any number of clocks.
#[derive(Clone, Copy)]
pub enum Engine {
    /// Property directed reachability (ABC's `pdr`): finds the invariants itself.
    Pdr,
    /// k-induction over this many clocks (Bitwuzla). Counterexamples of mutants are searched in clocks `from` to `to` after reset.
    Induction { depth: u32, from: u32, to: u32 },
}

/// A fault: each text occurs once in the emitted Verilog, or once in each module of one block, and is replaced by the other.
pub struct Mutant {
    pub name: &'static str,
    pub edits: &'static [(&'static str, &'static str)],
}

/// A block's type without its parameters.
fn base(block: &str) -> &str {
    block.split('<').next().unwrap_or_default()
}

/// A block, whose module gets the name `top`.
pub fn modules(block: impl Block, top: &str) -> Result<Design> {
    match emit::modules(&block, Some(top)) {
        Ok(modules) => Ok(Design { modules, fields: emit::field_constants(&block) }),
        Err(errors) => bail!("{top} is not emitted: {errors:?}"),
    }
}

impl Proof {
    /// The Verilog under proof, with a mutant's fault if one is given, and the names of its structs' fields.
    ///
    /// # Errors
    /// If the block cannot be emitted, or the mutant's text is not there exactly once.
    pub fn verilog(&self, mutant: Option<&Mutant>) -> Result<(String, String)> {
        let Design { mut modules, fields } = (self.design)()?;
        modules.retain(|module| !self.replaces(&module.name));
        for (from, to) in mutant.map_or(&[][..], |mutant| mutant.edits) {
            let has = |module: &&mut Module| module.text.contains(from);
            let places: Vec<&mut Module> = modules.iter_mut().filter(has).collect();
            let blocks: BTreeSet<&str> = places.iter().map(|module| base(&module.block)).collect();
            let once = places.iter().all(|module| module.text.matches(from).count() == 1);
            ensure!(
                blocks.len() == 1 && once,
                "{}: a mutant's text `{from}` is not once in the emitted Verilog, or once in each module of a block, but in {:?}",
                self.name,
                places.iter().map(|module| &module.name).collect::<Vec<_>>()
            );
            places.into_iter().for_each(|module| module.text = module.text.replace(from, to));
        }
        Ok((modules.iter().map(|module| module.text.as_str()).collect::<Vec<_>>().join("\n"), fields))
    }

    fn replaces(&self, module: &str) -> bool {
        let starts = [format!("module {module} ("), format!("module {module} #(")];
        self.sources
            .iter()
            .any(|source| source.text.lines().any(|line| starts.iter().any(|start| line.starts_with(start))))
    }
}
