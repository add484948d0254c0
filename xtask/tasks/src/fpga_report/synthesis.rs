// SPDX-License-Identifier: MIT OR Apache-2.0
//! Emitting and synthesising a preset. Netlists are kept in `target/fpga` by the hash of what they are made from, so that RTL
//! that has not changed is not synthesised again.

use crate::rtl;
use crate::yosys::Yosys;
use anyhow::{Context, Result};
use clap::ValueEnum;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use xtask::run;

/// The module that is synthesised: the core as it is simulated.
pub const TOP: &str = "millrace";
/// The netlist as JSON, in the folder that [`synthesise`] gives.
pub const JSON: &str = "netlist.json";
/// The netlist as Verilog, there too if it is flat.
pub const VERILOG: &str = "netlist.v";

/// A preset that is made for an FPGA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Preset {
    /// For the Lattice ECP5
    Ecp5,
    /// For UltraScale+
    Alveo,
}

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 2] = [Preset::Ecp5, Preset::Alveo];

    /// The name on the command line and in the file of figures.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Ecp5 => "ecp5",
            Preset::Alveo => "alveo",
        }
    }

    /// Yosys's command. A read of a word that is being written may give anything (`-no-rw-check`): the gate-level check
    /// shows that nothing depends on it. There are no pads: the core is a part of a board's design.
    pub fn command(self, hierarchy: Hierarchy) -> String {
        match (self, hierarchy) {
            (Preset::Ecp5, Hierarchy::Kept) => "synth_ecp5 -noflatten -no-rw-check".into(),
            (Preset::Ecp5, Hierarchy::Flattened) => "synth_ecp5 -no-rw-check".into(),
            (Preset::Alveo, Hierarchy::Kept) => "synth_xilinx -family xcup -uram -noiopad -noclkbuf".into(),
            (Preset::Alveo, Hierarchy::Flattened) => {
                "synth_xilinx -family xcup -uram -noiopad -noclkbuf -flatten".into()
            }
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether each module is synthesised by itself, or all as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    Kept,
    Flattened,
}

/// The Verilog of a preset.
pub struct Rtl {
    preset: Preset,
    pub text: String,
}

impl Rtl {
    /// Has it written by the program behind `cargo xtask verilog`.
    pub fn emit(preset: Preset) -> Result<Self> {
        let folder = root().join(format!("{preset}-rtl"));
        let _ = fs::remove_dir_all(&folder);
        let mut emitter = rtl::emitter(&["--preset".into(), preset.name().into()], &folder)?;
        emitter.stdout(Stdio::null());
        run::checked(emitter)?;
        let read = |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
        let texts: Result<Vec<String>> = rtl::files(&folder)?.iter().map(read).collect();
        Ok(Self { preset, text: rtl::without_remarks(&texts?.join("\n")) })
    }

    /// Hash of the text.
    pub fn hash(&self) -> String {
        self.hash_with(&[])
    }

    /// Hash of the text and of what is made with it.
    pub fn hash_with(&self, more: &[&str]) -> String {
        hash(&[&[self.text.as_str()], more].concat())
    }

    /// The folder with the netlist of the core, made now or before.
    pub fn synthesise(&self, yosys: &Yosys, hierarchy: Hierarchy) -> Result<PathBuf> {
        let products: &[&str] = match hierarchy {
            Hierarchy::Kept => &[JSON],
            Hierarchy::Flattened => &[JSON, VERILOG],
        };
        let kind = if hierarchy == Hierarchy::Kept { "modules" } else { "flat" };
        self.netlist(yosys, kind, &self.text, &format!("{} -top {TOP}", self.preset.command(hierarchy)), products)
    }

    /// The same of a module `top` around the core, flattened.
    pub fn synthesise_around(&self, yosys: &Yosys, top: &str, text: &str) -> Result<PathBuf> {
        let command = format!("{} -top {top}", self.preset.command(Hierarchy::Flattened));
        self.netlist(yosys, top, &format!("{}\n{text}", self.text), &command, &[JSON])
    }

    fn netlist(&self, yosys: &Yosys, kind: &str, text: &str, command: &str, products: &[&str]) -> Result<PathBuf> {
        let mut script = format!("read_verilog rtl.v\n{command}\nwrite_json {JSON}\n");
        if products.contains(&VERILOG) {
            // For Verilator: a vector whose bits depend on each other is a loop to it, and names by the hundred thousand take time.
            script += &format!("splitnets\nrename -hide\nopt_clean\nwrite_verilog -noattr {VERILOG}\n");
        }
        let kind = format!("{}-{kind}", self.preset);
        let folder = root().join(format!("{kind}-{}", hash(&[text, &script, &yosys.version])));
        if products.iter().all(|product| folder.join(product).is_file()) {
            return Ok(folder);
        }
        eprintln!("{}: {command}, which takes minutes", self.preset);
        let work = root().join(format!(".{kind}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&work);
        fs::create_dir_all(&work).with_context(|| format!("cannot make {}", work.display()))?;
        fs::write(work.join("rtl.v"), text).with_context(|| format!("cannot write into {}", work.display()))?;
        yosys.run(&work, &script, products)?;
        forget(&format!("{kind}-"))?;
        fs::rename(&work, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// Where netlists are kept.
pub fn root() -> PathBuf {
    run::target().join("fpga")
}

/// Removes the netlists whose folders' names begin so: they are of older text.
fn forget(prefix: &str) -> Result<()> {
    for entry in fs::read_dir(root())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Parts are hashed with their length, so that no two lists of parts look the same.
fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
