// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the first 128 bytes of a frame to its key.

pub mod beside;
pub mod gather;
pub mod parser;
pub mod parser_l2;
pub mod parser_l3;
pub mod parser_l4;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::gather::Gather;
pub use self::parser::Parser;
