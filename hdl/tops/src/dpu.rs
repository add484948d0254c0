// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with its host side.

use millrace_hdl::core::sizes::Sizes;
use millrace_hdl::{emit, sized};
use millrace_queue::dpu::Dpu;
use millrace_queue::one_clock::OneClock;
use millrace_queue::sizes::HostSizes;
use millrace_regs::config::{Config, Preset};
use rust_hdl_core::prelude::*;

/// A block of a build with host side.
macro_rules! built {
    ($block:ident, $preset:expr) => {{
        assert_eq!($preset, Preset::Host, "preset {} has no host side", $preset);
        const CONFIG: Config = Preset::Host.config();
        const SIZES: Sizes = Sizes::of(&CONFIG);
        const HOST: HostSizes = HostSizes::of(&CONFIG);
        Box::new(emit::Described(Box::new(<sized!($block<SIZES; HOST>)>::new(&CONFIG))))
    }};
}

/// The DPU of a build with host side, on one clock: for boards.
///
/// # Panics
/// If the preset has none.
pub fn build(preset: Preset) -> Box<dyn Block> {
    built!(OneClock, preset)
}

/// The Verilog of a preset with host side, whose parts have clocks of their own; its top module is `millrace`.
///
/// # Errors
/// Every place in a block that has no Verilog. (None in a commit that passes the tests.)
///
/// # Panics
/// If the preset has no host side.
pub fn verilog(preset: Preset) -> Result<String, Vec<String>> {
    let dpu: Box<dyn Block> = built!(Dpu, preset);
    emit::verilog(dpu.as_ref(), Some("millrace"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lint;

    #[test]
    fn every_module_of_the_host_side_says_what_it_does() {
        for module in emit::modules(build(Preset::Host).as_ref(), Some("one_clock")).expect("it is emitted") {
            assert!(module.doc.len() > 20, "{} ({}) has no doc comment", module.name, module.block);
        }
    }

    #[test]
    fn the_dpu_emits_clean_verilog() {
        for preset in Preset::HOSTED {
            let text = verilog(preset).unwrap_or_else(|e| panic!("{preset} is not emitted:\n{}", e.join("\n")));
            lint(&text, "millrace");
            let text = emit::verilog(build(preset).as_ref(), Some("one_clock")).unwrap();
            lint(&text, "one_clock");
        }
    }
}
