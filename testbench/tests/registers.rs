// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every register of the map, through the bus of the simulated core: what it reads after reset, and what accesses do.

use millrace_driver::{Device, DeviceError, Rules};
use millrace_regs::config::{Config, Preset};
use millrace_regs::map::{ADDRESS_SPACE, Access, DATA_WORDS, Reset};
use millrace_regs::{Command, DATA_RULE, DATA_VALID, Instance, STEP_FIELDS, addr, by_address, instances};
use millrace_sim::Embedded;

const PATTERNS: [u32; 6] = [u32::MAX, 0, 0x5555_5555, 0xaaaa_aaaa, 0x0123_4567, 0x89ab_cdef];

fn device(preset: Preset) -> (Embedded, Config) {
    println!("preset {preset}");
    (Embedded::new(preset).unwrap(), preset.config())
}

fn all(config: &Config) -> impl Iterator<Item = Instance> + use<> {
    instances(config.vports() as u32)
}

fn reset_value(instance: &Instance, config: &Config) -> u32 {
    match instance.register.reset {
        Reset::Value(value) => value,
        Reset::Build => {
            let number = instance.register.name.strip_prefix("CONFIG").and_then(|n| n.parse::<usize>().ok());
            config.registers()[number.expect("CONFIG0 and so on depend on the build")]
        }
    }
}

fn assert_as_after_reset(device: &mut Embedded, config: &Config) {
    for instance in all(config) {
        let value = device.read32(instance.address).unwrap_or_else(|error| panic!("{instance}: {error}"));
        assert_eq!(value, reset_value(&instance, config), "{instance}");
    }
}

fn refused(result: Result<(), DeviceError>, access: &str, address: u32) {
    match result {
        Err(DeviceError::Refused { access: a, address: b }) if (a, b) == (access, address) => {}
        other => panic!("{access} of {address:#06x}: {other:?} instead of a refusal"),
    }
}

#[test]
fn every_register_reads_its_reset_value() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        assert_as_after_reset(&mut device, &config);
    }
}

#[test]
fn read_only_registers_refuse_writes_and_keep_their_value() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        for instance in all(&config).filter(|instance| instance.register.access == Access::Ro) {
            for pattern in PATTERNS {
                refused(device.write32(instance.address, pattern), "write", instance.address);
            }
        }
        assert_as_after_reset(&mut device, &config);
    }
}

#[test]
fn read_write_registers_hold_what_is_written_and_nothing_in_reserved_bits() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        let all: Vec<_> = all(&config).filter(|instance| instance.register.access == Access::Rw).collect();
        assert!(all.len() > 64 + config.queues());
        for pattern in PATTERNS {
            // A value of its own for each, so that one that stands for another shows.
            let value = |instance: &Instance| pattern ^ instance.address;
            for instance in &all {
                device.write32(instance.address, value(instance)).unwrap();
            }
            for instance in &all {
                let expected = value(instance) & instance.mask(config.lengths());
                assert_eq!(device.read32(instance.address).unwrap(), expected, "{instance}");
            }
        }
    }
}

#[test]
fn claimed_registers_change_only_from_and_to_zero() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        for instance in all(&config).filter(|instance| instance.register.access == Access::Claim) {
            for pattern in PATTERNS.into_iter().filter(|pattern| *pattern != 0) {
                for (value, reads) in [(pattern, pattern), (!pattern | 1, pattern), (pattern, pattern), (0, 0), (0, 0)]
                {
                    device.write32(instance.address, value).unwrap();
                    assert_eq!(
                        device.read32(instance.address).unwrap(),
                        reads & instance.register.mask(),
                        "{instance}"
                    );
                }
            }
        }
    }
}

#[test]
fn generation_counts_owners_and_clears_and_says_whether_tables_were_written() {
    for preset in Preset::SIMULATED {
        let (mut device, _) = device(preset);
        let run = |device: &mut Embedded, command: Command| {
            device.write32(addr::COMMAND, command.word(0)).unwrap();
            while device.read32(addr::STATUS).unwrap() != 0 {}
            device.read32(addr::GENERATION).unwrap()
        };
        assert_eq!(device.read32(addr::GENERATION).unwrap(), 0);
        let mut generation = 0;
        for owner in [5, 6, 0, 0, 6, 6, 0] {
            generation += u32::from((device.read32(addr::OWNER).unwrap() == 0) != (owner == 0));
            device.write32(addr::OWNER, owner).unwrap();
            assert_eq!(device.read32(addr::GENERATION).unwrap(), generation);
        }
        assert_eq!(generation, 4);
        for command in Command::ALL.iter().copied().filter(|command| *command != Command::ClearTables) {
            let written = if command.writes() { 1 << 31 } else { 0 };
            assert_eq!(run(&mut device, command), generation | written, "{}", command.name());
            generation += 1;
            device.write32(addr::INDEX, u32::MAX).unwrap();
            assert_eq!(run(&mut device, Command::ClearTables), generation);
            device.write32(addr::INDEX, 0).unwrap();
        }
        assert_eq!(device.read32(addr::EVENTS).unwrap(), 0);
    }
}

#[test]
fn write_only_registers_read_zero() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        for instance in all(&config).filter(|instance| instance.register.access == Access::Wo) {
            device.write32(instance.address, Command::WriteStep.word(0)).unwrap();
            assert_eq!(device.read32(instance.address).unwrap(), 0, "{instance}");
        }
    }
}

#[test]
fn event_bits_are_set_by_what_they_name_and_cleared_by_writing_one() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        let bad_command = 1;
        let bad = |device: &mut Embedded, op: u32, table: u32, index: usize| {
            device.write32(addr::INDEX, index as u32).unwrap();
            device.write32(addr::COMMAND, op | table << 8).unwrap();
            while device.read32(addr::STATUS).unwrap() != 0 {}
            let events = device.read32(addr::EVENTS).unwrap();
            device.write32(addr::EVENTS, !events).unwrap();
            assert_eq!(device.read32(addr::EVENTS).unwrap(), events, "a 0 clears nothing");
            device.write32(addr::EVENTS, events).unwrap();
            assert_eq!(device.read32(addr::EVENTS).unwrap(), 0, "a 1 clears");
            events
        };
        for op in [0, 8, 10, 15] {
            assert_eq!(bad(&mut device, op, 0, 0), bad_command, "op {op}");
        }
        let (tables, slots) = (config.hash_tables as u32, config.table_rules());
        for (command, table, last) in [
            (Command::WriteEntry, 0, slots - 1),
            (Command::WriteEntry, tables - 1, slots - 1),
            (Command::WriteTcam, 0, config.tcam_entries - 1),
            (Command::WriteAction, 0, config.rule_ids() - 1),
            (Command::WriteStep, 0, config.steps() - 1),
            (Command::ReadRuleCounter, 0, config.rule_ids() - 1),
            (Command::ReadVerdictCounter, 0, 16 * (config.vports() + 1) - 1),
        ] {
            let op = command as u32;
            assert_eq!(bad(&mut device, op, table, last), 0, "{} {table} {last}", command.name());
            for past in [last + 1, last + 0x1_0000, last + 0x8000_0000] {
                assert_eq!(bad(&mut device, op, table, past), bad_command, "{} {table} {past:#x}", command.name());
            }
        }
        for command in [Command::WriteEntry, Command::WriteMask] {
            assert_eq!(bad(&mut device, command as u32, tables - 1, 0), 0);
            for table in [tables, 255] {
                assert_eq!(bad(&mut device, command as u32, table, 0), bad_command, "{} {table}", command.name());
            }
        }
    }
}

#[test]
fn staging_words_that_no_command_uses_take_writes_and_read_zero() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        let staged = config.lengths().staged();
        for word in [staged as u32 - 1, staged as u32, DATA_WORDS - 1] {
            device.write32(addr::data(word), 0x1234_5678).unwrap();
        }
        let words: Vec<u32> = (0..DATA_WORDS).map(|word| device.read32(addr::data(word)).unwrap()).collect();
        let kept = |word: usize| if word == staged - 1 { 0x1234_5678 } else { 0 };
        assert_eq!(words, (0..DATA_WORDS as usize).map(kept).collect::<Vec<_>>(), "none lands in another");
    }
}

#[test]
fn rule_ids_and_steps_that_the_build_has_not_are_refused() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        let (rules, steps) = (config.rule_ids() as u32, config.steps() as u32);
        let place = |name: &str| STEP_FIELDS.iter().find(|field| field.name == name).unwrap().offset;
        let (more, next) = (place("more"), place("next") / 32);
        // Whether the number counts is a bit: of which word, and which.
        for (command, (flags, bit), word, end) in [
            (Command::WriteEntry, (DATA_VALID, 0), DATA_RULE, rules),
            (Command::WriteTcam, (DATA_VALID, 0), DATA_RULE, rules),
            (Command::WriteAction, (more / 32, more % 32), next, steps),
            (Command::WriteStep, (more / 32, more % 32), next, steps),
        ] {
            for number in [0, end - 1, end, end + 0x1_0000, u32::MAX] {
                for (flag, refused) in [(0, false), (1 << bit, number >= end)] {
                    device.write32(addr::data(flags as u32), flag).unwrap();
                    device.write32(addr::data(word as u32), number).unwrap();
                    device.write32(addr::COMMAND, command.word(0)).unwrap();
                    while device.read32(addr::STATUS).unwrap() != 0 {}
                    let events = device.read32(addr::EVENTS).unwrap();
                    assert_eq!(events, u32::from(refused), "{} {number:#x} {flag:#x}", command.name());
                    device.write32(addr::EVENTS, events).unwrap();
                }
            }
            device.write32(addr::data(flags as u32), 0).unwrap();
        }
    }
}

#[test]
fn addresses_between_the_registers_are_refused() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        for address in (0..ADDRESS_SPACE).step_by(4) {
            if by_address(address, config.vports() as u32).is_none() {
                refused(device.read32(address).map(|_| ()), "read", address);
                refused(device.write32(address, u32::MAX), "write", address);
            }
        }
        assert_as_after_reset(&mut device, &config);
    }
}

#[test]
fn partial_writes_are_refused_and_change_nothing() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        for instance in all(&config).filter(|instance| instance.register.access.writable()) {
            for strobe in 0..0b1111 {
                let result = device.simulation().write_bytes(instance.address as u16, u32::MAX, strobe);
                assert!(result.is_err(), "{instance} takes a write of bytes {strobe:04b}");
            }
            assert_eq!(device.read32(instance.address).unwrap(), reset_value(&instance, &config), "{instance}");
        }
    }
}

#[test]
fn driver_discovers_the_build() {
    for preset in Preset::SIMULATED {
        let (mut device, config) = device(preset);
        assert_eq!(*Rules::new(&mut device).unwrap().config(), config);
    }
}
