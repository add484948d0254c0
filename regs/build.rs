// SPDX-License-Identifier: MIT OR Apache-2.0
//! Derives the address constants and the volatile structs from the register map.

#[allow(dead_code)]
#[path = "src/map.rs"]
mod map;

use map::{Access, BLOCKS, Block, MAX_QUEUES, Register, Repeat};
use std::fmt::Write;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/map.rs");
    let dir = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    std::fs::write(Path::new(&dir).join("addr.rs"), addresses()).expect("write addr.rs");
    std::fs::write(Path::new(&dir).join("structs.rs"), structs()).expect("write structs.rs");
}

/// `pub const NAME: u32` for each register that exists once, `pub const fn name(i) -> u32` for the others.
fn addresses() -> String {
    let mut out = String::new();
    for block in BLOCKS {
        for register in block.registers {
            let (name, doc) = (register.name, register.doc);
            let address = block.base + register.offset;
            let fn_name = name.to_lowercase();
            let stride = if block.repeat == Repeat::Once { 4 } else { block.stride };
            assert!(block.repeat == Repeat::Once || register.count == 1, "{name}: an array in a repeated block");
            writeln!(out, "/// `{name}` ({}): {doc}", register.access.name()).unwrap();
            if block.repeat == Repeat::Once && register.count == 1 {
                writeln!(out, "pub const {name}: u32 = {address:#06x};").unwrap();
            } else {
                writeln!(out, "pub const fn {fn_name}(i: u32) -> u32 {{ {address:#06x} + {stride:#x} * i }}").unwrap();
            }
        }
    }
    out
}

/// One `#[repr(C)]` struct per block, with a compile-time check of every offset. A repeated block is an array in the first.
fn structs() -> String {
    let mut out = String::new();
    for block in BLOCKS.iter().rev() {
        write_struct(&mut out, block);
    }
    out
}

fn type_name(block: &Block) -> &'static str {
    match block.repeat {
        Repeat::Once => "Registers",
        Repeat::Queues => "Queue",
    }
}

fn write_struct(out: &mut String, block: &Block) {
    let name = type_name(block);
    let mut body = Body::default();
    for register in block.registers {
        body.member(register);
    }
    match block.repeat {
        Repeat::Once => {
            for other in BLOCKS.iter().filter(|other| other.repeat != Repeat::Once) {
                let doc = format!("{} Only the first V + 1 exist.", other.doc);
                let ty = format!("[{}; {MAX_QUEUES}]", type_name(other));
                body.push(other.name, &ty, other.base, other.stride * MAX_QUEUES, &doc);
            }
        }
        _ => body.pad_to(block.stride),
    }
    writeln!(out, "/// {}\n#[repr(C)]\npub struct {name} {{\n{}}}", block.doc, body.members).unwrap();
    writeln!(out, "const _: () = {{").unwrap();
    for (member, offset) in &body.offsets {
        writeln!(out, "    assert!(core::mem::offset_of!({name}, {member}) == {offset:#x});").unwrap();
    }
    writeln!(out, "    assert!(core::mem::size_of::<{name}>() == {:#x});\n}};", body.end).unwrap();
}

/// The members of a struct, written in the order of their offsets.
#[derive(Default)]
struct Body {
    members: String,
    offsets: Vec<(String, u32)>,
    end: u32,
}

impl Body {
    fn member(&mut self, register: &Register) {
        let access = match register.access {
            Access::Ro => "RO",
            Access::Rw | Access::W1c | Access::Claim => "RW",
            Access::Wo => "WO",
        };
        let ty = match register.count {
            1 => format!("{access}<u32>"),
            n => format!("[{access}<u32>; {n}]"),
        };
        let doc = format!("`{}` ({}): {}", register.name, register.access.name(), register.doc);
        self.push(&register.name.to_lowercase(), &ty, register.offset, 4 * register.count, &doc);
    }

    fn push(&mut self, name: &str, ty: &str, offset: u32, bytes: u32, doc: &str) {
        self.pad_to(offset);
        writeln!(self.members, "    /// {doc}\n    pub {name}: {ty},").unwrap();
        self.offsets.push((name.to_string(), offset));
        self.end = offset + bytes;
    }

    fn pad_to(&mut self, offset: u32) {
        assert!(self.end <= offset, "registers overlap or are out of order at {offset:#x}");
        if self.end < offset {
            writeln!(self.members, "    _reserved{:x}: [u32; {}],", self.end, (offset - self.end) / 4).unwrap();
            self.end = offset;
        }
    }
}
