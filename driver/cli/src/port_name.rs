// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ports as people name them.

use crate::error::BadInput;
use millrace_regs::config::Config;

/// Number of the port with this name or OpenFlow number.
pub fn vport(config: &Config, name: &str) -> Result<usize, BadInput> {
    let by_number =
        || name.parse::<usize>().ok().filter(|openflow| (1..=config.vports()).contains(openflow)).map(|n| n - 1);
    config.vport_number(name).or_else(by_number).ok_or_else(|| {
        BadInput(format!("unknown port `{name}`: the ports are {}, or 1 to {}", names(config), config.vports()))
    })
}

/// Number of the port with this name, or this number as the hardware and DPDK count: from 0.
pub fn by_id(config: &Config, name: &str) -> Result<usize, BadInput> {
    let by_number = || name.parse::<usize>().ok().filter(|vport| *vport < config.vports());
    config.vport_number(name).or_else(by_number).ok_or_else(|| {
        BadInput(format!("unknown port `{name}`: the ports are {}, or 0 to {}", names(config), config.vports() - 1))
    })
}

fn names(config: &Config) -> String {
    (0..config.vports()).filter_map(|v| config.vport_name(v)).collect::<Vec<_>>().join(", ")
}
