// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fast path: one block per file, named after its box in `docs/fast-path.md`.

pub mod counters;
pub mod expand;
pub mod gather;
pub mod ingress;
pub mod merge;
pub mod parser;
pub mod parser_l2;
pub mod parser_l3;
pub mod parser_l4;
pub mod types;

#[cfg(test)]
mod testing;
