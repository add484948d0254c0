// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fast path: one block per file, named after its box in `docs/fast-path.md`.

pub mod better_hit;
pub mod counters;
pub mod egress;
pub mod expand;
pub mod gather;
pub mod hash_table;
pub mod hash_way;
pub mod hit_tree;
pub mod ingress;
pub mod key_hash;
pub mod merge;
pub mod parser;
pub mod parser_l2;
pub mod parser_l3;
pub mod parser_l4;
pub mod payload_buffer;
pub mod splice;
pub mod types;

#[cfg(test)]
mod match_reference;
#[cfg(test)]
mod testing;
