// SPDX-License-Identifier: MIT OR Apache-2.0
//! The program behind `cargo xtask verilog`, as it is started: on the stack that a program has.

use std::process::Command;

#[test]
fn the_largest_tops_are_written() {
    for (preset, top) in [("host", "dpu"), ("alveo", "axi")] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut emitter = Command::new(env!("CARGO_BIN_EXE_verilog"));
        emitter.args(["--preset", preset, "--top", top, "--out"]).arg(folder.path());
        let output = emitter.output().expect("it starts");
        assert!(output.status.success(), "{preset} {top}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(folder.path().join("millrace.f").is_file(), "{preset} {top}: no list of its files");
    }
}
