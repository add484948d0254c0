// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where frames come in: buffers, measuring, and the order among sources.

pub mod ingress;
pub mod merge;
pub mod pace;
