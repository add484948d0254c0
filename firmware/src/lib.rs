// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path of the Millrace DPU, in the terms of Open vSwitch.
#![deny(missing_docs)]

pub mod bench;
pub mod classifier;
pub mod compile;
pub mod detect;
mod index;
pub mod mac;
pub mod openflow;
pub mod packet;
pub mod slowpath;
pub mod xlate;
