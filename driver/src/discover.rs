// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the device contains, as its registers tell.

use crate::{Device, DeviceError};
use millrace_regs::config::{Config, MAX_FRAME, MAX_PASSES, MIN_FRAME, WAYS};
use millrace_regs::hash::MAX_SLOT_BITS;
use millrace_regs::map::{GLOBAL, MAX_VPORTS, Register, Reset};
use millrace_regs::{Lengths, MAX_KEY_WORDS, MAX_STEP_WORDS, addr};

/// Width of a rule id of this driver, in bits.
const MAX_RULE_ID_BITS: usize = 16;

/// PFs are not told apart by a register: the contract has one, behind the uplinks.
const PFS: u32 = 1;

fn register(name: &str) -> &'static Register {
    GLOBAL.iter().find(|register| register.name == name).expect("a register of the map")
}

fn expected(name: &str) -> u32 {
    match register(name).reset {
        Reset::Value(value) => value,
        Reset::Build => unreachable!("{name} is the same in every build"),
    }
}

/// A field of a register that exists once, out of the register's value.
pub(crate) fn field(name: &str, field: &str, word: u32) -> u32 {
    register(name).field(field).expect("a field of the map").get(word)
}

/// Makes sure that this is a Millrace device that this driver knows, and reads the sizes of its build.
///
/// # Errors
/// If it is not, if the sizes are outside the contract, or if the device cannot be reached.
pub fn discover(device: &mut dyn Device) -> Result<Config, DeviceError> {
    let id = device.read32(addr::ID)?;
    if id != expected("ID") {
        return Err(DeviceError::NotMillrace(id));
    }
    let version = device.read32(addr::VERSION)?;
    let (major, minor) = (field("VERSION", "major", version), field("VERSION", "minor", version));
    let needs = (field("VERSION", "major", expected("VERSION")), field("VERSION", "minor", expected("VERSION")));
    if major != needs.0 || minor < needs.1 {
        return Err(DeviceError::Version { major, minor, needs });
    }
    let words = [
        device.read32(addr::CONFIG0)?,
        device.read32(addr::CONFIG1)?,
        device.read32(addr::CONFIG2)?,
        device.read32(addr::CONFIG3)?,
        device.read32(addr::CONFIG4)?,
    ];
    let mut config = Config {
        bus_bits: 8 * field("CONFIG3", "bus_bytes", words[3]) as usize,
        uplinks: field("CONFIG0", "uplinks", words[0]) as usize,
        pfs: PFS as usize,
        vfs: field("CONFIG0", "vports", words[0]).saturating_sub(field("CONFIG0", "uplinks", words[0]) + PFS) as usize,
        hash_tables: field("CONFIG0", "hash_tables", words[0]) as usize,
        slots_log2: field("CONFIG1", "slot_bits", words[1]) as usize,
        tcam_entries: field("CONFIG1", "tcam_entries", words[1]) as usize,
        steps_log2: field("CONFIG3", "continuation_steps", words[3]).checked_ilog2().unwrap_or(0) as usize,
        rule_id_bits: MAX_RULE_ID_BITS,
        max_frame: field("CONFIG4", "max_frame", words[4]) as usize,
        header_clocks: field("CONFIG4", "header_clocks", words[4]) as usize,
        // No register tells of the host side: its own do, function by function.
        queue_pairs: 0,
        passes: field("CONFIG4", "further_passes", words[4]) as usize + 1,
    };
    if (words[2] as usize) < config.rule_ids() {
        config.rule_id_bits = words[2].checked_ilog2().unwrap_or(0) as usize;
    }
    check(&config, words)?;
    lengths(device, &config)?;
    Ok(config)
}

fn problem<T>(register: &'static str, value: u32, problem: &'static str) -> Result<T, DeviceError> {
    Err(DeviceError::Config { register, value, problem })
}

/// How long the keys and steps of a device of these sizes are.
///
/// # Errors
/// If they are shorter than any build's, or too short for the device's passes, or do not fit into the staging words.
pub(crate) fn lengths(device: &mut dyn Device, config: &Config) -> Result<Lengths, DeviceError> {
    let least = config.lengths();
    let word = device.read32(addr::CONFIG5)?;
    let length = |name| field("CONFIG5", name, word) as usize;
    let lengths = Lengths { key: length("key_words"), step: length("step_words") };
    if lengths.key < least.key {
        return problem("CONFIG5", word, "a key shorter than the contract has it");
    }
    if lengths.key > MAX_KEY_WORDS {
        return problem("CONFIG5", word, "a key longer than the staging words have room for");
    }
    if lengths.step < least.step {
        return problem("CONFIG5", word, "a step shorter than the contract has it");
    }
    if lengths.step > MAX_STEP_WORDS {
        return problem("CONFIG5", word, "a step longer than the staging words have room for");
    }
    Ok(lengths)
}

/// Refuses what the driver would go wrong with.
fn check(config: &Config, words: [u32; 5]) -> Result<(), DeviceError> {
    if config.vports() > MAX_VPORTS as usize {
        return problem("CONFIG0", words[0], "more vports than the contract has");
    }
    if config.vports() != field("CONFIG0", "vports", words[0]) as usize {
        return problem("CONFIG0", words[0], "no room for a PF behind the uplinks");
    }
    if field("CONFIG0", "ways", words[0]) as usize != WAYS {
        return problem("CONFIG0", words[0], "hash tables do not have four ways");
    }
    if config.slots_log2 > MAX_SLOT_BITS as usize {
        return problem("CONFIG1", words[1], "more slots than the table hash serves");
    }
    if words[2] > 1 << MAX_RULE_ID_BITS {
        return problem("CONFIG2", words[2], "more rule ids than this driver tells apart");
    }
    if words[2] as usize != config.rule_ids() {
        return problem("CONFIG2", words[2], "neither one rule id per slot and TCAM entry nor a power of two");
    }
    if !(MIN_FRAME..=MAX_FRAME).contains(&config.max_frame) {
        return problem("CONFIG4", words[4], "a longest frame that the contract does not have");
    }
    if config.passes > MAX_PASSES {
        return problem("CONFIG4", words[4], "more passes than the contract has");
    }
    if words[4] != config.registers()[4] {
        return problem("CONFIG4", words[4], "reserved bits are set");
    }
    if words != config.registers()[..5] {
        return problem("CONFIG3", words[3], "continuation steps are not a power of two");
    }
    Ok(())
}
