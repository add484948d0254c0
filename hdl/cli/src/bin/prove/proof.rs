// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a proof consists of.

use anyhow::{Result, bail, ensure};
use millrace_hdl::emit::{self, Module};
use rust_hdl_core::prelude::Block;

/// A statement about an emitted module, and how it is proved.
pub struct Proof {
    /// Also the name of the harness's file; its top module is called `<name>_proof`.
    pub name: &'static str,
    /// What is stated, in a sentence.
    pub claim: &'static str,
    /// The modules of the block, the first named as in the harness.
    pub design: fn() -> Result<Vec<Module>>,
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

/// A fault: each text occurs once in the emitted Verilog and is replaced by the other.
pub struct Mutant {
    pub name: &'static str,
    pub edits: &'static [(&'static str, &'static str)],
}

/// The modules of a block.
pub fn modules(mut block: impl Block, top: &str) -> Result<Vec<Module>> {
    block.connect_all();
    match emit::modules(&block, Some(top)) {
        Ok(modules) => Ok(modules),
        Err(errors) => bail!("{top} is not emitted: {errors:?}"),
    }
}

impl Proof {
    /// The Verilog under proof, with a mutant's fault if one is given.
    ///
    /// # Errors
    /// If the block cannot be emitted, or the mutant's text is not there exactly once.
    pub fn verilog(&self, mutant: Option<&Mutant>) -> Result<String> {
        let modules = (self.design)()?;
        let ours = modules.iter().filter(|module| !self.replaces(&module.name));
        let mut text = ours.map(|module| module.text.as_str()).collect::<Vec<_>>().join("\n");
        for (from, to) in mutant.map_or(&[][..], |mutant| mutant.edits) {
            let places = text.matches(from).count();
            ensure!(
                places == 1,
                "{}: a mutant's text `{from}` is in the emitted Verilog {places} times, not once",
                self.name
            );
            text = text.replace(from, to);
        }
        Ok(text)
    }

    fn replaces(&self, module: &str) -> bool {
        let starts = [format!("module {module} ("), format!("module {module} #(")];
        self.sources
            .iter()
            .any(|source| source.text.lines().any(|line| starts.iter().any(|start| line.starts_with(start))))
    }
}
