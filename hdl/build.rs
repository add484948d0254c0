// SPDX-License-Identifier: MIT OR Apache-2.0
//! Collects the doc comments of all blocks, so that the program that writes Verilog can put them above their modules.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut table = String::from("pub(crate) const DOCS: &[(&str, &str)] = &[\n");
    for file in sources(&root.join("src"))? {
        let text = fs::read_to_string(&file)?;
        let module = module_path(&root.join("src"), &file);
        for (name, doc) in blocks(&text) {
            writeln!(table, "    ({:?}, {doc:?}),", format!("{module}::{name}")).expect("a string takes all");
        }
    }
    table += "];\n";
    fs::write(PathBuf::from(env::var("OUT_DIR").expect("cargo sets it")).join("docs.rs"), table)
}

/// All Rust files below `folder`, in a fixed order.
fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = vec![];
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => found.extend(sources(&path)?),
            false if path.extension().is_some_and(|e| e == "rs") => found.push(path),
            false => (),
        }
    }
    found.sort();
    Ok(found)
}

/// `src/core/edit/splice.rs` is `millrace_hdl::core::edit::splice`.
fn module_path(src: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(src).expect("a file below src").with_extension("");
    let parts = relative.iter().map(|part| part.to_string_lossy()).filter(|part| part != "mod" && part != "lib");
    ["millrace_hdl".into()].into_iter().chain(parts).collect::<Vec<_>>().join("::")
}

/// Names and doc comments of the structs that are blocks.
fn blocks(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_block = |line: &&str| {
        line.starts_with("#[millrace_hdl::block") || line.starts_with("#[derive(") && line.contains("LogicBlock")
    };
    let at = lines.iter().enumerate().filter(|(_, line)| is_block(line)).map(|(i, _)| i);
    at.filter_map(|i| {
        let declaration = lines[i + 1..].iter().find(|line| line.starts_with("pub struct "))?;
        let name = declaration["pub struct ".len()..].split(['<', ' ', '{']).next()?;
        let docs = lines[..i].iter().rev().take_while(|line| line.starts_with("///"));
        let mut docs: Vec<&str> = docs.map(|line| line.trim_start_matches("///").trim_start()).collect();
        docs.reverse();
        Some((name.to_owned(), docs.join("\n")))
    })
    .collect()
}
