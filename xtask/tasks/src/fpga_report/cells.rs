// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the cells of a mapped netlist are: how much of the device they take, and how signals pass through them.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Parts of a device in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Area {
    /// Look-up tables for logic.
    #[serde(skip_serializing_if = "is_zero")]
    pub lut: u64,
    /// Look-up tables used as memory on UltraScale+, memories of 16 x 4 bits on ECP5.
    #[serde(skip_serializing_if = "is_zero")]
    pub lut_ram: u64,
    /// Carry cells: of two bits on ECP5, of eight on UltraScale+.
    #[serde(skip_serializing_if = "is_zero")]
    pub carry: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub register: u64,
    /// Block RAMs of 18 kbit.
    #[serde(skip_serializing_if = "is_zero")]
    pub block_ram: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub ultra_ram: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub dsp: u64,
}

/// For serde: what a device does not use is not written.
pub(super) fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Area {
    /// The parts by name, in the order of the table.
    pub fn parts(&self) -> [(&'static str, u64); 7] {
        [
            ("lut", self.lut),
            ("lut_ram", self.lut_ram),
            ("carry", self.carry),
            ("register", self.register),
            ("block_ram", self.block_ram),
            ("ultra_ram", self.ultra_ram),
            ("dsp", self.dsp),
        ]
    }
}

impl AddAssign for Area {
    fn add_assign(&mut self, other: Self) {
        self.lut += other.lut;
        self.lut_ram += other.lut_ram;
        self.carry += other.carry;
        self.register += other.register;
        self.block_ram += other.block_ram;
        self.ultra_ram += other.ultra_ram;
        self.dsp += other.dsp;
    }
}

/// How signals pass through a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// From every input to every output, counted as so many logic levels: 1 for a look-up table, 0 for the wide
    /// multiplexers behind those and for inverters, which have a place in other cells.
    Logic(u32),
    /// A piece of a carry chain: one level from operands to sums and carry, none from carry to carry or sum, so that a chain is one
    /// level however long it is. An operand does not reach sums below it.
    Carry { carry_in: &'static [&'static str] },
    /// A memory that is read within the clock: one level from the address to the data, by the names of both.
    Memory(&'static [(&'static str, &'static str)]),
    /// A path ends at its inputs, and another begins at its outputs.
    Clocked,
}

/// A type of cell.
pub struct Kind {
    pub area: Area,
    pub timing: Timing,
    pub outputs: &'static [&'static str],
}

const NONE: Area = Area { lut: 0, lut_ram: 0, carry: 0, register: 0, block_ram: 0, ultra_ram: 0, dsp: 0 };
const LUT: Area = Area { lut: 1, ..NONE };
const CARRY: Area = Area { carry: 1, ..NONE };
const REGISTER: Area = Area { register: 1, ..NONE };

/// The kind of a cell by its type; none for types that no preset has needed so far.
pub fn kind(name: &str) -> Option<Kind> {
    // What is left of a module's name when it is flattened.
    let scope = || (name == "$scopeinfo").then_some(Kind { area: NONE, timing: Timing::Logic(0), outputs: &[] });
    lattice(name).or_else(|| xilinx(name)).or_else(scope)
}

/// Cells of `synth_ecp5`.
fn lattice(name: &str) -> Option<Kind> {
    let (area, timing, outputs): (Area, Timing, &[&str]) = match name {
        // Both vendors have one; the output is Z or O.
        "LUT4" => (LUT, Timing::Logic(1), &["Z", "O"]),
        "PFUMX" | "L6MUX21" => (NONE, Timing::Logic(0), &["Z"]),
        "CCU2C" => (CARRY, Timing::Carry { carry_in: &["CIN"] }, &["S0", "S1", "COUT"]),
        "TRELLIS_FF" => (REGISTER, Timing::Clocked, &["Q"]),
        "TRELLIS_DPR16X4" => (Area { lut_ram: 1, ..NONE }, Timing::Memory(&[("RAD", "DO")]), &["DO"]),
        "DP16KD" => (Area { block_ram: 1, ..NONE }, Timing::Clocked, &["DOA*", "DOB*"]),
        _ => return None,
    };
    Some(Kind { area, timing, outputs })
}

/// Cells of `synth_xilinx`.
fn xilinx(name: &str) -> Option<Kind> {
    let lut_ram = |lut_ram| Area { lut_ram, ..NONE };
    let block_ram = |block_ram| Area { block_ram, ..NONE };
    let (area, timing, outputs): (Area, Timing, &[&str]) = match name {
        "LUT1" | "LUT2" | "LUT3" | "LUT5" | "LUT6" => (LUT, Timing::Logic(1), &["O"]),
        "INV" | "MUXF7" | "MUXF8" | "MUXF9" => (NONE, Timing::Logic(0), &["O"]),
        "CARRY4" | "CARRY8" => (CARRY, Timing::Carry { carry_in: &["CI", "CYINIT"] }, &["O", "CO"]),
        "FDRE" | "FDSE" | "FDCE" | "FDPE" => (REGISTER, Timing::Clocked, &["Q"]),
        "SRL16E" => (lut_ram(1), Timing::Memory(&[("A", "Q")]), &["Q"]),
        "SRLC32E" => (lut_ram(1), Timing::Memory(&[("A", "Q")]), &["Q", "Q31"]),
        "RAM32X1D" | "RAM64X1D" => (lut_ram(2), DUAL_PORT, &["DPO", "SPO"]),
        "RAM128X1D" => (lut_ram(4), DUAL_PORT, &["DPO", "SPO"]),
        "RAM256X1D" => (lut_ram(8), DUAL_PORT, &["DPO", "SPO"]),
        "RAM32M" | "RAM64M" => (lut_ram(4), MANY_PORTS, &["DOA", "DOB", "DOC", "DOD"]),
        "RAM32M16" | "RAM64M8" => (lut_ram(8), MANY_PORTS, &["DOA", "DOB", "DOC", "DOD", "DOE", "DOF", "DOG", "DOH"]),
        "RAMB18E2" => (block_ram(1), Timing::Clocked, &["DOUT*", "CASDOUT*"]),
        "RAMB36E2" => (block_ram(2), Timing::Clocked, &["DOUT*", "CASDOUT*", "CASOUT*"]),
        "URAM288" => (Area { ultra_ram: 1, ..NONE }, Timing::Clocked, &["DOUT_*", "CAS_OUT*"]),
        "DSP48E2" => (Area { dsp: 1, ..NONE }, Timing::Clocked, &["P", "PCOUT", "CARRYOUT"]),
        _ => return None,
    };
    Some(Kind { area, timing, outputs })
}

const DUAL_PORT: Timing = Timing::Memory(&[("DPRA", "DPO"), ("A", "SPO")]);
const MANY_PORTS: Timing = Timing::Memory(&[
    ("ADDRA", "DOA"),
    ("ADDRB", "DOB"),
    ("ADDRC", "DOC"),
    ("ADDRD", "DOD"),
    ("ADDRE", "DOE"),
    ("ADDRF", "DOF"),
    ("ADDRG", "DOG"),
    ("ADDRH", "DOH"),
]);

impl Kind {
    /// Whether the port drives its net.
    pub fn is_output(&self, port: &str) -> bool {
        self.outputs.iter().any(|output| match output.strip_suffix('*') {
            Some(prefix) => port.starts_with(prefix),
            None => port == *output,
        })
    }

    /// Logic levels from a bit of an input to a bit of an output; none if there is no way within the clock.
    pub fn levels(&self, input: (&str, usize), output: (&str, usize)) -> Option<u32> {
        match self.timing {
            Timing::Logic(levels) => Some(levels),
            Timing::Carry { carry_in } if carry_in.contains(&input.0) => Some(0),
            Timing::Carry { .. } => (place(input) <= place(output)).then_some(1),
            Timing::Memory(ways) => ways.iter().any(|way| base(input.0) == way.0 && output.0 == way.1).then_some(1),
            Timing::Clocked => None,
        }
    }

    /// Whether paths end at the inputs: what is there is stored at the next clock.
    pub fn stores(&self) -> bool {
        matches!(self.timing, Timing::Clocked | Timing::Memory(_))
    }
}

/// `A3` is a bit of `A`: some cells have a port per bit.
fn base(port: &str) -> &str {
    port.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The place of a bit in a carry chain: of `S1` 1, of `O[5]` 5; a carry out that is not numbered is past all.
fn place((port, bit): (&str, usize)) -> usize {
    match port[base(port).len()..].parse() {
        Ok(number) => number,
        Err(_) if port == "COUT" => usize::MAX,
        Err(_) => bit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(cell: &str, input: (&str, usize), output: (&str, usize)) -> Option<u32> {
        kind(cell).expect("a cell").levels(input, output)
    }

    #[test]
    fn a_carry_chain_is_one_level_and_goes_upwards() {
        assert_eq!(levels("CCU2C", ("A0", 0), ("S1", 0)), Some(1));
        assert_eq!(levels("CCU2C", ("B1", 0), ("S0", 0)), None);
        assert_eq!(levels("CCU2C", ("B1", 0), ("COUT", 0)), Some(1));
        assert_eq!(levels("CCU2C", ("CIN", 0), ("COUT", 0)), Some(0));
        assert_eq!(levels("CARRY8", ("S", 3), ("O", 3)), Some(1));
        assert_eq!(levels("CARRY8", ("S", 4), ("CO", 3)), None);
        assert_eq!(levels("CARRY8", ("CI", 0), ("O", 7)), Some(0));
    }

    #[test]
    fn a_lut_ram_is_read_within_the_clock_and_written_at_it() {
        assert_eq!(levels("TRELLIS_DPR16X4", ("RAD", 1), ("DO", 3)), Some(1));
        assert_eq!(levels("TRELLIS_DPR16X4", ("WAD", 1), ("DO", 3)), None);
        assert_eq!(levels("RAM32M16", ("ADDRA", 1), ("DOA", 0)), Some(1));
        assert_eq!(levels("RAM32M16", ("ADDRA", 1), ("DOB", 0)), None);
        assert!(kind("RAM32M16").expect("a cell").stores());
        assert_eq!(levels("SRL16E", ("A3", 0), ("Q", 0)), Some(1));
    }

    #[test]
    fn nothing_passes_a_register_within_the_clock() {
        let cell = kind("DP16KD").expect("a cell");
        assert!(cell.is_output("DOB17") && !cell.is_output("DIB17") && cell.stores());
        assert_eq!(levels("TRELLIS_FF", ("DI", 0), ("Q", 0)), None);
    }
}
