// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF's driver sets and sees of PF and VFs.

use crate::args::FunctionArgs;
use crate::error::BadInput;
use crate::stats::Stats;
use anyhow::Result;
use millrace_driver::virtio::{FunctionConfig, FunctionLosses, FunctionPolicy, VirtioPci};
use millrace_regs::host::Feature;
use millrace_sim::Config;

/// The functions behind the ECPF: number, and vport.
fn functions(config: &Config) -> impl Iterator<Item = (u32, usize)> + use<> {
    let uplinks = config.uplinks;
    (1..=config.pfs + config.vfs).map(move |function| (function as u32, uplinks + function - 1))
}

/// Gives each function its configuration; the first `linked` have their link up.
pub fn configure(config: &Config, args: &FunctionArgs, linked: usize, ecpf: &mut impl VirtioPci) -> Result<()> {
    // Linux gives up RSS with a warning: its first RSS_CONFIG gets ERR, for a reason that is not known yet.
    let features = !(Feature::bits(&args.without) | Feature::Rss.bit());
    for (function, vport) in functions(config) {
        let mut set = FunctionConfig {
            mac: nth_mac(args.mac, function - 1),
            mtu: args.mtu,
            link_up: function as usize <= linked,
            features,
            policy: FunctionPolicy::default(),
        };
        let name = config.vport_name(vport);
        args.vf.iter().filter(|(port, _)| Some(port) == name.as_ref()).for_each(|(_, vf)| vf.apply(&mut set));
        set.set(ecpf, function)?;
    }
    Ok(())
}

/// Refuses settings of a port that is none of the device's PFs and VFs.
pub fn check(config: &Config, args: &FunctionArgs) -> Result<()> {
    let names: Vec<String> = functions(config).filter_map(|(_, vport)| config.vport_name(vport)).collect();
    let Some((port, _)) = args.vf.iter().find(|(port, _)| !names.contains(port)) else { return Ok(()) };
    Err(BadInput(format!("--vf {port}=…: there is no such PF or VF: there are {}", names.join(", "))).into())
}

/// The `n`th address after this one, in the three bytes that a vendor gives out.
fn nth_mac(first: [u8; 6], n: u32) -> [u8; 6] {
    let [a, b, c, d, e, f] = first;
    let [_, d, e, f] = (u32::from_be_bytes([0, d, e, f]) + n).to_be_bytes();
    [a, b, c, d, e, f]
}

/// Adds the frames that were lost between functions and device: for which nobody had a buffer, and whose offloads the device could not do.
pub fn add_losses(stats: &mut Stats, config: &Config, ecpf: &mut impl VirtioPci) -> Result<()> {
    stats.slow_path.insert("upcalls_no_buffer".into(), FunctionLosses::read(ecpf, 0)?.no_buffer.into());
    for (function, vport) in functions(config) {
        let lost = FunctionLosses::read(ecpf, function)?;
        if let Some(port) = config.vport_name(vport).and_then(|name| stats.ports.get_mut(&name)) {
            port.not_sent.insert("no_buffer".into(), lost.no_buffer.into());
            port.not_entered.insert("bad_offload".into(), lost.bad_offload.into());
            port.not_entered.insert("policy".into(), lost.refused.into());
        }
    }
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
