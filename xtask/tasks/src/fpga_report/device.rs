// SPDX-License-Identifier: MIT OR Apache-2.0
//! The devices that the presets are made for, and how much of them may be used.

use super::cells::Area;
use super::figures::Figure;
use super::synthesis::Preset;

/// A device.
pub struct Device {
    pub name: &'static str,
    limits: [Limit; 4],
    /// Most logic levels between registers, if the preset has such a goal.
    levels: Option<u64>,
}

struct Limit {
    part: &'static str,
    used: fn(&Area) -> u64,
    available: u64,
    /// Most that may be used, in percent.
    goal: u64,
}

/// Lattice's ECP5 family data sheet, table 1-1: LFE5UM5G-45. A slice has two cells; a carry cell takes two, a LUT RAM four and the two of
/// its write port.
const ECP5: Device = Device {
    name: "LFE5UM5G-45F",
    limits: [
        Limit { part: "cells", used: |a| a.lut + 2 * a.carry + 6 * a.lut_ram, available: 43_848, goal: 100 },
        Limit { part: "registers", used: |a| a.register, available: 43_848, goal: 100 },
        Limit { part: "block RAM", used: |a| a.block_ram, available: 108, goal: 100 },
        Limit { part: "multipliers", used: |a| a.dsp, available: 72, goal: 100 },
    ],
    levels: None,
};

/// AMD's DS962: Alveo U250. 2,688 block RAMs of 36 kbit. 8 levels are what 250 MHz allows by the usual half nanosecond for each
/// with its way.
const U250: Device = Device {
    name: "Alveo U250",
    limits: [
        Limit { part: "LUTs", used: |a| a.lut + a.lut_ram, available: 1_728_000, goal: 40 },
        Limit { part: "registers", used: |a| a.register, available: 3_456_000, goal: 100 },
        Limit { part: "block RAM", used: |a| a.block_ram, available: 2 * 2_688, goal: 70 },
        Limit { part: "ultra RAM", used: |a| a.ultra_ram, available: 1_280, goal: 70 },
    ],
    levels: Some(8),
};

/// The device of a preset.
pub fn device(preset: Preset) -> &'static Device {
    match preset {
        Preset::Ecp5 => &ECP5,
        Preset::Alveo => &U250,
    }
}

/// A line on each limit.
pub struct Verdict {
    pub text: String,
    pub missed: bool,
}

impl Device {
    /// How a design stands against the limits.
    pub fn judge(&self, total: &Figure) -> Vec<Verdict> {
        let areas = self.limits.iter().map(|limit| {
            let used = (limit.used)(&total.area);
            let percent = 100.0 * used as f64 / limit.available as f64;
            Verdict {
                text: format!(
                    "{}: {used} of {}, {percent:.1} % (at most {} %)",
                    limit.part, limit.available, limit.goal
                ),
                missed: used * 100 > limit.available * limit.goal,
            }
        });
        let levels = self.levels.map(|most| Verdict {
            text: format!("logic levels between registers: {} (at most {most})", total.levels),
            missed: total.levels > most,
        });
        areas.chain(levels).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(total: &Figure) -> Vec<String> {
        let verdicts = device(Preset::Alveo).judge(total);
        verdicts.into_iter().filter(|verdict| verdict.missed).map(|verdict| verdict.text).collect()
    }

    #[test]
    fn a_limit_may_be_reached_and_not_passed() {
        let area = Area { lut: 691_199, lut_ram: 1, ultra_ram: 896, ..Area::default() };
        let full = Figure { instances: 1, area, levels: 8 };
        assert!(missed(&full).is_empty());
        assert_eq!(missed(&Figure { levels: 9, ..full.clone() }), ["logic levels between registers: 9 (at most 8)"]);
        let more = Figure { area: Area { lut_ram: 2, ..full.area }, ..full };
        assert_eq!(missed(&more).len(), 1);
    }
}
