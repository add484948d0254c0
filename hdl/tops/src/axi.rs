// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with AXI4-Stream pins.

use crate::presets::of_preset;
use millrace_hdl::core::millrace_axi::MillraceAxi;
use millrace_hdl::sized;
use millrace_regs::config::Preset;
use rust_hdl_core::prelude::*;

/// The core of a preset with AXI4-Stream pins.
pub fn build(preset: Preset) -> Box<dyn Block> {
    of_preset!(preset, <sized!(MillraceAxi<SIZES>)>::new(&CONFIG))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lint;
    use millrace_hdl::emit;

    /// Text without comments, which name the instances and differ.
    fn code(text: &str) -> String {
        text.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_emitted_with_axi_pins_is_what_is_simulated() {
        let simulated = emit::modules(crate::core::build(Preset::Ecp5).as_ref(), Some("millrace")).unwrap();
        let emitted = emit::modules(build(Preset::Ecp5).as_ref(), Some("millrace_axi")).unwrap();
        for module in &simulated {
            let same = emitted.iter().find(|other| other.name == module.name).expect("a module of the same name");
            assert_eq!(code(&module.text), code(&same.text), "{}", module.name);
        }
        // The pins' own: the top, two kinds of streams each way, and the conversion of each way.
        assert_eq!(emitted.len(), simulated.len() + 7);
    }

    #[test]
    fn every_preset_emits_clean_verilog() {
        for preset in Preset::ALL {
            let text = emit::verilog(build(preset).as_ref(), Some("millrace_axi")).unwrap_or_else(|e| panic!("{e:?}"));
            lint(&text, "millrace_axi");
        }
    }
}
