// SPDX-License-Identifier: MIT OR Apache-2.0
//! What blocks are tested with that know the functions.

use millrace_regs::config::{Config, Preset};

/// A build with each kind of function once: ECPF, PF, VF.
pub const SMALL: Config = Config { vfs: 1, ..Preset::Host.config() };
