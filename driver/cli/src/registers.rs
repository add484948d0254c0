// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers by name or address, as people type them.

use crate::error::BadInput;
use millrace_regs::{Instance, by_address, by_name, instances};

/// The register called `text`, or at the byte address `text`.
pub fn find(text: &str, vports: usize) -> Result<Instance, BadInput> {
    let vports = vports as u32;
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let address = number(text)?;
        return by_address(address, vports).ok_or_else(|| BadInput(format!("there is no register at {address:#06x}")));
    }
    by_name(text, vports).ok_or_else(|| BadInput(unknown(text, vports)))
}

fn unknown(text: &str, vports: u32) -> String {
    let base = text.split('[').next().unwrap_or(text);
    let mut same: Vec<u32> =
        instances(vports).filter(|r| r.register.name.eq_ignore_ascii_case(base)).map(|r| r.index).collect();
    same.sort_unstable();
    match same[..] {
        [] => format!("unknown register `{text}`: `millrace reg` lists them"),
        [_] => format!("unknown register `{text}`: {} is a single register", base.to_uppercase()),
        [first, .., last] => {
            format!("unknown register `{text}`: the index of {} is {first} to {last}", base.to_uppercase())
        }
    }
}

/// Whether this value can be written there: what a register does not hold would be ignored in silence.
pub fn check(register: Instance, value: u32) -> Result<(), BadInput> {
    let access = register.register.access;
    if !access.writable() {
        return Err(BadInput(format!("{register} cannot be written: its access is {}", access.name())));
    }
    let fields = register.register.mask();
    if value & !fields == 0 {
        return Ok(());
    }
    let what = if fields & fields.wrapping_add(1) == 0 { "values are 0 to" } else { "fields are in" };
    Err(BadInput(format!("{value:#x} is out of range for {register}: its {what} {fields:#x}")))
}

/// A 32-bit number, decimal or with 0x.
pub fn number(text: &str) -> Result<u32, BadInput> {
    let digits = text.replace('_', "");
    let parsed = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    parsed.map_err(|_| BadInput(format!("`{text}` is not a number of 0 to {:#x}", u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_found_by_name_and_address() {
        assert_eq!(find("scratch", 11).unwrap().address, 0x18);
        assert_eq!(find("QUEUE_CTRL[11]", 11).unwrap().address, 0x12c0);
        assert_eq!(find("0x18", 11).unwrap().to_string(), "SCRATCH");
        assert_eq!(find("24", 11).unwrap().to_string(), "SCRATCH");
    }

    #[test]
    fn what_is_no_register_is_explained() {
        let message = |text| find(text, 11).unwrap_err().0;
        assert_eq!(message("SCRTCH"), "unknown register `SCRTCH`: `millrace reg` lists them");
        assert_eq!(message("queue_ctrl[12]"), "unknown register `queue_ctrl[12]`: the index of QUEUE_CTRL is 0 to 11");
        assert_eq!(message("ID[0]"), "unknown register `ID[0]`: ID is a single register");
        assert_eq!(message("0x3c"), "there is no register at 0x003c");
        assert_eq!(number("0x1_0000_0000").unwrap_err().0, "`0x1_0000_0000` is not a number of 0 to 0xffffffff");
        assert_eq!(number("").unwrap_err().0, "`` is not a number of 0 to 0xffffffff");
        assert_eq!((number("0xffffffff").unwrap(), number("10").unwrap()), (u32::MAX, 10));
    }

    #[test]
    fn only_what_a_register_holds_can_be_written() {
        let message = |name, value| check(find(name, 11).unwrap(), value).unwrap_err().0;
        assert_eq!(message("ID", 1), "ID cannot be written: its access is RO");
        assert_eq!(message("QUEUE_CTRL[3]", 2), "0x2 is out of range for QUEUE_CTRL[3]: its values are 0 to 0x1");
        assert_eq!(message("COMMAND", 0x10), "0x10 is out of range for COMMAND: its fields are in 0xff0f");
        for (name, value) in [("QUEUE_CTRL[3]", 1), ("SCRATCH", u32::MAX), ("EVENTS", 3), ("COMMAND", 0x0106)] {
            check(find(name, 11).unwrap(), value).unwrap();
        }
    }
}
