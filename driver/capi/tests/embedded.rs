// SPDX-License-Identifier: MIT OR Apache-2.0
//! Device `embedded` from C.
#![cfg(feature = "embedded")]

use std::env;
use std::path::Path;
use std::process::Command;

#[test]
fn a_device_is_simulated_in_the_programs_process() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("millrace.h"), millrace::HEADER).unwrap();
    let libraries = env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I.", "-o", "program"]);
    cc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embedded.c")).arg(libraries.join("libmillrace.a"));
    cc.args(["-lstdc++", "-lz", "-lpthread", "-ldl", "-lm"]).current_dir(folder.path());
    assert!(cc.status().unwrap().success());
    let output = Command::new(folder.path().join("program")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"embedded\n");
}
