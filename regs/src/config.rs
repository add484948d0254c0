// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a build of the hardware contains: sizes, ports, and the presets that are built and tested.

use crate::{Lengths, VERDICTS_PER_VPORT};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Ways of every hash table. Fixed: the table hash yields four indices.
pub const WAYS: usize = 4;
/// Longest frame of any build in bytes, without FCS; [`Config::max_frame`] is that of one build.
pub const MAX_FRAME: usize = 9216;
/// The first bytes of a frame that the parser looks at, and that edits reach: the header window of a build with one pass.
pub const WINDOW_BYTES: usize = 128;
/// The header window of a build with passes: as long as VLAN tag, IPv6, UDP, 24 bytes of tunnel header and then 100 bytes of another packet.
pub const LONG_WINDOW_BYTES: usize = 192;
/// Most lookups of a frame in any build.
pub const MAX_PASSES: usize = 8;
/// Shortest frame in bytes, without FCS.
pub const MIN_FRAME: usize = 14;

/// Sizes of one build. But for `queue_pairs`, the same numbers can be read from the registers `CONFIG0` to `CONFIG5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Width of the streams in bits: 64, 128, 256, 512 or 1024.
    pub bus_bits: usize,
    /// Vports that are network ports.
    pub uplinks: usize,
    /// Vports that are PCI physical functions.
    pub pfs: usize,
    /// Vports that are PCI virtual functions.
    pub vfs: usize,
    /// Exact-match tables, each with a mask of its own.
    pub hash_tables: usize,
    /// log2 of the slots in each of a table's four ways (S of the contract, at most 14).
    pub slots_log2: usize,
    /// Entries of the TCAM.
    pub tcam_entries: usize,
    /// log2 of the number of continuation steps.
    pub steps_log2: usize,
    /// Width of a rule id in bits: there are no more rule ids than it can tell apart.
    pub rule_id_bits: usize,
    /// Longest frame in bytes, without FCS: at most [`MAX_FRAME`]. Frame buffers are as large as it demands.
    pub max_frame: usize,
    /// Clocks from one frame's header to the next, at least. 1: everything is looked up at once. 24: the ways of a hash table and
    /// the entries of the TCAM are looked at one after the other, in a fraction of the logic.
    pub header_clocks: usize,
    /// Pairs of virtqueues of each PF and VF. 0: there is no host side (`docs/host.md`), and the streams of all vports are pins.
    pub queue_pairs: usize,
    /// Lookups of a frame, at most: 1, or up to [`MAX_PASSES`].
    pub passes: usize,
}

impl Config {
    /// Vports: uplinks, then PFs, then VFs.
    pub const fn vports(&self) -> usize {
        self.uplinks + self.pfs + self.vfs
    }

    /// Transmit queues: one per vport, and the upcall queue as the last.
    pub const fn queues(&self) -> usize {
        self.vports() + 1
    }

    /// Width of the streams in bytes.
    pub const fn bus_bytes(&self) -> usize {
        self.bus_bits / 8
    }

    /// Slots of one way of a hash table.
    pub const fn slots(&self) -> usize {
        1 << self.slots_log2
    }

    /// Rules that one hash table can hold.
    pub const fn table_rules(&self) -> usize {
        WAYS * self.slots()
    }

    /// Places for rules: slots of all hash tables, and TCAM entries.
    pub const fn places(&self) -> usize {
        self.hash_tables * self.table_rules() + self.tcam_entries
    }

    /// Rule ids: one per place, but no more than [`Self::rule_id_bits`] can tell apart.
    pub const fn rule_ids(&self) -> usize {
        if self.places() > 1 << self.rule_id_bits { 1 << self.rule_id_bits } else { self.places() }
    }

    /// Clocks in which the tables are cleared: in each of them a place of every memory.
    pub const fn sweep_clocks(&self) -> usize {
        let sizes = [self.rule_ids(), self.table_rules(), self.steps(), self.verdict_counters()];
        let (mut most, mut i) = (0, 0);
        while i < sizes.len() {
            most = if sizes[i] > most { sizes[i] } else { most };
            i += 1;
        }
        most
    }

    /// Verdict counters: those of each vport, and those of packet-outs to vports that do not exist.
    pub const fn verdict_counters(&self) -> usize {
        self.queues() * VERDICTS_PER_VPORT as usize
    }

    /// Continuation steps.
    pub const fn steps(&self) -> usize {
        1 << self.steps_log2
    }

    /// How long keys and steps are.
    pub const fn lengths(&self) -> Lengths {
        if self.passes > 1 { Lengths::FULL } else { Lengths::ONE_PASS }
    }

    /// Bytes of the header window.
    pub const fn window_bytes(&self) -> usize {
        if self.passes > 1 { LONG_WINDOW_BYTES } else { WINDOW_BYTES }
    }

    /// Name of a vport (`p0`, `p1`, `pf`, `vf0`, …); none if there is no such vport. Several PFs are `pf0`, `pf1`, ….
    pub fn vport_name(&self, vport: usize) -> Option<String> {
        if vport < self.uplinks {
            return Some(format!("p{vport}"));
        }
        let function = vport - self.uplinks;
        if function < self.pfs {
            return Some(if self.pfs == 1 { "pf".into() } else { format!("pf{function}") });
        }
        (vport < self.vports()).then(|| format!("vf{}", function - self.pfs))
    }

    /// Number of the vport with this name.
    pub fn vport_number(&self, name: &str) -> Option<usize> {
        (0..self.vports()).find(|v| self.vport_name(*v).as_deref() == Some(name))
    }

    /// The values of the registers `CONFIG0` to `CONFIG5`.
    pub const fn registers(&self) -> [u32; 6] {
        [
            (self.vports() | self.uplinks << 8 | self.hash_tables << 16 | WAYS << 24) as u32,
            (self.slots_log2 | self.tcam_entries << 16) as u32,
            self.rule_ids() as u32,
            (self.bus_bytes() | self.steps() << 16) as u32,
            (self.max_frame | self.header_clocks << 16 | (self.passes - 1) << 24) as u32,
            (self.lengths().key | self.lengths().step << 8 | self.window_bytes() << 16) as u32,
        ]
    }
}

/// Tables of the presets that test bus widths.
const SMALL: Config = Config {
    bus_bits: 512,
    uplinks: 2,
    pfs: 1,
    vfs: 1,
    hash_tables: 2,
    slots_log2: 6,
    tcam_entries: 16,
    steps_log2: 5,
    rule_id_bits: 16,
    max_frame: MAX_FRAME,
    header_clocks: 1,
    queue_pairs: 0,
    passes: 1,
};

/// The builds that are kept working.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The simulation's: 512 bits, 2 uplinks, 1 PF, 8 VFs, 8 tables of 2,048 rules.
    #[default]
    Sim,
    /// Fits an ECP5-45k: 64 bits, 2 uplinks, 1 PF, 1 VF, one table of 1,024 rules, frames of up to 2,048 bytes.
    Ecp5,
    /// `Ecp5` with one table of 128 rules, 4 TCAM entries and no VF: easier to place and route.
    #[serde(rename = "ecp5-small")]
    Ecp5Small,
    /// For UltraScale+: 512 bits, as many ports as `Sim`, 8 tables of 8,192 rules.
    Alveo,
    /// 128 bits with small tables. This and the next two are there so that each bus width is tested whole.
    W128,
    /// 256 bits with small tables.
    W256,
    /// 1,024 bits with small tables.
    W1024,
    /// 512 bits with small tables, and as many passes as there may be.
    Passes,
    /// With the host side (`docs/host.md`): 512 bits with small tables, two pairs of virtqueues for each PF and VF.
    Host,
}

impl Preset {
    /// The presets without host side.
    pub const ALL: [Preset; 8] = [
        Preset::Sim,
        Preset::Ecp5,
        Preset::Ecp5Small,
        Preset::Alveo,
        Preset::W128,
        Preset::W256,
        Preset::W1024,
        Preset::Passes,
    ];

    /// The presets with a host side.
    pub const HOSTED: [Preset; 1] = [Preset::Host];

    /// The presets of both kinds.
    pub fn every() -> impl Iterator<Item = Preset> {
        Preset::ALL.into_iter().chain(Preset::HOSTED)
    }

    /// The presets that the simulation is built for. Among them is each bus width.
    pub const SIMULATED: [Preset; 6] =
        [Preset::Sim, Preset::Ecp5, Preset::W128, Preset::W256, Preset::W1024, Preset::Passes];

    /// The sizes of this preset.
    pub const fn config(self) -> Config {
        match self {
            Preset::Sim => Config {
                bus_bits: 512,
                uplinks: 2,
                pfs: 1,
                vfs: 8,
                hash_tables: 8,
                slots_log2: 9,
                tcam_entries: 32,
                steps_log2: 8,
                rule_id_bits: 16,
                max_frame: MAX_FRAME,
                header_clocks: 1,
                queue_pairs: 0,
                passes: 1,
            },
            Preset::Ecp5 => Config {
                bus_bits: 64,
                uplinks: 2,
                pfs: 1,
                vfs: 1,
                hash_tables: 1,
                slots_log2: 8,
                tcam_entries: 16,
                steps_log2: 4,
                rule_id_bits: 10,
                max_frame: 2048,
                header_clocks: 24,
                queue_pairs: 0,
                passes: 1,
            },
            Preset::Ecp5Small => {
                Config { vfs: 0, slots_log2: 5, tcam_entries: 4, rule_id_bits: 8, ..Preset::Ecp5.config() }
            }
            Preset::Alveo => Config {
                bus_bits: 512,
                uplinks: 2,
                pfs: 1,
                vfs: 8,
                hash_tables: 8,
                slots_log2: 11,
                tcam_entries: 256,
                steps_log2: 10,
                rule_id_bits: 16,
                max_frame: MAX_FRAME,
                header_clocks: 1,
                queue_pairs: 0,
                passes: 1,
            },
            Preset::W128 => Config { bus_bits: 128, ..SMALL },
            Preset::W256 => Config { bus_bits: 256, ..SMALL },
            Preset::W1024 => Config { bus_bits: 1024, ..SMALL },
            Preset::Passes => Config { passes: MAX_PASSES, ..SMALL },
            Preset::Host => Config { vfs: 8, queue_pairs: 2, ..SMALL },
        }
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Preset::Sim => "sim",
            Preset::Ecp5 => "ecp5",
            Preset::Ecp5Small => "ecp5-small",
            Preset::Alveo => "alveo",
            Preset::W128 => "w128",
            Preset::W256 => "w256",
            Preset::W1024 => "w1024",
            Preset::Passes => "passes",
            Preset::Host => "host",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No preset has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown preset `{0}`: the presets are {names}", names = names())]
pub struct UnknownPreset(pub String);

fn names() -> String {
    Preset::every().map(Preset::name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Preset {
    type Err = UnknownPreset;
    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        Preset::every().find(|p| p.name() == name).ok_or_else(|| UnknownPreset(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::MAX_VPORTS;

    #[test]
    fn sim_preset_has_eleven_vports_with_the_names_of_the_contract() {
        let c = Preset::Sim.config();
        let names: Vec<_> = (0..c.vports()).filter_map(|v| c.vport_name(v)).collect();
        assert_eq!(names.join(" "), "p0 p1 pf vf0 vf1 vf2 vf3 vf4 vf5 vf6 vf7");
        assert_eq!(c.vport_name(11), None);
        assert_eq!(c.vport_number("vf7"), Some(10));
        assert_eq!(c.vport_number("vf8"), None);
    }

    #[test]
    fn sizes_follow_the_contract() {
        let c = Preset::Sim.config();
        assert_eq!((c.table_rules(), c.rule_ids(), c.queues()), (2048, 8 * 2048 + 32, 12));
        assert_eq!(c.registers(), [0x0408_020b, 0x0020_0009, 16416, 0x0100_0040, 0x0001_2400, 0x0080_150f]);
        let alveo = Preset::Alveo.config();
        assert_eq!((alveo.hash_tables * alveo.table_rules(), alveo.rule_ids()), (65_536, 65_536));
        assert_eq!(
            [Preset::Sim, Preset::Ecp5, Preset::Alveo].map(|p| p.config().sweep_clocks()),
            [16_416, 1024, 65_536]
        );
        let passes = Config { passes: MAX_PASSES, ..c };
        assert_eq!(passes.registers()[4..], [0x0701_2400, 0x00c0_1a13]);
        let few_ids = Config { rule_id_bits: 2, ..SMALL };
        assert_eq!((few_ids.rule_ids(), few_ids.sweep_clocks()), (4, 256), "not less than the slots of a table");
        let widths = Preset::SIMULATED.map(|p| p.config().bus_bits);
        assert!([64, 128, 256, 512, 1024].iter().all(|width| widths.contains(width)), "{widths:?}");
        let ecp5 = Preset::Ecp5.config();
        assert_eq!((ecp5.places(), ecp5.rule_ids(), ecp5.registers()[4]), (1040, 1024, 0x0018_0800));
        for p in Preset::every() {
            assert!(p.config().vports() <= MAX_VPORTS as usize && p.config().slots_log2 <= 14, "{p}");
            assert_eq!(p.name().parse(), Ok(p));
        }
        assert_eq!(
            "fpga".parse::<Preset>().unwrap_err().to_string(),
            "unknown preset `fpga`: the presets are sim, ecp5, ecp5-small, alveo, w128, w256, w1024, passes, host"
        );
    }
}
