// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF's driver sets and sees of PF and VFs.

use crate::args::FunctionArgs;
use crate::control::Request;
use crate::error::{BadInput, BadInputExt};
use crate::faults;
use crate::stats::Stats;
use crate::vf::{self, LinkState, VfSettings};
use anyhow::Result;
use millrace_driver::virtio::{
    FunctionConfig, FunctionLosses, FunctionPolicy, FunctionVlan, VirtioPci, function_runs, sample_drops,
};
use millrace_regs::config::Config;
use millrace_regs::host::Feature;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// Time between two samples of what a function's policy drops: enough to tell of its sources, and little to do.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(1);

/// PF and VFs of a device, as its ECPF's driver has them.
pub struct Functions {
    config: Config,
    /// So many, the PFs first, are there for drivers.
    served: usize,
    /// What was set of their links.
    states: Vec<LinkState>,
}

/// A PF or VF, as `ip link show` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionStatus {
    pub port: String,
    /// Its driver's, if that has set another one.
    pub mac: String,
    /// Identifier; 0 without VLAN.
    pub vlan: u16,
    pub qos: u8,
    pub proto: String,
    pub spoofchk: bool,
    pub trust: bool,
    /// Mb/s; 0 without limit.
    #[serde(default)]
    pub max_tx_rate: u32,
    /// 0 without one of its own.
    #[serde(default)]
    pub tx_weight: u32,
    pub state: LinkState,
    /// The link is up, and a driver is at work.
    pub up: bool,
}

impl Functions {
    /// Those of a device, as they are without settings.
    pub fn new(config: &Config, served: usize) -> Self {
        Self { config: *config, served, states: vec![LinkState::Auto; config.pfs + config.vfs] }
    }

    /// Gives each function its configuration.
    pub fn configure(&mut self, args: &FunctionArgs, ecpf: &mut impl VirtioPci) -> Result<()> {
        let features = !Feature::bits(&args.without);
        for (function, vport) in functions(&self.config) {
            let mac = nth_mac(args.mac, function - 1);
            let policy = FunctionPolicy::default();
            let mut set = FunctionConfig { mac, mtu: args.mtu, link_up: false, features, policy };
            self.apply(function, &VfSettings::default(), &mut set);
            let name = self.config.vport_name(vport);
            for (_, settings) in args.vf.iter().filter(|(port, _)| Some(port) == name.as_ref()) {
                self.apply(function, settings, &mut set);
            }
            set.set(ecpf, function)?;
            sample_drops(ecpf, function, SAMPLE_INTERVAL)?;
        }
        Ok(())
    }

    fn apply(&mut self, function: u32, settings: &VfSettings, config: &mut FunctionConfig) {
        let served = function as usize <= self.served;
        settings.apply(config, &mut self.states[function as usize - 1], served);
    }

    /// Answers [`Request::Functions`] and [`Request::SetFunction`].
    pub fn answer(&mut self, ecpf: &mut impl VirtioPci, request: &Request) -> Result<Vec<FunctionStatus>> {
        let chosen = match request {
            Request::SetFunction { function, settings } => {
                let settings = vf::parse_list(settings).bad_input()?;
                let (function, vport) = self.find(function)?;
                self.set(ecpf, function, &settings)?;
                vec![(function, vport)]
            }
            Request::Functions { function: Some(function) } => vec![self.find(function)?],
            _ => functions(&self.config).collect(),
        };
        chosen.into_iter().map(|(function, vport)| self.status(ecpf, function, vport)).collect()
    }

    fn find(&self, name: &str) -> Result<(u32, usize), BadInput> {
        let found = functions(&self.config).find(|(_, vport)| self.config.vport_name(*vport).as_deref() == Some(name));
        found.ok_or_else(|| BadInput(format!("{name}: {}", unknown(&names(&self.config)))))
    }

    fn set(&mut self, ecpf: &mut impl VirtioPci, function: u32, settings: &VfSettings) -> Result<()> {
        let before = FunctionConfig::read(ecpf, function)?;
        let mut after = before;
        self.apply(function, settings, &mut after);
        Ok(after.change(&before, ecpf, function)?)
    }

    fn status(&self, ecpf: &mut impl VirtioPci, function: u32, vport: usize) -> Result<FunctionStatus> {
        let config = FunctionConfig::read(ecpf, function)?;
        let FunctionPolicy { vlan, spoof_check, trust, max_tx_rate, tx_weight } = config.policy;
        let vlan = vlan.unwrap_or(FunctionVlan { id: 0, priority: 0, service: false });
        Ok(FunctionStatus {
            port: self.config.vport_name(vport).unwrap_or_default(),
            mac: config.mac.map(|byte| format!("{byte:02x}")).join(":"),
            vlan: vlan.id,
            qos: vlan.priority,
            proto: if vlan.service { "802.1ad" } else { "802.1Q" }.into(),
            spoofchk: spoof_check,
            trust,
            max_tx_rate,
            tx_weight,
            state: self.states[function as usize - 1],
            up: config.link_up && function_runs(ecpf, function)?,
        })
    }
}

impl FunctionStatus {
    /// A line for people.
    pub fn line(&self) -> String {
        let Self { port, mac, vlan, qos, proto, spoofchk, trust, max_tx_rate, tx_weight, state, up } = self;
        let mut line = format!("{port:<5} {mac}  {:<4}  state {state}", if *up { "up" } else { "down" });
        if *vlan != 0 {
            let _ = write!(line, ", vlan {vlan} qos {qos} proto {proto}");
        }
        if *max_tx_rate != 0 {
            let _ = write!(line, ", max_tx_rate {max_tx_rate}Mbps");
        }
        if *tx_weight != 0 {
            let _ = write!(line, ", tx_weight {tx_weight}");
        }
        let switch = |on: &bool| if *on { "on" } else { "off" };
        line + &format!(", spoofchk {}, trust {}\n", switch(spoofchk), switch(trust))
    }
}

/// The functions behind the ECPF: number, and vport.
pub fn functions(config: &Config) -> impl Iterator<Item = (u32, usize)> + use<> {
    let uplinks = config.uplinks;
    (1..=config.pfs + config.vfs).map(move |function| (function as u32, uplinks + function - 1))
}

fn names(config: &Config) -> Vec<String> {
    functions(config).filter_map(|(_, vport)| config.vport_name(vport)).collect()
}

/// What a name is refused with, which is none of `names`.
fn unknown(names: &[String]) -> String {
    format!("there is no such PF or VF: there are {}", names.join(", "))
}

/// Refuses settings of a port that is none of the device's PFs and VFs.
pub fn check(config: &Config, args: &FunctionArgs) -> Result<()> {
    let names = names(config);
    let Some((port, _)) = args.vf.iter().find(|(port, _)| !names.contains(port)) else { return Ok(()) };
    Err(BadInput(format!("--vf {port}=…: {}", unknown(&names))).into())
}

/// The `n`th address after this one, in the three bytes that a vendor gives out.
fn nth_mac(first: [u8; 6], n: u32) -> [u8; 6] {
    let [a, b, c, d, e, f] = first;
    let [_, d, e, f] = (u32::from_be_bytes([0, d, e, f]) + n).to_be_bytes();
    [a, b, c, d, e, f]
}

/// Adds what the ECPF sees of the functions: the frames that were lost between them and the device, and the faults that stand.
pub fn add_functions(stats: &mut Stats, config: &Config, ecpf: &mut impl VirtioPci) -> Result<()> {
    stats.slow_path.insert("upcalls_no_buffer".into(), FunctionLosses::read(ecpf, 0)?.no_buffer.into());
    for (function, vport) in functions(config) {
        let lost = FunctionLosses::read(ecpf, function)?;
        if let Some(port) = config.vport_name(vport).and_then(|name| stats.ports.get_mut(&name)) {
            port.not_sent.insert("no_buffer".into(), lost.no_buffer.into());
            port.not_entered.insert("bad_offload".into(), lost.bad_offload.into());
            port.not_entered.insert("policy".into(), lost.refused.into());
        }
    }
    stats.faults = faults::read(config, ecpf)?.into_iter().map(|(name, fault)| (name, fault.into())).collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_up_in_the_vendors_part() {
        assert_eq!(nth_mac([2, 0x4d, 0x52, 0, 0, 0xfe], 3), [2, 0x4d, 0x52, 0, 1, 1]);
        assert_eq!(nth_mac([2, 0x4d, 0x52, 0xff, 0xff, 0xff], 1), [2, 0x4d, 0x52, 0, 0, 0]);
    }
}
