// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions that the device has stopped, because their drivers broke the rules (`docs/host.md`, "Faults").

use crate::functions::functions;
use crate::stats::FaultStats;
use anyhow::Result;
use millrace_driver::virtio::{Fault, VirtioPci, function_fault};
use millrace_regs::config::Config;
use std::time::{Duration, Instant};

/// Time between two looks: each reads a register of every function.
const PERIOD: Duration = Duration::from_millis(500);

/// The faults that stand, with the names of the functions, the ECPF's first.
pub fn read(config: &Config, ecpf: &mut impl VirtioPci) -> Result<Vec<(String, Fault)>> {
    let others = functions(config).map(|(function, vport)| (function, config.vport_name(vport).unwrap_or_default()));
    let mut found = vec![];
    for (function, name) in [(0, "ecpf".into())].into_iter().chain(others) {
        if let Some(fault) = function_fault(ecpf, function)? {
            found.push((name, fault));
        }
    }
    Ok(found)
}

/// Looks out for faults, and says each in the log once.
pub struct FaultWatch {
    config: Config,
    due: Instant,
    /// Those that stood at the last look.
    standing: Vec<(String, Fault)>,
}

impl FaultWatch {
    pub fn new(config: &Config) -> Self {
        Self { config: *config, due: Instant::now(), standing: vec![] }
    }

    /// Looks, if it is time to; whether it was.
    pub fn look(&mut self, ecpf: &mut impl VirtioPci) -> Result<bool> {
        let now = Instant::now();
        if now < self.due {
            return Ok(false);
        }
        self.due = now + PERIOD;
        let found = read(&self.config, ecpf)?;
        for (name, fault) in found.iter().filter(|known| !self.standing.contains(known)) {
            tracing::warn!("{name} needs a reset by its driver: {fault}");
        }
        self.standing = found;
        Ok(true)
    }
}

impl From<Fault> for FaultStats {
    fn from(fault: Fault) -> Self {
        let number = fault.reason.to_string();
        let reason = fault.reason().map_or(number, |reason| reason.name().into());
        Self { virtqueue: fault.virtqueue, reason }
    }
}
