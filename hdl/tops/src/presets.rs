// SPDX-License-Identifier: MIT OR Apache-2.0
//! A type for each preset's sizes.

/// What `$make` makes with the constants `CONFIG` and `SIZES` of a preset, in a box: `<sized!(Core<SIZES>)>::new(&CONFIG)`, say.
macro_rules! with_sizes {
    ($preset:expr, $make:expr) => {{
        const CONFIG: millrace_regs::config::Config = $preset.config();
        const SIZES: millrace_hdl::core::sizes::Sizes = millrace_hdl::core::sizes::Sizes::of(&CONFIG);
        Box::new(millrace_hdl::emit::Described(Box::new($make))) as Box<dyn Block>
    }};
}

/// [`with_sizes`] of whatever preset `$preset` is.
macro_rules! of_preset {
    ($preset:expr, $make:expr) => {{
        use crate::presets::with_sizes;
        match $preset {
            Preset::Sim => with_sizes!(Preset::Sim, $make),
            Preset::Ecp5 => with_sizes!(Preset::Ecp5, $make),
            Preset::Ecp5Small => with_sizes!(Preset::Ecp5Small, $make),
            Preset::Alveo => with_sizes!(Preset::Alveo, $make),
            Preset::W128 => with_sizes!(Preset::W128, $make),
            Preset::W256 => with_sizes!(Preset::W256, $make),
            Preset::W1024 => with_sizes!(Preset::W1024, $make),
            Preset::Passes => with_sizes!(Preset::Passes, $make),
            // Compiled where it is used.
            Preset::Host => panic!("preset `host` has no core by itself: see the crate of the host side"),
        }
    }};
}

pub(crate) use {of_preset, with_sizes};
