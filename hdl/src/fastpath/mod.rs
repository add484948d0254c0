// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fast path: one block per file, named after its box in `docs/fast-path.md`.

pub mod action_ram;
pub mod beside;
pub mod better_hit;
pub mod control;
pub mod control_runner;
pub mod core;
pub mod counters;
pub mod credit;
pub mod edit_align;
pub mod edit_checksum;
pub mod edit_fields;
pub mod edit_meta;
pub mod edit_place;
pub mod edit_sum;
pub mod edit_types;
pub mod edit_word;
pub mod egress;
pub mod expand;
pub mod gather;
pub mod hash_table;
pub mod hash_table_in_turn;
pub mod hash_way;
pub mod head_store;
pub mod header_edit;
pub mod header_fifo;
pub mod header_store;
pub mod headers;
pub mod headers_at_once;
pub mod headers_in_turn;
pub mod hit_tree;
pub mod ingress;
pub mod key_hash;
pub mod key_hash_in_turn;
pub mod lookup;
pub mod lookup_in_turn;
pub mod match_stage;
pub mod merge;
pub mod millrace_axi;
pub mod pace;
pub mod parser;
pub mod parser_l2;
pub mod parser_l3;
pub mod parser_l4;
pub mod payload_buffer;
pub mod pipeline;
pub mod queue_counters;
pub mod select;
pub mod sizes;
pub mod splice;
pub mod staging;
pub mod tcam;
pub mod tcam_chunk;
pub mod tcam_entry;
pub mod tcam_group;
pub mod tcam_in_turn;
pub mod types;

pub use self::core::{build, verilog};

#[cfg(test)]
mod control_tests;
#[cfg(test)]
mod header_edit_tests;
#[cfg(test)]
mod match_reference;
