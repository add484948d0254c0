// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask verilog`: the Verilog of a preset, one file per module, with what an engineer needs beside it.

use anyhow::{Context, Result, bail};
use clap::Parser;
use millrace_hdl::emit;
use millrace_hdl::fastpath::core::build;
use millrace_regs::config::Preset;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes the Verilog of a preset: one file per module, a list of them, the register reference, the C header.
#[derive(Parser)]
#[command(bin_name = "cargo xtask verilog --")]
struct Arguments {
    /// Build of the hardware
    #[arg(long, default_value = "sim")]
    preset: Preset,
    /// Folder to write into; made if it is not there
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { preset, out } = Arguments::parse();
    let modules = match emit::modules(build(preset).as_ref(), Some("millrace")) {
        Ok(modules) => modules,
        Err(errors) => bail!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let names: Vec<String> = modules.iter().map(|module| format!("{}.v", module.name)).collect();
    for (module, name) in modules.iter().zip(&names) {
        write(&out, name, &module.text)?;
    }
    write(&out, "millrace.f", &(names.join("\n") + "\n"))?;
    write(&out, "millrace.h", &millrace_regs::c_header())?;
    write(&out, "registers.md", &millrace_regs::markdown())?;
    println!("{} modules of the {preset} preset in {}", modules.len(), out.display());
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}
