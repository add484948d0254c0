// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures on their way in: read, checked and put in order before the run begins.

use crate::error::{BadInput, BadInputExt};
use millrace_sim::{Config, capture};
use std::collections::VecDeque;
use std::path::Path;

/// A packet and where it enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    pub vport: usize,
    pub frame: Vec<u8>,
}

/// Number of the port called `name`.
pub fn vport(config: &Config, name: &str) -> Result<usize, BadInput> {
    let names = || (0..config.vports()).filter_map(|v| config.vport_name(v)).collect::<Vec<_>>().join(", ");
    config.vport_number(name).ok_or_else(|| BadInput(format!("unknown port `{name}`: the ports are {}", names())))
}

/// Turns pairs of port and name into pairs of number and name, at most one per port.
pub fn by_vport<'a>(
    config: &Config,
    option: &str,
    pairs: &'a [(String, String)],
) -> Result<Vec<(usize, &'a str)>, BadInput> {
    let mut found: Vec<(usize, &str)> = vec![];
    for (port, value) in pairs {
        let vport = vport(config, port)?;
        if found.iter().any(|(v, _)| *v == vport) {
            return Err(BadInput(format!("--{option} is given twice for port {port}")));
        }
        found.push((vport, value));
    }
    Ok(found)
}

/// All packets of the captures, in the order of their times; of the same time in the order of ports, then of their file.
pub fn read(files: &[(usize, &str)]) -> Result<VecDeque<Input>, BadInput> {
    let mut inputs = vec![];
    for (vport, file) in files {
        let packets = capture::read(Path::new(file)).bad_input()?;
        inputs.extend(packets.into_iter().map(|p| Input { time_ns: p.time_ns, vport: *vport, frame: p.frame }));
    }
    inputs.sort_by_key(|input| (input.time_ns, input.vport));
    Ok(inputs.into())
}
