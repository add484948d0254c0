// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host side in RTL, driven by our drivers over rings in simulated memory: `docs/host.md`.

mod bench;
mod clocks;
mod control;
mod faults;
mod hostile;
mod interrupts;
mod later;
mod offload;
mod policy;
mod rates;
mod resets;
mod segments;
mod time_outs;
mod traffic;
mod wakes;
mod weights;
