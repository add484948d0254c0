// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a key to the rule of the highest priority.

pub mod better_hit;
pub mod hash;
pub mod hit_tree;
pub mod lookup;
pub mod lookup_in_turn;
pub mod match_stage;
pub mod select;
pub mod tcam;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::lookup_in_turn::in_turn;
pub use self::match_stage::Match;

#[cfg(test)]
pub mod match_reference;
