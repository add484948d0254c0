// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the first 128 bytes of a frame to its key.

pub mod beside;
pub mod gather;
pub mod parser;
pub mod parser_l2;
pub mod parser_l3;
pub mod parser_l4;
