// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the blocks of a build are sized by.

use millrace_regs::config::Config;

/// The sizes of a build. A block with `const SIZES: Sizes` has each of them as a const parameter (`docs/blocks.md`), so that there are fields here
/// for what follows from others, too: stable Rust does not compute with const parameters.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of the streams.
    pub bus_bits: usize,
    pub bus_bytes: usize,
    /// Of a byte count in a beat.
    pub count_bits: usize,
    /// Beats in an ingress buffer or a transmit queue.
    pub buffer_log2: usize,
    /// Bits of their number.
    pub buffer_count_bits: usize,
    /// Beats in the payload buffer.
    pub payload_log2: usize,
    /// Bits of their number.
    pub payload_count_bits: usize,
    /// Pairs of them.
    pub payload_pairs_log2: usize,
    pub vports: usize,
    /// Transmit queues, and sources of frames: one more than vports.
    pub queues: usize,
    /// Of messages to the host: vports, upcalls and answers.
    pub host_sources: usize,
    /// Slots in a way of a hash table.
    pub way_log2: usize,
    /// Slots in all four ways.
    pub table_log2: usize,
    pub tcam_entries: usize,
    /// Rules in all hash tables.
    pub hash_rules_log2: usize,
    /// Rules in the TCAM.
    pub tcam_log2: usize,
    /// Continuation steps.
    pub steps_log2: usize,
    /// Of a rule id.
    pub rule_bits: usize,
    /// Of a verdict counter's index, vport * 16 + verdict; packets out to vports that do not exist count for vport number `vports`.
    pub verdict_bits: usize,
}

impl Sizes {
    /// The sizes of a build.
    pub const fn of(config: &Config) -> Self {
        let buffer_log2 = log2(buffer_bytes(config) / config.bus_bytes());
        let payload_log2 = log2(payload_bytes(config) / config.bus_bytes());
        Self {
            bus_bits: config.bus_bits,
            bus_bytes: config.bus_bytes(),
            count_bits: log2(config.bus_bytes()) + 1,
            buffer_log2,
            buffer_count_bits: buffer_log2 + 1,
            payload_log2,
            payload_count_bits: payload_log2 + 1,
            payload_pairs_log2: payload_log2 - 1,
            vports: config.vports(),
            queues: config.queues(),
            host_sources: config.vports() + 2,
            way_log2: config.slots_log2,
            table_log2: config.slots_log2 + 2,
            tcam_entries: config.tcam_entries,
            hash_rules_log2: log2(config.hash_tables * config.table_rules()),
            tcam_log2: log2(config.tcam_entries),
            steps_log2: config.steps_log2,
            rule_bits: log2(config.rule_ids().next_power_of_two()),
            verdict_bits: log2((config.queues() * 16).next_power_of_two()),
        }
    }
}

/// What an ingress buffer and a transmit queue hold, in bytes: a longest frame, and half of the next one or more.
const fn buffer_bytes(config: &Config) -> usize {
    (config.max_frame * 3 / 2).next_power_of_two()
}

/// What the payload buffer holds, in bytes: three longest frames, and what is on its way.
const fn payload_bytes(config: &Config) -> usize {
    (config.max_frame * 3 + 1).next_power_of_two()
}

const fn log2(n: usize) -> usize {
    n.ilog2() as usize
}
