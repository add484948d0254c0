// SPDX-License-Identifier: MIT OR Apache-2.0
//! Heads are changed, and their payload put behind them.

pub mod edit_align;
pub mod edit_checksum;
pub mod edit_fields;
pub mod edit_meta;
pub mod edit_place;
pub mod edit_sum;
pub mod edit_types;
pub mod edit_word;
pub mod head_store;
pub mod header_edit;
pub mod header_store;
pub mod headers;
pub mod headers_at_once;
pub mod headers_in_turn;
pub mod payload_buffer;
pub mod splice;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::headers::Headers;
pub use self::payload_buffer::PayloadBuffer;
pub use self::splice::Splice;

#[cfg(test)]
mod header_edit_tests;
