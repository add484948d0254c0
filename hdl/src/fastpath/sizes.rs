// SPDX-License-Identifier: MIT OR Apache-2.0
//! The numbers that the blocks' const parameters are made of.

use millrace_regs::config::Config;

/// What an ingress buffer and a transmit queue hold, in bytes: a longest frame, and half of the next one or more.
pub const fn buffer_bytes(config: &Config) -> usize {
    (config.max_frame * 3 / 2).next_power_of_two()
}

/// What the payload buffer holds, in bytes: three longest frames, and what is on its way.
pub const fn payload_bytes(config: &Config) -> usize {
    (config.max_frame * 3 + 1).next_power_of_two()
}

/// Bits of a byte count in a beat (`C`).
pub const fn count_bits(config: &Config) -> usize {
    config.bus_bytes().ilog2() as usize + 1
}

/// log2 of the beats in an ingress buffer or a transmit queue (`B`).
pub const fn buffer_log2(config: &Config) -> usize {
    (buffer_bytes(config) / config.bus_bytes()).ilog2() as usize
}

/// log2 of the beats in the payload buffer (`A`).
pub const fn payload_log2(config: &Config) -> usize {
    (payload_bytes(config) / config.bus_bytes()).ilog2() as usize
}

/// log2 of the rules in all hash tables (`X`).
pub const fn hash_rules_log2(config: &Config) -> usize {
    (config.hash_tables * config.table_rules()).ilog2() as usize
}

/// log2 of the TCAM entries (`Y`).
pub const fn tcam_log2(config: &Config) -> usize {
    config.tcam_entries.ilog2() as usize
}

/// Bits of a rule id (`R`).
pub const fn rule_bits(config: &Config) -> usize {
    config.rule_ids().next_power_of_two().ilog2() as usize
}

/// Bits of a verdict counter's index, vport * 16 + verdict (`V`); packets out to vports that do not exist count for vport number V.
pub const fn verdict_bits(config: &Config) -> usize {
    (config.queues() * 16).next_power_of_two().ilog2() as usize
}
