// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `.core` file of FuseSoC (CAPI2).

use millrace_regs::config::Preset;

/// The core description of a preset.
pub fn core(preset: Preset, top: &str, files: &[String]) -> String {
    let list: String = files.iter().map(|file| format!("      - {file}\n")).collect();
    format!(
        "CAPI=2:\n\
         name: millrace:fastpath:millrace_{preset}:{version}\n\
         description: Fast path of the Millrace DPU, preset {preset}\n\n\
         filesets:\n  rtl:\n    files:\n{list}    file_type: verilogSource-2005\n\n\
         targets:\n  default: &default\n    filesets: [rtl]\n    toplevel: {top}\n\
         \x20 lint:\n    <<: *default\n    default_tool: verilator\n    tools:\n      verilator:\n        mode: lint-only\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}
