// SPDX-License-Identifier: MIT OR Apache-2.0
//! The register reference for people.

use crate::host_channel::{BOARD, HEADERS};
use crate::map::{BLOCKS, Block, Register, Repeat, Reset};
use crate::{Command, Field, KEY_FIELDS, Lengths, Operand, Place, STEP_FIELDS, UpcallReason, Verdict};
use std::fmt::Write;

/// The register reference in Markdown: every register with its fields, every command with its operands, the layouts of
/// key and step, verdicts and upcall reasons, the messages of the host channel and the words of a board. `docs/registers.md` is a copy of it.
pub fn markdown() -> String {
    let mut out = String::from(
        "<!-- SPDX-License-Identifier: MIT OR Apache-2.0 -->\n\
         <!-- Generated from regs/src/map.rs: do not edit. `MILLRACE_BLESS=1 cargo test -p millrace-regs` writes it anew. -->\n\
         # Register reference\n\n\
         What the registers do together is in [hardware.md](hardware.md). AXI4-Lite, 32-bit data, 16-bit byte address. \
         An unknown address, a write to a read-only register or a partial write strobe is answered with SLVERR and has no \
         effect; such a read gives 0. Reserved bits read 0, and a write of them is ignored.\n\n\
         RO read-only, RW read-write, W1C write 1 to clear, WO write-only (reads 0), CL claim (a write takes effect only if either the register or the value is 0). A reset value of *build* is a property \
         of the build.\n",
    );
    for block in BLOCKS {
        self::block(&mut out, block);
    }
    commands(&mut out);
    layout(&mut out, "Key", &size("Match key and masks", |lengths| lengths.key, "."), KEY_FIELDS);
    let reserved = "; bits outside the fields are reserved.";
    layout(&mut out, "Action step", &size("A step of a rule's program", |lengths| lengths.step, reserved), STEP_FIELDS);
    outcomes(&mut out);
    messages(&mut out);
    self::block(&mut out, &BOARD);
    out
}

fn block(out: &mut String, block: &Block) {
    write!(out, "\n## Block `{}`\n\n{}\n", block.name, block.doc).unwrap();
    out.push_str("\n| address | name | access | reset | |\n|---|---|---|---|---|\n");
    for register in block.registers {
        let reset = match register.reset {
            Reset::Value(value) if value < 10 => value.to_string(),
            Reset::Value(value) => format!("{value:#010x}"),
            Reset::Build => "build".into(),
        };
        let name = if register.count == 1 {
            format!("`{}`", register.name)
        } else {
            format!("`{}[i]`, i < {}", register.name, register.count)
        };
        let (address, access, doc) = (address(block, register), register.access.name(), register.doc);
        writeln!(out, "| {address} | {name} | {access} | {reset} | {doc} |").unwrap();
    }
    out.push_str("\n| register | bits | field | |\n|---|---|---|---|\n");
    for register in block.registers {
        for field in register.fields {
            let bits = range(field.low as usize, field.width as usize);
            writeln!(out, "| `{}` | {bits} | `{}` | {} |", register.name, field.name, field.doc).unwrap();
        }
    }
}

fn address(block: &Block, register: &Register) -> String {
    let first = block.base + register.offset;
    match (block.repeat, register.count) {
        (Repeat::Once, 1) => format!("{first:#06x}"),
        (Repeat::Once, _) => format!("{first:#06x} + 4·i"),
        (Repeat::Queues, _) => format!("{first:#06x} + {:#x}·q", block.stride),
    }
}

fn range(low: usize, width: usize) -> String {
    match width {
        1 => low.to_string(),
        _ => format!("{}:{low}", low + width - 1),
    }
}

fn commands(out: &mut String) {
    write!(
        out,
        "\n## Commands\n\nOperands are written first, then `COMMAND`. `DATA` keeps its words from one command to the next, but for `CLEAR_TABLES`. \
         Any other operation sets `EVENTS.bad_command`. Places of keys and masks are those of a key of {} words (`CONFIG5.key_words`); in general they are \
         `DATA[2..2+K]`, and a TCAM entry's mask `DATA[2+K..2+2K]`.\n\n| op | command | operand | place | |\n|---|---|---|---|---|\n",
        Lengths::ONE_PASS.key
    )
    .unwrap();
    for command in Command::ALL {
        writeln!(out, "| {} | `{}` | | | {} |", *command as u8, command.name(), command.doc()).unwrap();
        for operand in command.operands(Lengths::ONE_PASS) {
            writeln!(out, "| | | `{}` | {} | {} |", operand.name, place(&operand), operand.doc).unwrap();
        }
    }
}

fn place(operand: &Operand) -> String {
    match operand.place {
        Place::Table => "`COMMAND` 15:8".into(),
        Place::Index => "`INDEX`".into(),
        Place::Data { word, low, width } if width <= 32 => {
            format!("`DATA[{word}]` {}", range(low as usize, width as usize))
        }
        Place::Data { word, width, .. } => format!("`DATA[{word}..{}]`", word + width / 32),
    }
}

fn size(what: &str, words: impl Fn(Lengths) -> usize, end: &str) -> String {
    let (few, all) = (words(Lengths::ONE_PASS), words(Lengths::FULL));
    format!("{what}, {} bits in {few} words, or {} in {all} in builds with passes{end}", 32 * few, 32 * all)
}

fn layout(out: &mut String, title: &str, text: &str, fields: &[Field]) {
    write!(out, "\n## {title}\n\n{text}\n\n| bits | field | |\n|---|---|---|\n").unwrap();
    for field in fields {
        writeln!(out, "| {} | `{}` | {} |", range(field.offset, field.width), field.name, field.doc).unwrap();
    }
}

fn outcomes(out: &mut String) {
    out.push_str("\n## Verdicts\n\n| n | verdict | |\n|---|---|---|\n");
    for verdict in Verdict::ALL {
        writeln!(out, "| {} | `{}` | {} |", *verdict as u8, verdict.name(), verdict.doc()).unwrap();
    }
    out.push_str("\n## Upcall reasons\n\n| n | reason | |\n|---|---|---|\n");
    for reason in UpcallReason::ALL {
        writeln!(out, "| {} | `{}` | {} |", *reason as u8, reason.name(), reason.doc()).unwrap();
    }
}

fn messages(out: &mut String) {
    out.push_str(
        "\n## Messages of the host channel\n\nOf a board ([board.md](board.md)): 64 bits before the frame. Bits of no field are 0 from the \
         device, and ignored by it.\n\n| kind, 7:0 | message | to the | bits | field | |\n|---|---|---|---|---|---|\n",
    );
    for header in HEADERS {
        let to = if header.to_device { "device" } else { "host" };
        writeln!(out, "| {} | `{}` | {to} | | | {} |", header.kind as u8, header.name, header.doc).unwrap();
        for field in header.fields {
            writeln!(out, "| | | | {} | `{}` | {} |", range(field.offset, field.width), field.name, field.doc).unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_the_repository_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/registers.md");
        if std::env::var_os("MILLRACE_BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap_or_default();
        assert!(page == markdown(), "docs/registers.md is stale: run MILLRACE_BLESS=1 cargo test -p millrace-regs");
    }
}
