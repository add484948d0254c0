// SPDX-License-Identifier: MIT OR Apache-2.0
//! What blocks are tested with that know the functions.

use millrace_regs::config::{Config, Preset};

/// A build with each kind of function once, and one pair of virtqueues for each: ECPF, PF, VF.
pub const SMALL: Config = Config { vfs: 1, queue_pairs: 1, ..Preset::Host.config() };
