// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fast path: one block per file, named after its box in `docs/fast-path.md`.

pub mod counters;
pub mod expand;
pub mod gather;
pub mod ingress;
pub mod merge;
pub mod types;

#[cfg(test)]
mod testing;
