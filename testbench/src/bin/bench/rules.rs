// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tables at 90 % load, and how fast rules get there.

use crate::report::{Report, cpu_seconds};
use anyhow::Result;
use millrace_driver::{Placement, RuleSpec, Rules};
use millrace_regs::config::Preset;
use millrace_regs::{Key, Mask, Step};
use millrace_sim::Embedded;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Share of the slots in use.
pub const LOAD: f64 = 0.9;
/// Flows of the measured traffic, spread over the hash tables, and over the TCAM.
pub const FLOWS: usize = 16;

/// What tells the measured flows apart: the destination MAC address.
pub fn flow_mac(flow: usize) -> u64 {
    0x0200_0000_1000 + flow as u64
}

/// Hash table number `table` looks at the destination MAC address and those of TTL, TOS and protocol that the bits of
/// `table` name: every table has a mask of its own.
fn mask(table: usize) -> Mask {
    let all = |bit: usize| if table >> bit & 1 == 1 { 0xff } else { 0 };
    let in_port = if table >> 3 & 1 == 1 { 0xff } else { 0 };
    Mask { dl_dst: 0xffff_ffff_ffff, nw_ttl: all(0), nw_tos: all(1), nw_proto: all(2), in_port, ..Mask::ANY }
}

/// Where the measured flows hit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hits {
    Hash,
    Tcam,
}

/// Fills all tables of the device to [`LOAD`], the rules of the measured flows (UDP, TTL 64, TOS 0, from `p0`) among them.
pub fn fill(device: &mut Embedded, hits: Hits, step: Step) -> Result<usize> {
    let mut rules = Rules::new(device)?;
    let config = *rules.config();
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for flow in 0..FLOWS {
        let mask = match hits {
            Hits::Hash => mask(flow % config.hash_tables),
            Hits::Tcam => Mask { dl_type: 0xffff, ..mask(flow % 8) },
        };
        let key = Key { dl_dst: flow_mac(flow), nw_ttl: 64, nw_proto: 17, dl_type: 0x0800, ..Key::ZERO };
        insert(&mut rules, device, key, mask, hits == Hits::Tcam, step)?;
    }
    let wanted = |slots: usize| (slots as f64 * LOAD) as usize;
    for table in 0..config.hash_tables {
        let own = if hits == Hits::Hash { FLOWS.div_ceil(config.hash_tables) } else { 0 };
        for _ in own..wanted(config.table_rules()) {
            let key = Key { dl_dst: random.random::<u64>() >> 16 | 1 << 40, nw_ttl: random.random(), ..Key::ZERO };
            insert(&mut rules, device, key, mask(table), false, Step::output(1))?;
        }
    }
    let own = if hits == Hits::Tcam { FLOWS } else { 0 };
    for entry in own..wanted(config.tcam_entries) {
        let key = Key { dl_dst: entry as u64, ..Key::ZERO };
        insert(&mut rules, device, key, Mask { dl_dst: 0xffff_ffff, ..Mask::ANY }, true, Step::output(1))?;
    }
    Ok(rules.len())
}

fn insert(rules: &mut Rules, device: &mut Embedded, key: Key, mask: Mask, tcam: bool, step: Step) -> Result<()> {
    let placement = if tcam { Placement::Tcam } else { Placement::Hash };
    rules.insert(device, &RuleSpec { key: key & mask, mask, priority: 1, placement }, &[step])?;
    Ok(())
}

/// Rules per second of CPU time, with the simulated device.
pub fn measure(report: &mut Report) -> Result<()> {
    let mut device = Embedded::new(Preset::Sim)?;
    let start = cpu_seconds();
    let rules = fill(&mut device, Hits::Hash, Step::output(2))?;
    let rate = rules as f64 / (cpu_seconds() - start);
    report.add("rules inserted", format!("{rules} rules, tables filled to 90 %, simulated device"), rate, "rules/s");
    Ok(())
}
