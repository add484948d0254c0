// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes `millrace.h` from the functions of the library, and gives the shared library its name.

use std::env;
use std::path::PathBuf;

/// Number of the shared library's binary interface, that of `MILLRACE_API_VERSION`.
const ABI: u32 = 1;

fn main() {
    let variable = |name| PathBuf::from(env::var_os(name).expect("cargo sets it"));
    let root = variable("CARGO_MANIFEST_DIR");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=cbindgen.toml");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmillrace.so.{ABI}");
    let header = cbindgen::generate(root).expect("the sources are those of a C interface");
    header.write_to_file(variable("OUT_DIR").join("millrace.h"));
}
