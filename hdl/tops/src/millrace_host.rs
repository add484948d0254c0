// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with the host channel.

use crate::presets::{of_preset, with_sizes};
use millrace_hdl::board::tops::millrace_host::MillraceHost;
pub use millrace_hdl::board::tops::millrace_host::TOP;
use millrace_hdl::sized;
use millrace_regs::config::Preset;
use rust_hdl_core::prelude::*;

/// The core of a preset with the host channel; the uplinks have streams of their own.
pub fn build(preset: Preset) -> Box<dyn Block> {
    of_preset!(preset, <sized!(MillraceHost<SIZES, { CONFIG.uplinks }>)>::new(&CONFIG))
}

/// Why there is no such core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("preset `{preset}` with streams for {streams} uplinks: {} are possible{}", preset.config().uplinks, if *preset == Preset::Alveo { ", or 1" } else { "" })]
pub struct BuildError {
    preset: Preset,
    streams: usize,
}

/// The same with streams of their own for the first `streams` uplinks alone; the others are on the host channel, too.
///
/// # Errors
/// If no board needs such a core: it is not among the types that are built.
pub fn build_with(preset: Preset, streams: usize) -> Result<Box<dyn Block>, BuildError> {
    match (preset, streams) {
        (Preset::Alveo, 1) => Ok(with_sizes!(Preset::Alveo, <sized!(MillraceHost<SIZES, 1>)>::new(&CONFIG))),
        _ if streams == preset.config().uplinks => Ok(build(preset)),
        _ => Err(BuildError { preset, streams }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lint;
    use millrace_hdl::emit;

    #[test]
    fn streams_for_some_of_the_uplinks_are_refused_where_no_board_has_them() {
        let refused = |preset, streams| build_with(preset, streams).err().unwrap().to_string();
        assert_eq!(refused(Preset::Sim, 1), "preset `sim` with streams for 1 uplinks: 2 are possible");
        assert_eq!(refused(Preset::Alveo, 3), "preset `alveo` with streams for 3 uplinks: 2 are possible, or 1");
        let one = build_with(Preset::Alveo, 1).unwrap();
        lint(&emit::verilog(one.as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n"))), TOP);
    }

    #[test]
    fn every_preset_emits_clean_verilog() {
        for preset in Preset::ALL {
            let text = emit::verilog(build(preset).as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n")));
            lint(&text, TOP);
        }
    }
}
