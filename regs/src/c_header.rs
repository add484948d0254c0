// SPDX-License-Identifier: MIT OR Apache-2.0
//! The register map as a C header.

use crate::host_channel::{BOARD, HEADER_BYTES, HEADERS, MessageKind};
use crate::map::{BLOCKS, Bits, Register, Repeat};
use crate::{Command, Field, KEY_FIELDS, Key, Lengths, Place, STEP_FIELDS, Step, UpcallReason, Verdict};
use std::fmt::Write;

/// The register map as a C header: addresses, field masks, commands and their operands, verdicts, and the layouts of key, step and the host
/// channel's headers.
pub fn c_header() -> String {
    let mut out = String::from(
        "/* SPDX-License-Identifier: MIT OR Apache-2.0 */\n\
         /* Register map of the Millrace DPU. Generated from regs/src/map.rs: do not edit. */\n\
         #ifndef MILLRACE_REGS_H\n#define MILLRACE_REGS_H\n",
    );
    for block in BLOCKS.iter().chain([&BOARD]) {
        write!(out, "\n/* {} */\n", block.doc).unwrap();
        for register in block.registers {
            let stride = if block.repeat == Repeat::Once { 4 } else { block.stride };
            registers(&mut out, register, block.base + register.offset, stride, block.repeat != Repeat::Once);
        }
    }
    out.push_str("\n/* Operations of COMMAND. */\n");
    for command in Command::ALL {
        define(&mut out, &format!("COMMAND_{}", command.name()), &format!("{}u", *command as u8), command.doc());
    }
    out.push_str("\n/* Their operands among the staging words, in builds with one pass; offsets in bits from bit 0 of DATA(0). */\n");
    Command::ALL.iter().for_each(|command| operands(&mut out, *command));
    out.push_str("\n/* Verdicts: INDEX of a READ_VERDICT_COUNTER is vport * 16 + verdict. */\n");
    for verdict in Verdict::ALL {
        let name = format!("VERDICT_{}", verdict.name().to_uppercase());
        define(&mut out, &name, &format!("{}u", *verdict as u8), verdict.doc());
    }
    out.push_str("\n/* Upcall reasons. */\n");
    for reason in UpcallReason::ALL {
        let name = format!("UPCALL_{}", reason.name().to_uppercase());
        define(&mut out, &name, &format!("{}u", *reason as u8), reason.doc());
    }
    layout(&mut out, "KEY", 32 * Key::WORDS, KEY_FIELDS);
    layout(&mut out, "STEP", 32 * Step::WORDS, STEP_FIELDS);
    out.push_str("\n/* Kinds of messages of the host channel. */\n");
    for kind in MessageKind::ALL {
        let name = format!("HOST_KIND_{}", kind.name().to_uppercase());
        define(&mut out, &name, &format!("{}u", *kind as u8), kind.doc());
    }
    for header in HEADERS {
        layout(&mut out, &format!("HOST_{}", header.name.to_uppercase()), 8 * HEADER_BYTES, header.fields);
    }
    out.push_str("\n#endif\n");
    out
}

fn registers(out: &mut String, register: &Register, address: u32, stride: u32, repeated: bool) {
    let doc = format!("{}: {}", register.access.name(), register.doc);
    if repeated || register.count > 1 {
        define(out, &format!("{}(i)", register.name), &format!("({address:#06x}u + {stride:#x}u * (i))"), &doc);
    } else {
        define(out, register.name, &format!("{address:#06x}u"), &doc);
    }
    for field in register.fields.iter().filter(|field| field.width < 32) {
        bits(out, register.name, field);
    }
}

fn bits(out: &mut String, register: &str, field: &Bits) {
    let name = format!("{register}_{}", field.name.to_uppercase());
    define(out, &format!("{name}_MASK"), &format!("{:#010x}u", field.mask()), field.doc);
    define(out, &format!("{name}_SHIFT"), &field.low.to_string(), "");
}

fn operands(out: &mut String, command: Command) {
    for operand in command.operands(Lengths::ONE_PASS) {
        if let Place::Data { word, low, width } = operand.place {
            let name = format!("{}_{}", command.name(), operand.name.to_uppercase());
            place(out, &name, 32 * word as usize + low as usize, width as usize, operand.doc);
        }
    }
}

fn layout(out: &mut String, prefix: &str, width: usize, fields: &[Field]) {
    write!(out, "\n/* {prefix}: {width} bits in 32-bit words, least significant first; offsets in bits. */\n").unwrap();
    define(out, &format!("{prefix}_WORDS"), &format!("{}u", width / 32), "");
    for field in fields {
        place(out, &format!("{prefix}_{}", field.name.to_uppercase()), field.offset, field.width, field.doc);
    }
}

fn place(out: &mut String, name: &str, offset: usize, width: usize, doc: &str) {
    define(out, &format!("{name}_OFFSET"), &format!("{offset}u"), doc);
    define(out, &format!("{name}_WIDTH"), &format!("{width}u"), "");
}

fn define(out: &mut String, name: &str, value: &str, doc: &str) {
    write!(out, "#define MILLRACE_{name} {value}").unwrap();
    if !doc.is_empty() {
        write!(out, " /* {doc} */").unwrap();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::process::{Command as Process, Stdio};

    #[test]
    fn every_name_is_defined_once() {
        let header = c_header();
        let mut names = HashSet::new();
        for line in header.lines().filter(|line| line.starts_with("#define MILLRACE_") && line.contains(' ')) {
            let name = line.split([' ', '(']).nth(1).unwrap();
            assert!(names.insert(name), "{name}");
        }
        assert!(names.contains("MILLRACE_QUEUE_DROPS_HI") && names.contains("MILLRACE_KEY_NW_DST_OFFSET"));
    }

    #[test]
    fn the_c_compiler_takes_it() {
        let dir = std::env::temp_dir().join(format!("millrace-regs-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("regs.h"), c_header()).unwrap();
        let test = "#include \"regs.h\"\n\
            _Static_assert(MILLRACE_DATA(63) == 0x1fc, \"array\");\n\
            _Static_assert(MILLRACE_QUEUE_BYTES_HI(2) == 0x1094, \"block\");\n\
            _Static_assert(MILLRACE_WRITE_TCAM_MASK_OFFSET == 544 && MILLRACE_WRITE_TCAM_MASK_WIDTH == 480, \"operand\");\n\
            _Static_assert(MILLRACE_CONFIG0_HASH_TABLES_MASK >> MILLRACE_CONFIG0_HASH_TABLES_SHIFT == 0xff, \"field\");\n";
        std::fs::write(dir.join("regs.c"), test).unwrap();
        let status = Process::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "regs.c"])
            .current_dir(&dir)
            .stdin(Stdio::null())
            .status()
            .expect("a C compiler is needed to link Rust");
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(status.success());
    }
}
