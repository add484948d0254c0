// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hardware of each build: the top blocks with a preset's sizes. Compiled here alone, for each is the whole design once more.

pub mod axi;
pub mod core;
#[cfg(feature = "host")]
pub mod dpu;
pub mod gigabit_nic;
pub mod millrace_host;
mod presets;

use millrace_regs::config::Preset;

/// The Verilog of a preset as it is simulated; its top module is `millrace`. Without feature `host` those with a host side are not there.
///
/// # Errors
/// Every place in a block that has no Verilog. (None in a commit that passes the tests.)
///
/// # Panics
/// If the preset is not there.
pub fn verilog(preset: Preset) -> Result<String, Vec<String>> {
    #[cfg(feature = "host")]
    if preset.config().has_host_side() {
        return dpu::verilog(preset);
    }
    core::verilog(preset)
}

/// Shared with the blocks.
#[cfg(test)]
#[allow(dead_code)] // this crate uses a part
#[path = "../../tests/support/tools.rs"]
mod testing;
