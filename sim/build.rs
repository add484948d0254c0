// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the Verilog of the presets to simulate, turns it into C++ with Verilator, compiles that and links it statically.
//! The result is kept in a cache under `target/`, so that only a change of the Verilog makes it work again.
//!
//! That is preset `sim`; with features `host` and `passes` also the presets of these names; with feature `every-preset`, all of [`Preset::SIMULATED`]. With feature `gates`, only preset `ecp5` is there, and is simulated from its netlist: `cargo xtask gates` makes it.
//!
//! Environment: `VERILATOR_ROOT` (a Verilator that is not the one on `PATH`), `MILLRACE_CACHE` (the cache's folder),
//! `CXX` (the compiler), `MILLRACE_GATES` (with feature `gates`: the netlist and the models of its cells).

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
    for name in ["VERILATOR_ROOT", "MILLRACE_CACHE", "PATH", "CXX", "CXXFLAGS"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    for file in ["build.rs", "build"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?);
    let verilator = Verilator::find()?;
    let compiler = Compiler::new(&out, verilator.include())?;
    let cache = Cache::new(&out, &[verilator.version(), &compiler.describe()?])?;

    let feature = |name: &str| env::var_os(format!("CARGO_FEATURE_{name}")).is_some();
    let gates = feature("GATES");
    let presets = match () {
        () if gates => vec![Preset::Ecp5],
        () if feature("EVERY_PRESET") => Preset::SIMULATED.into_iter().chain(Preset::HOSTED).collect(),
        () => {
            let chosen = [("HOST", Preset::Host), ("PASSES", Preset::Passes)];
            let more = chosen.into_iter().filter(|(name, _)| feature(name)).map(|(_, preset)| preset);
            std::iter::once(Preset::Sim).chain(more).collect()
        }
    };
    for preset in &presets {
        let effort = Effort::of(*preset, gates);
        let netlist = if gates { Some(netlist()?) } else { None };
        let model = Model::new(*preset, netlist, &out)?;
        let folder = cache.get(&model.library, &[&model.verilog, &model.shim], |folder| {
            let sources = verilator.run(&model.prefix, &model.file, folder, effort.files, effort.functions)?;
            compiler.compile_model(&model.library, &sources, effort.optimisation, &model.shim, folder)
        })?;
        println!("cargo:rustc-link-search=native={}", folder.display());
        println!("cargo:rustc-link-lib=static={}", model.library);
    }
    let runtime = cache.get("millrace_verilated", &[], |folder| {
        compiler.compile_runtime("millrace_verilated", &verilator.runtime()?, folder)
    })?;
    println!("cargo:rustc-link-search=native={}", runtime.display());
    println!("cargo:rustc-link-lib=static=millrace_verilated");
    println!("cargo:rustc-link-lib=dylib=stdc++");
    println!("cargo:rustc-link-lib=dylib=z");
    if compiler.wants_libatomic() {
        println!("cargo:rustc-link-lib=dylib=atomic");
    }
    fs::write(out.join("models.rs"), bindings(&presets)?)?;
    cache.prune()
}

/// What is done to have a fast model, and to have it soon. Sizes are in Verilator's count.
struct Effort {
    /// Size of C++ files.
    files: u32,
    /// Size of C++ functions.
    functions: u32,
    /// The compiler's level, for what runs in every cycle.
    optimisation: u32,
}

impl Effort {
    /// Reading the declarations takes half a second and more for a file, a third of the time of a dozen: a few files that run in every
    /// cycle.
    const RTL: Effort = Effort { files: 60_000, functions: 4_000, optimisation: 3 };
    /// A preset that is there to be tested: 15 % slower to run than `RTL`, and made in half the time.
    const TESTED: Effort = Effort { optimisation: 1, ..Effort::RTL };
    /// A netlist has so many signals that reading their declarations takes most of the time for a file: few files. It runs
    /// a few packets: quick to make is better than quick to run.
    const GATES: Effort = Effort { files: 60_000, functions: 60_000, optimisation: 1 };

    fn of(preset: Preset, gates: bool) -> Effort {
        match preset {
            _ if gates => Effort::GATES,
            Preset::Sim | Preset::Host => Effort::RTL,
            _ => Effort::TESTED,
        }
    }
}

/// The netlist of preset `ecp5`, with its cells.
fn netlist() -> Result<String> {
    println!("cargo:rerun-if-env-changed=MILLRACE_GATES");
    let file = env::var_os("MILLRACE_GATES").map(PathBuf::from);
    let file = file.context("feature `gates` needs MILLRACE_GATES: run `cargo xtask gates`")?;
    println!("cargo:rerun-if-changed={}", file.display());
    fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))
}

/// One preset on its way to a library.
struct Model {
    prefix: String,
    library: String,
    verilog: String,
    file: PathBuf,
    shim: String,
}

impl Model {
    /// The model of a preset's RTL, or of a netlist with the same ports.
    fn new(preset: Preset, netlist: Option<String>, out: &Path) -> Result<Self> {
        let name = preset.name();
        let verilog = millrace_tops::verilog(preset)
            .map_err(|errors| anyhow!("preset {name} has no Verilog:\n{}", errors.join("\n")))?;
        let file = out.join(format!("{name}.v"));
        let ports = shim::ports(&verilog, TOP);
        if ports.is_empty() {
            bail!("no module `{TOP}` in the Verilog of preset {name}");
        }
        let verilog = netlist.unwrap_or(verilog);
        fs::write(&file, &verilog)?;
        let prefix = format!("VMillrace{}{}", name[..1].to_uppercase(), &name[1..]);
        let shim = shim::source(name, &prefix, &ports);
        Ok(Self { prefix, library: format!("millrace_model_{name}"), verilog, file, shim })
    }
}

/// The declarations of the models' entry tables and how to find them, for `src/ffi.rs`.
fn bindings(presets: &[Preset]) -> Result<String> {
    let mut text = String::from("unsafe extern \"C\" {\n");
    for preset in presets {
        let name = preset.name();
        writeln!(text, "    #[link_name = \"millrace_model_{name}\"]\n    static {}: Entry;", name.to_uppercase())?;
    }
    writeln!(text, "}}\n\n/// The presets that are linked in.\npub const BUILT_IN: &[Preset] = &[")?;
    for preset in presets {
        writeln!(text, "    Preset::{preset:?},")?;
    }
    writeln!(text, "];\n\nfn entry(preset: Preset) -> Option<&'static Entry> {{\n    match preset {{")?;
    for preset in presets {
        let name = preset.name().to_uppercase();
        writeln!(text, "        // SAFETY: an immutable static that the linked shim defines with this layout.")?;
        writeln!(text, "        Preset::{preset:?} => Some(unsafe {{ &{name} }}),")?;
    }
    writeln!(text, "        _ => None,\n    }}\n}}")?;
    Ok(text)
}
