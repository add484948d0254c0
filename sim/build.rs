// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the Verilog of each preset, turns it into C++ with Verilator, compiles that and links it statically.
//! The result is kept in a cache under `target/`, so that only a change of the Verilog makes it work again.
//!
//! Environment: `VERILATOR_ROOT` (a Verilator that is not the one on `PATH`), `MILLRACE_CACHE` (the cache's folder),
//! `CXX` (the compiler).

#[path = "build/cache.rs"]
mod cache;
#[path = "build/compile.rs"]
mod compile;
#[path = "build/shim.rs"]
mod shim;
#[path = "build/verilator.rs"]
mod verilator;

use anyhow::{Context, Result, anyhow, bail};
use cache::Cache;
use compile::Compiler;
use millrace_regs::config::Preset;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use verilator::Verilator;

/// The name of the Verilog's top module.
const TOP: &str = "millrace";

fn main() {
    if let Err(error) = build() {
        eprintln!("error: the simulation cannot be built: {error:#}");
        std::process::exit(1);
    }
}

fn build() -> Result<()> {
    for name in ["VERILATOR_ROOT", "MILLRACE_CACHE", "PATH"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    for file in ["build.rs", "build"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let verilator = Verilator::find()?;
    let compiler = Compiler::new(&out, verilator.include())?;
    let cache = Cache::new(&out, &[verilator.version(), &compiler.describe()?])?;

    let mut bindings = String::new();
    for preset in Preset::SIMULATED {
        let model = Model::new(preset, &out)?;
        let folder = cache.get(&model.library, &[&model.verilog, &model.shim], |folder| {
            let sources = verilator.run(&model.prefix, &model.file, folder)?;
            compiler.compile_model(&model.library, &sources, &model.shim, folder)
        })?;
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static={}", model.library);
        writeln!(bindings, "{}", model.binding())?;
    }
    let runtime = cache.get("millrace_verilated", &[], |folder| {
        compiler.compile_runtime("millrace_verilated", &verilator.runtime()?, folder)
    })?;
    println!("cargo:rustc-link-search=native={}", runtime.display());
    println!("cargo:rustc-link-lib=static=millrace_verilated");
    println!("cargo:rustc-link-lib=dylib=stdc++");
    println!("cargo:rustc-link-lib=dylib=z");
    fs::write(out.join("models.rs"), bindings)?;
    cache.prune()
}

/// One preset on its way to a library.
struct Model {
    name: &'static str,
    prefix: String,
    library: String,
    verilog: String,
    file: PathBuf,
    shim: String,
}

impl Model {
    fn new(preset: Preset, out: &Path) -> Result<Self> {
        let name = preset.name();
        let verilog = millrace_hdl::fastpath::verilog(preset)
            .map_err(|errors| anyhow!("preset {name} has no Verilog:\n{}", errors.join("\n")))?;
        let file = out.join(format!("{name}.v"));
        fs::write(&file, &verilog)?;
        let ports = shim::ports(&verilog, TOP);
        if ports.is_empty() {
            bail!("no module `{TOP}` in the Verilog of preset {name}");
        }
        let prefix = format!("VMillrace{}{}", name[..1].to_uppercase(), &name[1..]);
        let shim = shim::source(name, &prefix, &ports);
        Ok(Self { name, prefix, library: format!("millrace_model_{name}"), verilog, file, shim })
    }

    /// The declaration of the model's entry table, for `src/ffi.rs`.
    fn binding(&self) -> String {
        let name = self.name;
        format!(
            "unsafe extern \"C\" {{\n    #[link_name = \"millrace_model_{name}\"]\n    static {}: Entry;\n}}",
            name.to_uppercase()
        )
    }
}
