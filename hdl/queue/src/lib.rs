// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host side of the Millrace DPU in Rust-HDL: PCI functions as virtio devices, their virtqueues, and DMA. Its contract is `docs/host.md`.
//!
//! A crate of its own, so that neither it nor the fast path waits for the other to be compiled.

// Tests count queues and functions by their numbers, as the hardware does.
#![cfg_attr(test, allow(clippy::needless_range_loop))]

pub mod axi;
pub mod axil_gate;
pub mod chain_check;
pub mod chain_walker;
pub mod checksum_sum;
pub mod collector;
pub mod control_fetch;
pub mod control_gate;
pub mod control_unit;
pub mod descriptor;
pub mod descriptor_fetch;
pub mod dma_guard;
pub mod dpu;
pub mod drop_counters;
pub mod drop_samples;
pub mod engine;
pub mod fault_arbiter;
pub mod flow_fields;
pub mod function_level_reset;
pub mod function_reset;
pub mod functions;
pub mod head_credit;
pub mod host_axi;
pub mod line_timer;
pub mod live;
pub mod msix_table;
pub mod one_clock;
pub mod packed_check;
pub mod packed_fetch;
pub mod packed_tables;
pub mod packed_used;
pub mod packer;
pub mod patcher;
pub mod placer;
pub mod policy_judge;
pub mod prepend;
pub mod provisional;
pub mod rate_limit;
pub mod reader;
pub mod receive_store;
pub mod received_policy;
pub mod ring_fetch;
pub mod ring_port;
pub mod ring_side;
pub mod scatter;
pub mod scattered_walker;
pub mod segmenter;
pub mod sent_policy;
pub mod sequencer;
pub mod shares;
pub mod sizes;
pub mod slicer;
pub mod steer;
pub mod step_merge;
pub mod strip;
pub mod summer;
pub mod toeplitz;
pub mod turns;
pub mod types;
pub mod used_check;
pub mod used_writer;
pub mod waiting_heads;
pub mod words;

// What `testing` is written for.
#[cfg(test)]
use millrace_hdl::{core, emit};

/// Shared with the blocks of the fast path.
#[cfg(test)]
#[allow(dead_code)] // this crate uses a part
#[path = "../../src/testing.rs"]
mod testing;

/// Shared with the tests of the whole DPU.
#[cfg(test)]
mod asked;

#[cfg(test)]
mod memory;

#[cfg(test)]
mod policed;

#[cfg(test)]
mod small;
