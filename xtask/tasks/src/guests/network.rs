// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the guests are joined by.

use super::bench::Bench;
use super::dpu::{Dpu, Stats};
use super::guest::Nic;
use anyhow::Result;
use serde_json::json;
use std::path::PathBuf;

/// What joins `vf0` and `vf1`, and more if it is a DPU.
pub enum Network {
    Dpu(Dpu),
    /// QEMU's own virtio-net, back to back: for telling a fault of the device from one of the guests.
    BackToBack(PathBuf),
}

impl Network {
    /// A DPU with a flow file and further arguments of `millrace serve`, or what stands in for it.
    pub fn start(bench: &Bench, flows: &str, arguments: &[String]) -> Result<Self> {
        if bench.self_test {
            return Ok(Self::BackToBack(bench.sockets().to_owned()));
        }
        Ok(Self::Dpu(Dpu::start(bench, "dpu", flows, arguments)?))
    }

    /// A function, for a guest.
    pub fn nic(&self, function: &str) -> Nic {
        match self {
            Self::Dpu(dpu) => dpu.nic(function),
            Self::BackToBack(folder) => {
                let (first, mac) =
                    (function == "vf0", if function == "vf0" { "52:54:00:00:00:00" } else { "52:54:00:00:00:01" });
                let address = json!({"type": "unix", "path": folder.join("frames")});
                let mut netdev = json!({"type": "stream", "id": function, "addr": address, "server": first});
                if !first {
                    // The other may start later.
                    netdev["reconnect-ms"] = 20.into();
                }
                let device = json!({"driver": "virtio-net-pci", "netdev": function, "mac": mac, "host_mtu": 9000,
                    "disable-legacy": "on"});
                Nic { netdev: Some(netdev), device }
            }
        }
    }

    /// Ends it in order; the statistics of a DPU.
    pub fn stop(self) -> Result<Option<Stats>> {
        match self {
            Self::Dpu(dpu) => dpu.stop(),
            Self::BackToBack(_) => Ok(None),
        }
    }
}
