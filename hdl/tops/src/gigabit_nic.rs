// SPDX-License-Identifier: MIT OR Apache-2.0
//! The card with gigabit ports.

use crate::presets::with_sizes;
use millrace_hdl::board::tops::gigabit_nic::GigabitNic;
pub use millrace_hdl::board::tops::gigabit_nic::TOP;
use millrace_hdl::sized;
use millrace_regs::config::Preset;
use rust_hdl_core::prelude::*;
use thiserror::Error;

/// What cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// Not a preset for such a board.
    #[error("preset `{0}` is not for a board with gigabit ports and a UART: `ecp5` and `ecp5-small` are")]
    Preset(Preset),
    /// Not so many uplinks.
    #[error("{0} gigabit ports: preset `ecp5` can have 1 or 2, `ecp5-small` has 2")]
    Ports(usize),
    /// Not a rate of the UART.
    #[error("{0} clocks to a bit of the UART: 4 to 65535 are possible")]
    ClocksPerBit(usize),
}

/// The card of a preset with gigabit ports at its first `ports` uplinks, and so many clocks of `clock` to a bit of the UART.
///
/// # Errors
/// If there is no such card.
pub fn build(preset: Preset, ports: usize, clocks_per_bit: usize) -> Result<Box<dyn Block>, BuildError> {
    if !(4..=0xffff).contains(&clocks_per_bit) {
        return Err(BuildError::ClocksPerBit(clocks_per_bit));
    }
    Ok(match (preset, ports) {
        (Preset::Ecp5, 1) => with_sizes!(Preset::Ecp5, <sized!(GigabitNic<SIZES, 1>)>::new(&CONFIG, clocks_per_bit)),
        (Preset::Ecp5, 2) => with_sizes!(Preset::Ecp5, <sized!(GigabitNic<SIZES, 2>)>::new(&CONFIG, clocks_per_bit)),
        (Preset::Ecp5Small, 2) => {
            with_sizes!(Preset::Ecp5Small, <sized!(GigabitNic<SIZES, 2>)>::new(&CONFIG, clocks_per_bit))
        }
        (Preset::Ecp5 | Preset::Ecp5Small, _) => return Err(BuildError::Ports(ports)),
        _ => return Err(BuildError::Preset(preset)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lint;
    use millrace_hdl::emit;

    #[test]
    fn a_card_with_one_or_two_ports_emits_clean_verilog() {
        for (preset, ports) in [(Preset::Ecp5, 1), (Preset::Ecp5, 2), (Preset::Ecp5Small, 2)] {
            let nic = build(preset, ports, 54).unwrap();
            let text = emit::verilog(nic.as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n")));
            lint(&text, TOP);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused = |preset, ports, clocks| build(preset, ports, clocks).err().expect("an error").to_string();
        assert!(refused(Preset::Sim, 2, 54).contains("`ecp5` and `ecp5-small` are"));
        assert!(refused(Preset::Ecp5, 0, 54).contains("1 or 2"));
        assert!(refused(Preset::Ecp5, 3, 54).contains("1 or 2"));
        assert!(refused(Preset::Ecp5Small, 1, 54).contains("`ecp5-small` has 2"));
        assert!(refused(Preset::Ecp5, 2, 3).contains("4 to 65535"));
        assert!(refused(Preset::Ecp5, 2, 65_536).contains("4 to 65535"));
    }
}
