// SPDX-License-Identifier: MIT OR Apache-2.0
//! The card's Verilog as a program, kept by the hash of all that went into it.

use millrace_hdl::emit;
use millrace_regs::config::Preset;
use millrace_tops::gigabit_nic::{TOP, build};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The build on the card.
pub const PRESET: Preset = Preset::Ecp5;
/// As few as the UART can have: a simulated clock costs time.
const CLOCKS_PER_BIT: usize = 4;
/// Name of the program.
const PROGRAM: &str = "card";
/// What is around the card.
const PINS: &str = include_str!("pins.cpp");

/// The program, made if there is none.
pub fn program() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(make)
}

fn make() -> PathBuf {
    let card = build(PRESET, 2, CLOCKS_PER_BIT).expect("a card");
    let verilog = emit::verilog(card.as_ref(), Some(TOP)).unwrap_or_else(|errors| panic!("{}", errors.join("\n")));
    let version = run(Command::new("verilator").arg("--version"));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = format!("{PROGRAM}-{}", hash(&[&verilog, PINS, &version, &options().join(" ")]));
    let folder = cache.join(&name);
    // Tests run side by side, each in a process of its own: the first makes it.
    let lock = fs::File::create(cache.join(format!("{PROGRAM}.lock"))).expect("a file in the folder");
    lock.lock().expect("a lock");
    if !folder.join(PROGRAM).is_file() {
        let scratch = tempfile::tempdir_in(cache).expect("a folder");
        let at = |file: &str| scratch.path().join(file);
        fs::write(at("design.v"), verilog).expect("a file in the folder");
        fs::write(at("pins.cpp"), PINS).expect("a file in the folder");
        run(Command::new("verilator").args(options()).current_dir(scratch.path()));
        forget_others(cache);
        fs::create_dir_all(&folder).expect("a folder");
        fs::rename(at("obj_dir").join(PROGRAM), folder.join(PROGRAM)).expect("Verilator made the program");
    }
    folder.join(PROGRAM)
}

fn options() -> Vec<String> {
    let flags = format!("-CFLAGS -O1 -CFLAGS -DCLOCKS_PER_BIT={CLOCKS_PER_BIT} --top-module {TOP} -o {PROGRAM}");
    let all =
        "--cc --exe --build -j 2 -O3 --x-assign fast --x-initial fast --no-assert -Wno-fatal -Wno-lint -Wno-style";
    [all, &flags, "design.v pins.cpp"].iter().flat_map(|part| part.split(' ')).map(String::from).collect()
}

fn hash(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}

/// One card is kept.
fn forget_others(cache: &Path) {
    let entries = fs::read_dir(cache).expect("cargo made it").filter_map(Result::ok);
    let old = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{PROGRAM}-")));
    old.for_each(|entry| drop(fs::remove_dir_all(entry.path())));
}

/// Runs a program; gives what it printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("cannot start {}: {error} (`cargo xtask setup` installs it)", command.get_program().display())
    });
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{} ended with {}:\n{text}", command.get_program().display(), output.status);
    text
}
