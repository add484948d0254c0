// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an upcall takes, in instructions of the cores that a card may have: the slow path's benchmark, in guests whose time passes with their instructions.

use super::arm::{AGENT, EMULATOR};
use super::bench::Bench;
use super::guest::{Board, Guest, INSTRUCTIONS, Machine};
use super::scenarios::Outcome;
use crate::architecture::Architecture;
use crate::dpu_os::{self, Variant};
use crate::firmware;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

/// The benchmark: an example of a package.
const PACKAGE: &str = "millrace-firmware";
const BENCHMARK: &str = "upcalls";
/// It runs alone: no firmware is kept running.
const ALONE: [(&str, &[u8]); 2] =
    [("etc/once", b""), ("etc/inittab", b"::sysinit:/etc/start\n::respawn:/etc/services/agent\n")];
/// MiB.
const MEMORY: u32 = 512;
const LIMIT: Duration = Duration::from_secs(600);
/// How much more instructions the ones may take than the others.
const APART: f64 = 1.3;

/// An Arm and an x86 core.
pub fn instructions(bench: &Bench) -> Result<Outcome> {
    if bench.self_test {
        return Ok(Outcome::Skipped("no device has a part in it"));
    }
    bench.install.add(&EMULATOR)?;
    let [arm, x86] = [(Architecture::Aarch64, Board::Arm), (Architecture::X86_64, Board::Pc)]
        .map(|(architecture, board)| per_million(bench, architecture, board).context(architecture.name()));
    let (arm, x86) = (arm?, x86?);
    let ratio = (arm / x86).max(x86 / arm);
    println!("{}", json!({"bench": "upcalls-per-million-instructions", "aarch64": arm, "x86_64": x86, "ratio": ratio}));
    ensure!(
        ratio <= APART,
        "{arm:.1} and {x86:.1} upcalls in a million instructions are more than {APART} times apart"
    );
    Ok(Outcome::Passed(format!(
        "{arm:.1} upcalls in a million instructions of an Arm core, {x86:.1} of an x86 core: {ratio:.2} times apart"
    )))
}

/// Upcalls in a million instructions.
fn per_million(bench: &Bench, architecture: Architecture, board: Board) -> Result<f64> {
    let program = firmware::build_example(architecture, PACKAGE, BENCHMARK)?;
    let program = fs::read(&program).with_context(|| format!("cannot read {}", program.display()))?;
    let files = [&ALONE[..], &[("root/benchmark", &program)]].concat();
    let image = dpu_os::build(Variant::plain("minimal"), architecture, &[AGENT], &files)?;
    let machine = Machine { board, memory: MEMORY, time: INSTRUCTIONS, ..Machine::card(&image) };
    let mut guest = Guest::start_as(bench, architecture.name(), &machine, &[])?;
    guest.wait_until_ready()?;
    let answer = guest.attempt_for("chmod +x /root/benchmark && /root/benchmark 1", LIMIT)?;
    ensure!(answer.code == 0, "the benchmark ended with {}: {}", answer.code, answer.output);
    guest.quit()?;
    let line = answer.output.lines().find(|line| line.starts_with('{')).context("the benchmark prints no JSON")?;
    let figures: Value = serde_json::from_str(line)?;
    // A nanosecond is an instruction.
    let per_second = figures["upcalls_per_cpu_second"].as_f64().context("the benchmark does not tell a rate")?;
    Ok(per_second / 1e3)
}
