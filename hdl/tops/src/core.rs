// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core, whose pins are streams: what is simulated.

use crate::presets::of_preset;
use millrace_hdl::core::millrace::Millrace;
use millrace_hdl::{emit, sized};
use millrace_regs::config::Preset;
use rust_hdl_core::prelude::*;

/// The core of a preset.
pub fn build(preset: Preset) -> Box<dyn Block> {
    of_preset!(preset, <sized!(Millrace<SIZES>)>::new(&CONFIG))
}

/// The Verilog of a preset; its top module is `millrace`.
///
/// # Errors
/// Every place in a block that has no Verilog. (None in a commit that passes the tests.)
pub fn verilog(preset: Preset) -> Result<String, Vec<String>> {
    emit::verilog(build(preset).as_ref(), Some("millrace"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lint;

    #[test]
    fn every_preset_emits_clean_verilog() {
        for preset in Preset::ALL {
            let text = verilog(preset).unwrap_or_else(|e| panic!("{preset} is not emitted:\n{}", e.join("\n")));
            lint(&text, "millrace");
        }
    }
}
