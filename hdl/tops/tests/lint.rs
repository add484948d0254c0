// SPDX-License-Identifier: MIT OR Apache-2.0
//! Verilator's lint and Yosys's check on every module of the core, and on base blocks by themselves.

/// Shared with the tests of the emitter.
#[allow(dead_code)] // a part is used
#[path = "../../tests/support/tools.rs"]
mod tools;

use millrace_hdl::base::*;
use millrace_hdl::emit::{self, Module};
use millrace_regs::config::Preset;
use millrace_tops::core::build;
use millrace_tops::{gigabit_nic, millrace_host};
use rust_hdl_core::prelude::*;
use std::collections::BTreeSet;
use std::time::Instant;

const TOP: &str = "millrace";

/// The modules of a preset's core.
fn modules(preset: Preset) -> Vec<Module> {
    let core = build(preset);
    let start = Instant::now();
    let modules = emit::modules(core.as_ref(), Some(TOP)).unwrap_or_else(|errors| panic!("not emitted: {errors:#?}"));
    println!("{preset}: {} modules emitted in {:?}", modules.len(), start.elapsed());
    modules
}

fn text(modules: &[Module]) -> String {
    modules.iter().map(|module| module.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// Emits a block and has both tools judge it.
fn judge(block: impl Block) {
    let verilog = emit::verilog(&block, Some("top")).unwrap_or_else(|e| panic!("not emitted:\n{}", e.join("\n")));
    tools::lint(&verilog, "top");
    tools::yosys_check(&verilog, "top");
}

#[test]
fn base_blocks_pass() {
    judge(Fifo::<Bits<40>, 9, 10>::default());
    judge(LutFifo::<Bits<1044>, 4, 5>::default());
    judge(Skid::<Bits<577>>::default());
    judge(RoundRobin::<11>::default());
    judge(Delay::<Bits<516>, 4>::new(9));
}

#[test]
fn the_core_for_ecp5_passes() {
    let verilog = text(&modules(Preset::Ecp5));
    tools::lint(&verilog, TOP);
    tools::yosys_check(&verilog, TOP);
}

#[test]
fn the_core_of_the_simulation_passes() {
    let verilog = text(&modules(Preset::Sim));
    tools::lint(&verilog, TOP);
    tools::yosys_check(&verilog, TOP);
}

/// Its modules are those of `sim` with deeper memories, whose zeros Yosys would take minutes to unroll.
#[test]
fn the_core_for_alveo_passes_lint() {
    tools::lint(&text(&modules(Preset::Alveo)), TOP);
}

#[test]
fn the_tops_of_boards_pass() {
    for (block, top) in [
        (gigabit_nic::build(Preset::Ecp5, 2, 54).expect("a card"), gigabit_nic::TOP),
        (millrace_host::build(Preset::W128), millrace_host::TOP),
    ] {
        let verilog = emit::verilog(block.as_ref(), Some(top)).unwrap_or_else(|e| panic!("{}", e.join("\n")));
        tools::lint(&verilog, top);
        tools::yosys_check(&verilog, top);
    }
}

#[test]
fn every_module_passes_as_a_top_of_its_own() {
    let modules = modules(Preset::Ecp5);
    let verilog = text(&modules);
    for module in &modules {
        tools::lint(&verilog, &module.name);
    }
}

/// A module's Verilog without its name and the comment above it, which says what instances there are.
fn nameless(module: &Module) -> String {
    let code: Vec<&str> = module.text.lines().skip_while(|line| line.starts_with("//")).collect();
    code.join("\n").replacen(&module.name, "", 1)
}

#[test]
fn names_and_texts_of_modules_are_distinct_and_in_lines_that_can_be_read() {
    let modules = modules(Preset::Sim);
    let names: BTreeSet<&str> = modules.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names.len(), modules.len());
    let texts: BTreeSet<String> = modules.iter().map(nameless).collect();
    assert_eq!(texts.len(), modules.len(), "a module is there twice");
    for module in &modules {
        assert!(module.text.contains(&format!("\nmodule {} (\n", module.name)), "{}", module.name);
        // Only a constant, a name or a line of hand-written code cannot be broken.
        let long = module.text.lines().filter(|line| line.len() > 120 && line.split(' ').all(|word| word.len() < 100));
        let long: Vec<&str> = long.filter(|line| !line.contains('?')).collect();
        assert!(long.is_empty(), "{}: {long:#?}", module.name);
    }
}
