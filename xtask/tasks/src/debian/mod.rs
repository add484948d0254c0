// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's packages and kernels, for guests and cards: unpacked, and not installed.

mod apt;
mod modules;

pub use apt::{Apt, Package};
pub use modules::Modules;

/// The release that all of them are of.
pub const RELEASE: &str = "trixie";
