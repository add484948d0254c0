// SPDX-License-Identifier: MIT OR Apache-2.0
//! The register map, the key layout and the action encoding of the Millrace DPU.

pub mod config;
