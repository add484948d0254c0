// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the blocks of a build are sized by.

use super::pass::types::{AGAIN_WIDTH, NOTE_WIDTH, NUMBER_BITS};
use super::types::{KEY_BITS, STEP_BITS, WINDOW_BITS};
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
    /// Of a frame's number between `Merge` and `Expand`, and of their count.
    pub credit_bits: usize,
    /// Of the match key.
    pub key_bits: usize,
    pub key_words: usize,
    /// Of the key, behind what the parser gives: none without passes.
    pub further_key_bits: usize,
    /// Of the key, in one of the TCAM's eight groups.
    pub group_bits: usize,
    /// Of the operands of a command on a hash table.
    pub entry_bits: usize,
    /// Of a step, as software writes it.
    pub step_bits: usize,
    /// Of a step, behind what a build without passes has: none without them.
    pub further_step_bits: usize,
    /// Words that software stages for a command, and log2 of the number of addresses for them.
    pub staged_words: usize,
    pub staged_log2: usize,
    /// Bits of these words.
    pub data_bits: usize,
    /// Of the header window, behind what is parsed at once: none without passes.
    pub behind_bits: usize,
    /// Of a signal that there is with passes only.
    pub ahead_bits: usize,
    /// Of what a rule's first step says of another lookup: none without passes.
    pub again_bits: usize,
    /// Of what travels with a frame behind its lookups: nothing without passes.
    pub note_bits: usize,
    /// Of a pass's number, and of metadata: nothing without passes.
    pub pass_bits: usize,
    pub metadata_bits: usize,
    /// Of what stands beside an upcall in AXI4-Stream: vport, reason, pass, metadata.
    pub upcall_user_bits: usize,
}

impl Sizes {
    /// The sizes of a build.
    pub const fn of(config: &Config) -> Self {
        let buffer_log2 = log2(buffer_bytes(config) / config.bus_bytes());
        let payload_log2 = log2(payload_bytes(config) / config.bus_bytes());
        let lengths = config.lengths();
        let passes = config.passes > 1;
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
            credit_bits: if passes { NUMBER_BITS } else { 7 },
            key_bits: 32 * lengths.key,
            key_words: lengths.key,
            further_key_bits: 32 * lengths.key - KEY_BITS,
            group_bits: 4 * lengths.key,
            entry_bits: 64 + 32 * lengths.key,
            step_bits: 32 * lengths.step,
            further_step_bits: 32 * lengths.step - STEP_BITS,
            staged_words: lengths.staged(),
            staged_log2: log2(lengths.staged().next_power_of_two()),
            data_bits: 32 * lengths.staged(),
            behind_bits: 8 * config.window_bytes() - WINDOW_BITS,
            ahead_bits: if passes { 1 } else { 0 },
            again_bits: if passes { AGAIN_WIDTH } else { 0 },
            note_bits: if passes { NOTE_WIDTH } else { 0 },
            pass_bits: if passes { 3 } else { 0 },
            metadata_bits: if passes { 64 } else { 0 },
            upcall_user_bits: if passes { 83 } else { 16 },
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
