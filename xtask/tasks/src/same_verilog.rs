// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask same-verilog OLD NEW`: whether two folders of Verilog mean the same, module by module.
//!
//! Modules with the same text but for comments and spaces are the same. Of others Yosys proves it: the registers, which must have the same names,
//! and what is instantiated become inputs and outputs, and each output must be the same function of the inputs.

use crate::yosys::Yosys;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

#[derive(Args)]
pub struct Arguments {
    /// A folder of Verilog, one module per file, or of such folders
    old: PathBuf,
    /// The same after a change
    new: PathBuf,
}

/// Compares all modules of both folders.
pub fn compare(arguments: &Arguments) -> Result<()> {
    let yosys = Yosys::find()?;
    let (old, new) = (modules(&arguments.old)?, modules(&arguments.new)?);
    let only = |a: &Folder, b: &Folder| a.keys().filter(|path| !b.contains_key(*path)).cloned().collect::<Vec<_>>();
    let mut faults = vec![];
    for (folder, paths) in [(&arguments.old, only(&old, &new)), (&arguments.new, only(&new, &old))] {
        faults.extend(paths.iter().map(|path| format!("{} is only in {}", path.display(), folder.display())));
    }
    let (mut same, mut proofs) = (0, HashMap::new());
    for (path, before) in &old {
        let Some(after) = new.get(path) else { continue };
        if plain(before) == plain(after) {
            same += 1;
            continue;
        }
        // Presets share most of their modules.
        let verdict = proofs.entry((plain(before), plain(after))).or_insert_with(|| {
            let verdict = prove(&yosys, Side { text: before, all: &old }, Side { text: after, all: &new }, path);
            match &verdict {
                Ok(signals) => println!("{}: proven, {signals} bits", path.display()),
                Err(why) => println!("{}: {why:#}", path.display()),
            }
            verdict.is_ok()
        });
        if !*verdict {
            faults.push(format!("{} differs", path.display()));
        }
    }
    println!("{same} modules have the same text, {} different pairs were compared", proofs.len());
    if faults.is_empty() { Ok(()) } else { bail!("{}", faults.join("\n")) }
}

/// Modules by their files' paths in a folder.
type Folder = BTreeMap<PathBuf, String>;

fn modules(folder: &Path) -> Result<Folder> {
    let mut found = Folder::new();
    collect(folder, Path::new(""), &mut found).with_context(|| format!("cannot read {}", folder.display()))?;
    if found.is_empty() {
        bail!("no Verilog in {}", folder.display());
    }
    Ok(found)
}

fn collect(root: &Path, below: &Path, found: &mut Folder) -> std::io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let path = below.join(entry?.file_name());
        let full = root.join(&path);
        if full.is_dir() {
            collect(root, &path, found)?;
        } else if path.extension().is_some_and(|end| end == "v") {
            found.insert(path, fs::read_to_string(full)?);
        }
    }
    Ok(())
}

/// The text without comments, each gap one space.
fn plain(text: &str) -> String {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// A module, and the modules beside it.
#[derive(Clone, Copy)]
struct Side<'a> {
    text: &'a str,
    all: &'a Folder,
}

/// Proves that both are the same; the number of bits compared.
fn prove(yosys: &Yosys, old: Side, new: Side, path: &Path) -> Result<usize> {
    let name = path.file_stem().context("a file has a name")?.to_string_lossy();
    let (before, after) = (registers(old.text), registers(new.text));
    if before != after {
        let list = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<String>>().join(", ");
        bail!("registers have changed: -[{}] +[{}]", list(&before, &after), list(&after, &before));
    }
    let folder = run::target().join("same-verilog").join(&*name);
    fs::create_dir_all(&folder)?;
    for (file, text) in [("gold.v", old.text), ("gate.v", new.text)] {
        fs::write(folder.join(file), text)?;
    }
    for (file, side) in [("gold_parts.v", old), ("gate_parts.v", new)] {
        fs::write(folder.join(file), parts(side, path))?;
    }
    yosys.run(&folder, &script(&name, &before), &["status.txt"])?;
    verdict(&fs::read_to_string(folder.join("status.txt"))?)
}

/// The registers that a module assigns, each behind the edge that loads it: `posedge clock: count`.
fn registers(text: &str) -> BTreeSet<String> {
    let mut edge = "";
    text.lines()
        .filter_map(|line| {
            if let Some((_, event)) = line.split_once("always @(") {
                edge = event.split(')').next().unwrap_or_default();
            }
            let target = line.split_once("<=")?.0.trim();
            // `if (load) begin` may stand on the line, or the name be cut off from its value; comparisons have parentheses around.
            let name = target.split(['[', ' ']).next()?;
            let word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            (word && !matches!(name, "assign" | "if") && target.split_whitespace().count() == 1)
                .then(|| format!("{edge}: {name}"))
        })
        .collect()
}

/// The modules that a module instantiates, as text.
fn parts(side: Side, path: &Path) -> String {
    let folder = path.parent().unwrap_or(Path::new(""));
    let instances = side.text.lines().filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [module, _, "("] if module != "module" => side.all.get(&folder.join(format!("{module}.v"))),
        _ => None,
    });
    instances.cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

fn script(name: &str, registers: &BTreeSet<String>) -> String {
    let names = registers.iter().filter_map(|register| register.split(": ").nth(1));
    let wires: Vec<String> = names.map(|register| format!("{name}/w:{register}")).collect();
    let clocked =
        if wires.is_empty() { String::new() } else { format!("expose -dff -evert-dff {}\n", wires.join(" ")) };
    let prepared = |side: &str| {
        format!(
            "read_verilog -lib -overwrite {side}_parts.v\nread_verilog {side}.v\nproc\nopt_clean\n{clocked}expose -evert {name}/i:*\n\
             opt -full -nodffe -nosdff\nrename {name} {side}\n"
        )
    };
    // Wires of the same name need not mean the same; and a register with an enable that only one side has found reads itself, unproven.
    format!(
        "{}{}rename -hide w:*\nequiv_make gold gate equiv\nhierarchy -top equiv\nopt_merge\nequiv_struct\n\
         equiv_simple\ntee -o status.txt equiv_status\n",
        prepared("gold"),
        prepared("gate"),
    )
}

/// From what `equiv_status` says.
fn verdict(status: &str) -> Result<usize> {
    let numbers = |line: &str| line.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<usize>>();
    let counts = status.lines().find(|line| line.contains("are proven and")).map(numbers);
    match counts.as_deref() {
        Some([proven, 0]) => Ok(*proven),
        Some([_, unproven]) => {
            let names = status.lines().filter_map(|line| line.trim().strip_prefix("Unproven $equiv"));
            let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().last()).take(8).collect();
            bail!("{unproven} bits differ: {}", names.join(" "))
        }
        _ => bail!("equiv_status does not say what is proven: {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTER: &str = "module counter (\n    input  wire clock,\n    input  wire load,\n    output wire [3:0] out\n);\n    \
        reg  [3:0] count;\n    wire more;\n\n    step step_0 (\n        .inp(count),\n        .out(more)\n    );\n\n    \
        assign out = count;\n    always @(posedge clock) if (load) begin\n        count <= count + {3'd0, more};\n    end\nendmodule\n";
    const STEP: &str =
        "module step (\n    input  wire [3:0] inp,\n    output wire out\n);\n    assign out = !(&inp);\nendmodule\n";

    fn proof(after: &str) -> Result<usize> {
        let folder =
            |text: &str| Folder::from([("counter.v".into(), text.to_owned()), ("step.v".into(), STEP.to_owned())]);
        let (old, new) = (folder(COUNTER), folder(after));
        let yosys = Yosys::find().expect("`cargo xtask setup` installs it");
        let (gold, gate) = (Side { text: COUNTER, all: &old }, Side { text: after, all: &new });
        prove(&yosys, gold, gate, Path::new("counter.v"))
    }

    #[test]
    fn the_same_function_is_proven_and_each_fault_is_found() {
        let other = COUNTER
            .replace("    wire more;\n", "    wire more;\n    reg  [3:0] next;\n")
            .replace("if (load) begin\n        count <= count + {3'd0, more};", "begin\n        count <= next;");
        let logic = "    always @* begin\n        next = count;\n        if (load & more) next = count + 4'd1;\n    end\nendmodule";
        let other = other.replace("endmodule", logic);
        // The four bits of the sum; the others have the same structure on both sides.
        assert_eq!(proof(&other).expect("the same"), 4);
        for (from, to) in [
            ("count + 4'd1", "count - 4'd1"),
            ("load & more", "load"),
            (".inp(count)", ".inp(~count)"),
            ("posedge clock", "negedge clock"),
            ("out = count", "out = {count[0], count[3:1]}"),
        ] {
            assert!(other.contains(from), "{from}");
            assert!(proof(&other.replace(from, to)).is_err(), "{to} was not found");
        }
    }

    #[test]
    fn registers_are_what_clocked_blocks_assign() {
        assert_eq!(registers(COUNTER), BTreeSet::from(["posedge clock: count".to_owned()]));
        let text = "always @(negedge c) begin\n  if (a <= b) begin\n   assign c = d <= e;\n   f <=\n   g[0] <= h;";
        assert_eq!(registers(text), BTreeSet::from(["negedge c: f".to_owned(), "negedge c: g".to_owned()]));
    }

    #[test]
    fn comments_and_spaces_do_not_count() {
        assert_eq!(plain("// a\n  b   c // d\n\ne"), "b c e");
    }

    #[test]
    fn unproven_bits_are_named() {
        let status = "Found 3 $equiv cells in equiv:\n  Of those cells 2 are proven and 1 are unproven.\n\
                      Unproven $equiv $auto$1: \\a_gold \\a_gate\n";
        assert!(verdict(status).expect_err("one is open").to_string().contains("1 bits differ: \\a_gate"));
        assert_eq!(verdict("  Of those cells 7 are proven and 0 are unproven.").ok(), Some(7));
        assert!(verdict("Yosys says nothing").is_err());
    }
}
