// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask verilog`: the Verilog of a preset, one file per module, with what an engineer needs beside it.

#[path = "verilog/fusesoc.rs"]
mod fusesoc;
#[path = "verilog/ip_xact.rs"]
mod ip_xact;
#[path = "verilog/ports.rs"]
mod ports;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Parser, ValueEnum};
use millrace_hdl::board::cmac::cmac_port;
use millrace_hdl::{docs, emit};
use millrace_regs::config::Preset;
use millrace_tops::{axi, dpu, gigabit_nic, millrace_host};
use rust_hdl_core::prelude::Block;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// What the top module is.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Top {
    /// The core (`millrace`, what the simulation runs) with AXI4-Stream pins for every vport: `millrace_axi`
    #[default]
    Axi,
    /// The core with AXI4-Stream pins for uplinks, and a host channel for all else: `millrace_host`
    Host,
    /// The core of preset `ecp5` with gigabit MACs at uplinks, and a host channel over a UART for all else: `gigabit_nic`
    GigabitNic,
    /// The core with its host side, of a preset that has one: `millrace_dpu`
    Dpu,
}

impl Top {
    /// Name of the module.
    fn name(self) -> &'static str {
        match self {
            Top::Axi => "millrace_axi",
            Top::Host => millrace_host::TOP,
            Top::GigabitNic => gigabit_nic::TOP,
            Top::Dpu => "millrace_dpu",
        }
    }
}

/// Writes the Verilog of a preset: one file per module, file lists, descriptions of the ports, the register reference, the C header.
#[derive(Parser)]
#[command(bin_name = "cargo xtask verilog --")]
struct Arguments {
    /// Build of the hardware
    #[arg(long, default_value = "sim")]
    preset: Preset,
    /// Folder to write into; made if it is not there
    #[arg(long)]
    out: PathBuf,
    /// Top module
    #[arg(long, default_value = "axi")]
    top: Top,
    /// With `--top host` or `gigabit-nic`: uplinks that have pins [default: all]
    #[arg(long)]
    uplinks: Option<usize>,
    /// With `--top gigabit-nic`: clocks of the core in a bit of the UART
    #[arg(long, default_value_t = 42)]
    uart_clocks_per_bit: usize,
    /// The modules between the core and a 100G MAC (`cmac_port`), too
    #[arg(long)]
    with_cmac_port: bool,
}

/// A whole core is built by value on the stack.
const STACK: usize = 256 << 20;

fn main() -> Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(run)?.join().expect("it ends without a panic")
}

fn run() -> Result<()> {
    let arguments = Arguments::parse();
    let Arguments { preset, out, top, .. } = &arguments;
    check(out)?;
    if arguments.with_cmac_port {
        check_cmac(*preset)?;
    }
    let files = files(&arguments)?;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    for (name, text) in &files {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let modules = files.iter().filter(|(name, _)| name.ends_with(".v")).count();
    println!("{modules} modules of the {preset} preset in {}; top module {}", out.display(), top.name());
    Ok(())
}

/// Refuses a folder that cannot be one before anything is made.
fn check(out: &Path) -> Result<()> {
    let there = out.ancestors().find(|path| path.as_os_str().is_empty() || path.exists()).unwrap_or(Path::new("."));
    if !there.as_os_str().is_empty() && !there.is_dir() {
        bail!(
            "--out {}: {} is a file; a folder is needed, or a place where one can be made",
            out.display(),
            there.display()
        );
    }
    Ok(())
}

/// Refuses a preset whose bus is not the CMAC's.
fn check_cmac(preset: Preset) -> Result<()> {
    let fits = |preset: &Preset| preset.config().bus_bits == cmac_port::BUS_BITS;
    if !fits(&preset) {
        let names: Vec<&str> = Preset::ALL.iter().filter(|preset| fits(preset)).map(|preset| preset.name()).collect();
        bail!(
            "--with-cmac-port: a CMAC has {} bits, preset `{preset}` {}; the presets that fit are {}",
            cmac_port::BUS_BITS,
            preset.config().bus_bits,
            names.join(", ")
        );
    }
    Ok(())
}

/// The top block.
fn block(arguments: &Arguments) -> Result<Box<dyn Block>> {
    let Arguments { preset, top, uplinks, .. } = *arguments;
    if preset.config().has_host_side() != (top == Top::Dpu) {
        let names: Vec<&str> = Preset::HOSTED.iter().map(|preset| preset.name()).collect();
        bail!("--top: `dpu` goes with the presets that have a host side ({}), and they with it", names.join(", "));
    }
    match (top, uplinks) {
        (Top::Dpu, None) => Ok(dpu::build(preset)),
        (Top::Dpu, Some(_)) => bail!("--uplinks: `--top dpu` has pins for all uplinks of its preset"),
        (Top::Axi, None) => Ok(axi::build(preset)),
        (Top::Axi, Some(_)) => {
            bail!("--uplinks: `--top axi` has pins for every vport; `--top host` and `gigabit-nic` take it")
        }
        (Top::Host, None) => Ok(millrace_host::build(preset)),
        (Top::Host, Some(uplinks)) => Ok(millrace_host::build_with(preset, uplinks)?),
        (Top::GigabitNic, uplinks) => {
            let uplinks = uplinks.unwrap_or(preset.config().uplinks);
            Ok(gigabit_nic::build(preset, uplinks, arguments.uart_clocks_per_bit)?)
        }
    }
}

/// The modules of a block named `top`.
fn modules(block: &dyn Block, top: &str) -> Result<Vec<emit::Module>> {
    emit::modules(block, Some(top))
        .map_err(|errors| anyhow!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}

/// Adds those of `more` that are not there. Modules of one name have to be the same, but for the comments that name their instances.
fn merge(modules: &mut Vec<emit::Module>, more: Vec<emit::Module>) -> Result<()> {
    let code = |text: &str| text.lines().filter(|line| !line.starts_with("//")).map(str::to_owned).collect::<Vec<_>>();
    for module in more {
        match modules.iter().find(|other| other.name == module.name) {
            Some(other) if code(&other.text) == code(&module.text) => {}
            Some(other) => bail!("{} and {} are both named {}", other.rust_type, module.rust_type, module.name),
            None => modules.push(module),
        }
    }
    Ok(())
}

/// Names and texts of all files.
fn files(arguments: &Arguments) -> Result<Vec<(String, String)>> {
    let Arguments { preset, top, .. } = *arguments;
    let mut modules = self::modules(block(arguments)?.as_ref(), top.name())?;
    if arguments.with_cmac_port {
        merge(&mut modules, self::modules(cmac_port::build().as_ref(), cmac_port::TOP)?)?;
    }
    let top = top.name();
    let module = modules.iter().find(|module| module.name == top).context("the top module is missing")?;
    let ports = ports::of(&module.text, top);
    let names: Vec<String> = modules.iter().map(|module| format!("{}.v", module.name)).collect();
    let mut files: Vec<(String, String)> =
        modules.iter().zip(&names).map(|(module, name)| (name.clone(), docs::header(module) + &module.text)).collect();
    files.push(("millrace.f".into(), names.join("\n") + "\n"));
    files.push(("millrace.core".into(), fusesoc::core(preset, top, &names)));
    files.push(("millrace.xml".into(), ip_xact::component(preset, top, &ports, &names)));
    files.push(("ports.md".into(), ports::markdown(preset, top, &ports)));
    files.push(("millrace.h".into(), millrace_regs::c_header()));
    files.push(("registers.md".into(), millrace_regs::markdown()));
    Ok(files)
}
