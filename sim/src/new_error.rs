// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why there is no simulation.

use crate::Preset;
use crate::ffi::BUILT_IN;

/// Why there is no simulation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NewError {
    #[error(
        "preset `{0}` is not built into this program, which has {built_in}; `cargo build --release --features every-preset` builds in {simulated}, and `--features host` host",
        built_in = names(BUILT_IN), simulated = names(&Preset::SIMULATED)
    )]
    NotBuiltIn(Preset),
    #[error("the core of preset `{preset}` has no {bits}-bit {direction} `{name}`")]
    NoPin { preset: Preset, name: String, direction: &'static str, bits: usize },
}

fn names(presets: &[Preset]) -> String {
    presets.iter().map(|preset| preset.name()).collect::<Vec<_>>().join(", ")
}
