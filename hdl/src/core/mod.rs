// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core of the DPU: the fast path and its registers. A folder per stage, in the order in which a packet goes through them; in each one block
//! per file, named after its box in `docs/fast-path.md`.

pub mod action;
pub mod control;
pub mod edit;
pub mod egress;
pub mod ingress;
pub mod lookup;
pub mod millrace;
pub mod millrace_axi;
pub mod parse;
pub mod pass;
pub mod pipeline;
pub mod sizes;
pub mod types;
