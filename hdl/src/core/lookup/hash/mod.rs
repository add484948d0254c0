// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exact-match tables, each with a mask of its own.

pub mod hash_table;
pub mod hash_table_in_turn;
pub mod hash_way;
pub mod key_hash;
pub mod key_hash_in_turn;
