// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several lookups of a frame, and the order of the frames behind them.

pub mod decide;
pub mod enter;
pub mod in_order;
pub mod passes;
pub mod types;
