// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules with a mask each.

pub mod tcam;
pub mod tcam_chunk;
pub mod tcam_entry;
pub mod tcam_group;
pub mod tcam_in_turn;
